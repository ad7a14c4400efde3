//! What an alert generator must do, part by part of the compliance specification of Prometheus' alert generators, under a clock of our own.
//!
//! What is not here, and why:
//! - "interval defaults to 1m": it is `[global] evaluation_interval`, 15 s where nothing is said; a rule file can't tell.
//! - `GET /api/v1/rules` and `/api/v1/alerts`: of the daemon, whose end-to-end tests ask them.
//! - the JSON that is sent: of `watchglass-notify` and of the daemon's end-to-end test of forwarding.
//! - "resent when more than ResendDelay has passed" and "at the first multiple of the interval that is not less than it" contradict each other where
//!   the one is a multiple of the other; as in Prometheus the first counts.
//! - `endsAt` counts from the time of sending, as in Prometheus, not from `startsAt`: it would lie in the past for what fires long.

mod common;

use std::fs;

use common::world::{SECOND, START, World, alerts, group, groups};
use watchglass_model::{Alert, Labels, TimeMs};
use watchglass_rules::{Group, Rule, Timing};

/// Seconds since the beginning.
fn secs(t: TimeMs) -> i64 {
    (t - START) / SECOND
}

/// A group with nothing to restore, a turn every 30 seconds.
fn every_30s(rules: &str) -> Group {
    let mut g = group(&format!("groups: [{{name: g, interval: 30s, rules: [{rules}]}}]"));
    g.set_restored();
    g
}

/// Turns every 30 seconds up to `until`; `value` gives what `m{job="j"}` has at a second. Gives, for each turn, its second, the state of the alerts and what was sent.
fn play(g: &mut Group, until: i64, value: impl Fn(i64) -> Option<f64>) -> Vec<(i64, Vec<String>, Vec<Alert>)> {
    let world = World::default();
    let mut turns = vec![];
    for second in (0..=until).step_by(30) {
        let now = START + second * SECOND;
        // What isn't there is marked as gone, as a collection would.
        world.set_at("m{job=\"j\"}", now, value(second).unwrap_or_else(watchglass_model::stale_nan));
        let turn = world.turn_at(g, now);
        turns.push((second, alerts(g), turn.alerts));
    }
    turns
}

/// When the state became another.
fn states(turns: &[(i64, Vec<String>, Vec<Alert>)]) -> Vec<(i64, &str)> {
    let mut changes: Vec<(i64, &str)> = vec![];
    for (second, lines, _) in turns {
        let state = lines.first().and_then(|l| l.rsplit(' ').next()).unwrap_or("inactive");
        if changes.last().is_none_or(|(_, last)| *last != state) {
            changes.push((*second, state));
        }
    }
    changes
}

// Executing an alerting rule.

#[test]
fn each_element_makes_an_alert_with_its_labels_the_rules_and_its_name() {
    let world = World::default();
    world.set("m{job=\"foo\",status=\"500\",severity=\"x\",alertname=\"theirs\"}", 0, 10.0);
    world.set("m{job=\"foo\",status=\"400\"}", 0, 18.0);
    let mut g = every_30s(
        "{alert: High, expr: m, labels: {severity: 'page {{ $labels.status }}', dropped: ''}, annotations: {text: '{{ $labels.__name__ }} {{ $value }} {{ .Labels.job }}'}}",
    );
    let mut sent = world.turn(&mut g, 0).alerts;
    sent.sort_by(|a, b| a.labels.cmp(&b.labels));
    let shown: Vec<String> = sent.iter().map(|a| format!("{} {}", a.labels, a.annotations)).collect();
    assert_eq!(
        shown,
        [
            "{alertname=\"High\", job=\"foo\", severity=\"page 400\", status=\"400\"} {text=\"m 18 foo\"}",
            "{alertname=\"High\", job=\"foo\", severity=\"page 500\", status=\"500\"} {text=\"m 10 foo\"}",
        ]
    );
    assert_eq!(sent[0].generator_url, "http://w/graph?g0.expr=m&g0.tab=1");
}

#[test]
fn two_alerts_with_the_same_labels_are_an_error_without_any_consequence() {
    let world = World::default();
    world.set("m{a=\"1\"}", 0, 1.0);
    let mut g = every_30s("{alert: A, expr: m, labels: {a: same}}, {record: r, expr: vector(1)}");
    assert_eq!(world.turn(&mut g, 0).alerts.len(), 1);
    world.set("m{a=\"2\"}", 2, 1.0);
    let turn = world.turn(&mut g, 2);
    assert_eq!((turn.failures, turn.alerts.len()), (1, 0));
    assert_eq!(world.written(), ["r 1 at 2"], "neither samples nor markers; the next rule goes on");
    let (_, status) = g.rules().next().expect("a rule");
    assert_eq!((status.health.as_str(), status.last_error.is_empty()), ("err", false));
}

#[test]
fn rules_of_a_group_see_what_those_before_them_made_in_the_same_turn() {
    let world = World::default();
    for minute in 0..=3 {
        world.set("m{variant=\"one\"}", minute, 11.0);
        world.set("m{variant=\"two\"}", minute, 11.0);
    }
    let both = "(ALERTS{alertstate=\"firing\",alertname=\"First\",variant=\"one\"} + ignoring(variant) ALERTS{alertstate=\"firing\",alertname=\"First\",variant=\"two\"}) == 2";
    let mut g = group(&format!(
        "groups: [{{name: g, rules: [{{alert: First, expr: m > 10, for: 3m, labels: {{foo: bar}}}}, {{alert: Second, expr: '{both}', labels: {{foo: baz}}, annotations: {{was: '{{{{$labels.alertname}}}} {{{{.Labels.foo}}}}'}}}}]}}]"
    ));
    g.set_restored();
    for minute in 0..3 {
        assert!(world.turn(&mut g, minute).alerts.is_empty());
    }
    let sent = world.turn(&mut g, 3).alerts;
    assert_eq!(sent.iter().map(|a| a.labels.value("alertname")).collect::<Vec<_>>(), ["First", "First", "Second"]);
    assert_eq!(sent[2].annotations.get("was"), Some("First bar"));
    assert_eq!(sent[2].labels.get("foo"), Some("baz"));
}

// States.

#[test]
fn pending_until_for_is_reached_then_firing_then_inactive() {
    let mut g = every_30s("{alert: A, expr: m > 10, for: 6m, annotations: {v: '{{ $value }}'}}");
    // So from second 60 to 690, by another value each time.
    let turns = play(&mut g, 1200, |s| Some(if (60..=690).contains(&s) { 11.0 + s as f64 } else { 1.0 }));
    assert_eq!(states(&turns), [(0, "inactive"), (60, "pending"), (420, "firing"), (720, "inactive")]);
    // Only what fires or is over is sent, with the annotations of the latest turn that had it.
    let first = turns.iter().find(|(_, _, sent)| !sent.is_empty()).expect("sent");
    assert_eq!((first.0, first.2[0].annotations.get("v")), (420, Some("431")));
    let over = turns.iter().find(|(s, _, _)| *s == 720).map(|(_, _, sent)| sent[0].clone()).expect("sent");
    assert_eq!((secs(over.starts_at), secs(over.ends_at), over.annotations.get("v")), (420, 720, Some("701")));
}

#[test]
fn no_for_fires_at_once_and_a_short_one_at_the_next_turn() {
    let mut g = every_30s("{alert: A, expr: m > 10}");
    let turns = play(&mut g, 120, |s| Some(if s >= 30 { 11.0 } else { 1.0 }));
    assert_eq!(states(&turns), [(0, "inactive"), (30, "firing")]);
    let mut g = every_30s("{alert: A, expr: m > 10, for: 15s}");
    let turns = play(&mut g, 120, |s| Some(if s >= 30 { 11.0 } else { 1.0 }));
    assert_eq!(states(&turns), [(0, "inactive"), (30, "pending"), (60, "firing")]);
    let mut g = every_30s("{alert: A, expr: m > 10, for: 15s}");
    let turns = play(&mut g, 120, |s| Some(if s == 30 { 11.0 } else { 1.0 }));
    assert_eq!(states(&turns), [(0, "inactive"), (30, "pending"), (60, "inactive")]);
    assert!(turns.iter().all(|(_, _, sent)| sent.is_empty()), "what was only pending is never told");
}

#[test]
fn what_comes_back_is_another_alert() {
    let mut g = every_30s("{alert: A, expr: m > 10, for: 1m}");
    let on = |s: i64| (0..=90).contains(&s) || s >= 300;
    let turns = play(&mut g, 480, |s| on(s).then_some(11.0));
    assert_eq!(states(&turns), [(0, "pending"), (60, "firing"), (120, "inactive"), (300, "pending"), (360, "firing")]);
    let Some((Rule::Alerting(rule), _)) = g.rules().next() else { panic!("no rule") };
    let alert = rule.alerts().next().expect("an alert");
    assert_eq!((secs(alert.active_at), alert.fired_at.map(secs), alert.resolved_at), (300, Some(360), None));
    // While it is pending the end of the one before is no longer told.
    assert!(turns.iter().filter(|(s, _, _)| (300..360).contains(s)).all(|(_, _, sent)| sent.is_empty()));
    let again = turns.iter().find(|(s, _, _)| *s == 360).expect("a turn");
    assert_eq!(secs(again.2[0].starts_at), 360);
}

#[test]
fn keep_firing_for_holds_what_is_gone_and_what_comes_back_in_time() {
    let mut g = every_30s("{alert: A, expr: m > 10, for: 30s, keep_firing_for: 1m}");
    // On until 90, off at 120, on at 150 and 180, off from 210: the minute is over at 270.
    let turns = play(&mut g, 360, |s| (s <= 90 || s == 150 || s == 180).then_some(11.0));
    assert_eq!(states(&turns), [(0, "pending"), (30, "firing"), (270, "inactive")]);
    // What is pending is not kept.
    let mut g = every_30s("{alert: A, expr: m > 10, for: 2m, keep_firing_for: 1h}");
    let turns = play(&mut g, 120, |s| (s <= 30).then_some(11.0));
    assert_eq!(states(&turns), [(0, "pending"), (60, "inactive")]);
}

// The series.

#[test]
fn alerts_series_tell_the_state_and_end_with_it() {
    let world = World::default();
    let mut g = group(
        "groups: [{name: g, rules: [{alert: A, expr: 'm > 10', for: 1m, labels: {alertstate: very_critical, __x: y}}]}]",
    );
    g.set_restored();
    let labels = |name: &str, state: &str| format!("{name}{{__x=\"y\", alertname=\"A\", alertstate=\"{state}\"}}");
    let since = |minute: i64| (START / 1000 + minute * 60).to_string();
    for (minute, value, expected) in [
        (
            0,
            11.0,
            vec![
                format!("{} {} at 0", labels("ALERTS_FOR_STATE", "very_critical"), since(0)),
                format!("{} 1 at 0", labels("ALERTS", "pending")),
            ],
        ),
        (
            1,
            11.0,
            vec![
                format!("{} {} at 1", labels("ALERTS_FOR_STATE", "very_critical"), since(0)),
                format!("{} 1 at 1", labels("ALERTS", "firing")),
                format!("{} stale at 1", labels("ALERTS", "pending")),
            ],
        ),
        (
            2,
            1.0,
            vec![
                format!("{} stale at 2", labels("ALERTS_FOR_STATE", "very_critical")),
                format!("{} stale at 2", labels("ALERTS", "firing")),
            ],
        ),
        (3, 1.0, vec![]),
    ] {
        world.set("m", minute, value);
        world.turn(&mut g, minute);
        assert_eq!(world.written(), expected, "minute {minute}");
    }
}

// Sending.

#[test]
fn firing_alerts_are_sent_again_and_say_how_long_they_are_good_for() {
    for (resend, interval, sends, good_for) in [
        // More than the delay must have passed: a multiple of the interval.
        (60, 30, vec![0, 90, 180], 240),
        (50, 30, vec![0, 60, 120, 180], 200),
        (60, 90, vec![0, 90, 180], 360),
        (0, 30, vec![0, 30, 60, 90, 120, 150, 180], 120),
    ] {
        let timing = Timing { resend_delay_ms: resend * SECOND, ..Timing::default() };
        let rules = format!("groups: [{{name: g, interval: {interval}s, rules: [{{alert: A, expr: vector(1)}}]}}]");
        let mut g = groups(&rules, timing).remove(0);
        g.set_restored();
        let (world, mut sent) = (World::default(), vec![]);
        for second in (0..=180).step_by(interval) {
            for alert in world.turn_at(&mut g, START + second as i64 * SECOND).alerts {
                assert_eq!(
                    (secs(alert.starts_at), secs(alert.ends_at)),
                    (0, second as i64 + good_for),
                    "resend {resend}"
                );
                sent.push(second);
            }
        }
        assert_eq!(sent, sends, "resend {resend}, interval {interval}");
    }
}

#[test]
fn the_end_is_sent_again_for_a_quarter_of_an_hour() {
    let mut g = every_30s("{alert: A, expr: m > 10}");
    let turns = play(&mut g, 1500, |s| (s < 120).then_some(11.0));
    let ends: Vec<(i64, i64)> = turns
        .iter()
        .filter(|(s, _, _)| *s >= 120)
        .flat_map(|(s, _, sent)| sent.iter().map(|a| (*s, secs(a.ends_at))))
        .collect();
    // Over at 120: told then, and every 90 seconds until 1020.
    let expected: Vec<(i64, i64)> = (0..=10).map(|i| (120 + i * 90, 120)).collect();
    assert_eq!(ends, expected);
}

#[test]
fn a_restart_goes_on_with_what_was_pending() {
    let rules = "groups: [{name: g, rules: [{alert: A, expr: m, for: 20m}]}]";
    let (world, mut g) = (World::default(), group(rules));
    g.set_restored();
    for minute in 0..=8 {
        world.set("m", minute, 1.0);
        world.turn(&mut g, minute);
    }
    let mut g = group(rules);
    let mut fired = None;
    for minute in 9..40 {
        world.set("m", minute, 1.0);
        let turn = world.turn(&mut g, minute);
        if fired.is_none() && !turn.alerts.is_empty() {
            fired = Some(minute);
        }
    }
    // Eight of twenty minutes waited at minute 8; the second turn after the restart, at 10, goes on from there.
    assert_eq!(fired, Some(22));
}

// Templates.

#[test]
fn functions_that_make_no_sense_here_are_let_through() {
    for text in [
        "{{ graphLink \"up\" }}{{ tableLink \"up\" }}",
        "{{ pathPrefix }}",
        "{{ safeHtml \"x\" }}",
        "{{ $externalLabels.env }}{{ .ExternalURL }}",
        "{{ with query \"m\" }}{{ . | first | strvalue }}{{ end }}",
        "{{ define \"t\" }}x{{ end }}{{ tmpl \"t\" . }}",
    ] {
        let world = World::default();
        world.set("m", 0, 1.0);
        let mut g =
            group(&format!("groups: [{{name: g, rules: [{{alert: A, expr: m, annotations: {{t: '{text}'}}}}]}}]"));
        let sent = world.turn(&mut g, 0).alerts;
        let shown = sent[0].annotations.value("t");
        assert!(!shown.contains("error expanding"), "{text}: {shown}");
    }
}

/// The suite's own rules: they load, and do what their names say.
#[test]
fn the_suites_rules() {
    let Some(dir) = common::conformance("alert-generator") else { return };
    let rules = fs::read_to_string(dir.join("rules.yaml")).expect("rules");
    let mut all = groups(&rules, Timing::default());
    assert_eq!(all.iter().map(|g| g.rules().count()).collect::<Vec<_>>(), [2, 1, 2, 2]);
    let world = World::default();
    let mut sent: Vec<(i64, String, Labels)> = vec![];
    all.iter_mut().for_each(Group::set_restored);
    for id in ["b", "a"] {
        let series =
            format!("alert_generator_test_suite{{rulegroup=\"ZeroFor_SmallFor\",for=\"template\",id=\"{id}\"}}");
        world.set_at(&series, START, if id == "a" { 1.0 } else { 2.0 });
    }
    for second in (0..=900).step_by(30) {
        let now = START + second * SECOND;
        for (group, rule, more, value) in [
            ("NewAlerts_OrderCheck", "Rule1", ",variant=\"one\"", 11.0),
            ("NewAlerts_OrderCheck", "Rule1", ",variant=\"two\"", if second >= 60 { 11.0 } else { 1.0 }),
            ("PendingAndFiringAndResolved", "SimpleAlert", "", if (60..600).contains(&second) { 15.0 } else { 1.0 }),
            (
                "PendingAndResolved_AlwaysInactive",
                "PendingAlert",
                "",
                if (60..210).contains(&second) { 15.0 } else { 1.0 },
            ),
            ("PendingAndResolved_AlwaysInactive", "InactiveAlert", "", 15.0),
            ("ZeroFor_SmallFor", "ZeroFor", "", 11.0),
            ("ZeroFor_SmallFor", "SmallFor", "", 14.0),
        ] {
            let labels = format!("alertname=\"{group}_{rule}\",rulegroup=\"{group}\"{more}");
            world.set_at(&format!("alert_generator_test_suite{{{labels}}}"), now, value);
        }
        for g in &mut all {
            for alert in world.turn_at(g, now).alerts {
                let name = format!("{}{}", alert.labels.value("alertname"), alert.labels.value("variant"));
                if sent.iter().all(|(_, n, _)| *n != name) {
                    sent.push((second, name, alert.annotations));
                }
            }
            assert!(g.rules().all(|(_, status)| status.last_error.is_empty()));
        }
    }
    let first: Vec<(i64, &str)> = sent.iter().map(|(second, name, _)| (*second, name.as_str())).collect();
    assert_eq!(
        first,
        [
            (0, "ZeroFor_SmallFor_ZeroFor"),
            (30, "ZeroFor_SmallFor_SmallFor"),
            (180, "NewAlerts_OrderCheck_Rule1one"),
            (240, "NewAlerts_OrderCheck_Rule1two"),
            (240, "NewAlerts_OrderCheck_Rule2"),
            (420, "PendingAndFiringAndResolved_SimpleAlert"),
        ]
    );
    let text = |name: &str, annotation: &str| {
        let found = sent.iter().find(|(_, n, _)| n == name).map(|(_, _, a)| a.value(annotation).to_owned());
        found.unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(
        text("ZeroFor_SmallFor_ZeroFor", "template_test"),
        "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC"
    );
    assert_eq!(text("ZeroFor_SmallFor_ZeroFor", "template_query_test"), "Args are: foo bar 99. first_id:a,a:1,b:2,");
    assert_eq!(
        text("ZeroFor_SmallFor_SmallFor", "template_test"),
        "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. ."
    );
    assert_eq!(text("PendingAndFiringAndResolved_SimpleAlert", "summary"), "The value is 15 15");
    assert_eq!(
        text("NewAlerts_OrderCheck_Rule2", "description"),
        "Based on ALERTS. Old alertname was NewAlerts_OrderCheck_Rule1. foo was bar."
    );
}
