//! How long it takes from a fault to Slack: never longer than `for` + scrape interval + evaluation interval + group_wait and two seconds
//! for all else; where groups are evaluated right after collections, without the evaluation interval.

use std::fs;
use std::path::Path;

use watchglass_tests::{App, Daemon, Sink, eventually, now_ms, plugins_dir};

/// Seconds of the configuration below.
const SCRAPE: i64 = 1;
const FOR: i64 = 2;
const GROUP_WAIT: i64 = 1;
/// What everything else may take.
const SLACK: i64 = 2;
/// A busy machine may be late once; it isn't three times.
const TRIES: usize = 3;

fn write_config(dir: &Path, app: &App, sink: &Sink, evaluation: i64, after_scrape: bool) {
    fs::create_dir(dir).unwrap();
    let rules = format!(
        "groups:\n- name: g\n  rules:\n  - {{alert: InstanceDown, expr: up == 0, for: {FOR}s, labels: {{severity: critical}}}}\n"
    );
    fs::write(dir.join("rules.yml"), rules).unwrap();
    let routing = format!(
        "route: {{receiver: ops, group_by: [alertname], group_wait: {GROUP_WAIT}s, group_interval: 1s}}\nreceivers:\n- name: ops\n  slack_configs: [{{api_url: '{}', channel: c, send_resolved: true}}]\n",
        sink.url("slack")
    );
    fs::write(dir.join("alertmanager.yml"), routing).unwrap();
    let toml = format!(
        "[global]\nscrape_interval = \"{SCRAPE}s\"\nevaluation_interval = \"{evaluation}s\"\n[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = {:?}\n\
         [rules]\nfiles = [\"rules.yml\"]\nevaluate_after_scrape = {after_scrape}\n[alerting]\nconfig = \"alertmanager.yml\"\n\
         [[collector]]\nname = \"app\"\nplugin = \"app\"\nscrape_interval = \"{SCRAPE}s\"\ntargets = [{:?}]\n",
        plugins_dir(),
        app.address()
    );
    fs::write(dir.join("watchglass.toml"), toml).unwrap();
}

/// Times from stopping the app to the request at Slack, ms, until one is within the bound, seconds.
fn within(evaluation: i64, after_scrape: bool, bound: i64) {
    let (mut app, sink, dir) = (App::start(), Sink::start(), tempfile::tempdir().unwrap());
    let dir = dir.path().join("d");
    write_config(&dir, &app, &sink, evaluation, after_scrape);
    let daemon = Daemon::start(&dir, &["--config", "watchglass.toml"]);
    let mut times = Vec::new();
    for _ in 0..TRIES {
        eventually("the app is up", || match daemon.number("up")? {
            1.0 => Ok(()),
            up => Err(up.to_string()),
        });
        eventually("no group is left", || {
            let groups = daemon.get("/api/v2/alerts/groups")?;
            if groups == "[]" { Ok(()) } else { Err(groups) }
        });
        let before = sink.received().len();
        app.stop();
        let stopped = now_ms();
        let told = eventually("Slack is told", || {
            let told = sink.received();
            let firing = told.iter().skip(before).find(|m| m.text.contains("FIRING"));
            firing.cloned().ok_or_else(|| format!("{told:?}"))
        });
        times.push(told.at - stopped);
        // Sooner than `for` and the group's wait would be a fault too.
        assert!(times.iter().all(|ms| *ms >= (FOR + GROUP_WAIT) * 1000), "{times:?}");
        if told.at - stopped <= bound * 1000 {
            println!(
                "evaluation every {evaluation} s, after collections: {after_scrape}: {times:?} ms, bound {bound} s"
            );
            return;
        }
        app.resume();
    }
    panic!(
        "evaluation every {evaluation} s, after collections: {after_scrape}: {times:?} ms, and the bound is {bound} s"
    );
}

#[test]
fn at_its_own_time() {
    within(1, false, FOR + SCRAPE + 1 + GROUP_WAIT + SLACK);
}

#[test]
fn right_after_the_collection() {
    // Ten times as long as all else: what waits for its own time comes too late.
    within(60, true, FOR + SCRAPE + GROUP_WAIT + SLACK);
}
