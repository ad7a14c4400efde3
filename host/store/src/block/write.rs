//! Making a block.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use watchglass_model::{Labels, TimeMs};

use super::ChunkRef;
use super::chunks::ChunkWriter;
use super::index_write::IndexWriter;
use super::meta::{self, BlockMeta, BlockStats, Compaction};
use super::tombstones::Tombstones;
use crate::codec::chunk::sample_count;
use crate::head::series::ChunkCopy;
use crate::{StoreError, files};

/// Writes a block under a name that nobody takes for one, and renames it when it is whole. Dropped before that, it leaves nothing.
pub(crate) struct BlockWriter {
    dir: PathBuf,
    unfinished: PathBuf,
    ulid: String,
    chunks: Option<ChunkWriter>,
    index: Option<IndexWriter>,
    stats: BlockStats,
}

/// A new block's name.
fn new_ulid(now: TimeMs) -> String {
    let random = |salt: u64| u128::from(RandomState::new().hash_one((now, salt)));
    ulid::Ulid::from_parts(now.max(0) as u64, random(1) << 64 | random(2)).to_string()
}

impl BlockWriter {
    /// Begins a block in a data directory. `symbols`: all label names and values of its series, sorted, each once.
    pub(crate) fn create(data_dir: &Path, now: TimeMs, symbols: Vec<Box<str>>) -> Result<BlockWriter, StoreError> {
        let ulid = new_ulid(now);
        let unfinished = data_dir.join(format!("{ulid}.tmp-for-creation"));
        files::create_dir(&unfinished)?;
        Ok(BlockWriter {
            dir: data_dir.join(&ulid),
            chunks: Some(ChunkWriter::create(&unfinished.join("chunks"))?),
            index: Some(IndexWriter::create(&unfinished.join("index"), symbols)?),
            unfinished,
            ulid,
            stats: BlockStats::default(),
        })
    }

    /// Adds a series; they come sorted by labels, each once, with its chunks by time. One without chunks is left out.
    pub(crate) fn push(&mut self, labels: &Labels, chunks: &[ChunkCopy]) -> Result<(), StoreError> {
        let (Some(file), Some(index)) = (&mut self.chunks, &mut self.index) else { return Err(StoreError::Closed) };
        if chunks.is_empty() {
            return Ok(());
        }
        let mut refs = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let reference = file.push(chunk.encoding, &chunk.data)?;
            refs.push(ChunkRef { min: chunk.min, max: chunk.max, reference });
            let samples = u64::from(sample_count(&chunk.data));
            self.stats.num_samples += samples;
            if chunk.encoding.is_histogram() {
                self.stats.num_histogram_samples += samples;
            } else {
                self.stats.num_float_samples += samples;
            }
        }
        self.stats.num_chunks += chunks.len() as u64;
        self.stats.num_series += 1;
        index.push(labels, &refs)
    }

    /// Finishes the block for a span of time and gives its folder; `None`, and no block, where it has no samples.
    pub(crate) fn finish(
        mut self,
        min_time: TimeMs,
        max_time: TimeMs,
        mut compaction: Compaction,
    ) -> Result<Option<(PathBuf, BlockMeta)>, StoreError> {
        let (Some(chunks), Some(index)) = (self.chunks.take(), self.index.take()) else {
            return Err(StoreError::Closed);
        };
        if self.stats.num_samples == 0 {
            return Ok(None);
        }
        chunks.finish()?;
        index.finish()?;
        Tombstones::default().write(&self.unfinished)?;
        if compaction.sources.is_empty() {
            compaction.sources.push(self.ulid.clone());
        }
        let meta = BlockMeta { ulid: self.ulid.clone(), min_time, max_time, stats: self.stats, compaction, version: 1 };
        meta::write(&self.unfinished, &meta)?;
        files::rename(&self.unfinished, &self.dir)?;
        Ok(Some((self.dir.clone(), meta)))
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        // Where it was finished there is nothing under this name any more.
        let _ = files::remove_dir(&self.unfinished);
    }
}
