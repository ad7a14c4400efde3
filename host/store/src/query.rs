//! Reading: head and blocks together.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_model::{Labels, Matcher, SeriesData, TimeMs};

use crate::block::open::{Block, BlockSeries};
use crate::block::tombstones;
use crate::codec::chunk::Points;
use crate::select::{in_order, series_data};
use crate::store::Store;
use crate::{SelectError, StoreError};

/// How many series are read between two looks at the caller's flag.
const LOOK_EVERY: usize = 64;

/// What the answer has of one series before it is put together.
#[derive(Default)]
struct Found<'a> {
    blocks: Vec<(&'a Block, BlockSeries)>,
    head: Points,
}

impl Store {
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
        let mut budget = Budget { left: max_samples, limit: max_samples, looks: 0, cancelled };
        // The head first, then the list of blocks: see `Store::cut_until`.
        let mut head = self.select_head(matchers, start, end, &mut budget)?;
        let blocks = self.block_list();
        let blocks: Vec<&Block> = blocks.iter().filter(|b| b.overlaps(start, end)).map(|b| &**b).collect();
        if blocks.is_empty() {
            head.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            return Ok(head.into_iter().map(|(labels, points)| series_data(labels, points)).collect());
        }
        let mut found: BTreeMap<Labels, Found<'_>> = BTreeMap::new();
        for block in blocks {
            budget.look()?;
            for series in block.select(matchers, start, end)? {
                found.entry(series.labels.clone()).or_default().blocks.push((block, series));
            }
        }
        for (labels, points) in head {
            found.entry(labels).or_default().head = points;
        }
        let mut out = Vec::with_capacity(found.len());
        for (labels, parts) in found {
            let mut points = Points::default();
            for (block, series) in &parts.blocks {
                block.read(series, start, end, &mut points)?;
            }
            budget.take(points.len())?;
            let mut own = parts.head;
            points.floats.append(&mut own.floats);
            points.histograms.append(&mut own.histograms);
            in_order(&mut points);
            if points.len() > 0 {
                out.push(series_data(labels, points));
            }
        }
        Ok(out)
    }

    fn select_head(
        &self,
        matchers: &[Matcher],
        start: TimeMs,
        end: TimeMs,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<(Labels, Points)>, SelectError> {
        let mut out = Vec::new();
        for series in self.head.matching(matchers) {
            let mut points = Points::default();
            series.lock().read(start, end, &self.head.disk, &mut points).map_err(|e| StoreError::Corrupt {
                path: self.dir.clone(),
                what: "head chunk",
                offset: 0,
                reason: format!("of series {}: {e}", series.labels),
            })?;
            tombstones::apply(&self.head.deleted_of(series.reference), &mut points);
            budget.take(points.len())?;
            if points.len() > 0 {
                out.push((series.labels.clone(), points));
            }
        }
        Ok(out)
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

    /// Label names in use among the series that [`Store::series`] would give, sorted. `limit` 0: all. Without matchers, as in Prometheus,
    /// those of the head and of every block that overlaps the range.
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
            for labels in self.series(matcher_sets, start, end, 0)? {
                for (name, _) in &labels {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        Ok(names.into_iter().take(unlimited(limit)).collect())
    }

    /// The values of a label among the series that [`Store::series`] would give, sorted. `limit` 0: all. Without matchers, as in
    /// Prometheus, those of the head and of every block that overlaps the range.
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
            for labels in self.series(matcher_sets, start, end, 0)? {
                values.extend(labels.get(name).map(str::to_owned));
            }
        }
        Ok(values.into_iter().take(unlimited(limit)).collect())
    }

    fn head_overlaps(&self, start: TimeMs, end: TimeMs) -> bool {
        self.head.time_range().is_some_and(|(min, max)| min <= end && max >= start)
    }
}

fn unlimited(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

/// How much a caller still allows.
struct Budget<'a> {
    left: usize,
    limit: usize,
    looks: usize,
    cancelled: &'a dyn Fn() -> bool,
}

impl Budget<'_> {
    fn look(&self) -> Result<(), SelectError> {
        if (self.cancelled)() { Err(SelectError::Cancelled) } else { Ok(()) }
    }

    /// Takes a series' points off the budget.
    fn take(&mut self, points: usize) -> Result<(), SelectError> {
        self.looks += 1;
        if self.looks % LOOK_EVERY == 1 {
            self.look()?;
        }
        self.left = self.left.checked_sub(points).ok_or(SelectError::TooManySamples { limit: self.limit })?;
        Ok(())
    }
}
