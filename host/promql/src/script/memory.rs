//! Samples in memory, for scripts and unit tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchglass_model::{CounterResetHint, FloatPoint, Histogram, HistogramPoint, Labels, SeriesData, TimeMs, Value};

use crate::source::{Cancel, Select, Source, SourceError};

/// A [`Source`] of samples in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    series: BTreeMap<Labels, SeriesData>,
}

impl Memory {
    /// Puts a sample in; one of the same series and time is replaced.
    pub fn append(&mut self, labels: &Labels, t: TimeMs, value: Value) {
        let series = self.entry(labels);
        match value {
            Value::Float(v) => {
                series.histograms.retain(|p| p.t != t);
                match series.floats.binary_search_by_key(&t, |p| p.t) {
                    Ok(i) => series.floats[i].v = v,
                    Err(i) => series.floats.insert(i, FloatPoint { t, v }),
                }
            }
            Value::Histogram(h) => {
                series.floats.retain(|p| p.t != t);
                let index = match series.histograms.binary_search_by_key(&t, |p| p.t) {
                    Ok(i) => {
                        series.histograms[i].h = h;
                        i
                    }
                    Err(i) => {
                        series.histograms.insert(i, HistogramPoint { t, h });
                        i
                    }
                };
                tell_resets(series, index);
            }
        }
    }

    /// Notes when the counter behind a sample started.
    pub fn set_start(&mut self, labels: &Labels, t: TimeMs, start: TimeMs) {
        let starts = &mut self.entry(labels).starts;
        match starts.binary_search_by_key(&t, |s| s.0) {
            Ok(i) => starts[i].1 = start,
            Err(i) => starts.insert(i, (t, start)),
        }
    }

    fn entry(&mut self, labels: &Labels) -> &mut SeriesData {
        self.series
            .entry(labels.clone())
            .or_insert_with(|| SeriesData { labels: labels.clone(), ..SeriesData::default() })
    }
}

/// Gives a histogram the hint that Prometheus' storage would give it back with: what follows the histogram before it without a
/// reset is told as such; else a chunk begins, and of its first histogram nothing is known.
fn tell_resets(series: &mut SeriesData, index: usize) {
    let (before, rest) = series.histograms.split_at_mut(index);
    let Some(point) = rest.first_mut() else { return };
    if point.h.is_stale() || point.h.counter_reset_hint == CounterResetHint::Gauge {
        return;
    }
    let mut h = Histogram::clone(&point.h);
    let begins = h.counter_reset_hint == CounterResetHint::Reset;
    h.counter_reset_hint = CounterResetHint::Unknown;
    let follows = before.last().is_some_and(|p| {
        let floats_between = series.floats.iter().any(|f| p.t < f.t && f.t < point.t);
        let counter = !p.h.is_stale() && p.h.counter_reset_hint != CounterResetHint::Gauge;
        counter && !floats_between && !h.detect_reset(&p.h)
    });
    if follows && !begins {
        h.counter_reset_hint = CounterResetHint::NotReset;
    }
    point.h = Arc::new(h);
}

impl Source for Memory {
    fn select(&self, what: &Select<'_>, cancel: &Cancel) -> Result<Vec<SeriesData>, SourceError> {
        let mut found = vec![];
        let mut points = 0;
        for series in self.series.values() {
            if cancel.is_cancelled() {
                return Err(SourceError::Cancelled);
            }
            if !what.matchers.iter().all(|m| m.matches(series.labels.value(m.name()))) {
                continue;
            }
            let part = SeriesData {
                labels: series.labels.clone(),
                floats: within(&series.floats, what, |p| p.t).to_vec(),
                histograms: within(&series.histograms, what, |p| p.t).to_vec(),
                starts: within(&series.starts, what, |s| s.0).to_vec(),
            };
            let count = part.floats.len() + part.histograms.len();
            points += count;
            if points > what.max_samples {
                return Err(SourceError::TooManySamples);
            }
            if count > 0 {
                found.push(part);
            }
        }
        Ok(found)
    }
}

/// The part of a list, sorted by time, that lies in the range.
fn within<'a, T>(list: &'a [T], what: &Select<'_>, time: impl Fn(&T) -> TimeMs) -> &'a [T] {
    let end = list.partition_point(|p| time(p) <= what.end);
    let start = list[..end].partition_point(|p| time(p) < what.start);
    &list[start..end]
}
