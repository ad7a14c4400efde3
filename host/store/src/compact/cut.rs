//! A block from the head's oldest samples.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use watchglass_model::TimeMs;

use super::merge::merge_chunks;
use crate::block::Part;
use crate::block::meta::{BlockMeta, Compaction};
use crate::block::open::Block;
use crate::block::write::BlockWriter;
use crate::head::series::MemSeries;
use crate::store::Store;
use crate::{StoreError, wal};

impl Store {
    /// Whether the head covers so much that its oldest range is to become a block: one and a half ranges, as in Prometheus.
    pub(crate) fn cut_is_due(&self) -> bool {
        let enough = self.head.rules.range.saturating_mul(3) / 2;
        self.head.time_range().is_some_and(|(min, max)| max.saturating_sub(min) > enough)
    }

    /// Cuts the head's oldest range into a block, then drops it from head and log. `None` where the range held no samples.
    pub(crate) fn cut(&self, now: TimeMs) -> Result<Option<BlockMeta>, StoreError> {
        let range = self.head.rules.range;
        let Some(min) = self.head.oldest_sample() else { return Ok(None) };
        let max = min.div_euclid(range).saturating_add(1).saturating_mul(range);
        self.cut_until(min, max, now)
    }

    /// Cuts what the head has before `max` into a block that begins at `min`.
    pub(crate) fn cut_until(&self, min: TimeMs, max: TimeMs, now: TimeMs) -> Result<Option<BlockMeta>, StoreError> {
        self.head.raise_floor(max);
        // Appends that began before saw an older floor. Once they are through, nothing below `max` comes any more.
        drop(self.appends.write().unwrap_or_else(PoisonError::into_inner));
        let written = self.write_head_block(min, max, now)?;
        let meta = match written {
            None => None,
            Some((dir, meta)) => {
                // Readers look into the head first and then take the list of blocks: published before the head forgets, nothing is ever in neither.
                self.publish(vec![Arc::new(Block::open(&dir)?)], &[]);
                Some(meta)
            }
        };
        let gone = self.head.truncate(max);
        self.counters.head_truncations.add(1);
        self.forget(gone);
        self.head.disk.truncate(max)?;
        if let Err(e) = self.checkpoint(max) {
            self.counters.checkpoint_creations_failed.add(1);
            return Err(e);
        }
        Ok(meta)
    }

    fn write_head_block(
        &self,
        min: TimeMs,
        max: TimeMs,
        now: TimeMs,
    ) -> Result<Option<(std::path::PathBuf, BlockMeta)>, StoreError> {
        let mut series: Vec<Arc<MemSeries>> = self.head.all();
        series.retain(|s| s.lock().overlaps(min, max - 1));
        series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        let mut symbols: BTreeSet<&str> = BTreeSet::new();
        for s in &series {
            symbols.extend(s.labels.iter().flat_map(|(name, value)| [name, value]));
        }
        let symbols = symbols.into_iter().map(Box::from).collect();
        let mut writer = BlockWriter::create(&self.dir, now, symbols)?;
        for s in &series {
            let merge = |chunks| {
                let deleted = self.head.deleted_of(s.reference);
                merge_chunks(vec![Part { chunks, deleted }], min, max, self.head.rules.samples)
            };
            let chunks = s.lock().copies(min, max - 1, &self.head.disk);
            let chunks = chunks.and_then(merge).map_err(|e| StoreError::Corrupt {
                path: self.dir.clone(),
                what: "head chunk",
                offset: 0,
                reason: format!("of series {}: {e}", s.labels),
            })?;
            writer.push(&s.labels, &chunks)?;
        }
        writer.finish(min, max, Compaction { level: 1, ..Compaction::default() })
    }

    /// Takes note of series that left the head: the log keeps their records until no segment is left that may hold samples of them.
    fn forget(&self, gone: Vec<u64>) {
        if gone.is_empty() {
            return;
        }
        let segment = self.wal.segment();
        let set: std::collections::HashSet<u64> = gone.iter().copied().collect();
        self.head.families.drop_carriers(|reference| set.contains(&reference));
        self.head.drop_deleted(|reference| set.contains(&reference));
        let mut departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
        departed.extend(gone.into_iter().map(|reference| (reference, segment)));
    }

    /// Shortens the log: of the older two thirds of its segments only what still matters is kept.
    fn checkpoint(&self, min_time: TimeMs) -> Result<(), StoreError> {
        let segments = wal::segment::list(self.wal.dir())?;
        let finished = self.wal.cut()?;
        let Some(&first) = segments.first() else { return Ok(()) };
        let last = finished.saturating_sub(1);
        if last <= first {
            return Ok(());
        }
        let last = first + (last - first) * 2 / 3;
        if last <= first {
            return Ok(());
        }
        let living: std::collections::HashSet<u64> = self.head.all().iter().map(|s| s.reference).collect();
        let mut departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = |reference: u64| {
            living.contains(&reference) || departed.get(&reference).is_some_and(|&segment| segment > last)
        };
        let options = &self.options;
        let deleted = wal::checkpoint::write(
            self.wal.dir(),
            last,
            min_time,
            options.wal_segment_bytes,
            options.wal_compression,
            &keep,
        )?;
        departed.retain(|_, segment| *segment > last);
        self.counters.checkpoint_creations.add(1);
        self.counters.checkpoint_deletions.add(deleted);
        Ok(())
    }
}
