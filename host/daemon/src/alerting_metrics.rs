//! What Alertmanager counts, under its names: alerts, groups, silences, notifications.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use watchglass_alerts::{AlertFilter, Alerts, Notification};
use watchglass_model::TimeMs;
use watchglass_notify::{Delivery, FailureReason};

use crate::metrics::{Metric, metric};

/// Upper bounds of the latency's buckets, seconds: Alertmanager's.
const LATENCY_BOUNDS: [f64; 5] = [1.0, 5.0, 10.0, 15.0, 20.0];

/// What was delivered, by integration kind and receiver.
#[derive(Default)]
pub(crate) struct Deliveries(Mutex<BTreeMap<(String, String), Counts>>);

/// What was delivered to one kind of integration of one receiver.
#[derive(Clone, Default)]
struct Counts {
    notifications: u64,
    failed: BTreeMap<&'static str, u64>,
    requests: u64,
    requests_failed: u64,
    latency: [u64; LATENCY_BOUNDS.len()],
    latency_sum: f64,
}

impl Deliveries {
    /// Counts what became of a notification.
    pub(crate) fn count(&self, notification: &Notification, delivery: &Delivery, took: Duration) {
        let key = (notification.integration.kind.clone(), notification.receiver.clone());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry(key).or_default();
        counts.notifications += 1;
        counts.requests += u64::from(delivery.requests);
        counts.requests_failed += u64::from(delivery.requests);
        match &delivery.result {
            Ok(_) => counts.requests_failed -= u64::from(delivery.requests.min(1)),
            Err(failure) => *counts.failed.entry(failure.reason.as_str()).or_default() += 1,
        }
        counts.latency_sum += took.as_secs_f64();
        for (bucket, bound) in counts.latency.iter_mut().zip(LATENCY_BOUNDS) {
            *bucket += u64::from(took.as_secs_f64() <= bound);
        }
    }

    /// All counts. Integrations that have sent nothing yet have zeros, so that rates see their first failure.
    fn metrics(&self, machine: &Alerts) -> Vec<Metric> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for receiver in &machine.config().receivers {
            for integration in &receiver.integrations {
                all.entry((integration.kind.clone(), receiver.name.clone())).or_default();
            }
        }
        let mut out = Vec::new();
        for ((kind, receiver), counts) in &all {
            let labels = [("integration", kind.as_str()), ("receiver_name", receiver.as_str())];
            let mut add = |name: &'static str, more: &[(&str, &str)], value: f64| {
                out.push(metric(name, &[&labels[..], more].concat(), value));
            };
            add("alertmanager_notifications_total", &[], counts.notifications as f64);
            add("alertmanager_notification_requests_total", &[], counts.requests as f64);
            add("alertmanager_notification_requests_failed_total", &[], counts.requests_failed as f64);
            for reason in FailureReason::WORDS {
                let failed = counts.failed.get(reason).copied().unwrap_or(0);
                add("alertmanager_notifications_failed_total", &[("reason", reason)], failed as f64);
            }
            let latency = "alertmanager_notification_latency_seconds_bucket";
            for (bound, below) in LATENCY_BOUNDS.iter().zip(counts.latency) {
                add(latency, &[("le", &bound.to_string())], below as f64);
            }
            add(latency, &[("le", "+Inf")], counts.notifications as f64);
            add("alertmanager_notification_latency_seconds_sum", &[], counts.latency_sum);
            add("alertmanager_notification_latency_seconds_count", &[], counts.notifications as f64);
        }
        out
    }
}

/// All metrics of the alert machine and of what it sent.
pub(crate) fn metrics(machine: &Alerts, deliveries: &Deliveries, now: TimeMs) -> Vec<Metric> {
    let counts = machine.counts();
    let mut alerts = BTreeMap::from([("active", 0u32), ("suppressed", 0), ("unprocessed", 0)]);
    for view in machine.alerts(&AlertFilter::default(), now) {
        *alerts.entry(view.status.state()).or_default() += 1;
    }
    let mut silences = BTreeMap::from([("active", 0u32), ("pending", 0), ("expired", 0)]);
    for silence in machine.silences(now) {
        *silences.entry(silence.state(now).as_str()).or_default() += 1;
    }
    let (receivers, rules) = (&machine.config().receivers, &machine.config().inhibit_rules);
    let integrations: usize = receivers.iter().map(|r| r.integrations.len()).sum();
    let n = |count: u64| count as f64;
    let mut out = vec![
        metric("alertmanager_dispatcher_aggregation_groups", &[], counts.groups as f64),
        metric("alertmanager_receivers", &[], receivers.len() as f64),
        metric("alertmanager_integrations", &[], integrations as f64),
        metric("alertmanager_inhibition_rules", &[], rules.len() as f64),
        metric("alertmanager_cluster_enabled", &[], 0.0),
        metric(
            "alertmanager_alerts_invalid_total",
            &[("version", "v2")],
            n(counts.refused_invalid + counts.refused_limit),
        ),
    ];
    let received = [("firing", counts.received_firing), ("resolved", counts.received_resolved)];
    for (status, count) in received {
        let labels = [("status", status), ("version", "v2")];
        out.push(metric("alertmanager_alerts_received_total", &labels, n(count)));
    }
    let suppressed = [
        ("active_time_interval", counts.suppressed_inactive),
        ("inhibition", counts.suppressed_inhibited),
        ("mute_time_interval", counts.suppressed_muted),
        ("silence", counts.suppressed_silenced),
    ];
    for (reason, count) in suppressed {
        out.push(metric("alertmanager_notifications_suppressed_total", &[("reason", reason)], n(count)));
    }
    out.extend(alerts.iter().map(|(state, n)| metric("alertmanager_alerts", &[("state", state)], f64::from(*n))));
    out.extend(silences.iter().map(|(state, n)| metric("alertmanager_silences", &[("state", state)], f64::from(*n))));
    out.extend(deliveries.metrics(machine));
    out
}
