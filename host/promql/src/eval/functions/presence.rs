//! `absent`, `absent_over_time`, `timestamp`, `start_timestamp`; and the quantile of a list, which several functions share.

use watchglass_model::{Labels, METRIC_NAME, MatchOp, Matcher};

use super::super::series::{ABSENT, PointRef};
use super::super::{Evaluator, Failure, Series, Steps, Value};
use super::argument;
use crate::ast::{Call, Expr, Extension, VectorSelector};

impl Evaluator<'_> {
    /// `absent`: 1 at each step where the vector is empty.
    pub(crate) fn absent(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let arg = argument(call, 0)?;
        let mut floats = vec![1.0; steps.count];
        for s in self.vector(arg, steps)? {
            (0..steps.count).filter(|i| s.has(*i)).for_each(|i| floats[i] = ABSENT);
        }
        Ok(Value::Vector(absence(arg, floats)))
    }

    /// `absent_over_time`: 1 at each step where no series has a point in its window.
    pub(crate) fn absent_over_time(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let arg = argument(call, 0)?;
        let mut floats = vec![1.0; steps.count];
        let ranges = self.ranges(arg, steps)?;
        for s in &ranges.series {
            s.each_window(&ranges.shape, steps, |i, _| floats[i] = ABSENT);
        }
        Ok(Value::Vector(absence(arg, floats)))
    }

    /// `timestamp` and `start_timestamp`: directly on a selector those of the samples, else of the step, or none at all.
    pub(crate) fn timestamp(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let arg = argument(call, 0)?;
        let starts = call.function.name == "start_timestamp";
        let mut bare = arg;
        while let Expr::Paren(paren) = bare {
            bare = &paren.expr;
        }
        if let Expr::Vector(selector) = bare
            && selector.extension == Extension::None
        {
            return self.sample_times(selector, steps, starts);
        }
        let mut series = self.vector(arg, steps)?;
        if starts {
            return Ok(Value::Vector(Vec::new()));
        }
        for s in &mut series {
            for (i, time) in steps.iter().enumerate().filter(|(i, _)| s.has(*i)).collect::<Vec<_>>() {
                s.floats[i] = time as f64 / 1000.0;
            }
            s.histograms = Vec::new();
        }
        self.without_names(series).map(Value::Vector)
    }

    fn sample_times(&mut self, selector: &VectorSelector, steps: Steps, starts: bool) -> Result<Value, Failure> {
        let mut out = Vec::new();
        let (selected, picks) = self.select_instant(selector, steps)?;
        for data in selected {
            self.check_cancelled()?;
            self.hold(steps.count)?;
            let mut series = Series::new(data.labels.clone(), false, steps.count);
            picks.each(&data, |step, t, _: PointRef<'_>| {
                let start = || data.starts.binary_search_by_key(&t, |s| s.0).map_or(0, |i| data.starts[i].1);
                series.floats[step] = if starts { start() } else { t } as f64 / 1000.0;
            });
            if !series.is_empty() {
                out.push(series);
            }
        }
        self.without_names(out).map(Value::Vector)
    }
}

fn absence(arg: &Expr, floats: Vec<f64>) -> Vec<Series> {
    let mut series = Series::new(implied_labels(arg), false, 0);
    series.floats = floats;
    if series.is_empty() { Vec::new() } else { vec![series] }
}

/// The labels that the missing series would have had for sure: those that one equality matcher alone speaks of.
fn implied_labels(expr: &Expr) -> Labels {
    let matchers: &[Matcher] = match expr {
        Expr::Vector(selector) => &selector.matchers,
        Expr::Matrix(matrix) => &matrix.vector.matchers,
        _ => return Labels::empty(),
    };
    let told = |m: &&Matcher| {
        m.op() == MatchOp::Equal
            && m.name() != METRIC_NAME
            && matchers.iter().filter(|other| other.name() == m.name()).count() == 1
    };
    matchers.iter().filter(told).map(|m| (m.name(), m.value())).collect()
}

/// The q-quantile of values, interpolated between the two next to it; the values are put in order.
pub(crate) fn interpolated_quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    // NaN first, as Prometheus sorts them.
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let lower = (rank.floor() as usize).min(values.len() - 1);
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}
