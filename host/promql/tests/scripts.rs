//! Runs PromQL test scripts: our own beside this file, and all of Prometheus' where they are at hand.

mod common;

use std::fs;
use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use watchglass_promql::script::{Options, run};

/// Evaluations that fail, as `file:line`, and why. One that passes must go.
const KNOWN_FAILURES: &[(&str, &str)] = &[];

fn main() {
    let mut trials = vec![];
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    collect(&own, "own", &mut trials);
    if let Some(dir) = common::conformance("promql") {
        collect(&dir, "conformance", &mut trials);
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn collect(dir: &Path, kind: &str, trials: &mut Vec<Trial>) {
    let mut files: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "test"));
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        trials.push(Trial::test(format!("{kind}/{name}"), move || script(&file, &name)));
    }
}

fn script(file: &Path, name: &str) -> Result<(), Failed> {
    let report = run(&fs::read_to_string(file)?, name, &Options::default());
    println!("{name}: {} passed, {} failed", report.passed, report.failed.len());
    let known: Vec<&(&str, &str)> = KNOWN_FAILURES
        .iter()
        .filter(|(place, _)| place.rsplit_once(':').is_some_and(|(file, _)| file == name))
        .collect();
    let mut problems = vec![];
    for failure in &report.failed {
        let place = format!("{name}:{}", failure.line);
        if !known.iter().any(|(known, _)| *known == place) {
            problems.push(failure.to_string());
        }
    }
    for (place, reason) in known {
        if !report.failed.iter().any(|f| format!("{name}:{}", f.line) == *place) {
            problems.push(format!("{place} passes now, though it is listed as a known failure: {reason}"));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => {
            Err(format!("{} of {}:\n{}", problems.len(), report.passed + report.failed.len(), problems.join("\n"))
                .into())
        }
    }
}
