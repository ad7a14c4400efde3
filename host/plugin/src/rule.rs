//! A rule plugin with its configuration.

use std::sync::Arc;
use std::time::Duration;

use watchglass_model::{Labels, SeriesData, TimeMs};

use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::report::{CallFailure, CallStats};
use crate::stats::{PluginState, PluginStats};

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
    plugin: Arc<Plugin>,
}

impl RulePlugin {
    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// What the rule looks at, in the order in which `evaluate` takes it.
    pub fn inputs(&self) -> &[RuleInput] {
        &[]
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
        let _ = (at, inputs, active, deadline);
        Evaluation {
            outcome: Err(CallFailure::new(crate::FailureReason::Host, "rule plugins are not run yet")),
            stats: CallStats::default(),
        }
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
