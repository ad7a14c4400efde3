//! `count_values`: how many series of a group have each value.

use std::collections::HashMap;

use watchglass_model::{Labels, PlainFloat};

use super::super::series::PointRef;
use super::super::{Evaluator, Failure, Series, Steps, is_present};
use super::{group_labels, parameter};
use crate::ast::Aggregate;

impl Evaluator<'_> {
    /// Counts values at every step.
    pub(super) fn count_values(&mut self, aggregate: &Aggregate, steps: Steps) -> Result<Vec<Series>, Failure> {
        let label = self.string(parameter(aggregate)?, steps)?;
        self.check_label_name(&label)?;
        let input = self.vector(&aggregate.expr, steps)?;
        let mut known: HashMap<(Labels, String), usize> = HashMap::new();
        let mut out: Vec<Series> = Vec::new();
        for s in &input {
            self.check_cancelled()?;
            let group = group_labels(&s.labels, &aggregate.grouping, self.options.type_and_unit_labels);
            for step in 0..steps.count {
                let value = match s.get(step) {
                    None => continue,
                    Some(PointRef::Float(v)) => PlainFloat(v).to_string(),
                    Some(PointRef::Histogram(h)) => h.to_string(),
                };
                let index = match known.get(&(group.clone(), value.clone())) {
                    Some(index) => *index,
                    None => {
                        self.hold(steps.count)?;
                        out.push(Series::new(group.with(&label, &value), s.drop_name, steps.count));
                        known.insert((group.clone(), value), out.len() - 1);
                        out.len() - 1
                    }
                };
                let slot = &mut out[index].floats[step];
                *slot = if is_present(*slot) { *slot + 1.0 } else { 1.0 };
            }
        }
        // The label may be one that is grouped by, so that groups which differ in it alone fall together.
        Ok(merge_counts(out))
    }
}

fn merge_counts(series: Vec<Series>) -> Vec<Series> {
    let mut known: HashMap<Labels, usize> = HashMap::new();
    let mut out: Vec<Series> = Vec::with_capacity(series.len());
    for s in series {
        match known.get(&s.labels) {
            None => {
                known.insert(s.labels.clone(), out.len());
                out.push(s);
            }
            Some(i) => {
                for (slot, v) in out[*i].floats.iter_mut().zip(&s.floats).filter(|(_, v)| is_present(**v)) {
                    *slot = if is_present(*slot) { *slot + v } else { *v };
                }
            }
        }
    }
    out
}
