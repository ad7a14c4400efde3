//! What the API shows: alerts and groups with where they stand, filtered as Alertmanager's API v2 filters.

use regex::Regex;
use watchglass_model::{Alert, Labels, Matcher, TimeMs};

use crate::GroupBy;

/// Where an alert stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertStatus {
    /// Ids of the silences that keep it quiet.
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that keep it quiet.
    pub inhibited_by: Vec<u64>,
    /// Time intervals that mute its group (only in [`GroupView`]).
    pub muted_by: Vec<String>,
}

impl AlertStatus {
    /// The API's word: `suppressed` or `active`.
    pub fn state(&self) -> &'static str {
        let quiet = !(self.silenced_by.is_empty() && self.inhibited_by.is_empty() && self.muted_by.is_empty());
        if quiet { "suppressed" } else { "active" }
    }
}

/// An alert as `GET /api/v2/alerts` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertView {
    /// The alert.
    pub alert: Alert,
    /// Its fingerprint.
    pub fingerprint: u64,
    /// When it was last renewed.
    pub updated_at: TimeMs,
    /// Where it stands.
    pub status: AlertStatus,
    /// Receivers that its routes lead to.
    pub receivers: Vec<String>,
}

/// A group as `GET /api/v2/alerts/groups` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupView {
    /// Labels it was made by.
    pub labels: Labels,
    /// Its receiver.
    pub receiver: String,
    /// Its key.
    pub group_key: String,
    /// What its route groups by.
    pub group_by: GroupBy,
    /// When it has its next turn.
    pub next_at: TimeMs,
    /// Its alerts, in the order of notifications.
    pub alerts: Vec<AlertView>,
}

/// Which alerts to show: the parameters of `GET /api/v2/alerts`, with its defaults.
#[derive(Clone, Debug)]
pub struct AlertFilter {
    /// All must match (`filter=`).
    pub matchers: Vec<Matcher>,
    /// Whether to show active ones.
    pub active: bool,
    /// Whether to show silenced ones.
    pub silenced: bool,
    /// Whether to show inhibited ones.
    pub inhibited: bool,
    /// Whether to show ones that nothing was decided about yet.
    pub unprocessed: bool,
    /// Only those that lead to a receiver whose whole name this matches.
    pub receiver: Option<Regex>,
}

impl Default for AlertFilter {
    fn default() -> Self {
        AlertFilter {
            matchers: Vec::new(),
            active: true,
            silenced: true,
            inhibited: true,
            unprocessed: true,
            receiver: None,
        }
    }
}

/// Which groups to show: the parameters of `GET /api/v2/alerts/groups`, with its defaults.
#[derive(Clone, Debug)]
pub struct GroupFilter {
    /// Which alerts in them; a group without any is left out.
    pub alerts: AlertFilter,
    /// Whether to show muted ones.
    pub muted: bool,
}

impl Default for GroupFilter {
    fn default() -> Self {
        GroupFilter { alerts: AlertFilter::default(), muted: true }
    }
}

/// The API's `receiver=`: a regular expression that the whole name must match.
pub fn receiver_filter(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{text})$")).map_err(|e| format!("failed to parse receiver param: {e}"))
}
