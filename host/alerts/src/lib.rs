//! Alertmanager's brain as a pure state machine: routing, grouping, inhibition, silences, time intervals, deduplication.
//!
//! It knows the model and nothing else: no network, no disk, no clock. Time comes in as `now`; what is to be sent comes out of
//! [`Alerts::step`] as [`Notification`]s, and what became of them goes back in by [`Alerts::outcome`]. There is no queue of
//! rendered messages: per group and receiver the log keeps what was last notified and what is due, and a notification that
//! failed is issued again with what is true by then.
//!
//! ```
//! use watchglass_alerts::{Alerts, Outcome, ReceiverSpec, IntegrationSpec, Route, RoutingConfig, SavedState};
//! use watchglass_model::{Alert, Labels};
//!
//! let config = RoutingConfig {
//!     route: Route { receiver: Some("ops".into()), ..Route::default() },
//!     receivers: vec![ReceiverSpec { name: "ops".into(), integrations: vec![IntegrationSpec::new("slack", 0, true)] }],
//!     ..RoutingConfig::default()
//! };
//! let mut alerts = Alerts::new(config, SavedState::default(), 0).unwrap();
//! let labels = Labels::from_pairs([("alertname", "InstanceDown")]);
//! let ends_at = 240_000;
//! alerts.insert(&[Alert { labels, annotations: Labels::empty(), starts_at: 0, ends_at, generator_url: String::new() }], 0);
//! assert!(alerts.step(29_999).is_empty());
//! let due = alerts.step(30_000); // group_wait is over
//! assert_eq!((due.len(), due[0].receiver.as_str()), (1, "ops"));
//! alerts.outcome(due[0].id, Outcome::sent(), 30_100);
//! assert!(alerts.step(60_000).is_empty());
//! ```

mod config;
mod explain;
mod gotext;
mod group;
mod inhibit;
mod machine;
mod matchers;
mod nflog;
mod notification;
mod route;
mod silence;
mod state;
mod status;
mod store;
mod timeinterval;
mod turn;
mod view;

pub use config::{GroupBy, InhibitRule, IntegrationSpec, Options, ReceiverSpec, Route, RoutingConfig, RoutingError};
pub use explain::{Decision, Reason};
pub use machine::{Alerts, Counts, InsertError, PostedAlert};
pub use matchers::{
    MatcherParseError, matcher_text, matchers_text, parse_matcher, parse_matcher_classic, parse_matcher_utf8,
    parse_matchers, parse_matchers_classic, parse_matchers_utf8, sort_matchers,
};
pub use notification::{AlertState, Notification, NotificationId, NotifiedAlert, NotifyReason, Outcome};
pub use route::{RouteNode, RouteTree};
pub use silence::{MatcherSet, Silence, SilenceError, SilenceState, silence_matches_filter};
pub use state::{AlertRecord, Changes, LogEntry, LogKey, SavedState, SilenceRecord};
pub use status::{AlertFilter, AlertStatus, AlertView, GroupFilter, GroupView, receiver_filter};
pub use timeinterval::{DayRange, InclusiveRange, TimeInterval, TimeRange, parse_location};
