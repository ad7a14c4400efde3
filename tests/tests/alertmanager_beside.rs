//! A real Alertmanager 0.33 and our daemon get the same configuration and the same alerts: what they send is the same, byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use watchglass_tests::{Both, eventually, now_ms, rfc3339, skip};

/// `@` is where to send.
const CONFIG: &str = r##"
global: {slack_api_url: '@/hook'}
templates: ['*.tmpl']
route:
  receiver: team
  group_by: [alertname]
  group_wait: 2s
  group_interval: 3s
  repeat_interval: 1h
  routes:
  - {matchers: ['team="each"'], receiver: each, group_by: ['...'], continue: true}
  - {matchers: ['team=~"each|none"'], receiver: none, group_by: []}
  - {match: {team: night}, receiver: night, mute_time_intervals: [always]}
  - {match_re: {team: "d.y"}, receiver: day, active_time_intervals: [always, never], group_by: [alertname, nothing]}
  - {matchers: ['team="never"'], receiver: day, active_time_intervals: [never]}
  - {matchers: ['team="null"'], receiver: 'null'}
  - matchers: ['team="child"', 'instance!=""']
    receiver: child
    group_by: [instance]
    routes:
    - {matchers: ['"ü x"="y"'], receiver: day, continue: true}
    - {matchers: ['severity!~"info|warning"'], group_by: [alertname, severity]}
inhibit_rules:
- {source_matchers: ['severity="critical"'], target_matchers: ['severity=~"warning|info"'], equal: [instance]}
- {source_match: {alertname: Watch}, target_match_re: {alertname: Watch.+}}
time_intervals:
- {name: always, time_intervals: [{years: ['2000:2100']}]}
- {name: never, time_intervals: [{years: ['2000:2001'], location: Europe/Berlin}]}
receivers:
- name: team
  webhook_configs: [{url: '@/team'}, {url: '@/team-one', max_alerts: 1, send_resolved: false}]
  slack_configs:
  - {channel: '#a', send_resolved: true}
  - api_url: '@/rich'
    send_resolved: true
    channel: '{{ .CommonLabels.team }}#b'
    username: '{{ template "slack.default.username" . }}'
    title: '{{ template "own.title" . }}'
    title_link: '{{ template "slack.default.titlelink" . }}'
    text: '{{ range .Alerts }}{{ .Status }} {{ .Labels.SortedPairs.Values | join "," }} {{ .Annotations.summary }} {{ .Fingerprint }} {{ .StartsAt.Unix }} {{ .EndsAt.IsZero }}{{ "\n" }}{{ end }}'
    pretext: '{{ len .Alerts.Firing }}/{{ len .Alerts.Resolved }} {{ .GroupLabels.SortedPairs.Names }} {{ .CommonAnnotations.summary | toUpper }}'
    fallback: '{{ template "slack.default.fallback" . }}'
    color: '{{ template "slack.default.color" . }}'
    footer: '{{ .Receiver }} {{ .ExternalURL }} {{ .NotificationReason }}'
    callback_id: '{{ .GroupLabels }}'
    fields: [{title: n, value: '{{ .Alerts | len }}', short: true}, {title: '{{ .Status }}', value: 'v'}]
    actions: [{type: button, text: 'go', url: '{{ (index .Alerts 0).GeneratorURL }}'}, {type: button, text: t, name: n, value: '{{ .Status }}', style: danger, confirm: {text: sure}}]
    short_fields: true
    link_names: true
    icon_emoji: ':{{ .Status }}:'
    image_url: 'http://i/{{ .GroupLabels.alertname }}'
    thumb_url: 'http://t'
    mrkdwn_in: [text]
    message_text: '{{ .Status | title }}'
- {name: each, webhook_configs: [{url: '@/each'}]}
- {name: none, webhook_configs: [{url: '@/none'}]}
- {name: night, webhook_configs: [{url: '@/night'}]}
- {name: day, webhook_configs: [{url: '@/day/{{ .GroupLabels.alertname }}'}], slack_configs: [{api_url: '@/day-hook', channel: c}]}
- {name: 'null'}
- {name: child, webhook_configs: [{url: '@/child', payload: {group: '{{ toJson .GroupLabels }}', count: '{{ len .Alerts }}'}}]}
"##;

const TEMPLATE: &str = r#"{{ define "own.title" }}[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ .GroupLabels.alertname | reReplaceAll "A(.)" "<$1>" }} {{ template "__subject" . }}{{ end }}"#;

fn alert(labels: Value, starts_at: i64, ends_at: i64) -> Value {
    json!({
        "labels": labels,
        "annotations": { "summary": format!("on <{}> & \"é\"", labels["instance"].as_str().unwrap_or("all")), "runbook": "http://r/?a=b&c" },
        "startsAt": rfc3339(starts_at),
        "endsAt": rfc3339(ends_at),
        "generatorURL": "http://prom.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    })
}

/// Waits until both sent as much as they had to, and compares. Gives the number of messages.
#[track_caller]
fn same_after(both: &Both, step: &str, wanted: usize) -> usize {
    let count = |side: &str| both.sent(side).values().map(Vec::len).sum::<usize>();
    eventually(step, || match (count("theirs"), count("ours")) {
        (theirs, ours) if theirs >= wanted && ours >= wanted => Ok(()),
        counts => {
            Err(format!("{counts:?} of {wanted}: theirs {:#?}, ours {:#?}", both.sent("theirs"), both.sent("ours")))
        }
    });
    let (theirs, ours) = (both.sent("theirs"), both.sent("ours"));
    assert_eq!(
        ours.iter().map(|(p, m)| (p, m.len())).collect::<Vec<_>>(),
        theirs.iter().map(|(p, m)| (p, m.len())).collect::<Vec<_>>(),
        "{step}: messages by receiver"
    );
    for (path, theirs) in &theirs {
        // Groups of one receiver come in any order.
        let mut ours: Vec<String> = ours[path].iter().map(|m| m.replace("/ours", "/theirs")).collect();
        let mut theirs = theirs.clone();
        ours.sort();
        theirs.sort();
        for (own, message) in ours.iter().zip(&theirs) {
            assert_eq!(own, message, "{step}: to {path}");
        }
    }
    wanted
}

#[test]
fn the_same_messages_are_sent() {
    let Some(both) = Both::start(CONFIG, &[("own.tmpl", TEMPLATE)]) else {
        return skip("the run beside a real Alertmanager", "alertmanager");
    };
    let silence = json!({
        "matchers": [{ "name": "alertname", "value": "Hush.*", "isRegex": true, "isEqual": true }],
        "startsAt": rfc3339(now_ms()), "endsAt": rfc3339(now_ms() + 600_000), "createdBy": "t", "comment": "c",
    });
    let ids = both
        .request("POST", "/api/v2/silences", Some(&silence.to_string()), None)
        .map(|answer| answer.body["silenceID"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned());

    let (began, later) = (now_ms(), now_ms() + 600_000);
    let fires = |labels: Value| alert(labels, began, later);
    let first = json!([
        fires(json!({ "alertname": "Again", "instance": "b", "job": "x", "severity": "page" })),
        fires(json!({ "alertname": "Again", "instance": "a", "job": "x", "severity": "page" })),
        fires(json!({ "alertname": "Slow", "instance": "a", "severity": "warning" })),
        fires(json!({ "alertname": "Slow", "instance": "b", "severity": "info" })),
        fires(json!({ "alertname": "Dead", "instance": "a", "severity": "critical" })),
        fires(json!({ "alertname": "Hushed", "instance": "a" })),
        fires(json!({ "alertname": "Each", "instance": "a", "team": "each" })),
        fires(json!({ "alertname": "Each", "instance": "b", "team": "each" })),
        fires(json!({ "alertname": "None", "team": "none", "ü": "é\n" })),
        fires(json!({ "alertname": "Night", "team": "night" })),
        fires(json!({ "alertname": "Day", "team": "day" })),
        fires(json!({ "alertname": "Never", "team": "never" })),
        fires(json!({ "alertname": "Watch", "team": "null" })),
        fires(json!({ "alertname": "Watched", "instance": "w" })),
        fires(json!({ "alertname": "Child", "team": "child", "instance": "c", "severity": "info" })),
        fires(json!({ "alertname": "Child", "team": "child", "instance": "c", "severity": "page" })),
        fires(json!({ "alertname": "Child", "team": "child", "instance": "d", "severity": "info", "ü x": "y" })),
    ]);
    both.post_alerts(&first);
    // Again, Slow (only b) and Dead to four each of team; Each twice to each and once to none, as one group with None; Day twice;
    // Child once of c with info, once of page, and the one with the UTF-8 label to day twice.
    let sent = same_after(&both, "first messages", 4 * 3 + 2 + 1 + 2 + 2 + 2);

    // More of a group; the inhibiting alerts end.
    let ended = now_ms();
    both.post_alerts(&json!([
        fires(json!({ "alertname": "Again", "instance": "c", "job": "w", "severity": "page" })),
        fires(json!({ "alertname": "Each", "instance": "c", "team": "each" })),
        alert(json!({ "alertname": "Dead", "instance": "a", "severity": "critical" }), began, ended),
        alert(json!({ "alertname": "Watch", "team": "null" }), began, ended),
    ]));
    // Again grew (4); one more of Each (1) and the group of none (1); Dead is over (3 of 4: one does not send ends); Slow a (4) and
    // Watched (4) are heard of.
    let sent = same_after(&both, "growth", sent + 4 + 2 + 3 + 4 + 4);

    // One of a group is over: told to those that want to hear it. A silence ends.
    let ended = now_ms();
    for (base, id) in [(both.theirs.url(), &ids[0]), (both.ours.url(), &ids[1])] {
        let url = format!("{base}/api/v2/silence/{id}");
        assert_eq!(reqwest::blocking::Client::new().delete(url).send().unwrap().status(), 200);
    }
    both.post_alerts(&json!([
        alert(json!({ "alertname": "Again", "instance": "a", "job": "x", "severity": "page" }), began, ended),
        alert(json!({ "alertname": "Each", "instance": "a", "team": "each" }), began, ended),
    ]));
    let sent = same_after(&both, "some are over", sent + 3 + 2 + 4);

    // All are over, each at its own time.
    let all: Vec<Value> = first
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(n, a)| alert(a["labels"].clone(), began, ended + n as i64))
        .chain([alert(json!({ "alertname": "Again", "instance": "c", "job": "w", "severity": "page" }), began, ended)])
        .collect();
    both.post_alerts(&Value::from(all));
    // Three for each of Again, Slow, Hushed and Watched; Each b; Day and the UTF-8 one once more, as Slack does not send ends there; the two of
    // child. The group of none goes on with one.
    same_after(&both, "all is over", sent + 3 * 4 + 1 + 1 + 1 + 1 + 2);
}

/// Families of theirs that we leave out, by how their names begin; `docs/metrics.md` says why.
const LEFT_OUT: &[&str] = &[
    "alertmanager_alerts_per_alert_limit",
    "alertmanager_alerts_subscriber_channel_writes_total",
    "alertmanager_dispatcher_aggregation_group_",
    "alertmanager_dispatcher_alert_processing_duration_seconds",
    "alertmanager_http_",
    "alertmanager_nflog_",
    "alertmanager_silences_",
];

/// Families by name: type, and the names of their labels.
fn families(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::<String, (String, BTreeSet<String>)>::new();
    for line in text.lines().filter(|l| l.starts_with("# TYPE alertmanager_")) {
        let mut words = line.split(' ').skip(2);
        let (name, kind) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
    }
    for line in text.lines().filter(|l| l.starts_with("alertmanager_")) {
        let name = line.split(['{', ' ']).next().unwrap_or("");
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|s| name.strip_suffix(s))
            .filter(|b| families.contains_key(*b));
        let labels = line.split_once('{').and_then(|(_, rest)| Some(rest.rsplit_once('}')?.0)).unwrap_or("");
        let names = labels.split("\",").filter_map(|l| Some(l.split_once("=\"")?.0.to_owned()));
        if let Some((_, known)) = families.get_mut(base.unwrap_or(name)) {
            known.extend(names);
        }
    }
    families
}

#[test]
fn metrics_have_the_same_names_types_and_labels() {
    let config = "route: {receiver: a, group_wait: 1s}\nreceivers: [{name: a, webhook_configs: [{url: '@/hook'}]}]\ninhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d]}]\n";
    let Some(both) = Both::start(config, &[]) else {
        return skip("metrics beside a real Alertmanager", "alertmanager");
    };
    let now = now_ms();
    both.post_alerts(&json!([
        alert(json!({ "alertname": "A", "a": "b" }), now, now + 600_000),
        alert(json!({ "alertname": "A", "c": "d" }), now, now + 600_000),
    ]));
    same_after(&both, "a message", 1);
    let [theirs, ours] =
        both.request("GET", "/metrics", None, None).map(|a| families(a.body.as_str().unwrap_or_default()));
    assert!(theirs.len() > 40, "{}", theirs.len());
    for (name, (kind, labels)) in &theirs {
        let left_out = LEFT_OUT.iter().any(|start| name.starts_with(start));
        match ours.get(name) {
            None => assert!(left_out, "{name} ({kind}) is missing"),
            Some(_) if left_out => panic!("{name} is there now: take it off the list"),
            // Of the build they know more.
            Some((own, _)) if name == "alertmanager_build_info" => assert_eq!(own, kind),
            Some((own_kind, own_labels)) => {
                let own: BTreeSet<String> = own_labels.iter().filter(|l| *l != "receiver_name").cloned().collect();
                assert_eq!((own_kind, &own), (kind, labels), "{name}");
            }
        }
    }
    assert!(ours.keys().all(|name| theirs.contains_key(name)), "{ours:?}");
}
