//! Why an alert was sent, or was not: every decision with its reason, kept in a bounded ring per alert.

use watchglass_model::{Labels, TimeMs};

use crate::NotifyReason;

/// One decision about one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When it was first made.
    pub at: TimeMs,
    /// When it was last made, where the same was decided several times in a row.
    pub last_at: TimeMs,
    /// How many times in a row.
    pub times: u32,
    /// The alert's fingerprint.
    pub fingerprint: u64,
    /// The alert's labels.
    pub alert: Labels,
    /// Receiver the decision is about: `name`, or `name/slack[0]` where it is about one integration. Empty: about the alert itself.
    pub receiver: String,
    /// Key of the group it was made in; empty where none was.
    pub group_key: String,
    /// What was decided, and why.
    pub reason: Reason,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Joined a group that waits for more before it is sent.
    Grouped {
        /// When the group is due.
        until: TimeMs,
    },
    /// Joined a group that was notified before, and waits for its next turn.
    Waiting {
        /// When the group is due.
        until: TimeMs,
    },
    /// Kept quiet by another alert.
    Inhibited {
        /// That alert's fingerprint.
        by: u64,
        /// Its labels.
        source: Labels,
        /// The rule: its name, else its position counted from 1.
        rule: String,
    },
    /// Kept quiet by silences.
    Silenced {
        /// Their ids.
        by: Vec<String>,
        /// When the last of them ends.
        until: TimeMs,
    },
    /// The route is muted now.
    Muted {
        /// Names of the time intervals.
        by: Vec<String>,
        /// When that ends, where that is within the next 31 days.
        until: Option<TimeMs>,
    },
    /// The receiver knows already.
    Deduplicated {
        /// When it would be told again if nothing changed.
        until: TimeMs,
    },
    /// Over before anybody was told of it, so nobody is.
    ResolvedUnsent,
    /// A notification with it was issued.
    Notifying {
        /// Why now.
        why: NotifyReason,
        /// Attempts before that failed.
        attempt: u32,
    },
    /// The receiver took it.
    Sent {
        /// Whether as a resolved alert.
        resolved: bool,
    },
    /// The receiver did not take it.
    Failed {
        /// Why.
        error: String,
        /// When it is tried again with what is true then.
        retry_at: TimeMs,
    },
    /// The attempt before has no outcome yet, so that nothing new is issued.
    InFlight,
    /// The receiver has nothing to send by.
    NoIntegration,
    /// Not taken: the alert is not valid, or there are too many.
    Refused {
        /// Why.
        error: String,
    },
}
