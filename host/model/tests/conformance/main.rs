//! Cases that other projects wrote, read from the conformance folder; skipped, loudly, where it isn't there.

mod durations;
mod exposition;
mod label_regex;

use std::path::PathBuf;

/// The folder of this name, from `WATCHGLASS_CONFORMANCE` or beside the repository. `None` says that the test was skipped, which
/// fails where CI=true.
fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WATCHGLASS_CONFORMANCE")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"));
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "conformance data `{}` is missing", folder.display());
    println!("SKIPPED: no conformance data at {}", folder.display());
    None
}

/// A JSON file of a conformance folder.
fn json(name: &str, file: &str) -> Option<serde_json::Value> {
    let text = std::fs::read(folder(name)?.join(file)).expect("a file of the conformance folder");
    Some(serde_json::from_slice(&text).expect("JSON"))
}

/// Fails with the list of what went wrong.
fn report(what: &str, passed: usize, failed: &[String]) {
    println!("{what}: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{what}:\n{}", failed.join("\n"));
    assert!(passed > 0, "{what}: no case was found");
}
/// As [`report`], where some cases are known to fail, each with its reason. One that passes must leave the list.
fn report_known(what: &str, results: Vec<(String, Result<(), String>)>, known: &[(&str, &str)]) {
    let is_known = |name: &str| known.iter().any(|(k, _)| *k == name);
    let mut failed: Vec<String> = Vec::new();
    let mut passed = 0;
    for (name, result) in &results {
        match result {
            Ok(()) if is_known(name) => {
                failed.push(format!("{name}: passes now; take it off the list of known failures"))
            }
            Ok(()) => passed += 1,
            Err(_) if is_known(name) => {}
            Err(why) => failed.push(format!("{name}: {why}")),
        }
    }
    failed.extend(
        known
            .iter()
            .filter(|(name, _)| !results.iter().any(|(n, _)| n == name))
            .map(|(name, reason)| format!("{name} ({reason}): no such case")),
    );
    println!("{what}: {} known to fail", known.len());
    report(what, passed, &failed);
}
