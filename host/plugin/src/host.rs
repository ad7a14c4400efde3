//! The engine and what all plugins share.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::collector::{Collector, CollectorSpec, ConfigureError};
use crate::load::LoadError;
use crate::plugin::Plugin;
use crate::rule::{RulePlugin, RuleSpec};

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

struct Inner {
    options: HostOptions,
}

impl Host {
    /// A host.
    ///
    /// Errors: the engine can't be made on this machine, or the cache folder can't be made or belongs to somebody else.
    pub fn new(options: HostOptions) -> Result<Host, HostError> {
        Ok(Host { inner: Arc::new(Inner { options }) })
    }

    /// Loads a plugin: compiled code from the cache, or compiled into it; then `describe` in a throw-away store with every import denied.
    pub async fn load(&self, path: &Path) -> Result<Arc<Plugin>, LoadError> {
        let _ = &self.inner.options;
        Err(LoadError { path: path.into(), problem: "plugins are not loaded yet".into(), hint: String::new() })
    }

    /// Makes a collector: checks grants and configuration, and lets a first instance take the configuration.
    pub async fn collector(&self, plugin: Arc<Plugin>, spec: CollectorSpec) -> Result<Collector, ConfigureError> {
        let _ = (plugin, spec);
        Err(ConfigureError::Config(Vec::new()))
    }

    /// Makes a rule: checks the configuration, and asks for its inputs.
    pub async fn rule(&self, plugin: Arc<Plugin>, spec: RuleSpec) -> Result<RulePlugin, ConfigureError> {
        let _ = (plugin, spec);
        Err(ConfigureError::Config(Vec::new()))
    }

    /// How many components were compiled since the start; what came out of the cache is not counted.
    pub fn compiled(&self) -> u64 {
        0
    }

    /// What the compiling child process runs: limits itself (1.5 GB of memory, 60 s of CPU), compiles `input`, and writes `output`. The program that
    /// [`Compiler::Program`] names calls it with its two last arguments and exits with 0 for `Ok`, else prints the error to stderr and exits with 1.
    pub fn compile_plugin(input: &Path, output: &Path) -> Result<(), String> {
        let _ = (input, output);
        Err("plugins are not compiled yet".into())
    }
}
