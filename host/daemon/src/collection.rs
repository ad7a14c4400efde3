//! Plugins and what they collect: the plugin folder, the collectors of the configuration, and one task for each target.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use watchglass_model::{Labels, SampleBatch, TimeMs};
use watchglass_plugin::{Collector, Evidence, Folder, Host, Plugin};
use watchglass_store::Store;
use watchglass_targets::{Schedule, Target, TargetState};

use crate::collector_plan::{Plan, plan};
use crate::config::Config;
use crate::evaluation::Evaluation;
use crate::metrics::{Counters, Metric, metric};
use crate::rule_plugins::RulePlugins;
use crate::scrape::{Scrape, TargetHealth};

/// Everything that collects.
pub(crate) struct Collection {
    host: Host,
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
    /// One change at a time: loading plugins waits for compilers, which the lock above must not.
    changing: tokio::sync::Mutex<()>,
}

/// What every target's task works with.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) evaluation: Arc<Evaluation>,
    pub(crate) counters: Arc<Counters>,
}

#[derive(Default)]
struct Inner {
    folder: Option<Folder>,
    /// By the file's name without `.wasm`.
    plugins: BTreeMap<String, Loaded>,
    /// By job.
    jobs: BTreeMap<String, Job>,
}

/// A file of the plugin folder.
struct Loaded {
    path: PathBuf,
    /// What runs: the newest version that could be loaded.
    plugin: Option<Arc<Plugin>>,
    /// Why the newest version could not be.
    error: Option<String>,
}

/// A collector of the configuration, or a plugin that runs by itself.
struct Job {
    plan: Plan,
    /// Hash of the plugin that it was made of.
    hash: String,
    running: Result<Running, String>,
}

struct Running {
    collector: Arc<ArcSwap<Collector>>,
    targets: Vec<RunningTarget>,
    dropped: Vec<Labels>,
    errors: Vec<String>,
}

/// What is known of a target between two collections.
type Known = (Arc<Mutex<TargetState>>, Arc<Mutex<TargetHealth>>);

struct RunningTarget {
    target: Target,
    state: Arc<Mutex<TargetState>>,
    health: Arc<Mutex<TargetHealth>>,
    task: JoinHandle<()>,
}

impl Drop for RunningTarget {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A job as the API shows it.
pub(crate) struct JobView {
    pub(crate) job: String,
    pub(crate) plugin: String,
    pub(crate) active: Vec<TargetView>,
    pub(crate) dropped: Vec<Labels>,
}

/// A target as the API shows it.
pub(crate) struct TargetView {
    pub(crate) discovered: Labels,
    pub(crate) labels: Labels,
    pub(crate) url: String,
    pub(crate) health: &'static str,
    pub(crate) last_error: String,
    pub(crate) last_scrape: TimeMs,
    pub(crate) last_duration: Duration,
    pub(crate) interval: String,
    pub(crate) timeout: String,
    pub(crate) evidence: Vec<Evidence>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collection {
    pub(crate) fn new(
        host: Host,
        store: Arc<Store>,
        evaluation: Arc<Evaluation>,
        counters: Arc<Counters>,
    ) -> Collection {
        let shared = Arc::new(Shared { store, evaluation, counters });
        Collection { host, shared, inner: Mutex::default(), changing: tokio::sync::Mutex::new(()) }
    }

    /// The plugin host, for rule plugins.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Runs what the configuration says, with the plugins that lie in the folder now.
    pub(crate) async fn apply(&self, config: &Config) {
        let _one = self.changing.lock().await;
        {
            let mut inner = lock(&self.inner);
            let dir = config.plugins_dir();
            if inner.folder.as_ref().is_none_or(|f| f.dir() != dir) {
                inner.folder = Some(Folder::new(dir));
                inner.plugins.clear();
            }
        }
        self.scan().await;
        self.run_jobs(config).await;
    }

    /// Looks whether the plugin folder changed; if so, runs what the configuration says of what came, changed or went. True if it did.
    pub(crate) async fn look_for_changes(&self, config: &Config) -> bool {
        let _one = self.changing.lock().await;
        let changed = self.scan().await;
        if changed || self.file_sd_changed(config) {
            self.run_jobs(config).await;
        }
        changed
    }

    /// The plugin of a name, if it is loaded.
    pub(crate) fn plugin(&self, name: &str) -> Result<Arc<Plugin>, String> {
        let inner = lock(&self.inner);
        let dir = inner.folder.as_ref().map(|f| f.dir().display().to_string()).unwrap_or_default();
        match inner.plugins.get(name) {
            Some(Loaded { plugin: Some(plugin), .. }) => Ok(Arc::clone(plugin)),
            Some(Loaded { error, .. }) => Err(error.clone().unwrap_or_default()),
            None => {
                let names: Vec<&str> = inner.plugins.keys().map(String::as_str).collect();
                let near = watchglass_text::nearest(name, names.iter().copied());
                let hint = near.map_or_else(String::new, |n| format!("\nhint: did you mean `{n}`?"));
                Err(format!(
                    "there is no `{name}.wasm` in {dir} (there: {}){hint}",
                    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
                ))
            }
        }
    }

    async fn scan(&self) -> bool {
        let changes = {
            let mut inner = lock(&self.inner);
            let Some(folder) = &mut inner.folder else { return false };
            match folder.scan() {
                Ok(changes) => changes,
                Err(e) => {
                    tracing::warn!(folder = %folder.dir().display(), error = %e, "the plugin folder can't be read; what runs goes on");
                    return false;
                }
            }
        };
        for path in changes.added.iter().chain(&changes.changed) {
            let name = stem(path);
            tracing::info!(plugin = name, file = %path.display(), "loading a plugin");
            // Outside the lock: the API goes on while a compiler runs.
            let loaded = self.host.load(path).await;
            let mut inner = lock(&self.inner);
            let entry = inner.plugins.entry(name.clone()).or_insert_with(|| Loaded {
                path: path.clone(),
                plugin: None,
                error: None,
            });
            match loaded {
                Ok(plugin) => {
                    let from = if plugin.from_cache { "cache" } else { "compiler" };
                    self.shared.counters.add("watchglass_compiled_plugins_total", &[("from", from)], 1.0);
                    *entry = Loaded { path: path.clone(), plugin: Some(plugin), error: None };
                }
                Err(e) => {
                    tracing::error!(plugin = name, "{e}");
                    entry.error = Some(e.to_string());
                }
            }
        }
        let mut inner = lock(&self.inner);
        for path in &changes.removed {
            tracing::info!(plugin = stem(path), "a plugin was removed");
            inner.plugins.remove(&stem(path));
        }
        !changes.is_empty()
    }

    /// Whether the targets that files list are others than those that run.
    fn file_sd_changed(&self, config: &Config) -> bool {
        let inner = lock(&self.inner);
        inner.jobs.values().filter(|job| job.plan.has_files()).any(|job| {
            let now = job.plan.groups(config);
            now != job.plan.groups
        })
    }

    async fn run_jobs(&self, config: &Config) {
        let plugins: Vec<Arc<Plugin>> = lock(&self.inner).plugins.values().filter_map(|l| l.plugin.clone()).collect();
        let plans = plan(config, &plugins);
        let mut old = std::mem::take(&mut lock(&self.inner).jobs);
        let mut jobs = BTreeMap::new();
        for plan in plans {
            let name = plan.options.job.clone();
            let before = old.remove(&name);
            let job = self.job(plan, before).await;
            jobs.insert(name, job);
        }
        for (name, job) in old {
            self.stop(&name, job);
        }
        lock(&self.inner).jobs = jobs;
    }

    async fn job(&self, plan: Plan, before: Option<Job>) -> Job {
        let name = plan.options.job.clone();
        let plugin = match self.plugin(&plan.entry.plugin) {
            Ok(plugin) => plugin,
            Err(e) => return self.failed(plan, before, String::new(), e),
        };
        let hash = plugin.hash.clone();
        if let Some(before) = before {
            // Nothing changed that concerns it.
            if before.hash == hash && before.plan == plan && before.running.is_ok() {
                return before;
            }
            // Only its plugin is new: the next calls are made to the new one, targets and their state stay.
            let same_plan = before.plan == plan;
            match (same_plan, &before.running, self.collector(&plan, &plugin).await) {
                (true, Ok(running), Ok(collector)) => {
                    running.collector.store(Arc::new(collector));
                    tracing::info!(collector = name, version = plugin.manifest.version, "the plugin was swapped");
                    return Job { hash, ..before };
                }
                (true, Ok(_), Err(e)) => {
                    tracing::error!(collector = name, "the new version can't be used, the one before goes on: {e}");
                    return before;
                }
                (_, _, Ok(collector)) => return self.start(plan, hash, collector, Some(before)),
                (_, _, Err(e)) => return self.failed(plan, Some(before), hash, e),
            }
        }
        match self.collector(&plan, &plugin).await {
            Ok(collector) => self.start(plan, hash, collector, None),
            Err(e) => self.failed(plan, None, hash, e),
        }
    }

    fn failed(&self, plan: Plan, before: Option<Job>, hash: String, error: String) -> Job {
        let unchanged = before.as_ref().is_some_and(|b| b.running.as_ref().err() == Some(&error));
        if !unchanged {
            tracing::error!(collector = plan.options.job, "the collector is not run: {error}");
        }
        if let Some(before) = before {
            self.stop(&plan.options.job, before);
        }
        Job { plan, hash, running: Err(error) }
    }

    async fn collector(&self, plan: &Plan, plugin: &Arc<Plugin>) -> Result<Collector, String> {
        self.host.collector(Arc::clone(plugin), plan.spec(plugin)?).await.map_err(|e| e.to_string())
    }

    /// Starts a job's targets. Those that ran before under the same labels keep what they know; the others end.
    fn start(&self, plan: Plan, hash: String, collector: Collector, before: Option<Job>) -> Job {
        let now = crate::now();
        let mut kept: HashMap<Labels, Known> = HashMap::new();
        if let Some(Job { running: Ok(mut running), .. }) = before {
            for target in running.targets.drain(..) {
                target.task.abort();
                kept.insert(target.target.labels.clone(), (Arc::clone(&target.state), Arc::clone(&target.health)));
            }
        }
        let collector = Arc::new(ArcSwap::from_pointee(collector));
        let resolved = plan.resolve();
        for error in &resolved.errors {
            tracing::warn!("{error}");
        }
        let job = plan.options.job.clone();
        self.shared.counters.set(
            "prometheus_sd_discovered_targets",
            &[("config", &job), ("name", "scrape")],
            (resolved.active.len() + resolved.dropped_count) as f64,
        );
        if let Some(refused) = &resolved.refused {
            tracing::error!(collector = job, "{refused}");
        }
        let mut targets = Vec::with_capacity(resolved.active.len());
        for target in resolved.active {
            let (state, health) = kept.remove(&target.labels).unwrap_or_else(|| {
                (Arc::new(Mutex::new(TargetState::new(target.labels.clone(), plan.samples.clone()))), Arc::default())
            });
            lock(&state).set_options(plan.samples.clone());
            let scrape = Scrape {
                job: job.clone(),
                plugin: plan.entry.plugin.clone(),
                local: !plan.has_targets(),
                target: target.clone(),
                refused: resolved.refused.clone(),
                classic_beside_native: plan.entry.always_scrape_classic_histograms,
                series_limit: plan.limits().series,
                collector: Arc::clone(&collector),
                state: Arc::clone(&state),
                health: Arc::clone(&health),
                shared: Arc::clone(&self.shared),
            };
            let schedule = Schedule::new(&job, &target.labels, target.interval_ms, now);
            let task = tokio::spawn(scrape.run(schedule));
            targets.push(RunningTarget { target, state, health, task });
        }
        for (state, _) in kept.into_values() {
            self.end(&state, now);
        }
        let running = Running { collector, targets, dropped: resolved.dropped, errors: resolved.errors };
        Job { plan, hash, running: Ok(running) }
    }

    /// Stops a job: its targets' series end.
    fn stop(&self, name: &str, job: Job) {
        if let Ok(running) = &job.running {
            for target in &running.targets {
                target.task.abort();
                self.end(&target.state, crate::now());
            }
        }
        self.shared.counters.forget("config", name);
        self.shared.counters.forget("collector", name);
    }

    fn end(&self, state: &Mutex<TargetState>, now: TimeMs) {
        let batch: SampleBatch = lock(state).end(now);
        if let Err(e) = self.shared.store.append(&batch, now) {
            tracing::error!(error = %e, "staleness markers of a target that is gone were lost");
        }
    }

    /// The jobs with their targets.
    pub(crate) fn targets(&self) -> Vec<JobView> {
        let inner = lock(&self.inner);
        inner.jobs.iter().map(|(name, job)| view(name, job)).collect()
    }

    /// Whether every target that can be collected has been, at least once.
    pub(crate) fn all_collected(&self) -> bool {
        let inner = lock(&self.inner);
        inner
            .jobs
            .values()
            .filter_map(|j| j.running.as_ref().ok())
            .flat_map(|r| &r.targets)
            .all(|t| lock(&t.health).last_scrape > 0)
    }

    /// What is wrong with a job, for `--once` and the log.
    pub(crate) fn problems(&self) -> Vec<String> {
        let inner = lock(&self.inner);
        let jobs = inner
            .jobs
            .iter()
            .filter_map(|(name, job)| Some(format!("collector `{name}`: {}", job.running.as_ref().err()?)));
        jobs.chain(inner.plugins.values().filter_map(|l| l.error.clone())).collect()
    }

    /// The plugins as `/api/v1/plugins` shows them.
    pub(crate) fn plugins(&self, rules: &RulePlugins) -> Vec<Value> {
        let inner = lock(&self.inner);
        inner.plugins.iter().map(|(name, loaded)| plugin_json(name, loaded, &inner.jobs, rules.of(name))).collect()
    }

    /// Plugins that nothing runs, with the lines that would start them.
    pub(crate) fn waiting(&self, config: &Config) -> Vec<(String, String)> {
        let inner = lock(&self.inner);
        let used = |name: &str| {
            inner.jobs.values().any(|j| j.plan.entry.plugin == name)
                || config.file.rule_plugin.iter().any(|r| r.value.plugin == name)
        };
        let plugins = inner.plugins.iter().filter(|(name, _)| !used(name));
        plugins.filter_map(|(name, l)| Some((name.clone(), l.plugin.as_ref()?.suggested_toml()))).collect()
    }

    /// The metrics of plugins.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let inner = lock(&self.inner);
        let mut out = Vec::new();
        for (name, loaded) in &inner.plugins {
            let state = if loaded.error.is_some() { "failed" } else { "loaded" };
            let version = loaded.plugin.as_ref().map_or("", |p| p.manifest.version.as_str());
            out.push(metric(
                "watchglass_plugin_info",
                &[("plugin", name), ("version", version), ("state", state)],
                1.0,
            ));
        }
        for (name, job) in &inner.jobs {
            let Ok(running) = &job.running else { continue };
            let (stats, plugin) = (running.collector.load().stats(), job.plan.entry.plugin.as_str());
            let labels = [("collector", name.as_str()), ("plugin", plugin)];
            out.extend([
                metric("watchglass_plugin_calls_total", &labels, stats.calls as f64),
                metric("watchglass_plugin_cpu_seconds_total", &labels, stats.cpu.as_secs_f64()),
                metric("watchglass_plugin_denied_total", &labels, stats.denied as f64),
                metric("watchglass_plugin_duration_seconds_count", &labels, stats.calls as f64),
                metric("watchglass_plugin_duration_seconds_sum", &labels, stats.duration.as_secs_f64()),
                metric("watchglass_plugin_memory_bytes", &labels, stats.memory_bytes as f64),
                metric("watchglass_plugin_samples_dropped_total", &labels, stats.samples_dropped as f64),
                metric("watchglass_plugin_samples_total", &labels, stats.samples as f64),
            ]);
            for (reason, count) in &stats.failures {
                out.push(metric(
                    "watchglass_plugin_failures_total",
                    &[labels[0], labels[1], ("reason", reason.as_str())],
                    *count as f64,
                ));
            }
        }
        out
    }
}

fn stem(path: &std::path::Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

fn view(name: &str, job: &Job) -> JobView {
    let mut out = JobView {
        job: name.to_owned(),
        plugin: job.plan.entry.plugin.clone(),
        active: Vec::new(),
        dropped: Vec::new(),
    };
    match &job.running {
        Ok(running) => {
            out.dropped = running.dropped.clone();
            out.active = running.targets.iter().map(|t| target_view(&t.target, &lock(&t.health))).collect();
        }
        // What can't be run is down, with the reason beside it.
        Err(error) => {
            let health = TargetHealth { last_error: error.clone(), health: "down", ..TargetHealth::default() };
            out.active = job.plan.resolve().active.iter().map(|t| target_view(t, &health)).collect();
        }
    }
    out
}

fn target_view(target: &Target, health: &TargetHealth) -> TargetView {
    let duration = |ms: i64| watchglass_model::DurationMs(ms).to_string();
    TargetView {
        discovered: target.discovered.clone(),
        labels: target.labels.clone(),
        url: target.url(),
        health: health.health,
        last_error: health.last_error.clone(),
        last_scrape: health.last_scrape,
        last_duration: health.last_duration,
        interval: duration(target.interval_ms),
        timeout: duration(target.timeout_ms),
        evidence: health.evidence.clone(),
    }
}

fn plugin_json(name: &str, loaded: &Loaded, jobs: &BTreeMap<String, Job>, rules: Vec<Value>) -> Value {
    let mut out = json!({ "name": name, "file": loaded.path.display().to_string() });
    if let Some(error) = &loaded.error {
        out["error"] = json!(error);
    }
    let used: Vec<Value> = jobs
        .iter()
        .filter(|(_, job)| job.plan.entry.plugin == name)
        .map(|(job_name, job)| match &job.running {
            Ok(running) => {
                let collector = running.collector.load();
                let stats = collector.stats();
                json!({
                    "name": job_name,
                    "state": collector.state(),
                    "targets": running.targets.len(),
                    "problems": running.errors,
                    "grants": job.plan.entry.grants,
                    "calls": stats.calls,
                    "failures": stats.failures.iter().map(|(r, n)| (r.as_str().to_owned(), json!(n))).collect::<serde_json::Map<_, _>>(),
                    "cpuSeconds": stats.cpu.as_secs_f64(),
                    "memoryBytes": stats.memory_bytes,
                    "samples": stats.samples,
                })
            }
            Err(error) => json!({ "name": job_name, "state": { "state": "not run", "reason": error } }),
        })
        .collect();
    if let Some(plugin) = &loaded.plugin {
        out["sha256"] = json!(plugin.hash);
        out["kind"] = json!(plugin.kind);
        out["imports"] = json!(plugin.imports);
        out["manifest"] = json!(plugin.manifest);
        if used.is_empty() && rules.is_empty() {
            out["waiting"] = json!(true);
            out["suggestedConfig"] = json!(plugin.suggested_toml());
        }
    }
    out["collectors"] = json!(used);
    out["rules"] = json!(rules);
    out
}
