//! A group's turn: what of it is to be told, to whom, and what became of that.
//!
//! The order is Alertmanager's: inhibition, active and mute intervals, silences; then for each integration by itself
//! deduplication against the log, sending, and noting what was told.

use std::cmp::Ordering;

use watchglass_model::{Labels, TimeMs};

use crate::group::{Group, GroupId, IntegrationState};
use crate::machine::Pending;
use crate::nflog::{Current, reason_to_notify};
use crate::timeinterval::intervals_at;
use crate::{
    AlertState, Alerts, IntegrationSpec, LogKey, Notification, NotificationId, NotifiedAlert, NotifyReason, Outcome,
    Reason,
};

/// The shortest time an attempt is given, ms.
const MIN_TIMEOUT: i64 = 10_000;
/// The pause after a first failure, ms; half as much again after each further one.
const FIRST_PAUSE: i64 = 500;
/// The longest pause, ms.
const MAX_PAUSE: i64 = 60_000;
/// The longest that a receiver's wish to be left alone is honoured, ms: a wrong `Retry-After` must not silence it for a day.
const MAX_RETRY_AFTER: i64 = 3_600_000;
/// How long after its deadline an outcome is awaited, ms. Whoever sends reports one in any case; if it doesn't, the group must not
/// fall silent for good.
const OUTCOME_GRACE: i64 = 600_000;
/// How far ahead the end of a mute interval is looked for, ms.
const MUTE_HORIZON: i64 = 31 * 86_400_000;

/// What a group has to tell at one time, after inhibition, intervals and silences.
struct Snapshot {
    alerts: Vec<u64>,
    current: Current,
    version: u64,
    at: TimeMs,
}

impl Alerts {
    /// Gives what is to be sent now. Each needs its [`Alerts::outcome`], before which its group and integration have nothing new.
    pub fn step(&mut self, now: TimeMs) -> Vec<Notification> {
        self.maintain(now);
        self.give_up_on_missing_outcomes(now);
        if now < self.starts_at {
            return Vec::new();
        }
        let is_due = |group: &Group| group.wakes_at().is_some_and(|at| at <= now);
        let due: Vec<GroupId> = self.groups.iter().filter(|(_, g)| is_due(g)).map(|(id, _)| id.clone()).collect();
        let mut issued = Vec::new();
        for id in due {
            if let Some(mut group) = self.groups.remove(&id) {
                self.turn(&id, &mut group, now, &mut issued);
                self.put_back(id, group);
            }
        }
        issued
    }

    /// One group: all its integrations if it is its turn, else those that are to be tried again.
    fn turn(&mut self, id: &GroupId, group: &mut Group, now: TimeMs, issued: &mut Vec<Notification>) {
        let its_turn = group.next_at <= now && !group.alerts.is_empty();
        if its_turn {
            group.has_flushed = true;
            // What the start delay held back has its first turn at its end, not before.
            group.next_at = group.next_at.max(self.starts_at);
            group.advance(self.tree.node(id.0).group_interval, now);
        }
        let snapshot = self.snapshot(id, group, now);
        let specs = self.config.receiver(&group.receiver).to_vec();
        if specs.is_empty() {
            for fingerprint in &snapshot.alerts {
                self.note(*fingerprint, &group.receiver, &group.key, Reason::NoIntegration, now);
            }
        }
        for (position, spec) in specs.iter().enumerate() {
            let due = group.integrations[position].retry_at.is_some_and(|at| at <= now);
            if its_turn || due {
                issued.extend(self.integration_turn(id, group, (position, spec), &snapshot, now));
            }
        }
        self.forget_settled(group, now);
    }

    /// What the group has to tell now.
    fn snapshot(&mut self, id: &GroupId, group: &Group, now: TimeMs) -> Snapshot {
        let mut passing = Vec::with_capacity(group.alerts.len());
        for fingerprint in group.alerts.keys() {
            let Some(stored) = self.store.get(*fingerprint) else { continue };
            let labels = stored.alert.labels.clone();
            if let Some(inhibited) = self.inhibitor.inhibits(&labels, &self.store, now) {
                let source = self.store.get(inhibited.by).map_or_else(Labels::empty, |s| s.alert.labels.clone());
                let reason = Reason::Inhibited { by: inhibited.by, source, rule: inhibited.rule };
                self.counts.suppressed_inhibited += 1;
                self.journal.note((*fingerprint, &labels), &group.receiver, &group.key, reason, now);
            } else {
                passing.push((*fingerprint, labels));
            }
        }
        self.update_muted(id.0, now);
        if let Some((by, until)) = self.muted.get(&id.0) {
            let active = &self.tree.node(id.0).active_time_intervals;
            let inactive = !active.is_empty() && by == active;
            for (fingerprint, labels) in passing.drain(..) {
                let reason = Reason::Muted { by: by.clone(), until: *until };
                let counts = &mut self.counts;
                *if inactive { &mut counts.suppressed_inactive } else { &mut counts.suppressed_muted } += 1;
                self.journal.note((fingerprint, &labels), &group.receiver, &group.key, reason, now);
            }
        }
        passing.retain(|(fingerprint, labels)| {
            let silences = self.silences.silencing(labels, now);
            let Some(until) = silences.iter().map(|s| s.ends_at).max() else { return true };
            let reason = Reason::Silenced { by: silences.iter().map(|s| s.id.clone()).collect(), until };
            self.counts.suppressed_silenced += 1;
            self.journal.note((*fingerprint, labels), &group.receiver, &group.key, reason, now);
            false
        });
        let mut current = Current::default();
        for (fingerprint, _) in &passing {
            let over = self.store.get(*fingerprint).is_some_and(|s| s.alert.resolved_at(now));
            if over { current.resolved.push(*fingerprint) } else { current.firing.push(*fingerprint) }
        }
        passing.sort_by(|a, b| display_order(&a.1, &b.1));
        let alerts = passing.into_iter().map(|(fingerprint, _)| fingerprint).collect();
        Snapshot { alerts, current, version: self.store.version(), at: now }
    }

    /// Finds out which intervals mute a route now, and until when. The end is looked for once for all groups of the route.
    fn update_muted(&mut self, route: usize, now: TimeMs) {
        let by = self.muted_by(route, now);
        if by.is_empty() {
            self.muted.remove(&route);
            return;
        }
        let known = self.muted.get(&route);
        if known.is_some_and(|(old, until)| *old == by && until.is_none_or(|until| now < until)) {
            return;
        }
        // Intervals change at full minutes.
        let minute = now - now.rem_euclid(60_000);
        let mut minutes = (1..=MUTE_HORIZON / 60_000).map(|n| minute + n * 60_000);
        let until = minutes.find(|at| self.muted_by(route, *at).is_empty());
        self.muted.insert(route, (by, until));
    }

    /// Names of the intervals that mute a route at a time: its mute intervals that hold, or its active ones if none holds.
    pub(crate) fn muted_by(&self, route: usize, at: TimeMs) -> Vec<String> {
        let node = self.tree.node(route);
        let active = &node.active_time_intervals;
        if !active.is_empty() && intervals_at(active, &self.config.time_intervals, at).is_empty() {
            return active.clone();
        }
        let muting = intervals_at(&node.mute_time_intervals, &self.config.time_intervals, at);
        muting.into_iter().map(str::to_owned).collect()
    }

    /// One integration: finds out whether it has to be told, and if so issues the notification.
    fn integration_turn(
        &mut self,
        id: &GroupId,
        group: &mut Group,
        (position, spec): (usize, &IntegrationSpec),
        snapshot: &Snapshot,
        now: TimeMs,
    ) -> Option<Notification> {
        let place = format!("{}/{}[{}]", group.receiver, spec.kind, spec.index);
        let state = &mut group.integrations[position];
        if state.in_flight.is_some() {
            state.again = true;
            for fingerprint in &snapshot.alerts {
                self.note(*fingerprint, &place, &group.key, Reason::InFlight, now);
            }
            return None;
        }
        if now < state.not_before {
            state.retry_at = Some(state.not_before);
            return None;
        }
        state.retry_at = None;
        let node = self.tree.node(id.0);
        let (repeat_interval, group_interval) = (node.repeat_interval, node.group_interval);
        let route_labels = node.labels.clone();
        let log_key = LogKey {
            group_key: group.key.clone(),
            receiver: group.receiver.clone(),
            integration: spec.kind.clone(),
            index: spec.index,
        };
        let entry = self.log.get(&log_key, now);
        let current = &snapshot.current;
        // What is left of a group after inhibition, intervals and silences may be nothing: then nothing is told of it, not even
        // that all is over.
        let reason = if snapshot.alerts.is_empty() {
            None
        } else {
            reason_to_notify(entry, current, spec.send_resolved, repeat_interval, now)
        };
        let Some(reason) = reason else {
            let told_at = entry.and_then(|e| e.notified_at);
            state.settle(snapshot.version, snapshot.at);
            self.log.settled(&log_key);
            self.note_untold(&group.key, &place, snapshot, told_at.map(|at| at + repeat_interval), now);
            return None;
        };
        if current.firing.is_empty() && !spec.send_resolved {
            let expires_at = self.log_expiry((repeat_interval, group_interval), now);
            let data = entry.map(|e| e.receiver_data.clone()).unwrap_or_default();
            self.log.told(&log_key, current, data, now, expires_at);
            state.settle(snapshot.version, snapshot.at);
            return None;
        }
        let receiver_data = entry.map(|e| e.receiver_data.clone()).unwrap_or_default();
        let attempt = state.failures;
        self.next_id += 1;
        let notification_id = NotificationId(self.next_id);
        state.in_flight = Some(notification_id);
        let mut alerts = Vec::with_capacity(snapshot.alerts.len());
        let mut told = Vec::with_capacity(snapshot.alerts.len());
        for fingerprint in &snapshot.alerts {
            let Some(stored) = self.store.get(*fingerprint) else { continue };
            let over = stored.alert.resolved_at(snapshot.at);
            if over && !spec.send_resolved {
                continue;
            }
            let state = if over { AlertState::Resolved } else { AlertState::Firing };
            told.push((*fingerprint, stored.alert.labels.clone(), over));
            alerts.push(NotifiedAlert { alert: stored.alert.clone(), state });
        }
        if attempt == 0 {
            for (fingerprint, labels, _) in &told {
                let decision = Reason::Notifying { why: reason, attempt };
                self.journal.note((*fingerprint, labels), &place, &group.key, decision, now);
            }
        }
        let pending = Pending {
            group: Some(id.clone()),
            position,
            log_key,
            told: current.clone(),
            alerts: told,
            version: snapshot.version,
            at: now,
            deadline: group.next_at.max(now.saturating_add(MIN_TIMEOUT)),
            intervals: (repeat_interval, group_interval),
        };
        let deadline = pending.deadline;
        self.in_flight.insert(notification_id, pending);
        Some(Notification {
            id: notification_id,
            receiver: group.receiver.clone(),
            integration: spec.clone(),
            position,
            group_key: group.key.clone(),
            group_labels: id.1.clone(),
            route_labels,
            alerts,
            reason,
            repeat: reason == NotifyReason::RepeatInterval,
            attempt,
            at: now,
            deadline,
            receiver_data,
        })
    }

    /// Tells what became of a notification. An id that isn't awaited (any more) is ignored; the result says so.
    pub fn outcome(&mut self, id: NotificationId, outcome: Outcome, now: TimeMs) -> bool {
        let Some(pending) = self.in_flight.remove(&id) else { return false };
        let key = &pending.log_key;
        let place = format!("{}/{}[{}]", key.receiver, key.integration, key.index);
        let failure = match outcome {
            Outcome::Sent { receiver_data } => {
                let expires_at = self.log_expiry(pending.intervals, now);
                self.log.told(key, &pending.told, receiver_data, now, expires_at);
                for (fingerprint, labels, resolved) in &pending.alerts {
                    let reason = Reason::Sent { resolved: *resolved };
                    self.journal.note((*fingerprint, labels), &place, &key.group_key, reason, now);
                }
                None
            }
            Outcome::Failed { error, retry, retry_after } => {
                let expires_at = now.saturating_add(self.config.options.retention);
                self.log.owed(key, &pending.told.firing, now, expires_at);
                Some((error, retry, retry_after.unwrap_or(0).clamp(0, MAX_RETRY_AFTER)))
            }
        };
        let Some(group_id) = &pending.group else { return true };
        let Some(mut group) = self.groups.remove(group_id) else { return true };
        if let Some(state) = group.integrations.get_mut(pending.position) {
            state.in_flight = None;
            let turn_missed = std::mem::take(&mut state.again);
            match failure {
                None => {
                    state.settle(pending.version, pending.at);
                    state.retry_at = turn_missed.then_some(now);
                }
                Some((error, retry, retry_after)) => {
                    state.failures = state.failures.saturating_add(1);
                    state.not_before = now.saturating_add(retry_after);
                    let pause = pause_after(state.failures, &pending.log_key);
                    let soon = now.saturating_add(pause).max(state.not_before);
                    state.retry_at = (turn_missed || retry || retry_after > 0).then_some(soon);
                    // The group's turn is an attempt too.
                    let turn = group.next_at.max(state.not_before);
                    let retry_at = state.retry_at.map_or(turn, |at| at.min(turn));
                    for (fingerprint, labels, _) in &pending.alerts {
                        let reason = Reason::Failed { error: error.clone(), retry_at };
                        self.journal.note((*fingerprint, labels), &place, &group.key, reason, now);
                    }
                }
            }
        }
        self.forget_settled(&mut group, now);
        self.put_back(group_id.clone(), group);
        true
    }

    /// Keeps a group, unless nothing is left of it: an alert that comes back then makes a new one, and waits as for a new one.
    fn put_back(&mut self, id: GroupId, group: Group) {
        if !group.is_done() {
            self.groups.insert(id, group);
        }
    }

    /// When [`Alerts::step`] has something to do next, if nothing comes in before. A time that is not after `now` means: at once.
    pub fn next_wake(&self, now: TimeMs) -> Option<TimeMs> {
        let turns = self.groups.values().filter_map(Group::wakes_at).map(|at| at.max(self.starts_at));
        let outcomes = self.in_flight.values().map(|p| p.deadline.saturating_add(OUTCOME_GRACE));
        turns.chain(outcomes).min().map(|at| at.max(now))
    }

    fn give_up_on_missing_outcomes(&mut self, now: TimeMs) {
        let late = |p: &Pending| p.deadline.saturating_add(OUTCOME_GRACE) <= now;
        let missing: Vec<NotificationId> = self.in_flight.iter().filter(|(_, p)| late(p)).map(|(id, _)| *id).collect();
        for id in missing {
            self.counts.outcomes_missed += 1;
            self.outcome(id, Outcome::failed("no outcome was reported"), now);
        }
    }

    /// When an entry of the log may be forgotten: after two repeat intervals it has no more to say. But never before the group's
    /// turn after the next, lest a repeat interval shorter than the group's lose what is over.
    fn log_expiry(&self, intervals: (i64, i64), now: TimeMs) -> TimeMs {
        let (repeat_interval, group_interval) = intervals;
        let needed = repeat_interval.max(group_interval).saturating_mul(2);
        now.saturating_add(self.config.options.retention.min(needed))
    }

    /// Notes why nothing is told.
    fn note_untold(&mut self, key: &str, place: &str, snapshot: &Snapshot, repeats_at: Option<TimeMs>, now: TimeMs) {
        for fingerprint in &snapshot.alerts {
            let reason = match repeats_at {
                Some(until) => Reason::Deduplicated { until },
                None => Reason::ResolvedUnsent,
            };
            self.note(*fingerprint, place, key, reason, now);
        }
    }

    fn note(&mut self, fingerprint: u64, place: &str, key: &str, reason: Reason, now: TimeMs) {
        if let Some(stored) = self.store.get(fingerprint) {
            self.journal.note((fingerprint, &stored.alert.labels), place, key, reason, now);
        }
    }

    /// Takes alerts out of the group that are over and that every integration has dealt with.
    fn forget_settled(&mut self, group: &mut Group, now: TimeMs) {
        let settled = |(fingerprint, version): (&u64, &u64)| {
            let ends_at = self.store.get(*fingerprint).map_or(TimeMs::MIN, |s| s.alert.ends_at);
            group.is_settled(*version, ends_at, now).then_some(*fingerprint)
        };
        let done: Vec<u64> = group.alerts.iter().filter_map(settled).collect();
        for fingerprint in done {
            group.alerts.remove(&fingerprint);
            if let Some(labels) = self.store.release(fingerprint) {
                self.inhibitor.remove(fingerprint, &labels);
            }
        }
    }
}

impl IntegrationState {
    /// Notes that all up to this version, as it stood then, is dealt with.
    fn settle(&mut self, version: u64, at: TimeMs) {
        self.settled = Some((version, at));
        self.failures = 0;
        self.retry_at = None;
        self.not_before = TimeMs::MIN;
    }
}

/// The pause after so many failures in a row: grows by half each time, with up to half as much on top, so that groups that
/// failed together don't come back together. The spread comes from the log key, not from a random source.
fn pause_after(failures: u32, key: &LogKey) -> i64 {
    let grown = FIRST_PAUSE as f64 * 1.5f64.powi(failures.saturating_sub(1).min(30) as i32);
    let pause = grown.min(MAX_PAUSE as f64);
    let seed =
        Labels::from_pairs([("key", key.group_key.as_str()), ("to", &key.receiver), ("n", &failures.to_string())]);
    let spread = (seed.fingerprint() >> 11) as f64 / (1u64 << 53) as f64;
    (pause * (1.0 + spread / 2.0)) as i64
}

/// Alertmanager's order of alerts in a notification: by `job`, by `instance` (those that have them first), then those with fewer
/// labels, then by labels, where of two the one that lacks a name comes first.
pub(crate) fn display_order(a: &Labels, b: &Labels) -> Ordering {
    let by_label = |name: &str| match (a.get(name), b.get(name)) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    by_label("job").then_with(|| by_label("instance")).then_with(|| by_labels(a, b))
}

/// Go's order of label sets: fewer labels first; else at the first name that differs the one without it, or the lesser value.
pub(crate) fn by_labels(a: &Labels, b: &Labels) -> Ordering {
    let pairs = a.iter().zip(b.iter()).map(|((a_name, a_value), (b_name, b_value))| {
        // Names are in order: the lesser one is what the other set lacks.
        b_name.cmp(a_name).then_with(|| a_value.cmp(b_value))
    });
    a.len().cmp(&b.len()).then_with(|| pairs.into_iter().find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
}
