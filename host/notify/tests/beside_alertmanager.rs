//! The same alerts and configuration to a real Alertmanager and to us: the bodies are compared byte for byte.
//!
//! Needs `prometheus-alertmanager` or `alertmanager`, on PATH or in the folder `WATCHGLASS_PEERS`.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Got, Sink, notification, two_alerts};
use watchglass_alerts::Outcome;
use watchglass_notify::Notifier;
use watchglass_notify::config::AlertmanagerConfig;
use watchglass_notify::forward;

/// `@` is where to send. What differs on purpose isn't in it: texts of an alert that are templates themselves, in `payload`.
const CONFIG: &str = r##"
global: {slack_api_url: '@/hook'}
route: {receiver: team & co, group_by: [alertname], group_wait: 1s, group_interval: 1h}
receivers:
- name: team & co
  webhook_configs:
  - url: '@/webhook'
  - url: '@/one'
    max_alerts: 1
  - url: '@/{{ .GroupLabels.alertname }}'
    payload:
      "k {{ .Status }}": '{{ toJson .CommonLabels }}'
      list: ['{{ len .Alerts }}', '', 1.50, true, null, 'x {{ .Receiver }}', 2024-01-01, '0x10', '1e3', ' 7 ']
      nested: {a: '{{ toJson .Alerts }}'}
  slack_configs:
  - channel: '#default'
  - channel: '#list'
    text: '{{ template "__text_alert_list" .Alerts }}{{ template "__text_alert_list_markdown" .Alerts.Firing }}'
    title: '{{ range .Alerts }}{{ .Annotations.summary }}{{ range $i := .Labels.SortedPairs }}{{ printf "%q" $i.Value }}{{ end }}{{ end }}'
    pretext: '{{ .CommonLabels | toJson }} {{ .Alerts | toJson }} {{ .GroupLabels }} {{ (index .Alerts 0).StartsAt.Format "2006-01-02T15:04:05.000" }}'
    fallback: '{{ title "hello wORLD o''neil x.y" }} {{ reReplaceAll "(.)o" "$1_" "foo boo" }} {{ humanizeDuration 3661.5 }} {{ urlUnescape "a%20b" }}'
    footer: '{{ printf "%5.2f|%-6s|%06d|%x" 3.14159 "ab" 42 "hi" }} {{ 1234567.0 }} {{ join "-" .CommonLabels.Names }} {{ .CommonLabels.none }}'
    fields:
    - {title: '{{ .Status | toUpper }}', value: '{{ if gt (len .Alerts) 1 }}many{{ else }}one{{ end }}', short: true}
    - {title: 'b', value: '{{ with .CommonAnnotations }}{{ . }}{{ else }}none{{ end }}'}
    actions:
    - {type: button, text: 'a {{ .Status }}', name: n, value: v, style: primary, confirm: {text: sure, title: t, ok_text: y, dismiss_text: nope}}
    - {type: button, text: b, url: 'http://x/?a=b&c'}
    color: '{{ if eq .Status "firing" }}#ff0000{{ else }}good{{ end }}'
    short_fields: true
    link_names: true
    image_url: http://i
    thumb_url: http://t
    icon_emoji: ':x:'
    icon_url: http://u
    callback_id: cb
    mrkdwn_in: [text, pretext]
    message_text: '<&> {{ .ExternalURL }}'
"##;

/// The program, `None` where it is not installed.
fn program() -> Option<PathBuf> {
    let folders = std::env::var_os("WATCHGLASS_PEERS").into_iter().chain(std::env::var_os("PATH"));
    let folders: Vec<PathBuf> = folders.flat_map(|v| std::env::split_paths(&v).collect::<Vec<_>>()).collect();
    let names = ["prometheus-alertmanager", "alertmanager"];
    let found = folders.iter().flat_map(|f| names.map(|n| f.join(n))).find(|p| p.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no alertmanager on PATH or in WATCHGLASS_PEERS");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "alertmanager is missing in CI");
    }
    found
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something that another process does.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < end, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What came below this prefix: path and body, in order.
fn below(got: &[Got], prefix: &str) -> Vec<(String, String)> {
    let mut found: Vec<_> =
        got.iter().filter_map(|g| Some((g.path.strip_prefix(prefix)?.to_owned(), g.body.clone()))).collect();
    found.sort();
    found
}

#[tokio::test]
async fn bodies_are_the_same() {
    let Some(program) = program() else { return };
    let sink = Sink::start(vec![]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("alertmanager.yml");
    std::fs::write(&file, CONFIG.replace('@', &format!("{}/theirs", sink.url))).unwrap();
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let child = Command::new(program)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address={listen}"))
        .args(["--web.external-url=http://am.example:9093/x", "--web.route-prefix=/", "--cluster.listen-address="])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _running = Running(child);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    until("alertmanager's start", async || {
        client.get(format!("http://{listen}/-/ready")).send().await.is_ok_and(|r| r.status().is_success())
    })
    .await;

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut alerts = two_alerts();
    for alert in &mut alerts {
        // Not before group_wait ago: alerts of one request would go out apart.
        alert.alert.starts_at = now - 123;
        alert.alert.ends_at = now + 600_000;
    }
    let body = forward::body(alerts.iter().map(|a| &a.alert)).unwrap();
    let post = client.post(format!("http://{listen}/api/v2/alerts")).header("content-type", "application/json");
    assert!(post.body(body).send().await.unwrap().status().is_success());
    until("alertmanager's sending", async || below(&sink.got(), "/theirs").len() >= 5).await;

    let config = AlertmanagerConfig::parse(&CONFIG.replace('@', &format!("{}/ours", sink.url)), "a.yml").unwrap();
    let notifier = Notifier::new(&config, "http://am.example:9093/x", Path::new(".")).unwrap();
    for (position, integration) in config.receivers[0].integrations.iter().enumerate() {
        let mut n = notification("team & co", &integration.spec.kind, &[("alertname", "Down")], alerts.clone());
        (n.position, n.deadline) = (position, now + 60_000);
        let outcome = notifier.send(&n, now).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{position}: {outcome:?}");
    }
    let (theirs, ours) = (below(&sink.got(), "/theirs"), below(&sink.got(), "/ours"));
    assert_eq!((theirs.len(), ours.len()), (5, 5));
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(ours, theirs);
    }
}
