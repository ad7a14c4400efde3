//! Expectations, and how promtool words what isn't so.

use std::fmt::Write;

use watchglass_model::{Labels, PlainFloat, Sample, Value};
use watchglass_text::gotime::Duration;

/// Which alerts of a name should fire at a time (ms from the test's start).
pub(super) struct AlertCheck {
    pub(super) at: i64,
    pub(super) alertname: String,
    pub(super) expected: Vec<Alert>,
}

/// An alert, expected or firing.
#[derive(Clone, PartialEq)]
pub(super) struct Alert {
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
}

/// What a query should give at a time (ms from the test's start).
pub(super) struct ExprCheck {
    pub(super) at: i64,
    pub(super) expr: String,
    pub(super) expected: Vec<(Labels, Value)>,
}

/// A time from the test's start, as Go writes durations.
pub(super) fn time(ms: i64) -> String {
    Duration::from_ms(ms).to_string()
}

/// What is wrong with the alerts that fire.
pub(super) fn check_alerts(check: &AlertCheck, firing: &[Alert]) -> Option<String> {
    let sorted = |alerts: &[Alert]| {
        let mut alerts = alerts.to_vec();
        alerts.sort_by(|a, b| a.labels.cmp(&b.labels).then_with(|| a.annotations.cmp(&b.annotations)));
        alerts
    };
    let (expected, found) = (sorted(&check.expected), sorted(firing));
    if expected == found {
        return None;
    }
    let (name, at) = (&check.alertname, time(check.at));
    let (expected, found) = (show_alerts(&expected), show_alerts(&found));
    Some(format!("    alertname: {name}, time: {at},\n        exp:{expected},\n        got:{found}"))
}

fn show_alerts(alerts: &[Alert]) -> String {
    let mut text = "[".to_owned();
    for (i, alert) in alerts.iter().enumerate() {
        let _ = write!(
            text,
            "\n            {i}:\n              Labels:{}\n              Annotations:{}",
            alert.labels, alert.annotations
        );
    }
    if !alerts.is_empty() {
        text += "\n            ";
    }
    text + "]"
}

/// What is wrong with the samples that a query gives.
pub(super) fn check_samples(check: &ExprCheck, found: Vec<Sample>, fuzzy: bool) -> Option<String> {
    let sorted = |mut samples: Vec<(Labels, Value)>| {
        samples.sort_by(|a, b| a.0.cmp(&b.0));
        samples
    };
    let expected = sorted(check.expected.clone());
    let found = sorted(found.into_iter().map(|s| (s.labels, s.value)).collect());
    let same = expected.len() == found.len()
        && expected.iter().zip(&found).all(|(a, b)| a.0 == b.0 && same_value(&a.1, &b.1, fuzzy));
    if same {
        return None;
    }
    let (expr, at) = (&check.expr, time(check.at));
    let (expected, found) = (show_samples(&expected), show_samples(&found));
    Some(format!("    expr: {expr:?}, time: {at},\n        exp: {expected}\n        got: {found}"))
}

fn same_value(expected: &Value, found: &Value, fuzzy: bool) -> bool {
    match (expected, found) {
        (Value::Float(a), Value::Float(b)) => {
            a == b || a.is_nan() && b.is_nan() || fuzzy && (a - b).abs() <= f64::EPSILON * a.abs().max(b.abs())
        }
        (Value::Histogram(a), Value::Histogram(b)) => {
            a.counter_reset_hint == b.counter_reset_hint
                && if fuzzy { a.almost_equals(b, f64::EPSILON) } else { a.equals(b) }
        }
        _ => false,
    }
}

fn show_samples(samples: &[(Labels, Value)]) -> String {
    if samples.is_empty() {
        return "nil".to_owned();
    }
    let show = |(labels, value): &(Labels, Value)| match value {
        Value::Float(v) => format!("{labels} {}", PlainFloat(*v)),
        Value::Histogram(h) => format!("{labels} {}", h.to_literal()),
    };
    samples.iter().map(show).collect::<Vec<_>>().join(", ")
}
