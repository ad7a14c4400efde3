//! Recorded machines, each a folder: `tree.txt` (its files), `docker.txt` (its engine's answers, if any), `config.json`, and `expected.txt`,
//! what two collections, 15 seconds apart, give in the second. `UPDATE_EXPECT=1` writes the last anew.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use std::path::Path;
use support::{Answers, Fixed, collect, config, unpack};
use watchglass_plugin_cadvisor::Memory;

const NOW_MS: i64 = 1_700_000_100_000;

#[test]
fn recorded_machines_give_what_is_expected() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut cases: Vec<_> = std::fs::read_dir(&fixtures).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 3, "{cases:?}");
    for case in cases {
        let read = |name: &str| std::fs::read_to_string(case.join(name));
        let temp = tempfile::tempdir().unwrap();
        unpack(&read("tree.txt").unwrap(), temp.path());
        let answers = read("docker.txt").map(|t| Answers::parse(&t)).unwrap_or_default();
        let own = read("config.json").map_or_else(|_| serde_json::json!({}), |t| serde_json::from_str(&t).unwrap());
        let config = config(temp.path(), own);
        let mut memory = Memory::default();
        collect(&Fixed, &answers, &config, &mut memory, NOW_MS - 15_000);
        let outcome = collect(&Fixed, &answers, &config, &mut memory, NOW_MS);
        let text = outcome.batch.to_text().replace(&*temp.path().to_string_lossy(), "");
        let problems: String = outcome.problems.iter().map(|(w, e)| format!("# {w}: {}\n", e.message())).collect();
        let text = format!("{text}{problems}");
        let expected = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expected, &text).unwrap();
            continue;
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        let differing = wanted.lines().zip(text.lines()).find(|(a, b)| a != b);
        assert!(
            wanted == text,
            "{}: {} lines, expected {}; the first difference: {differing:?}\nhint: UPDATE_EXPECT=1 writes it anew",
            case.display(),
            text.lines().count(),
            wanted.lines().count()
        );
    }
}
