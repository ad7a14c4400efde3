//! Segments: files of 32 KiB pages, in which records lie as fragments that never cross a page.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::codec::bytes::crc;

/// Bytes of a page.
pub(crate) const PAGE: usize = 32 << 10;
/// Bytes before a fragment: type, length, checksum.
pub(crate) const FRAGMENT_HEADER: usize = 7;

/// The rest of the page is empty.
pub(crate) const PAGE_END: u8 = 0;
pub(crate) const FULL: u8 = 1;
pub(crate) const FIRST: u8 = 2;
pub(crate) const MIDDLE: u8 = 3;
pub(crate) const LAST: u8 = 4;
pub(crate) const TYPE_MASK: u8 = 0b0000_0111;
pub(crate) const SNAPPY: u8 = 0b0000_1000;
pub(crate) const ZSTD: u8 = 0b0001_0000;

/// The file of a segment.
pub(crate) fn path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{index:08}"))
}

/// The segments in a folder, in order. Other files are not looked at.
pub(crate) fn list(dir: &Path) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(e) => return Err(StoreError::io("list", dir)(e)),
    };
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", dir))?;
        let name = entry.file_name();
        let digits = name.to_str().filter(|n| n.len() >= 8 && n.bytes().all(|b| b.is_ascii_digit()));
        found.extend(digits.and_then(|n| n.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes records into segments.
pub(crate) struct SegmentWriter {
    dir: PathBuf,
    file: File,
    index: u64,
    /// Length of the file as far as whole batches go.
    length: u64,
    /// Framed but not yet handed to the kernel.
    pending: Vec<u8>,
    segment_bytes: u64,
    compress: Option<snap::raw::Encoder>,
    compressed: Vec<u8>,
    /// Bytes given to the kernel in all segments.
    pub(crate) bytes_written: u64,
    /// Segments finished and synced by this writer.
    pub(crate) fsyncs: u64,
}

impl SegmentWriter {
    /// Begins a new segment file.
    pub(crate) fn create(
        dir: &Path,
        index: u64,
        segment_bytes: u64,
        compress: bool,
    ) -> Result<SegmentWriter, StoreError> {
        let whole_pages = (segment_bytes / PAGE as u64).max(1) * PAGE as u64;
        Ok(SegmentWriter {
            dir: dir.to_owned(),
            file: create_file(dir, index)?,
            index,
            length: 0,
            pending: Vec::new(),
            segment_bytes: whole_pages,
            compress: compress.then(snap::raw::Encoder::new),
            compressed: Vec::new(),
            bytes_written: 0,
            fsyncs: 0,
        })
    }

    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// A handle of the current segment's file, for syncing it while others write.
    pub(crate) fn file(&self) -> Result<File, StoreError> {
        self.file.try_clone().map_err(StoreError::io("duplicate the handle of", &path(&self.dir, self.index)))
    }

    /// Frames a record. It reaches the kernel with [`SegmentWriter::commit`], or earlier where it needs a new segment.
    pub(crate) fn push(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let mut flags = 0;
        let mut compressed = std::mem::take(&mut self.compressed);
        let mut data = record;
        if let Some(encoder) = &mut self.compress {
            let most = snap::raw::max_compress_len(record.len());
            if most > 0 {
                compressed.resize(most.max(compressed.len()), 0);
                if let Ok(n) = encoder.compress(record, &mut compressed) {
                    // Prometheus does the same: what does not get shorter stays as it is.
                    if n < record.len() {
                        data = &compressed[..n];
                        flags = SNAPPY;
                    }
                }
            }
        }
        let result = self.frame(data, flags);
        self.compressed = compressed;
        result
    }

    fn frame(&mut self, mut data: &[u8], flags: u8) -> Result<(), StoreError> {
        let used = (self.length + self.pending.len() as u64) as usize % PAGE;
        if used > 0 && PAGE - used < FRAGMENT_HEADER {
            self.pad();
        }
        if data.len() as u64 > self.room() && self.length + self.pending.len() as u64 > 0 {
            self.next_segment()?;
        }
        let mut first = true;
        loop {
            let used = (self.length + self.pending.len() as u64) as usize % PAGE;
            let room = PAGE - used;
            if room < FRAGMENT_HEADER {
                self.pad();
                continue;
            }
            let take = data.len().min(room - FRAGMENT_HEADER);
            let (part, rest) = data.split_at(take);
            let kind = match (first, rest.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, true) => LAST,
                (false, false) => MIDDLE,
            };
            self.pending.push(kind | flags);
            self.pending.extend_from_slice(&(take as u16).to_be_bytes());
            self.pending.extend_from_slice(&crc(part).to_be_bytes());
            self.pending.extend_from_slice(part);
            (data, first) = (rest, false);
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Bytes of record data that still fit this segment.
    fn room(&self) -> u64 {
        let at = self.length + self.pending.len() as u64;
        let in_page = (PAGE - at as usize % PAGE - FRAGMENT_HEADER.min(PAGE - at as usize % PAGE)) as u64;
        let pages = self.segment_bytes.saturating_sub(at - at % PAGE as u64 + PAGE as u64) / PAGE as u64;
        if at >= self.segment_bytes { 0 } else { in_page + pages * (PAGE - FRAGMENT_HEADER) as u64 }
    }

    /// Fills the page with zeros.
    fn pad(&mut self) {
        let used = (self.length + self.pending.len() as u64) as usize % PAGE;
        if used > 0 {
            self.pending.resize(self.pending.len() + PAGE - used, PAGE_END);
        }
    }

    /// Hands everything framed to the kernel. On failure nothing of it stays in the file.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.file.write_all(&self.pending) {
            self.rollback();
            return Err(StoreError::io("write to", &path(&self.dir, self.index))(e));
        }
        self.length += self.pending.len() as u64;
        self.bytes_written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Forgets what was framed since the last commit, and cuts off what of it has reached the file.
    pub(crate) fn rollback(&mut self) {
        self.pending.clear();
        if self.file.set_len(self.length).is_ok() {
            return;
        }
        // What lies behind the last commit can't be cut off: it stays as this segment's torn end, and the next batch goes elsewhere.
        if let Ok(file) = create_file(&self.dir, self.index + 1) {
            (self.file, self.index, self.length) = (file, self.index + 1, 0);
        }
    }

    /// Finishes the current segment (padded and synced) and begins the next.
    pub(crate) fn next_segment(&mut self) -> Result<(), StoreError> {
        self.pad();
        self.commit()?;
        self.sync()?;
        self.file = create_file(&self.dir, self.index + 1)?;
        self.index += 1;
        self.length = 0;
        Ok(())
    }

    /// Waits until the current segment is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.fsyncs += 1;
        self.file.sync_data().map_err(StoreError::io("sync", &path(&self.dir, self.index)))
    }

    /// Finishes the last segment.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        self.pad();
        self.commit()?;
        self.sync()
    }
}

fn create_file(dir: &Path, index: u64) -> Result<File, StoreError> {
    let path = path(dir, index);
    // Appending, so that after a failed write and its cut the next one begins at the end again.
    let file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(StoreError::io("create", &path))?;
    // So that the name survives a power loss too.
    crate::files::sync_dir(dir)?;
    Ok(file)
}
