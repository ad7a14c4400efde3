//! A rule plugin with its configuration.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watchglass_model::{Labels, SeriesData, TimeMs};

use crate::bindings::collector::watchglass::plugin::types::{Point, Series};
use crate::bindings::rule::RulePlugin as Bindings;
use crate::bindings::rule::exports::watchglass::plugin::rule as wit;
use crate::bindings::wit::meta::Problem as WitProblem;
use crate::collector::ConfigureError;
use crate::configure::{self, MIN_START};
use crate::convert;
use crate::grant::Grants;
use crate::host::Inner;
use crate::instance::{Instance, Start};
use crate::limits::{DEFAULT_MEMORY, Limits};
use crate::load::Code;
use crate::plugin::{Kind, Plugin};
use crate::report::{CallFailure, CallStats, FailureReason};
use crate::secrets::Secrets;
use crate::state::Shared;
use crate::stats::{PluginState, PluginStats};
use crate::supervise::Supervisor;

/// What a rule is made of.
#[derive(Clone, Debug, Default)]
pub struct RuleSpec {
    /// The config entry's name.
    pub name: String,
    /// Its configuration, JSON; `{}` where there is none.
    pub config_json: String,
    /// Limits.
    pub limits: Limits,
}

/// What a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInput {
    /// What the rule calls it.
    pub name: String,
    /// PromQL; not checked here.
    pub expr: String,
    /// How far back; zero: an instant query.
    pub range: Duration,
    /// Step of a range query; zero: the rule's interval.
    pub step: Duration,
}

/// An alert as a rule plugin returns and is handed it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleAlert {
    /// Labels, `alertname` included.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: Labels,
    /// The value that made it.
    pub value: f64,
    /// How long it must last before it fires.
    pub hold: Duration,
    /// How long it goes on firing when it is no longer returned.
    pub keep_firing: Duration,
}

/// What became of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The alerts as they are now.
    pub outcome: Result<Vec<RuleAlert>, CallFailure>,
    /// What it cost.
    pub stats: CallStats,
}

/// A rule plugin with its configuration. Cloning shares it.
#[derive(Clone)]
pub struct RulePlugin {
    core: Arc<Core>,
}

struct Core {
    inner: Arc<Inner>,
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
    config: String,
    inputs: Vec<RuleInput>,
    /// The instance between calls: `evaluate` is pure, so that one is as good as another.
    idle: Mutex<Option<Instance<Bindings>>>,
    supervisor: Mutex<Supervisor>,
    stats: Mutex<PluginStats>,
}

/// Inputs of one rule.
const MAX_INPUTS: usize = 100;

/// Longest expression, bytes.
const MAX_EXPR: usize = 64 << 10;

/// Labels or annotations of one alert.
const MAX_LABELS: usize = 128;

/// Longest text of an alert, bytes.
const MAX_TEXT: usize = 64 << 10;

impl RulePlugin {
    pub(crate) async fn make(
        inner: Arc<Inner>,
        plugin: Arc<Plugin>,
        spec: RuleSpec,
    ) -> Result<RulePlugin, ConfigureError> {
        configure::kind(&plugin, Kind::Rule)?;
        let config = configure::config(&plugin, &spec.config_json)?;
        let memory = spec.limits.memory_bytes.or(plugin.manifest.memory_bytes).unwrap_or(DEFAULT_MEMORY);
        let shared = inner.shared(&spec.name, Grants::default(), Secrets::default(), spec.limits, memory);
        let mut core = Core {
            inner,
            plugin,
            shared,
            config,
            inputs: Vec::new(),
            idle: Mutex::new(None),
            supervisor: Mutex::new(Supervisor::default()),
            stats: Mutex::new(PluginStats::default()),
        };
        let deadline = core.inner.options.describe_deadline.max(MIN_START);
        let (instance, inputs) = core.start(deadline).await.map_err(|e| match e {
            Started::Refused(problems) => configure::problems(problems),
            Started::Failed(failure) => ConfigureError::Call(failure),
        })?;
        core.inputs = checked_inputs(inputs).map_err(ConfigureError::Call)?;
        core.idle = Mutex::new(Some(instance));
        Ok(RulePlugin { core: Arc::new(core) })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.core.plugin
    }

    /// What the rule looks at, in the order in which `evaluate` takes it.
    pub fn inputs(&self) -> &[RuleInput] {
        &self.core.inputs
    }

    /// Evaluates once: `inputs` as [`inputs`](RulePlugin::inputs) names them, `active` the alerts of this rule that are pending or firing. Histogram points of
    /// the inputs are left out. Returns within `deadline`.
    pub async fn evaluate(
        &self,
        at: TimeMs,
        inputs: &[Vec<SeriesData>],
        active: &[RuleAlert],
        deadline: Duration,
    ) -> Evaluation {
        let now = Instant::now();
        let core = &self.core;
        let mut stats = CallStats::default();
        let outcome = match lock(&core.supervisor).admit(now) {
            Err((reason, left)) => {
                let message = format!("rests for {} ms more after: {reason}", left.as_millis());
                Err(CallFailure::new(FailureReason::Resting, message))
            }
            Ok(()) => Ok(()),
        };
        let outcome = match outcome {
            Ok(()) => {
                let made = core.evaluate(at, inputs, active, deadline, &mut stats).await;
                let mut supervisor = lock(&core.supervisor);
                match &made {
                    Err(f) if f.reason.is_plugins_fault() => supervisor.failed(Instant::now(), f.to_string()),
                    _ => supervisor.succeeded(),
                }
                made
            }
            Err(resting) => Err(resting),
        };
        stats.duration = now.elapsed();
        lock(&core.stats).add_call(&stats, outcome.as_ref().err().map(|f| f.reason));
        Evaluation { outcome, stats }
    }

    /// Totals so far.
    pub fn stats(&self) -> PluginStats {
        let mut stats = lock(&self.core.stats).clone();
        stats.instances = u64::from(lock(&self.core.idle).is_some());
        stats
    }

    /// How it stands with it.
    pub fn state(&self) -> PluginState {
        let supervisor = lock(&self.core.supervisor);
        if !supervisor.is_failed() {
            return PluginState::Running;
        }
        let left = supervisor.admit(Instant::now()).err().map_or(Duration::ZERO, |(_, left)| left);
        PluginState::Failed { reason: supervisor.reason().to_owned(), retry_in_ms: left.as_millis() as u64 }
    }
}

/// Nothing under these locks can panic, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Started {
    Failed(CallFailure),
    Refused(Vec<WitProblem>),
}

impl Core {
    async fn start(&self, deadline: Duration) -> Result<(Instance<Bindings>, Vec<wit::Input>), Started> {
        let Code::Rule(pre) = &*self.plugin.code else {
            return Err(Started::Failed(CallFailure::new(FailureReason::Host, "not a rule plugin")));
        };
        let began = Instant::now();
        let start = Start { inner: self.inner.clone(), shared: self.shared.clone(), deadline };
        let mut instance = Instance::start(&start, pre, |pre, store| Box::pin(pre.instantiate_async(store)))
            .await
            .map_err(Started::Failed)?;
        let left = deadline.saturating_sub(began.elapsed());
        let config = self.config.clone();
        let (answer, _) = instance
            .call(&self.inner, left, Grants::default(), |b, s| {
                Box::pin(async move { b.watchglass_plugin_rule().call_configure(s, &config).await })
            })
            .await;
        match answer {
            Ok(Ok(inputs)) => {
                lock(&self.stats).instances_made += 1;
                Ok((instance, inputs))
            }
            Ok(Err(problems)) => Err(Started::Refused(problems)),
            Err(failure) => Err(Started::Failed(failure)),
        }
    }

    async fn evaluate(
        &self,
        at: TimeMs,
        inputs: &[Vec<SeriesData>],
        active: &[RuleAlert],
        deadline: Duration,
        stats: &mut CallStats,
    ) -> Result<Vec<RuleAlert>, CallFailure> {
        let began = Instant::now();
        let inputs: Vec<Vec<Series>> = inputs.iter().map(|i| i.iter().map(to_series).collect()).collect();
        let active: Vec<wit::Alert> = active.iter().map(to_alert).collect();
        let idle = lock(&self.idle).take().filter(|i| i.is_fit(began));
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.start(deadline).await.map(|(instance, _)| instance).map_err(|e| match e {
                Started::Failed(failure) => failure,
                Started::Refused(_) => convert::invalid("the plugin no longer takes its configuration"),
            })?,
        };
        let left = deadline.saturating_sub(began.elapsed());
        let (answer, cost) = instance
            .call(&self.inner, left, Grants::default(), |b, s| {
                Box::pin(async move { b.watchglass_plugin_rule().call_evaluate(s, at, &inputs, &active).await })
            })
            .await;
        *stats = cost;
        let answer = match answer? {
            Ok(alerts) => checked_alerts(alerts, self.shared.limits.items),
            Err(error) => Err(convert::failure(error)),
        };
        instance.state().end();
        let broken = matches!(&answer, Err(f) if f.reason.is_plugins_fault());
        if !broken && instance.is_fit(Instant::now()) {
            *lock(&self.idle) = Some(instance);
        }
        answer
    }
}

fn to_pairs(labels: &Labels) -> Vec<(String, String)> {
    labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn to_series(series: &SeriesData) -> Series {
    let points = series.floats.iter().map(|p| Point { at: p.t, v: p.v }).collect();
    Series { labels: to_pairs(&series.labels), points }
}

fn to_alert(alert: &RuleAlert) -> wit::Alert {
    let millis = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
    wit::Alert {
        name: alert.labels.value("alertname").to_owned(),
        labels: to_pairs(&alert.labels.with("alertname", "")),
        annotations: to_pairs(&alert.annotations),
        value: alert.value,
        for_ms: millis(alert.hold),
        keep_firing_for_ms: millis(alert.keep_firing),
    }
}

fn checked_inputs(given: Vec<wit::Input>) -> Result<Vec<RuleInput>, CallFailure> {
    if given.len() > MAX_INPUTS {
        return Err(convert::invalid(format!("{} inputs, allowed are {MAX_INPUTS}", given.len())));
    }
    let millis = |ms: u32| Duration::from_millis(u64::from(ms));
    let one = |i: wit::Input| {
        if i.name.len() > 1_000 || i.expr.len() > MAX_EXPR {
            return Err(convert::invalid(format!("an input's name or expression is longer than {MAX_EXPR} bytes")));
        }
        Ok(RuleInput { name: i.name, expr: i.expr, range: millis(i.range_ms), step: millis(i.step_ms) })
    };
    given.into_iter().map(one).collect()
}

fn checked_alerts(given: Vec<wit::Alert>, max: usize) -> Result<Vec<RuleAlert>, CallFailure> {
    if given.len() > max {
        return Err(convert::invalid(format!("{} alerts, allowed are {max}", given.len())));
    }
    let millis = |ms: u32| Duration::from_millis(u64::from(ms));
    let mut made: Vec<RuleAlert> = Vec::with_capacity(given.len());
    let mut seen = std::collections::HashSet::new();
    for alert in given {
        if alert.name.is_empty() {
            return Err(convert::invalid("an alert without a name"));
        }
        if alert.labels.len() > MAX_LABELS || alert.annotations.len() > MAX_LABELS {
            return Err(convert::invalid(format!(
                "alert {}: more than {MAX_LABELS} labels or annotations",
                alert.name
            )));
        }
        for (name, value) in alert.labels.iter().chain(&alert.annotations) {
            if name.is_empty() || name == "__name__" || name.len() > 1_024 || value.len() > MAX_TEXT {
                let name: String = name.chars().take(60).collect();
                return Err(convert::invalid(format!(
                    "alert {}: label or annotation {name:?}: no name, or too long",
                    alert.name
                )));
            }
        }
        let labels = Labels::from_pairs(alert.labels.iter().map(|(n, v)| (n, v))).with("alertname", &alert.name);
        if !seen.insert(labels.clone()) {
            return Err(convert::invalid(format!("alert {labels} twice")));
        }
        made.push(RuleAlert {
            labels,
            annotations: Labels::from_pairs(alert.annotations),
            value: alert.value,
            hold: millis(alert.for_ms),
            keep_firing: millis(alert.keep_firing_for_ms),
        });
    }
    Ok(made)
}
