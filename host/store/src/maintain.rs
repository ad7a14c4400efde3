//! What a store does from time to time: cut, merge, delete.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use watchglass_model::TimeMs;

use crate::block::meta::BlockMeta;
use crate::block::open::{Block, remove, sort};
use crate::compact::{merge, plan, retention};
use crate::store::Store;
use crate::{Maintained, StoreError, files};

/// Blocks that one call cuts or merges at most, each: what is left waits for the next, so that a call ends in good time.
const MOST_STEPS: usize = 64;

impl Store {
    /// Whether [`Store::maintain`] would find something to cut now. Cheap: a daemon that gets samples faster than time passes asks after
    /// each batch, so that the head stays small.
    pub fn wants_maintenance(&self) -> bool {
        self.cut_is_due()
    }

    /// Does what is due: cuts blocks from the head, truncates it and the WAL, merges blocks, deletes what retention says. Call it every
    /// minute or so from a thread that may block; reads and appends go on meanwhile. What fails is told and tried again the next time.
    pub fn maintain(&self, now: TimeMs) -> Maintained {
        let mut out = Maintained::default();
        let _one_at_a_time = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        self.counters.compactions_triggered.add(1);
        if let Err(e) = self.wal.sync_if_due(now) {
            out.failures.push(e.to_string());
        }
        for _ in 0..MOST_STEPS {
            if !self.cut_is_due() {
                break;
            }
            let began = Instant::now();
            match self.cut(now) {
                Ok(Some(meta)) => {
                    self.counters.compactions.add(1);
                    out.cut.push((meta.ulid, meta.stats.num_series, meta.stats.num_samples));
                }
                Ok(None) => {}
                Err(e) => {
                    self.counters.head_truncations_failed.add(1);
                    out.failures.push(e.to_string());
                    break;
                }
            }
            self.counters.compaction_micros.add(began.elapsed().as_micros() as u64);
        }
        if let Err(e) = self.head.spill() {
            out.failures.push(e.to_string());
        }
        self.delete_old(&mut out);
        self.merge_due(now, &mut out);
        self.delete_old(&mut out);
        out
    }

    fn merge_due(&self, now: TimeMs, out: &mut Maintained) {
        let options = &self.options;
        let max = plan::max_range(options.min_block_ms, options.retention_ms, options.max_block_ms);
        let ranges = plan::ranges(options.min_block_ms, max);
        for _ in 0..MOST_STEPS {
            let blocks = self.block_list();
            let failed = self.failed_merges.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let metas: Vec<BlockMeta> = blocks
                .iter()
                .map(|b| {
                    let mut meta = b.meta.clone();
                    meta.stats.num_tombstones = b.tombstones().count();
                    meta.compaction.failed |= failed.contains(b.ulid());
                    meta
                })
                .collect();
            let chosen = plan::next(&metas.iter().collect::<Vec<_>>(), &ranges);
            let chosen: Vec<Arc<Block>> = chosen.into_iter().filter_map(|i| blocks.get(i).cloned()).collect();
            // Overlaps are chosen whatever happened before; without this a broken pair would be tried for ever.
            if chosen.is_empty() || chosen.iter().any(|b| failed.contains(b.ulid())) {
                break;
            }
            let began = Instant::now();
            match self.merge_blocks(&chosen, now) {
                Ok(new) => {
                    self.counters.compactions.add(1);
                    out.compacted.push((new, chosen.iter().map(|b| b.ulid().to_owned()).collect()));
                }
                Err(e) => {
                    self.counters.compactions_failed.add(1);
                    out.failures.push(format!("cannot merge blocks: {e}"));
                    let mut failed = self.failed_merges.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.extend(chosen.iter().map(|b| b.ulid().to_owned()));
                }
            }
            self.counters.compaction_micros.add(began.elapsed().as_micros() as u64);
        }
    }

    /// Merges blocks into one that replaces them. Returns its name, `None` where nothing was left of them.
    fn merge_blocks(&self, blocks: &[Arc<Block>], now: TimeMs) -> Result<Option<String>, StoreError> {
        let new = match merge::merge(&self.dir, blocks, self.head.rules.samples, now)? {
            None => Vec::new(),
            Some((dir, _)) => vec![Arc::new(Block::open(&dir)?)],
        };
        let name = new.first().map(|b| b.ulid().to_owned());
        self.publish(new, blocks);
        for block in blocks {
            remove(&block.dir)?;
        }
        Ok(name)
    }

    fn delete_old(&self, out: &mut Maintained) {
        let blocks = self.block_list();
        let too_old = retention::too_old(&blocks, self.options.retention_ms);
        self.delete_blocks(&too_old, out);
        self.counters.time_retentions.add(too_old.len() as u64);
        if self.options.retention_bytes > 0 {
            let blocks = self.block_list();
            let others = files::dir_bytes(self.wal.dir()) + files::dir_bytes(&self.dir.join("chunks_head"));
            let too_many = retention::too_many(&blocks, others, self.options.retention_bytes);
            self.delete_blocks(&too_many, out);
            self.counters.size_retentions.add(too_many.len() as u64);
        }
    }

    fn delete_blocks(&self, blocks: &[Arc<Block>], out: &mut Maintained) {
        self.publish(Vec::new(), blocks);
        for block in blocks {
            match remove(&block.dir) {
                Ok(()) => out.deleted.push(block.ulid().to_owned()),
                Err(e) => out.failures.push(e.to_string()),
            }
        }
    }

    /// Adds and takes away blocks in one step, as readers see it.
    pub(crate) fn publish(&self, new: Vec<Arc<Block>>, gone: &[Arc<Block>]) {
        if new.is_empty() && gone.is_empty() {
            return;
        }
        let mut list = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        let mut blocks: Vec<Arc<Block>> =
            list.iter().filter(|b| !gone.iter().any(|g| Arc::ptr_eq(b, g))).cloned().collect();
        blocks.extend(new);
        sort(&mut blocks);
        *list = Arc::new(blocks);
    }

    /// The blocks as they are now, by time.
    pub(crate) fn block_list(&self) -> Arc<Vec<Arc<Block>>> {
        self.blocks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
