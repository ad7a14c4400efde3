//! Groups: alerts of one route that are told together.

use std::collections::BTreeMap;

use watchglass_model::{Labels, TimeMs};

use crate::{IntegrationSpec, NotificationId};

/// Which group: its route's index in the tree, and the labels it was made by.
pub(crate) type GroupId = (usize, Labels);

/// Alerts of one route that are told together.
pub(crate) struct Group {
    /// Its key, as the log and receivers see it.
    pub(crate) key: String,
    /// Name of its receiver.
    pub(crate) receiver: String,
    /// When it has its next turn.
    pub(crate) next_at: TimeMs,
    /// Whether it has had one.
    pub(crate) has_flushed: bool,
    /// Fingerprints of its alerts, with the version at which each came in or was changed.
    pub(crate) alerts: BTreeMap<u64, u64>,
    /// One for each integration of its receiver.
    pub(crate) integrations: Vec<IntegrationState>,
}

/// Where one integration of a group stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct IntegrationState {
    /// The notification whose outcome is awaited.
    pub(crate) in_flight: Option<NotificationId>,
    /// A turn went by meanwhile: to be looked at as soon as the outcome is there.
    pub(crate) again: bool,
    /// When to try again after a failure.
    pub(crate) retry_at: Option<TimeMs>,
    /// Until when the receiver asked to be left alone.
    pub(crate) not_before: TimeMs,
    /// Attempts that failed in a row.
    pub(crate) failures: u32,
    /// What was settled last (told, or found not worth telling): the store's version and the time.
    pub(crate) settled: Option<(u64, TimeMs)>,
}

impl Group {
    pub(crate) fn new(key: String, next_at: TimeMs, receiver: &str, integrations: &[IntegrationSpec]) -> Group {
        Group {
            key,
            receiver: receiver.to_owned(),
            next_at,
            has_flushed: false,
            alerts: BTreeMap::new(),
            integrations: vec![IntegrationState::default(); integrations.len()],
        }
    }

    /// Takes over where the group of the same key stood under the configuration before.
    pub(crate) fn go_on_from(&mut self, old: &Group, old_specs: &[IntegrationSpec], specs: &[IntegrationSpec]) {
        self.next_at = old.next_at;
        self.has_flushed = old.has_flushed;
        for (spec, state) in specs.iter().zip(&mut self.integrations) {
            let same = old_specs.iter().position(|s| (&s.kind, s.index) == (&spec.kind, spec.index));
            if let Some(before) = same.and_then(|at| old.integrations.get(at)) {
                *state = before.clone();
            }
        }
    }

    /// Whether nothing is left of it: no alerts, and no outcome that is awaited.
    pub(crate) fn is_done(&self) -> bool {
        self.alerts.is_empty() && self.integrations.iter().all(|i| i.in_flight.is_none())
    }

    /// When it has something to do next.
    pub(crate) fn wakes_at(&self) -> Option<TimeMs> {
        let turn = (!self.alerts.is_empty()).then_some(self.next_at);
        let retries = self.integrations.iter().filter(|i| i.in_flight.is_none()).filter_map(|i| i.retry_at);
        turn.into_iter().chain(retries).min()
    }

    /// Sets the next turn after one at `now`. Turns keep their distance though a step comes late; what was slept over is left out.
    pub(crate) fn advance(&mut self, interval: i64, now: TimeMs) {
        let next = self.next_at.saturating_add(interval);
        self.next_at = if next > now { next } else { now.saturating_add(interval) };
    }

    /// Whether every integration has settled this alert as it is: it may be forgotten if it was over by then. Where nobody is told,
    /// it is kept for as long as it fires: it may inhibit others, and it is shown.
    pub(crate) fn is_settled(&self, version: u64, ends_at: TimeMs, now: TimeMs) -> bool {
        if self.integrations.is_empty() {
            return ends_at <= now;
        }
        self.integrations.iter().all(|i| i.settled.is_some_and(|(v, at)| version <= v && ends_at <= at))
    }
}
