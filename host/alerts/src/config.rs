//! What routing works by: the `route`, `inhibit_rules`, `time_intervals` and receivers of alertmanager.yml, as values.

use std::collections::BTreeMap;

use watchglass_model::{Labels, Matcher};

use crate::TimeInterval;

/// What alerts of one route are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// By these label names; none at all puts everything into one group.
    Labels(Vec<String>),
    /// By all labels (`group_by: ['...']`): every alert is a group of its own.
    All,
}

/// One node of the routing tree as it is written: what is `None` is inherited from the parent.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Name of the receiver. The root must have one.
    pub receiver: Option<String>,
    /// What to group by; default: one group for all.
    pub group_by: Option<GroupBy>,
    /// Whether the siblings after this node are tried too when it matches.
    pub continue_matching: bool,
    /// All must match (`match`, `match_re` and `matchers` together). The root has none.
    pub matchers: Vec<Matcher>,
    /// How long a new group waits for more before its first notification, ms; default 30 s.
    pub group_wait: Option<i64>,
    /// How long until a group that changed is notified again, ms; default 5 min.
    pub group_interval: Option<i64>,
    /// How long until a group that did not change is notified again, ms; default 4 h.
    pub repeat_interval: Option<i64>,
    /// Names of time intervals in which nothing is sent. Not inherited.
    pub mute_time_intervals: Vec<String>,
    /// Names of time intervals outside of which nothing is sent; none: always active. Not inherited.
    pub active_time_intervals: Vec<String>,
    /// Labels that go with the notification (`.RouteLabels`); a child's come on top of its parent's.
    pub labels: Labels,
    /// Children, in order.
    pub routes: Vec<Route>,
}

/// Alerts that keep others quiet.
#[derive(Clone, Debug, Default)]
pub struct InhibitRule {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What the alerts match that inhibit. All must match.
    pub source_matchers: Vec<Matcher>,
    /// What the alerts match that are inhibited. All must match.
    pub target_matchers: Vec<Matcher>,
    /// Labels whose values must be the same in both; a missing label is an empty one.
    pub equal: Vec<String>,
}

/// One way of sending of a receiver: one entry of its `slack_configs` and the like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntegrationSpec {
    /// Kind, as in Alertmanager's metrics: `slack`, `webhook`, `email` ...
    pub kind: String,
    /// Index within its kind: the second entry of `slack_configs` has 1.
    pub index: usize,
    /// Whether resolved alerts are sent.
    pub send_resolved: bool,
}

impl IntegrationSpec {
    /// An integration.
    pub fn new(kind: &str, index: usize, send_resolved: bool) -> IntegrationSpec {
        IntegrationSpec { kind: kind.to_owned(), index, send_resolved }
    }
}

/// A receiver as routing sees it: a name, and the ways it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverSpec {
    /// Unique name.
    pub name: String,
    /// Its integrations; none: what is routed here goes nowhere.
    pub integrations: Vec<IntegrationSpec>,
}

/// Bounds and times that are flags of Alertmanager, not part of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a firing alert without an end counts as firing if nobody renews it, ms (`resolve_timeout`, 5 min).
    pub resolve_timeout: i64,
    /// How long the notification log and expired silences are kept, ms (`--data.retention`, 120 h).
    pub retention: i64,
    /// How long after [`crate::Alerts::new`] nothing is sent, ms (`--dispatch.start-delay`, 0).
    pub start_delay: i64,
    /// Silences kept, expired ones included; 0: no limit (`--silences.max-silences`).
    pub max_silences: usize,
    /// Bytes of one silence's texts; 0: no limit (`--silences.max-silence-size-bytes`).
    pub max_silence_bytes: usize,
    /// Alerts held; 0: no limit. New ones over it are refused and counted.
    pub max_alerts: usize,
}

impl Default for Options {
    fn default() -> Self {
        const HOUR: i64 = 3_600_000;
        Options {
            resolve_timeout: 300_000,
            retention: 120 * HOUR,
            start_delay: 0,
            max_silences: 0,
            max_silence_bytes: 0,
            // Far above what a small fleet has even in its worst hour; what a runaway rule makes stays within memory.
            max_alerts: 200_000,
        }
    }
}

/// Everything that [`crate::Alerts`] works by.
#[derive(Clone, Debug, Default)]
pub struct RoutingConfig {
    /// The root of the routing tree.
    pub route: Route,
    /// Inhibition rules.
    pub inhibit_rules: Vec<InhibitRule>,
    /// Named time intervals (`time_intervals` and `mute_time_intervals` together).
    pub time_intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// All receivers that routes name.
    pub receivers: Vec<ReceiverSpec>,
    /// Times and bounds.
    pub options: Options,
}

/// Why a [`RoutingConfig`] can't be worked by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutingError {
    /// The root has no receiver.
    #[error("root route must specify a default receiver")]
    NoReceiver,
    /// The root has matchers.
    #[error("root route must not have any matchers")]
    RootMatchers,
    /// The root has time intervals.
    #[error("root route must not have any {0} time intervals")]
    RootTimeIntervals(&'static str),
    /// A route names a receiver that there isn't.
    #[error("undefined receiver `{0}` used in route")]
    UnknownReceiver(String),
    /// A route names a time interval that there isn't.
    #[error("undefined time interval `{0}` used in route")]
    UnknownTimeInterval(String),
    /// The tree is nested too deeply.
    #[error("routes are nested deeper than {0} levels")]
    TooDeep(usize),
}
