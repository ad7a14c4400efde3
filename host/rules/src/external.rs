//! Rules that are evaluated elsewhere, by plugins, and whose alerts go the same way as those of queries.

use std::fmt::Debug;

use watchglass_model::TimeMs;

use crate::alerting::ActiveAlert;
use crate::rule::{Env, EvalError, Instance};

/// A rule whose verdict doesn't come from one query. The adapter over a rule plugin is one.
///
/// What it returns joins the state that queries' samples join: `for`, `keep_firing_for`, `ALERTS`, sending.
pub trait ExternalRule: Debug + Send + Sync {
    /// Its name: that of its group, and of its alerts where they name none (`alertname`).
    fn name(&self) -> &str;

    /// What is so at a time. `active` are its pending and firing alerts before this turn.
    ///
    /// Two instances with the same labels are an error; one that doesn't come again ends its alert.
    fn evaluate(&self, at: TimeMs, active: &[&ActiveAlert], env: &Env<'_>) -> Result<Vec<Instance>, EvalError>;
}
