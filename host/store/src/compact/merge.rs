//! One block out of several.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use watchglass_model::{Labels, TimeMs, Value};

use crate::StoreError;
use crate::block::Part;
use crate::block::meta::{BlockMeta, Compaction, Parent};
use crate::block::open::Block;
use crate::block::tombstones;
use crate::block::write::BlockWriter;
use crate::codec::chunk::{Points, decode};
use crate::head::series::{ChunkCopy, ChunkRules, SeriesState};
use crate::select::in_order;

/// Puts the chunks of a series together, leaving out what is deleted or outside `min..max` (`max` excluded). Where nothing overlaps and nothing
/// is left out they are taken as they are; else they are decoded and written anew.
pub(crate) fn merge_chunks(
    parts: Vec<Part>,
    min: TimeMs,
    max: TimeMs,
    samples_per_chunk: u16,
) -> Result<Vec<ChunkCopy>, crate::codec::bytes::DecodeError> {
    let inside = |c: &ChunkCopy| c.min >= min && c.max < max;
    let untouched = parts.iter().all(|part| {
        let kept = |c: &ChunkCopy| !part.deleted.iter().any(|(from, to)| c.min <= *to && c.max >= *from);
        part.chunks.iter().all(|c| inside(c) && kept(c))
    });
    let mut order: Vec<&ChunkCopy> = parts.iter().flat_map(|p| &p.chunks).collect();
    order.sort_by_key(|c| c.min);
    if untouched && order.is_sorted_by(|a, b| a.max < b.min) {
        let mut chunks: Vec<ChunkCopy> = parts.into_iter().flat_map(|p| p.chunks).collect();
        chunks.sort_by_key(|c| c.min);
        return Ok(chunks);
    }
    let mut points = Points::default();
    for part in &parts {
        let mut own = Points::default();
        for chunk in &part.chunks {
            decode(chunk.encoding, &chunk.data, min, max.saturating_sub(1), &mut own)?;
        }
        tombstones::apply(&part.deleted, &mut own);
        points.floats.append(&mut own.floats);
        points.histograms.append(&mut own.histograms);
    }
    in_order(&mut points);
    Ok(encode(points, samples_per_chunk))
}

/// Chunks of points in order.
fn encode(points: Points, samples_per_chunk: u16) -> Vec<ChunkCopy> {
    let rules = ChunkRules { samples: samples_per_chunk, range: TimeMs::MAX };
    let mut state = SeriesState::default();
    let mut histograms = points.histograms.into_iter().peekable();
    for p in points.floats {
        while let Some(h) = histograms.next_if(|h| h.t < p.t) {
            state.push(h.t, &Value::Histogram(h.h), rules);
        }
        state.push(p.t, &Value::Float(p.v), rules);
    }
    for h in histograms {
        state.push(h.t, &Value::Histogram(h.h), rules);
    }
    state.copies_in_memory()
}

/// Walks a block's series in the order of their labels.
struct Walk<'a> {
    block: &'a Block,
    ids: std::vec::IntoIter<u32>,
    next: Option<(Labels, Part)>,
}

impl<'a> Walk<'a> {
    fn new(block: &'a Block) -> Result<Walk<'a>, StoreError> {
        let mut walk = Walk { block, ids: block.index.all()?.into_iter(), next: None };
        walk.step()?;
        Ok(walk)
    }

    fn step(&mut self) -> Result<(), StoreError> {
        self.next = match self.ids.next() {
            None => None,
            Some(id) => Some(self.block.whole_series(id)?),
        };
        Ok(())
    }
}

/// Writes one block with all that these have and that is not deleted. `None` where nothing is left.
pub(crate) fn merge(
    data_dir: &Path,
    blocks: &[Arc<Block>],
    samples_per_chunk: u16,
    now: TimeMs,
) -> Result<Option<(PathBuf, BlockMeta)>, StoreError> {
    let mut symbols: BTreeSet<Box<str>> = BTreeSet::new();
    for block in blocks {
        symbols.extend(block.index.symbols()?);
    }
    // Older formats keep the empty text among the symbols; no label needs it.
    symbols.remove("");
    let min = blocks.iter().map(|b| b.meta.min_time).min().unwrap_or(0);
    let max = blocks.iter().map(|b| b.meta.max_time).max().unwrap_or(0);
    let mut writer = BlockWriter::create(data_dir, now, symbols.into_iter().collect())?;
    let mut walks = blocks.iter().map(|b| Walk::new(b)).collect::<Result<Vec<_>, _>>()?;
    loop {
        let first = walks.iter().filter_map(|w| w.next.as_ref()).map(|(labels, _)| labels).min().cloned();
        let Some(labels) = first else { break };
        let mut parts = Vec::new();
        for walk in &mut walks {
            if let Some((_, part)) = walk.next.take_if(|(l, _)| *l == labels) {
                parts.push(part);
                walk.step()?;
            }
        }
        let chunks = merge_chunks(parts, min, max, samples_per_chunk).map_err(|e| StoreError::Corrupt {
            path: blocks.first().map_or_else(PathBuf::new, |b| b.dir.clone()),
            what: "chunk",
            offset: 0,
            reason: format!("of series {labels}: {e}"),
        })?;
        writer.push(&labels, &chunks)?;
    }
    writer.finish(min, max, lineage(blocks))
}

fn lineage(blocks: &[Arc<Block>]) -> Compaction {
    let sources: BTreeSet<&String> = blocks.iter().flat_map(|b| &b.meta.compaction.sources).collect();
    let parent =
        |b: &Arc<Block>| Parent { ulid: b.meta.ulid.clone(), min_time: b.meta.min_time, max_time: b.meta.max_time };
    Compaction {
        level: blocks.iter().map(|b| b.meta.compaction.level).max().unwrap_or(0).saturating_add(1),
        sources: sources.into_iter().cloned().collect(),
        parents: blocks.iter().map(parent).collect(),
        ..Compaction::default()
    }
}
