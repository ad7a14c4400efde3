//! Instant selectors: of each series the newest sample at each step.

use std::sync::Arc;

use watchglass_model::{CounterResetHint, FloatPoint, HistogramPoint, SeriesData, TimeMs, is_stale_nan};

use super::series::{Point, PointRef};
use super::{Evaluator, Failure, Series, Steps, Value};
use crate::ast::{At, Extension, VectorSelector};
use crate::source::Select;

/// To which time a step looks: `@`, else its own, less the offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    /// `@`.
    pub(crate) at: Option<TimeMs>,
    /// `offset`.
    pub(crate) offset: i64,
}

impl Reference {
    /// The time that a step looks to.
    #[inline]
    pub(crate) fn of(&self, step: TimeMs) -> TimeMs {
        self.at.unwrap_or(step).saturating_sub(self.offset)
    }
}

impl Evaluator<'_> {
    /// The time that `@` names.
    pub(crate) fn fixed(&self, at: Option<At>) -> Option<TimeMs> {
        at.map(|at| match at {
            At::Time(t) => t,
            At::Start => self.bounds.start,
            At::End => self.bounds.end,
        })
    }

    /// To which times a selector looks.
    pub(crate) fn reference(&self, selector: &VectorSelector) -> Result<Reference, Failure> {
        Ok(Reference { at: self.fixed(selector.at), offset: self.offset(selector.offset.as_ref())? })
    }

    /// The series of a selector with their points from `start` to `end`, both included.
    pub(crate) fn load(
        &mut self,
        selector: &VectorSelector,
        start: TimeMs,
        end: TimeMs,
    ) -> Result<Vec<SeriesData>, Failure> {
        let left = self.options.max_samples.saturating_sub(self.held);
        let what = Select { matchers: &selector.matchers, start, end, max_samples: left };
        let mut series = self.source.select(&what, self.cancel)?;
        if self.buckets.statistics && !self.buckets.needed {
            series.iter_mut().for_each(|s| resolve_hints(&mut s.histograms));
        }
        self.hold(series.iter().map(|s| s.floats.len() + s.histograms.len()).sum())?;
        Ok(series)
    }

    /// An instant selector at every step.
    pub(crate) fn eval_selector(&mut self, selector: &VectorSelector, steps: Steps) -> Result<Value, Failure> {
        match selector.extension {
            Extension::None => self.eval_newest(selector, steps).map(Value::Vector),
            Extension::Smoothed => self.eval_smoothed(selector, steps).map(Value::Vector),
            Extension::Anchored => Err(Failure::execution("anchored modifier can only be used with range vectors")),
        }
    }

    fn eval_newest(&mut self, selector: &VectorSelector, steps: Steps) -> Result<Vec<Series>, Failure> {
        let mut out = Vec::new();
        let (selected, picks) = self.select_instant(selector, steps)?;
        // By value, so that a series' points are gone once they have been looked at.
        for data in selected {
            self.check_cancelled()?;
            self.hold(steps.count)?;
            let mut series = Series::new(data.labels.clone(), false, steps.count);
            picks.each(&data, |step, _, point| match point {
                PointRef::Float(v) => series.floats[step] = v,
                PointRef::Histogram(h) => series.set_histogram(step, h.clone()),
            });
            if !series.is_empty() {
                out.push(series);
            }
        }
        Ok(out)
    }

    /// Resolves an instant selector: its series, and what picks their newest samples.
    pub(crate) fn select_instant(
        &mut self,
        selector: &VectorSelector,
        steps: Steps,
    ) -> Result<(Vec<SeriesData>, Picks), Failure> {
        let picks = Picks { steps, reference: self.reference(selector)?, lookback: self.options.lookback_ms };
        let start = picks.reference.of(steps.start).saturating_sub(picks.lookback).saturating_add(1);
        let selected = self.load(selector, start, picks.reference.of(steps.last()))?;
        Ok((selected, picks))
    }

    fn eval_smoothed(&mut self, selector: &VectorSelector, steps: Steps) -> Result<Vec<Series>, Failure> {
        let (reference, lookback) = (self.reference(selector)?, self.options.lookback_ms);
        let start = reference.of(steps.start).saturating_sub(lookback).saturating_add(1);
        let end = reference.of(steps.last()).saturating_add(lookback);
        let mut out = Vec::new();
        for mut data in self.load(selector, start, end)? {
            self.check_cancelled()?;
            self.hold(steps.count)?;
            data.floats.retain(|p| !is_stale_nan(p.v));
            data.histograms.retain(|p| !p.h.is_stale());
            let mut series = Series::new(data.labels.clone(), false, steps.count);
            for (step, time) in steps.iter().enumerate() {
                let at = reference.of(time);
                let (from, to) = (at.saturating_sub(lookback), at.saturating_add(lookback));
                let floats = between(&data.floats, from, to, |p| p.t);
                let histograms = between(&data.histograms, from, to, |p| p.t);
                let metric = data.labels.metric_name();
                match (floats.is_empty(), histograms.is_empty()) {
                    (true, true) => {}
                    (false, true) => {
                        if let Some(v) = smooth_float(floats, at) {
                            series.floats[step] = v;
                        }
                    }
                    (true, false) => match smooth_histogram(histograms, at) {
                        Ok(Some(point)) => series.set(step, point),
                        Ok(None) => {}
                        Err(_) => self.notes.mixed_schemas(selector.span, metric),
                    },
                    (false, false) => self.notes.mixed_floats_histograms(selector.span, metric),
                }
            }
            if !series.is_empty() {
                out.push(series);
            }
        }
        Ok(out)
    }
}

/// Picks a series' newest sample at each step.
pub(crate) struct Picks {
    steps: Steps,
    reference: Reference,
    lookback: i64,
}

impl Picks {
    /// Calls with the step, the sample's time and its value, wherever there is one that is neither too old nor stale.
    #[inline]
    pub(crate) fn each<'d>(&self, data: &'d SeriesData, mut f: impl FnMut(usize, TimeMs, PointRef<'d>)) {
        let (floats, histograms) = (&data.floats[..], &data.histograms[..]);
        // One past the newest point not after the reference time; steps ascend, and so do these.
        let (mut i, mut j) = (0, 0);
        for (step, time) in self.steps.iter().enumerate() {
            let at = self.reference.of(time);
            while i < floats.len() && floats[i].t <= at {
                i += 1;
            }
            while j < histograms.len() && histograms[j].t <= at {
                j += 1;
            }
            let oldest = at.saturating_sub(self.lookback);
            let float = if i > 0 { Some(floats[i - 1]) } else { None };
            let histogram = if j > 0 { Some(&histograms[j - 1]) } else { None };
            if let Some(p) = float.filter(|p| histogram.is_none_or(|h| h.t < p.t)) {
                if p.t > oldest && !is_stale_nan(p.v) {
                    f(step, p.t, PointRef::Float(p.v));
                }
            } else if let Some(p) = histogram.filter(|p| p.t > oldest && !p.h.is_stale()) {
                f(step, p.t, PointRef::Histogram(&p.h));
            }
        }
    }
}

/// The points after `from` and up to `to`.
pub(crate) fn between<T>(points: &[T], from: TimeMs, to: TimeMs, time: impl Fn(&T) -> TimeMs) -> &[T] {
    let first = points.partition_point(|p| time(p) <= from);
    let end = points.partition_point(|p| time(p) <= to);
    points.get(first..end).unwrap_or(&[])
}

/// The value at a time on the line between the points around it; the last one's where none follows; none before the first.
fn smooth_float(points: &[FloatPoint], at: TimeMs) -> Option<f64> {
    let next = points.partition_point(|p| p.t < at);
    match (next.checked_sub(1).and_then(|i| points.get(i)), points.get(next)) {
        (_, Some(p)) if p.t == at => Some(p.v),
        (Some(a), Some(b)) => Some(a.v + (b.v - a.v) * at.saturating_sub(a.t) as f64 / b.t.saturating_sub(a.t) as f64),
        (Some(a), None) => Some(a.v),
        (None, _) => None,
    }
}

fn smooth_histogram(points: &[HistogramPoint], at: TimeMs) -> Result<Option<Point>, watchglass_model::HistogramError> {
    let next = points.partition_point(|p| p.t < at);
    match (next.checked_sub(1).and_then(|i| points.get(i)), points.get(next)) {
        (_, Some(p)) if p.t == at => Ok(Some(Point::Histogram(p.h.clone()))),
        (Some(a), Some(b)) => {
            let counter = b.h.counter_reset_hint != CounterResetHint::Gauge;
            let h = super::functions::interpolate_histogram(a, b, at, counter)?;
            Ok(Some(Point::Histogram(Arc::new(h))))
        }
        (Some(a), None) => Ok(Some(Point::Histogram(a.h.clone()))),
        (None, _) => Ok(None),
    }
}

/// Says of each histogram whether a reset lies before it, where that isn't known: by comparing with the one before.
///
/// Prometheus does so on the way to functions that need sums and counts alone, as it then doesn't hand buckets on.
fn resolve_hints(points: &mut [HistogramPoint]) {
    for i in 1..points.len() {
        let unknown = points[i].h.counter_reset_hint == CounterResetHint::Unknown && !points[i].h.is_stale();
        if unknown && !points[i - 1].h.is_stale() {
            let reset = points[i].h.detect_reset(&points[i - 1].h);
            let hint = if reset { CounterResetHint::Reset } else { CounterResetHint::NotReset };
            Arc::make_mut(&mut points[i].h).counter_reset_hint = hint;
        }
    }
}
