//! What a new user sees first: no config file, this machine's metrics, the alert that always fires.

use std::fs;

use watchglass_tests::{Daemon, eventually, plugins_dir};

/// A folder with a `plugins` folder in it that holds these of the built plugins.
fn folder(plugins: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    for name in plugins {
        fs::copy(plugins_dir().join(format!("{name}.wasm")), dir.path().join(format!("plugins/{name}.wasm"))).unwrap();
    }
    dir
}

#[test]
fn once_prints_metrics_and_an_alert_that_went_to_the_console() {
    let dir = folder(&["node", "app", "redis"]);
    let mut daemon = Daemon::spawn(dir.path(), &["--once", "--listen", "127.0.0.1:0"]);
    let status = daemon.wait();
    let log = eventually("the output ends with the alert", || {
        let log = daemon.log();
        if log.iter().any(|l| l.starts_with("# alert")) { Ok(log) } else { Err(log.join("\n")) }
    });
    assert!(status.success(), "{}", log.join("\n"));
    for wanted in
        ["node_cpu_seconds_total{", "node_memory_MemTotal_bytes{", "node_load1{", "node_filesystem_size_bytes{", "up{"]
    {
        assert!(log.iter().any(|l| l.starts_with(wanted)), "no {wanted} in:\n{}", log.join("\n"));
    }
    assert!(log.iter().any(|l| l.starts_with("# alert active") && l.contains("Watchdog")), "{}", log.join("\n"));
    assert!(log.iter().any(|l| l.contains("[[collector]]")), "the log says what runs, as TOML");
}

#[test]
fn without_its_file_a_plugin_gives_nothing_and_dropped_in_it_starts() {
    let dir = folder(&["node", "app"]);
    let daemon = Daemon::start(dir.path(), &["--listen", "127.0.0.1:0"]);
    eventually("node is collected", || daemon.number("count(node_cpu_seconds_total)"));
    let plugins = daemon.api("/api/v1/plugins").unwrap();
    let app = plugins["plugins"].as_array().unwrap().iter().find(|p| p["name"] == "app").unwrap();
    assert_eq!(app["waiting"], true, "{app}");
    assert!(app["suggestedConfig"].as_str().unwrap().contains("[[collector]]"), "{app}");

    // Taken away, its series end; put back, they go on.
    let (file, away) = (dir.path().join("plugins/node.wasm"), dir.path().join("node.wasm"));
    fs::rename(&file, &away).unwrap();
    eventually("the series end", || match daemon.query("node_load1") {
        Ok(series) if series.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    fs::rename(&away, &file).unwrap();
    eventually("the series go on", || daemon.number("node_load1"));
}

#[test]
fn a_second_start_compiles_nothing_and_a_crash_loses_nothing() {
    let dir = folder(&["node"]);
    let cache = dir.path().join("cache");
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, "[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ncache = \"cache\"\n[[collector]]\nplugin = \"node\"\nscrape_interval = \"1s\"\ngrants = [\"files:/proc\", \"files:/sys\", \"system:disk-usage\"]\n").unwrap();
    let args = ["--config", config.to_str().unwrap()];
    let mut daemon = Daemon::start(dir.path(), &args);
    let compiled = |daemon: &Daemon, from: &str| {
        daemon
            .get("/metrics")
            .unwrap()
            .lines()
            .any(|l| l.starts_with(&format!("watchglass_compiled_plugins_total{{from=\"{from}\"}}")))
    };
    assert!(compiled(&daemon, "compiler"));
    let count = eventually("samples come in", || daemon.number("count_over_time(node_load1[5m])"));
    daemon.kill();
    assert!(cache.is_dir());

    let daemon = Daemon::start(dir.path(), &args);
    assert!(compiled(&daemon, "cache") && !compiled(&daemon, "compiler"), "{}", daemon.get("/metrics").unwrap());
    let after = eventually("the samples are still there", || daemon.number("count_over_time(node_load1[5m])"));
    assert!(after >= count, "{after} of {count} samples");
}
