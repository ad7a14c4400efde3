//! Groups over samples in memory, under a clock of our own.

use std::cell::RefCell;
use std::time::Duration;

use watchglass_model::{Labels, Sample, SampleBatch, TimeMs, Value, is_stale_nan};
use watchglass_promql::ast::Expr;
use watchglass_promql::script::Memory;
use watchglass_promql::{Cancel, Options, ParserOptions, QueryValue, parse, query_instant};
use watchglass_rules::{
    ActiveAlert, AlertState, Env, EvalError, ExternalRule, Group, Health, Instance, Iteration, Rule, eval_timestamp,
    parse_rule_file,
};

/// Where all tests begin, so that no time is zero.
const START: TimeMs = 1_700_000_000_000;
const MINUTE: i64 = 60_000;

#[derive(Default)]
struct World {
    memory: RefCell<Memory>,
    /// What the last turn wrote.
    written: RefCell<Vec<Sample>>,
}

impl World {
    fn set(&self, series: &str, minute: i64, value: f64) {
        let labels = watchglass_promql::series::parse_series(series).expect(series).labels;
        self.memory.borrow_mut().append(&labels, START + minute * MINUTE, Value::Float(value));
    }

    fn query(&self, text: &str, expr: &Expr, at: TimeMs) -> Result<Vec<Sample>, String> {
        let memory = self.memory.borrow();
        let result = query_instant(&*memory, text, expr, at, &Options::default(), &Cancel::default());
        match result.map_err(|e| e.to_string())?.value {
            QueryValue::Vector(samples) => Ok(samples),
            QueryValue::Scalar(p) => Ok(vec![Sample { labels: Labels::empty(), t: p.t, value: Value::Float(p.v) }]),
            _ => Err("no vector".to_owned()),
        }
    }

    fn turn_at(&self, group: &mut Group, now: TimeMs) -> Iteration {
        self.written.borrow_mut().clear();
        let mut query = |text: &str, expr: &Expr, at| self.query(text, expr, at);
        let mut query_text = |text: &str, at| {
            let expr = parse(text, ParserOptions::all()).map_err(|e| e.to_string())?;
            self.query(text, &expr, at)
        };
        let mut append = |batch: SampleBatch| {
            for sample in batch.samples {
                self.memory.borrow_mut().append(&sample.labels, sample.t, sample.value.clone());
                self.written.borrow_mut().push(sample);
            }
        };
        let external_labels = Labels::from_pairs([("env", "test")]);
        let mut env = Env {
            query: &mut query,
            query_text: &mut query_text,
            append: &mut append,
            external_labels: &external_labels,
            external_url: "http://w/",
        };
        group.evaluate(now, &mut env, &|| Duration::ZERO)
    }

    fn turn(&self, group: &mut Group, minute: i64) -> Iteration {
        self.turn_at(group, START + minute * MINUTE)
    }

    /// What the last turn wrote, as text; times in minutes.
    fn written(&self) -> Vec<String> {
        let show = |s: &Sample| {
            let value = match s.value {
                Value::Float(v) if is_stale_nan(v) => "stale".to_owned(),
                Value::Float(v) => v.to_string(),
                Value::Histogram(_) => "histogram".to_owned(),
            };
            format!("{} {value} at {}", s.labels, (s.t - START) / MINUTE)
        };
        let mut lines: Vec<String> = self.written.borrow().iter().map(show).collect();
        lines.sort();
        lines
    }
}

fn group(rules: &str) -> Group {
    let file = parse_rule_file(rules, "f.yml", ParserOptions::all()).unwrap_or_else(|e| panic!("{e:?}"));
    Group::new(file.groups[0].clone(), MINUTE, 0, MINUTE)
}

fn alerts(group: &Group) -> Vec<String> {
    let mut lines = vec![];
    for (rule, _) in group.rules() {
        if let Rule::Alerting(rule) = rule {
            lines.extend(rule.alerts().map(|a| format!("{} {}", a.labels, a.state.as_str())));
        }
    }
    lines
}

#[test]
fn a_rule_sees_what_the_one_before_it_recorded() {
    let world = World::default();
    world.set("m{a=\"x\",b=\"1\"}", 0, 2.0);
    world.set("m{a=\"x\",b=\"2\"}", 0, 3.0);
    let mut g = group(
        "groups: [{name: g, labels: {team: t, b: group}, rules: [{record: s, expr: 'sum by (a) (m)', labels: {b: own}}, {record: d, expr: s * 2}]}]",
    );
    let turn = world.turn(&mut g, 0);
    assert_eq!((turn.failures, turn.alerts.len()), (0, 0));
    let expected = ["d{a=\"x\", b=\"group\", team=\"t\"} 10 at 0", "s{a=\"x\", b=\"own\", team=\"t\"} 5 at 0"];
    assert_eq!(world.written(), expected);
    assert_eq!((g.status().samples, g.status().last_evaluation), (2, START));
}

#[test]
fn what_vanishes_is_marked_stale_once() {
    let world = World::default();
    world.set("m{a=\"x\"}", 0, 1.0);
    world.set("m{a=\"y\"}", 0, 1.0);
    let mut g = group("groups: [{name: g, rules: [{record: r, expr: m > 0}]}]");
    world.turn(&mut g, 0);
    world.set("m{a=\"x\"}", 1, 0.0);
    world.turn(&mut g, 1);
    assert_eq!(world.written(), ["r{a=\"x\"} stale at 1", "r{a=\"y\"} 1 at 1"]);
    world.turn(&mut g, 2);
    assert_eq!(world.written(), ["r{a=\"y\"} 1 at 2"]);
}

#[test]
fn errors_are_the_rules_own() {
    let world = World::default();
    world.set("m{a=\"x\"}", 0, 1.0);
    world.set("m{a=\"y\"}", 0, 2.0);
    let mut g = group(
        "groups: [{name: g, limit: 1, rules: [{record: same, expr: m, labels: {a: z}}, {record: many, expr: m}, {record: fine, expr: sum(m)}, {alert: A, expr: m, labels: {a: z}}, {alert: B, expr: m}]}]",
    );
    let turn = world.turn(&mut g, 0);
    assert_eq!(turn.failures, 4);
    let errors: Vec<(&str, &str)> = g.rules().map(|(_, s)| (s.health.as_str(), s.last_error.as_str())).collect();
    assert_eq!(errors[0], ("err", "vector contains metrics with the same labelset after applying rule labels"));
    assert_eq!(errors[1], ("err", "exceeded limit of 1 with 2 series"));
    assert_eq!(errors[2], ("ok", ""));
    assert_eq!(errors[3], ("err", "vector contains metrics with the same labelset after applying alert labels"));
    assert_eq!(errors[4], ("err", "exceeded limit of 1 with 2 alerts"));
    assert_eq!(world.written(), ["fine 3 at 0"]);
}

#[test]
fn an_alert_from_pending_to_forgotten() {
    let world = World::default();
    let mut g = group(
        "groups: [{name: g, rules: [{alert: High, expr: 'm{job=\"j\"} > 5', for: 2m, keep_firing_for: 2m, labels: {severity: page}, annotations: {text: '{{ $value }} in {{ $externalLabels.env }}'}}]}]",
    );
    g.set_restored();
    let mut sent = vec![];
    for minute in 0..26 {
        world.set("m{job=\"j\"}", minute, if (1..5).contains(&minute) { 9.0 } else { 1.0 });
        let turn = world.turn(&mut g, minute);
        let state = alerts(&g).first().map_or("", |a| a.rsplit(' ').next().unwrap_or("")).to_owned();
        let expected = match minute {
            1..3 => "pending",
            3..7 => "firing",
            _ => "",
        };
        assert_eq!(state, expected, "minute {minute}");
        for alert in turn.alerts {
            let minutes = |t: TimeMs| (t - START) / MINUTE;
            sent.push((minute, minutes(alert.starts_at), minutes(alert.ends_at)));
            assert_eq!(alert.labels.to_string(), "{alertname=\"High\", job=\"j\", severity=\"page\"}");
            assert_eq!(alert.annotations.get("text"), Some("9 in test"));
            assert_eq!(alert.generator_url, "http://w/graph?g0.expr=m%7Bjob%3D%22j%22%7D+%3E+5&g0.tab=1");
        }
        if minute == 2 {
            let since = ((START + MINUTE) / 1000).to_string();
            assert_eq!(
                world.written(),
                [
                    format!("ALERTS_FOR_STATE{{alertname=\"High\", job=\"j\", severity=\"page\"}} {since} at 2"),
                    "ALERTS{alertname=\"High\", alertstate=\"pending\", job=\"j\", severity=\"page\"} 1 at 2"
                        .to_owned(),
                ]
            );
        }
        if minute == 7 {
            assert_eq!(
                world.written(),
                [
                    "ALERTS_FOR_STATE{alertname=\"High\", job=\"j\", severity=\"page\"} stale at 7",
                    "ALERTS{alertname=\"High\", alertstate=\"firing\", job=\"j\", severity=\"page\"} stale at 7",
                ]
            );
        }
    }
    // Firing from 3 on; resent when more than a minute has passed, so every second turn; resolved at 7, and told for a quarter of an hour.
    let firing: Vec<_> = sent.iter().filter(|(at, ..)| *at < 7).collect();
    assert_eq!(firing, [&(3, 3, 7), &(5, 3, 9)]);
    let resolved: Vec<_> = sent.iter().filter(|(at, ..)| *at >= 7).collect();
    assert!(resolved.iter().all(|(_, start, end)| (*start, *end) == (3, 7)), "{resolved:?}");
    assert_eq!((resolved[0].0, resolved.last().map(|r| r.0)), (7, Some(21)));
}

#[test]
fn alerts_on_alerts_in_the_same_turn() {
    let world = World::default();
    world.set("m", 0, 1.0);
    let mut g = group(
        "groups: [{name: g, rules: [{alert: A, expr: m}, {alert: B, expr: 'ALERTS{alertname=\"A\",alertstate=\"firing\"}'}]}]",
    );
    g.set_restored();
    let turn = world.turn(&mut g, 0);
    assert_eq!(turn.alerts.len(), 2);
    // The name of the alert that B stands on gives way to its own, and so does what the series had in that label.
    assert_eq!(alerts(&g), ["{alertname=\"A\"} firing", "{alertname=\"B\", alertstate=\"firing\"} firing"]);
}

#[test]
fn for_goes_on_after_a_restart() {
    let rules =
        "groups: [{name: g, rules: [{alert: Slow, expr: m > 0, for: 30m}, {alert: Quick, expr: m > 0, for: 5m}]}]";
    let world = World::default();
    let mut g = group(rules);
    g.set_restored();
    for minute in 0..=15 {
        world.set("m", minute, 1.0);
        world.turn(&mut g, minute);
    }
    // Down from 16 to 19; what was pending for 15 minutes then goes on where it stood.
    let mut g = group(rules);
    world.set("m", 20, 1.0);
    assert_eq!(world.turn(&mut g, 20).failures, 0);
    assert!(world.written().is_empty(), "nothing overwrites the old state before it has been read");
    world.set("m", 21, 1.0);
    world.turn(&mut g, 21);
    let since: Vec<i64> = g
        .rules()
        .filter_map(|(rule, _)| match rule {
            Rule::Alerting(rule) => rule.alerts().next().map(|a| (a.active_at - START) / MINUTE),
            Rule::Recording(_) => None,
        })
        .collect();
    assert_eq!(since, [6, 20], "the time without us doesn't count; below the grace period one waits anew");
    for minute in 22..=36 {
        world.set("m", minute, 1.0);
        world.turn(&mut g, minute);
        let firing = alerts(&g)[0].ends_with("firing");
        assert_eq!(firing, minute >= 36, "minute {minute}");
    }
}

#[test]
fn a_reload_keeps_state_and_ends_what_is_gone() {
    let world = World::default();
    world.set("m", 0, 1.0);
    let mut old = group("groups: [{name: g, rules: [{record: gone, expr: m}, {alert: A, expr: m, for: 2m}]}]");
    old.set_restored();
    world.turn(&mut old, 0);
    let mut new = group("groups: [{name: g, rules: [{alert: A, expr: m * 2, for: 1m}]}]");
    new.take_state(old);
    world.turn(&mut new, 1);
    assert_eq!(alerts(&new), ["{alertname=\"A\"} firing"], "pending since minute 0, and the new `for` counts");
    assert!(world.written().contains(&"gone stale at 1".to_owned()), "{:?}", world.written());
}

#[test]
fn offsets_and_schedules() {
    let world = World::default();
    world.set("m", 0, 1.0);
    world.set("m", 3, 2.0);
    let mut g = group(
        "groups: [{name: g, query_offset: 2m, interval: 2m, rules: [{record: r, expr: m}, {alert: A, expr: m}]}]",
    );
    g.set_restored();
    world.turn(&mut g, 4);
    assert_eq!(world.written()[2], "r 1 at 2");
    assert!(world.written()[0].ends_with(" at 2"));
    assert_eq!(g.status().missed, 0);
    world.turn(&mut g, 10);
    assert_eq!(g.status().missed, 2, "turns at 6 and 8");
    let turn = g.turn(START);
    assert!(turn <= START && START - turn < 2 * MINUTE);
    assert_eq!(g.turn(turn), turn);
    assert_eq!(eval_timestamp(10, 4, 1), 9);
    let other = group("groups: [{name: other, interval: 2m}]");
    assert_ne!(other.turn(START), turn, "groups are spread");
}

#[derive(Debug)]
struct Plugin {
    fail: bool,
    seen: usize,
}

impl ExternalRule for Plugin {
    fn name(&self) -> &str {
        "disk-full"
    }

    fn evaluate(&mut self, _: TimeMs, active: &[&ActiveAlert], env: &mut Env<'_>) -> Result<Vec<Instance>, EvalError> {
        self.seen = active.len();
        if self.fail {
            return Err(EvalError("trap".to_owned()));
        }
        let found = (env.query_text)("m", START).map_err(EvalError)?;
        let instance = |sample: &Sample| Instance {
            labels: sample.labels.without_name(),
            annotations: Labels::from_pairs([("active", self.seen.to_string())]),
            value: sample.value.clone(),
            hold_ms: MINUTE,
            keep_firing_ms: 0,
        };
        Ok(found.iter().map(instance).collect())
    }
}

#[test]
fn a_plugins_alerts_go_the_same_way() {
    let world = World::default();
    world.set("m{disk=\"a\"}", 0, 1.0);
    let mut g = Group::external(Box::new(Plugin { fail: false, seen: 0 }), "plugin disk-full", MINUTE, 0, MINUTE);
    g.set_restored();
    assert_eq!(world.turn(&mut g, 0).alerts.len(), 0);
    assert_eq!(alerts(&g), ["{alertname=\"disk-full\", disk=\"a\"} pending"]);
    let turn = world.turn(&mut g, 1);
    assert_eq!(turn.alerts.len(), 1);
    assert_eq!(turn.alerts[0].annotations.get("active"), Some("1"));
    assert_eq!((world.written().len(), g.spec().name.as_str(), g.interval_ms()), (3, "disk-full", MINUTE));
    let Some((Rule::Alerting(rule), status)) = g.rules().next() else { panic!("no rule") };
    assert!(rule.is_external() && rule.state() == AlertState::Firing && status.health == Health::Good);

    let mut g = Group::external(Box::new(Plugin { fail: true, seen: 0 }), "plugin disk-full", MINUTE, 0, MINUTE);
    assert_eq!(world.turn(&mut g, 0).failures, 1);
    assert_eq!(g.rules().next().map(|(_, s)| s.last_error.clone()), Some("trap".to_owned()));
}
