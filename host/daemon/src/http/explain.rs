//! Decisions about alerts in words.

use watchglass_alerts::{Decision, Reason};

use crate::time::rfc3339;

/// One line: what was decided, for whom, why, and how often in a row.
pub(super) fn text(decision: &Decision) -> String {
    let mut out = match &decision.reason {
        Reason::Grouped { until } => format!("joined a group that waits for more until {}", rfc3339(*until)),
        Reason::Waiting { until } => format!("joined a group that has its next turn at {}", rfc3339(*until)),
        Reason::Inhibited { by, source, rule } => format!("inhibited by {source} ({by:016x}), rule {rule}"),
        Reason::Silenced { by, until } => format!("silenced by {} until {}", by.join(", "), rfc3339(*until)),
        Reason::Muted { by, until } => {
            let until = until.map_or_else(String::new, |t| format!(" until {}", rfc3339(t)));
            format!("muted by the time intervals {}{until}", by.join(", "))
        }
        Reason::Deduplicated { until } => {
            format!("the receiver knows already; it is told again at {} if nothing changes", rfc3339(*until))
        }
        Reason::ResolvedUnsent => "over before anybody was told of it, so nobody is".to_owned(),
        Reason::Notifying { why, attempt: 0 } => format!("notifying: {}", why.as_str()),
        Reason::Notifying { why, attempt } => {
            format!("notifying: {} (after {attempt} attempts that failed)", why.as_str())
        }
        Reason::Sent { resolved: false } => "sent as firing".to_owned(),
        Reason::Sent { resolved: true } => "sent as resolved".to_owned(),
        Reason::Failed { error, retry_at } => {
            format!("not taken: {error}; tried again at {} with what is true then", rfc3339(*retry_at))
        }
        Reason::InFlight => "the attempt before has no answer yet".to_owned(),
        Reason::NoIntegration => "the receiver has nothing to send by".to_owned(),
        Reason::Refused { error } => format!("the alert was not taken: {error}"),
    };
    if !decision.receiver.is_empty() {
        out = format!("{}: {out}", decision.receiver);
    }
    if decision.times > 1 {
        out.push_str(&format!(" ({} times, last at {})", decision.times, rfc3339(decision.last_at)));
    }
    out
}
