//! The engine: what evaluates a parsed expression over a [`Source`].

use watchglass_model::{FloatPoint, Sample, SeriesData, TimeMs};

use crate::ast::{AggregateOp, Expr, ValueType};
use crate::eval::{self, Bounds, Evaluator, Series, Steps, Value};
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
///
/// A range selector or subquery gives a matrix, all else a value at `at`. `text` is what `expr` was parsed from; annotations
/// point into it. Fails with [`QueryError`]; never panics.
pub fn query_instant(
    source: &dyn Source,
    text: &str,
    expr: &Expr,
    at: TimeMs,
    options: &Options,
    cancel: &Cancel,
) -> Result<QueryResult, QueryError> {
    let mut evaluator = Evaluator::new(source, options, cancel, Bounds { start: at, end: at, step: 0 });
    let steps = Steps::once(at);
    let value = if expr.value_type() == ValueType::Matrix {
        QueryValue::Matrix(matrix_of_ranges(&mut evaluator, expr, steps)?)
    } else {
        match evaluator.eval(expr, steps)? {
            Value::Scalar(values) => QueryValue::Scalar(FloatPoint { t: at, v: eval::scalar_at(&values, 0) }),
            Value::String(value) => QueryValue::String(at, value),
            Value::Vector(series) => {
                let series = evaluator.finish(series)?;
                QueryValue::Vector(samples(series, at, keeps_order(expr)))
            }
        }
    };
    Ok(result(evaluator, text, value))
}

/// Evaluates at `start`, `start + step` ... up to `end`; gives a matrix.
///
/// `step` is in milliseconds and positive. `expr` has to be a scalar or an instant vector. Fails with [`QueryError`]; never
/// panics.
#[expect(clippy::too_many_arguments, reason = "the seven things that make a range query")]
pub fn query_range(
    source: &dyn Source,
    text: &str,
    expr: &Expr,
    start: TimeMs,
    end: TimeMs,
    step: i64,
    options: &Options,
    cancel: &Cancel,
) -> Result<QueryResult, QueryError> {
    if step <= 0 {
        return Err(QueryError::execution(
            "zero or negative query resolution step widths are not accepted: hint: try a positive integer",
        ));
    }
    let kind = expr.value_type();
    if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
        let kind = kind.as_str();
        return Err(QueryError::execution(format!(
            "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
        )));
    }
    let mut evaluator = Evaluator::new(source, options, cancel, Bounds { start, end, step });
    let steps = Steps::between(start, end, step);
    if steps.count > options.max_samples {
        return Err(SourceError::TooManySamples.into());
    }
    if steps.count == 0 {
        return Ok(result(evaluator, text, QueryValue::Matrix(Vec::new())));
    }
    let mut matrix = evaluator.matrix(expr, steps)?;
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(result(evaluator, text, QueryValue::Matrix(matrix)))
}

fn result(evaluator: Evaluator<'_>, text: &str, value: QueryValue) -> QueryResult {
    let peak_samples = evaluator.peak;
    let (warnings, infos) = evaluator.notes.render(text);
    QueryResult { value, warnings, infos, peak_samples }
}

/// The windows of a range selector at one time.
fn matrix_of_ranges(evaluator: &mut Evaluator<'_>, expr: &Expr, steps: Steps) -> Result<Vec<SeriesData>, QueryError> {
    let ranges = evaluator.ranges(expr, steps)?;
    let mut matrix = Vec::new();
    for s in &ranges.series {
        s.each_window(&ranges.shape, steps, |_, window| {
            let labels = if s.drop_name {
                eval::without_name(&s.labels, evaluator.type_and_unit_labels())
            } else {
                s.labels.clone()
            };
            let (floats, histograms) = (window.floats.to_vec(), window.histograms.to_vec());
            matrix.push(SeriesData { labels, floats, histograms, starts: Vec::new() });
        });
    }
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    if matrix.windows(2).any(|w| w[0].labels == w[1].labels) {
        return Err(QueryError::execution("vector cannot contain metrics with the same labelset"));
    }
    Ok(matrix)
}

fn samples(series: Vec<Series>, at: TimeMs, ordered: bool) -> Vec<Sample> {
    let mut samples: Vec<Sample> = series
        .into_iter()
        .filter_map(|mut s| {
            let value = match s.histograms.pop().flatten() {
                Some(h) => watchglass_model::Value::Histogram(h),
                None => watchglass_model::Value::Float(s.floats.first().copied().filter(|v| eval::is_present(*v))?),
            };
            Some(Sample { labels: s.labels, t: at, value })
        })
        .collect();
    if !ordered {
        samples.sort_by(|a, b| a.labels.cmp(&b.labels));
    }
    samples
}

/// Whether the order of the result was asked for: a sort or a ranking stands in it, and all else keeps the order it finds.
fn keeps_order(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => call.function.name.starts_with("sort") || call.args.iter().any(keeps_order),
        Expr::Aggregate(aggregate) => matches!(aggregate.op, AggregateOp::Topk | AggregateOp::Bottomk),
        Expr::Binary(binary) => keeps_order(&binary.lhs) || keeps_order(&binary.rhs),
        Expr::Unary(unary) => keeps_order(&unary.expr),
        Expr::Paren(paren) => keeps_order(&paren.expr),
        Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) | Expr::Subquery(_) => false,
    }
}
