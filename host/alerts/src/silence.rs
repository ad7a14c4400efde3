//! Silences: alerts that somebody does not want to hear of for a while.

use std::collections::BTreeMap;

use watchglass_model::{Labels, Matcher, TimeMs};

/// Matchers that must all match.
pub type MatcherSet = Vec<Matcher>;

/// A silence, as the API's clients write and read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Its id (a UUID); empty in one that is to be made.
    pub id: String,
    /// An alert is silenced if all matchers of any set match it.
    pub matcher_sets: Vec<MatcherSet>,
    /// From when.
    pub starts_at: TimeMs,
    /// Until when.
    pub ends_at: TimeMs,
    /// When it was last changed; set by the machine.
    pub updated_at: TimeMs,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further texts.
    pub annotations: BTreeMap<String, String>,
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SilenceState {
    /// It silences.
    Active,
    /// It will.
    Pending,
    /// It did.
    Expired,
}

impl SilenceState {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        }
    }
}

impl Silence {
    /// Where it stands at a time. Both ends belong to it.
    pub fn state(&self, now: TimeMs) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now > self.ends_at {
            SilenceState::Expired
        } else {
            SilenceState::Active
        }
    }

    /// Whether its matchers match these labels, at whatever time.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matcher_sets.iter().any(|set| set.iter().all(|m| m.matches(labels.value(m.name()))))
    }
}

/// Why a silence was not taken or not expired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// There is none with this id.
    #[error("silence not found")]
    NotFound,
    /// It has expired before.
    #[error("silence {0} already expired")]
    AlreadyExpired(String),
    /// It is not valid.
    #[error("invalid silence: {0}")]
    Invalid(String),
    /// There are too many, or it is too large.
    #[error("{0}")]
    Limit(String),
}
