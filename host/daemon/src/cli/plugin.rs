//! `watchglass plugin`: looks at plugins and runs them by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Subcommand;
use watchglass_model::SampleBatch;
use watchglass_model::exposition::{Family, parse_exposition, write_text};
use watchglass_plugin::{Call, CollectorSpec, Grant, Grants, Host, HostOptions, Kind, Limits, Plugin, Secrets, Target};

use super::{Failure, print};
use crate::config::{Config, references};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Says what a component is, what it imports, what it wants, and what would start it.
    Inspect {
        /// The component.
        file: PathBuf,
    },
    /// Runs a collector once and prints what it collects in the text format.
    Run {
        /// The component.
        file: PathBuf,
        /// Collects once; what this command does in any case.
        #[arg(long)]
        once: bool,
        /// TOML with what `[collector.config]` would hold.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// A grant, like `files:/proc`; may be given several times.
        #[arg(long, value_name = "GRANT")]
        grant: Vec<String>,
        /// A secret, as `NAME=env:VARIABLE` or `NAME=file:PATH`.
        #[arg(long, value_name = "SECRET")]
        secret: Vec<String>,
        /// What to collect from.
        #[arg(long, value_name = "ADDRESS")]
        target: Option<String>,
        /// A parameter of the target, as `NAME=VALUE`: `__metrics_path__=/m`, `__param_module=http_2xx`.
        #[arg(long, value_name = "PARAM")]
        param: Vec<String>,
        /// How long the collection may take.
        #[arg(long, default_value = "10s", value_name = "DURATION")]
        timeout: String,
    },
    /// Lists the plugins of a folder.
    List {
        /// The folder; without it, that of the defaults.
        dir: Option<PathBuf>,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let runtime = super::runtime()?;
    match command {
        Command::Inspect { file } => runtime.block_on(inspect(&file)),
        Command::Run { file, once: _, config, grant, secret, target, param, timeout } => {
            runtime.block_on(collect(&file, config.as_deref(), &grant, &secret, target, &param, &timeout))
        }
        Command::List { dir } => runtime.block_on(list(dir)),
    }
}

fn host() -> anyhow::Result<Host> {
    let config = Config::load(None).map_err(|e| anyhow!("{e}"))?;
    Ok(Host::new(HostOptions::new(config.cache_dir()))?)
}

async fn load(file: &Path) -> Result<(Host, Arc<Plugin>), Failure> {
    let host = host()?;
    let plugin = host.load(file).await.map_err(|e| Failure::Bad(e.to_string()))?;
    Ok((host, plugin))
}

async fn inspect(file: &Path) -> Result<(), Failure> {
    let (_, plugin) = load(file).await?;
    let m = &plugin.manifest;
    let kind = if plugin.kind == Kind::Collector { "collector" } else { "rule" };
    let mut out = format!(
        "{} {} ({kind})\n  {}\n  sha256 {}\n  {} bytes\n",
        m.name, m.version, m.summary, plugin.hash, plugin.size
    );
    out.push_str("imports (an upper bound of what it can do):\n");
    plugin.imports.iter().for_each(|i| out.push_str(&format!("  {i}\n")));
    if !m.wants.is_empty() {
        out.push_str("wants:\n");
        for want in &m.wants {
            let suggested = if want.suggested.is_empty() { "(yours to name)" } else { &want.suggested };
            let optional = if want.optional { ", optional" } else { "" };
            out.push_str(&format!("  {}:{suggested}  {}{optional}\n", want.what, want.why));
        }
    }
    if !m.families.is_empty() || m.other_families {
        let more = if m.other_families { " and others" } else { "" };
        out.push_str(&format!("produces {} families{more}:\n", m.families.len()));
        m.families.iter().for_each(|f| out.push_str(&format!("  {} ({})  {}\n", f.name, f.kind.as_str(), f.help)));
    }
    out.push_str(&format!("this would start it:\n\n{}\n", plugin.suggested_toml()));
    print(&out);
    Ok(())
}

/// `NAME=VALUE` pairs of the command line.
fn pairs<'a>(what: &str, list: &'a [String]) -> anyhow::Result<Vec<(&'a str, &'a str)>> {
    list.iter().map(|text| text.split_once('=').ok_or_else(|| anyhow!("{what} `{text}` is no NAME=VALUE"))).collect()
}

async fn collect(
    file: &Path,
    config: Option<&Path>,
    grants: &[String],
    secrets: &[String],
    target: Option<String>,
    params: &[String],
    timeout: &str,
) -> Result<(), Failure> {
    let (host, plugin) = load(file).await?;
    let own = match config {
        None => serde_json::json!({}),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            let table: toml::Table = watchglass_text::toml::from_str(&text, &path.display().to_string())
                .map_err(|e| Failure::Bad(e.to_string()))?;
            serde_json::to_value(&table).context("the configuration can't be handed to the plugin")?
        }
    };
    let mut named = BTreeMap::new();
    for (name, reference) in pairs("secret", secrets)? {
        let secret = references::secret(reference, Path::new(""))
            .ok_or_else(|| Failure::Bad(format!("secret `{name}` is neither env:VARIABLE nor file:PATH")))?;
        named.insert(name.to_owned(), secret);
    }
    let mut granted = Grants::parse(grants).map_err(|e| Failure::Bad(e.to_string()))?.list().to_vec();
    for name in references::references(&own) {
        granted.push(Grant::Secret(name.clone()));
        if let Some(secret) = references::secret(&name, Path::new("")) {
            named.insert(name, secret);
        }
    }
    let spec = CollectorSpec {
        name: plugin.name.clone(),
        config_json: own.to_string(),
        grants: Grants::new(granted),
        has_targets: target.is_some(),
        limits: Limits::default(),
        secrets: Secrets(named),
    };
    let collector = host.collector(plugin, spec).await.map_err(|e| Failure::Bad(e.to_string()))?;
    let deadline = watchglass_model::DurationMs::parse(timeout).map_err(|e| Failure::Bad(format!("--timeout: {e}")))?;
    // What the daemon hands over where the configuration says nothing.
    let mut all = BTreeMap::from([("__scheme__", "http"), ("__metrics_path__", "/metrics")]);
    all.extend(pairs("parameter", params)?);
    let params: Vec<(String, String)> = all.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let now = crate::now();
    let call = Call {
        target: target.map(|address| Target { address, params }),
        scheduled_at: now,
        deadline: Duration::from_millis(deadline.millis().max(1) as u64),
        sequence: 0,
    };
    let report = collector.collect(call).await;
    let collection = report.outcome.map_err(|e| Failure::Bad(e.to_string()))?;
    let mut batch: SampleBatch = collection.samples;
    for body in &collection.expositions {
        let parsed = parse_exposition(&body.content_type, &body.body, now).map_err(|e| Failure::Bad(e.to_string()))?;
        batch.samples.extend(parsed.samples);
        batch.metadata.extend(parsed.metadata);
    }
    print(&write_text(&Family::from_batch(&batch, now)));
    for evidence in &collection.evidence {
        eprintln!("evidence {}: {}", evidence.about, evidence.text);
    }
    match collection.failure {
        Some(failure) => Err(Failure::Bad(format!("the target is down: {failure}"))),
        None => Ok(()),
    }
}

async fn list(dir: Option<PathBuf>) -> Result<(), Failure> {
    let dir = match dir {
        Some(dir) => dir,
        None => Config::load(None).map_err(|e| anyhow!("{e}"))?.plugins_dir(),
    };
    let host = host()?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .with_context(|| format!("cannot read the folder `{}`", dir.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
        .collect();
    files.sort();
    let mut broken = Vec::new();
    for file in files {
        match host.load(&file).await {
            Ok(plugin) => {
                let state = if plugin.kind == Kind::Rule {
                    "rule plugin".to_owned()
                } else if plugin.manifest.runs_by_itself() {
                    "runs by itself".to_owned()
                } else {
                    "needs an entry in watchglass.toml:".to_owned()
                };
                print(&format!(
                    "{} {}  {}\n  {state}\n",
                    plugin.name, plugin.manifest.version, plugin.manifest.summary
                ));
                if !plugin.manifest.runs_by_itself() {
                    print(&plugin.suggested_toml().lines().map(|l| format!("    {l}\n")).collect::<String>());
                }
            }
            Err(e) => broken.push(e.to_string()),
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::Bad(broken.join("\n"))) }
}
