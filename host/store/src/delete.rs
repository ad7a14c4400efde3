//! Deleting series, or a part of their time.

use std::sync::PoisonError;

use watchglass_model::{Matcher, TimeMs};

use crate::StoreError;
use crate::store::Store;
use crate::wal::record::{RefTombstone, put_tombstones};

impl Store {
    /// Deletes what the matchers select between two times (both included): it is no longer read from now on, and leaves the disk when
    /// its block is compacted. Returns how many series of head and blocks were touched.
    pub fn delete(&self, matchers: &[Matcher], start: TimeMs, end: TimeMs, now: TimeMs) -> Result<u64, StoreError> {
        let _one_at_a_time = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stones = Vec::new();
        for series in self.head.matching(matchers) {
            let state = series.lock();
            if let (Some(first), Some(last)) = (state.first_time(), state.last_time()) {
                let (min, max) = (start.max(first), end.min(last));
                if min <= max {
                    stones.push(RefTombstone { reference: series.reference, min, max });
                }
            }
        }
        if !stones.is_empty() {
            let mut record = Vec::new();
            put_tombstones(&mut record, &stones);
            self.wal.write(now, |writer| writer.push(&record))?;
            self.head.delete(&stones);
        }
        let mut touched = stones.len() as u64;
        for block in self.block_list().iter().filter(|b| b.overlaps(start, end)) {
            touched += block.delete(matchers, start, end)?;
        }
        Ok(touched)
    }
}
