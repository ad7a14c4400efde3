//! Rule plugins from a sample to a message: unit tests with them, the whole way in a daemon, those that misbehave, and one that is swapped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use watchglass_tests::{Daemon, Page, Sink, eventually, plugins_dir, puppet, root, skip, watchglass};

fn test_rules(plugin: &str, file: &Path) -> Output {
    let dir = root().join("plugins").join(plugin).join("tests/unit");
    let mut command = Command::new(watchglass());
    command.args(["test", "rules", "--config"]).arg(dir.join("watchglass.toml"));
    command.arg("--plugins").arg(plugins_dir()).arg(file).output().expect("the command runs")
}

#[test]
fn unit_tests_see_the_alerts_of_rule_plugins() {
    for plugin in ["disk-full", "anomaly"] {
        let file = root().join("plugins").join(plugin).join(format!("tests/unit/{plugin}.test.yml"));
        let out = test_rules(plugin, &file);
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && said.contains("SUCCESS"), "{plugin}:\n{said}");

        // What isn't so is told: each expectation of nothing is made one of something else.
        let dir = tempfile::tempdir().unwrap();
        let wrong = dir.path().join("wrong.yml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("exp_alerts: []"));
        fs::write(&wrong, text.replace("exp_alerts: []", "exp_alerts: [{exp_labels: {a: b}}]")).unwrap();
        let out = test_rules(plugin, &wrong);
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.code() == Some(1) && said.contains("FAILED") && said.contains("got:[]"),
            "{plugin}:\n{said}"
        );
    }
    // A configuration that the plugin refuses stops the tests, by name.
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, "[[rule_plugin]]\nplugin = \"disk-full\"\n[rule_plugin.config]\nwindow = \"1m\"\n").unwrap();
    let mut command = Command::new(watchglass());
    command.args(["test", "rules", "--config"]).arg(&config).arg("--plugins").arg(plugins_dir()).arg("none.yml");
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.contains("rule plugin `disk-full`") && said.contains("window"), "{said}");
}

const ROUTING: &str = "
route:
  receiver: slack
  group_by: [alertname, severity]
  group_wait: 1s
  group_interval: 1s
receivers:
  - name: slack
    slack_configs:
      - api_url: SINK
        channel: '#disks'
        send_resolved: true
        title: '{{ .Status }} {{ .GroupLabels.severity }}'
        text: '{{ range .Alerts }}[{{ .Labels.mountpoint }}] {{ .Annotations.summary }}{{ end }}'
inhibit_rules:
  - source_matchers: [severity = critical]
    target_matchers: [severity = warning]
    equal: [alertname, mountpoint]
";

/// A folder with plugins, routing and a watchglass.toml whose beginning is always the same.
fn folder(plugins: &[&str], sink: &Sink, page: &Page, rest: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("plugins");
    fs::create_dir(&into).unwrap();
    for name in plugins {
        fs::copy(plugins_dir().join(format!("{name}.wasm")), into.join(format!("{name}.wasm"))).unwrap();
    }
    fs::write(dir.path().join("alertmanager.yml"), ROUTING.replace("SINK", &sink.url("slack"))).unwrap();
    let toml = format!(
        "[global]\nscrape_interval = \"1s\"\nevaluation_interval = \"1s\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [alerting]\nconfig = \"alertmanager.yml\"\n\
         [[collector]]\nname = \"disks\"\nplugin = \"app\"\nscrape_interval = \"1s\"\ntargets = [{:?}]\n{rest}",
        page.address()
    );
    fs::write(dir.path().join("watchglass.toml"), toml).unwrap();
    dir
}

fn start(dir: &Path) -> Daemon {
    Daemon::start(dir, &["--config", dir.join("watchglass.toml").to_str().unwrap()])
}

/// The group of a rule plugin, as `/api/v1/rules` shows it, with its one rule.
fn rule(daemon: &Daemon, group: &str) -> Result<Value, String> {
    let groups = daemon.api("/api/v1/rules")?;
    let all = groups["groups"].as_array().cloned().unwrap_or_default();
    let found = all.into_iter().find(|g| g["name"] == group).ok_or_else(|| groups.to_string())?;
    let mut rule = found["rules"][0].clone();
    rule["group"] = json!({ "file": found["file"], "interval": found["interval"] });
    Ok(rule)
}

const DISK_FULL: &str = "
[[rule_plugin]]
name = \"disks\"
plugin = \"disk-full\"
interval = \"1s\"
labels = { team = \"ops\" }
[rule_plugin.config]
window = \"20s\"
step = \"1s\"
min_points = 8
for = \"2s\"
";

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;

/// Two disks of 100 GiB: /var has 10 GiB left and loses a MiB a second (less than three hours), /data has 30 and loses half as much (17 hours). When the flag is set
/// somebody has cleaned up.
fn disks(clean: Arc<AtomicBool>) -> Page {
    let began = Instant::now();
    Page::start(move || {
        let seconds = began.elapsed().as_secs_f64();
        let mut text =
            String::from("# TYPE node_filesystem_avail_bytes gauge\n# TYPE node_filesystem_size_bytes gauge\n");
        for (mountpoint, free, rate) in [("/var", 10.0, 1.0), ("/data", 30.0, 0.5)] {
            let free = if clean.load(Ordering::Relaxed) { 80.0 * GIB } else { free * GIB - rate * seconds * MIB };
            let labels = format!("device=\"/dev/sda\",fstype=\"ext4\",mountpoint=\"{mountpoint}\"");
            text.push_str(&format!("node_filesystem_avail_bytes{{{labels}}} {free}\n"));
            text.push_str(&format!("node_filesystem_size_bytes{{{labels}}} {}\n", 100.0 * GIB));
        }
        text
    })
}

/// The title and the text of a Slack message.
fn words(message: &watchglass_tests::Received) -> (String, String) {
    let attachment = &message.body["attachments"][0];
    let text = |key: &str| attachment[key].as_str().unwrap_or_default().to_owned();
    (text("title"), text("text"))
}

#[test]
fn a_disk_that_fills_from_sample_to_message() {
    let (clean, sink) = (Arc::new(AtomicBool::new(false)), Sink::start());
    let page = disks(Arc::clone(&clean));
    let dir = folder(&["app", "disk-full", "anomaly"], &sink, &page, DISK_FULL);
    let daemon = start(dir.path());

    // Grouped by severity; the lesser of /var is kept quiet by the greater, in the same group interval or in none.
    let told = sink.wait_for("critical is told", |m| words(m).0 == "firing critical");
    assert!(
        words(&told).1.starts_with("[/var] /var on 127.0.0.1:") && words(&told).1.contains(" will be full in 2h "),
        "{told:?}"
    );
    let told = sink.wait_for("the warning is told", |m| words(m).0 == "firing warning");
    assert!(words(&told).1.contains("[/data]") && !words(&told).1.contains("[/var]"), "{told:?}");

    // What the API says of it, and that it waited for its `for`.
    let shown = rule(&daemon, "disks").unwrap();
    assert_eq!(
        (&shown["health"], &shown["state"], &shown["type"]),
        (&json!("ok"), &json!("firing"), &json!("alerting")),
        "{shown}"
    );
    assert_eq!(shown["group"], json!({ "file": "disk-full.wasm", "interval": 1.0 }));
    assert_eq!(shown["alerts"].as_array().map(Vec::len), Some(3), "{shown}");
    let alerts = daemon.api("/api/v1/alerts").unwrap();
    let of = |alerts: &Value, mountpoint: &str, severity: &str| {
        let list = alerts["alerts"].as_array().cloned().unwrap_or_default();
        let fits = |a: &&Value| a["labels"]["mountpoint"] == mountpoint && a["labels"]["severity"] == severity;
        list.iter().find(fits).cloned().unwrap_or_else(|| panic!("no {mountpoint} {severity}: {alerts}"))
    };
    let var = of(&alerts, "/var", "critical");
    assert_eq!((&var["labels"]["alertname"], &var["labels"]["team"]), (&json!("DiskFull"), &json!("ops")), "{var}");
    let since = var["activeAt"].clone();
    let pending = "count_over_time(ALERTS{alertstate=\"pending\",mountpoint=\"/var\",severity=\"critical\"}[5m])";
    assert!(eventually("it was pending", || daemon.number(pending)) >= 1.0);

    inhibition_and_silences_apply(&daemon);
    swaps(&daemon, dir.path(), &since);

    // Room was made.
    clean.store(true, Ordering::Relaxed);
    sink.wait_for("the end is told", |m| words(m).0 == "resolved critical");
    eventually("nothing is active", || match rule(&daemon, "disks")? {
        rule if rule["state"] == "inactive" => Ok(()),
        rule => Err(rule.to_string()),
    });
}

fn inhibition_and_silences_apply(daemon: &Daemon) {
    let alert = |mountpoint: &str, severity: &str| {
        let list: Value = serde_json::from_str(&daemon.get("/api/v2/alerts")?).map_err(|e| e.to_string())?;
        let fits = |a: &&Value| a["labels"]["mountpoint"] == mountpoint && a["labels"]["severity"] == severity;
        list.as_array().and_then(|l| l.iter().find(fits)).cloned().ok_or_else(|| list.to_string())
    };
    let warning = alert("/var", "warning").unwrap();
    assert_eq!(warning["status"]["state"], "suppressed", "{warning}");
    assert_eq!(warning["status"]["inhibitedBy"].as_array().map(Vec::len), Some(1), "{warning}");
    let silence = json!({
        "matchers": [{ "name": "mountpoint", "value": "/data", "isRegex": false, "isEqual": true }],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z", "createdBy": "test", "comment": "known",
    });
    let client = reqwest::blocking::Client::new();
    let made: Value =
        client.post(format!("{}/api/v2/silences", daemon.url())).json(&silence).send().unwrap().json().unwrap();
    eventually("/data is silenced", || match alert("/data", "warning")? {
        a if a["status"]["silencedBy"] == json!([made["silenceID"]]) => Ok(()),
        a => Err(a.to_string()),
    });
}

/// A component with a custom section more: the same to wasmtime, another file to us.
fn with_a_section(path: &Path, to: &Path) {
    let mut wasm = fs::read(path).unwrap();
    wasm.extend([0, 5, 4]);
    wasm.extend(b"note");
    fs::write(to.with_extension("new"), wasm).unwrap();
    fs::rename(to.with_extension("new"), to).unwrap();
}

/// A new version takes over its alerts; what is no plugin, or one that does not take the configuration, changes nothing.
fn swaps(daemon: &Daemon, dir: &Path, since: &Value) {
    let file = dir.join("plugins/disk-full.wasm");
    let logged = |daemon: &Daemon, words: &str| {
        eventually(words, || {
            let log = daemon.log().join("\n");
            if log.contains(words) { Ok(()) } else { Err(log) }
        });
    };
    let goes_on = |daemon: &Daemon| {
        let before = rule(daemon, "disks").unwrap()["lastEvaluation"].clone();
        eventually("it is evaluated again", || match rule(daemon, "disks")? {
            now if now["lastEvaluation"] != before && now["health"] == "ok" => Ok(()),
            now => Err(now.to_string()),
        });
        let now = rule(daemon, "disks").unwrap();
        let alerts = now["alerts"].as_array().unwrap();
        let var = alerts.iter().find(|a| a["labels"]["severity"] == "critical").unwrap_or_else(|| panic!("{now}"));
        assert_eq!((&var["activeAt"], &var["state"]), (since, &json!("firing")));
    };
    with_a_section(&plugins_dir().join("disk-full.wasm"), &file);
    logged(daemon, "the rule plugin was replaced");
    goes_on(daemon);
    fs::write(&file, "no plugin").unwrap();
    logged(daemon, "disk-full.wasm: ");
    goes_on(daemon);
    with_a_section(&plugins_dir().join("anomaly.wasm"), &file);
    logged(daemon, "it can't be used as it is now, the one before goes on");
    goes_on(daemon);
    let plugins = daemon.api("/api/v1/plugins").unwrap();
    let used = &plugins["plugins"].as_array().unwrap().iter().find(|p| p["name"] == "disk-full").unwrap()["rules"][0];
    assert_eq!((&used["name"], &used["state"]["state"]), (&json!("disks"), &json!("running")), "{used}");
    assert!(used["error"].as_str().is_some_and(|e| e.contains("window")), "{used}");
}

#[test]
fn a_rule_plugin_that_misbehaves_is_contained_and_named_and_the_others_go_on() {
    let (clean, sink) = (Arc::new(AtomicBool::new(false)), Sink::start());
    let page = disks(clean);
    let mut rest = DISK_FULL.to_owned();
    for deed in ["spin", "trap"] {
        rest.push_str(&format!(
            "[[rule_plugin]]\nname = \"{deed}\"\nplugin = \"puppet\"\ninterval = \"1s\"\ntimeout = \"300ms\"\nconfig = {{ do = \"{deed}\" }}\n"
        ));
    }
    rest.push_str("[[rule_plugin]]\nname = \"absent\"\nplugin = \"disk-ful\"\n");
    rest.push_str("[rules]\nfiles = [\"rules.yml\"]\n");
    let dir = folder(&["app", "disk-full"], &sink, &page, &rest);
    fs::write(dir.path().join("rules.yml"), "groups: [{name: g, rules: [{record: r, expr: vector(1)}]}]\n").unwrap();
    let file: PathBuf = dir.path().join("plugins/puppet.wasm");
    if !puppet("rule", env!("CARGO_TARGET_TMPDIR"), &file) {
        return skip("hostile rule plugins end to end", "rustup's wasm32-unknown-unknown target");
    }
    let daemon = start(dir.path());
    for (deed, words) in [("spin", &["no answer within", "cpu"][..]), ("trap", &["trap"])] {
        let named = eventually(&format!("{deed} is named"), || {
            let rule = rule(&daemon, deed)?;
            let error = rule["lastError"].as_str().unwrap_or_default();
            let named = rule["health"] == "err" && words.iter().any(|w| error.contains(w));
            if named { Ok(rule) } else { Err(rule.to_string()) }
        });
        assert_eq!(named["state"], "inactive");
        let metrics = daemon.get("/metrics").unwrap();
        let counted = |name: &str, label: String| {
            metrics.lines().any(|l| l.starts_with(name) && l.contains(&label) && !l.ends_with(" 0"))
        };
        assert!(counted("watchglass_plugin_failures_total", format!("rule_plugin=\"{deed}\"")), "{metrics}");
        assert!(
            counted("prometheus_rule_evaluation_failures_total", format!("rule_group=\"puppet.wasm;{deed}\"")),
            "{metrics}"
        );
    }
    // The others, on time: a turn a second, none left out.
    sink.wait_for("critical is told", |m| words(m).0 == "firing critical");
    eventually("a rule file's group goes on", || match daemon.number("count_over_time(r[10s])")? {
        n if n >= 9.0 => Ok(()),
        n => Err(format!("{n} turns in 10 s")),
    });
    assert_eq!(rule(&daemon, "disks").unwrap()["health"], "ok");
    let log = daemon.log().join("\n");
    assert!(log.contains("there is no `disk-ful.wasm`") && log.contains("did you mean `disk-full`?"), "{log}");

    // A rule that moves to another group goes on there; the series of one that is gone end, long before they would be too old.
    let rules = |groups: &str| fs::write(dir.path().join("rules.yml"), format!("groups: [{groups}]\n")).unwrap();
    rules("{name: moved, rules: [{record: r, expr: vector(2)}]}");
    eventually("the other group records it", || match daemon.number("r")? {
        2.0 => Ok(()),
        n => Err(n.to_string()),
    });
    rules("");
    eventually("its series ends", || match daemon.query("r")? {
        series if series.is_empty() => Ok(()),
        series => Err(format!("{series:?}")),
    });
}

#[test]
fn groups_are_evaluated_right_after_what_they_read_came_in() {
    let (down, sink) = (Arc::new(AtomicBool::new(false)), Sink::start());
    let value = Arc::clone(&down);
    let page = Page::start(move || format!("works {}\n", u8::from(!value.load(Ordering::Relaxed))));
    let rest = "[rules]\nfiles = [\"rules.yml\"]\nevaluate_after_scrape = true\n";
    let dir = folder(&["app"], &sink, &page, rest);
    // Their own turns are hours apart. One reads what is collected, one what that one records, one nothing of it.
    let rules = "groups:
      - {name: first, interval: 5h, rules: [{record: broken, expr: works == 0}]}
      - {name: second, interval: 5h, rules: [{alert: Broken, expr: broken, labels: {severity: critical}, annotations: {summary: broken}}]}
      - {name: other, interval: 5h, rules: [{record: r, expr: something_else}]}\n";
    fs::write(dir.path().join("rules.yml"), rules).unwrap();
    let daemon = start(dir.path());
    eventually("it is collected", || daemon.number("works"));
    assert!(sink.received().is_empty());
    down.store(true, Ordering::Relaxed);
    sink.wait_for("it is told", |m| words(m).0 == "firing critical");
    assert_eq!(rule(&daemon, "other").unwrap()["health"], "unknown", "what reads nothing of it waits for its turn");
    down.store(false, Ordering::Relaxed);
    sink.wait_for("the end is told", |m| words(m).0 == "resolved critical");
}
