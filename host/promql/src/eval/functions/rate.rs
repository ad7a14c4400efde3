//! `rate`, `increase` and `delta` with extrapolation to the ends of the range.

use std::sync::Arc;

use watchglass_model::{CounterResetHint, Histogram, HistogramPoint, TimeMs};

use super::super::series::Point;
use super::super::window::Window;
use super::ranges::Context;

pub(crate) fn rate(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    extrapolated(context, window, true, true)
}

pub(crate) fn increase(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    extrapolated(context, window, true, false)
}

pub(crate) fn delta(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    extrapolated(context, window, false, false)
}

fn extrapolated(context: &mut Context<'_>, window: &Window<'_>, counter: bool, per_second: bool) -> Option<Point> {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        context.notes.mixed_floats_histograms(context.span, context.metric);
        return None;
    }
    if let [first, .., last] = window.floats {
        let mut change = last.v - first.v;
        if counter {
            window.resets.floats().for_each(|i| change += window.floats[i - 1].v);
        }
        let zero = (counter && change > 0.0 && first.v >= 0.0).then(|| first.v / change);
        let factor = Extent::of(window, first.t, last.t, window.floats.len()).factor(counter, zero);
        return Some(Point::Float(change * scaled(factor, context, per_second)));
    }
    if let [first, .., last] = window.histograms {
        let resets: Vec<usize> = if counter { window.resets.histograms().collect() } else { Vec::new() };
        let mut change = histogram_change(context, window.histograms, &resets, counter)?;
        let zero = (counter && change.count > 0.0 && first.h.count >= 0.0).then(|| first.h.count / change.count);
        let factor = Extent::of(window, first.t, last.t, window.histograms.len()).factor(counter, zero);
        change.mul(scaled(factor, context, per_second));
        return Some(Point::Histogram(Arc::new(change)));
    }
    None
}

/// A factor that also makes a rate of an increase.
pub(crate) fn scaled(factor: f64, context: &Context<'_>, per_second: bool) -> f64 {
    if per_second { factor / (context.shape.range as f64 / 1000.0) } else { factor }
}

/// Where samples lie in a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// From the range's beginning to the first sample, in seconds.
    pub(crate) to_start: f64,
    /// From the last sample to the range's end.
    pub(crate) to_end: f64,
    /// From the first to the last sample.
    pub(crate) sampled: f64,
    /// From one sample to the next, on average.
    pub(crate) average: f64,
}

impl Extent {
    /// That of a window whose samples begin and end at these times.
    pub(crate) fn of(window: &Window<'_>, first: TimeMs, last: TimeMs, samples: usize) -> Extent {
        let sampled = last.saturating_sub(first) as f64 / 1000.0;
        Extent {
            to_start: first.saturating_sub(window.start) as f64 / 1000.0,
            to_end: window.end.saturating_sub(last) as f64 / 1000.0,
            sampled,
            average: sampled / samples.saturating_sub(1) as f64,
        }
    }

    /// By what a change between samples is multiplied to get that of the whole range.
    ///
    /// A sample less than 1.1 average distances from an end suggests that the series goes on beyond it, so it is extended up to
    /// it; else it is taken to begin or end half a distance away. `zero` is how many sampled intervals before the first sample a
    /// counter was 0: it can't have begun earlier.
    pub(crate) fn factor(&self, counter: bool, zero: Option<f64>) -> f64 {
        let threshold = self.average * 1.1;
        let mut to_start = if self.to_start >= threshold { self.average / 2.0 } else { self.to_start };
        if let Some(zero) = zero.filter(|_| counter).map(|zero| self.sampled * zero)
            && zero < to_start
        {
            to_start = zero;
        }
        let to_end = if self.to_end >= threshold { self.average / 2.0 } else { self.to_end };
        (self.sampled + to_start + to_end) / self.sampled
    }
}

/// The difference between the first and the last histogram, what resets took away added; `resets` are the points behind one.
pub(crate) fn histogram_change(
    context: &mut Context<'_>,
    points: &[HistogramPoint],
    resets: &[usize],
    counter: bool,
) -> Option<Histogram> {
    let [first, middle @ .., last] = points else { return None };
    let gauge = |p: &HistogramPoint| p.h.counter_reset_hint == CounterResetHint::Gauge;
    if counter && points.iter().any(gauge) {
        context.notes.not_a_counter(context.span, context.metric);
    }
    let gauges = gauge(first) && gauge(last);
    if !counter && !gauges {
        context.notes.not_a_gauge(context.span, context.metric);
    }
    // Behind a reset the first one doesn't matter, its buckets neither.
    let empty;
    let mut before: &Histogram = &first.h;
    if let Some(second) = points.get(1).filter(|_| counter && resets.first() == Some(&1)) {
        empty = Histogram {
            schema: second.h.schema,
            custom_values: second.h.custom_values.clone(),
            ..Histogram::default()
        };
        before = &empty;
    }
    let custom = before.uses_custom_buckets();
    let between = if counter { middle } else { &[] };
    if last.h.uses_custom_buckets() != custom || between.iter().any(|p| p.h.uses_custom_buckets() != custom) {
        context.notes.mixed_schemas(context.span, context.metric);
        return None;
    }
    let schema =
        between.iter().map(|p| p.h.schema).chain([before.schema, last.h.schema]).min().unwrap_or(last.h.schema);
    let mut change = last.h.reduced_to(schema);
    // Resets are dealt with here, so conflicting hints say nothing.
    let reconciled = |context: &mut Context<'_>, notes, operation| match notes {
        Ok(notes) => {
            let notes = watchglass_model::AddNotes { counter_reset_collision: false, ..notes };
            context.notes.combined(context.span, notes, operation);
            Some(())
        }
        Err(_) => {
            context.notes.mixed_schemas(context.span, context.metric);
            None
        }
    };
    reconciled(context, change.sub(before), "subtraction")?;
    if counter {
        // A reset behind the first one was dealt with above.
        for i in resets.iter().filter(|i| **i > 1) {
            reconciled(context, change.add(&points[i - 1].h), "addition")?;
        }
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact(0);
    Some(change)
}
