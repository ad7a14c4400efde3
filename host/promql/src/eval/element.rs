//! One binary operation on one pair of values.

use std::sync::Arc;

use watchglass_model::{Histogram, HistogramError};

use super::annotations::Annotations;
use super::number::quoted;
use super::series::{Point, PointRef};
use crate::ast::{BinaryOp, Span};

/// Arithmetic on two floats. Comparisons give 1 or 0.
#[inline]
pub(crate) fn floats(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        // C's fmod, as Go's.
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => power(a, b),
        BinaryOp::Atan2 => a.atan2(b),
        _ => f64::from(u8::from(compare(op, a, b))),
    }
}

// Squares and cubes are what queries raise to, and multiplying is many times quicker.
fn power(a: f64, b: f64) -> f64 {
    if b == 2.0 { a * a } else { a.powf(b) }
}

/// A comparison of two floats; false of an operator that is none.
#[inline]
pub(crate) fn compare(op: BinaryOp, a: f64, b: f64) -> bool {
    match op {
        BinaryOp::Eql => a == b,
        BinaryOp::Neq => a != b,
        BinaryOp::Gtr => a > b,
        BinaryOp::Lss => a < b,
        BinaryOp::Gte => a >= b,
        BinaryOp::Lte => a <= b,
        _ => false,
    }
}

/// Whether an operator compares.
pub(crate) fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eql | BinaryOp::Neq | BinaryOp::Gtr | BinaryOp::Lss | BinaryOp::Gte | BinaryOp::Lte)
}

/// Whether what an operator gives has another meaning than what it was given, so that the name goes.
pub(crate) fn drops_name(op: BinaryOp) -> bool {
    use BinaryOp::{Add, Atan2, Div, Mod, Mul, Pow, Sub};
    matches!(op, Add | Sub | Mul | Div | Mod | Pow | Atan2)
}

/// What an operation on two elements gives.
pub(crate) enum Outcome {
    /// A value; of a comparison that holds the left one.
    Value(Point),
    /// A comparison that doesn't hold: nothing, or 0 with `bool`.
    Unequal,
    /// Operands that don't go together.
    Incompatible,
}

/// An operator on two elements, floats or histograms, with what has to be noted.
pub(crate) fn elements(op: BinaryOp, a: PointRef<'_>, b: PointRef<'_>, notes: &mut Annotations, span: Span) -> Outcome {
    use BinaryOp::{Add, Div, Eql, Mul, Neq, Sub, TrimLower, TrimUpper};
    let histogram = |h: Histogram| Outcome::Value(Point::Histogram(Arc::new(h)));
    match (op, a, b) {
        (TrimUpper | TrimLower, PointRef::Float(_), PointRef::Float(_)) => incompatible(op, a, b, notes, span),
        (_, PointRef::Float(x), PointRef::Float(y)) if is_comparison(op) => {
            if compare(op, x, y) {
                Outcome::Value(Point::Float(x))
            } else {
                Outcome::Unequal
            }
        }
        (_, PointRef::Float(x), PointRef::Float(y)) => Outcome::Value(Point::Float(floats(op, x, y))),
        (Mul, PointRef::Histogram(h), PointRef::Float(v)) | (Mul, PointRef::Float(v), PointRef::Histogram(h)) => {
            let mut h = Histogram::clone(h);
            h.mul(v);
            histogram(h)
        }
        (Div, PointRef::Histogram(h), PointRef::Float(v)) => {
            let mut h = Histogram::clone(h);
            h.div(v);
            histogram(h)
        }
        (TrimUpper, PointRef::Histogram(h), PointRef::Float(v)) => histogram(h.without_above(v)),
        (TrimLower, PointRef::Histogram(h), PointRef::Float(v)) => histogram(h.without_below(v)),
        (Add | Sub, PointRef::Histogram(x), PointRef::Histogram(y)) => {
            let mut sum = Histogram::clone(x);
            let (result, operation) = if op == Add { (sum.add(y), "addition") } else { (sum.sub(y), "subtraction") };
            match result {
                Ok(what) => {
                    notes.combined(span, what, operation);
                    sum.compact(0);
                    histogram(sum)
                }
                Err(HistogramError::IncompatibleSchemas) => {
                    notes.warn(
                        span,
                        format!("incompatible bucket layout encountered for binary operator {}", op.as_str()),
                    );
                    Outcome::Incompatible
                }
            }
        }
        (Eql | Neq, PointRef::Histogram(x), PointRef::Histogram(y)) => {
            if x.equals(y) == (op == Eql) {
                Outcome::Value(Point::Histogram(x.clone()))
            } else {
                Outcome::Unequal
            }
        }
        _ => incompatible(op, a, b, notes, span),
    }
}

fn incompatible(op: BinaryOp, a: PointRef<'_>, b: PointRef<'_>, notes: &mut Annotations, span: Span) -> Outcome {
    let kind = |p: PointRef<'_>| if matches!(p, PointRef::Float(_)) { "float" } else { "histogram" };
    let (a, b, op) = (kind(a), kind(b), op.as_str());
    notes.info(span, format!("incompatible sample types encountered for binary operator {}: {a} {op} {b}", quoted(op)));
    Outcome::Incompatible
}
