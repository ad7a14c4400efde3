//! Rule plugins as rules: their inputs are fetched, they are asked, and what they return goes the way of every rule's alerts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::runtime::Handle;
use watchglass_model::{Labels, LabelsBuilder, TimeMs, Value};
use watchglass_plugin::{Host, Plugin, RuleAlert, RuleInput, RulePlugin, RuleSpec};
use watchglass_promql::{ParserOptions, parse};
use watchglass_rules::{ActiveAlert, Env, EvalError, ExternalRule, Group, Instance, Steps, Timing};

use crate::collection::Collection;
use crate::config::Config;
use crate::config::schema::RulePlugin as Entry;
use crate::metrics::{Metric, metric};

/// Where neither the entry nor the plugin says how often.
const INTERVAL_MS: i64 = 60_000;
/// How long an evaluation may take where neither the entry nor the plugin says; never longer than the interval.
const DEADLINE: Duration = Duration::from_secs(10);

/// The rule plugins of the configuration.
#[derive(Default)]
pub(crate) struct RulePlugins(Mutex<Vec<Running>>);

/// An entry of the configuration.
struct Running {
    name: String,
    entry: Entry,
    /// Hash of the plugin that it was made of.
    hash: String,
    /// What runs: made of the newest version that could be configured.
    rule: Option<PluginRule>,
    /// Why the newest version, or the entry, can't be used.
    error: Option<String>,
}

/// A rule plugin with its configuration, as the rules see it. Clones share its instance, not what it knows of alerts.
pub(crate) struct PluginRule {
    name: String,
    file: String,
    plugin: RulePlugin,
    /// Labels of the entry: they stand over the plugin's.
    labels: Labels,
    interval_ms: i64,
    deadline: Duration,
    /// Groups have their turns on the blocking pool; the plugin is asynchronous.
    runtime: Handle,
    /// What the plugin called its alerts before the entry's labels came over them.
    given: Mutex<HashMap<Labels, Labels>>,
}

impl std::fmt::Debug for PluginRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule plugin {}", self.name)
    }
}

impl Clone for PluginRule {
    fn clone(&self) -> PluginRule {
        PluginRule {
            name: self.name.clone(),
            file: self.file.clone(),
            plugin: self.plugin.clone(),
            labels: self.labels.clone(),
            interval_ms: self.interval_ms,
            deadline: self.deadline,
            runtime: self.runtime.clone(),
            given: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RulePlugins {
    /// The groups of the configuration's rule plugins. One that can't be made as it is now is told, and goes on as it was before, or is left out.
    pub(crate) async fn groups(&self, config: &Config, collection: &Collection, timing: Timing) -> Vec<Group> {
        let mut old: HashMap<String, Running> = lock(&self.0).drain(..).map(|r| (r.name.clone(), r)).collect();
        let mut running = Vec::new();
        for entry in config.file.rule_plugin.iter().map(|e| &e.value) {
            let name = entry.name();
            let before = old.remove(&name);
            running.push(next(name, entry, before, collection).await);
        }
        let groups = running.iter().filter_map(|r| Some(r.rule.as_ref()?.group(timing))).collect();
        *lock(&self.0) = running;
        groups
    }

    /// What runs of a plugin, as `/api/v1/plugins` shows it.
    pub(crate) fn of(&self, plugin: &str) -> Vec<Json> {
        let running = lock(&self.0);
        running.iter().filter(|r| r.entry.plugin == plugin).map(Running::json).collect()
    }

    /// The metrics of rule plugins.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let mut out = Vec::new();
        for running in lock(&self.0).iter() {
            let Some(rule) = &running.rule else { continue };
            let stats = rule.plugin.stats();
            let labels = [("rule_plugin", running.name.as_str()), ("plugin", running.entry.plugin.as_str())];
            out.extend([
                metric("watchglass_plugin_calls_total", &labels, stats.calls as f64),
                metric("watchglass_plugin_cpu_seconds_total", &labels, stats.cpu.as_secs_f64()),
                metric("watchglass_plugin_duration_seconds_count", &labels, stats.calls as f64),
                metric("watchglass_plugin_duration_seconds_sum", &labels, stats.duration.as_secs_f64()),
                metric("watchglass_plugin_memory_bytes", &labels, stats.memory_bytes as f64),
            ]);
            for (reason, count) in &stats.failures {
                let labels = [labels[0], labels[1], ("reason", reason.as_str())];
                out.push(metric("watchglass_plugin_failures_total", &labels, *count as f64));
            }
        }
        out
    }
}

/// An entry at work, as far as it can be.
async fn next(name: String, entry: &Entry, before: Option<Running>, collection: &Collection) -> Running {
    let plugin = collection.plugin(&entry.plugin);
    let hash = plugin.as_ref().map_or_else(|_| String::new(), |p| p.hash.clone());
    // Nothing changed that concerns it.
    if let Some(before) = before.as_ref().filter(|b| b.entry == *entry && b.hash == hash && b.error.is_none()) {
        return Running { name, entry: entry.clone(), hash, rule: before.rule.clone(), error: None };
    }
    let made = match plugin {
        Ok(plugin) => PluginRule::make(collection.host(), plugin, entry).await,
        Err(e) => Err(e),
    };
    match made {
        Ok(rule) => {
            if before.is_some_and(|b| b.rule.is_some()) {
                tracing::info!(rule_plugin = name, "the rule plugin was replaced");
            }
            Running { name, entry: entry.clone(), hash, rule: Some(rule), error: None }
        }
        Err(e) => {
            let known = before.as_ref().is_some_and(|b| b.error.as_ref() == Some(&e));
            let rule = before.and_then(|b| b.rule);
            match &rule {
                _ if known => {}
                Some(_) => {
                    tracing::error!(rule_plugin = name, "it can't be used as it is now, the one before goes on: {e}")
                }
                None => tracing::error!(rule_plugin = name, "the rule plugin is not run: {e}"),
            }
            Running { name, entry: entry.clone(), hash, rule, error: Some(e) }
        }
    }
}

impl Running {
    fn json(&self) -> Json {
        let mut out = json!({ "name": self.name });
        if let Some(rule) = &self.rule {
            let stats = rule.plugin.stats();
            let failures: serde_json::Map<_, _> =
                stats.failures.iter().map(|(reason, n)| (reason.as_str().to_owned(), json!(n))).collect();
            out["state"] = json!(rule.plugin.state());
            out["calls"] = json!(stats.calls);
            out["failures"] = json!(failures);
            out["cpuSeconds"] = json!(stats.cpu.as_secs_f64());
            out["memoryBytes"] = json!(stats.memory_bytes);
            out["inputs"] = rule.plugin.inputs().iter().map(|i| json!({ "name": i.name, "expr": i.expr })).collect();
        } else {
            out["state"] = json!({ "state": "not run", "reason": self.error });
        }
        if let Some(error) = &self.error {
            out["error"] = json!(error);
        }
        out
    }
}

/// The rule plugins of a configuration without a daemon around them, for unit tests of rules; those of `dir`, or of the folder that the configuration names.
pub(crate) async fn alone(config: &Config, dir: Option<&Path>, host: &Host) -> Result<Vec<PluginRule>, String> {
    let dir = dir.map_or_else(|| config.plugins_dir(), Path::to_path_buf);
    let mut rules = Vec::new();
    for entry in config.file.rule_plugin.iter().map(|e| &e.value) {
        rules.push(one(entry, &dir, host).await?);
    }
    Ok(rules)
}

/// The rule plugin of an entry, from a folder.
pub(crate) async fn one(entry: &Entry, dir: &Path, host: &Host) -> Result<PluginRule, String> {
    let named = |e: String| format!("rule plugin `{}`: {e}", entry.name());
    let plugin = host.load(&dir.join(format!("{}.wasm", entry.plugin))).await.map_err(|e| named(e.to_string()))?;
    PluginRule::make(host, plugin, entry).await.map_err(named)
}

impl PluginRule {
    async fn make(host: &Host, plugin: Arc<Plugin>, entry: &Entry) -> Result<PluginRule, String> {
        let name = entry.name();
        let config_json =
            serde_json::to_string(&entry.config).map_err(|e| format!("its config can't be handed over: {e}"))?;
        let manifest = &plugin.manifest;
        let theirs = manifest.interval.map(|d| d.as_millis() as i64);
        let interval_ms = entry.interval.map(|d| d.ms).or(theirs).unwrap_or(INTERVAL_MS).max(1);
        let deadline = entry.timeout.map(|d| d.std()).or(manifest.timeout).unwrap_or(DEADLINE);
        let deadline = deadline.min(Duration::from_millis(interval_ms.unsigned_abs()));
        let spec = RuleSpec { name: name.clone(), config_json, limits: entry.limits.of_plugin() };
        let rule = host.rule(plugin, spec).await.map_err(|e| e.to_string())?;
        for input in rule.inputs() {
            parse(&input.expr, ParserOptions::all())
                .map_err(|e| format!("its input `{}`, `{}`: {e}", input.name, input.expr))?;
        }
        Ok(PluginRule {
            name,
            file: format!("{}.wasm", entry.plugin),
            plugin: rule,
            labels: Labels::from_pairs(&entry.labels),
            interval_ms,
            deadline,
            runtime: Handle::current(),
            given: Mutex::default(),
        })
    }

    /// A group of its own, with nothing known yet.
    pub(crate) fn group(&self, timing: Timing) -> Group {
        Group::external(Box::new(self.clone()), &self.file, self.interval_ms, timing)
    }

    fn steps(&self, input: &RuleInput, at: TimeMs) -> Option<Steps> {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let step = if input.step.is_zero() { self.interval_ms } else { millis(input.step) }.max(1);
        (!input.range.is_zero()).then(|| Steps { start: at - millis(input.range), end: at, step })
    }

    /// An alert of the plugin's with the entry's labels over its own.
    fn instance(&self, alert: RuleAlert) -> Instance {
        let mut labels = LabelsBuilder::new(&alert.labels);
        for (name, value) in self.labels.iter() {
            labels.set(name, value);
        }
        Instance {
            labels: labels.build(),
            annotations: alert.annotations,
            value: Value::Float(alert.value),
            hold_ms: alert.hold.as_millis() as i64,
            keep_firing_ms: alert.keep_firing.as_millis() as i64,
        }
    }

    /// What the plugin is told of an alert of its own: the labels that it gave. Where that was before a restart only the entry's can be told apart.
    fn told(&self, alert: &ActiveAlert, given: &HashMap<Labels, Labels>) -> RuleAlert {
        let own = || alert.labels.iter().filter(|(n, v)| self.labels.get(n) != Some(*v)).collect();
        RuleAlert {
            labels: given.get(&alert.labels).cloned().unwrap_or_else(own),
            annotations: alert.annotations.clone(),
            value: if let Value::Float(v) = alert.value { v } else { f64::NAN },
            hold: Duration::from_millis(alert.hold_ms().unsigned_abs()),
            keep_firing: Duration::from_millis(alert.keep_firing_ms().unsigned_abs()),
        }
    }
}

impl ExternalRule for PluginRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(&self, at: TimeMs, active: &[&ActiveAlert], env: &Env<'_>) -> Result<Vec<Instance>, EvalError> {
        let mut inputs = Vec::with_capacity(self.plugin.inputs().len());
        for input in self.plugin.inputs() {
            let series = env.queries.series(&input.expr, at, self.steps(input, at));
            inputs.push(series.map_err(|e| EvalError(format!("input `{}`: {e}", input.name)))?);
        }
        let active: Vec<RuleAlert> = {
            let given = lock(&self.given);
            active.iter().map(|alert| self.told(alert, &given)).collect()
        };
        let evaluation = self.runtime.block_on(self.plugin.evaluate(at, &inputs, &active, self.deadline));
        let alerts = evaluation.outcome.map_err(|e| EvalError(e.to_string()))?;
        let mut given = HashMap::with_capacity(alerts.len());
        let instances = alerts.into_iter().map(|alert| {
            let theirs = alert.labels.clone();
            let instance = self.instance(alert);
            given.insert(instance.labels.clone(), theirs);
            instance
        });
        let instances = instances.collect();
        *lock(&self.given) = given;
        Ok(instances)
    }
}
