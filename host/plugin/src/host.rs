//! The engine and what all plugins share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::collector::CollectorPlugin;
use crate::bindings::rule::RulePlugin as RuleBindings;
use crate::cache::Cache;
use crate::collector::{Collector, CollectorSpec, ConfigureError};
use crate::engine;
use crate::grant::Grants;
use crate::imports::{LogSink, Mounts, Tls};
use crate::limits::Limits;
use crate::load::{self, LoadError};
use crate::plugin::Plugin;
use crate::rule::{RulePlugin, RuleSpec};
use crate::secrets::Secrets;
use crate::state::{FILE_THREADS, Shared, State};
use crate::ticker::Ticker;

/// How to start the child process that compiles a plugin under limits. It is given two more arguments, the component and the file to
/// write, and has to call [`Host::compile_plugin`] with them.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// This program with these arguments before the two.
    Program(PathBuf, Vec<OsString>),
    /// In this process, without limits: for tests and tools that compile what they trust.
    InProcess,
}

impl Default for Compiler {
    /// The running program itself with the hidden subcommand `compile-plugin`.
    fn default() -> Compiler {
        // /proc/self/exe leads to the running program even where its file was replaced since.
        Compiler::Program("/proc/self/exe".into(), vec!["compile-plugin".into()])
    }
}

/// What a host needs.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Folder of the compiled code; made with mode 0700 where it is not there. It must belong to this user alone.
    pub cache_dir: PathBuf,
    /// How to compile.
    pub compiler: Compiler,
    /// Wall clock of a `describe` and of a `configure`; at least 100 ms.
    pub describe_deadline: Duration,
}

impl HostOptions {
    /// The usual options with this cache folder.
    pub fn new(cache_dir: impl Into<PathBuf>) -> HostOptions {
        HostOptions {
            cache_dir: cache_dir.into(),
            compiler: Compiler::default(),
            describe_deadline: Duration::from_secs(2),
        }
    }
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HostError(
    /// What happened.
    pub String,
);

/// The wasm engine, the cache of compiled code, and what all plugins share. Cloning shares it. Needs a tokio runtime with time and
/// I/O enabled for everything asynchronous.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: HostOptions,
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) cache: Cache,
    pub(crate) collector_linker: Linker<State>,
    pub(crate) rule_linker: Linker<State>,
    pub(crate) compiled: AtomicU64,
    /// Held while a child compiles.
    pub(crate) compiling: Mutex<()>,
    mounts: Arc<Mounts>,
    tls: Arc<Tls>,
}

/// Memory of an instance that only describes itself.
const DESCRIBE_MEMORY: u64 = 64 << 20;

impl Inner {
    /// For a plugin that is asked who it is: it may do nothing.
    pub(crate) fn nobody(&self) -> Arc<Shared> {
        let limits = Limits { log_lines_per_second: 1, ..Limits::default() };
        self.shared("describe", Grants::default(), Secrets::default(), limits, DESCRIBE_MEMORY)
    }

    /// What the instances of a collector share.
    pub(crate) fn shared(
        &self,
        name: &str,
        grants: Grants,
        secrets: Secrets,
        limits: Limits,
        memory: u64,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            grants: Arc::new(grants),
            secrets,
            limits,
            memory,
            log: Arc::new(LogSink::new(name, limits.log_lines_per_second)),
            tls: self.tls.clone(),
            mounts: self.mounts.clone(),
            file_threads: Arc::new(Semaphore::new(FILE_THREADS)),
        })
    }
}

impl Host {
    /// A host.
    ///
    /// Errors: the engine can't be made on this machine, or the cache folder can't be made or belongs to somebody else.
    pub fn new(options: HostOptions) -> Result<Host, HostError> {
        let wasm = |e: wasmtime::Error| HostError(format!("the wasm engine: {e:#}"));
        let engine = engine::engine().map_err(wasm)?;
        let cache = Cache::open(&options.cache_dir, engine::fingerprint(&engine)).map_err(HostError)?;
        let ticker = Ticker::start(engine.clone()).map_err(|e| HostError(format!("starting the ticker: {e}")))?;
        let mut collector_linker = Linker::<State>::new(&engine);
        let mut rule_linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut collector_linker).map_err(wasm)?;
        wasmtime_wasi::p2::add_to_linker_async(&mut rule_linker).map_err(wasm)?;
        CollectorPlugin::add_to_linker::<State, HasSelf<State>>(&mut collector_linker, |s| s).map_err(wasm)?;
        RuleBindings::add_to_linker::<State, HasSelf<State>>(&mut rule_linker, |s| s).map_err(wasm)?;
        let inner = Inner {
            options,
            engine,
            ticker,
            cache,
            collector_linker,
            rule_linker,
            compiled: AtomicU64::new(0),
            compiling: Mutex::new(()),
            mounts: Arc::new(Mounts::default()),
            tls: Arc::new(Tls::default()),
        };
        Ok(Host { inner: Arc::new(inner) })
    }

    /// Loads a plugin: compiled code from the cache, or compiled into it; then `describe` in a throw-away store with every import denied.
    pub async fn load(&self, path: &Path) -> Result<Arc<Plugin>, LoadError> {
        load::load(&self.inner, path).await
    }

    /// Makes a collector: checks grants and configuration, and lets a first instance take the configuration.
    pub async fn collector(&self, plugin: Arc<Plugin>, spec: CollectorSpec) -> Result<Collector, ConfigureError> {
        Collector::make(self.inner.clone(), plugin, spec).await
    }

    /// Makes a rule: checks the configuration, and asks for its inputs.
    pub async fn rule(&self, plugin: Arc<Plugin>, spec: RuleSpec) -> Result<RulePlugin, ConfigureError> {
        RulePlugin::make(self.inner.clone(), plugin, spec).await
    }

    /// How many components were compiled since the start; what came out of the cache is not counted.
    pub fn compiled(&self) -> u64 {
        self.inner.compiled.load(Ordering::Relaxed)
    }

    /// What the compiling child process runs: limits itself (1.5 GB of memory, 60 s of CPU), compiles `input`, and writes `output`. The program that
    /// [`Compiler::Program`] names calls it with its two last arguments and exits with 0 for `Ok`, else prints the error to stderr and exits with 1.
    pub fn compile_plugin(input: &Path, output: &Path) -> Result<(), String> {
        crate::compile::child(input, output)
    }
}
