//! Rule plugins as rules: their inputs are fetched, they are asked, and what they return goes the way of every rule's alerts.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use watchglass_model::{FloatPoint, Labels, LabelsBuilder, SeriesData, TimeMs, Value};
use watchglass_plugin::{Limits, RuleAlert, RuleInput, RulePlugin, RuleSpec};
use watchglass_promql::{Cancel, Options, ParserOptions, QueryValue, parse, query_instant, query_range};
use watchglass_rules::{ActiveAlert, Env, EvalError, ExternalRule, Group, Instance};
use watchglass_store::Store;

use crate::collection::Collection;
use crate::config::Config;
use crate::config::schema::RulePlugin as Entry;
use crate::evaluation::RESEND_DELAY_MS;
use crate::query_service::StoreSource;

/// Where neither the entry nor the plugin says how often.
const INTERVAL_MS: i64 = 60_000;
/// How long an evaluation may take, unless the interval is shorter.
const DEADLINE: Duration = Duration::from_secs(10);

/// A rule plugin with its configuration, as the rules see it.
struct PluginRule {
    name: String,
    plugin: RulePlugin,
    /// Labels of the entry: they stand over the plugin's.
    labels: Labels,
    interval_ms: i64,
    store: Arc<Store>,
    options: Options,
    /// Groups have their turns on the blocking pool; the plugin is asynchronous.
    runtime: Handle,
}

impl std::fmt::Debug for PluginRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule plugin {}", self.name)
    }
}

/// The groups of the configuration's rule plugins. One that can't run is told, and left out.
pub(crate) async fn groups(config: &Config, collection: &Collection, store: &Arc<Store>) -> Vec<Group> {
    let mut groups = Vec::new();
    for entry in &config.file.rule_plugin {
        let name = entry.value.name.clone().unwrap_or_else(|| entry.value.plugin.clone());
        match group(&name, &entry.value, config, collection, store).await {
            Ok(group) => groups.push(group),
            Err(e) => tracing::error!(rule_plugin = name, "the rule plugin is not run: {e}"),
        }
    }
    groups
}

async fn group(
    name: &str,
    entry: &Entry,
    config: &Config,
    collection: &Collection,
    store: &Arc<Store>,
) -> Result<Group, String> {
    let plugin = collection.plugin(&entry.plugin)?;
    let config_json =
        serde_json::to_string(&entry.config).map_err(|e| format!("its config can't be handed over: {e}"))?;
    let theirs = plugin.manifest.interval.map(|d| d.as_millis() as i64);
    let interval_ms = entry.interval.map(|d| d.ms).or(theirs).unwrap_or(INTERVAL_MS).max(1);
    let spec = RuleSpec { name: name.to_owned(), config_json, limits: Limits::default() };
    let rule = collection.host().rule(Arc::clone(&plugin), spec).await.map_err(|e| e.to_string())?;
    for input in rule.inputs() {
        parse(&input.expr, ParserOptions::all()).map_err(|e| format!("its input `{}`: {e}", input.name))?;
    }
    let options = Options { lookback_ms: config.file.query.lookback_delta.ms, ..Options::default() };
    let rule = PluginRule {
        name: name.to_owned(),
        plugin: rule,
        labels: Labels::from_pairs(&entry.labels),
        interval_ms,
        store: Arc::clone(store),
        options,
        runtime: Handle::current(),
    };
    Ok(Group::external(Box::new(rule), &format!("{}.wasm", entry.plugin), interval_ms, 0, RESEND_DELAY_MS))
}

impl ExternalRule for PluginRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn evaluate(
        &mut self,
        at: TimeMs,
        active: &[&ActiveAlert],
        _env: &mut Env<'_>,
    ) -> Result<Vec<Instance>, EvalError> {
        let mut inputs = Vec::with_capacity(self.plugin.inputs().len());
        for input in self.plugin.inputs() {
            inputs.push(self.fetch(input, at).map_err(|e| EvalError(format!("input `{}`: {e}", input.name)))?);
        }
        let active: Vec<RuleAlert> = active.iter().map(|alert| told(alert)).collect();
        let deadline = DEADLINE.min(Duration::from_millis(self.interval_ms as u64));
        let evaluation = self.runtime.block_on(self.plugin.evaluate(at, &inputs, &active, deadline));
        let alerts = evaluation.outcome.map_err(|e| EvalError(e.to_string()))?;
        Ok(alerts.into_iter().map(|alert| self.instance(alert)).collect())
    }
}

impl PluginRule {
    fn fetch(&self, input: &RuleInput, at: TimeMs) -> Result<Vec<SeriesData>, String> {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let expr = parse(&input.expr, ParserOptions::all()).map_err(|e| e.to_string())?;
        let (source, cancel) = (StoreSource(&self.store), Cancel::default());
        let result = if input.range.is_zero() {
            query_instant(&source, &input.expr, &expr, at, &self.options, &cancel)
        } else {
            let step = if input.step.is_zero() { self.interval_ms } else { millis(input.step) }.max(1);
            query_range(&source, &input.expr, &expr, at - millis(input.range), at, step, &self.options, &cancel)
        };
        match result.map_err(|e| e.to_string())?.value {
            QueryValue::Matrix(series) => Ok(series),
            QueryValue::Scalar(point) => Ok(vec![SeriesData { floats: vec![point], ..SeriesData::default() }]),
            QueryValue::String(..) => Err("it gives a text, not series".to_owned()),
            QueryValue::Vector(samples) => Ok(samples
                .into_iter()
                .filter_map(|s| match s.value {
                    Value::Float(v) => Some(SeriesData {
                        labels: s.labels,
                        floats: vec![FloatPoint { t: s.t, v }],
                        ..SeriesData::default()
                    }),
                    Value::Histogram(_) => None,
                })
                .collect()),
        }
    }

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
}

/// What a plugin is told of an alert of its own.
fn told(alert: &ActiveAlert) -> RuleAlert {
    RuleAlert {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        value: if let Value::Float(v) = alert.value { v } else { f64::NAN },
        hold: Duration::ZERO,
        keep_firing: Duration::ZERO,
    }
}
