//! Files mapped into memory, for reading.
#![allow(unsafe_code, reason = "mapping a file is a system call whose promise the compiler can't check")]

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use crate::StoreError;

/// A file's bytes, read from disk as they are looked at.
#[derive(Debug)]
pub(crate) struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a whole file.
    pub(crate) fn open(path: &Path) -> Result<Mapped, StoreError> {
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        // SAFETY: a mapping must not change or shrink while it is borrowed as a slice. Only block files (`index`, `chunks/*`) and
        // finished files of `chunks_head` are mapped. A block's are written under another name and never again after the rename that
        // makes them a block's; a head chunk file is mapped when it is full, or was there at the start, and never written to after
        // that (where the start has to cut one, its mapping is dropped first). Deleting a file leaves its mapping whole. The lock
        // file keeps every other process that honours Prometheus' rules out of the directory; who truncates a file by hand all
        // the same gets a SIGBUS, not wrong memory.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(StoreError::io("map", path))?;
        Ok(Mapped(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
