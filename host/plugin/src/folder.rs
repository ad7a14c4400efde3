//! Which files of the plugin folder came, changed and went.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a scan found since the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New files.
    pub added: Vec<PathBuf>,
    /// Files with another size or time.
    pub changed: Vec<PathBuf>,
    /// Files that are gone.
    pub removed: Vec<PathBuf>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Size and time: what tells a file from its next version without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    size: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// Watches the `.wasm` files of a folder by looking at it now and then: no inotify, which many mounts don't carry.
///
/// A file counts as there, or as changed, when two scans in a row saw it with the same size and time: one that is being copied is left alone.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    /// What was reported.
    known: BTreeMap<PathBuf, Print>,
    /// What the scan before saw.
    before: BTreeMap<PathBuf, Print>,
    /// Whether the first scan is over.
    begun: bool,
}

/// Files of one folder that are looked at: a folder with more is a mistake, and each costs a compile.
const MAX_FILES: usize = 1_000;

impl Folder {
    /// Watches this folder. It need not exist: then it is empty.
    pub fn new(dir: impl Into<PathBuf>) -> Folder {
        Folder { dir: dir.into(), known: BTreeMap::new(), before: BTreeMap::new(), begun: false }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Looks at the folder. The first scan reports all that is there at once: at the start nobody wants to wait for a second look.
    ///
    /// Errors: the folder can't be read; what was known stays known.
    pub fn scan(&mut self) -> io::Result<Changes> {
        let now = look(&self.dir)?;
        Ok(self.step(now))
    }

    fn step(&mut self, now: BTreeMap<PathBuf, Print>) -> Changes {
        let mut changes = Changes::default();
        for (path, print) in &now {
            let settled = !self.begun || self.before.get(path) == Some(print);
            match self.known.get(path) {
                Some(known) if known == print => {}
                _ if !settled => {}
                Some(_) => changes.changed.push(path.clone()),
                None => changes.added.push(path.clone()),
            }
        }
        for path in changes.added.iter().chain(&changes.changed) {
            if let Some(print) = now.get(path) {
                self.known.insert(path.clone(), *print);
            }
        }
        self.known.retain(|path, _| {
            let there = now.contains_key(path);
            if !there {
                changes.removed.push(path.clone());
            }
            there
        });
        self.before = now;
        self.begun = true;
        changes
    }
}

fn look(dir: &Path) -> io::Result<BTreeMap<PathBuf, Print>> {
    use std::os::unix::fs::MetadataExt;
    let mut found = BTreeMap::new();
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|n| n.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|e| e != "wasm") {
            continue;
        }
        // A file that went away between the listing and now is simply not there.
        if let Ok(meta) = std::fs::metadata(&path)
            && meta.is_file()
        {
            found.insert(path, Print { size: meta.len(), modified: meta.modified().ok(), inode: meta.ino() });
        }
        if found.len() > MAX_FILES {
            return Err(io::Error::other(format!("{}: more than {MAX_FILES} .wasm files", dir.display())));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf]) -> Vec<String> {
        paths.iter().filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned())).collect()
    }

    #[test]
    fn a_file_has_to_be_seen_twice_after_the_first_scan() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let mut folder = Folder::new(dir.path());
        std::fs::write(dir.path().join("a.wasm"), "1")?;
        std::fs::write(dir.path().join("readme.md"), "1")?;
        std::fs::write(dir.path().join(".b.wasm"), "1")?;
        assert_eq!(names(&folder.scan()?.added), ["a.wasm"]);
        assert!(folder.scan()?.is_empty());

        std::fs::write(dir.path().join("b.wasm"), "1")?;
        assert!(folder.scan()?.is_empty(), "seen once");
        std::fs::write(dir.path().join("b.wasm"), "12")?;
        assert!(folder.scan()?.is_empty(), "it still grows");
        assert_eq!(names(&folder.scan()?.added), ["b.wasm"]);

        std::fs::write(dir.path().join("a.wasm"), "123")?;
        assert!(folder.scan()?.is_empty());
        assert_eq!(names(&folder.scan()?.changed), ["a.wasm"]);
        std::fs::remove_file(dir.path().join("a.wasm"))?;
        assert_eq!(names(&folder.scan()?.removed), ["a.wasm"]);
        assert!(folder.scan()?.is_empty());
        Ok(())
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        assert!(Folder::new(dir.path().join("absent")).scan()?.is_empty());
        Ok(())
    }
}
