//! Groups over samples in memory, under a clock of our own.

mod common;

use common::world::{MINUTE, START, World, alerts, group, groups};
use watchglass_model::{Labels, Sample, TimeMs};
use watchglass_rules::{
    ActiveAlert, AlertState, Env, EvalError, ExternalRule, Group, Health, Instance, Rule, Timing, eval_timestamp,
};

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
}

impl ExternalRule for Plugin {
    fn name(&self) -> &str {
        "disk-full"
    }

    fn evaluate(&self, _: TimeMs, active: &[&ActiveAlert], env: &Env<'_>) -> Result<Vec<Instance>, EvalError> {
        if self.fail {
            return Err(EvalError("trap".to_owned()));
        }
        let found = env.queries.text("m", START).map_err(EvalError)?;
        let instance = |sample: &Sample| Instance {
            labels: sample.labels.without_name(),
            annotations: Labels::from_pairs([("active", active.len().to_string())]),
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
    let mut g = Group::external(Box::new(Plugin { fail: false }), "plugin disk-full", MINUTE, Timing::default());
    g.set_restored();
    assert_eq!(world.turn(&mut g, 0).alerts.len(), 0);
    assert_eq!(alerts(&g), ["{alertname=\"disk-full\", disk=\"a\"} pending"]);
    let turn = world.turn(&mut g, 1);
    assert_eq!(turn.alerts.len(), 1);
    assert_eq!(turn.alerts[0].annotations.get("active"), Some("1"));
    assert_eq!((world.written().len(), g.spec().name.as_str(), g.interval_ms()), (3, "disk-full", MINUTE));
    let Some((Rule::Alerting(rule), status)) = g.rules().next() else { panic!("no rule") };
    assert!(rule.is_external() && rule.state() == AlertState::Firing && status.health == Health::Good);

    let mut g = Group::external(Box::new(Plugin { fail: true }), "plugin disk-full", MINUTE, Timing::default());
    assert_eq!(world.turn(&mut g, 0).failures, 1);
    assert_eq!(g.rules().next().map(|(_, s)| s.last_error.clone()), Some("trap".to_owned()));
}

/// Rules of all kinds that stand on each other in every way.
const TANGLED: &str = "groups: [{name: g, limit: 3, rules: [
    {record: a, expr: 'm * 2'}, {record: b, expr: 'a + 1'}, {record: c, expr: 'a offset 1m or b'}, {record: early, expr: 'late + 0'},
    {alert: A, expr: 'm > 5', for: 1m}, {alert: B, expr: 'ALERTS{alertname=\"A\"}', labels: {of: '{{ $labels.alertname }}'}},
    {record: late, expr: 'sum(m)'}, {record: same, expr: m, labels: {x: z}}, {record: many, expr: '{__name__=~\"a|b|c\"}'},
    {alert: C, expr: 'm > 0', annotations: {t: '{{ range query \"sum(late)\" }}{{ .Value }}{{ end }}'}}, {record: last, expr: 'count({x=\"1\"})'}]}]";

#[test]
fn at_the_same_time_is_as_one_after_the_other() {
    let (one, many) = (World::default(), World::default());
    let (mut first, mut second) = (group(TANGLED), group(TANGLED));
    assert!(second.batches().len() < 11 && second.batches()[0].len() > 3, "{:?}", second.batches());
    first.set_restored();
    second.set_restored();
    for minute in 0..12 {
        for world in [&one, &many] {
            world.set("m{x=\"1\"}", minute, [1.0, 9.0, 8.0, 3.0][minute as usize % 4]);
            if minute % 5 < 3 {
                world.set("m{x=\"2\"}", minute, minute as f64);
            }
        }
        let now = START + minute * MINUTE;
        let (a, b) = (one.turn_at(&mut first, now), many.turn_in_batches(&mut second, now));
        assert_eq!((one.written(), a.alerts, a.failures), (many.written(), b.alerts, b.failures), "minute {minute}");
        let order = many.written_in_order();
        assert_eq!(alerts(&first), alerts(&second), "minute {minute}");
        let errors = |g: &Group| g.rules().map(|(_, s)| s.last_error.clone()).collect::<Vec<_>>();
        assert_eq!(errors(&first), errors(&second), "minute {minute}");
        assert!(errors(&first)[7].contains("same labelset") || minute > 2, "{:?}", errors(&first));
        // Written in the order of the batches, and in them of the rules.
        let place =
            |name: &str| order.iter().position(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}: {order:?}"));
        assert!(place("a{") < place("late ") && place("late ") < place("b{"), "{order:?}");
    }
}

#[test]
fn what_was_over_before_a_restart_is_not_restored() {
    let rules = "groups: [{name: g, rules: [{alert: Slow, expr: m > 0, for: 30m}]}]";
    let world = World::default();
    let mut g = group(rules);
    g.set_restored();
    // Pending for ten minutes, over for one, so again when it is back.
    for minute in 0..=11 {
        world.set("m", minute, if minute <= 10 { 1.0 } else { 0.0 });
        world.turn(&mut g, minute);
    }
    let mut g = group(rules);
    for minute in 12..=14 {
        world.set("m", minute, 1.0);
        world.turn(&mut g, minute);
    }
    let Some((Rule::Alerting(rule), _)) = g.rules().next() else { panic!("no rule") };
    assert_eq!(rule.alerts().map(|a| (a.active_at - START) / MINUTE).collect::<Vec<_>>(), [12]);
}

#[test]
fn how_far_back_and_how_soon_after_a_restart() {
    let rules = "groups: [{name: g, rules: [{alert: Slow, expr: m > 0, for: 30m}]}]";
    // (tolerance, grace, minutes of `for` before the restart): since when it is active after one of 10 minutes, and when it fires.
    for (tolerance, grace, waited, since, fires) in [
        // 20 are left: the ten without us don't count.
        (60, 10, 10, 11, 41),
        // Older than what is tolerated: anew.
        (9, 10, 10, 20, 50),
        // 5 are left: not before the grace period is over, which begins with the second turn.
        (60, 10, 25, 16, 46),
        (60, 2, 25, 11, 41),
        // It had fired: at once.
        (60, 10, 40, 0, 52),
        // A grace longer than `for`: waits anew.
        (60, 31, 10, 20, 50),
    ] {
        let timing = Timing { outage_tolerance_ms: tolerance * MINUTE, grace_ms: grace * MINUTE, ..Timing::default() };
        let world = World::default();
        let mut g = groups(rules, timing).remove(0);
        g.set_restored();
        for minute in 0..=waited {
            world.set("m", minute, 1.0);
            world.turn(&mut g, minute);
        }
        let mut g = groups(rules, timing).remove(0);
        let mut fired = None;
        for minute in waited + 10..waited + 45 {
            world.set("m", minute, 1.0);
            world.turn(&mut g, minute);
            if fired.is_none() && alerts(&g)[0].ends_with("firing") {
                fired = Some(minute);
            }
        }
        let Some((Rule::Alerting(rule), _)) = g.rules().next() else { panic!("no rule") };
        let active: Vec<i64> = rule.alerts().map(|a| (a.active_at - START) / MINUTE).collect();
        assert_eq!(
            (active, fired),
            (vec![since], Some(fires)),
            "tolerance {tolerance}, grace {grace}, waited {waited}"
        );
    }
}

#[test]
fn a_rule_that_a_reload_brings_has_nothing_to_restore() {
    let world = World::default();
    let mut old = group("groups: [{name: g, rules: [{alert: A, expr: m}]}]");
    for minute in 0..3 {
        world.set("m", minute, 1.0);
        world.turn(&mut old, minute);
    }
    let mut new = group("groups: [{name: g, rules: [{alert: A, expr: m}, {alert: B, expr: m}]}]");
    new.set_restored();
    new.take_state(old);
    world.turn(&mut new, 3);
    let written = world.written();
    let names = [
        "ALERTS_FOR_STATE{alertname=\"A\"}",
        "ALERTS_FOR_STATE{alertname=\"B\"}",
        "ALERTS{alertname=\"A\"",
        "ALERTS{alertname=\"B\"",
    ];
    assert!(written.len() == 4 && names.iter().all(|n| written.iter().any(|w| w.starts_with(n))), "{written:?}");
}
