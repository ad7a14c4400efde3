//! Recording and alerting rules: groups, `for` and `keep_firing_for`, what is written and what is sent.
//!
//! Knows the model, PromQL and texts; nothing of storage, of time or of where alerts go. A group is evaluated by
//! [`Group::evaluate`], which is handed the time and, in an [`Env`], whoever answers queries, and where samples go: so a rule sees what the
//! rule before it recorded, and the same code runs under a test's clock.

mod alerting;
mod dependencies;
mod external;
mod file;
mod group;
mod queries;
mod recording;
mod restore;
mod rule;
mod template;
pub mod unittest;

pub use alerting::{ActiveAlert, AlertState, AlertingRule};
pub use dependencies::Inputs;
pub use external::ExternalRule;
pub use file::{RuleFile, parse_rule_file};
pub use group::{Group, GroupStatus, Iteration, Looked, RuleStatus, Timing, Turn, eval_timestamp};
pub use queries::{Queries, Steps};
pub use recording::RecordingRule;
pub use rule::{Env, EvalError, GroupSpec, Health, Instance, Query, Rule, RuleKind, RuleSpec};
pub use template::{TemplateData, expand, expand_value};

/// Series that tell which alerts are pending or firing.
pub const ALERTS: &str = "ALERTS";
/// Series that tell since when (Unix seconds), from which `for` goes on after a restart.
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
