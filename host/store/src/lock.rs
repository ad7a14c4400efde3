//! The lock file of a data directory, the one that Prometheus takes as well: `lock`, held by flock(2) and removed at a clean stop.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::StoreError;

/// A held lock.
pub(crate) struct DirLock {
    path: PathBuf,
    /// Held open: the lock goes with it.
    _file: File,
    /// Whether no lock file of an earlier process was left behind.
    pub(crate) clean_start: bool,
}

impl DirLock {
    /// Takes the lock, without waiting.
    pub(crate) fn take(dir: &Path) -> Result<DirLock, StoreError> {
        let path = dir.join("lock");
        let clean_start = !path.exists();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StoreError::io("create", &path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => StoreError::Locked { path: dir.to_owned() },
            _ => StoreError::io("lock", &path)(e.into()),
        })?;
        Ok(DirLock { path, _file: file, clean_start })
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // First the name, then (with the file) the lock: nobody can have taken it in between.
        let _ = fs::remove_file(&self.path);
    }
}
