//! The whole way with real parts: a Redis and an app are collected, stop, and come back; Slack hears of it once, grouped, and of the end.

use std::fs;
use std::path::Path;

use serde_json::Value;
use watchglass_tests::{App, Daemon, Received, Redis, Sink, eventually, plugins_dir, root, skip};

/// The rules, routing and queries of `examples/seed`, in a folder of their own with a configuration for these targets.
fn write_config(dir: &Path, redis: &str, app: &str, sink: &str) {
    let seed = root().join("examples/seed");
    for name in ["alerts.yml", "recording_rules.yml"] {
        fs::copy(seed.join(name), dir.join(name)).unwrap();
    }
    // The seed's own routing and message, sent to our sink, sooner, and when it is over too.
    let routing = fs::read_to_string(seed.join("alertmanager.yml")).unwrap();
    let ours = routing
        .replace("https://hooks.slack.com/services/YOUR/SLACK/WEBHOOK", sink)
        .replace("group_wait: 30s", "group_wait: 2s")
        .replace("group_interval: 5m", "group_interval: 2s")
        .replace("      - channel:", "      - send_resolved: true\n        channel:");
    assert!(ours.contains(sink) && ours.contains("group_wait: 2s") && ours.contains("send_resolved"));
    fs::write(dir.join("alertmanager.yml"), ours).unwrap();
    fs::write(
        dir.join("ours.yml"),
        "groups:\n  - name: ours\n    interval: 1s\n    rules:\n      - alert: InstanceDown\n        expr: up == 0\n        for: 2s\n        labels:\n          severity: critical\n        annotations:\n          summary: \"{{ $labels.instance }} of {{ $labels.job }} is down\"\n",
    )
    .unwrap();
    let toml = format!(
        "[global]\nscrape_interval = \"1s\"\nevaluation_interval = \"1s\"\n[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = {plugins:?}\n\
         [rules]\nfiles = [\"alerts.yml\", \"recording_rules.yml\", \"ours.yml\"]\n[alerting]\nconfig = \"alertmanager.yml\"\n\
         [[collector]]\nname = \"node_exporter\"\nplugin = \"node\"\nscrape_interval = \"1s\"\ngrants = [\"files:/proc\", \"files:/sys\", \"system:disk-usage\"]\n\
         [[collector]]\nname = \"redis\"\nplugin = \"redis\"\nscrape_interval = \"1s\"\ntargets = [{redis:?}]\n\
         [[collector]]\nname = \"custom_app\"\nplugin = \"app\"\nscrape_interval = \"1s\"\ntargets = [{app:?}]\n",
        plugins = plugins_dir(),
    );
    fs::write(dir.join("watchglass.toml"), toml).unwrap();
}

/// The text of a Slack message's first attachment.
fn text(message: &Received) -> String {
    message.body["attachments"][0]["text"].as_str().unwrap_or_default().to_owned()
}

fn color(message: &Received) -> String {
    message.body["attachments"][0]["color"].as_str().unwrap_or_default().trim().to_owned()
}

/// The messages of the group that our own rule makes.
fn of_instance_down(sink: &Sink) -> Vec<Received> {
    let title = |m: &Received| m.body["attachments"][0]["title"].as_str().unwrap_or_default().to_owned();
    sink.received().into_iter().filter(|m| title(m) == "InstanceDown").collect()
}

#[test]
fn what_stops_is_told_once_and_what_comes_back_too() {
    let Some(mut redis) = Redis::start() else { return skip("the seed end to end", "redis-server") };
    let (mut app, sink, dir) = (App::start(), Sink::start(), tempfile::tempdir().unwrap());
    write_config(dir.path(), &redis.address(), &app.address(), &sink.url("slack"));
    let config = dir.path().join("watchglass.toml");
    let args = ["--config", config.to_str().unwrap()];
    let mut daemon = Daemon::start(dir.path(), &args);

    eventually("everything is up", || match daemon.number("sum(up)")? {
        up if up >= 3.0 => Ok(()),
        up => Err(format!("{up} of 3: {}", daemon.get("/api/v1/targets")?)),
    });
    assert_eq!(eventually("redis_up", || daemon.number("redis_up")), 1.0);

    // Both in one turn or in two: one group, because they have the same name and severity.
    app.stop();
    redis.stop();
    sink.wait_for("both are told", |m| text(m).contains("*Affected Instances:* 2"));
    let told = of_instance_down(&sink);
    assert!(told.len() <= 2, "grouped: one message, or two where a collection lay between: {told:#?}");
    assert_eq!(color(&told[0]), "danger", "the seed's own template for critical: {:?}", told[0].body);
    assert_eq!(told[0].body["channel"], "#monitoring-alerts");
    assert!(told.iter().any(|m| text(m).contains("*Severity:* critical")));
    assert_eq!(daemon.number("redis_up").unwrap(), 0.0);

    // A restart in between says nothing twice.
    let before = of_instance_down(&sink).len();
    daemon.stop();
    let daemon = Daemon::start(dir.path(), &args);
    eventually("the alerts fire again", || {
        match daemon.number("count(ALERTS{alertname=\"InstanceDown\",alertstate=\"firing\"})")? {
            n if n >= 2.0 => Ok(()),
            n => Err(format!("{n} of 2")),
        }
    });
    eventually("several turns of the group pass", || {
        let turns = daemon
            .number("count_over_time(ALERTS{alertname=\"InstanceDown\",alertstate=\"firing\",job=\"redis\"}[30s])")?;
        if turns >= 8.0 { Ok(()) } else { Err(format!("{turns} of 8")) }
    });
    assert_eq!(of_instance_down(&sink).len(), before, "{:#?}", of_instance_down(&sink));

    app.resume();
    assert!(redis.resume());
    let resolved =
        |m: &Received| m.body["attachments"][0]["fallback"].as_str().unwrap_or_default().contains("RESOLVED");
    sink.wait_for("the end is told", |m| resolved(m));
    eventually("everything is up again", || match daemon.number("sum(up)")? {
        up if up >= 3.0 => Ok(()),
        up => Err(format!("{up} of 3")),
    });

    every_query_of_the_seed_gives_data(&daemon);
    why_is_recorded(&daemon);
}

/// Every query parses; every one over Redis and the app gives data, save the error rate, whose labels never match (in Prometheus neither).
fn every_query_of_the_seed_gives_data(daemon: &Daemon) {
    let queries = fs::read_to_string(root().join("examples/seed/queries.promql")).unwrap();
    let queries: Vec<&str> = queries.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).collect();
    assert!(queries.len() > 15, "{queries:?}");
    for query in queries {
        let found = eventually(query, || {
            let found = daemon.query(query)?;
            let expected = (query.contains("redis_") || query.contains("app_")) && !query.contains("app_errors_total");
            if expected && found.is_empty() { Err("no series".to_owned()) } else { Ok(found) }
        });
        assert!(!query.contains("app_errors_total") || found.is_empty(), "{query}: {found:?}");
    }
}

fn why_is_recorded(daemon: &Daemon) {
    let decisions = daemon.api("/api/v1/explain?alert=InstanceDown").unwrap();
    let texts: Vec<&str> = decisions.as_array().unwrap().iter().filter_map(|d| d["text"].as_str()).collect();
    assert!(texts.iter().any(|t| t.contains("sent as resolved")), "{texts:#?}");
}

#[test]
fn the_seeds_files_load_unchanged() {
    let seed = root().join("examples/seed");
    let out = std::process::Command::new(watchglass_tests::watchglass())
        .args(["check", "config", seed.join("watchglass.toml").to_str().unwrap()])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains("3 collectors"), "{}", String::from_utf8_lossy(&out.stdout));
}

#[test]
fn amtool_and_grafana_find_what_they_ask_for() {
    let (sink, dir) = (Sink::start(), tempfile::tempdir().unwrap());
    write_config(dir.path(), "127.0.0.1:1", "127.0.0.1:1", &sink.url("slack"));
    let daemon = Daemon::start(dir.path(), &["--config", dir.path().join("watchglass.toml").to_str().unwrap()]);
    assert_eq!(daemon.number("1+1").unwrap(), 2.0);
    assert!(daemon.api("/api/v1/status/buildinfo").unwrap()["version"].as_str().unwrap().starts_with("3."));
    eventually("labels", || {
        let labels = daemon.api("/api/v1/labels")?;
        if labels.as_array().is_some_and(|l| l.contains(&Value::from("instance"))) {
            Ok(())
        } else {
            Err(labels.to_string())
        }
    });
    let jobs = eventually("label values", || {
        daemon
            .api("/api/v1/label/job/values")
            .and_then(|v| if v.as_array().is_some_and(|l| l.len() >= 3) { Ok(v) } else { Err(v.to_string()) })
    });
    assert!(jobs.as_array().unwrap().contains(&Value::from("redis")));
    let rules = daemon.api("/api/v1/rules").unwrap();
    let names: Vec<&str> = rules["groups"].as_array().unwrap().iter().filter_map(|g| g["name"].as_str()).collect();
    assert!(names.contains(&"redis_alerts") && names.contains(&"precomputed_metrics"), "{names:?}");
    let receivers: Value = serde_json::from_str(&daemon.get("/api/v2/receivers").unwrap()).unwrap();
    assert_eq!(receivers[0]["name"], "slack-notifications");
    let status = daemon.get("/api/v2/status").unwrap();
    assert!(status.contains("&lt;secret&gt;") || status.contains("<secret>"), "{status}");
    assert!(!status.contains(&sink.url("slack")), "the webhook is a secret");

    // A silence keeps Slack quiet; it can be made, read and ended.
    let client = reqwest::blocking::Client::new();
    let silence = serde_json::json!({
        "matchers": [{ "name": "alertname", "value": ".+", "isRegex": true, "isEqual": true }],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z", "createdBy": "test", "comment": "quiet",
    });
    let made: Value =
        client.post(format!("{}/api/v2/silences", daemon.url())).json(&silence).send().unwrap().json().unwrap();
    let id = made["silenceID"].as_str().unwrap_or_else(|| panic!("{made}"));
    eventually("alerts are suppressed", || {
        let alerts: Value = serde_json::from_str(&daemon.get("/api/v2/alerts")?).map_err(|e| e.to_string())?;
        let list = alerts.as_array().cloned().unwrap_or_default();
        let quiet = list.iter().filter(|a| a["status"]["silencedBy"][0] == id).count();
        if !list.is_empty() && quiet == list.len() { Ok(()) } else { Err(alerts.to_string()) }
    });
    assert_eq!(client.delete(format!("{}/api/v2/silence/{id}", daemon.url())).send().unwrap().status(), 200);
    let ended: Value = serde_json::from_str(&daemon.get(&format!("/api/v2/silence/{id}")).unwrap()).unwrap();
    assert_eq!(ended["status"]["state"], "expired");
}
