//! Hints of counter resets that contradict each other.

use watchglass_model::{CounterResetHint, Histogram};

/// Which hints were seen among histograms that are added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hints {
    reset: bool,
    not_reset: bool,
}

impl Hints {
    /// Looks at one more histogram.
    pub(crate) fn see(&mut self, h: &Histogram) {
        self.reset |= h.counter_reset_hint == CounterResetHint::Reset;
        self.not_reset |= h.counter_reset_hint == CounterResetHint::NotReset;
    }

    /// Whether some were reset and others for sure not.
    pub(crate) fn collide(self) -> bool {
        self.reset && self.not_reset
    }
}
