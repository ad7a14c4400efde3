//! `*_over_time`, `changes` and `resets`.

use std::sync::Arc;

use watchglass_model::{AddNotes, FloatPoint, Histogram, HistogramSum, TimeMs};

use super::super::hints::Hints;
use super::super::kahan::{self, Mean, Variance};
use super::super::series::Point;
use super::super::window::Window;
use super::presence::interpolated_quantile;
use super::ranges::Context;

/// The points of a window in the order of time, of both kinds.
pub(crate) fn in_order<'a>(window: &Window<'a>) -> impl Iterator<Item = (TimeMs, Result<f64, &'a Arc<Histogram>>)> {
    let mut floats = window.floats.iter().peekable();
    let mut histograms = window.histograms.iter().peekable();
    std::iter::from_fn(move || match (floats.peek(), histograms.peek()) {
        (Some(f), Some(h)) if f.t > h.t => histograms.next().map(|p| (p.t, Err(&p.h))),
        (Some(_), _) => floats.next().map(|p| (p.t, Ok(p.v))),
        (None, _) => histograms.next().map(|p| (p.t, Err(&p.h))),
    })
}

// The floats, if there are any; says so where histograms lie between them.
fn floats_only<'a>(context: &mut Context<'_>, window: &Window<'a>) -> Option<&'a [FloatPoint]> {
    if window.floats.is_empty() {
        return None;
    }
    if !window.histograms.is_empty() {
        context.notes.ignored_in_mixed_range(context.span, context.metric);
    }
    Some(window.floats)
}

// True, with a warning, where floats and histograms lie in one window that can't be added up.
fn is_mixed(context: &mut Context<'_>, window: &Window<'_>) -> bool {
    let mixed = !window.floats.is_empty() && !window.histograms.is_empty();
    if mixed {
        context.notes.mixed_floats_histograms(context.span, context.metric);
    }
    mixed
}

fn histogram_sum(
    context: &mut Context<'_>,
    window: &Window<'_>,
    begin: fn(&Histogram) -> HistogramSum,
) -> Option<HistogramSum> {
    let (first, rest) = window.histograms.split_first()?;
    let mut sum = begin(&first.h);
    let mut hints = Hints::default();
    hints.see(&first.h);
    for point in rest {
        hints.see(&point.h);
        match sum.add(&point.h) {
            Ok(notes) => {
                let notes = AddNotes { counter_reset_collision: false, ..notes };
                context.notes.combined(context.span, notes, "aggregation");
            }
            Err(_) => {
                context.notes.mixed_schemas(context.span, context.metric);
                return None;
            }
        }
    }
    if hints.collide() {
        context.notes.reset_collision(context.span);
    }
    Some(sum)
}

pub(crate) fn sum(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    if is_mixed(context, window) {
        return None;
    }
    if window.floats.is_empty() {
        let sum = histogram_sum(context, window, HistogramSum::new)?;
        return Some(Point::Histogram(Arc::new(sum.sum())));
    }
    let (mut sum, mut lost) = (0.0, 0.0);
    window.floats.iter().for_each(|p| kahan::add(p.v, &mut sum, &mut lost));
    Some(Point::Float(if sum.is_infinite() { sum } else { sum + lost }))
}

pub(crate) fn avg(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    if is_mixed(context, window) {
        return None;
    }
    if window.floats.is_empty() {
        let sum = histogram_sum(context, window, HistogramSum::for_mean)?;
        return Some(Point::Histogram(Arc::new(sum.mean())));
    }
    let mut mean = Mean::default();
    window.floats.iter().for_each(|p| mean.add(p.v));
    Some(Point::Float(mean.get()))
}

pub(crate) fn count(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    Some(Point::Float((window.floats.len() + window.histograms.len()) as f64))
}

pub(crate) fn present(_: &mut Context<'_>, _: &Window<'_>) -> Option<Point> {
    Some(Point::Float(1.0))
}

pub(crate) fn last(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    match (window.floats.last(), window.histograms.last()) {
        (Some(f), h) if h.is_none_or(|h| h.t < f.t) => Some(Point::Float(f.v)),
        (_, h) => h.map(|p| Point::Histogram(p.h.clone())),
    }
}

pub(crate) fn first(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    match (window.floats.first(), window.histograms.first()) {
        (Some(f), h) if h.is_none_or(|h| h.t > f.t) => Some(Point::Float(f.v)),
        (_, h) => h.map(|p| Point::Histogram(p.h.clone())),
    }
}

fn seconds(t: Option<TimeMs>) -> Option<Point> {
    t.map(|t| Point::Float(t as f64 / 1000.0))
}

pub(crate) fn ts_of_last(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    seconds(window.floats.last().map(|p| p.t).max(window.histograms.last().map(|p| p.t)))
}

pub(crate) fn ts_of_first(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let times = [window.floats.first().map(|p| p.t), window.histograms.first().map(|p| p.t)];
    seconds(times.into_iter().flatten().min())
}

// The point that beats all before it. NaN is beaten by anything.
fn best(points: &[FloatPoint], beats: fn(f64, f64) -> bool) -> Option<FloatPoint> {
    let (first, rest) = points.split_first()?;
    Some(rest.iter().fold(*first, |best, p| if beats(p.v, best.v) || best.v.is_nan() { *p } else { best }))
}

pub(crate) fn max(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    best(floats_only(context, window)?, |a, b| a > b).map(|p| Point::Float(p.v))
}

pub(crate) fn min(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    best(floats_only(context, window)?, |a, b| a < b).map(|p| Point::Float(p.v))
}

pub(crate) fn ts_of_max(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    seconds(best(floats_only(context, window)?, |a, b| a >= b).map(|p| p.t))
}

pub(crate) fn ts_of_min(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    seconds(best(floats_only(context, window)?, |a, b| a <= b).map(|p| p.t))
}

fn variance(context: &mut Context<'_>, window: &Window<'_>) -> Option<f64> {
    let mut variance = Variance::default();
    floats_only(context, window)?.iter().for_each(|p| variance.add(p.v));
    Some(variance.get())
}

pub(crate) fn stdvar(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    variance(context, window).map(Point::Float)
}

pub(crate) fn stddev(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    variance(context, window).map(|v| Point::Float(v.sqrt()))
}

pub(crate) fn quantile(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let mut values: Vec<f64> = floats_only(context, window)?.iter().map(|p| p.v).collect();
    Some(Point::Float(interpolated_quantile(context.params[0], &mut values)))
}

/// The median of the distances from the median.
pub(crate) fn mad(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let floats = floats_only(context, window)?;
    if floats.iter().any(|p| p.v.is_nan()) {
        return Some(Point::Float(f64::NAN));
    }
    let mut values: Vec<f64> = floats.iter().map(|p| p.v).collect();
    let median = interpolated_quantile(0.5, &mut values);
    values.iter_mut().for_each(|v| *v = (*v - median).abs());
    Some(Point::Float(interpolated_quantile(0.5, &mut values)))
}

/// Counts the steps from one point to the next that the tests let through; a change of kind always is one.
pub(crate) fn count_steps(
    window: &Window<'_>,
    floats: impl Fn(f64, f64) -> bool,
    histograms: impl Fn(&Histogram, &Histogram) -> bool,
) -> f64 {
    if window.histograms.is_empty() {
        return window.floats.windows(2).filter(|w| floats(w[0].v, w[1].v)).count() as f64;
    }
    let mut count = 0u64;
    let mut before: Option<Result<f64, &Arc<Histogram>>> = None;
    for (_, point) in in_order(window) {
        if let Some(before) = before {
            count += u64::from(match (before, point) {
                (Ok(a), Ok(b)) => floats(a, b),
                (Err(a), Err(b)) => histograms(a, b),
                _ => true,
            });
        }
        before = Some(point);
    }
    count as f64
}

pub(crate) fn changes(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let differ = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
    Some(Point::Float(count_steps(window, differ, |a, b| !b.equals(a))))
}

pub(crate) fn resets(_: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    Some(Point::Float(count_steps(window, |a, b| b < a, |a, b| b.detect_reset(a))))
}
