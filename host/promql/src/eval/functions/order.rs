//! `sort*`.

use std::cmp::Ordering;

use super::super::{Evaluator, Failure, Series, Steps, Value, is_present};
use super::argument;
use crate::ast::Call;

impl Evaluator<'_> {
    /// Sorts the result of an instant query; a range query's result is sorted by labels, whatever is said here.
    pub(crate) fn sort(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let name = call.function.name;
        let descending = name.ends_with("_desc");
        let mut series = self.vector(argument(call, 0)?, steps)?;
        let by_label = name.starts_with("sort_by_label");
        let labels = if by_label {
            call.args.iter().skip(1).map(|arg| self.string(arg, steps)).collect::<Result<Vec<_>, _>>()?
        } else {
            // Histograms have no order.
            series.iter_mut().for_each(|s| s.histograms = Vec::new());
            series.retain(|s| !s.is_empty());
            Vec::new()
        };
        if self.bounds.step > 0 {
            let text = "sort is ineffective for range queries since results are always ordered by labels";
            self.notes.warn(call.span, text.to_owned());
            return Ok(Value::Vector(series));
        }
        if steps.count != 1 {
            return Ok(Value::Vector(series));
        }
        if by_label {
            series.sort_by(|a, b| {
                let order = labels
                    .iter()
                    .map(|l| natural(a.labels.value(l), b.labels.value(l)))
                    .find(|o| o.is_ne())
                    .unwrap_or_else(|| a.labels.cmp(&b.labels));
                if descending { order.reverse() } else { order }
            });
        } else {
            series.sort_by(|a, b| by_value(first(a), first(b), descending));
        }
        Ok(Value::Vector(series))
    }
}

fn first(series: &Series) -> f64 {
    series.floats.first().copied().filter(|v| is_present(*v)).unwrap_or(f64::NAN)
}

/// The order of two values, NaN last either way.
pub(crate) fn by_value(a: f64, b: f64, descending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
    }
}

/// The order people expect: runs of digits by their number, all else by bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let ((x, after_a), (y, after_b)) = (chunk(a), chunk(b));
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            _ => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (after_a, after_b);
    }
    a.len().cmp(&b.len())
}

// A run of digits or of anything else, and what follows.
fn chunk(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let mut names = ["cpu10", "cpu9", "cpu", "4m5", "4m1000", "4m600", "a", ""];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "4m5", "4m600", "4m1000", "a", "cpu", "cpu9", "cpu10"]);
    }
}
