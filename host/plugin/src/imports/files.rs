//! Files.

use std::time::Instant;

use rustix::fs::{FileType, StatVfsMountFlags};

use super::errors::{Error, of_io};
use crate::bindings::wit::files::{Entry, EntryKind, Host, Stat, Tree, Usage};
use crate::grant::Grants;
use crate::state::State;
use crate::sys::fs::{Opener, usage};
use crate::sys::tree;

/// Paths of one call.
const MAX_PATHS: usize = 65_536;

impl From<FileType> for EntryKind {
    fn from(kind: FileType) -> EntryKind {
        match kind {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        }
    }
}

/// Does file work on a thread where it may block, and counts what was denied.
async fn blocking<T: Send + 'static>(
    state: &mut State,
    work: impl FnOnce(&mut Opener<'_>) -> T + Send + 'static,
) -> Result<T, Error> {
    // A mount that hangs holds its thread for ever: no collector takes more than its share of them.
    let permit = state.shared.file_threads.clone().acquire_owned().await;
    let permit = permit.map_err(|_| Error::Other("the host is ending".into()))?;
    let grants = state.shared.grants.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&mut Opener::new(&grants))
    });
    done.await.map_err(|e| Error::Other(format!("reading files: {e}")))
}

/// Counts a denial.
fn noted<T>(state: &mut State, result: Result<T, Error>) -> Result<T, Error> {
    if matches!(result, Err(Error::Denied(_))) {
        state.denied = state.denied.saturating_add(1);
    }
    result
}

impl State {
    /// Bytes that imports may still give in this call.
    pub(super) fn room(&self) -> usize {
        (self.shared.limits.hostcall_bytes as u64).saturating_sub(self.given) as usize
    }

    async fn read_file(&mut self, path: String, max: u32) -> Result<Vec<u8>, Error> {
        let max = (max as usize).min(self.room());
        let read = blocking(self, move |o| o.read(&path, max)).await.and_then(|r| r);
        let read = noted(self, read)?;
        self.given += read.len() as u64;
        Ok(read)
    }
}

impl Host for State {
    async fn read(&mut self, path: String, max: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(self.read_file(path, max).await)
    }

    async fn read_text(&mut self, path: String, max: u32) -> wasmtime::Result<Result<String, Error>> {
        Ok(self.read_file(path, max).await.map(text_of))
    }

    async fn read_many(&mut self, paths: Vec<String>, max: u32) -> wasmtime::Result<Vec<Result<Vec<u8>, Error>>> {
        let count = paths.len();
        if count > MAX_PATHS {
            return Ok(vec![Err(Error::TooLarge(format!("more than {MAX_PATHS} paths")))]);
        }
        let mut room = self.room();
        let read = blocking(self, move |o| {
            let one = |path: &String| {
                let read = o.read(path, (max as usize).min(room))?;
                room -= read.len();
                Ok(read)
            };
            paths.iter().map(one).collect::<Vec<_>>()
        });
        let read = match read.await {
            Ok(read) => read,
            Err(e) => (0..count).map(|_| Err(e.clone())).collect(),
        };
        for one in &read {
            match one {
                Ok(bytes) => self.given += bytes.len() as u64,
                Err(Error::Denied(_)) => self.denied = self.denied.saturating_add(1),
                Err(_) => {}
            }
        }
        Ok(read)
    }

    async fn list_dir(&mut self, path: String) -> wasmtime::Result<Result<Vec<Entry>, Error>> {
        let listed = blocking(self, move |o| o.list(&path)).await.and_then(|r| r);
        Ok(noted(self, listed).map(entries))
    }

    async fn list_many(&mut self, paths: Vec<String>) -> wasmtime::Result<Vec<Result<Vec<Entry>, Error>>> {
        let count = paths.len();
        if count > MAX_PATHS {
            return Ok(vec![Err(Error::TooLarge(format!("more than {MAX_PATHS} paths")))]);
        }
        let listed = blocking(self, move |o| paths.iter().map(|p| o.list(p).map(entries)).collect::<Vec<_>>()).await;
        let listed: Vec<_> = match listed {
            Ok(listed) => listed,
            Err(e) => (0..count).map(|_| Err(e.clone())).collect(),
        };
        let denied = listed.iter().filter(|l| matches!(l, Err(Error::Denied(_)))).count();
        self.denied = self.denied.saturating_add(denied as u32);
        Ok(listed)
    }

    async fn read_link(&mut self, path: String) -> wasmtime::Result<Result<String, Error>> {
        let read = blocking(self, move |o| o.read_link(&path)).await.and_then(|r| r);
        Ok(noted(self, read))
    }

    async fn metadata(&mut self, path: String) -> wasmtime::Result<Result<Stat, Error>> {
        let read = blocking(self, move |o| o.metadata(&path)).await.and_then(|r| r);
        Ok(noted(self, read).map(|m| Stat {
            kind: m.kind.into(),
            size: m.size,
            modified: m.modified_ms,
            mode: m.mode,
            uid: m.uid,
            gid: m.gid,
        }))
    }

    async fn disk_usage(&mut self, mount: String, timeout_ms: u32) -> wasmtime::Result<Result<Usage, Error>> {
        // Allowed on every mount, or only within the granted files: the latter is decided on the thread, since looking at a mount may hang.
        let everywhere = self.shared.grants.system("disk-usage").is_ok();
        let grants = if everywhere { every_file() } else { self.shared.grants.clone() };
        let (mounts, path, timeout) = (self.shared.mounts.clone(), mount.clone(), self.time(timeout_ms));
        let asked = mounts.ask(&mount, timeout, move || {
            let fd = Opener::new(&grants).anything(&path)?;
            usage(&fd).map_err(|e| of_io(&path, &e))
        });
        let asked = match asked.await {
            Err(Error::Denied(_)) => Err(Error::Denied(format!("no grant \"system:disk-usage\" or \"files:{mount}\""))),
            other => other,
        };
        Ok(noted(self, asked).map(|v| {
            let unit = if v.f_frsize > 0 { v.f_frsize } else { v.f_bsize };
            Usage {
                size: v.f_blocks.saturating_mul(unit),
                free: v.f_bfree.saturating_mul(unit),
                available: v.f_bavail.saturating_mul(unit),
                files: v.f_files,
                files_free: v.f_ffree,
                read_only: v.f_flag.contains(StatVfsMountFlags::RDONLY),
            }
        }))
    }

    async fn tree_usage(
        &mut self,
        path: String,
        after: Vec<u8>,
        max_entries: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Tree, Error>> {
        let until = Instant::now() + self.time(timeout_ms);
        let walked =
            blocking(self, move |o| Ok(tree::walk(o.directory(&path)?, &after, u64::from(max_entries), until)));
        let walked = walked.await.and_then(|r| r);
        Ok(noted(self, walked).map(|t| Tree { bytes: t.bytes, entries: t.entries, complete: t.complete, next: t.next }))
    }
}

/// For a function that its own grant allows on every file.
fn every_file() -> std::sync::Arc<Grants> {
    std::sync::Arc::new(Grants::new(vec![crate::grant::Grant::Files("/".into())]))
}

fn entries(listed: Vec<(String, FileType)>) -> Vec<Entry> {
    listed.into_iter().map(|(name, kind)| Entry { name, kind: kind.into() }).collect()
}

/// Bytes as text; those that are no UTF-8 become U+FFFD.
pub(super) fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}
