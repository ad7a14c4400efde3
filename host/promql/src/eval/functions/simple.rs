//! Functions that turn each float into another; histograms fall away.

use super::super::number::{go_max, go_min};
use super::super::series::ABSENT;
use super::super::{Evaluator, Failure, Series, Steps, Value, is_present, scalar_at};
use super::argument;
use crate::ast::Call;

impl Evaluator<'_> {
    /// Mathematics, clamping and rounding.
    pub(crate) fn simple_function(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let series = self.vector(argument(call, 0)?, steps)?;
        if let Some(f) = mathematical(call.function.name) {
            return self.map_floats(series, |_, v| f(v));
        }
        match call.function.name {
            "round" => {
                let nearest = match call.args.get(1) {
                    Some(expr) => self.scalar(expr, steps)?,
                    None => vec![1.0],
                };
                self.map_floats(series, |step, v| {
                    // Multiplied by the inverse: 0.1 is no binary fraction, 10 is.
                    let inverse = 1.0 / scalar_at(&nearest, step);
                    (v * inverse + 0.5).floor() / inverse
                })
            }
            "clamp_min" => {
                let min = self.scalar(argument(call, 1)?, steps)?;
                self.map_floats(series, |step, v| go_max(scalar_at(&min, step), v))
            }
            "clamp_max" => {
                let max = self.scalar(argument(call, 1)?, steps)?;
                self.map_floats(series, |step, v| go_min(scalar_at(&max, step), v))
            }
            "clamp" => {
                let min = self.scalar(argument(call, 1)?, steps)?;
                let max = self.scalar(argument(call, 2)?, steps)?;
                self.map_floats(series, |step, v| {
                    let (min, max) = (scalar_at(&min, step), scalar_at(&max, step));
                    if max < min { ABSENT } else { go_max(min, go_min(max, v)) }
                })
            }
            name => Err(Failure::execution(format!("unknown function with name {name:?}"))),
        }
    }

    /// Replaces every float, drops histograms and the name.
    pub(crate) fn map_floats(
        &mut self,
        mut series: Vec<Series>,
        f: impl Fn(usize, f64) -> f64,
    ) -> Result<Value, Failure> {
        for s in &mut series {
            self.check_cancelled()?;
            for (step, v) in s.floats.iter_mut().enumerate().filter(|(_, v)| is_present(**v)) {
                *v = f(step, *v);
            }
            if !s.histograms.is_empty() {
                s.histograms = Vec::new();
            }
        }
        series.retain(|s| !s.is_empty());
        self.without_names(series).map(Value::Vector)
    }
}

fn mathematical(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        "sgn" => |v| {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}
