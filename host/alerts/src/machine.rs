//! The machine.

use watchglass_model::{Alert, Labels, Matcher, TimeMs};

use crate::{
    AlertFilter, AlertView, Changes, Decision, GroupFilter, GroupView, Notification, NotificationId, Outcome,
    RoutingConfig, RoutingError, SavedState, Silence, SilenceError,
};

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
    /// It ends before it starts.
    #[error("start time must be before end time")]
    EndsBeforeStart,
    /// There are too many.
    #[error("{0} alerts are held, which is the limit: new ones are refused until some are resolved")]
    TooMany(usize),
}

/// Alertmanager's brain. See the crate's documentation for how it is driven.
pub struct Alerts {
    _config: RoutingConfig,
}

impl Alerts {
    /// A machine that goes on from what was kept.
    pub fn new(config: RoutingConfig, saved: SavedState, now: TimeMs) -> Result<Alerts, RoutingError> {
        let _ = (saved, now);
        Ok(Alerts { _config: config })
    }

    /// Works by another configuration from now on. Groups that exist there too keep their turn. On an error nothing changes.
    pub fn reload(&mut self, config: RoutingConfig, now: TimeMs) -> Result<(), RoutingError> {
        let _ = now;
        self._config = config;
        Ok(())
    }

    /// Takes alerts from rules: new ones, renewed ones, resolved ones. Gives the errors of those that it did not take.
    pub fn insert(&mut self, alerts: &[Alert], now: TimeMs) -> Vec<InsertError> {
        let _ = (alerts, now);
        Vec::new()
    }

    /// Takes alerts as the API's clients send them: times that are missing get Alertmanager's defaults.
    pub fn post(&mut self, alerts: &[PostedAlert], now: TimeMs) -> Vec<InsertError> {
        let _ = (alerts, now);
        Vec::new()
    }

    /// Gives what is to be sent now. Each needs its [`Alerts::outcome`], before which its group and integration have nothing new.
    pub fn step(&mut self, now: TimeMs) -> Vec<Notification> {
        let _ = now;
        Vec::new()
    }

    /// Tells what became of a notification. An id that isn't awaited (any more) is ignored; the result says so.
    pub fn outcome(&mut self, id: NotificationId, outcome: Outcome, now: TimeMs) -> bool {
        let _ = (id, outcome, now);
        false
    }

    /// When [`Alerts::step`] has something to do next, if nothing comes in before.
    pub fn next_wake(&self, now: TimeMs) -> Option<TimeMs> {
        let _ = now;
        None
    }

    /// Makes a silence (empty id), or changes the one with its id where Alertmanager allows that, else expires that and makes
    /// another. `new_id` is the id (a UUID) of what is made. Gives the id it has now.
    pub fn set_silence(&mut self, silence: Silence, new_id: &str, now: TimeMs) -> Result<String, SilenceError> {
        let _ = (silence, new_id, now);
        Err(SilenceError::NotFound)
    }

    /// Ends a silence now.
    pub fn expire_silence(&mut self, id: &str, now: TimeMs) -> Result<(), SilenceError> {
        let _ = (id, now);
        Err(SilenceError::NotFound)
    }

    /// All silences that are kept, expired ones included, in the API's order: active (first to end first), pending (first to
    /// start first), expired (last ended first).
    pub fn silences(&self, now: TimeMs) -> Vec<&Silence> {
        let _ = now;
        Vec::new()
    }

    /// The silence with an id.
    pub fn silence(&self, id: &str) -> Option<&Silence> {
        let _ = id;
        None
    }

    /// Alerts that are not resolved, by fingerprint, filtered as the API does.
    pub fn alerts(&self, filter: &AlertFilter, now: TimeMs) -> Vec<AlertView> {
        let _ = (filter, now);
        Vec::new()
    }

    /// Groups, by labels and receiver, filtered as the API does.
    pub fn groups(&self, filter: &GroupFilter, now: TimeMs) -> Vec<GroupView> {
        let _ = (filter, now);
        Vec::new()
    }

    /// Decisions about alerts that these matchers match, the oldest first. Alerts that are over are remembered for a while.
    pub fn explain(&self, matchers: &[Matcher]) -> Vec<Decision> {
        let _ = matchers;
        Vec::new()
    }

    /// Decisions about the alert with this fingerprint, the oldest first.
    pub fn explain_fingerprint(&self, fingerprint: u64) -> Vec<Decision> {
        let _ = fingerprint;
        Vec::new()
    }

    /// Gives what is to be kept since the last call.
    pub fn take_changes(&mut self) -> Changes {
        Changes::default()
    }
}
