//! `irate` and `idelta`: from the last two points of a range.

use std::sync::Arc;

use watchglass_model::{AddNotes, CounterResetHint, Histogram, TimeMs};

use super::super::series::Point;
use super::super::window::Window;
use super::over_time::in_order;
use super::ranges::Context;

pub(crate) fn irate(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    instant(context, window, true, &|_| false)
}

pub(crate) fn idelta(context: &mut Context<'_>, window: &Window<'_>) -> Option<Point> {
    instant(context, window, false, &|_| false)
}

type Kind<'a> = Result<f64, &'a Arc<Histogram>>;

/// The last two points of a window, of whichever kind.
pub(crate) fn last_two<'a>(window: &Window<'a>) -> Option<[(TimeMs, Kind<'a>); 2]> {
    let tail = Window {
        floats: &window.floats[window.floats.len().saturating_sub(2)..],
        histograms: &window.histograms[window.histograms.len().saturating_sub(2)..],
        ..*window
    };
    let points: Vec<_> = in_order(&tail).collect();
    let skip = points.len().checked_sub(2)?;
    Some([points[skip], points[skip + 1]])
}

/// `restarted` says of the time of a point before that the counter began anew behind it, whatever the values say.
pub(crate) fn instant(
    context: &mut Context<'_>,
    window: &Window<'_>,
    per_second: bool,
    restarted: &dyn Fn(&Window<'_>) -> bool,
) -> Option<Point> {
    let [(t0, a), (t1, b)] = last_two(window)?;
    let seconds = t1.saturating_sub(t0) as f64 / 1000.0;
    if seconds == 0.0 {
        return None;
    }
    match (a, b) {
        (Ok(a), Ok(b)) => {
            let change = if per_second && (b < a || restarted(window)) { b } else { b - a };
            Some(Point::Float(if per_second { change / seconds } else { change }))
        }
        (Err(a), Err(b)) => {
            let gauge = |h: &Histogram| h.counter_reset_hint == CounterResetHint::Gauge;
            if per_second && (gauge(a) || gauge(b)) {
                context.notes.not_a_counter(context.span, context.metric);
            }
            let gauges = gauge(a) && gauge(b);
            if !per_second && !gauges {
                context.notes.not_a_gauge(context.span, context.metric);
            }
            let mut change = Histogram::clone(b);
            if !per_second || !(b.detect_reset(a) || restarted(window)) {
                match change.sub(a) {
                    Ok(notes) => {
                        let notes = AddNotes { counter_reset_collision: false, ..notes };
                        context.notes.combined(context.span, notes, "subtraction");
                    }
                    Err(_) => {
                        context.notes.mixed_schemas(context.span, context.metric);
                        return None;
                    }
                }
            }
            change.counter_reset_hint = CounterResetHint::Gauge;
            change.compact(0);
            if per_second {
                change.div(seconds);
            }
            Some(Point::Histogram(Arc::new(change)))
        }
        _ => {
            context.notes.mixed_floats_histograms(context.span, context.metric);
            None
        }
    }
}
