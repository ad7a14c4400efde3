//! Scenarios on a virtual clock: each file in `scenarios/` is a script with what comes out of it (see `harness`). A new scenario is a new
//! file; `UPDATE_EXPECT=1` writes what really comes out into the files.

mod harness;

use std::path::Path;

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder").map(|e| e.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 15, "only {} scenarios were found", files.len());
    let mut failures = Vec::new();
    for file in files {
        let script = std::fs::read_to_string(&file).expect("a script");
        let found = harness::run(&script);
        if found == script {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, found).expect("the file can be written");
        } else {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            failures.push(format!("{name} came out as\n{found}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
