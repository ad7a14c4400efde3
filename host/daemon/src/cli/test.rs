//! `watchglass test`: rule unit tests in promtool's format, and Prometheus' own PromQL scripts.

use std::path::PathBuf;

use clap::Subcommand;
use watchglass_promql::{ParserOptions, script};
use watchglass_rules::unittest;

use super::{Failure, print};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs PromQL test scripts; the last line says how many evaluations passed and failed.
    Promql {
        /// The scripts.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Runs unit tests of rules, written for promtool.
    Rules {
        /// The test files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Promql { files } => promql(&files),
        Command::Rules { files } => rules(&files),
    }
}

fn promql(files: &[PathBuf]) -> Result<(), Failure> {
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| anyhow::anyhow!("{shown}: cannot be read: {e}"))?;
        let report = script::run(&text, &shown, &script::Options::default());
        for failure in &report.failed {
            print(&format!("{failure}\n"));
        }
        print(&format!("{shown}: {} passed, {} failed\n", report.passed, report.failed.len()));
        passed += report.passed;
        failed += report.failed.len();
    }
    print(&format!("{passed} passed, {failed} failed\n"));
    if failed == 0 { Ok(()) } else { Err(Failure::Bad(String::new())) }
}

fn rules(files: &[PathBuf]) -> Result<(), Failure> {
    let mut failed = 0;
    let options = unittest::Options { parser: ParserOptions::all(), engine: watchglass_promql::Options::default() };
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| anyhow::anyhow!("{shown}: cannot be read: {e}"))?;
        let dir = file.parent().unwrap_or(std::path::Path::new(""));
        // Rule files are named relative to the test file, with patterns.
        let mut load = |pattern: &str| read_rule_files(dir, pattern);
        let report = unittest::run(&text, &shown, &mut load, &options);
        if report.is_ok() {
            print(&format!("{shown}: SUCCESS\n"));
            continue;
        }
        failed += 1;
        print(&format!("{shown}: FAILED\n"));
        report.errors.iter().for_each(|e| print(&format!("  {e}\n")));
        for test in report.tests.iter().filter(|t| !t.failures.is_empty()) {
            print(&format!("  {shown}:{} {}\n", test.line, test.name));
            test.failures.iter().for_each(|f| print(&format!("    {}\n", f.replace('\n', "\n    "))));
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Bad(format!("{failed} of {} files failed", files.len()))) }
}

/// The files that a pattern names, with their texts.
fn read_rule_files(dir: &std::path::Path, pattern: &str) -> Result<Vec<(String, String)>, String> {
    let read = |path: PathBuf| {
        let shown = path.display().to_string();
        std::fs::read_to_string(&path)
            .map(|text| (shown.clone(), text))
            .map_err(|e| format!("{shown}: cannot be read: {e}"))
    };
    crate::config::expand(dir, std::slice::from_ref(&pattern.to_owned())).into_iter().map(read).collect()
}
