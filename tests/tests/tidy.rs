//! The house rules that a machine can check: who may know whom, what pure crates may not do, and that every crate says what it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use watchglass_tests::root;

/// Which crates of ours a crate may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("host/model", &[]),
    ("host/text", &["model"]),
    ("host/store", &["model"]),
    ("host/promql", &["model"]),
    ("host/rules", &["model", "promql", "text"]),
    ("host/alerts", &["model"]),
    ("host/notify", &["model", "alerts", "text"]),
    ("host/targets", &["model", "text"]),
    ("host/plugin", &["model"]),
    ("plugins/sdk", &[]),
    ("plugins/anomaly", &["sdk"]),
    ("plugins/app", &["sdk"]),
    ("plugins/cadvisor", &["sdk"]),
    ("plugins/disk-full", &["sdk"]),
    ("plugins/node", &["sdk"]),
    ("plugins/redis", &["sdk"]),
];

/// Crates without clocks, threads and sockets: time is an argument there.
const PURE: &[&str] = &["host/model", "host/text", "host/promql", "host/rules", "host/alerts", "host/targets"];

/// The names after `watchglass-` under `[dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
    section
        .lines()
        .filter_map(|l| l.strip_prefix("watchglass-"))
        .map(|l| l.split(['.', ' ', '=']).next().unwrap_or_default().to_owned())
        .collect()
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn crates_know_only_whom_they_may() {
    for (dir, allowed) in EDGES {
        let manifest = fs::read_to_string(root().join(dir).join("Cargo.toml")).unwrap();
        for found in dependencies(&manifest) {
            assert!(allowed.contains(&found.as_str()), "{dir} must not know {found}; it may know {allowed:?}");
        }
    }
}

#[test]
fn pure_crates_ask_nobody_for_the_time() {
    for dir in PURE {
        for path in sources(&root().join(dir).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            for forbidden in ["SystemTime::now", "Instant::now", "std::thread", "TcpStream", "UdpSocket", "tokio"] {
                assert!(
                    !text.contains(forbidden),
                    "{}: `{forbidden}` in a pure crate; take it as an argument",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for group in ["host", "plugins"] {
        for entry in fs::read_dir(root().join(group)).unwrap().flatten() {
            let src = entry.path().join("src");
            let Some(main) = ["lib.rs", "main.rs"].iter().map(|f| src.join(f)).find(|p| p.is_file()) else { continue };
            let text = fs::read_to_string(&main).unwrap();
            assert!(
                text.starts_with("//!") && !text.contains("//! skeleton"),
                "{} does not say what it is",
                main.display()
            );
        }
    }
}

#[test]
fn unsafe_lives_where_it_is_argued() {
    let allowed = ["host/plugin/src", "host/store/src"];
    // The plugin that misbehaves in tests does so on purpose.
    for path in sources(&root().join("host")).into_iter().filter(|p| !p.to_string_lossy().contains("/puppet/")) {
        let text = fs::read_to_string(&path).unwrap();
        let uses = text
            .lines()
            .any(|l| l.trim_start().starts_with("unsafe ") || l.contains(" unsafe {") || l.contains("(unsafe {"));
        let shown = path.display().to_string();
        assert!(!uses || allowed.iter().any(|a| shown.contains(a)), "{shown}: unsafe outside {allowed:?}");
        assert!(!uses || text.contains("SAFETY") || text.contains("# Safety"), "{shown}: unsafe without its argument");
    }
}
