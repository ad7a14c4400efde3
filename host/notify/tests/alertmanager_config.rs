//! alertmanager.yml files and the verdicts on them: our own cases, and those of the conformance folder where it is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use watchglass_notify::config::{AlertmanagerConfig, IntegrationConfig};

/// Cases of the conformance folder that come out otherwise here, with the reason.
const KNOWN: [(&str, &str); 0] = [];

/// A folder of the conformance data; `None` where it is absent, which fails the run under CI.
fn conformance(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var_os("WATCHGLASS_CONFORMANCE").map_or(root, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "no conformance data at {}", folder.display());
    eprintln!("SKIPPED: no conformance data at {}", folder.display());
    None
}

fn verdict(text: &str) -> Result<AlertmanagerConfig, String> {
    AlertmanagerConfig::parse(text, "alertmanager.yml").map_err(|e| e.message)
}

fn agrees(found: &Result<AlertmanagerConfig, String>, wanted: &str) -> bool {
    match found {
        Ok(_) => wanted == "ok",
        Err(message) => wanted != "ok" && message.contains(wanted),
    }
}

fn shown(found: &Result<AlertmanagerConfig, String>) -> &str {
    found.as_ref().map_or_else(String::as_str, |_| "ok")
}

#[test]
fn own_cases() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alertmanager/cases.txt"))
        .expect("cases.txt");
    let (mut failures, mut cases) = (Vec::new(), 0);
    for case in text.split("\n=== ").skip(1) {
        let (name, rest) = case.split_once('\n').expect("a name");
        let (yaml, wanted) = rest.rsplit_once("--> ").expect("a verdict");
        let (wanted, found) = (wanted.trim_end(), verdict(yaml));
        cases += 1;
        if !agrees(&found, wanted) {
            failures.push(format!("{name}\n  wanted: {wanted}\n  found:  {}", shown(&found)));
        }
    }
    assert!(cases > 250, "only {cases} cases were found");
    assert!(failures.is_empty(), "{} of {cases} cases failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn conformance_verdicts() {
    let Some(folder) = conformance("alertmanager-config") else { return };
    let verdicts = std::fs::read_to_string(folder.join("verdicts.json")).expect("verdicts.json");
    let verdicts: serde_json::Value = serde_json::from_str(&verdicts).expect("verdicts.json is JSON");
    let files = verdicts["files"].as_object().expect("files");
    let mut failures = Vec::new();
    for (name, entry) in files {
        let yaml = std::fs::read_to_string(folder.join(name)).expect("a case");
        let wanted = match entry["message"].as_str() {
            Some(message) => message
                .split_once("FAILED: ")
                .and_then(|(_, rest)| rest.split(" | ").next())
                .expect("amtool's message")
                .to_owned(),
            None => "ok".to_owned(),
        };
        let (found, known) = (verdict(&yaml), KNOWN.iter().find(|(case, _)| case == name));
        match (agrees(&found, &wanted), known) {
            (true, Some(_)) => failures.push(format!("{name} passes now: take it off the list")),
            (false, None) => failures.push(format!("{name}: wanted {wanted}, found {}", shown(&found))),
            _ => {}
        }
    }
    assert!(files.len() >= 27, "{} cases", files.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Kinds of integration of each receiver.
fn kinds(config: &AlertmanagerConfig) -> BTreeMap<&str, Vec<String>> {
    let kinds = |r: &watchglass_notify::config::Receiver| {
        r.integrations.iter().map(|i| format!("{}/{}", i.spec.kind, i.spec.index)).collect()
    };
    config.receivers.iter().map(|r| (r.name.as_str(), kinds(r))).collect()
}

#[test]
fn a_small_teams_file_loads_as_written() {
    let config = verdict(
        r##"
global:
  slack_api_url: 'https://hooks.example.com/services/KEY'
  resolve_timeout: 3m
route:
  group_by: [alertname, severity]
  group_wait: 30s
  repeat_interval: 4h
  receiver: team
  routes:
    - match: {severity: critical}
      match_re: {team: "db|web"}
      matchers: [ 'env=~"prod.*"' ]
      receiver: pager
      group_by: ['...']
      continue: true
      mute_time_intervals: [nights]
receivers:
  - name: team
    slack_configs:
      - channel: '#ops'
        color: |
          {{ if eq .GroupLabels.severity "critical" }}danger{{ else }}warning{{ end }}
      - api_url_file: /run/secrets/slack
        send_resolved: true
  - name: pager
    webhook_configs: [ { url: "http://127.0.0.1:9/x", max_alerts: 5 } ]
    telegram_configs: [ { bot_token: t, chat_id: 1 } ]
inhibit_rules:
  - source_match: { alertname: InstanceDown }
    target_matchers: [ alertname = HighMemory ]
    equal: [instance]
time_intervals:
  - name: nights
    time_intervals:
      - times: [ { start_time: '22:00', end_time: '24:00' } ]
        weekdays: ['monday:friday']
        location: Europe/Berlin
"##,
    )
    .expect("it loads");
    let wanted = BTreeMap::from([
        ("team", vec!["slack/0".to_owned(), "slack/1".to_owned()]),
        ("pager", vec!["webhook/0".to_owned(), "telegram/0".to_owned()]),
    ]);
    assert_eq!(kinds(&config), wanted);
    let team = config.receiver("team").expect("team");
    let IntegrationConfig::Slack(first) = &team.integrations[0].config else { panic!("not slack") };
    assert_eq!(first.api_url.as_ref().map(|u| u.expose()), Some("https://hooks.example.com/services/KEY"));
    assert_eq!(first.title, "{{ template \"slack.default.title\" . }}");
    assert!(first.color.ends_with("{{ end }}\n"), "the block's newline is kept: {:?}", first.color);
    let IntegrationConfig::Slack(second) = &team.integrations[1].config else { panic!("not slack") };
    assert_eq!((&second.api_url, second.api_url_file.as_str()), (&None, "/run/secrets/slack"));
    assert_eq!([team.integrations[0].spec.send_resolved, team.integrations[1].spec.send_resolved], [false, true]);
    let child = &config.route.routes[0];
    assert_eq!(child.matchers.len(), 3);
    assert!(child.continue_matching);
    assert_eq!(config.routing(Default::default()).options.resolve_timeout, 180_000);
    assert_eq!(config.unsupported_receivers_reached_by_routes(), [("pager".to_owned(), "telegram".to_owned())]);
    assert!(config.unsupported_receivers_unreached().is_empty());
    assert!(!format!("{config:?}").contains("KEY"), "secrets stay out of debug output");
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    let yaml = "route:\n  receiver: opps\nreceivers:\n  - name: ops\n";
    let shown = AlertmanagerConfig::parse(yaml, "am.yml").expect_err("an undefined receiver").to_string();
    assert!(shown.starts_with("am.yml:2:13: undefined receiver \"opps\" used in route"), "{shown}");
    assert!(shown.ends_with("hint: did you mean `ops`?"), "{shown}");
    let yaml = "route:\n  receiver: ops\nreceivers:\n  - name: ops\n    slack_configs:\n      - chanel: x\n";
    let shown = AlertmanagerConfig::parse(yaml, "am.yml").expect_err("an unknown key").to_string();
    assert!(shown.starts_with("am.yml:6:") && shown.contains("did you mean `channel`?"), "{shown}");
}

#[test]
fn conformance_time_intervals() {
    let Some(folder) = conformance("alertmanager-timeinterval") else { return };
    let cases = std::fs::read_to_string(folder.join("yaml.json")).expect("yaml.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&cases).expect("yaml.json is JSON");
    assert!(cases.len() >= 14, "{} cases", cases.len());
    for case in &cases {
        let body = case["in"].as_str().expect("in").replace("---", "");
        // A case is a list of intervals, or one alone.
        let list = if body.trim_start().starts_with('-') {
            body.lines().map(|l| format!("    {l}\n")).collect::<String>()
        } else {
            body.trim()
                .lines()
                .enumerate()
                .map(|(i, l)| format!("    {} {l}\n", if i == 0 { "-" } else { " " }))
                .collect()
        };
        let yaml = format!(
            "route: {{receiver: r}}\nreceivers: [{{name: r}}]\ntime_intervals:\n- name: x\n  time_intervals:\n{list}"
        );
        match (verdict(&yaml), case["err"].as_str()) {
            (Err(message), Some(wanted)) => assert_eq!(message, wanted, "{yaml}"),
            (Ok(config), None) => {
                let lies_in = |text: &serde_json::Value| {
                    let text = text.as_str().expect("an instant");
                    let zoned = jiff::fmt::strtime::parse("%d %b %y %H:%M %z", text).and_then(|t| t.to_timestamp());
                    let at = zoned.expect("an instant").as_millisecond();
                    config.time_intervals["x"].iter().any(|i| i.contains(at))
                };
                let all = |name: &str| case[name].as_array().cloned().unwrap_or_default();
                assert!(all("contains").iter().all(lies_in), "contains: {yaml}");
                assert!(!all("excludes").iter().any(lies_in), "excludes: {yaml}");
            }
            (found, wanted) => panic!("{yaml}: wanted {wanted:?}, found {found:?}"),
        }
    }
}
