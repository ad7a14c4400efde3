//! Small durable state: silences, the notification log and the alerts that were open, in redb. A write is on disk when it returns.

use std::path::Path;

use anyhow::Context;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use watchglass_alerts::{Changes, LogEntry, LogKey, SavedState};

/// Log entries: JSON of the key -> JSON of the entry.
const LOG: TableDefinition<&str, &str> = TableDefinition::new("notification_log");
/// Silences: id -> JSON.
const SILENCES: TableDefinition<&str, &str> = TableDefinition::new("silences");
/// Alerts: fingerprint -> JSON.
const ALERTS: TableDefinition<u64, &str> = TableDefinition::new("alerts");

/// The state file.
pub(crate) struct State {
    db: Database,
}

impl State {
    /// Opens it, making it where there is none.
    pub(crate) fn open(path: &Path) -> anyhow::Result<State> {
        let db = Database::create(path).with_context(|| {
            format!(
                "cannot open the alerting state `{}`\nhint: move the file aside to start without it; silences and what was already notified are lost then",
                path.display()
            )
        })?;
        let tx = db.begin_write()?;
        tx.open_table(LOG)?;
        tx.open_table(SILENCES)?;
        tx.open_table(ALERTS)?;
        tx.commit()?;
        Ok(State { db })
    }

    /// All that was kept. A record that can't be read (of a later version, say) is left out and told.
    pub(crate) fn load(&self) -> anyhow::Result<SavedState> {
        fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Option<T> {
            serde_json::from_str(text)
                .map_err(|e| tracing::warn!(error = %e, "a record of the {what} can't be read and is left out"))
                .ok()
        }
        let tx = self.db.begin_read()?;
        let mut saved = SavedState::default();
        for row in tx.open_table(LOG)?.iter()? {
            let (key, entry) = row?;
            let key: Option<LogKey> = parse("notification log", key.value());
            let entry: Option<LogEntry> = parse("notification log", entry.value());
            saved.log.extend(key.zip(entry));
        }
        for row in tx.open_table(SILENCES)?.iter()? {
            saved.silences.extend(parse("silences", row?.1.value()));
        }
        for row in tx.open_table(ALERTS)?.iter()? {
            saved.alerts.extend(parse("alerts", row?.1.value()));
        }
        Ok(saved)
    }

    /// Writes changes in one transaction.
    pub(crate) fn write(&self, changes: &Changes) -> anyhow::Result<()> {
        let tx = self.db.begin_write()?;
        {
            let mut log = tx.open_table(LOG)?;
            for (key, entry) in &changes.log {
                let key = serde_json::to_string(key)?;
                match entry {
                    Some(entry) => drop(log.insert(key.as_str(), serde_json::to_string(entry)?.as_str())?),
                    None => drop(log.remove(key.as_str())?),
                }
            }
            let mut silences = tx.open_table(SILENCES)?;
            for (id, silence) in &changes.silences {
                match silence {
                    Some(silence) => drop(silences.insert(id.as_str(), serde_json::to_string(silence)?.as_str())?),
                    None => drop(silences.remove(id.as_str())?),
                }
            }
            let mut alerts = tx.open_table(ALERTS)?;
            for (fingerprint, alert) in &changes.alerts {
                match alert {
                    Some(alert) => drop(alerts.insert(fingerprint, serde_json::to_string(alert)?.as_str())?),
                    None => drop(alerts.remove(fingerprint)?),
                }
            }
        }
        tx.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let key = LogKey { group_key: "{}:{}".into(), receiver: "r".into(), integration: "slack".into(), index: 0 };
        let entry = LogEntry { notified_at: Some(5), firing: vec![1], ..LogEntry::default() };
        let changes = Changes { log: vec![(key.clone(), Some(entry.clone()))], ..Changes::default() };
        State::open(&path).unwrap().write(&changes).unwrap();
        let state = State::open(&path).unwrap();
        assert_eq!(state.load().unwrap().log, [(key.clone(), entry)]);
        state.write(&Changes { log: vec![(key, None)], ..Changes::default() }).unwrap();
        assert_eq!(state.load().unwrap(), SavedState::default());
    }
}
