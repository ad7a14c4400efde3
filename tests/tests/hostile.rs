//! A plugin that loops, one that eats memory, one that traps: each is contained and named, and the others go on, on time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use watchglass_tests::{Daemon, eventually, plugins_dir, root, skip};

/// Builds the plugin host's own test plugin, which does what a target's parameter `do` says.
fn puppet(dir: &Path) -> Option<PathBuf> {
    let output = |args: &[&str]| {
        let out = Command::new("rustc").args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let lib = PathBuf::from(output(&["--print", "sysroot"])?).join("lib/rustlib");
    let bin = lib.join(output(&["--print", "host-tuple"])?).join("bin");
    if !lib.join("wasm32-unknown-unknown").is_dir() {
        return None;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("puppet");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--manifest-path"])
        .arg(root().join("host/plugin/tests/puppet/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", bin.join("wasm-component-ld"))
        .env("RUSTFLAGS", format!("-Clink-arg=--wasm-ld-path={}", bin.join("gcc-ld/wasm-ld").display()))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    assert!(status.is_ok_and(|s| s.success()), "building the puppet plugin failed");
    let mut wasm = fs::read(target.join("wasm32-unknown-unknown/release/puppet.wasm")).ok()?;
    // How it describes itself is a text in the file.
    let at = wasm.windows(12).position(|w| w == b"PUPPET-MODE=")? + 12;
    wasm[at..at + 36].copy_from_slice(format!("{:<36}", "good").as_bytes());
    let path = dir.join("puppet.wasm");
    fs::write(&path, wasm).ok()?;
    Some(path)
}

#[test]
fn what_misbehaves_is_contained_and_named_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    if puppet(&plugins).is_none() {
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
