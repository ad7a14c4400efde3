//! Files of the machine, whole and in batches; grants `files:PREFIX`.

use crate::Error;
use crate::bindings::collector::watchglass::plugin::files as wit;

#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(not(target_arch = "wasm32"))]
pub use native::StdFiles;
pub use wit::{Entry, EntryKind, Stat, Tree, Usage};

/// The most that [`Files::text`] reads of a file: more than any file of /proc that is read whole.
pub const MAX_TEXT: u32 = 4 << 20;

/// Reads files: the host's ([`HostFiles`]) in a plugin, a folder of fixtures (`StdFiles`) in a test.
pub trait Files {
    /// Reads a whole file; one longer than `max` bytes is `too-large`.
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error>;

    /// Reads many files at the price of one call; answers in the order asked.
    fn read_many(&self, paths: &[String], max_each: u32) -> Vec<Result<Vec<u8>, Error>>;

    /// Lists a directory, by name, without `.` and `..`.
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error>;

    /// Lists many directories at the price of one call; answers in the order asked.
    fn list_many(&self, paths: &[String]) -> Vec<Result<Vec<Entry>, Error>> {
        paths.iter().map(|p| self.list_dir(p)).collect()
    }

    /// Gives what a symbolic link says.
    fn read_link(&self, path: &str) -> Result<String, Error>;

    /// Gives a file's kind, size and owner; links are followed.
    fn metadata(&self, path: &str) -> Result<Stat, Error>;

    /// Gives how full a mounted file system is (statvfs). One that hangs answers `timed-out`.
    fn disk_usage(&self, mount_point: &str, timeout_ms: u32) -> Result<Usage, Error>;

    /// Counts what a folder holds; stops after `max_entries` or `timeout_ms`. A walk that stopped goes on with its answer's `next` as `after`,
    /// and then tells of the rest alone.
    fn tree_usage(&self, path: &str, _after: &[u8], _max_entries: u32, _timeout_ms: u32) -> Result<Tree, Error> {
        Err(Error::Unsupported(format!("{path}: folders are not counted here")))
    }

    /// Reads a file as text; bytes that are no UTF-8 become U+FFFD.
    fn text(&self, path: &str) -> Result<String, Error> {
        self.read(path, MAX_TEXT).map(into_text)
    }

    /// Reads many small files as trimmed text; `None` for each one that can't be read.
    fn texts(&self, paths: &[String]) -> Vec<Option<String>> {
        let read = self.read_many(paths, 64 << 10);
        read.into_iter().map(|r| r.ok().map(|bytes| into_text(bytes).trim().to_owned())).collect()
    }

    /// Lists the names in a directory, sorted; empty where it does not exist.
    fn names(&self, path: &str) -> Result<Vec<String>, Error> {
        match self.list_dir(path) {
            Ok(entries) => {
                let mut names: Vec<String> = entries.into_iter().map(|e| e.name).collect();
                names.sort_unstable();
                Ok(names)
            }
            Err(Error::NotFound(_)) => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }
}

/// Makes text of bytes; what is no UTF-8 becomes U+FFFD.
pub fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The machine's files, through the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFiles;

impl Files for HostFiles {
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        wit::read(path, max)
    }
    fn read_many(&self, paths: &[String], max_each: u32) -> Vec<Result<Vec<u8>, Error>> {
        if paths.is_empty() { Vec::new() } else { wit::read_many(paths, max_each) }
    }
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        wit::list_dir(path)
    }
    fn list_many(&self, paths: &[String]) -> Vec<Result<Vec<Entry>, Error>> {
        if paths.is_empty() { Vec::new() } else { wit::list_many(paths) }
    }
    fn read_link(&self, path: &str) -> Result<String, Error> {
        wit::read_link(path)
    }
    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        wit::metadata(path)
    }
    fn disk_usage(&self, mount_point: &str, timeout_ms: u32) -> Result<Usage, Error> {
        wit::disk_usage(mount_point, timeout_ms)
    }
    fn tree_usage(&self, path: &str, after: &[u8], max_entries: u32, timeout_ms: u32) -> Result<Tree, Error> {
        wit::tree_usage(path, after, max_entries, timeout_ms)
    }
}
