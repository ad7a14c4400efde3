//! The machine: what comes in, and what is kept.

use std::collections::BTreeMap;

use watchglass_model::{Alert, Labels, Matcher, TimeMs};

use crate::explain::Journal;
use crate::group::{Group, GroupId};
use crate::inhibit::Inhibitor;
use crate::nflog::{Current, NotificationLog};
use crate::silence::Silences;
use crate::store::Store;
use crate::{
    Changes, Decision, IntegrationSpec, LogKey, NotificationId, Reason, ReceiverSpec, RouteTree, RoutingConfig,
    RoutingError, SavedState, Silence, SilenceError,
};

/// How often expired silences, old log entries and old decisions are cleared away, ms.
const MAINTENANCE_INTERVAL: i64 = 30_000;

/// An alert as `POST /api/v2/alerts` takes it: without times that are not given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostedAlert {
    /// Identity. Empty values are dropped.
    pub labels: Labels,
    /// Texts.
    pub annotations: Labels,
    /// Since when; default now, or the end where there is one.
    pub starts_at: Option<TimeMs>,
    /// When it ended; default the resolve timeout from now.
    pub ends_at: Option<TimeMs>,
    /// Where to see the expression.
    pub generator_url: String,
}

/// Why an alert was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// It has no labels, so no identity.
    #[error("at least one label pair required")]
    NoLabels,
    /// A label without a name.
    #[error("invalid label set: invalid name \"\"")]
    UnnamedLabel,
    /// An annotation without a name.
    #[error("invalid annotations: invalid name \"\"")]
    UnnamedAnnotation,
    /// It ends before it starts.
    #[error("start time must be before end time")]
    EndsBeforeStart,
    /// There are too many.
    #[error("{0} alerts are held, which is the limit: new ones are refused until some are resolved")]
    TooMany(usize),
}

/// Counts since the machine began, and sizes as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts taken in while they fired.
    pub received_firing: u64,
    /// Alerts taken in as resolved.
    pub received_resolved: u64,
    /// Alerts not taken in: not valid.
    pub refused_invalid: u64,
    /// Alerts not taken in: too many.
    pub refused_limit: u64,
    /// Times that an alert was left out of a turn of its group: inhibited.
    pub suppressed_inhibited: u64,
    /// The same: silenced.
    pub suppressed_silenced: u64,
    /// The same: muted by a time interval.
    pub suppressed_muted: u64,
    /// The same: outside of all active time intervals.
    pub suppressed_inactive: u64,
    /// Notifications given up on because no outcome was reported.
    pub outcomes_missed: u64,
    /// Alerts held.
    pub alerts: usize,
    /// Groups held.
    pub groups: usize,
    /// Silences held, expired ones included.
    pub silences: usize,
    /// Entries of the notification log.
    pub log_entries: usize,
    /// Notifications whose outcome is awaited.
    pub in_flight: usize,
}

/// A notification whose outcome is awaited.
pub(crate) struct Pending {
    /// Its group; `None` where a reload took that away.
    pub(crate) group: Option<GroupId>,
    /// Which of the receiver's integrations.
    pub(crate) position: usize,
    pub(crate) log_key: LogKey,
    /// What it told.
    pub(crate) told: Current,
    /// Fingerprints and labels of what it told, for the journal.
    pub(crate) alerts: Vec<(u64, Labels, bool)>,
    /// The store's version when it was issued.
    pub(crate) version: u64,
    /// When it was issued.
    pub(crate) at: TimeMs,
    /// By when the attempt is to be given up.
    pub(crate) deadline: TimeMs,
    /// Its route's repeat and group intervals.
    pub(crate) intervals: (i64, i64),
}

/// Alertmanager's brain. See the crate's documentation for how it is driven.
pub struct Alerts {
    pub(crate) config: RoutingConfig,
    pub(crate) tree: RouteTree,
    pub(crate) store: Store,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) silences: Silences,
    pub(crate) log: NotificationLog,
    pub(crate) inhibitor: Inhibitor,
    pub(crate) in_flight: BTreeMap<NotificationId, Pending>,
    pub(crate) journal: Journal,
    /// By route that is muted: the time intervals that do it, and until when.
    pub(crate) muted: BTreeMap<usize, (Vec<String>, Option<TimeMs>)>,
    pub(crate) counts: Counts,
    pub(crate) next_id: u64,
    /// Before this nothing is sent.
    pub(crate) starts_at: TimeMs,
    pub(crate) next_maintenance: TimeMs,
}

impl Alerts {
    /// A machine that goes on from what was kept.
    pub fn new(config: RoutingConfig, saved: SavedState, now: TimeMs) -> Result<Alerts, RoutingError> {
        let tree = RouteTree::new(&config)?;
        let mut machine = Alerts {
            tree,
            store: Store::default(),
            groups: BTreeMap::new(),
            silences: Silences::new(&saved.silences),
            log: NotificationLog::new(saved.log),
            inhibitor: Inhibitor::new(&config.inhibit_rules),
            in_flight: BTreeMap::new(),
            journal: Journal::default(),
            muted: BTreeMap::new(),
            counts: Counts::default(),
            next_id: 0,
            starts_at: now.saturating_add(config.options.start_delay),
            next_maintenance: now.saturating_add(MAINTENANCE_INTERVAL),
            config,
        };
        for record in &saved.alerts {
            machine.store.restore(record, machine.config.options.resolve_timeout, now);
        }
        machine.regroup(&BTreeMap::new(), &[], now);
        Ok(machine)
    }

    /// Works by another configuration from now on. Groups that exist there too keep their turn. On an error nothing changes.
    pub fn reload(&mut self, config: RoutingConfig, now: TimeMs) -> Result<(), RoutingError> {
        self.tree = RouteTree::new(&config)?;
        self.inhibitor = Inhibitor::new(&config.inhibit_rules);
        self.muted.clear();
        let old_config = std::mem::replace(&mut self.config, config);
        let old_groups = std::mem::take(&mut self.groups);
        // By key alone, as route numbers may have changed. Of two with one key the last stands.
        let mut by_key = BTreeMap::new();
        for ((_, _), group) in old_groups {
            by_key.insert((group.key.clone(), group.receiver.clone()), group);
        }
        self.regroup(&by_key, &old_config.receivers, now);
        for (id, pending) in &mut self.in_flight {
            pending.group = None;
            for (group_id, group) in &self.groups {
                let position = group.integrations.iter().position(|i| i.in_flight == Some(*id));
                if let Some(position) = position {
                    (pending.group, pending.position) = (Some(group_id.clone()), position);
                }
            }
        }
        Ok(())
    }

    /// Makes the groups of all alerts anew, each going on from the old one of its key and receiver.
    fn regroup(&mut self, old: &BTreeMap<(String, String), Group>, old_receivers: &[ReceiverSpec], now: TimeMs) {
        self.store.release_all();
        let fingerprints: Vec<u64> = self.store.iter().map(|(f, _)| f).collect();
        for fingerprint in fingerprints {
            let Some(stored) = self.store.get(fingerprint).cloned() else { continue };
            self.inhibitor.add(fingerprint, &stored.alert.labels);
            for route in self.tree.matching(&stored.alert.labels) {
                let node = self.tree.node(route);
                let labels = node.group_labels(&stored.alert.labels);
                let key = node.group_key(&labels);
                let before = old.get(&(key.clone(), node.receiver.clone()));
                let receiver = self.config.receiver(&node.receiver);
                let group = self.groups.entry((route, labels)).or_insert_with(|| {
                    // What was received before a restart has waited for its group since then.
                    let waited_until = stored.received_at.saturating_add(node.group_wait).max(now);
                    let mut group = Group::new(key, waited_until, &node.receiver, receiver);
                    if let Some(before) = before {
                        let specs = old_receivers.iter().find(|r| r.name == node.receiver);
                        group.go_on_from(before, specs.map_or(&[], |r| &r.integrations), receiver);
                    }
                    group
                });
                let version = before.and_then(|b| b.alerts.get(&fingerprint)).copied();
                group.alerts.insert(fingerprint, version.unwrap_or(stored.version));
                let waited_until = stored.received_at.saturating_add(node.group_wait).max(now);
                if !group.has_flushed {
                    group.next_at = group.next_at.min(waited_until);
                }
                self.store.hold(fingerprint);
            }
        }
    }

    /// Takes alerts from rules: new ones, renewed ones, resolved ones. Gives the errors of those that it did not take.
    pub fn insert(&mut self, alerts: &[Alert], now: TimeMs) -> Vec<InsertError> {
        self.maintain(now);
        alerts.iter().filter_map(|alert| self.insert_one(alert.clone(), false, now).err()).collect()
    }

    /// Takes alerts as the API's clients send them: times that are missing get Alertmanager's defaults.
    pub fn post(&mut self, alerts: &[PostedAlert], now: TimeMs) -> Vec<InsertError> {
        self.maintain(now);
        let mut errors = Vec::new();
        for posted in alerts {
            let alert = Alert {
                labels: posted.labels.clone(),
                annotations: posted.annotations.clone(),
                starts_at: posted.starts_at.or(posted.ends_at).unwrap_or(now),
                ends_at: posted.ends_at.unwrap_or(now.saturating_add(self.config.options.resolve_timeout)),
                generator_url: posted.generator_url.clone(),
            };
            errors.extend(self.insert_one(alert, posted.ends_at.is_none(), now).err());
        }
        errors
    }

    fn insert_one(&mut self, alert: Alert, timeout: bool, now: TimeMs) -> Result<(), InsertError> {
        let counts = &mut self.counts;
        let counter = if alert.resolved_at(now) { &mut counts.received_resolved } else { &mut counts.received_firing };
        *counter += 1;
        let fingerprint = alert.labels.fingerprint();
        let known = self.store.get(fingerprint).is_some();
        let most = self.config.options.max_alerts;
        let unnamed = |labels: &Labels| labels.iter().any(|(name, _)| name.is_empty());
        // In the order in which Alertmanager checks.
        let error = if alert.ends_at < alert.starts_at {
            InsertError::EndsBeforeStart
        } else if unnamed(&alert.labels) {
            InsertError::UnnamedLabel
        } else if alert.labels.is_empty() {
            InsertError::NoLabels
        } else if unnamed(&alert.annotations) {
            InsertError::UnnamedAnnotation
        } else if !known && most > 0 && self.store.len() >= most {
            InsertError::TooMany(most)
        } else {
            return self.take(fingerprint, alert, (timeout, known), now);
        };
        match error {
            InsertError::TooMany(_) => self.counts.refused_limit += 1,
            _ => self.counts.refused_invalid += 1,
        }
        if !alert.labels.is_empty() {
            let reason = Reason::Refused { error: error.to_string() };
            self.journal.note((fingerprint, &alert.labels), "", "", reason, now);
        }
        Err(error)
    }

    /// Takes a valid alert in and puts it into its groups.
    fn take(
        &mut self,
        fingerprint: u64,
        alert: Alert,
        (timeout, known): (bool, bool),
        now: TimeMs,
    ) -> Result<(), InsertError> {
        let stored = self.store.put(fingerprint, alert, timeout, now);
        let (labels, starts_at, version) = (stored.alert.labels.clone(), stored.alert.starts_at, stored.version);
        if !known {
            self.inhibitor.add(fingerprint, &labels);
        }
        for route in self.tree.matching(&labels) {
            self.join_group(route, (fingerprint, &labels), starts_at, version, now);
        }
        Ok(())
    }

    /// Puts an alert into its group of a route, or renews it there.
    fn join_group(&mut self, route: usize, alert: (u64, &Labels), starts_at: TimeMs, version: u64, now: TimeMs) {
        let node = self.tree.node(route);
        let group_labels = node.group_labels(alert.1);
        let receiver = self.config.receiver(&node.receiver);
        let group = self.groups.entry((route, group_labels)).or_insert_with_key(|(_, labels)| {
            let next_at = now.saturating_add(node.group_wait);
            Group::new(node.group_key(labels), next_at, &node.receiver, receiver)
        });
        if group.has_flushed && group.alerts.is_empty() && group.next_at <= now {
            // An outcome is awaited, else there would be no group. Its turns went by all the same.
            let missed = (now - group.next_at) / node.group_interval;
            group.next_at += (missed + 1) * node.group_interval;
        }
        // An alert that fires for longer than others would be waited for has no reason to wait.
        if !group.has_flushed && starts_at.saturating_add(node.group_wait) < now {
            group.next_at = group.next_at.min(now);
        }
        if group.alerts.insert(alert.0, version).is_none() {
            self.store.hold(alert.0);
            let until = group.next_at;
            let reason = if group.has_flushed { Reason::Waiting { until } } else { Reason::Grouped { until } };
            self.journal.note(alert, &node.receiver, &group.key, reason, now);
        }
    }

    /// Clears away what nobody asks for any more, every half minute.
    pub(crate) fn maintain(&mut self, now: TimeMs) {
        if now < self.next_maintenance {
            return;
        }
        let missed = (now - self.next_maintenance) / MAINTENANCE_INTERVAL;
        self.next_maintenance += (missed + 1) * MAINTENANCE_INTERVAL;
        self.silences.collect_garbage(self.config.options.retention, now);
        self.log.collect_garbage(now);
        self.journal.collect_garbage(now);
    }

    /// Makes a silence (empty id), or changes the one with its id where Alertmanager allows that, else expires that and makes
    /// another. `new_id` is the id (a UUID) of what is made. Gives the id it has now.
    pub fn set_silence(&mut self, silence: Silence, new_id: &str, now: TimeMs) -> Result<String, SilenceError> {
        self.silences.set(silence, new_id, &self.config.options, now)
    }

    /// Ends a silence now.
    pub fn expire_silence(&mut self, id: &str, now: TimeMs) -> Result<(), SilenceError> {
        self.silences.expire(id, now)
    }

    /// All silences that are kept, expired ones included, in the API's order: active (first to end first), pending (first to
    /// start first), expired (last ended first).
    pub fn silences(&self, now: TimeMs) -> Vec<&Silence> {
        self.silences.sorted(now)
    }

    /// The silence with an id.
    pub fn silence(&self, id: &str) -> Option<&Silence> {
        self.silences.get(id)
    }

    /// Decisions about alerts that these matchers match, the oldest first. Alerts that are over are remembered for a while.
    pub fn explain(&self, matchers: &[Matcher]) -> Vec<Decision> {
        self.journal.matching(|_, labels| crate::route::matches_all(matchers, labels))
    }

    /// Decisions about the alert with this fingerprint, the oldest first.
    pub fn explain_fingerprint(&self, fingerprint: u64) -> Vec<Decision> {
        self.journal.matching(|f, _| f == fingerprint)
    }

    /// Gives what is to be kept since the last call.
    pub fn take_changes(&mut self) -> Changes {
        Changes {
            log: self.log.take_changes(),
            silences: self.silences.take_changes(),
            alerts: self.store.take_changes(),
        }
    }

    /// Counts and sizes, for metrics.
    pub fn counts(&self) -> Counts {
        Counts {
            alerts: self.store.len(),
            groups: self.groups.len(),
            silences: self.silences.len(),
            log_entries: self.log.len(),
            in_flight: self.in_flight.len(),
            ..self.counts
        }
    }

    /// The routing tree, for showing and trying it.
    pub fn routes(&self) -> &RouteTree {
        &self.tree
    }

    /// The configuration it works by.
    pub fn config(&self) -> &RoutingConfig {
        &self.config
    }
}

impl RoutingConfig {
    /// Integrations of a receiver; none where there is no such receiver.
    pub(crate) fn receiver(&self, name: &str) -> &[IntegrationSpec] {
        self.receivers.iter().find(|r| r.name == name).map_or(&[], |r| &r.integrations)
    }
}
