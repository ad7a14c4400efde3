//! chunks/NNNNNN: the chunks of a block, one behind the other.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::codec::bytes::{Reader, put_uvarint};
use crate::codec::chunk::Encoding;
use crate::files;
use crate::mmap::Mapped;

const MAGIC: u32 = 0x85BD_40DD;
const HEADER: [u8; 8] = [0x85, 0xBD, 0x40, 0xDD, 1, 0, 0, 0];
/// Size at which the next file is begun.
const FILE_BYTES: u64 = 512 << 20;

fn path(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("{:06}", index + 1))
}

/// Writes a block's chunks.
pub(crate) struct ChunkWriter {
    dir: PathBuf,
    /// The open file, and its number from 0.
    file: Option<(BufWriter<File>, usize)>,
    files: usize,
    at: u64,
    buffer: Vec<u8>,
}

impl ChunkWriter {
    /// Into a folder that is made here.
    pub(crate) fn create(dir: &Path) -> Result<ChunkWriter, StoreError> {
        files::create_dir(dir)?;
        Ok(ChunkWriter { dir: dir.to_owned(), file: None, files: 0, at: 0, buffer: Vec::new() })
    }

    /// Writes a chunk and gives its reference.
    pub(crate) fn push(&mut self, encoding: Encoding, data: &[u8]) -> Result<u64, StoreError> {
        self.buffer.clear();
        put_uvarint(&mut self.buffer, data.len() as u64);
        self.buffer.push(encoding.0);
        self.buffer.extend_from_slice(data);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&[encoding.0]), data);
        self.buffer.extend_from_slice(&crc.to_be_bytes());
        if self.file.is_none() || self.at + self.buffer.len() as u64 > FILE_BYTES {
            self.finish_file()?;
            let path = path(&self.dir, self.files);
            let file = File::create_new(&path).map_err(StoreError::io("create", &path))?;
            let mut file = BufWriter::with_capacity(1 << 20, file);
            file.write_all(&HEADER).map_err(StoreError::io("write to", &path))?;
            self.file = Some((file, self.files));
            self.files += 1;
            self.at = HEADER.len() as u64;
        }
        let Some((file, index)) = &mut self.file else { return Err(StoreError::Closed) };
        file.write_all(&self.buffer).map_err(StoreError::io("write to", &path(&self.dir, *index)))?;
        let reference = (*index as u64) << 32 | self.at;
        self.at += self.buffer.len() as u64;
        Ok(reference)
    }

    fn finish_file(&mut self) -> Result<(), StoreError> {
        let Some((file, index)) = self.file.take() else { return Ok(()) };
        let path = path(&self.dir, index);
        let file = file.into_inner().map_err(|e| StoreError::io("write to", &path)(e.into_error()))?;
        file.sync_all().map_err(StoreError::io("sync", &path))
    }

    /// Writes out and syncs everything.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        self.finish_file()?;
        files::sync_dir(&self.dir)
    }
}

/// A block's chunks, for reading.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    files: Vec<(PathBuf, Mapped)>,
}

impl ChunkReader {
    /// Opens all files of a `chunks` folder. A block without samples may have none.
    pub(crate) fn open(dir: &Path) -> Result<ChunkReader, StoreError> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
            let entry = entry.map_err(StoreError::io("list", dir))?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let map = Mapped::open(&path)?;
            let mut head = Reader::new(&map);
            if head.u32() != Ok(MAGIC) || head.u8() != Ok(1) {
                let reason = "the file does not begin with 85bd40dd and version 1".to_owned();
                return Err(StoreError::Corrupt { path, what: "chunk file", offset: 0, reason });
            }
            files.push((path, map));
        }
        Ok(ChunkReader { files })
    }

    /// The chunk with this reference, its checksum verified.
    pub(crate) fn get(&self, reference: u64) -> Result<(Encoding, &[u8]), StoreError> {
        let offset = reference & 0xffff_ffff;
        let index = (reference >> 32) as usize;
        let Some((path, map)) = self.files.get(index) else {
            return Err(StoreError::Corrupt {
                path: self.files.first().map_or_else(PathBuf::new, |f| f.0.clone()),
                what: "chunk reference",
                offset,
                reason: format!("it names file {index}, the block has {}", self.files.len()),
            });
        };
        let corrupt = |reason: String| StoreError::Corrupt { path: path.clone(), what: "chunk", offset, reason };
        let bytes = map.get(offset as usize..).ok_or_else(|| corrupt("beyond the end of the file".to_owned()))?;
        let mut from = Reader::new(bytes);
        let body = from.count(1).and_then(|n| from.bytes(n + 1)).map_err(|e| corrupt(e.to_string()))?;
        let stored = from.u32().map_err(|e| corrupt(e.to_string()))?;
        let crc = crc32c::crc32c(body);
        if crc != stored {
            return Err(corrupt(format!("checksum {crc:08x} differs from the stored {stored:08x}")));
        }
        match body.split_first() {
            Some((&encoding, data)) => Ok((Encoding(encoding), data)),
            None => Err(corrupt("no encoding".to_owned())),
        }
    }
}
