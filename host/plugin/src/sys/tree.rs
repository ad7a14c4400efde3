//! What a folder with all below it holds.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

/// What a walk found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Allocated bytes.
    pub(crate) bytes: u64,
    /// Entries, the folder itself included.
    pub(crate) entries: u64,
    /// Whether the walk got to its end.
    pub(crate) complete: bool,
}

/// Folders within folders: each costs an open file while the walk is in it.
const MAX_DEPTH: usize = 200;

/// Walks a folder without following links and without leaving its file system.
pub(crate) fn walk(root: OwnedFd, max_entries: u64, until: Instant) -> Tree {
    let mut tree = Tree { complete: true, ..Tree::default() };
    let Ok(stat) = fs::fstat(&root) else { return Tree::default() };
    let device = stat.st_dev;
    let mut seen = HashSet::new();
    tree.entries = 1;
    tree.bytes = stat.st_blocks as u64 * 512;
    let mut stack: Vec<(OwnedFd, Dir)> = Vec::new();
    match Dir::read_from(&root) {
        Ok(dir) => stack.push((root, dir)),
        Err(_) => return Tree { complete: false, ..tree },
    }
    while let Some((fd, dir)) = stack.last_mut() {
        let entry = match dir.next() {
            Some(Ok(entry)) => entry,
            // What can't be read, or went away meanwhile, is left out.
            Some(Err(_)) => {
                tree.complete = false;
                stack.pop();
                continue;
            }
            None => {
                stack.pop();
                continue;
            }
        };
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        if tree.entries >= max_entries || Instant::now() >= until {
            tree.complete = false;
            return tree;
        }
        let Ok(stat) = fs::statat(&*fd, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) else { continue };
        if stat.st_dev != device
            || (stat.st_nlink > 1 && !FileType::from_raw_mode(stat.st_mode).is_dir() && !seen.insert(stat.st_ino))
        {
            continue;
        }
        tree.entries += 1;
        tree.bytes += stat.st_blocks as u64 * 512;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = fs::openat(&*fd, name, flags, Mode::empty());
            match opened.ok().and_then(|sub| Dir::read_from(&sub).ok().map(|dir| (sub, dir))) {
                Some(below) if stack.len() < MAX_DEPTH => stack.push(below),
                _ => tree.complete = false,
            }
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_file_with_two_names_counts_once_and_links_are_not_followed() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join("sub"))?;
        std::fs::write(dir.path().join("sub/a"), vec![1; 100_000])?;
        std::fs::hard_link(dir.path().join("sub/a"), dir.path().join("b"))?;
        std::os::unix::fs::symlink("/", dir.path().join("root"))?;
        let open = || fs::open(dir.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let later = Instant::now() + Duration::from_secs(60);
        let tree = walk(open()?, 1_000, later);
        assert!(tree.complete && tree.entries == 4 && (98_304..400_000).contains(&tree.bytes), "{tree:?}");
        let cut = walk(open()?, 2, later);
        assert!(!cut.complete && cut.entries == 2, "{cut:?}");
        Ok(())
    }
}
