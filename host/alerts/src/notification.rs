//! What is to be sent, and what became of it.

use std::collections::BTreeMap;

use watchglass_model::{Alert, Labels, TimeMs};

use crate::IntegrationSpec;

/// Names a notification that was issued, until its outcome is known. Not reused within the life of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotificationId(pub u64);

/// Whether an alert fires or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// The word in templates and webhook bodies.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
        }
    }
}

/// An alert within a notification, as it stood when that was issued.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifiedAlert {
    /// The alert. Of a firing one `ends_at` is when it would end if nobody renewed it: templates and bodies show no end for it.
    pub alert: Alert,
    /// Whether it fires.
    pub state: AlertState,
}

impl NotifiedAlert {
    /// The end that receivers are shown: none while it fires.
    pub fn ended_at(&self) -> Option<TimeMs> {
        (self.state == AlertState::Resolved).then_some(self.alert.ends_at)
    }
}

/// Why a group is notified now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotifyReason {
    /// This receiver was never told of the group.
    FirstNotification,
    /// Alerts fire that it was not told of.
    NewAlerts,
    /// Alerts are over that it was told of, others go on.
    NewResolved,
    /// All are over.
    AllResolved,
    /// Nothing changed for the repeat interval.
    RepeatInterval,
    /// What fired could not be told while the receiver failed, and is over by now.
    ResolvedMeanwhile,
}

impl NotifyReason {
    /// The words that templates see as `.NotificationReason` and logs show.
    pub fn as_str(self) -> &'static str {
        match self {
            NotifyReason::FirstNotification => "first notification",
            NotifyReason::NewAlerts => "new alerts added",
            NotifyReason::NewResolved => "some alerts resolved",
            NotifyReason::AllResolved => "all alerts resolved",
            NotifyReason::RepeatInterval => "repeat interval elapsed",
            NotifyReason::ResolvedMeanwhile => "fired and resolved while the receiver failed",
        }
    }
}

/// A message that is due: one group to one integration. It is not issued again before its outcome is reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// By which to report the outcome.
    pub id: NotificationId,
    /// Name of the receiver.
    pub receiver: String,
    /// Which of its integrations.
    pub integration: IntegrationSpec,
    /// Position of the integration in [`crate::ReceiverSpec::integrations`].
    pub position: usize,
    /// The group's key as Alertmanager writes it: `{}/{severity="x"}:{alertname="y"}`.
    pub group_key: String,
    /// The labels that the group was made by.
    pub group_labels: Labels,
    /// Labels of the route (`labels:`, its parents' included).
    pub route_labels: Labels,
    /// What to tell, in Alertmanager's order (job, instance, then all labels). Resolved ones only where the integration sends them.
    pub alerts: Vec<NotifiedAlert>,
    /// Why now.
    pub reason: NotifyReason,
    /// Whether it repeats what was told before (repeat interval).
    pub repeat: bool,
    /// How many attempts of this came to nothing before.
    pub attempt: u32,
    /// When it was issued.
    pub at: TimeMs,
    /// By when to give up this attempt: the group's next turn, at least ten seconds.
    pub deadline: TimeMs,
    /// What the last successful send of this group and integration left ([`Outcome::Sent`]): say `channel` and `ts` of a Slack
    /// message that can be updated.
    pub receiver_data: BTreeMap<String, String>,
}

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Sent {
        /// To be kept with the log and handed out with the group's next notification. Replaces what was there.
        receiver_data: BTreeMap<String, String>,
    },
    /// It did not.
    Failed {
        /// Why, in words without secrets.
        error: String,
        /// Whether trying again can help. If so it is issued again after a pause that grows; else with the group's next turn.
        retry: bool,
        /// How long the receiver asked to be left alone (`Retry-After`), ms.
        retry_after: Option<i64>,
    },
}

impl Outcome {
    /// Taken, with nothing to keep.
    pub fn sent() -> Outcome {
        Outcome::Sent { receiver_data: BTreeMap::new() }
    }

    /// Failed in a way that may pass.
    pub fn failed(error: impl Into<String>) -> Outcome {
        Outcome::Failed { error: error.into(), retry: true, retry_after: None }
    }
}
