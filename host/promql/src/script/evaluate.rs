//! Running one `eval` and all its repetitions.

use watchglass_model::{Sample, TimeMs, Value};

use crate::ast::Expr;
use crate::engine::{QueryResult, QueryValue, query_instant, query_range};
use crate::parser::parse;
use crate::source::Cancel;

use super::Options;
use super::command::{Eval, Expect, Pattern, When};
use super::compare::{Mismatch, compare_matrix, compare_number, compare_range_vector, compare_vector, show};
use super::memory::Memory;
use super::steady;

/// How far around an instant query's time its repetition as a range query goes, and its step.
const AROUND_MS: i64 = 60_000;

/// Evaluates and compares.
pub(super) fn evaluate(eval: &Eval, memory: &Memory, options: &Options) -> Result<(), Mismatch> {
    let parsed = parse(&eval.query, options.parser);
    let expr = match parsed {
        Ok(expr) => expr,
        Err(e) => return failed(eval, &e.to_string()),
    };
    let run = Run { eval, memory, options };
    match eval.when {
        When::Range { start, end, step } => match run.range(&eval.query, &expr, start, end, step) {
            Err(message) => failed(eval, &message),
            Ok(result) => {
                run.succeeded(&result)?;
                match &result.value {
                    QueryValue::Matrix(series) => compare_matrix(&eval.series, series, start, end, step),
                    other => Err(Mismatch::new("series over the range", show(other))),
                }
            }
        },
        When::At(at) => {
            run.instant(&eval.query, &expr, at, true)?;
            if options.again {
                run.again(&expr, at)?;
            }
            Ok(())
        }
    }
}

/// The query failed: well, if that was expected.
fn failed(eval: &Eval, message: &str) -> Result<(), Mismatch> {
    let mut expected = eval.expects.iter().filter_map(|e| match e {
        Expect::Fail(pattern) => Some(pattern),
        _ => None,
    });
    match expected.clone().next() {
        None => Err(Mismatch::new("an answer", format!("error: {message}"))),
        Some(_) => match expected.find(|pattern| !pattern.matches(message)) {
            None => Ok(()),
            Some(pattern) => Err(Mismatch::new(format!("error: {pattern}"), format!("error: {message}"))),
        },
    }
}

struct Run<'a> {
    eval: &'a Eval,
    memory: &'a Memory,
    options: &'a Options,
}

impl Run<'_> {
    fn range(&self, text: &str, expr: &Expr, start: TimeMs, end: TimeMs, step: i64) -> Result<QueryResult, String> {
        query_range(self.memory, text, expr, start, end, step, &self.options.engine, &Cancel::default())
            .map_err(|e| e.to_string())
    }

    /// Asks at one time, compares, and asks again as a range query.
    fn instant(&self, text: &str, expr: &Expr, at: TimeMs, ordered: bool) -> Result<(), Mismatch> {
        let asked = query_instant(self.memory, text, expr, at, &self.options.engine, &Cancel::default());
        let result = match asked {
            Err(e) => return failed(self.eval, &e.to_string()),
            Ok(result) => result,
        };
        self.succeeded(&result)?;
        self.value(&result.value, ordered)?;
        if !self.options.again || self.only_instant() || !steady::same_in_range(expr) {
            return Ok(());
        }
        let (start, end) = (at.saturating_sub(AROUND_MS), at.saturating_add(AROUND_MS));
        let around = self
            .range(text, expr, start, end, AROUND_MS)
            .map_err(|e| Mismatch::new("an answer in range mode", format!("error: {e}")))?;
        let QueryValue::Matrix(series) = around.value else { return Ok(()) };
        let mut samples = vec![];
        for s in series {
            let float = s.floats.iter().find(|p| p.t == at).map(|p| Value::Float(p.v));
            let value =
                float.or_else(|| s.histograms.iter().find(|p| p.t == at).map(|p| Value::Histogram(p.h.clone())));
            if let Some(value) = value {
                samples.push(Sample { labels: s.labels, t: at, value });
            }
        }
        let compared = match (&result.value, samples.first()) {
            (QueryValue::Scalar(_), Some(Sample { value: Value::Float(v), .. })) => {
                compare_number(self.eval.number, *v)
            }
            _ => compare_vector(&self.eval.series, &samples, false),
        };
        compared.map_err(|m| m.in_context("in range mode"))
    }

    /// Asks again with the time in the query, at other times.
    fn again(&self, expr: &Expr, at: TimeMs) -> Result<(), Mismatch> {
        if self.only_instant() {
            return Ok(());
        }
        let Some(pinned) = steady::pinned(expr, at) else { return Ok(()) };
        let text = pinned.to_string();
        let reparsed = parse(&text, self.options.parser)
            .map_err(|e| Mismatch::new("a query that can be printed", format!("{text}: {e}")))?;
        for other in [at.saturating_mul(-10), 0, at / 5, at, at.saturating_mul(10)] {
            self.instant(&text, &reparsed, other, true)
                .map_err(|m| m.in_context(&format!("asked at {other} ms for {text}")))?;
        }
        Ok(())
    }

    /// Whether the answer is of a kind that no range query gives.
    fn only_instant(&self) -> bool {
        self.eval.expects.iter().any(|e| matches!(e, Expect::Text(_) | Expect::RangeVector { .. } | Expect::Ordered))
    }

    /// The query has an answer: compares its annotations, and whether it should have failed.
    fn succeeded(&self, result: &QueryResult) -> Result<(), Mismatch> {
        let (mut warn, mut info) = (vec![], vec![]);
        for expect in &self.eval.expects {
            match expect {
                Expect::Fail(pattern) => return Err(Mismatch::new(format!("error: {pattern}"), show(&result.value))),
                Expect::Warn(pattern) => warn.push(pattern),
                Expect::Info(pattern) => info.push(pattern),
                Expect::NoWarn if !result.warnings.is_empty() => {
                    return Err(Mismatch::new("no warning", result.warnings.join("; ")));
                }
                Expect::NoInfo if !result.infos.is_empty() => {
                    return Err(Mismatch::new("no info", result.infos.join("; ")));
                }
                _ => {}
            }
        }
        annotations("warning", &warn, &result.warnings)?;
        annotations("info", &info, &result.infos)
    }

    fn value(&self, value: &QueryValue, ordered: bool) -> Result<(), Mismatch> {
        let text = self.eval.expects.iter().find_map(|e| match e {
            Expect::Text(text) => Some(text),
            _ => None,
        });
        let range = self.eval.expects.iter().find_map(|e| match e {
            Expect::RangeVector { start, end, step } => Some((*start, *end, *step)),
            _ => None,
        });
        match (value, text, range) {
            (QueryValue::String(_, found), Some(text), _) if found == text => Ok(()),
            (other, Some(text), _) => Err(Mismatch::new(format!("string {text:?}"), show(other))),
            (QueryValue::Matrix(series), None, Some((start, end, step))) => {
                compare_range_vector(&self.eval.series, series, start, end, step)
            }
            (other, None, Some(_)) => Err(Mismatch::new("a range vector", show(other))),
            (QueryValue::Scalar(point), None, None) => compare_number(self.eval.number, point.v),
            (QueryValue::Vector(_), None, None) if self.eval.number.is_some() => {
                Err(Mismatch::new("a number", show(value)))
            }
            (QueryValue::Vector(samples), None, None) => {
                let ordered = ordered && self.eval.expects.iter().any(|e| matches!(e, Expect::Ordered));
                compare_vector(&self.eval.series, samples, ordered)
            }
            (other, None, None) => Err(Mismatch::new("an instant vector or a number", show(other))),
        }
    }
}

/// Every expected annotation must be there, and none that isn't expected, unless none is.
fn annotations(kind: &str, expected: &[&Pattern], found: &[String]) -> Result<(), Mismatch> {
    let list = || match found.is_empty() {
        true => format!("no {kind}"),
        false => found.join("; "),
    };
    if let Some(missing) = expected.iter().find(|p| !found.iter().any(|f| p.matches(f))) {
        return Err(Mismatch::new(format!("{kind}: {missing}"), list()));
    }
    match found.iter().find(|f| !expected.is_empty() && !expected.iter().any(|p| p.matches(f))) {
        Some(surplus) => Err(Mismatch::new(format!("no other {kind}"), surplus.clone())),
        None => Ok(()),
    }
}
