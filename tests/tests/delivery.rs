//! Delivery as users rely on it: told once, told again only where a crash came between a receiver's OK and our note, told of all that
//! happened while the receiver was away; and no secret shown on the way.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use watchglass_tests::{Daemon, Received, Sink, eventually, now_ms, rfc3339};

/// Turns so short that a message too many shows within seconds.
fn write_config(dir: &Path, receiver: &str) {
    fs::create_dir_all(dir.join("plugins")).unwrap();
    let routing = format!(
        "route: {{receiver: ops, group_by: [alertname], group_wait: 100ms, group_interval: 500ms, repeat_interval: 1h}}\nreceivers:\n- name: ops\n{receiver}"
    );
    fs::write(dir.join("alertmanager.yml"), routing).unwrap();
    let toml =
        "[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = \"plugins\"\n[alerting]\nconfig = \"alertmanager.yml\"\n";
    fs::write(dir.join("watchglass.toml"), toml).unwrap();
}

fn start(dir: &Path) -> Daemon {
    Daemon::start(dir, &["--config", "watchglass.toml"])
}

fn post(daemon: &Daemon, instance: &str, ended: bool) {
    let now = now_ms();
    let ends_at = if ended { now } else { now + 600_000 };
    let alert = json!([{ "labels": { "alertname": "Down", "instance": instance }, "startsAt": rfc3339(now - 10), "endsAt": rfc3339(ends_at) }]);
    let url = format!("{}/api/v2/alerts", daemon.url());
    assert_eq!(reqwest::blocking::Client::new().post(url).json(&alert).send().unwrap().status(), 200);
}

/// Waits until the daemon has looked at the group again several times: something to tell would have been told by then.
fn turns_pass(daemon: &Daemon) {
    let turns = || -> Result<u64, String> {
        let decisions = daemon.api("/api/v1/explain?alert=Down")?;
        let told = decisions.as_array().into_iter().flatten();
        let known = told.filter(|d| d["text"].as_str().is_some_and(|t| t.contains("knows already")));
        Ok(known.map(|d| d["times"].as_u64().unwrap_or(0)).sum())
    };
    let before = turns().unwrap();
    eventually("turns of the group pass", || match turns()? {
        n if n >= before + 3 => Ok(()),
        n => Err(format!("{n} after {before}: {}", daemon.get("/api/v1/explain?alert=Down")?)),
    });
}

fn webhook(sink: &Sink) -> String {
    format!("  webhook_configs: [{{url: '{}', send_resolved: true}}]\n", sink.url("hook"))
}

fn instances(message: &Received, status: &str) -> Vec<String> {
    let alerts = message.body["alerts"].as_array().cloned().unwrap_or_default();
    let of = alerts.iter().filter(|a| a["status"] == status);
    of.map(|a| a["labels"]["instance"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_crash_before_the_note_repeats_a_message_once_and_one_after_it_does_not() {
    let (sink, dir) = (Sink::start(), tempfile::tempdir().unwrap());
    write_config(dir.path(), &webhook(&sink));
    let mut daemon = start(dir.path());
    sink.be_silent(true);
    post(&daemon, "a", false);
    sink.wait_for("the receiver took it", |_| true);
    // Taken, and never noted: nobody can know.
    daemon.kill();
    sink.be_silent(false);
    let mut daemon = start(dir.path());
    eventually("it is told again", || {
        if sink.received().len() == 2 { Ok(()) } else { Err(format!("{:?}", sink.received())) }
    });
    turns_pass(&daemon);
    assert_eq!(sink.received().len(), 2, "and then no more");
    // Noted: not even a crash repeats it.
    daemon.kill();
    let daemon = start(dir.path());
    turns_pass(&daemon);
    assert_eq!(sink.received().len(), 2, "{:#?}", sink.received());
    post(&daemon, "a", true);
    let end = sink.wait_for("its end", |m| m.body["status"] == "resolved");
    assert_eq!(instances(&end, "resolved"), ["a"]);
}

#[test]
fn after_an_outage_one_message_names_what_fired_and_what_is_over() {
    let (sink, dir) = (Sink::start(), tempfile::tempdir().unwrap());
    write_config(dir.path(), &webhook(&sink));
    let mut daemon = start(dir.path());
    sink.answer(503);
    post(&daemon, "gone", false);
    let failed = |daemon: &Daemon| {
        eventually("it fails", || {
            let text = daemon.get("/api/v1/explain?alert=Down")?;
            if text.contains("not taken: unexpected status code 503") { Ok(()) } else { Err(text) }
        });
    };
    failed(&daemon);
    post(&daemon, "gone", true);
    post(&daemon, "stays", false);
    // The outage outlives the process.
    daemon.kill();
    let daemon = start(dir.path());
    failed(&daemon);
    sink.answer(200);
    let told = sink.wait_for("the message after the outage", |_| true);
    assert_eq!(
        (instances(&told, "firing"), instances(&told, "resolved")),
        (vec!["stays".to_owned()], vec!["gone".to_owned()])
    );
    turns_pass(&daemon);
    assert_eq!(sink.received().len(), 1, "{:#?}", sink.received());
}

#[test]
fn an_apps_message_is_changed_in_place_across_restarts() {
    let (sink, dir) = (Sink::start(), tempfile::tempdir().unwrap());
    sink.answer_with(r#"{"ok":true,"channel":"C024","ts":"1503435956.000247"}"#);
    let slack = format!(
        "  slack_configs: [{{app_token: xoxb-s3cr3t, app_url: '{}', channel: '#ops', update_message: true, send_resolved: true, message_text: '{{{{ .Status }}}}'}}]\n",
        sink.url("chat.postMessage")
    );
    write_config(dir.path(), &slack);
    let mut daemon = start(dir.path());
    post(&daemon, "a", false);
    let first = sink.wait_for("the message", |_| true);
    assert_eq!(
        (first.path.as_str(), &first.body["channel"], &first.body["text"]),
        ("chat.postMessage", &json!("#ops"), &json!("firing"))
    );
    turns_pass(&daemon);
    daemon.kill();
    let daemon = start(dir.path());
    post(&daemon, "a", true);
    let second = sink.wait_for("the change", |m| m.body["text"] == "resolved");
    assert_eq!(
        (second.path.as_str(), &second.body["channel"], &second.body["ts"]),
        ("chat.update", &json!("C024"), &json!("1503435956.000247"))
    );
    assert_eq!(sink.received().len(), 2);
    assert!(!daemon.log().join("\n").contains("s3cr3t"));
}

#[test]
fn a_wrong_template_stops_only_its_own_receiver() {
    let (sink, dir) = (Sink::start(), tempfile::tempdir().unwrap());
    let receivers = format!(
        "  slack_configs:\n  - {{api_url: '{0}', channel: '{{{{ index .Alerts 5 }}}}'}}\n  - {{api_url: '{0}', channel: fine}}\n{1}",
        sink.url("slack"),
        webhook(&sink)
    );
    write_config(dir.path(), &receivers);
    let daemon = start(dir.path());
    post(&daemon, "a", false);
    sink.wait_for("the other entry of the same kind", |m| m.body["channel"] == "fine");
    sink.wait_for("the webhook", |m| m.path == "hook");
    eventually("the error is told", || {
        let text = daemon.get("/api/v1/explain?alert=Down")?;
        if text.contains("ops/slack[0]: not taken") && text.contains("index out of range") { Ok(()) } else { Err(text) }
    });
    turns_pass(&daemon);
    assert_eq!(sink.received().len(), 2, "{:#?}", sink.received());
}

#[test]
fn no_secret_is_in_the_log_or_in_any_answer() {
    let (sink, dir) = (Sink::start(), tempfile::tempdir().unwrap());
    // Each fails in another way; the sink's answer shows what it was asked, as some servers do.
    let secrets = [
        "T0PATHS3CRET",
        "us3rp4ssw0rd",
        "b3arert0ken99",
        "xoxb-4pp-t0ken",
        "h3ader-s3cret",
        "k3y-of-a-pager",
        "f1le-s3cret-url",
    ];
    sink.answer(403);
    // All that stand in the file; what lies in another file only its own receiver knows.
    sink.answer_with(&secrets[..6].join(" "));
    fs::write(dir.path().join("url"), format!("{}\n", sink.url("f1le-s3cret-url"))).unwrap();
    let receivers = format!(
        "  slack_configs:\n  - api_url: >-\n      {hook}\n    channel: c\n  - {{api_url: 'http://127.0.0.1:1/T0PATHS3CRET', channel: c}}\n  - {{api_url_file: url, channel: c}}\n\
         \x20 - {{app_token: xoxb-4pp-t0ken, app_url: '{app}', channel: c}}\n\
         \x20 webhook_configs:\n  - {{url: '{hook}', http_config: {{basic_auth: {{username: me, password: us3rp4ssw0rd}}}}}}\n\
         \x20 - {{url: '{hook}', http_config: {{authorization: {{credentials: b3arert0ken99}}, http_headers: {{X-Key: {{secrets: [h3ader-s3cret]}}}}}}}}\n\
         \x20 - {{url: 'http://me:us3rp4ssw0rd@no.such.host.invalid/T0PATHS3CRET'}}\n\
         - name: unused\n  pagerduty_configs: [{{routing_key: k3y-of-a-pager}}]\n",
        hook = sink.url("T0PATHS3CRET"),
        app = sink.url("chat.postMessage"),
    );
    write_config(dir.path(), &receivers);
    let mut daemon = start(dir.path());
    post(&daemon, "a", false);
    let whys = eventually("all seven fail", || {
        let decisions = daemon.api("/api/v1/explain?alert=Down")?;
        let failed = |d: &&Value| d["text"].as_str().is_some_and(|t| t.contains("not taken"));
        let mut places: Vec<&str> =
            decisions.as_array().into_iter().flatten().filter(failed).filter_map(|d| d["receiver"].as_str()).collect();
        places.sort_unstable();
        places.dedup();
        if places.len() == 7 { Ok(decisions.to_string()) } else { Err(format!("{places:?}: {decisions}")) }
    });
    let mut shown = vec![("explain".to_owned(), whys)];
    let paths = [
        "/metrics",
        "/api/v2/status",
        "/api/v2/alerts",
        "/api/v2/alerts/groups",
        "/api/v2/receivers",
        "/api/v1/status/config",
        "/api/v1/status/flags",
        "/api/v1/status/runtimeinfo",
        "/api/v1/alerts",
        "/api/v1/rules",
        "/api/v1/alertmanagers",
        "/api/v1/plugins",
        "/api/v1/targets",
        "/",
    ];
    shown.extend(paths.map(|path| (path.to_owned(), daemon.get(path).unwrap())));
    // A reload that is refused tells why, without them too.
    let broken = fs::read_to_string(dir.path().join("alertmanager.yml")).unwrap().replace("channel: c", "chanel: c");
    fs::write(dir.path().join("alertmanager.yml"), broken).unwrap();
    let answer = reqwest::blocking::Client::new().post(format!("{}/-/reload", daemon.url())).send().unwrap();
    shown.push(("reload".to_owned(), answer.text().unwrap()));
    daemon.stop();
    shown.push(("log".to_owned(), daemon.log().join("\n")));
    for (place, text) in &shown {
        assert!(!text.is_empty(), "{place} is empty");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {place}:\n{text}");
        }
    }
}
