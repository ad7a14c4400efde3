//! Rules as written, and what evaluating one needs.

use watchglass_model::{Labels, Sample, TimeMs, Value};
use watchglass_promql::ast::Expr;

use crate::alerting::AlertingRule;
use crate::queries::Queries;
use crate::recording::RecordingRule;

/// A group as written.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    /// Its name, unique within its file.
    pub name: String,
    /// The file it is from.
    pub file: String,
    /// How often it is evaluated, ms; `None`: the global interval.
    pub interval: Option<i64>,
    /// How far back it evaluates, ms; `None`: the global offset.
    pub query_offset: Option<i64>,
    /// Series or alerts a rule may give; 0: no limit.
    pub limit: usize,
    /// Labels that all its rules get, where they don't set them themselves.
    pub labels: Labels,
    /// Its rules, in order.
    pub rules: Vec<RuleSpec>,
}

/// A rule as written.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// Recording or alerting.
    pub kind: RuleKind,
    /// The expression as written.
    pub expr_text: String,
    /// The expression.
    pub expr: Expr,
    /// Labels to set; of an alerting rule they are templates. The group's are among them.
    pub labels: Labels,
}

/// What a rule makes.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// `record`.
    Recording {
        /// Name of the new series.
        record: String,
    },
    /// `alert`.
    Alerting {
        /// Name of the alert.
        alert: String,
        /// How long it must be true before it fires, ms.
        hold_ms: i64,
        /// How long it goes on firing after it is no longer true, ms.
        keep_firing_ms: i64,
        /// Annotations: templates.
        annotations: Labels,
    },
}

impl RuleSpec {
    /// The name of what it makes.
    pub fn name(&self) -> &str {
        match &self.kind {
            RuleKind::Recording { record } => record,
            RuleKind::Alerting { alert, .. } => alert,
        }
    }
}

/// How a rule's last evaluation went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// There was none.
    #[default]
    Unknown,
    /// It worked.
    Good,
    /// It failed.
    Bad,
}

impl Health {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Good => "ok",
            Health::Bad => "err",
        }
    }
}

/// Why a rule could not be evaluated, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

/// Answers an instant query given as text, at a time: what the template function `query` asks.
pub type Query<'a> = dyn FnMut(&str, TimeMs) -> Result<Vec<Sample>, String> + 'a;

/// What evaluation works with.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Where expressions are evaluated.
    pub queries: Queries<'a>,
    /// Labels of the whole installation, for templates.
    pub external_labels: &'a Labels,
    /// The address people reach us under, for templates and links.
    pub external_url: &'a str,
}

/// One thing that an alerting rule says is so: what [`AlertingRule`] keeps state for. A query's sample becomes one, and so does what a
/// rule plugin returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Identity, `alertname` included.
    pub labels: Labels,
    /// Texts.
    pub annotations: Labels,
    /// The value that made it so.
    pub value: Value,
    /// How long it must be so before it fires, ms.
    pub hold_ms: i64,
    /// How long it goes on firing after, ms.
    pub keep_firing_ms: i64,
}

/// A rule at work.
#[derive(Debug)]
pub enum Rule {
    /// A recording rule.
    Recording(RecordingRule),
    /// An alerting rule.
    Alerting(AlertingRule),
}

impl Rule {
    /// Puts a rule to work.
    pub fn new(spec: RuleSpec) -> Rule {
        match spec.kind {
            RuleKind::Recording { .. } => Rule::Recording(RecordingRule::new(spec)),
            RuleKind::Alerting { .. } => Rule::Alerting(AlertingRule::new(spec)),
        }
    }

    /// The rule as written.
    pub fn spec(&self) -> &RuleSpec {
        match self {
            Rule::Recording(rule) => rule.spec(),
            Rule::Alerting(rule) => rule.spec(),
        }
    }

    /// Whether it is evaluated elsewhere.
    pub(crate) fn is_external(&self) -> bool {
        matches!(self, Rule::Alerting(rule) if rule.is_external())
    }
}
