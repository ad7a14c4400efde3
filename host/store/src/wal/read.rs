//! Reading segments back, record by record, wherever they break off.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::segment::{FIRST, FRAGMENT_HEADER, FULL, LAST, MIDDLE, PAGE, PAGE_END, SNAPPY, TYPE_MASK, ZSTD};
use crate::StoreError;
use crate::codec::bytes::crc;

/// Why a segment can't be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Where the last whole record ends.
    pub(crate) good: u64,
    /// What was found behind it.
    pub(crate) reason: String,
    /// Whether it looks like a write that was cut off: nothing but zeros, or nothing at all, follows.
    pub(crate) torn: bool,
}

/// One look at a segment.
pub(crate) enum Next<'a> {
    /// A record, decompressed.
    Record(&'a [u8]),
    /// A record in a compression that is not known here.
    Unknown,
    /// The end of the segment.
    End,
    /// No way on.
    Broken(Broken),
}

/// Reads one segment's records.
pub(crate) struct SegmentReader {
    path: PathBuf,
    file: File,
    page: Box<[u8]>,
    /// Valid bytes of the page.
    filled: usize,
    /// Next byte of the page.
    at: usize,
    /// Where in the file the page begins.
    page_start: u64,
    good: u64,
    record: Vec<u8>,
    plain: Vec<u8>,
}

impl SegmentReader {
    pub(crate) fn open(path: &Path) -> Result<SegmentReader, StoreError> {
        Ok(SegmentReader {
            path: path.to_owned(),
            file: File::open(path).map_err(StoreError::io("open", path))?,
            page: vec![0; PAGE].into_boxed_slice(),
            filled: 0,
            at: 0,
            page_start: 0,
            good: 0,
            record: Vec::new(),
            plain: Vec::new(),
        })
    }

    /// Where the last whole record ends.
    pub(crate) fn good(&self) -> u64 {
        self.good
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        self.page_start += self.filled as u64;
        (self.filled, self.at) = (0, 0);
        while self.filled < PAGE {
            match self.file.read(&mut self.page[self.filled..]) {
                Ok(0) => break,
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(StoreError::io("read", &self.path)(e)),
            }
        }
        Ok(())
    }

    fn broken(&self, reason: &str, torn: bool) -> Next<'static> {
        Next::Broken(Broken { good: self.good, reason: reason.to_owned(), torn })
    }

    /// The next record. Fails only where the system can't read the file.
    pub(crate) fn next(&mut self) -> Result<Next<'_>, StoreError> {
        self.record.clear();
        let mut inside = false;
        let mut flags = 0;
        loop {
            if self.at == self.filled {
                if self.filled > 0 && self.filled < PAGE {
                    // A page that is not full is the last.
                    return Ok(if inside {
                        self.broken("a record without its last fragment", true)
                    } else {
                        Next::End
                    });
                }
                self.fill()?;
                if self.filled == 0 {
                    return Ok(if inside {
                        self.broken("a record without its last fragment", true)
                    } else {
                        Next::End
                    });
                }
            }
            let rest = &self.page[self.at..self.filled];
            let kind = rest[0] & TYPE_MASK;
            if rest[0] == PAGE_END {
                if rest.iter().any(|&b| b != 0) {
                    return Ok(self.broken("something other than zeros in the unused rest of a page", false));
                }
                self.at = self.filled;
                continue;
            }
            let last_page = self.filled < PAGE;
            let Some((header, data)) = rest.split_first_chunk::<FRAGMENT_HEADER>() else {
                return Ok(self.broken("a fragment's head that breaks off", last_page));
            };
            let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
            let checksum = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
            let Some(data) = data.get(..length) else {
                return Ok(self.broken("a fragment that breaks off", last_page));
            };
            if crc(data) != checksum {
                // A file system that had the length but not yet the data of the last write leaves zeros.
                let torn = last_page && self.at + FRAGMENT_HEADER + length == self.filled;
                return Ok(self.broken("a fragment whose checksum differs", torn));
            }
            let begins = kind == FULL || kind == FIRST;
            if kind > LAST || header[0] & !(TYPE_MASK | SNAPPY | ZSTD) != 0 {
                return Ok(self.broken("a fragment of unknown kind", false));
            }
            if begins == inside {
                return Ok(self.broken("a fragment out of sequence", false));
            }
            if begins {
                flags = header[0] & (SNAPPY | ZSTD);
            }
            self.record.extend_from_slice(data);
            self.at += FRAGMENT_HEADER + length;
            inside = kind == FIRST || kind == MIDDLE;
            if !inside {
                break;
            }
        }
        let end = self.page_start + self.at as u64;
        if flags == ZSTD {
            self.good = end;
            return Ok(Next::Unknown);
        }
        if flags == 0 {
            self.good = end;
            return Ok(Next::Record(&self.record));
        }
        if !decompress(&self.record, &mut self.plain) {
            return Ok(self.broken("a record that can't be decompressed", false));
        }
        self.good = end;
        Ok(Next::Record(&self.plain))
    }
}

/// Decompresses a snappy block, `false` where it is none.
fn decompress(data: &[u8], plain: &mut Vec<u8>) -> bool {
    let Ok(length) = snap::raw::decompress_len(data) else { return false };
    // Snappy's shortest copy takes 2 bytes and gives 11, its longest 3 for 64: a head that promises more lies, and gets no memory.
    if length > data.len().saturating_mul(22).saturating_add(64) {
        return false;
    }
    plain.resize(length, 0);
    snap::raw::Decoder::new().decompress(data, plain).is_ok()
}
