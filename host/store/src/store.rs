//! The store: where head, log and blocks meet.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use watchglass_model::{MetricMetadata, SampleBatch, TimeMs};

use crate::block::open::{self, Block};
use crate::counters::StoreCounters;
use crate::files;
use crate::head::disk::HeadChunks;
use crate::head::index::Head;
use crate::lock::DirLock;
use crate::wal::log::Wal;
use crate::{Appended, BlockInfo, Cardinality, OpenReport, Options, Stats, StoreError};

/// A Prometheus data directory, open for writing. Share it between threads by reference or `Arc`; every method may run beside every other.
pub struct Store {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) head: Head,
    pub(crate) wal: Wal,
    /// Held for reading by every append from its first look to its last sample. Taking it for writing waits until those have gone that still
    /// believe in an older floor.
    pub(crate) appends: RwLock<()>,
    /// By time. Replaced whole, so that a reader's list stays what it was.
    pub(crate) blocks: RwLock<Arc<Vec<Arc<Block>>>>,
    /// Held by whoever changes blocks or truncates the head.
    pub(crate) maintenance: Mutex<()>,
    /// Series that left the head, and the segment that was written to then.
    pub(crate) departed: Mutex<HashMap<u64, u64>>,
    /// Blocks that could not be merged; they are not tried again before the next start.
    pub(crate) failed_merges: Mutex<HashSet<String>>,
    pub(crate) counters: StoreCounters,
    lock: Mutex<Option<DirLock>>,
    blocks_failed: u64,
    clean_start: bool,
    wal_corruptions: u64,
    head_chunk_corruptions: u64,
    replay_seconds: f64,
}

impl Store {
    /// Opens a data directory, making it where there is none: takes its lock, repairs and replays the WAL, opens the blocks.
    ///
    /// Fails where another process has the directory, or where the system refuses. Damage does not fail it: what can't be read is
    /// set aside, counted, and told in the report.
    pub fn open(dir: &Path, options: Options, now: TimeMs) -> Result<(Store, OpenReport), StoreError> {
        let began = std::time::Instant::now();
        let _ = now;
        files::create_dir(dir)?;
        let lock = DirLock::take(dir)?;
        let wal_dir = dir.join("wal");
        files::create_dir(&wal_dir)?;
        crate::wal::checkpoint::remove_unfinished(&wal_dir)?;
        let blocks = open::open_all(dir)?;
        let floor = blocks.blocks.iter().map(|b| b.meta.max_time).max().unwrap_or(TimeMs::MIN);
        let (disk, loaded) = HeadChunks::open(dir)?;
        let head = Head::new(&options, floor, disk);
        let mut report = OpenReport {
            clean_start: lock.clean_start,
            blocks: blocks.blocks.len(),
            failed_blocks: blocks.failed,
            repairs: loaded.repairs,
            ..OpenReport::default()
        };
        let replay = crate::replay::replay(dir, &wal_dir, &head, loaded.chunks, &mut report)?;
        let wal = Wal::open(
            &wal_dir,
            replay.next_segment,
            options.wal_segment_bytes,
            options.wal_compression,
            options.fsync,
        )?;
        report.seconds = began.elapsed().as_secs_f64();
        let store = Store {
            dir: dir.to_owned(),
            head,
            wal,
            appends: RwLock::new(()),
            blocks: RwLock::new(Arc::new(blocks.blocks)),
            maintenance: Mutex::new(()),
            departed: Mutex::default(),
            failed_merges: Mutex::default(),
            counters: StoreCounters::default(),
            blocks_failed: report.failed_blocks.len() as u64,
            clean_start: lock.clean_start,
            lock: Mutex::new(Some(lock)),
            wal_corruptions: replay.corruptions,
            head_chunk_corruptions: loaded.corruptions,
            replay_seconds: report.seconds,
            options,
        };
        Ok((store, report))
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends a batch. When it returns, what it calls appended has reached the kernel: a kill -9 does not lose it.
    ///
    /// A sample that can't be taken never hinders the others; the answer counts them by reason. An error means that the log could
    /// not be written and nothing of the batch was stored. `now` is used for time-based syncing only: how far in the
    /// future a sample may lie is for the caller to decide.
    pub fn append(&self, batch: &SampleBatch, now: TimeMs) -> Result<Appended, StoreError> {
        let _gate = self.appends.read().unwrap_or_else(PoisonError::into_inner);
        let staged = self.head.stage(batch);
        if !staged.is_empty() {
            let records = staged.encode();
            self.wal.write(now, |writer| staged.write(writer, &records))?;
        }
        Ok(staged.store())
    }

    /// What is known of metric families, by name.
    pub fn metadata(&self) -> Vec<MetricMetadata> {
        self.head.families.all()
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        let counters = &self.head.counters;
        let wal = self.wal.stats();
        let range = self.head.time_range();
        let (head_chunks, head_chunk_bytes) = self.head.chunk_totals();
        let own = &self.counters;
        let blocks = self.block_list();
        let lowest = blocks.iter().map(|b| b.meta.min_time).chain(range.map(|r| r.0)).min();
        let in_blocks = |f: fn(&Block) -> u64| blocks.iter().map(|b| f(b)).sum();
        Stats {
            head_series: self.head.series_count() as u64,
            head_series_created: counters.series_created.load(Relaxed),
            head_series_removed: counters.series_removed.load(Relaxed),
            head_series_refused: counters.series_refused.load(Relaxed),
            head_chunks,
            head_chunks_created: counters.chunks_created.load(Relaxed),
            head_chunks_removed: counters.chunks_removed.load(Relaxed),
            head_chunk_bytes,
            head_floats_appended: counters.floats.load(Relaxed),
            head_histograms_appended: counters.histograms.load(Relaxed),
            out_of_order_samples: counters.out_of_order.load(Relaxed),
            out_of_bound_samples: counters.out_of_bounds.load(Relaxed),
            conflicting_samples: counters.conflicts.load(Relaxed),
            head_min_time: range.map(|r| r.0),
            head_max_time: range.map(|r| r.1),
            lowest_time: lowest,
            head_truncations: own.head_truncations.get(),
            head_truncations_failed: own.head_truncations_failed.get(),
            checkpoint_creations: own.checkpoint_creations.get(),
            checkpoint_creations_failed: own.checkpoint_creations_failed.get(),
            checkpoint_deletions: own.checkpoint_deletions.get(),
            wal_corruptions: self.wal_corruptions,
            head_chunk_corruptions: self.head_chunk_corruptions,
            wal_segment: wal.segment,
            wal_writes_failed: self.wal.writes_failed.load(Relaxed),
            wal_bytes_written: wal.bytes_written,
            wal_fsyncs: wal.fsyncs,
            wal_bytes: files::dir_bytes(self.wal.dir()),
            head_chunk_file_bytes: files::dir_bytes(&self.dir.join("chunks_head")),
            blocks: blocks.len() as u64,
            block_bytes: in_blocks(|b| b.bytes),
            block_chunks: in_blocks(|b| b.meta.stats.num_chunks),
            block_samples: in_blocks(|b| b.meta.stats.num_samples),
            compactions: own.compactions.get(),
            compactions_failed: own.compactions_failed.get(),
            compactions_triggered: own.compactions_triggered.get(),
            compaction_seconds: own.compaction_micros.get() as f64 / 1e6,
            time_retentions: own.time_retentions.get(),
            size_retentions: own.size_retentions.get(),
            blocks_failed: self.blocks_failed,
            clean_start: self.clean_start,
            replay_seconds: self.replay_seconds,
        }
    }

    /// What makes the head large, at most `limit` of each kind.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        self.head.cardinality(limit)
    }

    /// The blocks, oldest first.
    pub fn blocks(&self) -> Vec<BlockInfo> {
        self.block_list().iter().map(|b| b.info()).collect()
    }

    /// Syncs the WAL to the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.wal.sync()
    }

    /// Syncs the WAL and gives the directory's lock back. Appends fail from then on. Dropping the store does the same, but can't tell of failures.
    pub fn close(&self) -> Result<(), StoreError> {
        let result = self.wal.close();
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        result
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::error!(error = %e, "cannot close the store cleanly");
        }
    }
}
