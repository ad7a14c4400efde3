//! An open block.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use watchglass_model::{Labels, Matcher, TimeMs};

use super::chunks::ChunkReader;
use super::index_read::IndexReader;
use super::meta::{self, BlockMeta};
use super::tombstones::{self, Tombstones};
use super::{ChunkRef, Part};
use crate::codec::chunk::{Points, decode};
use crate::head::series::ChunkCopy;
use crate::{BlockInfo, StoreError, files};

/// A block, open for reading. Its files stay readable when they are deleted meanwhile.
pub(crate) struct Block {
    pub(crate) dir: PathBuf,
    pub(crate) meta: BlockMeta,
    pub(crate) index: IndexReader,
    chunks: ChunkReader,
    tombstones: RwLock<Arc<Tombstones>>,
    /// Bytes on disk.
    pub(crate) bytes: u64,
}

/// A series that was selected, with its chunks in the range.
pub(crate) struct BlockSeries {
    pub(crate) labels: Labels,
    id: u32,
    chunks: Vec<ChunkRef>,
}

impl Block {
    /// Opens the block in a folder.
    pub(crate) fn open(dir: &Path) -> Result<Block, StoreError> {
        Ok(Block {
            meta: meta::read(dir)?,
            index: IndexReader::open(&dir.join("index"))?,
            chunks: ChunkReader::open(&dir.join("chunks"))?,
            tombstones: RwLock::new(Arc::new(Tombstones::read(dir)?)),
            bytes: files::dir_bytes(dir),
            dir: dir.to_owned(),
        })
    }

    /// Its folder's name.
    pub(crate) fn ulid(&self) -> &str {
        &self.meta.ulid
    }

    /// Whether it may have samples between two times (both included).
    pub(crate) fn overlaps(&self, start: TimeMs, end: TimeMs) -> bool {
        self.meta.min_time <= end && self.meta.max_time > start
    }

    pub(crate) fn tombstones(&self) -> Arc<Tombstones> {
        self.tombstones.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The series that all matchers let through and that have chunks in the range, by labels.
    pub(crate) fn select(
        &self,
        matchers: &[Matcher],
        start: TimeMs,
        end: TimeMs,
    ) -> Result<Vec<BlockSeries>, StoreError> {
        let ids = self.index.select(matchers)?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let series = self.index.series(id)?;
            let mut chunks = series.chunks;
            chunks.retain(|c| c.min <= end && c.max >= start);
            if !chunks.is_empty() {
                found.push(BlockSeries { labels: series.labels, id, chunks });
            }
        }
        Ok(found)
    }

    /// Appends a selected series' points between two times (both included), without what was deleted.
    pub(crate) fn read(
        &self,
        series: &BlockSeries,
        start: TimeMs,
        end: TimeMs,
        points: &mut Points,
    ) -> Result<(), StoreError> {
        let tombstones = self.tombstones();
        let deleted = tombstones.of(u64::from(series.id));
        if deleted.is_empty() {
            return self.read_chunks(series, start, end, points);
        }
        let mut own = Points::default();
        self.read_chunks(series, start, end, &mut own)?;
        tombstones::apply(deleted, &mut own);
        points.floats.append(&mut own.floats);
        points.histograms.append(&mut own.histograms);
        Ok(())
    }

    fn read_chunks(
        &self,
        series: &BlockSeries,
        start: TimeMs,
        end: TimeMs,
        points: &mut Points,
    ) -> Result<(), StoreError> {
        for chunk in &series.chunks {
            let (encoding, data) = self.chunks.get(chunk.reference)?;
            decode(encoding, data, start, end, points).map_err(|e| self.corrupt_chunk(chunk, &e.to_string()))?;
        }
        Ok(())
    }

    fn corrupt_chunk(&self, chunk: &ChunkRef, reason: &str) -> StoreError {
        StoreError::Corrupt {
            path: self.dir.join("chunks"),
            what: "chunk",
            offset: chunk.reference & 0xffff_ffff,
            reason: reason.to_owned(),
        }
    }

    /// A series by its number: labels, chunks with their data, and what of it is deleted.
    pub(crate) fn whole_series(&self, id: u32) -> Result<(Labels, Part), StoreError> {
        let series = self.index.series(id)?;
        let mut copies = Vec::with_capacity(series.chunks.len());
        for chunk in &series.chunks {
            let (encoding, data) = self.chunks.get(chunk.reference)?;
            copies.push(ChunkCopy { min: chunk.min, max: chunk.max, encoding, data: data.to_vec() });
        }
        Ok((series.labels, Part { chunks: copies, deleted: self.tombstones().of(u64::from(id)).to_vec() }))
    }

    /// Marks ranges of some series as deleted. They are left out from now on, and leave the disk with the next compaction.
    pub(crate) fn delete(&self, matchers: &[Matcher], start: TimeMs, end: TimeMs) -> Result<u64, StoreError> {
        let found = self.select(matchers, start, end)?;
        let mut current = self.tombstones.write().unwrap_or_else(PoisonError::into_inner);
        let mut tombstones = (**current).clone();
        for series in &found {
            let first = series.chunks.first().map_or(start, |c| c.min);
            let last = series.chunks.iter().map(|c| c.max).max().unwrap_or(end);
            tombstones.add(u64::from(series.id), start.max(first), end.min(last));
        }
        if !found.is_empty() {
            tombstones.write(&self.dir)?;
            let mut meta = meta::read(&self.dir)?;
            meta.stats.num_tombstones = tombstones.count();
            meta::write(&self.dir, &meta)?;
            *current = Arc::new(tombstones);
        }
        Ok(found.len() as u64)
    }

    /// What lists show of it.
    pub(crate) fn info(&self) -> BlockInfo {
        BlockInfo {
            ulid: self.meta.ulid.clone(),
            min_time: self.meta.min_time,
            max_time: self.meta.max_time,
            samples: self.meta.stats.num_samples,
            series: self.meta.stats.num_series,
            chunks: self.meta.stats.num_chunks,
            tombstones: self.tombstones().count(),
            level: self.meta.compaction.level,
            bytes: self.bytes,
        }
    }
}

/// What a data directory's blocks came to.
#[derive(Default)]
pub(crate) struct Opened {
    /// By time.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// Folder and reason.
    pub(crate) failed: Vec<(String, String)>,
}

const UNFINISHED: [&str; 2] = [".tmp-for-creation", ".tmp-for-deletion"];

/// Opens all blocks of a data directory. Removes what was not finished, and blocks that another has replaced.
pub(crate) fn open_all(data_dir: &Path) -> Result<Opened, StoreError> {
    let mut out = Opened::default();
    for entry in fs::read_dir(data_dir).map_err(StoreError::io("list", data_dir))? {
        let entry = entry.map_err(StoreError::io("list", data_dir))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if UNFINISHED.iter().any(|suffix| name.strip_suffix(suffix).is_some_and(is_ulid)) {
            files::remove_dir(&entry.path())?;
        } else if is_ulid(name) {
            match Block::open(&entry.path()) {
                Ok(block) => out.blocks.push(Arc::new(block)),
                Err(e) => out.failed.push((name.to_owned(), e.to_string())),
            }
        }
    }
    let replaced: Vec<String> =
        out.blocks.iter().flat_map(|b| &b.meta.compaction.parents).map(|p| p.ulid.clone()).collect();
    for block in out.blocks.extract_if(.., |b| b.meta.compaction.deletable || replaced.iter().any(|r| r == b.ulid())) {
        remove(&block.dir)?;
    }
    sort(&mut out.blocks);
    Ok(out)
}

/// Blocks by time.
pub(crate) fn sort(blocks: &mut [Arc<Block>]) {
    blocks.sort_by(|a, b| {
        (a.meta.min_time, a.meta.max_time, a.ulid()).cmp(&(b.meta.min_time, b.meta.max_time, b.ulid()))
    });
}

fn is_ulid(name: &str) -> bool {
    ulid::Ulid::from_string(name).is_ok()
}

/// Deletes a block's folder: first out of sight under another name, so that a kill in between leaves no half block.
pub(crate) fn remove(dir: &Path) -> Result<(), StoreError> {
    let name = dir.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let gone = dir.with_file_name(format!("{name}{}", UNFINISHED[1]));
    files::remove_dir(&gone)?;
    files::rename(dir, &gone)?;
    files::remove_dir(&gone)
}
