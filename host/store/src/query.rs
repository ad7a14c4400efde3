//! Reading: head and blocks together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use watchglass_model::{Labels, Matcher, SeriesData, TimeMs};

use crate::block::open::{Block, BlockSeries};
use crate::block::tombstones;
use crate::codec::chunk::Points;
use crate::head::series::MemSeries;
use crate::parallel::map_blocks;
use crate::select::{in_order, merged, series_data};
use crate::store::Store;
use crate::{SelectError, StoreError};

/// What the answer has of one series before it is put together.
struct Found<'a> {
    labels: Labels,
    /// Oldest first.
    blocks: Vec<(&'a Block, BlockSeries)>,
    head: Points,
}

impl Store {
    /// The series that all matchers let through and that have points between `start` and `end` (both included), sorted by labels, each
    /// once, merged over head and blocks. Many series are read on several threads.
    ///
    /// `cancelled` is asked now and then. More than `max_samples` points are an error, not a part of the answer.
    pub fn select(
        &self,
        matchers: &[Matcher],
        start: TimeMs,
        end: TimeMs,
        max_samples: usize,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<SeriesData>, SelectError> {
        let budget = Budget { left: AtomicUsize::new(max_samples), limit: max_samples, cancelled };
        // The head first, then the list of blocks: see `Store::cut_until`.
        let head = self.select_head(matchers, start, end, &budget)?;
        let blocks = self.block_list();
        let blocks: Vec<&Block> = blocks.iter().filter(|b| b.overlaps(start, end)).map(|b| &**b).collect();
        if blocks.is_empty() {
            return Ok(head.into_iter().map(|(labels, points)| series_data(labels, points)).collect());
        }
        let mut found: Vec<Found<'_>> = Vec::new();
        for block in blocks {
            budget.look()?;
            let own = block.select(matchers, start, end)?.into_iter();
            let own =
                own.map(|s| Found { labels: s.labels.clone(), blocks: vec![(block, s)], head: Points::default() });
            found = merged(found, own.collect(), |f| &f.labels, |a, b| a.blocks.extend(b.blocks));
        }
        let head = head.into_iter().map(|(labels, head)| Found { labels, blocks: Vec::new(), head });
        found = merged(found, head.collect(), |f| &f.labels, |a, b| a.head = b.head);
        let read = map_blocks(&found, |found| {
            budget.look()?;
            found.iter().map(|f| f.read(start, end, &budget)).collect::<Result<Vec<_>, SelectError>>()
        })?;
        let series = found.into_iter().zip(read.into_iter().flatten());
        Ok(series.filter(|(_, points)| points.len() > 0).map(|(f, points)| series_data(f.labels, points)).collect())
    }

    /// What the head has, sorted by labels.
    fn select_head(
        &self,
        matchers: &[Matcher],
        start: TimeMs,
        end: TimeMs,
        budget: &Budget<'_>,
    ) -> Result<Vec<(Labels, Points)>, SelectError> {
        let any_deleted = self.head.any_deleted();
        let read_one = |series: &MemSeries| -> Result<Points, SelectError> {
            let mut points = Points::default();
            series.lock().read(start, end, &self.head.disk, &mut points).map_err(|e| StoreError::Corrupt {
                path: self.dir.clone(),
                what: "head chunk",
                offset: 0,
                reason: format!("of series {}: {e}", series.labels),
            })?;
            if any_deleted {
                tombstones::apply(&self.head.deleted_of(series.reference), &mut points);
            }
            budget.take(points.len())?;
            Ok(points)
        };
        let parts = map_blocks(&self.head.matching(matchers), |block: &[Arc<MemSeries>]| {
            budget.look()?;
            let mut part = Vec::with_capacity(block.len());
            for series in block {
                let points = read_one(series)?;
                if points.len() > 0 {
                    part.push((series.labels.clone(), points));
                }
            }
            part.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Ok::<_, SelectError>(part)
        })?;
        let mut all: Vec<(Labels, Points)> = parts.into_iter().flatten().collect();
        // The stable one makes use of the sorted parts.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// The label sets of series that may have points in the range and pass all matchers of at least one set, sorted. Without sets: all.
    /// `limit` 0: all; else the first so many. As in Prometheus, a series counts if one of its chunks overlaps the range.
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
        for block in self.block_list().iter().filter(|b| b.overlaps(start, end)) {
            for set in sets {
                all.extend(block.select(set, start, end)?.into_iter().map(|s| s.labels));
            }
        }
        Ok(all.into_iter().take(unlimited(limit)).collect())
    }

    /// Label names in use among the series that all matchers of a set let through, sorted; without sets: among all. `limit` 0: all. As in
    /// Prometheus a series counts if the head or the block that it is in overlaps the range, whether or not it has points there.
    pub fn label_names(
        &self,
        matcher_sets: &[Vec<Matcher>],
        start: TimeMs,
        end: TimeMs,
        limit: usize,
    ) -> Result<Vec<String>, SelectError> {
        let mut names = BTreeSet::new();
        if matcher_sets.is_empty() {
            if self.head_overlaps(start, end) {
                names.extend(self.head.label_names());
            }
            for block in self.block_list().iter().filter(|b| b.overlaps(start, end)) {
                names.extend(block.index.names().map(str::to_owned));
            }
        } else {
            self.each_label_set(matcher_sets, start, end, |labels| {
                for (name, _) in labels {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            })?;
        }
        Ok(names.into_iter().take(unlimited(limit)).collect())
    }

    /// The values of a label among the series that count for [`Store::label_names`], sorted. `limit` 0: all.
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
            if self.head_overlaps(start, end) {
                values.extend(self.head.label_values(name));
            }
            for block in self.block_list().iter().filter(|b| b.overlaps(start, end)) {
                values.extend(block.index.values(name)?);
            }
        } else {
            self.each_label_set(matcher_sets, start, end, |labels| {
                if let Some(value) = labels.get(name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            })?;
        }
        Ok(values.into_iter().take(unlimited(limit)).collect())
    }

    /// Calls with the labels of every series that a set of matchers lets through, in the head and in blocks that overlap the range.
    fn each_label_set(
        &self,
        matcher_sets: &[Vec<Matcher>],
        start: TimeMs,
        end: TimeMs,
        mut f: impl FnMut(&Labels),
    ) -> Result<(), SelectError> {
        if self.head_overlaps(start, end) {
            for set in matcher_sets {
                self.head.matching(set).iter().for_each(|series| f(&series.labels));
            }
        }
        for block in self.block_list().iter().filter(|b| b.overlaps(start, end)) {
            for set in matcher_sets {
                for id in block.index.select(set)? {
                    f(&block.index.series(id)?.labels);
                }
            }
        }
        Ok(())
    }

    fn head_overlaps(&self, start: TimeMs, end: TimeMs) -> bool {
        self.head.time_range().is_some_and(|(min, max)| min <= end && max >= start)
    }
}

fn unlimited(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

impl Found<'_> {
    fn read(&self, start: TimeMs, end: TimeMs, budget: &Budget<'_>) -> Result<Points, SelectError> {
        let mut points = Points::default();
        for (block, series) in &self.blocks {
            block.read(series, start, end, &mut points)?;
        }
        // Those of the head were counted when they were read.
        budget.take(points.len())?;
        points.floats.extend_from_slice(&self.head.floats);
        points.histograms.extend_from_slice(&self.head.histograms);
        in_order(&mut points);
        Ok(points)
    }
}

/// How much a caller still allows; shared by the threads that read.
struct Budget<'a> {
    left: AtomicUsize,
    limit: usize,
    cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Budget<'_> {
    fn look(&self) -> Result<(), SelectError> {
        if (self.cancelled)() { Err(SelectError::Cancelled) } else { Ok(()) }
    }

    /// Takes a series' points off the budget.
    fn take(&self, points: usize) -> Result<(), SelectError> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(points));
        taken.map(|_| ()).map_err(|_| SelectError::TooManySamples { limit: self.limit })
    }
}
