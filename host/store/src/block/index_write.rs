//! Writing a block's index, version 2.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use watchglass_model::Labels;

use super::ChunkRef;
use crate::StoreError;
use crate::codec::bytes::{crc, put_str, put_uvarint, put_varint};

pub(crate) const MAGIC: u32 = 0xBAAA_D700;

/// Writes an index. Series come sorted by labels, and all their texts are among the symbols that it was begun with.
pub(crate) struct IndexWriter {
    path: PathBuf,
    file: BufWriter<File>,
    at: u64,
    symbols: Vec<Box<str>>,
    series_start: u64,
    /// Series by label pair, named by symbols; `None` is the list of all.
    postings: HashMap<(u32, u32), Vec<u32>>,
    all: Vec<u32>,
    last: Option<Labels>,
}

impl IndexWriter {
    /// Begins an index with its symbols, sorted and each once.
    pub(crate) fn create(path: &Path, symbols: Vec<Box<str>>) -> Result<IndexWriter, StoreError> {
        let file = File::create_new(path).map_err(StoreError::io("create", path))?;
        let mut writer = IndexWriter {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            at: 0,
            symbols: Vec::new(),
            series_start: 0,
            postings: HashMap::new(),
            all: Vec::new(),
            last: None,
        };
        writer.write(&MAGIC.to_be_bytes())?;
        writer.write(&[2])?;
        let count = u32::try_from(symbols.len())
            .map_err(|_| StoreError::Limit { what: "index", reason: "more than 2^32 symbols".to_owned() })?;
        let mut section = count.to_be_bytes().to_vec();
        for symbol in &symbols {
            put_str(&mut section, symbol);
        }
        writer.section(&section)?;
        writer.symbols = symbols;
        writer.pad(16)?;
        writer.series_start = writer.at;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(StoreError::io("write to", &self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Length, content, checksum.
    fn section(&mut self, content: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(content.len())
            .map_err(|_| StoreError::Limit { what: "index", reason: "a section of more than 4 GiB".to_owned() })?;
        self.write(&length.to_be_bytes())?;
        self.write(content)?;
        self.write(&crc(content).to_be_bytes())
    }

    fn pad(&mut self, to: u64) -> Result<(), StoreError> {
        let over = (self.at % to) as usize;
        if over > 0 { self.write(&[0; 16][..to as usize - over]) } else { Ok(()) }
    }

    fn symbol(&self, text: &str) -> Result<u32, StoreError> {
        match self.symbols.binary_search_by(|s| (**s).cmp(text)) {
            Ok(at) => Ok(at as u32),
            Err(_) => Err(StoreError::Limit { what: "index", reason: format!("`{text}` is not among its symbols") }),
        }
    }

    /// Adds a series with its chunks by time.
    pub(crate) fn push(&mut self, labels: &Labels, chunks: &[ChunkRef]) -> Result<(), StoreError> {
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return Err(StoreError::Limit { what: "index", reason: format!("{labels} does not come in order") });
        }
        self.pad(16)?;
        let id = u32::try_from(self.at / 16)
            .map_err(|_| StoreError::Limit { what: "index", reason: "more than 64 GiB of series".to_owned() })?;
        let mut entry = Vec::with_capacity(64);
        put_uvarint(&mut entry, labels.len() as u64);
        for (name, value) in labels {
            let pair = (self.symbol(name)?, self.symbol(value)?);
            put_uvarint(&mut entry, u64::from(pair.0));
            put_uvarint(&mut entry, u64::from(pair.1));
            self.postings.entry(pair).or_default().push(id);
        }
        put_uvarint(&mut entry, chunks.len() as u64);
        let mut before: Option<&ChunkRef> = None;
        for chunk in chunks {
            match before {
                None => {
                    put_varint(&mut entry, chunk.min);
                    put_uvarint(&mut entry, chunk.max.wrapping_sub(chunk.min) as u64);
                    put_uvarint(&mut entry, chunk.reference);
                }
                Some(before) => {
                    put_uvarint(&mut entry, chunk.min.wrapping_sub(before.max) as u64);
                    put_uvarint(&mut entry, chunk.max.wrapping_sub(chunk.min) as u64);
                    put_varint(&mut entry, chunk.reference.wrapping_sub(before.reference) as i64);
                }
            }
            before = Some(chunk);
        }
        let mut head = Vec::with_capacity(10);
        put_uvarint(&mut head, entry.len() as u64);
        self.write(&head)?;
        self.write(&entry)?;
        self.write(&crc(&entry).to_be_bytes())?;
        self.all.push(id);
        self.last = Some(labels.clone());
        Ok(())
    }

    /// Writes postings and tables, and syncs.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        // Label indices are no longer read by anything; their table says that there are none.
        self.pad(4)?;
        let label_indices = self.at;
        let postings_start = self.at;
        let all = std::mem::take(&mut self.all);
        let mut lists: Vec<((u32, u32), Vec<u32>)> = std::mem::take(&mut self.postings).into_iter().collect();
        lists.sort_unstable_by_key(|(pair, _)| *pair);
        let mut table = (lists.len() as u32 + 1).to_be_bytes().to_vec();
        let offset = self.postings_list(&all)?;
        table_entry(&mut table, "", "", offset);
        for ((name, value), ids) in &lists {
            let offset = self.postings_list(ids)?;
            let (name, value) = (&self.symbols[*name as usize], &self.symbols[*value as usize]);
            table_entry(&mut table, name, value, offset);
        }
        let label_table = self.at;
        self.section(&0u32.to_be_bytes())?;
        let postings_table = self.at;
        self.section(&table)?;
        let mut toc = Vec::with_capacity(48);
        // Symbols lie right behind magic and version.
        for offset in [5, self.series_start, label_indices, label_table, postings_start, postings_table] {
            toc.extend_from_slice(&offset.to_be_bytes());
        }
        self.write(&toc)?;
        self.write(&crc(&toc).to_be_bytes())?;
        let path = self.path;
        let file = self.file.into_inner().map_err(|e| StoreError::io("write to", &path)(e.into_error()))?;
        file.sync_all().map_err(StoreError::io("sync", &path))
    }

    fn postings_list(&mut self, ids: &[u32]) -> Result<u64, StoreError> {
        self.pad(4)?;
        let offset = self.at;
        let mut list = Vec::with_capacity(4 * ids.len() + 4);
        list.extend_from_slice(&(ids.len() as u32).to_be_bytes());
        for id in ids {
            list.extend_from_slice(&id.to_be_bytes());
        }
        self.section(&list)?;
        Ok(offset)
    }
}

fn table_entry(table: &mut Vec<u8>, name: &str, value: &str, offset: u64) {
    table.push(2);
    put_str(table, name);
    put_str(table, value);
    put_uvarint(table, offset);
}
