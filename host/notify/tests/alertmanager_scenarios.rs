//! Alertmanager's own timed scenarios and routing cases, run at once on a virtual clock: configuration text in, notifications out.

use std::path::{Path, PathBuf};

use serde_json::Value;
use watchglass_alerts::{
    AlertState, Alerts, Notification, NotificationId, Options, Outcome, PostedAlert, RouteTree, SavedState, Silence,
};
use watchglass_model::{Labels, Matcher, TimeMs};
use watchglass_notify::config::AlertmanagerConfig;

/// Cases that come out otherwise here, with the reason.
const KNOWN: [(&str, &str); 0] = [];

/// 2026-01-05, midnight UTC.
const ZERO: TimeMs = 1_767_571_200_000;

/// A file of the conformance data; `None` where it is absent, which fails the run under CI.
fn conformance(name: &str) -> Option<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let path = std::env::var_os("WATCHGLASS_CONFORMANCE").map_or(root, PathBuf::from).join(name);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Some(serde_json::from_str(&text).expect("JSON"));
    }
    assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "no conformance data at {}", path.display());
    eprintln!("SKIPPED: no conformance data at {}", path.display());
    None
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    Labels::from_pairs(pairs.map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())))
}

/// Seconds since the scenario's start.
fn time(value: &Value) -> TimeMs {
    ZERO + (value.as_f64().expect("seconds") * 1000.0).round() as i64
}

/// Start and end of an alert. `from_now` gives them as seconds since the scenario's start too. A start that isn't after zero isn't sent.
fn active(alert: &Value) -> (Option<TimeMs>, Option<TimeMs>) {
    let list = alert["active"].as_array().cloned().unwrap_or_default();
    let list = match list.first().and_then(|f| f.get("from_now")) {
        Some(inner) => inner.as_array().cloned().unwrap_or_default(),
        None => list,
    };
    let at = |i: usize| list.get(i).filter(|v| v.as_f64().is_some_and(|s| s > 0.0)).map(time);
    (at(0), at(1))
}

/// What a receiver got: when, and of each alert labels, annotations, start, end.
type Batch = (TimeMs, Vec<(Labels, Labels, TimeMs, Option<TimeMs>)>);

struct Run {
    machine: Alerts,
    now: TimeMs,
    /// Attempts before this fail, after half a second.
    answers_from: TimeMs,
    pending: Vec<(TimeMs, NotificationId)>,
    got: Vec<Batch>,
}

impl Run {
    fn until(&mut self, end: TimeMs) {
        loop {
            let answer = self.pending.iter().map(|(at, _)| *at).min();
            let next = answer.into_iter().chain(self.machine.next_wake(self.now)).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            for (_, id) in self.pending.extract_if(.., |(at, _)| *at <= now) {
                self.machine.outcome(id, Outcome::failed("timeout"), now);
            }
            for notification in self.machine.step(now) {
                if now < self.answers_from {
                    self.pending.push((now + 500, notification.id));
                } else {
                    self.got.push(batch(&notification));
                    self.machine.outcome(notification.id, Outcome::sent(), now);
                }
            }
        }
        self.now = self.now.max(end);
    }

    fn silence(&mut self, from: TimeMs, to: TimeMs, matcher: Matcher) {
        let silence = Silence {
            id: String::new(),
            matcher_sets: vec![vec![matcher]],
            starts_at: from,
            ends_at: to,
            updated_at: 0,
            created_by: String::new(),
            comment: String::new(),
            annotations: Default::default(),
        };
        self.machine.set_silence(silence, "s", self.now).expect("a valid silence");
    }
}

fn batch(notification: &Notification) -> Batch {
    let one = |a: &watchglass_alerts::NotifiedAlert| {
        assert_eq!(a.ended_at().is_some(), a.state == AlertState::Resolved);
        (a.alert.labels.clone(), a.alert.annotations.clone(), a.alert.starts_at, a.ended_at())
    };
    (notification.at, notification.alerts.iter().map(one).collect())
}

/// What is wrong with a scenario's outcome.
fn judge(scenario: &Value) -> Option<String> {
    let name = scenario["test"].as_str().expect("a name");
    let yaml = scenario["config"].as_str().expect("config").replace("%s", "127.0.0.1:9");
    let config = AlertmanagerConfig::parse(&yaml, name).expect("a valid configuration");
    // Told by the test's program, not in the data: the flag `--dispatch.start-delay`, and a receiver that is slow at first.
    let start_delay = if name == "send/TestColdStart" { 5000 } else { 0 };
    let answers_from = if name == "send/TestWebhookTimeout" { ZERO + 3000 } else { ZERO };
    let options = Options { start_delay, ..Options::default() };
    let machine = Alerts::new(config.routing(options), SavedState::default(), ZERO).expect("a valid configuration");
    let mut run = Run { machine, now: ZERO, answers_from, pending: Vec::new(), got: Vec::new() };
    for step in scenario["steps"].as_array().expect("steps") {
        run.until(time(&step["at"]));
        let posted = |alert: &Value| {
            let (starts_at, ends_at) = active(alert);
            let annotations = labels(&alert["annotations"]);
            PostedAlert {
                labels: labels(&alert["labels"]),
                annotations,
                starts_at,
                ends_at,
                generator_url: String::new(),
            }
        };
        let alerts: Vec<PostedAlert> = step["push"].as_array().into_iter().flatten().map(posted).collect();
        let now = run.now;
        assert!(run.machine.post(&alerts, now).is_empty(), "{name}: refused");
        if let Some(set) = step.get("SetSilence") {
            // One is told in the data, the other only in the test's program.
            if set[0].as_str().expect("a silence").contains("Silence(2.5, 4.5)") {
                run.silence(ZERO + 2500, ZERO + 4500, Matcher::equal("alertname", "test1"));
            } else {
                let all = Matcher::new("alertname", watchglass_model::MatchOp::Regex, ".+").expect("an expression");
                run.silence(ZERO + 1500, ZERO + 100_000, all);
            }
        }
        if step.get("DelSilence").is_some() {
            run.machine.expire_silence("s", now).expect("a silence");
        }
    }
    let wanted = scenario["want"].as_array().expect("want");
    let end = wanted.iter().map(|w| time(&w["between"][1])).max().expect("an end");
    run.until(end);
    let tolerance = scenario["tolerance_ms"].as_i64().expect("a tolerance");
    let close = |a: TimeMs, b: TimeMs| (a - b).abs() <= tolerance;
    // The data gives the alerts there other starts than the pushes do.
    let check_starts = name != "send/TestColdStart";
    let mut left = run.got.clone();
    for want in wanted {
        let (from, to) = (time(&want["between"][0]), time(&want["between"][1]));
        let alerts = want["alerts"].as_array().expect("alerts");
        let fits = |(at, got): &Batch| {
            let found = |alert: &Value| {
                let (start, end) = active(alert);
                got.iter().any(|(l, a, s, e)| {
                    *l == labels(&alert["labels"])
                        && *a == labels(&alert["annotations"])
                        && (!check_starts || start.is_none_or(|start| close(*s, start)))
                        && match (e, end) {
                            (Some(e), Some(end)) => close(*e, end),
                            (e, end) => e.is_none() && end.is_none(),
                        }
                })
            };
            (from..=to).contains(at) && got.len() == alerts.len() && alerts.iter().all(found)
        };
        match left.iter().position(fits) {
            Some(at) => drop(left.remove(at)),
            None => return Some(format!("nothing came that is {want}; what came: {:#?}", run.got)),
        }
    }
    (!left.is_empty()).then(|| format!("what nobody wants came too: {left:#?}"))
}

#[test]
fn timed_scenarios() {
    let Some(scenarios) = conformance("alertmanager-scenarios/scenarios.json") else { return };
    let scenarios = scenarios.as_array().expect("scenarios");
    let mut failures = Vec::new();
    for scenario in scenarios {
        let name = scenario["test"].as_str().expect("a name");
        match (judge(scenario), KNOWN.iter().any(|(case, _)| *case == name)) {
            (Some(wrong), false) => failures.push(format!("{name}: {wrong}")),
            (None, true) => failures.push(format!("{name} passes now: take it off the list")),
            _ => {}
        }
    }
    assert!(scenarios.len() >= 8, "{} scenarios", scenarios.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn routing_trees() {
    for file in ["TestRouteMatch", "TestRouteMatchersAndMatch"] {
        let Some(test) = conformance(&format!("alertmanager-route/{file}.json")) else { return };
        let route = test["route_yaml"].as_str().expect("a route");
        let receivers =
            ["def", "A", "testing", "productionA", "productionB", "BC"].map(|r| format!("- name: notify-{r}\n"));
        let indented: String = route.lines().map(|l| format!("  {l}\n")).collect();
        let yaml = format!("route:\n{indented}receivers:\n{}", receivers.concat());
        let config = AlertmanagerConfig::parse(&yaml, file).expect("a valid configuration");
        let tree = RouteTree::new(&config.routing(Options::default())).expect("a valid tree");
        let cases = test["cases"].as_array().expect("cases");
        assert!(cases.len() >= 8, "{} cases", cases.len());
        for case in cases {
            let nodes: Vec<_> = tree.matching(&labels(&case["labels"])).into_iter().map(|at| tree.node(at)).collect();
            let keys: Vec<&str> = nodes.iter().map(|n| n.key.as_str()).collect();
            let receivers: Vec<&str> = nodes.iter().map(|n| n.receiver.as_str()).collect();
            assert_eq!((Value::from(keys), Value::from(receivers)), (case["keys"].clone(), case["receivers"].clone()));
        }
    }
}
