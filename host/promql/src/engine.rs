//! The engine: what evaluates a parsed expression over a [`Source`].

use watchglass_model::{FloatPoint, Sample, SeriesData, TimeMs};

use crate::ast::Expr;
use crate::source::{Cancel, Source, SourceError};

/// Switches and limits of evaluation.
#[derive(Clone, Debug)]
pub struct Options {
    /// How far back an instant selector looks, in milliseconds (left-open).
    pub lookback_ms: i64,
    /// Step of a subquery that names none, in milliseconds.
    pub subquery_step_ms: i64,
    /// Points a query may hold at once.
    pub max_samples: usize,
    /// Drops `__name__` at the end of the query, not at each function.
    pub delayed_name_removal: bool,
    /// Sees counter resets by start timestamps.
    pub start_timestamps: bool,
    /// Treats `__type__` and `__unit__` as part of the name.
    pub type_and_unit_labels: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            lookback_ms: 5 * 60 * 1000,
            subquery_step_ms: 60 * 1000,
            max_samples: 50_000_000,
            delayed_name_removal: false,
            start_timestamps: false,
            type_and_unit_labels: false,
        }
    }
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// A number at the time of the query.
    Scalar(FloatPoint),
    /// A text at the time of the query.
    String(TimeMs, String),
    /// Series with one value each; in their order where the query sorts, else by labels.
    Vector(Vec<Sample>),
    /// Series with points, by labels: a range query, or an instant query of a range selector.
    Matrix(Vec<SeriesData>),
}

/// A query's value and what the user should know of it.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// The value.
    pub value: QueryValue,
    /// `PromQL warning: ...`, each once, in order of appearance.
    pub warnings: Vec<String>,
    /// `PromQL info: ...`, likewise.
    pub infos: Vec<String>,
    /// The most points held at once.
    pub peak_samples: usize,
}

/// Why a query gives nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueryError {
    /// The expression can't be evaluated on this data. Texts are Prometheus' own as far as we know them.
    #[error("{0}")]
    Execution(String),
    /// The source failed, was cancelled, or gave too much.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Evaluates at one time.
pub fn query_instant(
    _source: &dyn Source,
    _text: &str,
    _expr: &Expr,
    _at: TimeMs,
    _options: &Options,
    _cancel: &Cancel,
) -> Result<QueryResult, QueryError> {
    Err(QueryError::Execution("not written yet".to_owned()))
}

/// Evaluates at `start`, `start + step` ... up to `end`; gives a matrix.
#[expect(clippy::too_many_arguments, reason = "the seven things that make a range query")]
pub fn query_range(
    _source: &dyn Source,
    _text: &str,
    _expr: &Expr,
    _start: TimeMs,
    _end: TimeMs,
    _step: i64,
    _options: &Options,
    _cancel: &Cancel,
) -> Result<QueryResult, QueryError> {
    Err(QueryError::Execution("not written yet".to_owned()))
}
