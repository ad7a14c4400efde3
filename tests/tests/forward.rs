//! Alerts handed on to another Alertmanager: what is sent, that it is sent again, and how an end is told.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use watchglass_tests::{Daemon, Page, Received, Sink, eventually, plugins_dir};

/// The one alert of a request.
fn alert(request: &Received) -> Value {
    assert_eq!(request.path, "prefix/api/v2/alerts");
    let list = request.body.as_array().unwrap_or_else(|| panic!("no list: {request:?}"));
    assert_eq!(list.len(), 1, "{request:?}");
    list[0].clone()
}

/// RFC 3339 times of one zone and length sort as texts.
fn time(alert: &Value, key: &str) -> String {
    alert[key].as_str().unwrap_or_else(|| panic!("no {key}: {alert}")).to_owned()
}

#[test]
fn another_alertmanager_is_told_again_and_again_and_of_the_end() {
    let (works, sink) = (Arc::new(AtomicBool::new(false)), Sink::start());
    let value = Arc::clone(&works);
    let page = Page::start(move || format!("works {}\n", u8::from(value.load(Ordering::Relaxed))));
    let dir = tempfile::tempdir().unwrap();
    let rules = "groups: [{name: g, rules: [{alert: Broken, expr: works == 0, labels: {severity: page}, annotations: {summary: 'it is {{ $value }}'}}]}]\n";
    fs::write(dir.path().join("rules.yml"), rules).unwrap();
    let toml = format!(
        "[global]\nscrape_interval = \"1s\"\nevaluation_interval = \"1s\"\nexternal_labels = {{ env = \"test\" }}\n\
         [web]\nlisten = \"127.0.0.1:0\"\nexternal_url = \"http://w.example/\"\n[plugins]\ndir = {:?}\n\
         [rules]\nfiles = [\"rules.yml\"]\nresend_delay = \"2s\"\n[alerting]\nforward = [{:?}]\n\
         [[collector]]\nname = \"job\"\nplugin = \"app\"\nscrape_interval = \"1s\"\ntargets = [{:?}]\n",
        plugins_dir(),
        sink.url("prefix"),
        page.address(),
    );
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, toml).unwrap();
    let daemon = Daemon::start(dir.path(), &["--config", config.to_str().unwrap()]);

    eventually("it is told three times", || match sink.received().len() {
        n if n >= 3 => Ok(()),
        n => Err(format!("{n} requests")),
    });
    let told: Vec<Value> = sink.received().iter().map(alert).collect();
    let labels =
        json!({ "alertname": "Broken", "env": "test", "instance": page.address(), "job": "job", "severity": "page" });
    for alert in &told {
        assert_eq!((&alert["labels"], &alert["annotations"]), (&labels, &json!({ "summary": "it is 0" })), "{alert}");
        assert_eq!(alert["generatorURL"], "http://w.example/graph?g0.expr=works+%3D%3D+0&g0.tab=1");
        assert_eq!(time(alert, "startsAt"), time(&told[0], "startsAt"));
        // Good for four times the resend delay: it ends by itself where nobody speaks of it any more.
        assert!(time(alert, "endsAt") > time(alert, "startsAt"), "{alert}");
    }
    assert!(time(&told[2], "endsAt") > time(&told[0], "endsAt"), "each says anew how long it is good for: {told:#?}");

    works.store(true, Ordering::Relaxed);
    eventually("the end is told", || {
        let ends: Vec<String> = sink.received().iter().map(alert).map(|a| time(&a, "endsAt")).collect();
        // One that has been, not one to come: earlier than what was promised before.
        let (last, promised) =
            (ends.last().cloned().unwrap_or_default(), ends.iter().max().cloned().unwrap_or_default());
        if last < promised { Ok(()) } else { Err(format!("{ends:?}")) }
    });
    assert!(eventually("the alert is over", || daemon.query("ALERTS{alertname=\"Broken\"}")).is_empty());
}
