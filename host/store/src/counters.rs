//! Counters of the store itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What maintenance counts; the fields are those of [`crate::Stats`].
#[derive(Debug, Default)]
pub(crate) struct StoreCounters {
    pub(crate) head_truncations: Counter,
    pub(crate) head_truncations_failed: Counter,
    pub(crate) checkpoint_creations: Counter,
    pub(crate) checkpoint_creations_failed: Counter,
    pub(crate) checkpoint_deletions: Counter,
    pub(crate) compactions: Counter,
    pub(crate) compactions_failed: Counter,
    pub(crate) compactions_triggered: Counter,
    pub(crate) compaction_micros: Counter,
    pub(crate) time_retentions: Counter,
    pub(crate) size_retentions: Counter,
}
