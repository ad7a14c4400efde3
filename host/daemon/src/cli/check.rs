//! `watchglass check`: files, without running anything.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use watchglass_plugin::{Host, HostOptions};
use watchglass_promql::ParserOptions;

use super::{Failure, print};
use crate::collector_plan::plan;
use crate::config::Config;
use crate::daemon::{Overrides, load};
use crate::rule_plugins;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Checks watchglass.toml and everything that it names.
    Config {
        /// The file.
        #[arg(default_value = "watchglass.toml")]
        file: PathBuf,
    },
    /// Checks rule files of Prometheus.
    Rules {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Checks an alertmanager.yml.
    Alertmanager {
        /// The file.
        file: PathBuf,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Config { file } => config(&file),
        Command::Rules { files } => rules(&files),
        Command::Alertmanager { file } => {
            let shown = file.display().to_string();
            let text =
                std::fs::read_to_string(&file).map_err(|e| Failure::Bad(format!("{shown}: cannot be read: {e}")))?;
            let config = watchglass_notify::config::AlertmanagerConfig::parse(&text, &shown)
                .map_err(|e| Failure::Bad(e.to_string()))?;
            print(&format!("{shown}: fine, {} receivers\n", config.receivers.len()));
            warn_of_receivers(&config);
            Ok(())
        }
    }
}

fn warn_of_receivers(config: &watchglass_notify::config::AlertmanagerConfig) {
    for (receiver, kind) in config.unsupported_receivers_unreached() {
        eprintln!("warning: receiver `{receiver}` has {kind}_configs, which are not sent to yet; no route leads to it");
    }
    for (receiver, kind) in config.unsupported_receivers_reached_by_routes() {
        eprintln!(
            "warning: receiver `{receiver}` has {kind}_configs, which are not sent to yet; `run` will refuse this file, because a route leads to it"
        );
    }
}

fn config(file: &std::path::Path) -> Result<(), Failure> {
    let loaded = load(Some(file), &Overrides::default()).map_err(|e| Failure::Bad(e.to_string()))?;
    warn_of_receivers(&loaded.alertmanager);
    let problems = super::runtime()?.block_on(collectors(&loaded.config))?;
    if !problems.is_empty() {
        return Err(Failure::Bad(problems.join("\n")));
    }
    let rules: usize = loaded.groups.iter().map(|g| g.rules.len()).sum();
    print(&format!(
        "{}: fine, {} collectors, {rules} rules in {} groups, {} receivers\n",
        file.display(),
        loaded.config.file.collector.len(),
        loaded.groups.len(),
        loaded.alertmanager.receivers.len()
    ));
    Ok(())
}

fn rules(files: &[PathBuf]) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for file in files {
        let shown = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) => {
                errors.push(format!("{shown}: cannot be read: {e}"));
                continue;
            }
        };
        // Whether `[query]` switches anything on is not known here: what needs a switch is let through.
        let parser =
            ParserOptions { experimental_functions: true, extended_range_selectors: true, fill_modifiers: true };
        match watchglass_rules::parse_rule_file(&text, &shown, parser) {
            Ok(found) => {
                found.warnings.iter().for_each(|w| eprintln!("warning: {w}"));
                let rules: usize = found.groups.iter().map(|g| g.rules.len()).sum();
                print(&format!("{shown}: fine, {rules} rules\n"));
            }
            Err(found) => errors.extend(found.into_iter().map(|e| e.to_string())),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Bad(errors.join("\n"))) }
}

/// Asks each collector's plugin whether it takes its options and has its grants; gives what is wrong. A plugin that is not there is warned of:
/// a configuration may be checked elsewhere than it runs.
async fn collectors(config: &Config) -> anyhow::Result<Vec<String>> {
    let host = Host::new(HostOptions::new(config.cache_dir()))?;
    let (dir, file) = (config.plugins_dir(), &config.file.collector);
    let (mut loaded, mut problems) = (Vec::new(), Vec::new());
    for name in file.iter().map(|e| &e.value.plugin).collect::<BTreeSet<_>>() {
        let path = dir.join(format!("{name}.wasm"));
        if !path.is_file() {
            eprintln!("warning: there is no {}; its options and grants were not checked", path.display());
            continue;
        }
        match host.load(&path).await {
            Ok(plugin) => loaded.push(plugin),
            Err(e) => problems.push(e.to_string()),
        }
    }
    // The entries of the file come first, each in its place.
    for (entry, plan) in file.iter().zip(plan(config, &loaded)) {
        let Some(plugin) = loaded.iter().find(|p| p.file_stem() == entry.value.plugin) else { continue };
        let made = match plan.spec(plugin) {
            Ok(spec) => host.collector(Arc::clone(plugin), spec).await.map(drop).map_err(|e| e.to_string()),
            Err(e) => Err(e),
        };
        if let Err(e) = made {
            problems.push(config.at(entry, format!("collector `{}`: {e}", entry.value.job())).to_string());
        }
    }
    for entry in config.file.rule_plugin.iter().map(|e| &e.value) {
        let path = dir.join(format!("{}.wasm", entry.plugin));
        if !path.is_file() {
            eprintln!("warning: there is no {}; its options were not checked", path.display());
        } else if let Err(e) = rule_plugins::one(entry, &dir, &host).await {
            problems.push(e);
        }
    }
    Ok(problems)
}
