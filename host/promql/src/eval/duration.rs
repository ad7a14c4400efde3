//! Durations, and the expressions that give them.

use super::{Bounds, Evaluator, Failure};
use crate::ast::{BinaryOp, DurationExpr};

// What fits into Go's time.Duration, in which Prometheus keeps durations: 2^63 ns.
const MAX_SECONDS: f64 = 9_223_372_036.0;

impl Evaluator<'_> {
    /// An offset in milliseconds; negative looks ahead.
    pub(crate) fn offset(&self, offset: Option<&DurationExpr>) -> Result<i64, Failure> {
        offset.map_or(Ok(0), |d| milliseconds(d, self.bounds))
    }

    /// A range or step in milliseconds, positive.
    pub(crate) fn positive(&self, duration: &DurationExpr) -> Result<i64, Failure> {
        match milliseconds(duration, self.bounds)? {
            ms if ms > 0 => Ok(ms),
            _ => Err(Failure::execution("duration must be greater than 0")),
        }
    }
}

fn milliseconds(duration: &DurationExpr, bounds: Bounds) -> Result<i64, Failure> {
    if let DurationExpr::Literal(ms) = duration {
        return Ok(*ms);
    }
    let seconds = value(duration, bounds)?;
    if !seconds.is_finite() || seconds.abs() > MAX_SECONDS {
        return Err(Failure::execution("duration out of range"));
    }
    Ok((seconds * 1000.0).round() as i64)
}

// Seconds. The parser bounds how deep it can go.
fn value(duration: &DurationExpr, bounds: Bounds) -> Result<f64, Failure> {
    Ok(match duration {
        DurationExpr::Literal(ms) => *ms as f64 / 1000.0,
        DurationExpr::Number { seconds, .. } => *seconds,
        DurationExpr::Step => bounds.step as f64 / 1000.0,
        DurationExpr::Range => bounds.end.saturating_sub(bounds.start) as f64 / 1000.0,
        DurationExpr::Unary(negative, inner) => {
            let v = value(inner, bounds)?;
            if *negative { -v } else { v }
        }
        DurationExpr::Paren(inner) => value(inner, bounds)?,
        DurationExpr::MinOf(a, b) => value(a, bounds)?.min(value(b, bounds)?),
        DurationExpr::MaxOf(a, b) => value(a, bounds)?.max(value(b, bounds)?),
        DurationExpr::Binary(op, a, b) => {
            let (a, b) = (value(a, bounds)?, value(b, bounds)?);
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div if b == 0.0 => return Err(Failure::execution("division by zero")),
                BinaryOp::Div => a / b,
                BinaryOp::Mod if b == 0.0 => return Err(Failure::execution("modulo by zero")),
                BinaryOp::Mod => a % b,
                BinaryOp::Pow => a.powf(b),
                _ => return Err(Failure::execution("unexpected operator in a duration")),
            }
        }
    })
}
