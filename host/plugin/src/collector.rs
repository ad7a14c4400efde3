//! A plugin with its configuration and grants: what collects.

use std::sync::Arc;

use crate::grant::{Grants, MissingGrant};
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::report::{Call, CallFailure, CallReport, CallStats};
use crate::secrets::Secrets;
use crate::stats::{PluginState, PluginStats};

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
    plugin: Arc<Plugin>,
}

impl Collector {
    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Collects once. Comes back within the call's deadline (and a little), whatever the plugin does; dropping the future ends the call.
    pub async fn collect(&self, call: Call) -> CallReport {
        let _ = call;
        CallReport {
            outcome: Err(CallFailure::new(crate::FailureReason::Host, "collectors are not run yet")),
            stats: CallStats::default(),
        }
    }

    /// Lets go of the instance of a target that is gone.
    pub fn forget_target(&self, address: &str) {
        let _ = address;
    }

    /// Totals so far.
    pub fn stats(&self) -> PluginStats {
        PluginStats::default()
    }

    /// How it stands with it.
    pub fn state(&self) -> PluginState {
        PluginState::Running
    }
}
