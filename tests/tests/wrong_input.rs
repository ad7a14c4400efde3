//! Wrong input of each kind: one clear message that names the file, the line and the way out; nothing else stops.

use std::fs;
use std::process::Command;

use watchglass_tests::{Daemon, eventually, plugins_dir, watchglass};

/// Runs a command, gives its exit code and all that it printed.
fn output(dir: &std::path::Path, args: &[&str]) -> (i32, String) {
    let out = Command::new(watchglass()).args(args).current_dir(dir).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().unwrap_or(-1), text)
}

fn check(config: &str, wanted: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("watchglass.toml"), config).unwrap();
    fs::write(
        dir.path().join("bad.yml"),
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: rat(up[5m]) > 0\n",
    )
    .unwrap();
    fs::write(dir.path().join("am.yml"), "route:\n  receiver: nobody\nreceivers:\n  - name: somebody\n").unwrap();
    let (code, text) = output(dir.path(), &["check", "config"]);
    assert_eq!(code, 1, "{text}");
    for words in wanted {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
}

#[test]
fn an_unknown_key() {
    check("[global]\nscrape_intervall = \"15s\"\n", &["watchglass.toml:2", "scrape_intervall", "scrape_interval`"]);
}

#[test]
fn a_wrong_duration() {
    check("[global]\nscrape_interval = \"15 seconds\"\n", &["watchglass.toml:2", "15 seconds", "15s"]);
}

#[test]
fn a_bad_rule_expression() {
    check("[rules]\nfiles = [\"bad.yml\"]\n", &["bad.yml:5", "rat"]);
}

#[test]
fn a_route_to_nobody() {
    check("[alerting]\nconfig = \"am.yml\"\n", &["am.yml", "nobody"]);
}

#[test]
fn a_grant_that_is_none() {
    check(
        "[[collector]]\nplugin = \"node\"\ngrants = [\"file:/proc\"]\n",
        &["watchglass.toml:", "file:/proc", "files"],
    );
}

#[test]
fn a_secret_in_plain_is_refused_and_not_shown() {
    let config = "[[collector]]\nplugin = \"app\"\ntargets = [\"a:1\"]\nbasic_auth = { username = \"u\", password = \"hunter2\" }\n";
    check(config, &["watchglass.toml:1", "`password` is none of env:NAME, file:PATH and secret:NAME", "hint:"]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("watchglass.toml"), config).unwrap();
    assert!(!output(dir.path(), &["check", "config"]).1.contains("hunter2"));
    let unknown = "[[collector]]\nplugin = \"app\"\nbearer_token = \"secret:tok\"\n";
    check(unknown, &["watchglass.toml:1", "there is no secret `tok` in [secrets]"]);
}

#[test]
fn options_and_grants_that_a_plugin_does_not_take() {
    let plugins = format!("[plugins]\ndir = \"{}\"\n", plugins_dir().display());
    let with = |rest: &str| format!("{plugins}[[collector]]\n{rest}\n");
    check(
        &with("plugin = \"node\"\ngrants = [\"files:/proc\", \"files:/sys\"]\n[collector.config]\nenabel = [\"cpu\"]"),
        &["watchglass.toml:3", "enabel"],
    );
    check(&with("plugin = \"node\""), &["watchglass.toml:3", "files:/proc"]);
    check(
        &with("plugin = \"redis\"\ntargets = [\"a:1\"]\nfollow_redirects = false"),
        &["watchglass.toml:3", "has no option `follow_redirects`"],
    );
}

#[test]
fn a_port_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = output(dir.path(), &["run", "--listen", &address]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains(&address) && text.contains("hint:"), "{text}");
    assert!(!dir.path().join("data").exists(), "nothing was begun");
}

#[test]
fn a_file_that_is_no_component_and_a_missing_grant_stop_only_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::copy(plugins_dir().join("node.wasm"), plugins.join("node.wasm")).unwrap();
    fs::write(plugins.join("broken.wasm"), b"not wasm at all").unwrap();
    // A core module is not a component.
    fs::write(plugins.join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let toml = "[web]\nlisten = \"127.0.0.1:0\"\n[global]\nscrape_interval = \"1s\"\n[[collector]]\nplugin = \"node\"\ngrants = [\"files:/proc\", \"files:/sys\", \"system:disk-usage\"]\n[[collector]]\nname = \"poor\"\nplugin = \"node\"\n[[collector]]\nplugin = \"broken\"\n[[collector]]\nplugin = \"absent\"\n";
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, toml).unwrap();
    let daemon = Daemon::start(dir.path(), &["--config", config.to_str().unwrap()]);
    eventually("node goes on", || daemon.number("up{job=\"node\"} == 1"));
    let targets = daemon.api("/api/v1/targets").unwrap();
    let error = |pool: &str| {
        let target = targets["activeTargets"].as_array().unwrap().iter().find(|t| t["scrapePool"] == pool);
        target.map(|t| t["lastError"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    assert!(
        error("poor").contains("grants = [") && error("poor").contains("files:/proc"),
        "the exact line: {}",
        error("poor")
    );
    assert!(error("broken").contains("broken.wasm"), "{}", error("broken"));
    assert!(error("absent").contains("absent.wasm"), "{}", error("absent"));
    let (code, text) = output(dir.path(), &["plugin", "inspect", "plugins/module.wasm"]);
    assert!(code == 1 && text.contains("module.wasm") && text.contains("component"), "{text}");
}

#[test]
fn a_bad_reload_keeps_the_old_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, "[web]\nlisten = \"127.0.0.1:0\"\n[global.external_labels]\nenv = \"a\"\n").unwrap();
    let daemon = Daemon::start(dir.path(), &["--config", config.to_str().unwrap()]);
    fs::write(&config, "[web]\nlisten = \"127.0.0.1:0\"\n[global.external_labels]\nenv = 3\n").unwrap();
    let client = reqwest::blocking::Client::new();
    let answer = client.post(format!("{}/-/reload", daemon.url())).send().unwrap();
    assert_eq!(answer.status(), 500);
    assert!(answer.text().unwrap().contains("watchglass.toml:4"));
    assert!(daemon.get("/api/v1/status/config").unwrap().contains("env = \\\"a\\\""));
    fs::write(&config, "[web]\nlisten = \"127.0.0.1:0\"\n[global.external_labels]\nenv = \"b\"\n").unwrap();
    // Nobody asks: a changed file is seen by itself.
    eventually("the new file is in force", || {
        let text = daemon.get("/api/v1/status/config")?;
        if text.contains("env = \\\"b\\\"") { Ok(()) } else { Err(text) }
    });
}

#[test]
fn receivers_that_cannot_be_sent_to_yet() {
    let dir = tempfile::tempdir().unwrap();
    let write = |routed: bool| {
        let receiver = if routed { "pager" } else { "none" };
        let text = format!(
            "route: {{receiver: none, routes: [{{receiver: {receiver}}}]}}\nreceivers: [{{name: none}}, {{name: pager, pagerduty_configs: [{{routing_key: k}}]}}]\n"
        );
        fs::write(dir.path().join("alertmanager.yml"), text).unwrap();
    };
    fs::create_dir(dir.path().join("plugins")).unwrap();
    let toml =
        "[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = \"plugins\"\n[alerting]\nconfig = \"alertmanager.yml\"\n";
    fs::write(dir.path().join("watchglass.toml"), toml).unwrap();

    write(true);
    let (code, text) = output(dir.path(), &["check", "config"]);
    assert!(
        code == 0
            && text.contains("warning: receiver `pager` has pagerduty_configs")
            && text.contains("`run` will refuse"),
        "{text}"
    );
    let (code, text) = output(dir.path(), &["run", "--config", "watchglass.toml"]);
    assert!(
        code == 1 && text.contains("a route leads to receiver `pager`") && text.contains("hint: "),
        "{code}: {text}"
    );

    write(false);
    let (code, text) = output(dir.path(), &["check", "config"]);
    assert!(code == 0 && text.contains("no route leads to it"), "{text}");
    let daemon = Daemon::start(dir.path(), &["--config", "watchglass.toml"]);
    write(true);
    let answer = reqwest::blocking::Client::new().post(format!("{}/-/reload", daemon.url())).send().unwrap();
    assert_eq!(answer.status(), 500);
    assert!(answer.text().unwrap().contains("receiver `pager`"));
    assert!(!daemon.get("/api/v2/status").unwrap().contains("receiver: pager"), "the configuration before goes on");
}
