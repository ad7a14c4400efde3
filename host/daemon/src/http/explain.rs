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

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_alerts::NotifyReason;
    use watchglass_model::Labels;

    #[test]
    fn every_decision_has_its_words() {
        let until = 1_767_571_200_000;
        let source = Labels::from_pairs([("alertname", "Down")]);
        let why = NotifyReason::NewAlerts;
        let cases = [
            (Reason::Grouped { until }, "joined a group that waits for more until 2026-01-05T00:00:00.000Z"),
            (Reason::Waiting { until }, "joined a group that has its next turn at 2026-01-05T00:00:00.000Z"),
            (
                Reason::Inhibited { by: 10, source, rule: "node-down".into() },
                "inhibited by {alertname=\"Down\"} (000000000000000a), rule node-down",
            ),
            (
                Reason::Silenced { by: vec!["s1".into(), "s2".into()], until },
                "silenced by s1, s2 until 2026-01-05T00:00:00.000Z",
            ),
            (
                Reason::Muted { by: vec!["nights".into()], until: Some(until) },
                "muted by the time intervals nights until 2026-01-05T00:00:00.000Z",
            ),
            (Reason::Muted { by: vec!["ever".into()], until: None }, "muted by the time intervals ever"),
            (
                Reason::Deduplicated { until },
                "the receiver knows already; it is told again at 2026-01-05T00:00:00.000Z if nothing changes",
            ),
            (Reason::ResolvedUnsent, "over before anybody was told of it, so nobody is"),
            (Reason::Notifying { why, attempt: 0 }, "notifying: new alerts added"),
            (Reason::Notifying { why, attempt: 3 }, "notifying: new alerts added (after 3 attempts that failed)"),
            (Reason::Sent { resolved: false }, "sent as firing"),
            (Reason::Sent { resolved: true }, "sent as resolved"),
            (
                Reason::Failed { error: "no answer".into(), retry_at: until },
                "not taken: no answer; tried again at 2026-01-05T00:00:00.000Z with what is true then",
            ),
            (Reason::InFlight, "the attempt before has no answer yet"),
            (Reason::NoIntegration, "the receiver has nothing to send by"),
            (Reason::Refused { error: "too many".into() }, "the alert was not taken: too many"),
        ];
        for (reason, words) in cases {
            let mut decision = Decision {
                at: 0,
                last_at: until,
                times: 1,
                fingerprint: 1,
                alert: Labels::empty(),
                receiver: String::new(),
                group_key: String::new(),
                reason,
            };
            assert_eq!(text(&decision), words);
            decision.receiver = "ops/slack[0]".into();
            decision.times = 5;
            assert_eq!(text(&decision), format!("ops/slack[0]: {words} (5 times, last at 2026-01-05T00:00:00.000Z)"));
        }
    }
}
