//! Why an alert was sent, or was not: every decision with its reason, kept in a bounded ring per alert.

use std::collections::{BTreeMap, VecDeque};

use watchglass_model::{Labels, TimeMs};

use crate::NotifyReason;

/// One decision about one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When it was first made.
    pub at: TimeMs,
    /// When it was last made, where the same was decided several times in a row.
    pub last_at: TimeMs,
    /// How many times in a row.
    pub times: u32,
    /// The alert's fingerprint.
    pub fingerprint: u64,
    /// The alert's labels.
    pub alert: Labels,
    /// Receiver the decision is about: `name`, or `name/slack[0]` where it is about one integration. Empty: about the alert itself.
    pub receiver: String,
    /// Key of the group it was made in; empty where none was.
    pub group_key: String,
    /// What was decided, and why.
    pub reason: Reason,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Joined a group that waits for more before it is sent.
    Grouped {
        /// When the group is due.
        until: TimeMs,
    },
    /// Joined a group that was notified before, and waits for its next turn.
    Waiting {
        /// When the group is due.
        until: TimeMs,
    },
    /// Kept quiet by another alert.
    Inhibited {
        /// That alert's fingerprint.
        by: u64,
        /// Its labels.
        source: Labels,
        /// The rule: its name, else its position counted from 1.
        rule: String,
    },
    /// Kept quiet by silences.
    Silenced {
        /// Their ids.
        by: Vec<String>,
        /// When the last of them ends.
        until: TimeMs,
    },
    /// The route is muted now.
    Muted {
        /// Names of the time intervals.
        by: Vec<String>,
        /// When that ends, where that is within the next 31 days.
        until: Option<TimeMs>,
    },
    /// The receiver knows already.
    Deduplicated {
        /// When it would be told again if nothing changed.
        until: TimeMs,
    },
    /// Over before anybody was told of it, so nobody is.
    ResolvedUnsent,
    /// A notification with it was issued.
    Notifying {
        /// Why now.
        why: NotifyReason,
        /// Attempts before that failed.
        attempt: u32,
    },
    /// The receiver took it.
    Sent {
        /// Whether as a resolved alert.
        resolved: bool,
    },
    /// The receiver did not take it.
    Failed {
        /// Why.
        error: String,
        /// When it is tried again with what is true then.
        retry_at: TimeMs,
    },
    /// The attempt before has no outcome yet, so that nothing new is issued.
    InFlight,
    /// The receiver has nothing to send by.
    NoIntegration,
    /// Not taken: the alert is not valid, or there are too many.
    Refused {
        /// Why.
        error: String,
    },
}

/// Decisions kept of one alert: a day of an alert that is told every few hours, with room for an outage's attempts.
const MAX_DECISIONS: usize = 64;
/// Alerts of which decisions are kept; of more, those are forgotten that were decided about the longest ago.
const MAX_ALERTS: usize = 10_000;
/// For how long an alert's decisions are kept after the last one, ms.
const KEPT_FOR: i64 = 7 * 86_400_000;

/// The rings of decisions, by the alert's fingerprint.
#[derive(Default)]
pub(crate) struct Journal {
    rings: BTreeMap<u64, Ring>,
}

struct Ring {
    labels: Labels,
    decisions: VecDeque<Decision>,
    last_at: TimeMs,
}

impl Journal {
    /// Notes a decision. Where the last one about the same receiver and group says the same, that one is counted up.
    pub(crate) fn note(&mut self, alert: (u64, &Labels), receiver: &str, group_key: &str, reason: Reason, now: TimeMs) {
        let (fingerprint, labels) = alert;
        if !self.rings.contains_key(&fingerprint) && self.rings.len() >= MAX_ALERTS + MAX_ALERTS / 8 {
            self.trim();
        }
        let ring = self.rings.entry(fingerprint).or_insert_with(|| Ring {
            labels: labels.clone(),
            decisions: VecDeque::new(),
            last_at: now,
        });
        ring.last_at = now;
        let same_place = |d: &&mut Decision| d.receiver == receiver && d.group_key == group_key;
        if let Some(last) = ring.decisions.iter_mut().rev().find(same_place)
            && repeats(&last.reason, &reason)
        {
            (last.last_at, last.times, last.reason) = (now, last.times.saturating_add(1), reason);
            return;
        }
        if ring.decisions.len() == MAX_DECISIONS {
            ring.decisions.pop_front();
        }
        ring.decisions.push_back(Decision {
            at: now,
            last_at: now,
            times: 1,
            fingerprint,
            alert: ring.labels.clone(),
            receiver: receiver.to_owned(),
            group_key: group_key.to_owned(),
            reason,
        });
    }

    /// Decisions about alerts whose labels pass, by time.
    pub(crate) fn matching(&self, wanted: impl Fn(u64, &Labels) -> bool) -> Vec<Decision> {
        let rings = self.rings.iter().filter(|(fingerprint, ring)| wanted(**fingerprint, &ring.labels));
        let mut found: Vec<Decision> = rings.flat_map(|(_, ring)| ring.decisions.iter().cloned()).collect();
        found.sort_by_key(|d| d.at);
        found
    }

    /// Forgets what is too old, and of too many the oldest.
    pub(crate) fn collect_garbage(&mut self, now: TimeMs) {
        self.rings.retain(|_, ring| ring.last_at.saturating_add(KEPT_FOR) > now);
        self.trim();
    }

    fn trim(&mut self) {
        let excess = self.rings.len().saturating_sub(MAX_ALERTS);
        if excess > 0 {
            let mut ages: Vec<(TimeMs, u64)> = self.rings.iter().map(|(f, r)| (r.last_at, *f)).collect();
            ages.sort_unstable();
            ages.iter().take(excess).for_each(|(_, f)| drop(self.rings.remove(f)));
        }
    }
}

/// Whether a decision says the same again. What was sent is listed each time.
fn repeats(last: &Reason, new: &Reason) -> bool {
    match (last, new) {
        (Reason::Failed { error: a, .. }, Reason::Failed { error: b, .. }) => a == b,
        (Reason::Silenced { by: a, .. }, Reason::Silenced { by: b, .. }) => a == b,
        (Reason::Muted { by: a, .. }, Reason::Muted { by: b, .. }) => a == b,
        (Reason::Sent { .. } | Reason::Notifying { .. }, _) => false,
        (a, b) => a == b,
    }
}
