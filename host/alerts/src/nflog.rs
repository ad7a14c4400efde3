//! The notification log: per group and integration, what was last told and what is owed.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_model::TimeMs;

use crate::{LogEntry, LogKey, NotifyReason};

/// The log.
#[derive(Default)]
pub(crate) struct NotificationLog {
    entries: BTreeMap<LogKey, LogEntry>,
    dirty: BTreeSet<LogKey>,
}

/// What there is to tell now: fingerprints, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current {
    pub(crate) firing: Vec<u64>,
    pub(crate) resolved: Vec<u64>,
}

impl NotificationLog {
    pub(crate) fn new(saved: Vec<(LogKey, LogEntry)>) -> NotificationLog {
        NotificationLog { entries: saved.into_iter().collect(), dirty: BTreeSet::new() }
    }

    /// The entry of a group and integration, unless it has expired.
    pub(crate) fn get(&self, key: &LogKey, now: TimeMs) -> Option<&LogEntry> {
        self.entries.get(key).filter(|e| e.expires_at > now)
    }

    /// Notes what was told.
    pub(crate) fn told(
        &mut self,
        key: &LogKey,
        current: &Current,
        data: BTreeMap<String, String>,
        at: TimeMs,
        expires_at: TimeMs,
    ) {
        let entry = LogEntry {
            notified_at: Some(at),
            firing: current.firing.clone(),
            resolved: current.resolved.clone(),
            due: Vec::new(),
            receiver_data: data,
            expires_at,
        };
        self.put(key, entry);
    }

    /// Notes that these fired in an attempt that failed.
    pub(crate) fn owed(&mut self, key: &LogKey, firing: &[u64], now: TimeMs, expires_at: TimeMs) {
        let mut entry = self.get(key, now).cloned().unwrap_or_default();
        let mut due: BTreeSet<u64> = entry.due.iter().copied().collect();
        due.extend(firing);
        if due.len() == entry.due.len() && entry.expires_at >= expires_at {
            return;
        }
        entry.due = due.into_iter().collect();
        entry.expires_at = entry.expires_at.max(expires_at);
        self.put(key, entry);
    }

    /// Notes that nothing is owed any more, though nothing was told.
    pub(crate) fn settled(&mut self, key: &LogKey) {
        if let Some(entry) = self.entries.get(key).filter(|e| !e.due.is_empty()) {
            let entry = LogEntry { due: Vec::new(), ..entry.clone() };
            if entry.notified_at.is_some() {
                self.put(key, entry);
            } else {
                self.entries.remove(key);
                self.dirty.insert(key.clone());
            }
        }
    }

    fn put(&mut self, key: &LogKey, entry: LogEntry) {
        self.entries.insert(key.clone(), entry);
        self.dirty.insert(key.clone());
    }

    /// Forgets what has expired.
    pub(crate) fn collect_garbage(&mut self, now: TimeMs) {
        let dirty = &mut self.dirty;
        self.entries.retain(|key, entry| {
            let keep = entry.expires_at > now;
            if !keep {
                dirty.insert(key.clone());
            }
            keep
        });
    }

    /// What changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<(LogKey, Option<LogEntry>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|key| (key.clone(), self.entries.get(&key).cloned())).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Whether a receiver has to be told, and why: the rules of Alertmanager's deduplication, and what is owed since an outage.
pub(crate) fn reason_to_notify(
    entry: Option<&LogEntry>,
    current: &Current,
    send_resolved: bool,
    repeat_interval: i64,
    now: TimeMs,
) -> Option<NotifyReason> {
    let is_subset = |of: &[u64], all: &[u64]| of.iter().all(|f| all.binary_search(f).is_ok());
    let due = entry.map_or(&[][..], |e| &e.due);
    // Fired while every attempt failed, and is over: the receiver would never hear of it.
    let owed = send_resolved && current.resolved.iter().any(|f| due.binary_search(f).is_ok());
    let Some((entry, notified_at)) = entry.and_then(|e| Some((e, e.notified_at?))) else {
        return match (current.firing.is_empty(), owed) {
            (false, _) => Some(NotifyReason::FirstNotification),
            (true, true) => Some(NotifyReason::ResolvedMeanwhile),
            (true, false) => None,
        };
    };
    if !is_subset(&current.firing, &entry.firing) {
        return Some(NotifyReason::NewAlerts);
    }
    if current.firing.is_empty() {
        // Without send_resolved too: so that the log forgets what fired.
        return match (entry.firing.is_empty(), owed) {
            (false, _) => Some(NotifyReason::AllResolved),
            (true, true) => Some(NotifyReason::ResolvedMeanwhile),
            (true, false) => None,
        };
    }
    if send_resolved && !is_subset(&current.resolved, &entry.resolved) {
        return Some(NotifyReason::NewResolved);
    }
    (notified_at < now - repeat_interval).then_some(NotifyReason::RepeatInterval)
}
