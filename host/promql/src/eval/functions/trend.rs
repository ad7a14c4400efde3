//! `deriv`, `predict_linear` and `double_exponential_smoothing`.

use watchglass_model::{FloatPoint, TimeMs};

use super::super::kahan;
use super::super::series::Point;
use super::super::window::Window;
use super::ranges::Context;

// At least two floats; says so where histograms lie between them.
fn floats_only<'a>(context: &mut Context<'_>, window: &Window<'a>) -> Option<&'a [FloatPoint]> {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        context.notes.ignored_in_mixed_range(context.span, context.metric);
    }
    (window.floats.len() >= 2).then_some(window.floats)
}

pub(crate) fn deriv(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let floats = floats_only(context, window)?;
    // Times are taken from the first point on: as Unix times they'd cost the precision.
    Some(Point::Float(regression(floats, floats.first()?.t).0))
}

pub(crate) fn predict_linear(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let (slope, intercept) = regression(floats_only(context, window)?, window.at);
    Some(Point::Float(slope * context.params[0] + intercept))
}

/// The least-squares line through points: its slope per second, and its value at `origin`.
fn regression(points: &[FloatPoint], origin: TimeMs) -> (f64, f64) {
    let first = points.first().map_or(f64::NAN, |p| p.v);
    if points.iter().all(|p| p.v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let mut sums = [(0.0, 0.0); 4];
    for p in points {
        let x = p.t.saturating_sub(origin) as f64 / 1e3;
        for ((sum, lost), v) in sums.iter_mut().zip([x, p.v, x * p.v, x * x]) {
            kahan::add(v, sum, lost);
        }
    }
    let [x, y, xy, xx] = sums.map(|(sum, lost)| sum + lost);
    let n = points.len() as f64;
    let covariance = xy - x * y / n;
    let variance = xx - x * x / n;
    let slope = covariance / variance;
    (slope, y / n - slope * x / n)
}

/// Holt's linear method: a smoothed value and a smoothed trend.
pub(crate) fn double_exponential_smoothing(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    let floats = floats_only(context, window)?;
    let [smoothing, trending] = context.params;
    let (mut before, mut value) = (0.0, floats[0].v);
    let mut trend = floats[1].v - floats[0].v;
    for (i, p) in floats.iter().enumerate().skip(1) {
        if i > 1 {
            trend = trending * (value - before) + (1.0 - trending) * trend;
        }
        (before, value) = (value, smoothing * p.v + (1.0 - smoothing) * (value + trend));
    }
    Some(Point::Float(value))
}
