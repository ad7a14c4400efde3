//! Rule groups at work: each has its turns on its own grid, on the blocking pool, and hands its alerts on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use watchglass_model::{Labels, Sample, SampleBatch, TimeMs, Value, stale_nan};
use watchglass_promql::ast::Expr;
use watchglass_promql::{Cancel, Options, ParserOptions, QueryValue, parse, query_instant};
use watchglass_rules::{Env, Group, GroupSpec};
use watchglass_store::Store;

use crate::alerting::Alerting;
use crate::metrics::{Counters, Metric, metric};
use crate::query_service::StoreSource;

/// A firing alert is sent again this often, as Prometheus does by default.
pub(crate) const RESEND_DELAY_MS: i64 = 60_000;

/// What groups are evaluated with.
pub(crate) struct Evaluation {
    store: Arc<Store>,
    alerting: Arc<Alerting>,
    counters: Arc<Counters>,
    running: RwLock<Vec<Running>>,
}

/// How groups are evaluated: from the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) interval_ms: i64,
    pub(crate) external_labels: Labels,
    pub(crate) external_url: String,
    pub(crate) parser: ParserOptions,
    pub(crate) lookback_ms: i64,
    pub(crate) timeout: Duration,
    /// Evaluates after each collection too.
    pub(crate) after_scrape: bool,
}

struct Running {
    group: Arc<Mutex<Group>>,
    /// Set when samples have come in that the group may read.
    fresh: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Evaluation {
    pub(crate) fn new(store: Arc<Store>, alerting: Arc<Alerting>, counters: Arc<Counters>) -> Evaluation {
        Evaluation { store, alerting, counters, running: RwLock::default() }
    }

    /// Evaluates these groups from now on. A group that was there before goes on with its state; the series of one that is gone end.
    pub(crate) fn replace(&self, specs: Vec<GroupSpec>, external: Vec<Group>, settings: &Arc<Settings>, now: TimeMs) {
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        let mut old: HashMap<(String, String), Arc<Mutex<Group>>> = HashMap::new();
        // The tasks end here, at the latest after the turn that is under way: what follows waits for the group's lock.
        for entry in running.drain(..) {
            let group = Arc::clone(&entry.group);
            let key = {
                let g = lock(&group);
                (g.spec().file.clone(), g.spec().name.clone())
            };
            old.insert(key, group);
        }
        let groups = specs.into_iter().map(|spec| Group::new(spec, settings.interval_ms, 0, RESEND_DELAY_MS));
        for mut group in groups.chain(external) {
            let key = (group.spec().file.clone(), group.spec().name.clone());
            if let Some(before) = old.remove(&key) {
                let empty = Group::new(GroupSpec { rules: Vec::new(), ..group.spec().clone() }, 1, 0, 0);
                group.take_state(std::mem::replace(&mut *lock(&before), empty));
            }
            running.push(self.start(group, settings));
        }
        for gone in old.into_values() {
            let group = lock(&gone);
            let samples: Vec<Sample> = group
                .series()
                .map(|l| Sample { labels: l.clone(), t: now, value: Value::Float(stale_nan()) })
                .collect();
            self.counters.forget("rule_group", &group_label(&group));
            drop(group);
            self.append(SampleBatch { samples, metadata: Vec::new() }, now);
        }
    }

    fn start(&self, group: Group, settings: &Arc<Settings>) -> Running {
        let (group, fresh) = (Arc::new(Mutex::new(group)), Arc::new(Notify::new()));
        let work = Turn {
            group: Arc::clone(&group),
            store: Arc::clone(&self.store),
            alerting: Arc::clone(&self.alerting),
            counters: Arc::clone(&self.counters),
            settings: Arc::clone(settings),
        };
        let task = tokio::spawn(run(Arc::new(work), Arc::clone(&fresh)));
        Running { group, fresh, task }
    }

    /// Says that samples have come in.
    pub(crate) fn collected(&self) {
        for entry in self.running.read().unwrap_or_else(PoisonError::into_inner).iter() {
            entry.fresh.notify_one();
        }
    }

    /// Looks at every group, in the order of the files.
    pub(crate) fn look<T>(&self, mut look: impl FnMut(&Group) -> T) -> Vec<T> {
        // The list is copied, not held: a group's turn may take a while.
        let groups: Vec<_> =
            self.running.read().unwrap_or_else(PoisonError::into_inner).iter().map(|r| Arc::clone(&r.group)).collect();
        groups.iter().map(|group| look(&lock(group))).collect()
    }

    /// Takes what anything but a collector writes.
    pub(crate) fn append(&self, batch: SampleBatch, now: TimeMs) {
        append(&self.store, batch, now);
    }

    /// The metrics of groups.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let per_group = self.look(|group| {
            let (name, status) = (group_label(group), group.status());
            let labels = [("rule_group", name.as_str())];
            [
                metric("prometheus_rule_group_interval_seconds", &labels, group.interval_ms() as f64 / 1000.0),
                metric("prometheus_rule_group_last_duration_seconds", &labels, status.duration.as_secs_f64()),
                metric("prometheus_rule_group_last_evaluation_samples", &labels, status.samples as f64),
                metric(
                    "prometheus_rule_group_last_evaluation_timestamp_seconds",
                    &labels,
                    status.last_evaluation as f64 / 1000.0,
                ),
                metric("prometheus_rule_group_rules", &labels, group.rules().count() as f64),
            ]
        });
        per_group.into_iter().flatten().collect()
    }
}

fn lock(group: &Mutex<Group>) -> std::sync::MutexGuard<'_, Group> {
    group.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As in Prometheus' metrics: `FILE;GROUP`.
fn group_label(group: &Group) -> String {
    format!("{};{}", group.spec().file, group.spec().name)
}

fn append(store: &Store, batch: SampleBatch, now: TimeMs) {
    match store.append(&batch, now) {
        Ok(appended) if appended.rejected() > 0 => {
            tracing::warn!(
                rejected = appended.rejected(),
                reason = appended.first_rejected.map(|(_, r)| r.as_str()),
                "samples of a rule were not stored"
            );
        }
        Ok(_) => {}
        Err(e) => tracing::error!(error = %e, "samples of a rule were lost"),
    }
}

/// Has turns for ever: at the group's own times, and after collections where that is switched on.
async fn run(work: Arc<Turn>, fresh: Arc<Notify>) {
    let (interval_ms, mut turn) = {
        let group = lock(&work.group);
        (group.interval_ms(), group.turn(crate::now()) + group.interval_ms())
    };
    loop {
        let wait = Duration::from_millis((turn - crate::now()).max(0) as u64);
        tokio::select! {
            () = tokio::time::sleep(wait) => {
                work.have(turn).await;
                // A turn that took longer than the interval: those in between are left out.
                let missed = (crate::now() - turn) / interval_ms;
                work.missed(missed.max(0) as u64);
                turn += (missed.max(0) + 1) * interval_ms;
            }
            () = fresh.notified(), if work.settings.after_scrape => work.have(crate::now()).await,
        }
    }
}

/// What one group is evaluated with.
struct Turn {
    group: Arc<Mutex<Group>>,
    store: Arc<Store>,
    alerting: Arc<Alerting>,
    counters: Arc<Counters>,
    settings: Arc<Settings>,
}

impl Turn {
    async fn have(self: &Arc<Self>, at: TimeMs) {
        let (work, cancel) = (Arc::clone(self), Cancel::default());
        let turn = tokio::task::spawn_blocking({
            let cancel = cancel.clone();
            move || work.evaluate(at, &cancel)
        });
        tokio::pin!(turn);
        let ended = match tokio::time::timeout(self.settings.timeout, &mut turn).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(timeout = ?self.settings.timeout, "a rule group took too long; its queries are cancelled");
                cancel.cancel();
                turn.await
            }
        };
        if let Err(panic) = ended {
            tracing::error!(error = %panic, "bug: a rule group panicked; it goes on with its next turn");
        }
    }

    /// `cancel` stops the queries that are left.
    fn evaluate(&self, at: TimeMs, cancel: &Cancel) {
        let (mut group, began) = (lock(&self.group), Instant::now());
        let settings = &self.settings;
        let options = Options { lookback_ms: settings.lookback_ms, ..Options::default() };
        let mut query = |text: &str, expr: &Expr, at: TimeMs| -> Result<Vec<Sample>, String> {
            let result = query_instant(&StoreSource(&self.store), text, expr, at, &options, cancel);
            match result.map_err(|e| e.to_string())?.value {
                QueryValue::Vector(samples) => Ok(samples),
                QueryValue::Scalar(p) => Ok(vec![Sample { labels: Labels::empty(), t: p.t, value: Value::Float(p.v) }]),
                _ => Err("rule result is not a vector or scalar".to_owned()),
            }
        };
        // What rules and templates ask by text may use what a user must switch on.
        let parser = ParserOptions { experimental_functions: true, ..settings.parser };
        let mut query_text = |text: &str, at: TimeMs| -> Result<Vec<Sample>, String> {
            let expr = parse(text, parser).map_err(|e| e.to_string())?;
            match query_instant(&StoreSource(&self.store), text, &expr, at, &options, cancel)
                .map_err(|e| e.to_string())?
                .value
            {
                QueryValue::Vector(samples) => Ok(samples),
                QueryValue::Scalar(p) => Ok(vec![Sample { labels: Labels::empty(), t: p.t, value: Value::Float(p.v) }]),
                _ => Err("query result is not a vector or scalar".to_owned()),
            }
        };
        let iteration = group.evaluate(
            at,
            &mut Env {
                query: &mut query,
                query_text: &mut query_text,
                append: &mut |batch| append(&self.store, batch, at),
                external_labels: &settings.external_labels,
                external_url: &settings.external_url,
            },
            &|| began.elapsed(),
        );
        let (label, rules) = (group_label(&group), group.rules().count());
        for (rule, status) in group.rules() {
            if !status.last_error.is_empty() {
                tracing::warn!(
                    group = label,
                    rule = rule.spec().name(),
                    error = status.last_error,
                    "a rule can't be evaluated"
                );
            }
        }
        drop(group);
        let labels = [("rule_group", label.as_str())];
        self.counters.add("prometheus_rule_evaluations_total", &labels, rules as f64);
        self.counters.add("prometheus_rule_evaluation_failures_total", &labels, iteration.failures as f64);
        self.counters.add("prometheus_rule_group_iterations_total", &labels, 1.0);
        self.counters.add("prometheus_rule_evaluation_duration_seconds_sum", &[], began.elapsed().as_secs_f64());
        self.counters.add("prometheus_rule_evaluation_duration_seconds_count", &[], 1.0);
        self.alerting.insert(&with_external_labels(iteration.alerts, &settings.external_labels), crate::now());
    }

    fn missed(&self, turns: u64) {
        let label = group_label(&lock(&self.group));
        let labels = [("rule_group", label.as_str())];
        self.counters.add("prometheus_rule_group_iterations_total", &labels, turns as f64);
        self.counters.add("prometheus_rule_group_iterations_missed_total", &labels, turns as f64);
    }
}

/// Alerts go out with the labels of the installation, where they have none of that name themselves.
fn with_external_labels(mut alerts: Vec<watchglass_model::Alert>, external: &Labels) -> Vec<watchglass_model::Alert> {
    for alert in alerts.iter_mut().filter(|_| !external.is_empty()) {
        alert.labels = external.iter().chain(alert.labels.iter()).collect();
    }
    alerts
}
