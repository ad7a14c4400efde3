//! Files mapped into memory, for reading.
#![allow(unsafe_code, reason = "mapping a file is a system call whose promise the compiler can't check")]

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// A file that is still appended to, mapped beyond its end: what has been written can be read without a system call.
#[derive(Debug)]
pub(crate) struct GrowingMap {
    map: memmap2::MmapRaw,
    /// Bytes from the beginning that are written and stay as they are.
    written: AtomicUsize,
}

impl GrowingMap {
    /// Maps `length` bytes of a file, of which the first `written` are there.
    pub(crate) fn open(file: &File, length: usize, written: usize) -> std::io::Result<GrowingMap> {
        let map = memmap2::MmapOptions::new().len(length).map_raw_read_only(file)?;
        Ok(GrowingMap { map, written: AtomicUsize::new(written.min(length)) })
    }

    /// Tells that the file now has this many bytes that will not change, be cut off, or be written over while this lives.
    pub(crate) fn grown_to(&self, written: usize) {
        self.written.store(written.min(self.map.len()), Ordering::Release);
    }

    /// The written bytes from an offset on.
    pub(crate) fn get(&self, from: usize) -> Option<&[u8]> {
        let length = self.written.load(Ordering::Acquire).checked_sub(from)?;
        // SAFETY: `from + length` is `written`, which lies in the mapping, and the mapping lives as long as `self`, from which the slice
        // borrows. The bytes were in the file before `written` said so, so their pages exist (no SIGBUS), and a shared mapping shows
        // what was written by `write`. Nothing changes them: the one writer appends behind them, and cuts off no more than what
        // it failed to append (`HeadChunks::put`). Bytes behind `written`, which do change, are in no slice.
        Some(unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(from), length) })
    }
}
