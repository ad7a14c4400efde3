//! Which blocks are to be deleted.

use std::sync::Arc;

use watchglass_model::TimeMs;

use crate::block::open::Block;

/// Blocks that lie wholly further back than the retention from the newest block's end, as in Prometheus: a store that gets no more data
/// keeps what it has.
pub(crate) fn too_old(blocks: &[Arc<Block>], retention: TimeMs) -> Vec<Arc<Block>> {
    let Some(newest) = blocks.iter().map(|b| b.meta.max_time).max() else { return Vec::new() };
    if retention <= 0 {
        return Vec::new();
    }
    blocks.iter().filter(|b| newest.saturating_sub(b.meta.max_time) >= retention).cloned().collect()
}

/// The oldest blocks, as many as it takes to get below a number of bytes; `others` is what log and head take.
pub(crate) fn too_many(blocks: &[Arc<Block>], others: u64, limit: u64) -> Vec<Arc<Block>> {
    if limit == 0 {
        return Vec::new();
    }
    let mut newest_first: Vec<&Arc<Block>> = blocks.iter().collect();
    newest_first.sort_by_key(|b| std::cmp::Reverse((b.meta.max_time, b.meta.min_time)));
    let mut total = others;
    let mut out = Vec::new();
    for block in newest_first {
        total = total.saturating_add(block.bytes);
        if total > limit {
            out.push(block.clone());
        }
    }
    out
}
