//! The evaluator: an expression tree to values at every step.
//!
//! Each node is evaluated once, for all steps, into series with one slot a step ([`series`]). So a selector is resolved once,
//! an aggregation groups once, a binary operator matches once, and what doesn't depend on the step is evaluated once.
//! Windows of range selectors are slices of the points as the source gave them.

mod aggregate;
mod annotations;
mod binary;
mod civil;
mod duration;
mod element;
mod functions;
mod hints;
mod info;
mod invariant;
mod kahan;
mod matching;
mod number;
mod parts;
mod selector;
mod series;
mod setops;
mod steps;
mod subquery;
mod window;
mod xxhash;

use watchglass_model::TimeMs;

use crate::ast::{Expr, ValueType};
use crate::engine::{Options, QueryError};
use crate::parser::MAX_QUERY_DEPTH;
use crate::source::{Cancel, Source, SourceError};

pub(crate) use annotations::Annotations;
pub(crate) use series::{Series, Value, is_present, merge_equal, scalar_at, without_name};
pub(crate) use steps::Steps;

/// Why an evaluation ends without a value.
pub(crate) type Failure = QueryError;

impl QueryError {
    /// An error of evaluation.
    pub(crate) fn execution(text: impl Into<String>) -> QueryError {
        QueryError::Execution(text.into())
    }
}

/// What the query as a whole asks for: what `start()`, `end()`, `range()` and `step()` give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// First time.
    pub(crate) start: TimeMs,
    /// Last time.
    pub(crate) end: TimeMs,
    /// Milliseconds between two times; 0 for an instant query.
    pub(crate) step: i64,
}

/// The state of one evaluation.
pub(crate) struct Evaluator<'a> {
    source: &'a dyn Source,
    options: &'a Options,
    cancel: &'a Cancel,
    bounds: Bounds,
    /// What was noted on the way.
    pub(crate) notes: Annotations,
    held: usize,
    /// What stands above the node being evaluated says of the buckets of histograms.
    pub(crate) buckets: BucketUse,
    /// The most points held at once.
    pub(crate) peak: usize,
    depth: usize,
}

/// Which functions stand above a selector: where sums and counts alone matter, Prometheus reads histograms without their buckets,
/// and looks for counter resets while reading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BucketUse {
    /// Below `histogram_count`, `histogram_sum` or `histogram_avg`.
    pub(crate) statistics: bool,
    /// Below a function that needs buckets, or a subquery, on whose steps resets can't be seen while reading.
    pub(crate) needed: bool,
}

// A parenthesis, a call and an operator are a level each; a tree that the parser let through fits.
const MAX_DEPTH: usize = 4 * MAX_QUERY_DEPTH;

impl<'a> Evaluator<'a> {
    /// Begins an evaluation.
    pub(crate) fn new(source: &'a dyn Source, options: &'a Options, cancel: &'a Cancel, bounds: Bounds) -> Self {
        Evaluator {
            source,
            options,
            cancel,
            bounds,
            notes: Annotations::default(),
            held: 0,
            buckets: BucketUse::default(),
            peak: 0,
            depth: 0,
        }
    }

    /// Whether the type and the unit of a metric are part of its name.
    pub(crate) fn type_and_unit_labels(&self) -> bool {
        self.options.type_and_unit_labels
    }

    /// Evaluates at every step.
    pub(crate) fn eval(&mut self, expr: &Expr, steps: Steps) -> Result<Value, Failure> {
        self.check_cancelled()?;
        if self.depth >= MAX_DEPTH {
            return Err(Failure::execution(format!(
                "expression is nested too deeply: at most {MAX_DEPTH} levels are allowed"
            )));
        }
        self.depth += 1;
        let held = self.held;
        let value = if steps.count > 1 && invariant::is_worth_it(expr) {
            self.eval_node(expr, Steps::once(steps.start)).map(|value| broadcast(value, steps.count))
        } else {
            self.eval_node(expr, steps)
        };
        self.depth -= 1;
        // For a moment the value and all that it was made of are there; then it alone is left.
        let points = value.as_ref().map_or(0, Value::size);
        if value.is_ok() {
            self.hold(points)?;
        }
        self.held = held.saturating_add(points);
        value
    }

    // Each arm is a call, so that this frame, which recursion repeats, stays small.
    fn eval_node(&mut self, expr: &Expr, steps: Steps) -> Result<Value, Failure> {
        match expr {
            Expr::Number(number) => Ok(Value::Scalar(vec![number.value])),
            Expr::String(text) => Ok(Value::String(text.value.clone())),
            Expr::Vector(selector) => self.eval_selector(selector, steps),
            Expr::Call(call) => self.eval_call(call, steps),
            Expr::Aggregate(aggregate) => self.eval_aggregate(aggregate, steps),
            Expr::Binary(binary) => self.eval_binary(binary, steps),
            Expr::Unary(unary) => self.eval_unary(unary, steps),
            Expr::Paren(paren) => self.eval(&paren.expr, steps),
            Expr::Matrix(_) | Expr::Subquery(_) => {
                Err(Failure::execution("a range vector can't be evaluated here: hint: put a function around it"))
            }
        }
    }

    /// Evaluates what must be a scalar.
    pub(crate) fn scalar(&mut self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, Failure> {
        match self.eval(expr, steps)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(wrong_type(ValueType::Scalar)),
        }
    }

    /// Evaluates what must be an instant vector.
    pub(crate) fn vector(&mut self, expr: &Expr, steps: Steps) -> Result<Vec<Series>, Failure> {
        match self.eval(expr, steps)? {
            Value::Vector(series) => Ok(series),
            _ => Err(wrong_type(ValueType::Vector)),
        }
    }

    /// Evaluates what must be a text.
    pub(crate) fn string(&mut self, expr: &Expr, steps: Steps) -> Result<String, Failure> {
        match self.eval(expr, steps)? {
            Value::String(text) => Ok(text),
            _ => Err(wrong_type(ValueType::String)),
        }
    }

    /// Fails if the query was cancelled. To be asked in every loop over series.
    #[inline]
    pub(crate) fn check_cancelled(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() { Err(SourceError::Cancelled.into()) } else { Ok(()) }
    }

    /// Counts points that are held until the node being evaluated has its value; fails if they are too many.
    pub(crate) fn hold(&mut self, points: usize) -> Result<(), Failure> {
        self.held = self.held.saturating_add(points);
        self.peak = self.peak.max(self.held);
        if self.held > self.options.max_samples { Err(SourceError::TooManySamples.into()) } else { Ok(()) }
    }

    /// Takes the name from series that have lost their meaning: now, or at the end of the query where that is switched on.
    pub(crate) fn drop_names(&self, series: &mut [Series]) {
        for s in series {
            self.drop_name(s);
        }
    }

    /// Takes the name from series, and puts those together that differed by it alone.
    pub(crate) fn without_names(&self, mut series: Vec<Series>) -> Result<Vec<Series>, Failure> {
        // Series are unique: only where names differ can two become one.
        let alike = !self.options.type_and_unit_labels
            && series.windows(2).all(|pair| pair[0].labels.metric_name() == pair[1].labels.metric_name());
        self.drop_names(&mut series);
        if alike { Ok(series) } else { merge_equal(series) }
    }

    /// Takes the name from one series.
    pub(crate) fn drop_name(&self, series: &mut Series) {
        series.drop_name = true;
        if !self.options.delayed_name_removal {
            series.labels = without_name(&series.labels, self.options.type_and_unit_labels);
        }
    }

    /// What the names dropped at the end leave.
    pub(crate) fn finish(&self, mut series: Vec<Series>) -> Result<Vec<Series>, Failure> {
        if self.options.delayed_name_removal && series.iter().any(|s| s.drop_name) {
            for s in series.iter_mut().filter(|s| s.drop_name) {
                s.labels = without_name(&s.labels, self.options.type_and_unit_labels);
            }
            return merge_equal(series);
        }
        Ok(series)
    }
}

fn wrong_type(wanted: ValueType) -> Failure {
    Failure::execution(format!("expected a value of type {}", wanted.as_str()))
}

fn broadcast(value: Value, steps: usize) -> Value {
    match value {
        Value::Vector(mut series) => {
            for s in &mut series {
                s.floats = vec![s.floats.first().copied().unwrap_or(series::ABSENT); steps];
                if let Some(h) = s.histograms.first().cloned() {
                    s.histograms = vec![h; steps];
                }
            }
            Value::Vector(series)
        }
        other => other,
    }
}
