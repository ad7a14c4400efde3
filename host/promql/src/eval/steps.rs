//! The grid of times an expression is evaluated at.

use watchglass_model::TimeMs;

/// `start`, `start + interval` and so on, `count` times in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// The first time.
    pub(crate) start: TimeMs,
    /// Milliseconds between two times; never 0.
    pub(crate) interval: i64,
    /// How many.
    pub(crate) count: usize,
}

impl Steps {
    /// One time only.
    pub(crate) fn once(at: TimeMs) -> Steps {
        Steps { start: at, interval: 1, count: 1 }
    }

    /// All times from `start` to `end`; none where `end` lies before.
    pub(crate) fn between(start: TimeMs, end: TimeMs, interval: i64) -> Steps {
        let interval = interval.max(1);
        let count = if end < start { 0 } else { (end.saturating_sub(start) / interval).saturating_add(1) };
        Steps { start, interval, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }

    /// The time of a step.
    pub(crate) fn at(&self, step: usize) -> TimeMs {
        self.start.saturating_add(self.interval.saturating_mul(step as i64))
    }

    /// The last time.
    pub(crate) fn last(&self) -> TimeMs {
        self.at(self.count.saturating_sub(1))
    }

    /// The times, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TimeMs> + use<> {
        let steps = *self;
        (0..steps.count).map(move |i| steps.at(i))
    }
}
