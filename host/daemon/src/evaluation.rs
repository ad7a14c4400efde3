//! Rule groups at work: which there are, what wakes them, what becomes of those that go.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use watchglass_model::{Labels, Sample, SampleBatch, TimeMs, Value, stale_nan};
use watchglass_promql::ParserOptions;
use watchglass_rules::{Group, GroupSpec, Inputs, Timing};
use watchglass_store::Store;

use crate::alerting::Alerting;
use crate::group_turn::{GroupTurn, run};
use crate::metrics::{Counters, Metric, metric};

/// How far what a collection brought is followed from group to group: a rule on a rule on a rule. Groups that read each other would go on for ever.
const HOPS_MAX: u32 = 4;

/// What groups are evaluated with.
pub(crate) struct Evaluation {
    pub(crate) store: Arc<Store>,
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) counters: Arc<Counters>,
    running: RwLock<Vec<Running>>,
    /// Whether there were groups before: those that come later have nothing to restore.
    started: AtomicBool,
    /// For all groups of the configuration before this one.
    after_scrape: AtomicBool,
}

/// How groups are evaluated: from the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) interval_ms: i64,
    pub(crate) query_offset_ms: i64,
    pub(crate) timing: Timing,
    pub(crate) external_labels: Labels,
    pub(crate) external_url: String,
    pub(crate) parser: ParserOptions,
    pub(crate) lookback_ms: i64,
    pub(crate) timeout: Duration,
    /// Evaluates after each collection too.
    pub(crate) after_scrape: bool,
    /// Threads beyond one for each group, for rules that don't depend on each other.
    pub(crate) helpers: Semaphore,
}

/// What wakes a group between its turns.
#[derive(Default)]
pub(crate) struct Fresh {
    pub(crate) notify: Notify,
    /// How much further what woke it is followed.
    pub(crate) hops: AtomicU32,
}

struct Running {
    group: Arc<Mutex<Group>>,
    fresh: Arc<Fresh>,
    inputs: Inputs,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Evaluation {
    pub(crate) fn new(store: Arc<Store>, alerting: Arc<Alerting>, counters: Arc<Counters>) -> Evaluation {
        Evaluation {
            store,
            alerting,
            counters,
            running: RwLock::default(),
            started: AtomicBool::new(false),
            after_scrape: AtomicBool::new(false),
        }
    }

    /// Evaluates these groups from now on. A group that was there before goes on with its state; the series of one that is gone end.
    pub(crate) fn replace(
        self: &Arc<Self>,
        specs: Vec<GroupSpec>,
        external: Vec<Group>,
        settings: &Arc<Settings>,
        now: TimeMs,
    ) {
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        let mut old: HashMap<(String, String), Arc<Mutex<Group>>> = HashMap::new();
        // The tasks end here, at the latest after the turn that is under way: what follows waits for the group's lock.
        for entry in running.drain(..) {
            let group = Arc::clone(&entry.group);
            let key = key(&lock(&group));
            old.insert(key, group);
        }
        let restore = !self.started.swap(true, Ordering::Relaxed);
        self.after_scrape.store(settings.after_scrape, Ordering::Relaxed);
        let new = |spec| Group::new(spec, settings.interval_ms, settings.query_offset_ms, settings.timing);
        for mut group in specs.into_iter().map(new).chain(external) {
            if !restore {
                group.set_restored();
            }
            if let Some(before) = old.remove(&key(&group)) {
                let spec = GroupSpec { rules: Vec::new(), ..group.spec().clone() };
                let empty = Group::new(spec, 1, 0, settings.timing);
                group.take_state(std::mem::replace(&mut *lock(&before), empty));
            }
            running.push(self.start(group, settings));
        }
        drop(running);
        for gone in old.into_values() {
            self.end(&lock(&gone), now);
        }
    }

    /// Lets the series of a group that is gone end, once those that moved to another group have had the time to be written there.
    fn end(self: &Arc<Self>, group: &Group, now: TimeMs) {
        self.counters.forget("rule_group", &group_label(group));
        let series: Vec<Labels> = group.series().cloned().collect();
        let wait = Duration::from_millis(group.interval_ms().unsigned_abs().saturating_mul(2));
        if series.is_empty() {
            return;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let ended = tokio::task::spawn_blocking(move || {
                let living: HashSet<Labels> =
                    this.look(|g| g.series().cloned().collect::<Vec<_>>()).concat().into_iter().collect();
                let gone = series.into_iter().filter(|labels| !living.contains(labels));
                let samples: Vec<Sample> =
                    gone.map(|labels| Sample { labels, t: now, value: Value::Float(stale_nan()) }).collect();
                if !samples.is_empty() {
                    this.append(SampleBatch { samples, metadata: Vec::new() }, crate::now());
                }
            });
            if let Err(panic) = ended.await {
                tracing::error!(error = %panic, "bug: ending the series of a rule group panicked");
            }
        });
    }

    fn start(self: &Arc<Self>, group: Group, settings: &Arc<Settings>) -> Running {
        let (fresh, inputs, outputs) = (Arc::new(Fresh::default()), group.inputs(), group.outputs());
        let group = Arc::new(Mutex::new(group));
        let turn = GroupTurn {
            group: Arc::clone(&group),
            outputs,
            evaluation: Arc::clone(self),
            settings: Arc::clone(settings),
            fresh: Arc::clone(&fresh),
        };
        Running { group, fresh, inputs, task: tokio::spawn(run(Arc::new(turn))) }
    }

    /// Says that samples have come in.
    pub(crate) fn collected(&self, batch: &SampleBatch) {
        if self.after_scrape.load(Ordering::Relaxed) {
            let names: BTreeSet<&str> = batch.samples.iter().map(|s| s.labels.metric_name()).collect();
            self.wake(&names, HOPS_MAX);
        }
    }

    /// Wakes the groups that look at metrics of these names.
    pub(crate) fn wake(&self, names: &BTreeSet<&str>, hops: u32) {
        for entry in self.running.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if names.iter().any(|name| entry.inputs.may_read(name)) {
                entry.fresh.hops.fetch_max(hops, Ordering::Relaxed);
                entry.fresh.notify.notify_one();
            }
        }
    }

    /// Looks at every group, in the order of the files.
    pub(crate) fn look<T>(&self, mut look: impl FnMut(&Group) -> T) -> Vec<T> {
        // The list is copied, not held: a group's turn may take a while.
        let groups: Vec<_> =
            self.running.read().unwrap_or_else(PoisonError::into_inner).iter().map(|r| Arc::clone(&r.group)).collect();
        groups.iter().map(|group| look(&lock(group))).collect()
    }

    /// Stores what rules made.
    pub(crate) fn append(&self, batch: SampleBatch, now: TimeMs) {
        match self.store.append(&batch, now) {
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

pub(crate) fn lock(group: &Mutex<Group>) -> std::sync::MutexGuard<'_, Group> {
    group.lock().unwrap_or_else(PoisonError::into_inner)
}

/// File and name: what makes a group the same one after a reload.
fn key(group: &Group) -> (String, String) {
    (group.spec().file.clone(), group.spec().name.clone())
}

/// As in Prometheus' metrics: `FILE;GROUP`.
pub(crate) fn group_label(group: &Group) -> String {
    format!("{};{}", group.spec().file, group.spec().name)
}
