//! A plugin with its configuration and grants: what collects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::bindings::collector::CollectorPlugin;
use crate::bindings::collector::exports::watchglass::plugin::collector as wit;
use crate::bindings::wit::meta::Problem as WitProblem;
use crate::configure::{self, MIN_START};
use crate::convert::{self, Rows};
use crate::grant::{Grants, MissingGrant};
use crate::host::Inner;
use crate::instance::{Instance, Start};
use crate::limits::{DEFAULT_MEMORY, Limits};
use crate::load::Code;
use crate::manifest::InstancePolicy;
use crate::plugin::{Kind, Plugin};
use crate::report::{Call, CallFailure, CallReport, CallStats, Collection, Exposition, FailureReason, Target};
use crate::secrets::Secrets;
use crate::state::Shared;
use crate::stats::{PluginState, PluginStats};
use crate::supervise::Supervisor;

/// What a collector is made of.
#[derive(Clone, Debug, Default)]
pub struct CollectorSpec {
    /// The collector's name, its job label.
    pub name: String,
    /// Its configuration, JSON; `{}` (or empty) where there is none.
    pub config_json: String,
    /// What the operator grants. What a target brings is added for each call.
    pub grants: Grants,
    /// Whether it has targets: they satisfy wants of the network's kinds.
    pub has_targets: bool,
    /// Limits.
    pub limits: Limits,
    /// Its secrets.
    pub secrets: Secrets,
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `netdev.device-exclude`. Empty: all of it.
    pub path: String,
    /// What, with a hint where there is one.
    pub message: String,
}

/// Why there is no collector or rule.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigureError {
    /// The plugin is of the other world.
    #[error("plugin {plugin} is a {found} plugin, not a {wanted} plugin")]
    WrongKind {
        /// The plugin.
        plugin: String,
        /// What it is.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Something that it needs is not granted; the text has the exact TOML.
    #[error("{0}")]
    MissingGrants(
        /// For people.
        String,
        /// One by one.
        Vec<MissingGrant>,
    ),
    /// The configuration is wrong.
    #[error("{}", problems_text(.0))]
    Config(
        /// What, one by one.
        Vec<Problem>,
    ),
    /// The plugin could not be asked.
    #[error("{0}")]
    Call(
        /// Why.
        CallFailure,
    ),
}

fn problems_text(problems: &[Problem]) -> String {
    let line = |p: &Problem| if p.path.is_empty() { p.message.clone() } else { format!("{}: {}", p.path, p.message) };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A plugin with its configuration and grants. Cloning shares it. Several collections of different targets may run at once.
#[derive(Clone)]
pub struct Collector {
    core: Arc<Core>,
}

struct Core {
    inner: Arc<Inner>,
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
    config: String,
    /// Instances of a shared or fresh plugin at once.
    permits: Semaphore,
    pool: Mutex<Pool>,
    stats: Mutex<PluginStats>,
}

/// The instances that nobody uses at the moment, and how it stands with each target.
#[derive(Default)]
struct Pool {
    /// By target; those of a shared plugin under the empty name.
    idle: HashMap<String, Vec<Instance<CollectorPlugin>>>,
    supervisors: HashMap<String, Supervisor>,
}

/// Idle time after which a target's instance is let go: the target is gone, or collected less than once an hour.
const MAX_IDLE: Duration = Duration::from_secs(3600);

impl Collector {
    pub(crate) async fn make(
        inner: Arc<Inner>,
        plugin: Arc<Plugin>,
        spec: CollectorSpec,
    ) -> Result<Collector, ConfigureError> {
        configure::kind(&plugin, Kind::Collector)?;
        let missing = spec.grants.missing(&plugin.manifest, spec.has_targets);
        if !missing.is_empty() {
            return Err(configure::missing(&spec.name, &plugin, &spec.grants, missing));
        }
        let config = configure::config(&plugin, &spec.config_json)?;
        let memory = spec.limits.memory_bytes.or(plugin.manifest.memory_bytes).unwrap_or(DEFAULT_MEMORY);
        let grants = spec.grants.wanted_by(&plugin.manifest);
        let shared = inner.shared(&spec.name, grants, spec.secrets, spec.limits, memory);
        let core = Core {
            permits: Semaphore::new(spec.limits.instances.max(1)),
            pool: Mutex::new(Pool::default()),
            stats: Mutex::new(PluginStats::default()),
            inner,
            plugin,
            shared,
            config,
        };
        let deadline = core.inner.options.describe_deadline.max(MIN_START);
        match core.start(deadline).await {
            Ok(instance) => core.put_back(String::new(), instance),
            Err(Started::Refused(problems)) => return Err(configure::problems(problems)),
            Err(Started::Failed(failure)) => return Err(ConfigureError::Call(failure)),
        }
        Ok(Collector { core: Arc::new(core) })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.core.plugin
    }

    /// Collects once. Comes back within the call's deadline (and a little), whatever the plugin does; dropping the future ends the call.
    pub async fn collect(&self, call: Call) -> CallReport {
        let began = Instant::now();
        let mut report = self.core.collect(call, began).await;
        report.stats.duration = began.elapsed();
        self.core.stats().add(&report);
        report
    }

    /// Lets go of the instance of a target that is gone.
    pub fn forget_target(&self, address: &str) {
        let mut pool = self.core.pool();
        pool.supervisors.remove(address);
        if self.core.plugin.manifest.instance == InstancePolicy::PerTarget {
            pool.idle.remove(address);
        }
    }

    /// Totals so far.
    pub fn stats(&self) -> PluginStats {
        let mut stats = self.core.stats().clone();
        stats.instances = self.core.pool().idle.values().map(|v| v.len() as u64).sum();
        stats
    }

    /// Counts the samples of a body that a collection handed back unread: those that were kept, and those over the series limit.
    pub fn count_body(&self, kept: usize, dropped: u64) {
        let mut stats = self.core.stats();
        stats.samples += kept as u64;
        stats.samples_dropped += dropped;
    }

    /// How it stands with it: failed while it rests for each of its targets.
    pub fn state(&self) -> PluginState {
        let pool = self.core.pool();
        let now = Instant::now();
        let resting =
            |s: &Supervisor| s.is_failed().then(|| s.admit(now).err().map_or(Duration::ZERO, |(_, left)| left));
        let mut left = None;
        for supervisor in pool.supervisors.values() {
            match resting(supervisor) {
                None => return PluginState::Running,
                Some(rest) => left = Some((rest, supervisor.reason().to_owned())),
            }
        }
        match left {
            None => PluginState::Running,
            Some((rest, reason)) => PluginState::Failed { reason, retry_in_ms: rest.as_millis() as u64 },
        }
    }
}

/// Why an instance did not start.
enum Started {
    Failed(CallFailure),
    Refused(Vec<WitProblem>),
}

impl Core {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> MutexGuard<'_, PluginStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name under which an instance waits for this target's next call.
    fn slot(&self, target: &str) -> String {
        match self.plugin.manifest.instance {
            InstancePolicy::PerTarget => target.to_owned(),
            InstancePolicy::Shared | InstancePolicy::Fresh => String::new(),
        }
    }

    /// A new instance that has taken its configuration.
    async fn start(&self, deadline: Duration) -> Result<Instance<CollectorPlugin>, Started> {
        let Code::Collector(pre) = &*self.plugin.code else {
            return Err(Started::Failed(CallFailure::new(FailureReason::Host, "not a collector plugin")));
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
                Box::pin(async move { b.watchglass_plugin_collector().call_configure(s, &config).await })
            })
            .await;
        match answer {
            Ok(Ok(())) => {
                instance.state().end();
                self.stats().instances_made += 1;
                Ok(instance)
            }
            Ok(Err(problems)) => Err(Started::Refused(problems)),
            Err(failure) => Err(Started::Failed(failure)),
        }
    }

    fn take(&self, slot: &str, now: Instant) -> Option<Instance<CollectorPlugin>> {
        let mut pool = self.pool();
        pool.idle.retain(|name, list| {
            list.retain(|i| name == slot || now.saturating_duration_since(i.used) < MAX_IDLE);
            !list.is_empty()
        });
        let mut take = |name: &str| pool.idle.get_mut(name).and_then(Vec::pop);
        // The first instance waits for whoever comes first.
        take(slot).or_else(|| take("")).filter(|i| i.is_fit(now))
    }

    fn put_back(&self, slot: String, instance: Instance<CollectorPlugin>) {
        let mut pool = self.pool();
        let list = pool.idle.entry(slot).or_default();
        if list.len() < self.shared.limits.instances.max(1) {
            list.push(instance);
        }
    }

    async fn collect(&self, call: Call, began: Instant) -> CallReport {
        let target = call.target.as_ref().map(|t| t.address.clone()).unwrap_or_default();
        let resting = self.pool().supervisors.get(&target).and_then(|s| s.admit(began).err());
        if let Some((reason, left)) = resting {
            let message = format!("rests for {} ms more after: {reason}", left.as_millis());
            let outcome = Err(CallFailure::new(FailureReason::Resting, message));
            return CallReport { outcome, stats: CallStats::default() };
        }
        let deadline = call.deadline;
        let report = self.call(&target, call, began).await;
        // One that computes until the wall clock ends it is at fault; one that waits is not, nor does it show that all is well.
        let computed = report.stats.cpu * 2 > deadline;
        let mut pool = self.pool();
        let supervisor = pool.supervisors.entry(target).or_default();
        match &report.outcome {
            Err(f) if f.reason == FailureReason::Timeout && !computed => {}
            Err(f) if f.reason.is_plugins_fault() || f.reason == FailureReason::Timeout => {
                supervisor.failed(Instant::now(), f.to_string());
            }
            _ => supervisor.succeeded(),
        }
        report
    }

    /// Gets an instance, calls it, and puts it back if it is still good. Dropped on the way, the instance goes with the future.
    async fn call(&self, target: &str, call: Call, began: Instant) -> CallReport {
        let mut stats = CallStats::default();
        let outcome = self.attempt(target, call, began, &mut stats).await;
        CallReport { outcome, stats }
    }

    async fn attempt(
        &self,
        target: &str,
        call: Call,
        began: Instant,
        stats: &mut CallStats,
    ) -> Result<Collection, CallFailure> {
        let policy = self.plugin.manifest.instance;
        let left = || call.deadline.saturating_sub(began.elapsed());
        let _permit = match policy {
            InstancePolicy::PerTarget => None,
            InstancePolicy::Shared | InstancePolicy::Fresh => {
                let waited = tokio::time::timeout(left(), self.permits.acquire()).await;
                let busy = || CallFailure::new(FailureReason::Timeout, "no instance became free in time");
                Some(waited.map_err(|_| busy())?.map_err(|_| busy())?)
            }
        };
        let slot = self.slot(target);
        let mut instance = match self.take(&slot, began) {
            Some(instance) => instance,
            None => self.start(left()).await.map_err(|e| match e {
                Started::Failed(failure) => failure,
                // It took the same configuration when the collector was made.
                Started::Refused(_) => convert::invalid("the plugin no longer takes its configuration"),
            })?,
        };
        let context = context(&call, left());
        let target_grants =
            call.target.as_ref().map(|t| Grants::of_target(t, &self.plugin.manifest)).unwrap_or_default();
        let (answer, cost) = instance
            .call(&self.inner, left(), target_grants, |b, s| {
                Box::pin(async move { b.watchglass_plugin_collector().call_collect(s, &context).await })
            })
            .await;
        *stats = cost;
        let answer = match answer? {
            Ok(collection) => self.convert(&mut instance, collection, &call, left()).await,
            Err(error) => Err(convert::failure(error)),
        };
        instance.state().end();
        let broken = matches!(&answer, Err(f) if f.reason.is_plugins_fault());
        if policy != InstancePolicy::Fresh && !broken && instance.is_fit(Instant::now()) {
            self.put_back(slot, instance);
        }
        answer
    }

    async fn convert(
        &self,
        instance: &mut Instance<CollectorPlugin>,
        given: wit::Collection,
        call: &Call,
        left: Duration,
    ) -> Result<Collection, CallFailure> {
        let limits = &self.shared.limits;
        if given.payloads.len() > limits.items {
            let count = given.payloads.len();
            return Err(convert::invalid(format!("{count} payloads, allowed are {}", limits.items)));
        }
        let mut rows = Rows::new(call.scheduled_at, limits.series);
        let mut expositions = Vec::new();
        let until = Instant::now() + left;
        for payload in given.payloads {
            convert::add(&mut rows, &payload)?;
            if let wit::Payload::Exposition(exposition) = payload {
                expositions.push(take_exposition(instance, exposition, until).await?);
            }
        }
        let (samples, excess) = rows.finish();
        Ok(Collection {
            samples,
            expositions,
            evidence: convert::evidence(given.evidence, limits.items),
            failure: given.failure.map(convert::failure),
            excess,
        })
    }
}

fn context(call: &Call, left: Duration) -> wit::Context {
    let target = |t: &Target| wit::Target { address: t.address.clone(), params: t.params.clone() };
    wit::Context {
        target: call.target.as_ref().map(target),
        scheduled_at: call.scheduled_at,
        deadline_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
        sequence: call.sequence,
    }
}

/// Longest content type.
const MAX_CONTENT_TYPE: usize = 1_000;

async fn take_exposition(
    instance: &mut Instance<CollectorPlugin>,
    exposition: wit::Exposition,
    until: Instant,
) -> Result<Exposition, CallFailure> {
    let body = match exposition.body {
        wit::ExpositionBody::Bytes(bytes) => bytes.into(),
        wit::ExpositionBody::Text(text) => text.into_bytes().into(),
        wit::ExpositionBody::Response(body) => match instance.state().bodies.take(body.rep()) {
            None => return Err(convert::invalid("a response body that is not there")),
            Some(slot) => {
                let left = until.saturating_duration_since(Instant::now());
                slot.into_bytes(left).await.map_err(convert::failure)?
            }
        },
    };
    Ok(Exposition { content_type: convert::cut(&exposition.content_type, MAX_CONTENT_TYPE).to_owned(), body })
}
