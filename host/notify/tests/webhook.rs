//! Webhooks, the console, forwarding, and how requests are made.

mod common;

use std::path::Path;

use common::{Reply, Sink, alert, notification, notifier, two_alerts};
use watchglass_alerts::Outcome;
use watchglass_notify::config::{AlertmanagerConfig, HttpConfig, SecretUrl};
use watchglass_notify::forward::ForwardConfig;
use watchglass_notify::{Notifier, console};

fn config(entry: &str) -> String {
    let entry: String = entry.lines().map(|line| format!("    {line}\n")).collect();
    format!("route: {{receiver: all}}\nreceivers:\n- name: all\n  webhook_configs:\n  - send_resolved: true\n{entry}")
}

/// What one notification of two alerts makes of this entry.
async fn request_of(entry: &str) -> common::Got {
    let sink = Sink::start(vec![]).await;
    let n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    let outcome = notifier(&config(entry), &sink).send(&n, 70_000).await;
    assert_eq!(outcome, Outcome::sent());
    assert_eq!(sink.got().len(), 1);
    sink.got().remove(0)
}

// The bodies are what Alertmanager 0.33.1 sent for the same configuration and alerts, but for times and fingerprints.

#[tokio::test]
async fn the_body() {
    let got = request_of("url: '@/wh'").await;
    let expected = concat!(
        r#"{"receiver":"all","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"a:1","#,
        r#""severity":"critical"},"annotations":{"summary":"s \u003c\u0026\u003e \u2028 \u0001 \"q\" é"},"#,
        r#""startsAt":"1970-01-01T00:00:10.5Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://g/?a=b\u0026c","#,
        r#""fingerprint":"2fc4c353ef13c5b1"},{"status":"firing","labels":{"alertname":"Down","instance":"b:1","#,
        r#""severity":"critical"},"annotations":{"summary":"two"},"startsAt":"1970-01-01T00:00:10.5Z","#,
        r#""endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"15a1fcb40b0531a2"}],"#,
        r#""notification_reason":"first notification","groupLabels":{"alertname":"Down"},"#,
        r#""commonLabels":{"alertname":"Down","severity":"critical"},"commonAnnotations":{},"#,
        r#""externalURL":"http://am.example:9093/x","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":0}"#,
        "\n"
    );
    assert_eq!((got.path.as_str(), got.body.as_str()), ("/wh", expected));
    assert_eq!(got.header("content-type"), "application/json");
    assert!(got.header("user-agent").starts_with("Watchglass/"));
}

#[tokio::test]
async fn alerts_beyond_the_maximum_are_counted() {
    let got = request_of("url: '@/wh'\nmax_alerts: 1").await;
    let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!((body["alerts"].as_array().map(Vec::len), body["truncatedAlerts"].as_u64()), (Some(1), Some(1)));
    assert_eq!(body["commonLabels"]["instance"], "a:1");
}

#[tokio::test]
async fn bodies_of_the_users_own() {
    for (payload, expected) in [
        (
            "{text: 'x {{ .Status }}', n: 5, list: [1, 'a {{ .Receiver }}', true, null], num: '{{ len .Alerts }}', obj: '{{ toJson .CommonLabels }}'}",
            r#"{"list":[1,"a all",true,null],"n":5,"num":2,"obj":{"alertname":"Down","severity":"critical"},"text":"x firing"}"#,
        ),
        (
            r#"{c: '123abc', d: '"quoted"', e: 'true', f: ' 12', g: '1e5', "k {{ .Status }}": null, h: {x: ['{{ dict "a" 1 | toJson }}', '', 1.50, 2024-01-01]}}"#,
            r#"{"c":"123abc","d":"\"quoted\"","e":true,"f":12,"g":100000,"h":{"x":[{"a":1},null,1.5,"2024-01-01"]},"k firing":null}"#,
        ),
        ("'hello {{ .Status }}'", "\"hello firing\""),
        ("['{{ .Status }}', 'x']", "[\"firing\",\"x\"]"),
        ("'{{ (index .Alerts 1).Annotations | toJson }}'", "{\"summary\":\"two\"}"),
    ] {
        let got = request_of(&format!("url: '@/wh'\npayload: {payload}")).await;
        assert_eq!(got.body, format!("{expected}\n"), "{payload}");
    }
}

#[tokio::test]
async fn addresses_are_templates_or_lie_in_files() {
    assert_eq!(request_of("url: '@/{{ .GroupLabels.alertname }}/x'").await.path, "/Down/x");
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start(vec![]).await;
    std::fs::write(dir.path().join("url"), format!("{}/from-file\n", sink.url)).unwrap();
    let parsed = AlertmanagerConfig::parse(&config("url_file: url"), "a.yml").unwrap();
    let n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    let outcome = Notifier::new(&parsed, "http://x", dir.path()).unwrap().send(&n, 70_000).await;
    assert_eq!((outcome, sink.got()[0].path.as_str()), (Outcome::sent(), "/from-file"));
}

#[tokio::test]
async fn credentials() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), "  from-file\n").unwrap();
    let file = dir.path().join("token").display().to_string();
    for (http, expected) in [
        ("basic_auth: {username: ada, password: 'pass>?word'}".to_owned(), "Basic YWRhOnBhc3M+P3dvcmQ="),
        (format!("basic_auth: {{username: a, password_file: {file}}}"), "Basic YTpmcm9tLWZpbGU="),
        ("authorization: {credentials: abc}".to_owned(), "Bearer abc"),
        (format!("authorization: {{type: Token, credentials_file: {file}}}"), "Token from-file"),
        ("bearer_token: abc".to_owned(), "Bearer abc"),
    ] {
        let got = request_of(&format!("url: '@/wh'\nhttp_config: {{{http}}}")).await;
        assert_eq!(got.header("authorization"), expected, "{http}");
    }
    let got = request_of("url: '@/wh'\nhttp_config: {http_headers: {X-Team: {values: [a], secrets: [b]}}}").await;
    assert_eq!(got.all("x-team"), ["a", "b"]);
}

#[tokio::test]
async fn oauth2_asks_for_a_token_first() {
    let sink = Sink::start(vec![Reply::json(r#"{"access_token":"t0","token_type":"Bearer","expires_in":60}"#)]).await;
    let entry = "url: '@/wh'\nhttp_config: {oauth2: {client_id: id, client_secret: 's&c', token_url: '@/token', scopes: [a, b], endpoint_params: {audience: x y}}}";
    let n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    assert_eq!(notifier(&config(entry), &sink).send(&n, 70_000).await, Outcome::sent());
    let got = sink.got();
    assert_eq!((got[0].path.as_str(), got[0].header("authorization")), ("/token", "Basic aWQ6cyUyNmM="));
    assert_eq!(got[0].body, "grant_type=client_credentials&scope=a+b&audience=x+y");
    assert_eq!((got[1].path.as_str(), got[1].header("authorization")), ("/wh", "Bearer t0"));
}

#[tokio::test]
async fn redirects_and_proxies() {
    let n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    let moved = || Reply::new(307, "").header("location", "/there");
    let sink = Sink::start(vec![moved()]).await;
    assert_eq!(notifier(&config("url: '@/wh'"), &sink).send(&n, 70_000).await, Outcome::sent());
    let got = sink.got();
    assert_eq!((got.len(), got[1].path.as_str(), got[1].body == got[0].body), (2, "/there", true));

    let sink = Sink::start(vec![moved()]).await;
    let outcome =
        notifier(&config("url: '@/wh'\nhttp_config: {follow_redirects: false}"), &sink).send(&n, 70_000).await;
    let error = "unexpected status code 307".to_owned();
    assert_eq!((outcome, sink.got().len()), (Outcome::Failed { error, retry: false, retry_after: None }, 1));

    let got = request_of("url: 'http://receiver.invalid/wh'\nhttp_config: {proxy_url: '@'}").await;
    assert_eq!(got.path, "http://receiver.invalid/wh");
}

#[tokio::test]
async fn statuses() {
    let n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    let sink = Sink::start(vec![Reply::new(503, ""), Reply::new(204, "")]).await;
    assert_eq!(notifier(&config("url: '@/wh'"), &sink).send(&n, 70_000).await, Outcome::sent());
    assert_eq!(sink.got().len(), 2);
    let sink = Sink::start(vec![Reply::new(400, "bad\nthing")]).await;
    let outcome = notifier(&config("url: '@/wh'"), &sink).send(&n, 70_000).await;
    let error = "unexpected status code 400: bad".to_owned();
    assert_eq!(outcome, Outcome::Failed { error, retry: false, retry_after: None });
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_given_up_on() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let parsed = AlertmanagerConfig::parse(&config(&format!("url: '{url}'\ntimeout: 50ms")), "a.yml").unwrap();
    let mut n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    n.deadline = 70_200;
    let outcome = Notifier::new(&parsed, "http://x", Path::new(".")).unwrap().send(&n, 70_000).await;
    assert!(
        matches!(&outcome, Outcome::Failed { error, retry: true, .. } if error.starts_with("no answer")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn alerts_are_handed_on_to_an_alertmanager() {
    let sink = Sink::start(vec![]).await;
    let mut parsed = AlertmanagerConfig::parse("route: {receiver: all}\nreceivers:\n- name: all\n", "a.yml").unwrap();
    let url = SecretUrl::parse(&format!("{}/am/", sink.url)).unwrap();
    parsed.forward_to(&ForwardConfig { url, http_config: HttpConfig::default() });
    let n = notification(
        "all",
        "alertmanager",
        &[("alertname", "Down")],
        vec![two_alerts().remove(0), alert(&[("alertname", "Down")], &[], Some(60_000))],
    );
    let notifier = Notifier::new(&parsed, "http://x", Path::new(".")).unwrap();
    assert_eq!(notifier.send(&n, 70_000).await, Outcome::sent());
    let got = sink.got().remove(0);
    let expected = concat!(
        r#"[{"labels":{"alertname":"Down","instance":"a:1","severity":"critical"},"#,
        r#""annotations":{"summary":"s \u003c\u0026\u003e \u2028 \u0001 \"q\" é"},"startsAt":"1970-01-01T00:00:10.5Z","#,
        r#""endsAt":"1970-01-01T00:08:20Z","generatorURL":"http://g/?a=b\u0026c"},"#,
        r#"{"labels":{"alertname":"Down"},"annotations":{},"startsAt":"1970-01-01T00:00:10.5Z","endsAt":"1970-01-01T00:01:00Z"}]"#
    );
    assert_eq!((got.path.as_str(), got.body.as_str()), ("/am/api/v2/alerts", expected));
}

#[test]
fn the_console_says_what_burns_first() {
    let mut alerts = vec![
        alert(&[("alertname", "Down"), ("instance", "b:1"), ("severity", "critical")], &[], Some(60_000)),
        alert(
            &[("alertname", "Down"), ("instance", "a:1"), ("severity", "critical")],
            &[("summary", "a:1 is down\n\u{1b}[2J")],
            None,
        ),
    ];
    alerts[1].alert.generator_url = "http://g/".to_owned();
    let n = notification("console", "console", &[("alertname", "Down")], alerts);
    let expected = "\
00:01:10Z FIRING: Down severity=critical (1 firing, 1 resolved)
  firing for 59s   instance=a:1
    summary: a:1 is down  [2J
    http://g/
  ended 00:01:00, lasted 49s   instance=b:1
  receiver console, first notification
";
    assert_eq!(console::text(&n), expected);
    let many: Vec<_> = (0..50).map(|i| alert(&[("alertname", "Down"), ("i", &i.to_string())], &[], None)).collect();
    let text = console::text(&notification("console", "console", &[], many));
    assert!(text.contains("(50 firing)") && text.contains("  and 30 more\n") && text.lines().count() == 23, "{text}");
}

#[tokio::test]
async fn kinds_that_cannot_be_sent_to_say_so() {
    let text =
        "route: {receiver: all}\nreceivers:\n- name: all\n  telegram_configs:\n  - {bot_token: abc, chat_id: 5}\n";
    let parsed = AlertmanagerConfig::parse(text, "a.yml").unwrap();
    let notifier = Notifier::new(&parsed, "http://x", Path::new(".")).unwrap();
    let mut n = notification("all", "telegram", &[], two_alerts());
    let failed = |error: &str| Outcome::Failed { error: error.to_owned(), retry: false, retry_after: None };
    assert_eq!(notifier.send(&n, 70_000).await, failed("receivers of kind telegram can't be sent to yet"));
    n.position = 9;
    assert_eq!(notifier.send(&n, 70_000).await, failed("receiver all has no integration 9"));
}

#[tokio::test]
async fn sending_can_be_handed_to_another_thread() {
    let sink = Sink::start(vec![]).await;
    let notifier = std::sync::Arc::new(notifier(&config("url: '@/wh'"), &sink));
    let n = notification("all", "webhook", &[("alertname", "Down")], two_alerts());
    let task = tokio::spawn(async move { notifier.send(&n, 70_000).await });
    assert_eq!(task.await.unwrap(), Outcome::sent());
}
