//! A plugin that loops, one that eats memory, one that traps: each is contained and named, and the others go on, on time.

use std::fs;

use watchglass_tests::{Daemon, eventually, plugins_dir, puppet, skip};

#[test]
fn what_misbehaves_is_contained_and_named_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    if !puppet("", env!("CARGO_TARGET_TMPDIR"), &plugins.join("puppet.wasm")) {
        return skip("hostile plugins end to end", "rustup's wasm32-unknown-unknown target");
    }
    fs::copy(plugins_dir().join("node.wasm"), plugins.join("node.wasm")).unwrap();
    let mut toml = String::from(
        "[web]\nlisten = \"127.0.0.1:0\"\n[global]\nscrape_interval = \"1s\"\n[[collector]]\nplugin = \"node\"\nscrape_interval = \"1s\"\n\
         grants = [\"files:/proc\", \"files:/sys\", \"system:disk-usage\"]\n",
    );
    for deed in ["spin", "eat", "trap"] {
        toml.push_str(&format!(
            "[[collector]]\nname = \"{deed}\"\nplugin = \"puppet\"\nscrape_interval = \"1s\"\nscrape_timeout = \"500ms\"\ntargets = [\"localhost:1\"]\nparams = {{ do = [\"{deed}\"] }}\n"
        ));
    }
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, toml).unwrap();
    let daemon = Daemon::start(dir.path(), &["--config", config.to_str().unwrap()]);

    // Each in the targets, with the reason.
    for (deed, words) in [("spin", &["no answer within", "cpu"][..]), ("eat", &["memory"]), ("trap", &["trap"])] {
        eventually(&format!("{deed} is named"), || {
            let targets = daemon.api("/api/v1/targets")?;
            let target = targets["activeTargets"]
                .as_array()
                .and_then(|all| all.iter().find(|t| t["scrapePool"] == deed))
                .cloned();
            let target = target.ok_or("not there yet")?;
            let error = target["lastError"].as_str().unwrap_or_default().to_owned();
            let named = target["health"] == "down" && words.iter().any(|w| error.contains(w));
            if named { Ok(()) } else { Err(target.to_string()) }
        });
        assert_eq!(daemon.number(&format!("up{{job=\"{deed}\"}}")).unwrap(), 0.0);
    }
    // And in the metrics, by reason.
    let metrics = daemon.get("/metrics").unwrap();
    for deed in ["spin", "eat", "trap"] {
        let counted =
            |l: &str| l.starts_with("watchglass_plugin_failures_total") && l.contains(&format!("collector=\"{deed}\""));
        assert!(metrics.lines().any(counted), "{deed} is not counted in:\n{metrics}");
    }
    // The other goes on, on time: a sample a second, none left out.
    eventually("node goes on", || match daemon.number("count_over_time(up{job=\"node\"}[10s])")? {
        n if n >= 9.0 => Ok(()),
        n => Err(format!("{n} collections in 10 s")),
    });
    assert_eq!(daemon.number("min_over_time(up{job=\"node\"}[10s])").unwrap(), 1.0);
}
