//! Cases that other projects wrote, read from the conformance folder; skipped, loudly, where it isn't there.

use std::path::PathBuf;

use serde_json::Value as Json;
use watchglass_model::Labels;
use watchglass_targets::relabel::{Config, apply};

/// A JSON file of a conformance folder. `None` says that the test was skipped, which fails where CI=true.
fn json(folder: &str, file: &str) -> Option<Json> {
    let root = std::env::var_os("WATCHGLASS_CONFORMANCE")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"));
    let path = root.join(folder).join(file);
    if !path.is_file() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "conformance data `{}` is missing", path.display());
        println!("SKIPPED: no conformance data at {}", path.display());
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).expect("the file")).expect("JSON"))
}

fn report(what: &str, passed: usize, failed: &[String]) {
    println!("{what}: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty() && passed > 0, "{what}:\n{}", failed.join("\n"));
}

fn labels(value: &Json) -> Labels {
    let pairs = value.as_object().expect("labels").iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())))
}

#[test]
fn relabelling() {
    let Some(cases) = json("relabel", "relabel.json") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases.as_array().expect("a list") {
        let rules: Result<Vec<Config>, _> = serde_json::from_value(case["relabel"].clone());
        let got = rules.map(|rules| apply(&rules, &labels(&case["input"])));
        let expected = (case["drop"] != true).then(|| labels(&case["output"]));
        match got {
            Ok(got) if got == expected => passed += 1,
            other => failed.push(format!("{case}: {other:?}")),
        }
    }
    report("relabel", passed, &failed);
}

#[test]
fn validation() {
    let Some(cases) = json("relabel", "validate.json") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases.as_array().expect("a list") {
        // The cases have Go's field names; as a file they are in snake case.
        let mut config = serde_json::Map::new();
        for (name, value) in case["config"].as_object().expect("a config") {
            let key = name
                .char_indices()
                .flat_map(|(i, c)| [(i > 0 && c.is_uppercase()).then_some('_'), Some(c.to_ascii_lowercase())]);
            config.insert(key.flatten().collect(), value.clone());
        }
        // A structure whose action isn't set has an empty one.
        config.entry("action").or_insert_with(|| Json::from(""));
        let got =
            serde_json::from_value::<Config>(Json::Object(config)).err().map(|e| e.to_string()).unwrap_or_default();
        let expected = case["expected"].as_str().unwrap_or("");
        if (expected.is_empty() && got.is_empty()) || (!expected.is_empty() && got.contains(expected)) {
            passed += 1;
        } else {
            failed.push(format!("{case}: {got:?}"));
        }
    }
    report("relabel validation", passed, &failed);
}
