//! Functions of `anchored` and `smoothed` ranges: no extrapolation, but values at the ends of the range themselves.

use std::sync::Arc;

use watchglass_model::{AddNotes, CounterResetHint, FloatPoint, Histogram, HistogramError, HistogramPoint, TimeMs};

use super::super::series::Point;
use super::super::window::Window;
use super::ranges::Context;
use super::{over_time, rate};
use crate::ast::Extension;

pub(crate) fn rate(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    change(context, window, true, true)
}

pub(crate) fn increase(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    change(context, window, true, false)
}

pub(crate) fn delta(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    change(context, window, false, false)
}

pub(crate) fn changes(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    over_time::changes(context, &anchored(window)?)
}

pub(crate) fn resets(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    over_time::resets(context, &anchored(window)?)
}

/// The window from the newest point at or before its beginning on; none where no point lies inside.
fn anchored<'a>(window: &Window<'a>) -> Option<Window<'a>> {
    let floats = window.floats.partition_point(|p| p.t <= window.start);
    let histograms = window.histograms.partition_point(|p| p.t <= window.start);
    if floats == window.floats.len() && histograms == window.histograms.len() {
        return None;
    }
    let float = floats.checked_sub(1).map(|i| (window.floats[i].t, i));
    let histogram = histograms.checked_sub(1).map(|i| (window.histograms[i].t, i));
    let (first_float, first_histogram) = match (float, histogram) {
        (Some((t, i)), h) if h.is_none_or(|h| h.0 < t) => (i, histograms),
        (_, Some((_, i))) => (floats, i),
        _ => (floats, histograms),
    };
    Some(Window { floats: &window.floats[first_float..], histograms: &window.histograms[first_histogram..], ..*window })
}

/// The points that a range's change is made of: from the one at or before its beginning to the last inside or, smoothed, the
/// first at or behind its end.
fn relevant<'a, T>(
    points: &'a [T],
    window: &Window<'_>,
    smoothed: bool,
    time: impl Fn(&T) -> TimeMs,
) -> Option<&'a [T]> {
    let inside = points.partition_point(|p| time(p) <= window.start);
    let mut end = points.partition_point(|p| time(p) <= window.end);
    let begins = points.get(inside.saturating_sub(1)).is_some_and(|p| time(p) <= window.end);
    let exact = end.checked_sub(1).is_some_and(|i| time(&points[i]) == window.end);
    if smoothed && !exact && end < points.len() {
        end += 1;
    }
    // All before or all after the range.
    if !begins || end <= inside {
        return None;
    }
    points.get(inside.saturating_sub(1)..end)
}

fn change(context: &mut Context<'_>, window: &Window<'_>, counter: bool, per_second: bool) -> Option<Point> {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        context.notes.mixed_floats_histograms(context.span, context.metric);
        return None;
    }
    let smoothed = context.shape.extension == Extension::Smoothed;
    let factor = rate::scaled(1.0, context, per_second);
    if !window.floats.is_empty() {
        let points = relevant(window.floats, window, smoothed, |p| p.t)?;
        return Some(Point::Float(float_change(points, window, smoothed, counter) * factor));
    }
    let points = relevant(window.histograms, window, smoothed, |p| p.t)?;
    let gauge = |p: &HistogramPoint| p.h.counter_reset_hint == CounterResetHint::Gauge;
    if counter && points.iter().any(gauge) {
        context.notes.not_a_counter(context.span, context.metric);
    }
    let gauges = points.first().is_some_and(gauge) && points.last().is_some_and(gauge);
    if !counter && !gauges {
        context.notes.not_a_gauge(context.span, context.metric);
    }
    match histogram_change(points, window, smoothed, counter) {
        Ok((mut h, notes)) => {
            context.notes.combined(context.span, AddNotes { counter_reset_collision: false, ..notes }, "subtraction");
            h.counter_reset_hint = CounterResetHint::Gauge;
            h.compact(0);
            h.mul(factor);
            Some(Point::Histogram(Arc::new(h)))
        }
        Err(_) => {
            context.notes.mixed_schemas(context.span, context.metric);
            None
        }
    }
}

/// Whether the values at the two ends of the range lie between points, so that they have to be interpolated.
fn cut_ends(first: TimeMs, second: bool, last: TimeMs, window: &Window<'_>, smoothed: bool) -> (bool, bool) {
    (smoothed && second && first < window.start, smoothed && second && last > window.end)
}

fn float_change(points: &[FloatPoint], window: &Window<'_>, smoothed: bool, counter: bool) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return f64::NAN };
    let (cut_left, cut_right) = cut_ends(first.t, points.len() > 1, last.t, window, smoothed);
    let interpolate = |i: usize, at: TimeMs| {
        let (a, b) = (points[i], points[i + 1]);
        // Across a reset the counter is taken to have risen from 0.
        let from = if counter && b.v < a.v { 0.0 } else { a.v };
        from + (b.v - from) * at.saturating_sub(a.t) as f64 / b.t.saturating_sub(a.t) as f64
    };
    let left = if cut_left { interpolate(0, window.start) } else { first.v };
    let right = if cut_right { interpolate(points.len() - 2, window.end) } else { last.v };
    let mut change = right - left;
    if counter {
        // A reset before the first point inside is in the interpolated value already.
        for pair in points[usize::from(cut_left)..].windows(2) {
            if pair[1].v < pair[0].v {
                change += pair[0].v;
            }
        }
    }
    change
}

fn histogram_change(
    points: &[HistogramPoint],
    window: &Window<'_>,
    smoothed: bool,
    counter: bool,
) -> Result<(Histogram, AddNotes), HistogramError> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Err(HistogramError::IncompatibleSchemas);
    };
    if points.iter().any(|p| p.h.uses_custom_buckets() != first.h.uses_custom_buckets()) {
        return Err(HistogramError::IncompatibleSchemas);
    }
    let (cut_left, cut_right) = cut_ends(first.t, points.len() > 1, last.t, window, smoothed);
    let at_end = |cut: bool, i: usize, at: TimeMs, point: &HistogramPoint| {
        if cut {
            interpolate_histogram(&points[i], &points[i + 1], at, counter)
        } else {
            Ok(Histogram::clone(&point.h))
        }
    };
    let left = at_end(cut_left, 0, window.start, first)?;
    let mut change = at_end(cut_right, points.len().saturating_sub(2), window.end, last)?;
    let mut notes = change.sub(&left)?;
    if counter {
        for pair in points[usize::from(cut_left)..].windows(2) {
            if pair[1].h.detect_reset(&pair[0].h) {
                notes.merge(change.add(&pair[0].h)?);
            }
        }
    }
    Ok((change, notes))
}

/// The histogram at a time between two points; of a counter that was reset between them, as if it had risen from 0.
pub(crate) fn interpolate_histogram(
    a: &HistogramPoint,
    b: &HistogramPoint,
    at: TimeMs,
    counter: bool,
) -> Result<Histogram, HistogramError> {
    if a.h.uses_custom_buckets() != b.h.uses_custom_buckets() {
        return Err(HistogramError::IncompatibleSchemas);
    }
    let fraction = at.saturating_sub(a.t) as f64 / b.t.saturating_sub(a.t) as f64;
    let mut result = Histogram::clone(&b.h);
    if counter && b.h.detect_reset(&a.h) {
        result.mul(fraction);
        return Ok(result);
    }
    result.sub(&a.h)?;
    result.mul(fraction);
    result.add(&a.h)?;
    result.counter_reset_hint = b.h.counter_reset_hint;
    Ok(result)
}
