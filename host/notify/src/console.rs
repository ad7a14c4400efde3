//! The console: messages for somebody who reads them at three in the morning.

use std::fmt::Write as _;

use watchglass_alerts::{AlertState, Notification, NotifiedAlert};
use watchglass_model::{Labels, TimeMs};
use watchglass_text::gotime::Time;

/// How many alerts of one message are shown; the others are counted.
const MAX_SHOWN: usize = 20;
/// How much of one annotation is shown, in characters.
const MAX_TEXT: usize = 500;

/// The text of a notification, with a newline at its end. Times are UTC.
///
/// ```text
/// 23:41:56Z FIRING: InstanceDown severity=critical (2 firing, 1 resolved)
///   firing for 2m   instance=app:9090 job=app
///     summary: app:9090 is down
///   ended 23:40:12, lasted 5m30s   instance=app:9091 job=app
///   receiver console, new alerts added
/// ```
pub fn text(n: &Notification) -> String {
    let firing = n.alerts.iter().filter(|a| a.state == AlertState::Firing).count();
    let resolved = n.alerts.len() - firing;
    let mut out = format!("{}Z ", clock(n.at));
    out.push_str(if firing > 0 { "FIRING: " } else { "RESOLVED: " });
    let named = n.alerts.first().map_or("", |a| a.alert.labels.value("alertname"));
    let shared = common(&n.alerts);
    let title = if shared.get("alertname").is_some() { named } else { "several alerts" };
    out.push_str(&clean(title, MAX_TEXT));
    for (name, value) in shared.iter().filter(|(name, _)| *name != "alertname") {
        let _ = write!(out, " {name}={}", clean(value, MAX_TEXT));
    }
    let _ = match (firing, resolved) {
        (_, 0) => writeln!(out, " ({firing} firing)"),
        (0, _) => writeln!(out, " ({resolved} resolved)"),
        _ => writeln!(out, " ({firing} firing, {resolved} resolved)"),
    };
    // What still burns comes first.
    let (hot, over): (Vec<_>, Vec<_>) = n.alerts.iter().partition(|a| a.state == AlertState::Firing);
    for alert in hot.iter().chain(&over).take(MAX_SHOWN) {
        one(&mut out, alert, &shared, n.at);
    }
    if n.alerts.len() > MAX_SHOWN {
        let _ = writeln!(out, "  and {} more", n.alerts.len() - MAX_SHOWN);
    }
    let _ = writeln!(out, "  receiver {}, {}", clean(&n.receiver, MAX_TEXT), n.reason.as_str());
    out
}

fn one(out: &mut String, alert: &NotifiedAlert, shared: &Labels, now: TimeMs) {
    let started = alert.alert.starts_at;
    match alert.ended_at() {
        None => {
            let _ = write!(out, "  firing for {}  ", span(now - started));
        }
        Some(end) => {
            let _ = write!(out, "  ended {}, lasted {}  ", clock(end), span(end - started));
        }
    }
    let own = alert.alert.labels.filtered(|name, _| shared.get(name).is_none());
    for (name, value) in &own {
        let _ = write!(out, " {name}={}", clean(value, MAX_TEXT));
    }
    out.push('\n');
    // What was resolved needs no explaining.
    if alert.state == AlertState::Firing {
        for (name, value) in &alert.alert.annotations {
            let _ = writeln!(out, "    {name}: {}", clean(value, MAX_TEXT));
        }
        if !alert.alert.generator_url.is_empty() {
            let _ = writeln!(out, "    {}", clean(&alert.alert.generator_url, MAX_TEXT));
        }
    }
}

/// Labels that all alerts have.
fn common(alerts: &[NotifiedAlert]) -> Labels {
    let mut sets = alerts.iter().map(|a| &a.alert.labels);
    let mut shared = sets.next().cloned().unwrap_or_default();
    for set in sets {
        shared = shared.filtered(|name, value| set.get(name) == Some(value));
    }
    shared
}

fn clock(at: TimeMs) -> String {
    Time::from_ms(at).format("15:04:05")
}

/// A length of time in its two largest units.
fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{}s", s / 60, s % 60).replace("m0s", "m"),
        3600..86_400 => format!("{}h{}m", s / 3600, s / 60 % 60).replace("h0m", "h"),
        _ => format!("{}d{}h", s / 86_400, s / 3600 % 24),
    }
}

/// One line of printable characters: an alert's text must not move a terminal's cursor.
fn clean(text: &str, max: usize) -> String {
    let one_line = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = one_line.take(max).collect();
    if text.trim().chars().count() > max {
        shown.push('…');
    }
    shown
}
