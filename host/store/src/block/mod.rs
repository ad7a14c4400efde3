//! Blocks: samples of a span of time on disk, written once.
//!
//! `meta`, `chunks`, `index_read` / `index_write` and `tombstones` are the four kinds of file; `open` reads a block, `write` makes one.

pub(crate) mod chunks;
pub(crate) mod index_read;
pub(crate) mod index_write;
pub(crate) mod meta;
pub(crate) mod open;
pub(crate) mod tombstones;
pub(crate) mod write;

use watchglass_model::TimeMs;

use crate::head::series::ChunkCopy;

/// A chunk as the index names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    pub(crate) min: TimeMs,
    pub(crate) max: TimeMs,
    /// Number of its file from 0, and offset in it.
    pub(crate) reference: u64,
}

/// Chunks of one series from one place, with what of them is deleted.
pub(crate) struct Part {
    pub(crate) chunks: Vec<ChunkCopy>,
    pub(crate) deleted: Vec<(TimeMs, TimeMs)>,
}
