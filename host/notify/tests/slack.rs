//! Slack: the bytes of messages, what answers mean, changing messages, secrets.

mod common;

use common::{Reply, Sink, alert, notification, notifier, two_alerts};
use watchglass_alerts::Outcome;
use watchglass_notify::slack::{answer, message};
use watchglass_notify::{FailureReason, Notifier};

fn sent(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
}

/// A configuration with one receiver, whose only slack_configs entry has these lines.
fn config(entry: &str) -> String {
    let entry: String = entry.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "global:\n  slack_api_url: '@/hook/T0/SECRETPART'\nroute: {{receiver: all}}\nreceivers:\n- name: all\n  slack_configs:\n  - send_resolved: true\n{entry}"
    )
}

async fn body_of(entry: &str) -> String {
    let sink = Sink::start(vec![]).await;
    let n = notification("all", "slack", &[("alertname", "Down")], two_alerts());
    sent(&notifier(&config(entry), &sink).send(&n, 70_000).await);
    let got = sink.got();
    assert_eq!((got.len(), got[0].path.as_str()), (1, "/hook/T0/SECRETPART"));
    assert_eq!(got[0].header("content-type"), "application/json");
    got[0].body.clone()
}

// The two bodies below are what Alertmanager 0.33.1 sent for the same configuration and alerts.

#[tokio::test]
async fn the_default_message() {
    let body = body_of("channel: '#a'").await;
    let expected = concat!(
        r##"{"channel":"#a","username":"Alertmanager","attachments":[{"title":"[FIRING:2] Down (critical)","##,
        r##""title_link":"http://am.example:9093/x/#/alerts?receiver=all","text":"","##,
        r##""fallback":"[FIRING:2] Down (critical) | http://am.example:9093/x/#/alerts?receiver=all","##,
        r##""callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}"##,
        "\n"
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn every_field() {
    let entry = r##"
channel: '#full'
title: 'T {{ .CommonLabels.severity }} <&>'
title_link: 'http://x/{{ .GroupLabels.alertname }}'
pretext: 'pre'
text: "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ end }}{{ .NotificationReason }}"
message_text: 'mt {{ .Status }}'
short_fields: true
fields:
- title: 'f1 {{ .Status }}'
  value: 'v1'
- title: 'f2'
  value: '{{ .CommonLabels.none }}v'
  short: false
actions:
- type: button
  text: 'go'
  url: 'http://{{ .GroupLabels.alertname }}'
  style: danger
  confirm: {text: 'sure {{ .Status }}?', title: t, ok_text: ok, dismiss_text: 'no'}
- type: button
  text: 'n'
  name: nm
  value: val
  confirm: {text: 'sure', title: t, ok_text: ok, dismiss_text: nope}
image_url: 'http://img'
thumb_url: 'http://thumb'
link_names: true
mrkdwn_in: [text]
icon_emoji: ':x:'
icon_url: 'http://icon'
footer: 'foot'
callback_id: 'cb'
color: '{{ if eq .Status "firing" }}#ff0000{{ else }}good{{ end }}'
fallback: 'fb'
username: 'me'"##;
    let expected = concat!(
        r##"{"channel":"#full","username":"me","icon_emoji":":x:","icon_url":"http://icon","link_names":true,"##,
        r##""text":"mt firing","attachments":[{"title":"T critical \u003c\u0026\u003e","title_link":"http://x/Down","##,
        r##""pretext":"pre","text":"s \u003c\u0026\u003e \u2028 \u0001 \"q\" é\ntwo\nfirst notification","##,
        r##""fallback":"fb","callback_id":"cb","fields":[{"title":"f1 firing","value":"v1","short":true},"##,
        r##"{"title":"f2","value":"v","short":false}],"actions":[{"type":"button","text":"go","url":"http://Down","##,
        r##""style":"danger"},{"type":"button","text":"n","name":"nm","value":"val","##,
        r##""confirm":{"text":"sure","title":"t","ok_text":"ok","dismiss_text":"nope"}}],"##,
        r##""image_url":"http://img","thumb_url":"http://thumb","footer":"foot","color":"#ff0000","mrkdwn_in":["text"]}]}"##,
        "\n"
    );
    assert_eq!(body_of(entry).await, expected);
}

#[tokio::test]
async fn a_long_title_is_cut() {
    let body = body_of("title: 'long {{ range $i := 1100 }}é{{ end }}'").await;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let title = json["attachments"][0]["title"].as_str().unwrap();
    assert!(title.chars().count() == 1024 && title.starts_with("long éé") && title.ends_with("é…"), "{title}");
}

#[tokio::test]
async fn alertmanagers_bodies_for_the_same_configuration() {
    let Some(folder) = common::conformance("alertmanager-slack") else { return };
    let text = std::fs::read_to_string(folder.join("payloads.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sink = Sink::start(vec![]).await;
    let config = json["config"].as_str().unwrap().replace("http://127.0.0.1:@SINK@/@NAME@", &format!("{}/x", sink.url));
    let config = watchglass_notify::config::AlertmanagerConfig::parse(&config, "alertmanager.yml").unwrap();
    let notifier = Notifier::new(&config, "http://vm:29093", std::path::Path::new(".")).unwrap();
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Pairs<'_>, Pairs<'_>); 2] = [
        (
            "EndpointDown",
            &[
                ("alertname", "EndpointDown"),
                ("severity", "critical"),
                ("instance", "http://127.0.0.1:25002/v1/orders"),
                ("job", "blackbox_http"),
            ],
            &[
                ("summary", "Endpoint http://127.0.0.1:25002/v1/orders is down"),
                ("description", "Endpoint has been unreachable for 1 minute"),
            ],
        ),
        (
            "RedisUnreachable",
            &[
                ("alertname", "RedisUnreachable"),
                ("severity", "critical"),
                ("instance", "127.0.0.1:29121"),
                ("job", "redis"),
            ],
            &[("summary", "Redis does not answer its exporter")],
        ),
    ];
    for (name, labels, annotations) in cases {
        let alerts = vec![alert(labels, annotations, None)];
        let n = notification("slack-notifications", "slack", &labels[..2], alerts);
        sent(&notifier.send(&n, 70_000).await);
        let got: serde_json::Value = serde_json::from_str(&sink.got().last().unwrap().body).unwrap();
        assert_eq!(got, json["payloads"][name], "{name}");
    }
}

#[test]
fn alertmanagers_verdicts_on_answers() {
    let Some(folder) = common::conformance("alertmanager-slack") else { return };
    for case in common::cases(&folder.join("responses.json")) {
        let name = case["name"].as_str().unwrap();
        // The one status that is named and not numbered.
        let status = case["statusCode"].as_u64().unwrap_or(101) as u16;
        let body = case["responseBody"].as_str().unwrap_or_default();
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
        let failure = match answer::read(status, kind, body, None) {
            Ok(_) => {
                assert_eq!(case["noError"].as_bool(), Some(true), "{name}");
                continue;
            }
            Err(failure) => failure,
        };
        assert!(failure.error.contains(case["expectedErr"].as_str().unwrap_or("<none>")), "{name}: {failure:?}");
        assert_eq!(Some(failure.retry), case["expectedRetry"].as_bool(), "{name}");
        let reason = match failure.reason {
            FailureReason::Auth => "@id:notify.AuthErrorReason",
            FailureReason::Server => "@id:notify.ServerErrorReason",
            FailureReason::Client => "@id:notify.ClientErrorReason",
            _ => "@id:notify.DefaultReason",
        };
        assert_eq!(case["expectedReason"].as_str(), Some(reason), "{name}");
    }
}

#[test]
fn alertmanagers_limits_on_texts() {
    let Some(folder) = common::conformance("alertmanager-slack") else { return };
    for case in common::cases(&folder.join("truncate.json")) {
        let (text, max) = (case["in"].as_str().unwrap(), case["n"].as_u64().unwrap() as usize);
        for (kind, got) in [("runes", message::truncate(text, max)), ("bytes", message::truncate_bytes(text, max))] {
            assert_eq!(Some(got.0.as_str()), case[kind]["out"].as_str(), "{case}");
            assert_eq!(Some(got.1), case[kind]["trunc"].as_bool(), "{case}");
        }
    }
}

#[tokio::test]
async fn an_apps_message_is_changed_and_posted_anew_when_it_is_gone() {
    let posted = r#"{"ok":true,"channel":"C1","ts":"123.45"}"#;
    let sink = Sink::start(vec![
        Reply::json(posted),
        Reply::json(posted),
        Reply::json(r#"{"ok":false,"error":"message_not_found"}"#),
        Reply::json(r#"{"ok":true,"channel":"C1","ts":"200.1"}"#),
    ])
    .await;
    let config =
        config("channel: '#a'\napp_token: xoxb-SECRETTOKEN\napp_url: '@/api/chat.postMessage'\nupdate_message: true");
    let notifier = notifier(&config, &sink);
    let mut n = notification("all", "slack", &[("alertname", "Down")], two_alerts());
    for expected_ts in ["123.45", "123.45", "200.1"] {
        match notifier.send(&n, 70_000).await {
            Outcome::Sent { receiver_data } => n.receiver_data = receiver_data,
            other => panic!("{other:?}"),
        }
        assert_eq!((n.receiver_data["channel"].as_str(), n.receiver_data["ts"].as_str()), ("C1", expected_ts));
    }
    let got = sink.got();
    let paths: Vec<&str> = got.iter().map(|g| g.path.as_str()).collect();
    assert_eq!(paths, ["/api/chat.postMessage", "/api/chat.update", "/api/chat.update", "/api/chat.postMessage"]);
    assert!(got.iter().all(|g| g.header("authorization") == "Bearer xoxb-SECRETTOKEN"));
    assert!(
        got[1].body.starts_with(r#"{"channel":"C1","#) && got[1].body.ends_with("}],\"ts\":\"123.45\"}\n"),
        "{}",
        got[1].body
    );
    assert!(got[3].body.starts_with(r##"{"channel":"#a","##) && !got[3].body.contains("\"ts\""), "{}", got[3].body);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_lasts_is_not() {
    let n = notification("all", "slack", &[("alertname", "Down")], two_alerts());
    // Failures of the server, then success.
    let sink = Sink::start(vec![Reply::new(500, "oops"), Reply::new(200, "ok")]).await;
    sent(&notifier(&config("channel: a"), &sink).send(&n, 70_000).await);
    assert_eq!(sink.got().len(), 2);
    // An error in the answer.
    let sink = Sink::start(vec![Reply::new(200, "no_channel")]).await;
    let outcome = notifier(&config("channel: a"), &sink).send(&n, 70_000).await;
    let error = "error response from Slack: no_channel".to_owned();
    assert_eq!(outcome, Outcome::Failed { error, retry: false, retry_after: None });
    // Asked to wait longer than one message is worth: the state machine is told how long.
    let sink = Sink::start(vec![Reply::new(429, "slow down").header("retry-after", "30")]).await;
    let outcome = notifier(&config("channel: a"), &sink).send(&n, 70_000).await;
    let error = "unexpected status code 429: slow down".to_owned();
    assert_eq!(outcome, Outcome::Failed { error, retry: true, retry_after: Some(30_000) });
    assert_eq!(sink.got().len(), 1);
}

#[tokio::test]
async fn a_wrong_template_is_told_and_nothing_sent() {
    let sink = Sink::start(vec![]).await;
    let n = notification("all", "slack", &[("alertname", "Down")], two_alerts());
    let outcome = notifier(&config("title: '{{ .Status | nothing }}'"), &sink).send(&n, 70_000).await;
    let error = "template: :1: function \"nothing\" not defined".to_owned();
    assert_eq!(outcome, Outcome::Failed { error, retry: false, retry_after: None });
    assert!(sink.got().is_empty());
}

#[tokio::test]
async fn secrets_stand_in_no_error() {
    let n = notification("all", "slack", &[("alertname", "Down")], two_alerts());
    let mut near = n.clone();
    // No time for a second attempt.
    near.deadline = 70_100;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, "http://127.0.0.1:1/hook/T0/SECRETPART\n").unwrap();
    let unreachable = [
        "api_url: 'http://127.0.0.1:1/hook/T0/SECRETPART'".to_owned(),
        "api_url: 'http://user:SECRETPART@nosuchhost.invalid/hook'".to_owned(),
        format!("api_url_file: {}", file.display()),
        "app_token: SECRETPART\napp_url: 'http://127.0.0.1:1/api/chat.postMessage'".to_owned(),
    ];
    let sink = Sink::start(vec![Reply::new(404, "nothing at <url>")]).await;
    for entry in unreachable {
        let text = config(&entry.replace('@', "%AT%")).replace('@', &sink.url).replace("%AT%", "@");
        let parsed = watchglass_notify::config::AlertmanagerConfig::parse(&text, "a.yml").unwrap();
        assert!(!format!("{parsed:?}").contains("SECRETPART"), "the configuration shows a secret");
        let notifier = Notifier::new(&parsed, "http://x", dir.path()).unwrap();
        let outcome = notifier.send(&near, 70_000).await;
        assert!(matches!(outcome, Outcome::Failed { retry: true, .. }), "{entry}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains("SECRETPART"), "{entry}: {outcome:?}");
    }
    // An answer that quotes the address.
    let outcome = notifier(&config("channel: a"), &sink).send(&n, 70_000).await;
    let Outcome::Failed { error, retry: false, .. } = outcome else { panic!("{outcome:?}") };
    assert!(error.starts_with("unexpected status code 404: nothing at ") && !error.contains("SECRETPART"), "{error}");
}
