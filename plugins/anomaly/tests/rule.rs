//! The rule on points made by hand: when it speaks, what it says, when it stops.

use serde_json::{Value, json};
use watchglass_plugin_anomaly::Anomaly;
use watchglass_sdk::Point;
use watchglass_sdk::prelude::*;

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_769_860_800_000;

fn rule(check: Value) -> Anomaly {
    let mut all = json!({"name": "Requests", "expr": "sum by (job) (rate(requests_total[5m]))"});
    all.as_object_mut().unwrap().extend(check.as_object().unwrap().clone());
    Anomaly::configure(&json!({"check": [all]})).expect("a config").0
}

fn series(job: &str, values: &[f64]) -> Series {
    let points = values.iter().enumerate().map(|(i, v)| Point { at: NOW - (values.len() - 1 - i) as i64 * DAY, v: *v });
    Series { labels: vec![("job".to_owned(), job.to_owned())], points: points.collect() }
}

fn evaluate(rule: &Anomaly, now: f64, past: &[f64], active: &[Alert]) -> Vec<Alert> {
    rule.evaluate(NOW, &[vec![series("api", &[now])], vec![series("api", past)]], active).expect("alerts")
}

const WEEK: [f64; 7] = [100.0, 104.0, 96.0, 101.0, 99.0, 300.0, 102.0];

#[test]
fn what_is_unusual() {
    // The middle of WEEK is 101, the spread 2 * 1.4826 = 2.97, but 5 % of 101 = 5.05 at least.
    for (direction, now, fires) in [
        ("both", 101.0, false),
        ("both", 120.0, false),
        ("both", 121.3, true),
        ("both", 80.7, true),
        ("up", 130.0, true),
        ("up", 10.0, false),
        ("down", 130.0, false),
        ("down", 10.0, true),
    ] {
        let alerts = evaluate(&rule(json!({"direction": direction})), now, &WEEK, &[]);
        assert_eq!(!alerts.is_empty(), fires, "{now} {direction}");
    }
}

#[test]
fn what_it_says() {
    let check = json!({"severity": "page", "for": "5m", "labels": {"team": "web"}, "annotations": {"runbook": "look"}});
    let alerts = evaluate(&rule(check), 50.5, &WEEK, &[]);
    let alert = &alerts[0];
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    assert_eq!(alert.labels, [pair("job", "api"), pair("team", "web"), pair("severity", "page")]);
    assert_eq!((alert.name.as_str(), alert.value, alert.for_ms), ("Requests", 50.5, 300_000));
    assert_eq!(
        alert.annotations,
        [
            pair("summary", "Requests of job=api is 50.5, usually 101 at this hour"),
            pair(
                "description",
                "the middle of 7 days at this hour is 101; 50.5 is 10 times the usual spread of 5.05 below it"
            ),
            pair("runbook", "look"),
        ]
    );
    let never = evaluate(&rule(json!({})), 0.001, &[0.0; 5], &[]);
    assert!(never[0].annotations[1].1.ends_with("0.001 is above what never differed"), "{never:?}");
}

#[test]
fn what_is_active_ends_lower_than_it_began() {
    let rule = rule(json!({"threshold": 4, "clear": 2, "min_change": 11}));
    let active = evaluate(&rule, 130.0, &WEEK, &[]);
    assert_eq!(active.len(), 1);
    // Four spreads are 20.2, two 10.1; a difference of less than 11 never counts.
    for (now, goes_on) in [(130.0, true), (115.0, true), (111.5, false), (90.0, true), (101.0, false)] {
        assert_eq!(!evaluate(&rule, now, &WEEK, &active).is_empty(), goes_on, "{now}");
        let theirs = vec![active[0].clone().label("env", "prod")];
        assert_eq!(!evaluate(&rule, now, &WEEK, &theirs).is_empty(), goes_on, "{now}");
    }
    assert!(evaluate(&rule, 115.0, &WEEK, &[]).is_empty());
}

#[test]
fn a_short_past_says_nothing() {
    let rule = rule(json!({"min_days": 4}));
    assert!(evaluate(&rule, 1000.0, &WEEK[..3], &[]).is_empty());
    assert!(!evaluate(&rule, 1000.0, &WEEK[..4], &[]).is_empty());
    assert!(evaluate(&rule, 1000.0, &[1.0, 1.0, 1.0, f64::NAN], &[]).is_empty(), "what is no number is no day");
    assert!(evaluate(&rule, f64::NAN, &WEEK, &[]).is_empty());
    // Another series' past is not this one's.
    let inputs = [vec![series("api", &[1000.0])], vec![series("web", &WEEK)]];
    assert!(rule.evaluate(NOW, &inputs, &[]).unwrap().is_empty());
    assert!(rule.evaluate(NOW, &[], &[]).is_err());
}
