//! Aggregations. Series are put into groups once, for all steps.
//!
//! - `accumulate`: what a group's values come to (`sum`, `avg`, `quantile` ...)
//! - `select`: which of a group's series are kept (`topk`, `limitk`, `limit_ratio` ...)
//! - `count_values`: groups by value

mod accumulate;
mod count_values;
mod select;

use std::collections::HashMap;

use watchglass_model::Labels;

use super::series::is_name_label;
use super::{Evaluator, Failure, Series, Steps, Value, scalar_at};
use crate::ast::{Aggregate, AggregateOp, Expr, Grouping, Span};

/// Series in groups.
pub(crate) struct Groups {
    /// Of each series its group.
    pub(crate) of: Vec<usize>,
    /// Of each group its labels.
    pub(crate) labels: Vec<Labels>,
    /// Of each group whether it has a series whose name is to go.
    pub(crate) drop_name: Vec<bool>,
}

impl Groups {
    fn new(series: &[Series], grouping: &Grouping, type_and_unit: bool) -> Groups {
        let mut groups = Groups { of: Vec::with_capacity(series.len()), labels: Vec::new(), drop_name: Vec::new() };
        if grouping.labels.is_empty() && !grouping.without {
            if !series.is_empty() {
                groups.of = vec![0; series.len()];
                groups.labels.push(Labels::empty());
                groups.drop_name.push(false);
            }
            return groups;
        }
        // Keyed by the text of the labels, so that only a new group costs an allocation.
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut key = String::new();
        for s in series {
            s.labels.filtered_key(&mut key, |name, _| tells_group(name, grouping, type_and_unit));
            let group = match known.get(&key) {
                Some(group) => *group,
                None => {
                    let next = groups.labels.len();
                    groups.labels.push(group_labels(&s.labels, grouping, type_and_unit));
                    groups.drop_name.push(false);
                    known.insert(key.clone(), next);
                    next
                }
            };
            groups.of.push(group);
            groups.drop_name[group] |= s.drop_name;
        }
        groups
    }
}

/// What of a series' labels tells its group.
pub(crate) fn group_labels(labels: &Labels, grouping: &Grouping, type_and_unit: bool) -> Labels {
    labels.filtered(|name, _| tells_group(name, grouping, type_and_unit))
}

fn tells_group(name: &str, grouping: &Grouping, type_and_unit: bool) -> bool {
    let named = grouping.labels.iter().any(|l| l == name);
    if grouping.without { !named && !is_name_label(name, type_and_unit) } else { named }
}

impl Evaluator<'_> {
    /// An aggregation at every step.
    pub(crate) fn eval_aggregate(&mut self, aggregate: &Aggregate, steps: Steps) -> Result<Value, Failure> {
        let out = match aggregate.op {
            AggregateOp::CountValues => self.count_values(aggregate, steps)?,
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                self.select_series(aggregate, steps)?
            }
            _ => self.accumulate(aggregate, steps)?,
        };
        Ok(Value::Vector(out))
    }

    fn accumulate(&mut self, aggregate: &Aggregate, steps: Steps) -> Result<Vec<Series>, Failure> {
        let quantiles = match aggregate.op {
            AggregateOp::Quantile => {
                let expr = parameter(aggregate)?;
                let values = self.scalar(expr, steps)?;
                for q in values.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
                    self.notes.invalid_quantile(expr.span(), *q);
                }
                values
            }
            _ => Vec::new(),
        };
        let series = self.vector(&aggregate.expr, steps)?;
        let groups = Groups::new(&series, &aggregate.grouping, self.options.type_and_unit_labels);
        let out = if aggregate.op == AggregateOp::Quantile {
            self.quantiles(&series, &groups, &quantiles, aggregate, steps)?
        } else {
            self.accumulated(&series, &groups, aggregate, steps)?
        };
        Ok(out)
    }

    fn quantiles(
        &mut self,
        series: &[Series],
        groups: &Groups,
        quantiles: &[f64],
        aggregate: &Aggregate,
        steps: Steps,
    ) -> Result<Vec<Series>, Failure> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.labels.len()];
        for (i, group) in groups.of.iter().enumerate() {
            members[*group].push(i);
        }
        self.note_ignored(series, aggregate);
        let mut out = Vec::with_capacity(members.len());
        let mut values = Vec::new();
        for (group, members) in members.iter().enumerate() {
            let mut result = Series::new(groups.labels[group].clone(), groups.drop_name[group], steps.count);
            for step in 0..steps.count {
                self.check_cancelled()?;
                values.clear();
                values.extend(members.iter().map(|i| series[*i].floats[step]).filter(|v| super::is_present(*v)));
                if !values.is_empty() {
                    result.floats[step] =
                        super::functions::interpolated_quantile(scalar_at(quantiles, step), &mut values);
                }
            }
            if !result.is_empty() {
                out.push(result);
            }
        }
        Ok(out)
    }

    /// Says that histograms are left out, where there are any.
    pub(crate) fn note_ignored(&mut self, series: &[Series], aggregate: &Aggregate) {
        if series.iter().any(|s| !s.histograms.is_empty()) {
            self.note_ignored_histogram(aggregate.op, aggregate.expr.span());
        }
    }

    /// Says that histograms are left out.
    pub(crate) fn note_ignored_histogram(&mut self, op: AggregateOp, span: Span) {
        self.notes.info(span, format!("ignored histogram in {} aggregation", op.as_str()));
    }
}

/// The parameter before the vector.
pub(crate) fn parameter(aggregate: &Aggregate) -> Result<&Expr, Failure> {
    aggregate.param.as_ref().ok_or_else(|| Failure::execution(format!("{} needs a parameter", aggregate.op.as_str())))
}
