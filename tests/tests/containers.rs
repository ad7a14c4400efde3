//! Real containers: limited, unlimited, throttled, restarting, killed for want of memory; collected by the built plugin, with real grants.

use std::fs;
use std::path::Path;
use std::process::Command;

use watchglass_tests::{Daemon, Docker, eventually, plugins_dir, skip, watchglass};

fn write_config(dir: &Path, docker: &Docker) {
    let toml = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = {plugins:?}\n\
         [[collector]]\nname = \"cadvisor\"\nplugin = \"cadvisor\"\nscrape_interval = \"1s\"\n\
         grants = [\"files:/proc\", \"files:/sys\", \"system:disk-usage\", {socket:?}, {data:?}]\n\
         [collector.config]\ndocker = {host:?}\ndocker_only = true\nwhitelisted_container_labels = [\"com.docker.compose.service\"]\n",
        plugins = plugins_dir(),
        socket = format!("unix:{}", docker.socket().display()),
        data = format!("files:{}", docker.data().display()),
        host = format!("unix://{}", docker.socket().display()),
    );
    fs::write(dir.join("watchglass.toml"), toml).unwrap();
}

/// Waits until an expression gives a number that is as it must be.
#[track_caller]
fn becomes(daemon: &Daemon, expr: &str, right: impl Fn(f64) -> bool) -> f64 {
    eventually(expr, || match daemon.number(expr)? {
        value if right(value) => Ok(value),
        value => Err(format!("{value}")),
    })
}

#[test]
fn containers_are_collected_as_they_run_restart_and_die() {
    let docker = match Docker::start() {
        Ok(docker) => docker,
        Err(missing) => return skip("containers end to end", &missing),
    };
    let web = docker.container(
        &[
            "--name",
            "web",
            "--memory",
            "64m",
            "--cpus",
            "0.5",
            "--cpu-shares",
            "512",
            "--label",
            "com.docker.compose.service=shop",
            "--label",
            "secret=x",
        ],
        &format!("dd if=/dev/zero of=/tmp/big bs=1M count=3; ping -c 3 {}; sleep 600", docker.gateway()),
    );
    docker.container(&["--name", "burn", "--memory", "32m", "--cpus", "0.1"], "while :; do :; done");
    docker.container(&["--name", "free", "--health-cmd", "true", "--health-interval", "1s"], "sleep 600");
    docker.container(&["--name", "again", "--restart", "on-failure:3"], "exit 1");
    // The shell lives on, and so does its cgroup, which counts.
    docker.container(&["--name", "hungry", "--memory", "8m"], "dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 600");
    // Here the cgroup dies with the one process; the engine tells.
    docker.container(&["--name", "starved", "--memory", "8m"], "exec dd if=/dev/zero of=/dev/null bs=64M count=1");

    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &docker);
    let config = dir.path().join("watchglass.toml");
    let daemon = Daemon::start(dir.path(), &["--config", config.to_str().unwrap()]);

    becomes(&daemon, "up{job=\"cadvisor\"}", |v| v == 1.0);
    assert_eq!(daemon.number("container_scrape_error").unwrap(), 0.0);
    let id = format!("/docker/{web}");
    let labels = &eventually("web", || {
        let found = daemon.query("container_last_seen{name=\"web\"}")?;
        found.first().map(|s| s["metric"].clone()).ok_or(format!("{found:?}"))
    });
    assert!(labels["id"].as_str().is_some_and(|i| i.contains(&web)), "{labels} should be {id}");
    assert_eq!(
        (labels["image"].as_str(), labels["container_label_com_docker_compose_service"].as_str()),
        (Some("box:1"), Some("shop"))
    );
    assert!(!labels.to_string().contains("secret"), "labels are taken by allowlist: {labels}");

    for (expr, expected) in [
        ("container_spec_memory_limit_bytes{name=\"web\"}", 64.0 * 1024.0 * 1024.0),
        ("container_spec_memory_limit_bytes{name=\"free\"}", 0.0),
        ("container_spec_cpu_quota{name=\"web\"}", 50_000.0),
        ("container_spec_cpu_period{name=\"web\"}", 100_000.0),
        ("count(container_spec_cpu_quota{name=\"free\"}) or vector(0)", 0.0),
        ("container_health_state{name=\"web\"}", -1.0),
    ] {
        assert_eq!(daemon.number(expr), Ok(expected), "{expr}");
    }
    becomes(&daemon, "container_cpu_cfs_throttled_periods_total{name=\"burn\"}", |v| v > 0.0);
    becomes(&daemon, "container_cpu_cfs_throttled_seconds_total{name=\"burn\"}", |v| v > 0.0);
    becomes(&daemon, "sum(container_cpu_usage_seconds_total{name=\"burn\"})", |v| v > 0.05);
    becomes(&daemon, "container_memory_working_set_bytes{name=\"web\"}", |v| v > 0.0 && v < 64.0 * 1024.0 * 1024.0);
    becomes(&daemon, "container_health_state{name=\"free\"}", |v| v == 1.0);
    becomes(&daemon, "container_network_transmit_bytes_total{name=\"web\",interface=\"eth0\"}", |v| v > 100.0);
    becomes(&daemon, "container_network_receive_packets_total{name=\"web\",interface=\"eth0\"}", |v| v >= 3.0);
    becomes(&daemon, "container_restarts_total{name=\"again\"}", |v| v == 3.0);
    becomes(&daemon, "container_oom_events_total{name=\"hungry\"}", |v| v == 1.0);
    becomes(&daemon, "container_oom_events_total{name=\"starved\"}", |v| v == 1.0);
    let driver = docker.run(&["info", "--format", "{{.Driver}}"]).unwrap();
    if driver == "overlay2" {
        let usage = "container_fs_usage_bytes{name=\"web\"}";
        becomes(&daemon, usage, |v| (3.0 * 1024.0 * 1024.0..4.0 * 1024.0 * 1024.0).contains(&v));
        becomes(&daemon, "container_fs_usage_age_seconds{name=\"web\"}", |v| (0.0..=70.0).contains(&v));
        becomes(&daemon, "container_fs_limit_bytes{name=\"web\"}", |v| v > 1e6);
    } else {
        eprintln!("SKIPPED: layers of storage driver {driver}");
    }
    assert!(daemon.number("container_start_time_seconds{name=\"web\"}").unwrap() > 1.6e9);

    // A restarted container goes on under its name; a removed one ends.
    docker.run(&["restart", "--time", "0", "web"]).unwrap();
    docker.run(&["rm", "--force", "free"]).unwrap();
    eventually("the series of a removed container end", || match daemon.query("{name=\"free\"}")?.len() {
        0 => Ok(()),
        n => Err(format!("{n} series")),
    });
    becomes(&daemon, "container_last_seen{name=\"web\"}", |v| v > 0.0);

    by_identifier_alone(&web);
}

/// Without the socket a container is known by its cgroup.
#[track_caller]
fn by_identifier_alone(id: &str) {
    let run = Command::new(watchglass())
        .args(["plugin", "run", "--once", "--grant", "files:/proc", "--grant", "files:/sys"])
        .arg(plugins_dir().join("cadvisor.wasm"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    let line = text.lines().find(|l| l.starts_with("container_memory_usage_bytes{") && l.contains(id));
    let line = line.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&run.stderr)));
    assert!(!line.contains("name=") && !line.contains("image="), "{line}");
}
