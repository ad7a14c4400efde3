//! Functions of counters that know when each of their samples began to count.

use std::sync::Arc;

use watchglass_model::TimeMs;

use super::super::number::quoted;
use super::super::series::Point;
use super::super::window::Window;
use super::instant_rate::{instant, last_two};
use super::over_time::in_order;
use super::ranges::Context;
use super::rate::{self, Extent, scaled};

pub(crate) fn rate(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    extrapolated(context, window, true)
}

pub(crate) fn increase(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    extrapolated(context, window, false)
}

/// Whether a counter began anew between two samples, by their start times; 0 is unknown.
///
/// A start behind the sample before tells it. A start just at that sample is how deltas are written, each beginning where the
/// last ended; but if that sample has no usable start of its own, it is the unknown beginning of a counter.
fn restarted(before: TimeMs, before_start: TimeMs, start: TimeMs) -> bool {
    start != 0 && (start > before || (start == before && before_start != 0 && before_start < before))
}

fn has_starts(window: &Window<'_>) -> bool {
    window.float_starts.iter().chain(window.histogram_starts).any(|start| *start != 0)
}

fn extrapolated(context: &mut Context<'_>, window: &Window<'_>, per_second: bool) -> Option<Point> {
    let mixed = !window.floats.is_empty() && !window.histograms.is_empty();
    if mixed || !has_starts(window) {
        return if per_second { rate::rate(context, window) } else { rate::increase(context, window) };
    }
    let floats = !window.floats.is_empty();
    let starts = if floats { window.float_starts } else { window.histogram_starts };
    let times: Vec<TimeMs> = if floats {
        window.floats.iter().map(|p| p.t).collect()
    } else {
        window.histograms.iter().map(|p| p.t).collect()
    };
    note_overlap(context, &times, starts);
    let (Some(first), Some(last), Some(first_start)) = (times.first(), times.last(), starts.first()) else {
        return None;
    };
    // A start inside the range is a sample of value 0.
    let begins_inside = *first_start != 0 && *first_start > window.start && first_start < first;
    if times.len() < 2 && !begins_inside {
        return None;
    }
    let restarts = |i: usize| restarted(times[i - 1], starts[i - 1], starts[i]);
    let extent = |zero: Option<f64>| {
        let mut extent = Extent::of(window, *first, *last, times.len());
        if times.len() < 2 {
            extent.average = 0.0;
        }
        if begins_inside {
            extent.sampled = last.saturating_sub(*first_start) as f64 / 1000.0;
            extent.to_start = 0.0;
        }
        extent.factor(true, zero)
    };
    if floats {
        let base = if begins_inside { 0.0 } else { window.floats[0].v };
        let mut change = window.floats[times.len() - 1].v - base;
        for (i, pair) in window.floats.windows(2).enumerate() {
            if pair[1].v < pair[0].v || restarts(i + 1) {
                change += pair[0].v;
            }
        }
        let zero = (change > 0.0 && base >= 0.0).then(|| base / change);
        return Some(Point::Float(change * scaled(extent(zero), context, per_second)));
    }
    let mut change = histogram_increase(context, window, begins_inside, &restarts)?;
    let base = if begins_inside { 0.0 } else { window.histograms[0].h.count };
    let zero = (change.count > 0.0 && base >= 0.0).then(|| base / change.count);
    change.mul(scaled(extent(zero), context, per_second));
    Some(Point::Histogram(Arc::new(change)))
}

fn histogram_increase(
    context: &mut Context<'_>,
    window: &Window<'_>,
    begins_inside: bool,
    restarts: &dyn Fn(usize) -> bool,
) -> Option<watchglass_model::Histogram> {
    use watchglass_model::{CounterResetHint, HistogramPoint};
    // A point that says of itself that it comes behind a reset is treated as such by what counts resets.
    let mut points: Vec<HistogramPoint> = window.histograms.to_vec();
    for i in (1..points.len()).filter(|i| restarts(*i)) {
        if points[i].h.counter_reset_hint != CounterResetHint::Gauge {
            Arc::make_mut(&mut points[i].h).counter_reset_hint = CounterResetHint::Reset;
        }
    }
    if begins_inside {
        let first = points.first()?.clone();
        let mut zero = watchglass_model::Histogram::clone(&first.h);
        zero.mul(0.0);
        points.insert(0, HistogramPoint { t: first.t, h: Arc::new(zero) });
        if let Some(p) = points.get_mut(1).filter(|p| p.h.counter_reset_hint == CounterResetHint::Reset) {
            Arc::make_mut(&mut p.h).counter_reset_hint = CounterResetHint::Unknown;
        }
    }
    let restarted = points.windows(2).enumerate().filter(|(_, pair)| pair[1].h.detect_reset(&pair[0].h));
    let resets: Vec<usize> = restarted.map(|(i, _)| i + 1).collect();
    rate::histogram_change(context, &points, &resets, true)
}

// A sample that began before the one before it ended, yet not where that began.
fn note_overlap(context: &mut Context<'_>, times: &[TimeMs], starts: &[TimeMs]) {
    let overlaps = |i: usize| starts[i] != 0 && starts[i] < times[i - 1] && starts[i] != starts[i - 1];
    if (1..times.len().min(starts.len())).any(overlaps) {
        let text = "sample has start time that overlaps with previous sample timestamp for metric";
        context.notes.warn(context.span, format!("{text} {}", quoted(context.metric)));
    }
}

// The start times of the points in the order of time.
fn starts_in_order(window: &Window<'_>) -> Vec<(TimeMs, TimeMs)> {
    let floats = window.floats.iter().zip(window.float_starts).map(|(p, s)| (p.t, *s));
    let histograms = window.histograms.iter().zip(window.histogram_starts).map(|(p, s)| (p.t, *s));
    let mut starts: Vec<_> = floats.chain(histograms).collect();
    starts.sort_unstable();
    starts
}

pub(crate) fn irate(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    if has_starts(window) && last_two(window).is_some() {
        let starts = starts_in_order(window);
        let times: Vec<TimeMs> = starts.iter().map(|s| s.0).collect();
        let begins: Vec<TimeMs> = starts.iter().map(|s| s.1).collect();
        let tail = times.len().saturating_sub(2);
        note_overlap(context, &times[tail..], &begins[tail..]);
    }
    instant(context, window, true, &|window| match starts_in_order(window)[..] {
        [.., (before, before_start), (_, start)] => restarted(before, before_start, start),
        _ => false,
    })
}

pub(crate) fn resets(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let starts = starts_in_order(window);
    let start = |i: usize| starts.get(i).map_or(0, |s| s.1);
    let mut count = 0u64;
    let mut before: Option<(TimeMs, Result<f64, &Arc<watchglass_model::Histogram>>)> = None;
    for (i, (time, point)) in in_order(window).enumerate() {
        if let Some((before_time, before)) = before {
            let by_value = match (before, point) {
                (Ok(a), Ok(b)) => b < a,
                (Err(a), Err(b)) => watchglass_model::Histogram::detect_reset(b, a),
                _ => true,
            };
            count += u64::from(by_value || restarted(before_time, start(i - 1), start(i)));
        }
        before = Some((time, point));
    }
    Some(Point::Float(count as f64))
}
