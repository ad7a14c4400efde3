//! Functions that give a scalar.

use super::super::number::{go_max, go_min};
use super::super::{Evaluator, Failure, Steps, Value, is_present, scalar_at};
use super::argument;
use crate::ast::Call;

impl Evaluator<'_> {
    /// `time`, `pi`, `start`, `end`, `range`, `step`, `min_of`, `max_of`.
    pub(crate) fn scalar_function(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let seconds = |ms: i64| vec![ms as f64 / 1000.0];
        let values = match call.function.name {
            "time" => steps.iter().map(|t| t as f64 / 1000.0).collect(),
            "pi" => vec![std::f64::consts::PI],
            "start" => seconds(self.bounds.start),
            "end" => seconds(self.bounds.end),
            "range" => seconds(self.bounds.end.saturating_sub(self.bounds.start)),
            "step" => seconds(self.bounds.step),
            "min_of" => self.of_two(call, steps, go_min)?,
            "max_of" => self.of_two(call, steps, go_max)?,
            name => return Err(Failure::execution(format!("unknown function with name {name:?}"))),
        };
        Ok(Value::Scalar(values))
    }

    fn of_two(&mut self, call: &Call, steps: Steps, f: fn(f64, f64) -> f64) -> Result<Vec<f64>, Failure> {
        let a = self.scalar(argument(call, 0)?, steps)?;
        let b = self.scalar(argument(call, 1)?, steps)?;
        Ok((0..a.len().max(b.len())).map(|i| f(scalar_at(&a, i), scalar_at(&b, i))).collect())
    }

    /// `scalar`: the only float of a vector, NaN where it has none or several.
    pub(crate) fn scalar_of_vector(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let series = self.vector(argument(call, 0)?, steps)?;
        let mut values = vec![(f64::NAN, 0u8); steps.count];
        for s in &series {
            for (slot, v) in values.iter_mut().zip(&s.floats).filter(|(_, v)| is_present(**v)) {
                *slot = (*v, slot.1.saturating_add(1));
            }
        }
        Ok(Value::Scalar(values.into_iter().map(|(v, count)| if count == 1 { v } else { f64::NAN }).collect()))
    }
}
