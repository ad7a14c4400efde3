//! The functions, by what they work on.
//!
//! - `simple`: one float in, one float out; `scalars`: without a vector; `dates`: of the calendar
//! - `labels`: `label_replace`, `label_join`; `order`: `sort*`; `presence`: `absent*`, `scalar`, `timestamp`
//! - `ranges`: how functions of ranges are called; `over_time`, `rate`, `extended`, `starts`, `instant_rate`, `trend`: these
//! - `histogram`, `buckets`: `histogram_*` on native and on classic histograms

mod buckets;
mod dates;
mod extended;
mod histogram;
mod instant_rate;
mod labels;
mod order;
mod over_time;
mod presence;
mod ranges;
mod rate;
mod scalars;
mod simple;
mod starts;
mod trend;

pub(crate) use extended::interpolate_histogram;
pub(crate) use order::by_value;
pub(crate) use presence::interpolated_quantile;

use super::{Evaluator, Failure, Steps, Value};
use crate::ast::{Call, Expr, ValueType};

impl Evaluator<'_> {
    /// A function call at every step.
    pub(crate) fn eval_call(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let above = self.buckets;
        match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => self.buckets.statistics = true,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => self.buckets.needed = true,
            _ => {}
        }
        let value = self.dispatch(call, steps);
        self.buckets = above;
        value
    }

    fn dispatch(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let name = call.function.name;
        match name {
            "absent" => self.absent(call, steps),
            "absent_over_time" => self.absent_over_time(call, steps),
            "info" => self.info(call, steps),
            "label_replace" => self.label_replace(call, steps),
            "label_join" => self.label_join(call, steps),
            "scalar" => self.scalar_of_vector(call, steps),
            "vector" => {
                let values = self.scalar(argument(call, 0)?, steps)?;
                Ok(Value::Vector(vec![self.scalar_series(&values, steps)]))
            }
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => self.sort(call, steps),
            "timestamp" | "start_timestamp" => self.timestamp(call, steps),
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => self.histogram_estimate(call, steps),
            "histogram_count" | "histogram_sum" | "histogram_avg" | "histogram_stddev" | "histogram_stdvar" => {
                self.histogram_statistic(call, steps)
            }
            _ if call.function.returns == ValueType::Scalar => self.scalar_function(call, steps),
            _ if call.function.args.contains(&ValueType::Matrix) => self.range_function(call, steps),
            _ if call.function.variadic == 1 && name != "round" => self.date_function(call, steps),
            _ => self.simple_function(call, steps),
        }
    }
}

/// The argument at an index. The parser has counted them; a tree built by hand may lack one.
pub(crate) fn argument(call: &Call, index: usize) -> Result<&Expr, Failure> {
    call.args.get(index).ok_or_else(|| {
        Failure::execution(format!(
            "function {}: expected at least {} arguments, got {}",
            call.function.name,
            index + 1,
            call.args.len()
        ))
    })
}
