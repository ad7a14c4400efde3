//! Folders and names: what every part that writes files needs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Syncs a folder, so that names just made or renamed in it survive a power loss.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io("sync", dir))
}

/// Makes a folder and its parents.
pub(crate) fn create_dir(dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io("create", dir))
}

/// Removes a folder with all it holds; that there is none is fine.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", dir)(e)),
        _ => Ok(()),
    }
}

/// Renames and syncs the folder above.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io("rename", from))?;
    match to.parent() {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Bytes of all files in a folder and below. What vanishes meanwhile counts as nothing.
pub(crate) fn dir_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() => dir_bytes(&entry.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Copies a damaged file into `corrupt/` in the data directory, so that repairing it takes nothing away for good. Returns the copy.
pub(crate) fn set_aside(data_dir: &Path, file: &Path, kind: &str) -> Result<PathBuf, StoreError> {
    let folder = data_dir.join("corrupt");
    create_dir(&folder)?;
    let name = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut copy = folder.join(format!("{kind}-{name}"));
    let mut n = 1;
    while copy.exists() {
        n += 1;
        copy = folder.join(format!("{kind}-{name}.{n}"));
    }
    fs::copy(file, &copy).map_err(StoreError::io("set aside", file))?;
    Ok(copy)
}
