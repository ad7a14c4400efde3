//! The rule on points made by hand: when it speaks, what it says, when it stops.

use serde_json::{Value, json};
use watchglass_plugin_disk_full::DiskFull;
use watchglass_sdk::Point;
use watchglass_sdk::prelude::*;

const MINUTE: i64 = 60_000;
const GIB: f64 = 1_073_741_824.0;
/// 2026-01-31 12:00 UTC.
const NOW: i64 = 1_769_860_800_000;

fn rule(config: Value) -> DiskFull {
    DiskFull::configure(&config).expect("a config").0
}

fn labels(mountpoint: &str) -> Vec<(String, String)> {
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    vec![pair("device", "/dev/sda"), pair("instance", "web-1"), pair("mountpoint", mountpoint)]
}

/// A disk of 100 GiB with so much free now (GiB), which changed by so much an hour during six hours, seen every five minutes until `ago` minutes ago.
fn disk(mountpoint: &str, free: f64, an_hour: f64, ago: i64) -> [Series; 2] {
    let mut labels = labels(mountpoint);
    let point = |i: i64| Point { at: NOW - i * 5 * MINUTE, v: (free - an_hour * i as f64 / 12.0) * GIB };
    let points = (0..=72).rev().filter(|i| i * 5 >= ago).map(point).collect();
    let size = Series { labels: labels.clone(), points: vec![Point { at: NOW, v: 100.0 * GIB }] };
    labels.insert(0, ("__name__".to_owned(), "node_filesystem_avail_bytes".to_owned()));
    [Series { labels, points }, size]
}

fn evaluate(rule: &DiskFull, disks: &[[Series; 2]], active: &[Alert]) -> Vec<Alert> {
    let inputs: Vec<Vec<Series>> = (0..2).map(|i| disks.iter().map(|d| d[i].clone()).collect()).collect();
    rule.evaluate(NOW, &inputs, active).expect("alerts")
}

fn severities(alerts: &[Alert]) -> Vec<&str> {
    let of = |a: &'_ Alert| a.labels.iter().position(|l| l.0 == "severity");
    alerts.iter().filter_map(|a| of(a).map(|i| a.labels[i].1.as_str())).collect()
}

fn annotation<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.annotations.iter().find(|a| a.0 == name).map_or("", |a| a.1.as_str())
}

#[test]
fn inputs_are_what_is_asked_for() {
    let config = json!({"selector": "job=\"node\"", "fstype_exclude": "tmpfs", "mountpoint": "/|/var.*"});
    let (_, inputs) = DiskFull::configure(&config).unwrap();
    let matchers = "{mountpoint=~\"/|/var.*\",fstype!~\"tmpfs\",job=\"node\"}";
    assert_eq!(inputs[0].expr, format!("node_filesystem_avail_bytes{matchers}"));
    assert_eq!((inputs[0].range_ms, inputs[0].step_ms), (6 * 3_600_000, 300_000));
    assert_eq!((inputs[1].expr.clone(), inputs[1].range_ms), (format!("node_filesystem_size_bytes{matchers}"), 0));
}

#[test]
fn levels_by_time_left() {
    let rule = rule(json!({}));
    for (free, an_hour, expected) in [
        (30.0, -1.0, &[][..]),
        (30.0, -1.25, &["warning"]),
        (30.0, -10.0, &["warning"]),
        (19.0, -5.0, &["warning", "critical"]),
        // Much is free.
        (45.0, -20.0, &[]),
        // It doesn't fill.
        (1.0, 0.0, &[]),
        (1.0, 5.0, &[]),
        // It is full.
        (0.1, 0.0, &["warning", "critical"]),
        (0.0, 0.0, &["warning", "critical"]),
    ] {
        let alerts = evaluate(&rule, &[disk("/", free, an_hour, 0)], &[]);
        assert_eq!(severities(&alerts), expected, "{free} GiB, {an_hour} GiB an hour");
    }
}

#[test]
fn what_it_says() {
    let alerts = evaluate(&rule(json!({})), &[disk("/", 90.0, -1.0, 0), disk("/var", 19.0, -5.0, 0)], &[]);
    assert_eq!(alerts.len(), 2);
    let alert = &alerts[1];
    let mut expected = labels("/var");
    expected.push(("severity".to_owned(), "critical".to_owned()));
    assert_eq!((alert.name.as_str(), &alert.labels, alert.for_ms), ("DiskFull", &expected, 600_000));
    assert!((alert.value - 3.8 * 3600.0).abs() < 1.0, "seconds: {}", alert.value);
    assert_eq!(annotation(alert, "summary"), "/var on web-1 will be full in 3h 48m");
    assert_eq!(annotation(alert, "full_at"), "2026-01-31 15:48 UTC");
    assert_eq!(
        annotation(alert, "description"),
        "19.0 GiB of 100 GiB (19.0 %) are left; it loses 5.0 GiB an hour, as it went during the last 6h"
    );
    let full = evaluate(&rule(json!({"alertname": "Full", "for": "0"})), &[disk("/", 0.0, 0.0, 0)], &[]);
    assert_eq!((full[0].name.as_str(), full[0].for_ms, full[0].value), ("Full", 0, 0.0));
    assert_eq!(annotation(&full[0], "summary"), "/ on web-1 is full");
}

#[test]
fn what_is_active_ends_with_a_margin() {
    let rule = rule(json!({"levels": [{"severity": "page", "within": "10h", "free_below": 0.5}], "margin": 0.2}));
    let active = evaluate(&rule, &[disk("/", 30.0, -3.1, 0)], &[]);
    assert_eq!(active.len(), 1);
    for (free, an_hour, begins, goes_on) in [
        (30.0, -3.1, true, true),
        // Full in 11 hours, in 12.5 hours.
        (30.0, -2.7, false, true),
        (30.0, -2.4, false, false),
        // Room was made: just over the level, and well over it.
        (52.0, -6.0, false, true),
        (56.0, -6.0, false, false),
        // It stands still: no longer filling.
        (30.0, 0.0, false, false),
    ] {
        let disks = [disk("/", free, an_hour, 0)];
        assert_eq!(!evaluate(&rule, &disks, &[]).is_empty(), begins, "{free} GiB, {an_hour} GiB an hour begins");
        assert_eq!(!evaluate(&rule, &disks, &active).is_empty(), goes_on, "{free} GiB, {an_hour} GiB an hour goes on");
    }
    // Another disk's alert keeps nothing up, one with the operator's labels does.
    assert!(evaluate(&rule, &[disk("/other", 30.0, -2.7, 0)], &active).is_empty());
    let theirs = vec![active[0].clone().label("team", "ops")];
    let goes_on = evaluate(&rule, &[disk("/", 30.0, -2.7, 0)], &theirs);
    assert_eq!(goes_on[0].labels, active[0].labels, "labels never change");
}

#[test]
fn too_little_news_begins_nothing_and_ends_nothing() {
    let rule = rule(json!({}));
    let active = evaluate(&rule, &[disk("/", 10.0, -1.0, 0)], &[]);
    assert_eq!(severities(&active), ["warning"]);
    // The newest point is too old; most points are missing.
    for disks in [
        [disk("/", 10.0, -1.0, 15)],
        [disk("/", 10.0, -1.0, 0)].map(|[a, s]| [Series { points: a.points[62..].to_vec(), ..a }, s]),
    ] {
        assert!(evaluate(&rule, &disks, &[]).is_empty());
        assert_eq!(severities(&evaluate(&rule, &disks, &active)), ["warning"]);
    }
    // It is gone, or nobody says how large it is.
    assert!(evaluate(&rule, &[], &active).is_empty());
    let [avail, size] = disk("/", 10.0, -1.0, 0);
    assert!(rule.evaluate(NOW, &[vec![avail.clone()], vec![]], &active).unwrap().is_empty());
    let nothing = Series { points: vec![Point { at: NOW, v: 0.0 }], ..size };
    assert!(evaluate(&rule, &[[avail, nothing]], &[]).is_empty());
    assert!(rule.evaluate(NOW, &[], &[]).is_err());
}
