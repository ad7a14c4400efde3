//! Alerts on their way from a rule to a receiver.

use crate::{Labels, TimeMs};

/// An alert as Alertmanager's API v2 takes it: what a rule sends, and what routing works on. Its labels are its identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Identity, `alertname` included.
    pub labels: Labels,
    /// Texts for people; they change without making another alert.
    pub annotations: Labels,
    /// Since when it has been firing.
    pub starts_at: TimeMs,
    /// When it ended, or until when it counts as firing if nobody renews it. Resolved as soon as it is not after now.
    pub ends_at: TimeMs,
    /// Where to see the expression; may be empty.
    pub generator_url: String,
}

impl Alert {
    /// Whether it has ended.
    pub fn resolved_at(&self, now: TimeMs) -> bool {
        self.ends_at <= now
    }
}
