//! The daemon: what it is made of, and how the parts are handed to each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use watchglass_alerts::{Alerts, GroupBy, IntegrationSpec, Route, RoutingConfig};
use watchglass_model::exposition::Family;
use watchglass_model::{Labels, MetricType, TimeMs};
use watchglass_notify::Notifier;
use watchglass_notify::config::{AlertmanagerConfig, HttpConfig, Integration, IntegrationConfig, Receiver, SecretUrl};
use watchglass_notify::forward::ForwardConfig;
use watchglass_plugin::{Host, HostOptions};
use watchglass_promql::ParserOptions;
use watchglass_rules::{GroupSpec, Timing};
use watchglass_store::{Options as StoreOptions, Store};

use crate::alerting::Alerting;
use crate::collection::Collection;
use crate::config::Config;
use crate::evaluation::{Evaluation, Settings};
use crate::metrics::{Counters, METRICS, Metric, metric, process_metrics, store_metrics};
use crate::query_service::QueryService;
use crate::rule_plugins::RulePlugins;
use crate::state::State;

/// The rules that come with us.
const SHIPPED_RULES: &str = include_str!("../shipped/rules.yml");
/// Where alerts go without an alertmanager.yml.
const SHIPPED_ALERTMANAGER: &str = include_str!("../shipped/alertmanager.yml");

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) store: Arc<Store>,
    pub(crate) queries: QueryService,
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) evaluation: Arc<Evaluation>,
    pub(crate) collection: Arc<Collection>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) rule_plugins: RulePlugins,
    pub(crate) started: TimeMs,
    config: ArcSwap<Config>,
    alertmanager: ArcSwap<Alertmanager>,
    /// The groups of the rule files.
    groups: Mutex<Vec<GroupSpec>>,
    /// What rules and routing were read from, to see when it changes.
    sources: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    ready: AtomicBool,
    reload_ok: AtomicBool,
    loaded_at: AtomicI64,
    reloading: tokio::sync::Mutex<()>,
    config_path: Option<PathBuf>,
    overrides: Overrides,
}

/// What the command line says over the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<String>,
    pub(crate) data: Option<String>,
    /// The port that we have, where the system chose it.
    pub(crate) port: Option<u16>,
}

impl Overrides {
    pub(crate) fn apply(&self, config: &mut Config) -> anyhow::Result<()> {
        if let Some(listen) = &self.listen {
            config.file.web.listen.clone_from(listen);
            config.listen_address().map_err(|e| anyhow!("{e}"))?;
        }
        if let Some(port) = self.port {
            let mut address = config.listen_address().map_err(|e| anyhow!("{e}"))?;
            if address.port() == 0 {
                address.set_port(port);
                config.file.web.listen = address.to_string();
            }
        }
        if let Some(data) = &self.data {
            // Relative to where the command is given, not to the file.
            config.file.storage.path = std::path::absolute(data)?.display().to_string();
        }
        Ok(())
    }
}

/// An alertmanager.yml that is in force.
struct Alertmanager {
    text: String,
    /// Names and labels of all receivers.
    receivers: Vec<(String, BTreeMap<String, String>)>,
    /// 48 bits made of the text.
    hash: f64,
}

/// All that is read from files, checked before any of it is put to work.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) groups: Vec<GroupSpec>,
    pub(crate) alertmanager: AlertmanagerConfig,
    alertmanager_text: String,
    sources: BTreeMap<PathBuf, Vec<u8>>,
}

/// What can't be loaded: every error, not the first alone.
#[derive(Debug)]
pub(crate) struct LoadErrors(pub(crate) Vec<String>);

impl std::fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Reads the configuration and everything that it names.
pub(crate) fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Loaded, LoadErrors> {
    let mut config = Config::load(path).map_err(|e| LoadErrors(vec![e.to_string()]))?;
    overrides.apply(&mut config).map_err(|e| LoadErrors(vec![format!("{e:#}")]))?;
    let mut errors = Vec::new();
    let mut sources = BTreeMap::new();
    if let Some(path) = &config.path {
        sources.insert(path.clone(), config.text.clone().into_bytes());
    }
    let parser = parser_options(&config);
    let mut groups = Vec::new();
    let mut rules = |name: &str, text: &str, errors: &mut Vec<String>| match watchglass_rules::parse_rule_file(
        text, name, parser,
    ) {
        Ok(found) => {
            found.warnings.iter().for_each(|w| tracing::warn!("{w}"));
            groups.extend(found.groups);
        }
        Err(found) => errors.extend(found.into_iter().map(|e| e.to_string())),
    };
    if config.file.rules.shipped {
        rules("shipped", SHIPPED_RULES, &mut errors);
    }
    for path in config.rule_files() {
        let shown = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                rules(&shown, &text, &mut errors);
                sources.insert(path, text.into_bytes());
            }
            Err(e) => errors.push(format!("{shown}: cannot be read: {e}\nhint: rules.files names it")),
        }
    }
    let (name, text) = match &config.file.alerting.config {
        None => ("shipped".to_owned(), SHIPPED_ALERTMANAGER.to_owned()),
        Some(path) => {
            let path = config.resolve(path);
            let shown = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    sources.insert(path, text.clone().into_bytes());
                    (shown, text)
                }
                Err(e) => {
                    errors.push(format!("{shown}: cannot be read: {e}\nhint: alerting.config names it"));
                    ("shipped".to_owned(), SHIPPED_ALERTMANAGER.to_owned())
                }
            }
        }
    };
    match AlertmanagerConfig::parse(&text, &name) {
        Ok(mut alertmanager) if errors.is_empty() => {
            if config.file.alerting.config.is_none() {
                alertmanager.receivers.iter_mut().for_each(|r| r.integrations.push(console()));
            }
            if let Err(e) = forward(&mut alertmanager, &config.file.alerting.forward, config.file.rules.resend_delay.ms)
            {
                return Err(LoadErrors(vec![e]));
            }
            Ok(Loaded { config, groups, alertmanager, alertmanager_text: text, sources })
        }
        Ok(_) => Err(LoadErrors(errors)),
        Err(e) => {
            errors.push(e.to_string());
            Err(LoadErrors(errors))
        }
    }
}

/// Refuses a configuration by which alerts would be lost: a route leads where nothing can be sent to.
pub(crate) fn refuse_unsendable(loaded: &Loaded) -> Result<(), LoadErrors> {
    let unsupported = loaded.alertmanager.unsupported_receivers_reached_by_routes();
    let Some((receiver, kind)) = unsupported.first() else { return Ok(()) };
    Err(LoadErrors(vec![format!(
        "a route leads to receiver `{receiver}`, whose {kind}_configs can't be sent to yet: its alerts would be lost\n\
         hint: give the receiver slack_configs or webhook_configs, or route its alerts elsewhere"
    )]))
}

/// The integration that prints.
fn console() -> Integration {
    Integration { spec: IntegrationSpec::new("console", 0, true), config: IntegrationConfig::Console }
}

/// The receiver that hands everything on to other Alertmanagers. No name of a file: it can't be one of a user's.
const FORWARD: &str = "alerting.forward";

/// Puts a route in front of all others that hands every alert on by itself, at once, and lets it go on. An Alertmanager is told again every `resend_ms`, as Prometheus
/// does: it forgets an alert that it does not hear of.
fn forward(alertmanager: &mut AlertmanagerConfig, urls: &[String], resend_ms: i64) -> Result<(), String> {
    if urls.is_empty() {
        return Ok(());
    }
    let mut integrations = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        let url = SecretUrl::parse(url).map_err(|e| format!("alerting.forward: {e}"))?;
        let config =
            IntegrationConfig::Alertmanager(Box::new(ForwardConfig { url, http_config: HttpConfig::default() }));
        integrations.push(Integration { spec: IntegrationSpec::new("alertmanager", index, true), config });
    }
    alertmanager.receivers.push(Receiver { name: FORWARD.to_owned(), labels: BTreeMap::new(), integrations });
    let everything = Route {
        receiver: Some(FORWARD.to_owned()),
        group_by: Some(GroupBy::All),
        continue_matching: true,
        group_wait: Some(0),
        group_interval: Some(resend_ms.max(1)),
        // Shorter, so that every flush of the group finds it due.
        repeat_interval: Some((resend_ms / 2).max(1)),
        ..Route::default()
    };
    let before = std::mem::take(&mut alertmanager.route);
    alertmanager.route =
        Route { receiver: before.receiver.clone(), routes: vec![everything, before], ..Route::default() };
    Ok(())
}

/// What `[query]` lets expressions use.
pub(crate) fn parser_options(config: &Config) -> ParserOptions {
    let query = &config.file.query;
    ParserOptions {
        experimental_functions: query.experimental_functions,
        extended_range_selectors: query.extended_range_selectors,
        fill_modifiers: query.fill_modifiers,
    }
}

impl Daemon {
    /// Puts everything together; nothing runs before [`Daemon::start`].
    pub(crate) fn new(
        loaded: &Loaded,
        config_path: Option<PathBuf>,
        overrides: Overrides,
    ) -> anyhow::Result<Arc<Daemon>> {
        let (config, now) = (&loaded.config, crate::now());
        let data = config.data_dir();
        std::fs::create_dir_all(&data)
            .with_context(|| format!("cannot make the data directory `{}`", data.display()))?;
        let options = StoreOptions { retention_ms: config.file.storage.retention.ms, ..StoreOptions::default() };
        let (store, report) = Store::open(&data, options, now)?;
        tracing::info!(
            folder = %data.display(), blocks = report.blocks, series = report.series, samples = report.samples, seconds = report.seconds,
            "opened the data directory"
        );
        let failed = report
            .failed_blocks
            .iter()
            .map(|(block, why)| format!("block {block} can't be read and is left alone: {why}"));
        for trouble in report.repairs.iter().cloned().chain(failed) {
            tracing::warn!("the data directory: {trouble}");
        }
        let store = Arc::new(store);
        let counters = Arc::new(Counters::default());
        let state = State::open(&data.join("alerting.redb"))?;
        let saved = state.load()?;
        let machine = Alerts::new(routing(loaded), saved, now)?;
        let alerting = Arc::new(Alerting::new(machine, notifier(loaded)?, state, Arc::clone(&counters)));
        let evaluation = Arc::new(Evaluation::new(Arc::clone(&store), Arc::clone(&alerting), Arc::clone(&counters)));
        let host = Host::new(HostOptions::new(config.cache_dir()))?;
        let collection =
            Arc::new(Collection::new(host, Arc::clone(&store), Arc::clone(&evaluation), Arc::clone(&counters)));
        Ok(Arc::new(Daemon {
            queries: QueryService::new(Arc::clone(&store), &config.file.query),
            store,
            alerting,
            evaluation,
            collection,
            counters,
            rule_plugins: RulePlugins::default(),
            started: now,
            config: ArcSwap::from_pointee(config.clone()),
            alertmanager: ArcSwap::from_pointee(Alertmanager::of(loaded)),
            groups: Mutex::default(),
            sources: Mutex::new(loaded.sources.clone()),
            ready: AtomicBool::new(false),
            reload_ok: AtomicBool::new(true),
            loaded_at: AtomicI64::new(now),
            reloading: tokio::sync::Mutex::new(()),
            config_path,
            overrides,
        }))
    }

    /// Starts collecting, evaluating and notifying.
    pub(crate) async fn start(self: &Arc<Self>, loaded: Loaded) {
        tokio::spawn(Arc::clone(&self.alerting).run());
        *self.groups.lock().unwrap_or_else(PoisonError::into_inner) = loaded.groups;
        // Plugins first: a rule plugin is one of them.
        self.collection.apply(&self.config()).await;
        self.run_groups().await;
        for (name, toml) in self.collection.waiting(&self.config()) {
            tracing::info!("plugin `{name}` waits: nothing in the configuration runs it; this would:\n{toml}");
        }
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Evaluates the groups of the rule files and of the rule plugins from now on.
    async fn run_groups(self: &Arc<Self>) {
        let config = self.config();
        let rules = &config.file.rules;
        let timing = Timing {
            resend_delay_ms: rules.resend_delay.ms,
            outage_tolerance_ms: rules.for_outage_tolerance.ms,
            grace_ms: rules.for_grace_period.ms,
        };
        let settings = Arc::new(Settings {
            interval_ms: config.file.global.evaluation_interval.ms,
            query_offset_ms: config.file.global.rule_query_offset.ms,
            timing,
            external_labels: config.external_labels(),
            external_url: self.external_url(),
            parser: parser_options(&config),
            lookback_ms: config.file.query.lookback_delta.ms,
            timeout: config.file.query.timeout.std(),
            after_scrape: rules.evaluate_after_scrape,
            helpers: Semaphore::new(rules.max_concurrent_evals),
        });
        let specs = self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let external = self.rule_plugins.groups(&config, &self.collection, timing).await;
        let (this, runtime) = (Arc::clone(self), tokio::runtime::Handle::current());
        // It waits for turns that are under way.
        let replaced = tokio::task::spawn_blocking(move || {
            let _context = runtime.enter();
            this.evaluation.replace(specs, external, &settings, crate::now());
        });
        if let Err(panic) = replaced.await {
            tracing::error!(error = %panic, "bug: starting the rules panicked");
        }
    }

    /// Looks whether plugins came, changed or went; a rule plugin may be among them.
    pub(crate) async fn look_at_plugins(self: &Arc<Self>) {
        let config = self.config();
        if self.collection.look_for_changes(&config).await && !config.file.rule_plugin.is_empty() {
            self.run_groups().await;
        }
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Reads everything again and works by it; on an error everything goes on as it was.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<(), LoadErrors> {
        let _one = self.reloading.lock().await;
        let result = self.try_reload().await;
        self.reload_ok.store(result.is_ok(), Ordering::Relaxed);
        match &result {
            Ok(()) => {
                self.loaded_at.store(crate::now(), Ordering::Relaxed);
                tracing::info!("the configuration was reloaded");
            }
            Err(e) => tracing::error!("the configuration was not reloaded, the one before goes on:\n{e}"),
        }
        result
    }

    async fn try_reload(self: &Arc<Self>) -> Result<(), LoadErrors> {
        let loaded = load(self.config_path.as_deref(), &self.overrides)?;
        refuse_unsendable(&loaded)?;
        let one = |e: String| LoadErrors(vec![e]);
        let old = self.config();
        for (what, before, now) in [
            ("web.listen", &old.file.web.listen, &loaded.config.file.web.listen),
            ("storage.path", &old.file.storage.path, &loaded.config.file.storage.path),
        ] {
            if before != now {
                tracing::warn!("{what} changed from `{before}` to `{now}`: that takes a restart");
            }
        }
        let notifier = notifier(&loaded).map_err(|e| one(format!("{e:#}")))?;
        self.alerting.reload(routing(&loaded), notifier, crate::now()).map_err(|e| one(e.to_string()))?;
        self.config.store(Arc::new(loaded.config.clone()));
        self.alertmanager.store(Arc::new(Alertmanager::of(&loaded)));
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = loaded.sources;
        *self.groups.lock().unwrap_or_else(PoisonError::into_inner) = loaded.groups;
        self.collection.apply(&self.config()).await;
        self.run_groups().await;
        Ok(())
    }

    /// Whether a file that the configuration was read from has another content now.
    pub(crate) fn sources_changed(&self) -> bool {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let listed = self.config().rule_files();
        let new_rule_file = listed.iter().any(|path| !sources.contains_key(path) && path.is_file());
        new_rule_file || sources.iter().any(|(path, text)| std::fs::read(path).is_ok_and(|now| now != *text))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn reload_succeeded(&self) -> bool {
        self.reload_ok.load(Ordering::Relaxed)
    }

    pub(crate) fn config_loaded_at(&self) -> TimeMs {
        self.loaded_at.load(Ordering::Relaxed)
    }

    /// The text of the alertmanager.yml in force, its secrets hidden.
    pub(crate) fn alertmanager_config_text(&self) -> String {
        self.alertmanager.load().text.clone()
    }

    /// The names of all receivers, and the labels of each.
    pub(crate) fn receivers(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.alertmanager.load().receivers.clone()
    }

    /// Where people reach us.
    pub(crate) fn external_url(&self) -> String {
        external_url(&self.config())
    }

    /// Everything that `/metrics` shows.
    pub(crate) fn families(&self) -> Vec<Family> {
        let config = self.config();
        let seconds = |t: TimeMs| t as f64 / 1000.0;
        let ok = f64::from(u8::from(self.reload_succeeded()));
        let max = config.file.query.max_concurrency;
        let mut all = vec![
            metric("process_start_time_seconds", &[], seconds(self.started)),
            metric(
                "prometheus_build_info",
                &[("version", env!("CARGO_PKG_VERSION")), ("branch", ""), ("revision", "")],
                1.0,
            ),
            metric("prometheus_config_last_reload_success_timestamp_seconds", &[], seconds(self.config_loaded_at())),
            metric("prometheus_config_last_reload_successful", &[], ok),
            metric(
                "alertmanager_build_info",
                &[("version", env!("CARGO_PKG_VERSION")), ("branch", ""), ("revision", "")],
                1.0,
            ),
            metric("alertmanager_config_hash", &[], self.alertmanager.load().hash),
            metric("alertmanager_config_last_reload_success_timestamp_seconds", &[], seconds(self.config_loaded_at())),
            metric("alertmanager_config_last_reload_successful", &[], ok),
            metric("prometheus_engine_queries", &[], self.queries.running(max) as f64),
            metric("prometheus_engine_queries_concurrent_max", &[], max as f64),
        ];
        all.extend(process_metrics());
        all.extend(store_metrics(&self.store.stats(), config.file.storage.retention.ms));
        all.extend(self.alerting.metrics(crate::now()));
        all.extend(self.evaluation.metrics());
        all.extend(self.collection.metrics());
        all.extend(self.rule_plugins.metrics());
        all.extend(self.counters.metrics());
        families(all)
    }
}

/// Sorts metrics into the families of the table.
fn families(metrics: Vec<Metric>) -> Vec<Family> {
    let mut families: BTreeMap<&str, Family> = BTreeMap::new();
    for m in metrics {
        let of_summary =
            ["_bucket", "_sum", "_count"].iter().find_map(|suffix| Some((m.name.strip_suffix(suffix)?, *suffix)));
        let known = |name: &str| METRICS.iter().find(|(n, ..)| *n == name);
        let (name, suffix) = of_summary.filter(|(name, _)| known(name).is_some()).unwrap_or((m.name, ""));
        let family = families.entry(name).or_insert_with(|| {
            let (kind, help) = known(name).map_or((MetricType::Unknown, ""), |(_, kind, help)| (*kind, *help));
            Family::new(name, kind, help)
        });
        family.push(suffix, m.labels.iter(), m.value);
    }
    families.into_values().collect()
}

/// Where people reach us: as configured, else this machine's name with our port.
pub(crate) fn external_url(config: &Config) -> String {
    if let Some(url) = &config.file.web.external_url {
        return url.trim_end_matches('/').to_owned();
    }
    let port = config.listen_address().map_or(0, |a| a.port());
    format!("http://{}:{port}", crate::hostname())
}

fn routing(loaded: &Loaded) -> RoutingConfig {
    let mut options = watchglass_alerts::Options::default();
    if let Some(retention) = loaded.config.file.alerting.retention {
        options.retention = retention.ms;
    }
    loaded.alertmanager.routing(options)
}

fn notifier(loaded: &Loaded) -> anyhow::Result<Notifier> {
    let config = &loaded.config;
    // Template files and certificates are named relative to the alertmanager.yml.
    let dir = config
        .file
        .alerting
        .config
        .as_ref()
        .and_then(|file| config.resolve(file).parent().map(Path::to_path_buf))
        .unwrap_or_default();
    Ok(Notifier::new(&loaded.alertmanager, &external_url(config), &dir)?)
}

impl Alertmanager {
    fn of(loaded: &Loaded) -> Alertmanager {
        let receivers = loaded.alertmanager.receivers.iter().map(|r| (r.name.clone(), r.labels.clone())).collect();
        // As many bits as a metric's value holds without loss.
        let hash = Labels::from_pairs([("config", &loaded.alertmanager_text)]).fingerprint() >> 16;
        Alertmanager { text: watchglass_notify::config::shown(&loaded.alertmanager_text), receivers, hash: hash as f64 }
    }
}
