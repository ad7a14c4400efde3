//! What a folder with all below it holds.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::time::Instant;
use std::vec::IntoIter;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Allocated bytes.
    pub(crate) bytes: u64,
    /// Entries, the folder itself included.
    pub(crate) entries: u64,
    /// Whether the walk saw everything.
    pub(crate) complete: bool,
    /// What to go on after, where it stopped at a limit: the path of the last entry that was counted, from the folder on.
    pub(crate) next: Vec<u8>,
}

/// Folders within folders: each costs an open file while the walk is in it.
const MAX_DEPTH: usize = 200;

/// Entries of one folder: all names are held at once, to have them in order.
const MAX_NAMES: usize = 1_000_000;

/// A folder that the walk is in.
struct Level {
    fd: OwnedFd,
    names: IntoIter<CString>,
    /// Where the walk goes on that an earlier one began: the rest of the path, from here on.
    after: Vec<u8>,
    /// How long the path to its parent is.
    above: usize,
}

/// Walks a folder by names, without following links and without leaving its file system; `after` is the `next` of an earlier walk, or empty.
pub(crate) fn walk(root: OwnedFd, after: &[u8], max_entries: u64, until: Instant) -> Tree {
    let mut tree = Tree { complete: true, next: after.to_vec(), ..Tree::default() };
    let Ok(stat) = fs::fstat(&root) else { return Tree::default() };
    let device = stat.st_dev;
    let mut seen = HashSet::new();
    if after.is_empty() {
        tree.entries = 1;
        tree.bytes = stat.st_blocks as u64 * 512;
    }
    let mut stack: Vec<Level> = Vec::new();
    let mut path: Vec<u8> = Vec::new();
    match level(root, after.to_vec(), 0) {
        Some(first) => stack.push(first),
        None => return Tree { complete: false, next: Vec::new(), ..tree },
    }
    while let Some(here) = stack.last_mut() {
        let Some(name) = here.names.next() else {
            path.truncate(here.above);
            stack.pop();
            continue;
        };
        // On the way to where an earlier walk stopped: counted by that one.
        let rest = rest_after(&here.after, name.as_bytes());
        // At least one is counted, so that walks in parts come to their end.
        let over = tree.entries >= max_entries || Instant::now() >= until;
        if rest.is_none() && over && tree.next != after {
            tree.complete = false;
            return tree;
        }
        let Ok(stat) = fs::statat(&here.fd, &name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) else { continue };
        let is_dir = FileType::from_raw_mode(stat.st_mode).is_dir();
        if stat.st_dev != device || (stat.st_nlink > 1 && !is_dir && !seen.insert(stat.st_ino)) {
            continue;
        }
        let above = path.len();
        if above > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        if rest.is_none() {
            tree.entries += 1;
            tree.bytes += stat.st_blocks as u64 * 512;
            tree.next.clone_from(&path);
        }
        if is_dir {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = fs::openat(&here.fd, &name, flags, Mode::empty()).ok();
            match opened.and_then(|fd| level(fd, rest.unwrap_or_default(), above)) {
                Some(below) if stack.len() < MAX_DEPTH => {
                    stack.push(below);
                    continue;
                }
                _ => tree.complete = false,
            }
        }
        path.truncate(above);
    }
    tree.next.clear();
    tree
}

/// Gives what remains of the path `after` behind `name`, if it leads through there.
fn rest_after(after: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    match after.strip_prefix(name)? {
        [] => Some(Vec::new()),
        [b'/', rest @ ..] => Some(rest.to_vec()),
        _ => None,
    }
}

/// Opens a folder for the walk; its names in order, from where an earlier walk stopped. None where it can't be read.
fn level(fd: OwnedFd, after: Vec<u8>, above: usize) -> Option<Level> {
    let first = after.split(|b| *b == b'/').next().unwrap_or(&[]);
    let mut names = Vec::new();
    for entry in Dir::read_from(&fd).ok()? {
        let name = entry.ok()?.file_name().to_owned();
        if name.as_bytes() == b"." || name.as_bytes() == b".." || name.as_bytes() < first {
            continue;
        }
        if names.len() == MAX_NAMES {
            return None;
        }
        names.push(name);
    }
    names.sort_unstable();
    Some(Level { fd, names: names.into_iter(), after, above })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn open(dir: &std::path::Path) -> std::io::Result<OwnedFd> {
        Ok(fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_file_with_two_names_counts_once_and_links_are_not_followed() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join("sub"))?;
        std::fs::write(dir.path().join("sub/a"), vec![1; 100_000])?;
        std::fs::hard_link(dir.path().join("sub/a"), dir.path().join("b"))?;
        std::os::unix::fs::symlink("/", dir.path().join("root"))?;
        let tree = walk(open(dir.path())?, &[], 1_000, later());
        assert!(tree.complete && tree.entries == 4 && (98_304..400_000).contains(&tree.bytes), "{tree:?}");
        assert!(tree.next.is_empty());
        let cut = walk(open(dir.path())?, &[], 2, later());
        assert!(!cut.complete && cut.entries == 2 && !cut.next.is_empty(), "{cut:?}");
        Ok(())
    }

    #[test]
    fn walks_in_parts_give_the_whole() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        // Names that sort otherwise than paths do: `a!` stands before `a/x` among paths, and after `a` among names.
        for sub in ["a", "a!", "b/c/d", "b/c!", "e"] {
            std::fs::create_dir_all(dir.path().join(sub))?;
            for i in 0..7 {
                std::fs::write(dir.path().join(sub).join(format!("f{i}")), vec![1; 5_000])?;
            }
        }
        let whole = walk(open(dir.path())?, &[], u64::MAX, later());
        for step in 1..20 {
            let (mut bytes, mut entries, mut after, mut calls) = (0, 0, Vec::new(), 0);
            loop {
                let part = walk(open(dir.path())?, &after, step, later());
                bytes += part.bytes;
                entries += part.entries;
                calls += 1;
                assert!(calls < 200, "no progress after {after:?}");
                if part.next.is_empty() {
                    break;
                }
                after = part.next;
            }
            assert_eq!((bytes, entries), (whole.bytes, whole.entries), "in steps of {step}");
        }
        let gone = walk(open(dir.path())?, b"a/zzz/gone", u64::MAX, later());
        assert!(gone.complete && gone.entries > 0, "{gone:?}");
        Ok(())
    }
}
