//! `watchglass test`: rule unit tests in promtool's format, and Prometheus' own PromQL scripts.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use watchglass_plugin::{Host, HostOptions};
use watchglass_promql::{ParserOptions, script};
use watchglass_rules::{Timing, unittest};

use super::{Failure, print};
use crate::config::Config;
use crate::rule_plugins;

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
        /// A watchglass.toml whose rule plugins are evaluated too: `alert_rule_test` sees their alerts. Nothing else of it counts.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The folder of plugins, in place of that of the configuration.
        #[arg(long, value_name = "DIR", requires = "config")]
        plugins: Option<PathBuf>,
        /// The test files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Promql { files } => promql(&files),
        Command::Rules { config, plugins, files } => rules(config.as_deref(), plugins.as_deref(), &files),
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

fn rules(config: Option<&Path>, plugins: Option<&Path>, files: &[PathBuf]) -> Result<(), Failure> {
    let mut failed = 0;
    // Before the rules that hold on to it, so that it ends after them.
    let runtime = super::runtime()?;
    let rule_plugins = match config {
        None => Vec::new(),
        Some(path) => {
            let config = Config::load(Some(path)).map_err(|e| Failure::Bad(e.to_string()))?;
            let host = Host::new(HostOptions::new(config.cache_dir())).map_err(anyhow::Error::from)?;
            runtime.block_on(rule_plugins::alone(&config, plugins, &host)).map_err(Failure::Bad)?
        }
    };
    let external = || rule_plugins.iter().map(|rule| rule.group(Timing::default())).collect();
    let options = unittest::Options { parser: ParserOptions::all(), engine: watchglass_promql::Options::default() };
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| anyhow::anyhow!("{shown}: cannot be read: {e}"))?;
        let dir = file.parent().unwrap_or(Path::new(""));
        // Rule files are named relative to the test file, with patterns.
        let mut load = |pattern: &str| read_rule_files(dir, pattern);
        let report = unittest::run(&text, &shown, &mut load, &external, &options);
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
fn read_rule_files(dir: &Path, pattern: &str) -> Result<Vec<(String, String)>, String> {
    let read = |path: PathBuf| {
        let shown = path.display().to_string();
        std::fs::read_to_string(&path)
            .map(|text| (shown.clone(), text))
            .map_err(|e| format!("{shown}: cannot be read: {e}"))
    };
    crate::config::expand(dir, std::slice::from_ref(&pattern.to_owned())).into_iter().map(read).collect()
}
