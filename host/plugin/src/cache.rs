//! Compiled code on disk, by content.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// The folder with compiled code.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    /// What stands for the engine's version and configuration in file names: an update compiles anew instead of failing to load.
    engine: String,
    serial: AtomicU64,
}

impl Cache {
    /// Opens or makes the folder. Errors: it is not ours alone.
    pub(crate) fn open(dir: &Path, engine: String) -> Result<Cache, String> {
        let fail = |what: &str, e: io::Error| format!("cache of compiled plugins, {}: {what}: {e}", dir.display());
        if let Err(e) = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir) {
            return Err(fail("can't be made", e));
        }
        // Not the link's target's owner, but the folder's own: a link that somebody else made is refused below.
        let meta = fs::symlink_metadata(dir).map_err(|e| fail("can't be looked at", e))?;
        let me = rustix::process::geteuid().as_raw();
        if !meta.is_dir() || meta.uid() != me {
            return Err(format!(
                "cache of compiled plugins, {}: is no folder of user {me}'s (owner: {})\n  hint: name a folder of its own; machine code is loaded from it",
                dir.display(),
                meta.uid()
            ));
        }
        if meta.mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
                .map_err(|e| fail("can't be made private", e))?;
        }
        Ok(Cache { dir: dir.into(), engine, serial: AtomicU64::new(0) })
    }

    /// Where the code of a component of this hash lies or will lie.
    pub(crate) fn path(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{hash}-{}.cwasm", self.engine))
    }

    /// A name for a file in the making.
    pub(crate) fn temporary(&self) -> PathBuf {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.dir.join(format!(".{}-{serial}.tmp", std::process::id()))
    }

    /// Puts a file that is made in its place.
    pub(crate) fn keep(&self, temporary: &Path, hash: &str) -> io::Result<PathBuf> {
        fs::set_permissions(temporary, fs::Permissions::from_mode(0o600))?;
        let path = self.path(hash);
        fs::rename(temporary, &path)?;
        Ok(path)
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_made_private() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a/b");
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Cache::open(&path, "e".into())?;
        assert_eq!(fs::metadata(&path)?.mode() & 0o777, 0o700);
        std::os::unix::fs::symlink(&path, dir.path().join("link"))?;
        let refused = Cache::open(&dir.path().join("link"), "e".into()).map(|_| ());
        assert!(refused.is_err_and(|e| e.contains("is no folder of user")));
        Ok(())
    }
}
