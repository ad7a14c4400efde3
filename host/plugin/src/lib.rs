//! The host of wasm plugins: loads, grants, limits, supervises.
//!
//! A [`Host`] owns the wasm engine and the cache of compiled code. [`Host::load`] makes a [`Plugin`] of a file: compiled in a limited child
//! process (once for each content), described in a store where every import is denied, its manifest checked. [`Host::collector`] makes a
//! [`Collector`] of a plugin, a configuration and the operator's [`Grants`]; [`Collector::collect`] is one collection of one target, and whatever
//! the plugin does, it comes back within its deadline with a [`CallReport`]. [`Host::rule`] makes a [`RulePlugin`] likewise. [`Folder`] tells which files of
//! the plugin folder came, changed and went.
//!
//! Plugins are hostile until proven otherwise: everything that comes out of one is checked before it becomes a model type.

mod artifact;
mod bindings;
mod cache;
mod collector;
mod compile;
mod configure;
mod convert;
mod describe;
mod engine;
mod folder;
mod grant;
mod host;
mod imports;
mod instance;
mod limits;
mod load;
mod manifest;
mod meter;
mod plugin;
mod report;
mod rule;
mod schema;
mod secrets;
mod state;
mod stats;
mod supervise;
mod sys;
mod ticker;
mod toml;

pub use collector::{Collector, CollectorSpec, ConfigureError, Problem};
pub use convert::limit_series;
pub use folder::{Changes, Folder};
pub use grant::{Denied, Grant, GrantError, Grants, HostPattern, HttpScheme, MissingGrant, PortPattern};
pub use host::{Compiler, Host, HostError, HostOptions};
pub use limits::{DEFAULT_MEMORY, Limits};
pub use load::LoadError;
pub use manifest::{Capability, DeclaredFamily, InstancePolicy, Manifest, Want};
pub use plugin::{Kind, Plugin};
pub use report::{
    Call, CallFailure, CallReport, CallStats, Collection, Evidence, Excess, Exposition, FailureReason, Target,
};
pub use rule::{Evaluation, RuleAlert, RuleInput, RulePlugin, RuleSpec};
pub use secrets::{Secret, Secrets};
pub use stats::{PluginState, PluginStats};
