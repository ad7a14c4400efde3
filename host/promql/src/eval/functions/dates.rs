//! Functions of the calendar, in UTC.

use super::super::civil::Civil;
use super::super::{Evaluator, Failure, Steps, Value};
use crate::ast::Call;

impl Evaluator<'_> {
    /// `year`, `hour` and so on: of each float as seconds since 1970, without an argument of the step's time.
    pub(crate) fn date_function(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let part: fn(Civil) -> f64 = match call.function.name {
            "day_of_month" => |c| f64::from(c.day),
            "day_of_week" => |c| f64::from(c.weekday),
            "day_of_year" => |c| f64::from(c.day_of_year),
            "days_in_month" => |c| f64::from(c.days_in_month()),
            "hour" => |c| f64::from(c.hour),
            "minute" => |c| f64::from(c.minute),
            "month" => |c| f64::from(c.month),
            "year" => |c| c.year as f64,
            name => return Err(Failure::execution(format!("unknown function with name {name:?}"))),
        };
        let series = match call.args.first() {
            Some(arg) => self.vector(arg, steps)?,
            None => {
                let times: Vec<f64> = steps.iter().map(|t| t as f64 / 1000.0).collect();
                vec![self.scalar_series(&times, steps)]
            }
        };
        // Years beyond these don't fit into the calendar's arithmetic.
        const FAR: f64 = 1e15;
        self.map_floats(series, |_, v| if v.abs() < FAR { part(Civil::from_seconds(v as i64)) } else { f64::NAN })
    }
}
