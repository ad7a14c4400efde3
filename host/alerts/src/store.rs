//! The alerts that are known, by fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_model::{Alert, Labels, TimeMs};

use crate::AlertRecord;

/// An alert and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) alert: Alert,
    /// When it was last renewed.
    pub(crate) updated_at: TimeMs,
    /// When it was first heard of.
    pub(crate) received_at: TimeMs,
    /// Whether its end was made up from the resolve timeout, and so yields to any that was given.
    pub(crate) timeout: bool,
    /// Grows with every change of any alert: tells whether it changed since something was sent.
    pub(crate) version: u64,
    /// How many groups hold it.
    pub(crate) groups: usize,
}

/// The alerts that are known.
#[derive(Default)]
pub(crate) struct Store {
    alerts: BTreeMap<u64, Stored>,
    version: u64,
    dirty: BTreeSet<u64>,
}

impl Store {
    pub(crate) fn get(&self, fingerprint: u64) -> Option<&Stored> {
        self.alerts.get(&fingerprint)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Stored)> {
        self.alerts.iter().map(|(fingerprint, stored)| (*fingerprint, stored))
    }

    pub(crate) fn len(&self) -> usize {
        self.alerts.len()
    }

    /// The version of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Takes an alert in. One that overlaps with what is known of it is merged with that.
    pub(crate) fn put(&mut self, fingerprint: u64, alert: Alert, timeout: bool, now: TimeMs) -> &Stored {
        self.version += 1;
        let mut new = Stored { alert, updated_at: now, received_at: now, timeout, version: self.version, groups: 0 };
        let mut worth_keeping = true;
        if let Some(old) = self.alerts.get(&fingerprint) {
            let (a, b) = (&new.alert, &old.alert);
            let overlaps = (a.ends_at > b.starts_at && a.ends_at < b.ends_at)
                || (a.starts_at > b.starts_at && a.starts_at < b.ends_at);
            new.received_at = if old.alert.resolved_at(now) { now } else { old.received_at };
            new.groups = old.groups;
            if overlaps {
                merge(old, &mut new, now);
            }
            // That a firing alert goes on is not worth a write each time: it is given a grace after a restart.
            let (a, b) = (&new.alert, &old.alert);
            worth_keeping = a.annotations != b.annotations
                || a.starts_at != b.starts_at
                || a.generator_url != b.generator_url
                || a.resolved_at(now)
                || b.resolved_at(now);
        }
        if worth_keeping {
            self.dirty.insert(fingerprint);
        }
        self.alerts.insert(fingerprint, new);
        &self.alerts[&fingerprint]
    }

    /// Takes a record back in after a restart. An alert that still fired gets time to be renewed before it counts as over.
    pub(crate) fn restore(&mut self, record: &AlertRecord, grace: i64, now: TimeMs) {
        let ended = record.ends_at <= record.updated_at;
        let extended = now.saturating_add(grace);
        let alert = Alert {
            labels: Labels::from_pairs(&record.labels),
            annotations: Labels::from_pairs(&record.annotations),
            starts_at: record.starts_at,
            ends_at: if ended { record.ends_at } else { record.ends_at.max(extended) },
            generator_url: record.generator_url.clone(),
        };
        if alert.labels.is_empty() {
            return;
        }
        self.version += 1;
        let stored = Stored {
            timeout: record.timeout || !ended,
            updated_at: record.updated_at,
            received_at: record.received_at,
            version: self.version,
            groups: 0,
            alert,
        };
        self.alerts.insert(stored.alert.labels.fingerprint(), stored);
    }

    /// Notes that one more group holds the alert.
    pub(crate) fn hold(&mut self, fingerprint: u64) {
        if let Some(stored) = self.alerts.get_mut(&fingerprint) {
            stored.groups += 1;
        }
    }

    /// Notes that one group less holds the alert. When none does, it is forgotten, and its labels are given.
    pub(crate) fn release(&mut self, fingerprint: u64) -> Option<Labels> {
        let stored = self.alerts.get_mut(&fingerprint)?;
        stored.groups = stored.groups.saturating_sub(1);
        if stored.groups > 0 {
            return None;
        }
        self.dirty.insert(fingerprint);
        self.alerts.remove(&fingerprint).map(|s| s.alert.labels)
    }

    /// Forgets who holds what, before groups are made anew.
    pub(crate) fn release_all(&mut self) {
        self.alerts.values_mut().for_each(|s| s.groups = 0);
    }

    /// What changed since the last call, as records.
    pub(crate) fn take_changes(&mut self) -> Vec<(u64, Option<AlertRecord>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|fingerprint| (fingerprint, self.alerts.get(&fingerprint).map(Stored::record))).collect()
    }
}

impl Stored {
    fn record(&self) -> AlertRecord {
        let owned = |labels: &Labels| labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        AlertRecord {
            labels: owned(&self.alert.labels),
            annotations: owned(&self.alert.annotations),
            starts_at: self.alert.starts_at,
            ends_at: self.alert.ends_at,
            generator_url: self.alert.generator_url.clone(),
            updated_at: self.updated_at,
            received_at: self.received_at,
            timeout: self.timeout,
        }
    }
}

/// Merges what was known into what came in: the earliest start; of two ends the later, where both are over; an end that was
/// given, where it is later than the new one and the alert goes on.
fn merge(old: &Stored, new: &mut Stored, now: TimeMs) {
    new.alert.starts_at = new.alert.starts_at.min(old.alert.starts_at);
    let old_ends_later = old.alert.ends_at > new.alert.ends_at;
    let keep_old_end = if new.alert.resolved_at(now) { old.alert.resolved_at(now) } else { !old.timeout };
    if old_ends_later && keep_old_end {
        new.alert.ends_at = old.alert.ends_at;
    }
}
