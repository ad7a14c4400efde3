//! Files through std, for native tests.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "natively, for tests, std stands in for the host"
)]

use super::{Entry, EntryKind, Files, Stat, Tree, Usage};
use crate::Error;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

/// The real files of the machine that runs the test.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdFiles;

fn kind(t: fs::FileType) -> EntryKind {
    if t.is_file() {
        EntryKind::File
    } else if t.is_dir() {
        EntryKind::Directory
    } else if t.is_symlink() {
        EntryKind::Link
    } else {
        EntryKind::Other
    }
}

impl Files for StdFiles {
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(u64::from(max) + 1).read_to_end(&mut bytes)?;
        if bytes.len() > max as usize {
            return Err(Error::TooLarge(format!("{path}: longer than {max} bytes")));
        }
        Ok(bytes)
    }

    fn read_many(&self, paths: &[String], max_each: u32) -> Vec<Result<Vec<u8>, Error>> {
        paths.iter().map(|p| self.read(p, max_each)).collect()
    }

    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            entries
                .push(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind: kind(entry.file_type()?) });
        }
        entries.sort_by(|a: &Entry, b: &Entry| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn read_link(&self, path: &str) -> Result<String, Error> {
        Ok(fs::read_link(path)?.to_string_lossy().into_owned())
    }

    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        let m = fs::metadata(path)?;
        let modified = m.mtime() * 1_000 + m.mtime_nsec() / 1_000_000;
        Ok(Stat { kind: kind(m.file_type()), size: m.len(), modified, mode: m.mode(), uid: m.uid(), gid: m.gid() })
    }

    /// std has no statvfs; tests of what needs it bring their own [`Files`].
    fn disk_usage(&self, mount_point: &str, _timeout_ms: u32) -> Result<Usage, Error> {
        Err(Error::Unavailable(format!("{mount_point}: no disk usage without a host")))
    }

    /// Counts a folder at once, whatever the limits.
    fn tree_usage(&self, path: &str, _after: &[u8], _max_entries: u32, _timeout_ms: u32) -> Result<Tree, Error> {
        let own = fs::symlink_metadata(path)?;
        let mut tree = Tree { bytes: own.blocks() * 512, entries: 1, complete: true, next: Vec::new() };
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                let below = self.tree_usage(&entry.path().to_string_lossy(), &[], 0, 0)?;
                tree.bytes += below.bytes;
                tree.entries += below.entries;
            } else {
                tree.bytes += entry.metadata()?.blocks() * 512;
                tree.entries += 1;
            }
        }
        Ok(tree)
    }
}
