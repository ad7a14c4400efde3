//! The store: where head, log and blocks meet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError, RwLock};

use watchglass_model::{Labels, Matcher, MetricMetadata, SampleBatch, SeriesData, TimeMs};

use crate::codec::chunk::Points;
use crate::files;
use crate::head::index::Head;
use crate::lock::DirLock;
use crate::select::{in_order, series_data};
use crate::wal::log::Wal;
use crate::{Appended, BlockInfo, Cardinality, Maintained, OpenReport, Options, SelectError, Stats, StoreError};

/// A Prometheus data directory, open for writing. Share it between threads by reference or `Arc`; every method may run beside every other.
pub struct Store {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) head: Head,
    pub(crate) wal: Wal,
    /// Held for reading by every append from its first look to its last sample. Taking it for writing waits until those have gone that still
    /// believe in an older floor.
    pub(crate) appends: RwLock<()>,
    pub(crate) lock: Mutex<Option<DirLock>>,
    clean_start: bool,
    wal_corruptions: u64,
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
        let head = Head::new(&options, TimeMs::MIN);
        let mut report = OpenReport { clean_start: lock.clean_start, ..OpenReport::default() };
        let replay = crate::replay::replay(dir, &wal_dir, &head, &mut report)?;
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
            clean_start: lock.clean_start,
            lock: Mutex::new(Some(lock)),
            wal_corruptions: replay.corruptions,
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

    /// The series that all matchers let through and that have points between `start` and `end` (both included), sorted by labels, each
    /// once, merged over head and blocks.
    ///
    /// `cancelled` is asked now and then. More than `max_samples` points are an error, not a part of the answer.
    pub fn select(
        &self,
        matchers: &[Matcher],
        start: TimeMs,
        end: TimeMs,
        max_samples: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<SeriesData>, SelectError> {
        let (mut found, mut total) = (Vec::new(), 0);
        for series in self.head.matching(matchers) {
            if cancelled() {
                return Err(SelectError::Cancelled);
            }
            let mut points = Points::default();
            series.lock().read(start, end, &mut points).map_err(|e| StoreError::Corrupt {
                path: self.dir.clone(),
                what: "head chunk",
                offset: 0,
                reason: e.to_string(),
            })?;
            in_order(&mut points);
            total += points.len();
            if total > max_samples {
                return Err(SelectError::TooManySamples { limit: max_samples });
            }
            if points.len() > 0 {
                found.push(series_data(series.labels.clone(), points));
            }
        }
        found.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok(found)
    }

    /// The label sets of series that may have points in the range and pass all matchers of at least one set, sorted. Without sets: all.
    /// `limit` 0: all; else the first so many. As in Prometheus, a series counts if one of its chunks or its block overlaps the range.
    pub fn series(
        &self,
        matcher_sets: &[Vec<Matcher>],
        start: TimeMs,
        end: TimeMs,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        let sets = if matcher_sets.is_empty() { &[Vec::new()] } else { matcher_sets };
        let mut all = BTreeSet::new();
        for set in sets {
            let found = self.head.matching(set);
            all.extend(found.iter().filter(|s| s.lock().overlaps(start, end)).map(|s| s.labels.clone()));
        }
        Ok(all.into_iter().take(if limit == 0 { usize::MAX } else { limit }).collect())
    }

    /// Label names in use among the series that [`Store::series`] would give, sorted. `limit` 0: all.
    pub fn label_names(
        &self,
        matcher_sets: &[Vec<Matcher>],
        start: TimeMs,
        end: TimeMs,
        limit: usize,
    ) -> Result<Vec<String>, SelectError> {
        let mut names = BTreeSet::new();
        if matcher_sets.is_empty() {
            names.extend(self.head.label_names());
        } else {
            for labels in self.series(matcher_sets, start, end, 0)? {
                names.extend(labels.iter().map(|(n, _)| n.to_owned()));
            }
        }
        Ok(names.into_iter().take(if limit == 0 { usize::MAX } else { limit }).collect())
    }

    /// The values of a label among the series that [`Store::series`] would give, sorted. `limit` 0: all.
    pub fn label_values(
        &self,
        name: &str,
        matcher_sets: &[Vec<Matcher>],
        start: TimeMs,
        end: TimeMs,
        limit: usize,
    ) -> Result<Vec<String>, SelectError> {
        let mut values = BTreeSet::new();
        if matcher_sets.is_empty() {
            values.extend(self.head.label_values(name));
        } else {
            for labels in self.series(matcher_sets, start, end, 0)? {
                values.extend(labels.get(name).map(str::to_owned));
            }
        }
        Ok(values.into_iter().take(if limit == 0 { usize::MAX } else { limit }).collect())
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
            lowest_time: range.map(|r| r.0),
            wal_corruptions: self.wal_corruptions,
            wal_segment: wal.segment,
            wal_writes_failed: self.wal.writes_failed.load(Relaxed),
            wal_bytes_written: wal.bytes_written,
            wal_fsyncs: wal.fsyncs,
            wal_bytes: files::dir_bytes(self.wal.dir()),
            clean_start: self.clean_start,
            replay_seconds: self.replay_seconds,
            ..Stats::default()
        }
    }

    /// What makes the head large, at most `limit` of each kind.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        self.head.cardinality(limit)
    }

    /// The blocks, oldest first.
    pub fn blocks(&self) -> Vec<BlockInfo> {
        Vec::new()
    }

    /// Does what is due: cuts blocks from the head, truncates it and the WAL, merges blocks, deletes what retention says. Call it every
    /// minute or so from a thread that may block; reads and appends go on meanwhile. What fails is told and tried again the next time.
    pub fn maintain(&self, now: TimeMs) -> Maintained {
        let mut out = Maintained::default();
        if let Err(e) = self.wal.sync_if_due(now) {
            out.failures.push(e.to_string());
        }
        out
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
