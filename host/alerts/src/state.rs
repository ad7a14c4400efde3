//! What outlives a restart, as records to be kept by whoever has a disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchglass_model::TimeMs;

/// Names one entry of the notification log: one group to one integration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogKey {
    /// The group's key.
    pub group_key: String,
    /// The receiver's name.
    pub receiver: String,
    /// The integration's kind.
    pub integration: String,
    /// Its index within the kind.
    pub index: usize,
}

/// What one integration was last told of one group, and what it is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When it was last told; `None`: never.
    pub notified_at: Option<TimeMs>,
    /// Fingerprints that fired in that notification, ascending.
    pub firing: Vec<u64>,
    /// Fingerprints that were over in it, ascending.
    pub resolved: Vec<u64>,
    /// Fingerprints that fired in attempts that failed since, ascending: owed a word even if over by now.
    pub due: Vec<u64>,
    /// What the send left for the next one.
    pub receiver_data: BTreeMap<String, String>,
    /// When to forget the entry.
    pub expires_at: TimeMs,
}

/// An alert as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires.
    pub starts_at: TimeMs,
    /// When it ended or would end.
    pub ends_at: TimeMs,
    /// Where to see the expression.
    pub generator_url: String,
    /// When it was last renewed.
    pub updated_at: TimeMs,
    /// When it was first heard of.
    pub received_at: TimeMs,
    /// Whether `ends_at` was made up from the resolve timeout.
    pub timeout: bool,
}

/// A silence as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceRecord {
    /// Id.
    pub id: String,
    /// Sets of (label, operator, value).
    pub matcher_sets: Vec<Vec<(String, String, String)>>,
    /// From when.
    pub starts_at: TimeMs,
    /// Until when.
    pub ends_at: TimeMs,
    /// When it was last changed.
    pub updated_at: TimeMs,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further texts.
    pub annotations: BTreeMap<String, String>,
}

/// All that was kept: what [`crate::Alerts::new`] goes on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    /// The notification log.
    pub log: Vec<(LogKey, LogEntry)>,
    /// Silences.
    pub silences: Vec<SilenceRecord>,
    /// Alerts, so that what ends while the daemon is down is told as resolved.
    pub alerts: Vec<AlertRecord>,
}

/// What changed since the last drain, to be written in one transaction before the next notification goes out. A value of `None`
/// deletes the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Log entries.
    pub log: Vec<(LogKey, Option<LogEntry>)>,
    /// Silences by id.
    pub silences: Vec<(String, Option<SilenceRecord>)>,
    /// Alerts by fingerprint.
    pub alerts: Vec<(u64, Option<AlertRecord>)>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.silences.is_empty() && self.alerts.is_empty()
    }
}

impl SavedState {
    /// Applies changes, as whoever keeps the records does. For tests, and for keeping them in memory.
    pub fn apply(&mut self, changes: &Changes) {
        for (key, entry) in &changes.log {
            self.log.retain(|(k, _)| k != key);
            self.log.extend(entry.clone().map(|e| (key.clone(), e)));
        }
        for (id, silence) in &changes.silences {
            self.silences.retain(|s| s.id != *id);
            self.silences.extend(silence.clone());
        }
        for (fingerprint, alert) in &changes.alerts {
            self.alerts.retain(|a| a.fingerprint() != *fingerprint);
            self.alerts.extend(alert.clone());
        }
    }
}

impl AlertRecord {
    /// The fingerprint of its labels.
    pub fn fingerprint(&self) -> u64 {
        watchglass_model::Labels::from_pairs(&self.labels).fingerprint()
    }
}
