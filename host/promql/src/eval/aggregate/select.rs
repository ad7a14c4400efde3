//! `topk`, `bottomk`, `limitk`, `limit_ratio`: aggregations that keep some of a group's series as they are.

use watchglass_model::GoFloat;

use super::super::functions::by_value;
use super::super::xxhash::labels_hash;
use super::super::{Evaluator, Failure, Series, Steps, is_present, scalar_at};
use super::{Groups, parameter};
use crate::ast::{Aggregate, AggregateOp};

impl Evaluator<'_> {
    /// Keeps at every step the series of each group that the operator picks.
    pub(super) fn select_series(&mut self, aggregate: &Aggregate, steps: Steps) -> Result<Vec<Series>, Failure> {
        let expr = parameter(aggregate)?;
        let params = self.scalar(expr, steps)?;
        self.check_params(aggregate, &params, expr.span())?;
        let series = self.vector(&aggregate.expr, steps)?;
        let groups = Groups::new(&series, &aggregate.grouping, self.options.type_and_unit_labels);
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.labels.len()];
        for (i, group) in groups.of.iter().enumerate() {
            members[*group].push(i);
        }
        let mut keep = Kept::new(series.len(), steps.count);
        match aggregate.op {
            AggregateOp::LimitRatio => ratio(&series, &params, steps, &mut keep),
            AggregateOp::Limitk => limit(&series, &members, &params, steps, &mut keep),
            _ => {
                self.note_ignored(&series, aggregate);
                self.best(&series, &members, &params, aggregate.op, steps, &mut keep)?;
            }
        }
        let mut out: Vec<Series> = Vec::new();
        for (i, mut s) in series.into_iter().enumerate() {
            if !keep.any(i) {
                continue;
            }
            (0..steps.count).filter(|step| !keep.has(i, *step)).for_each(|step| s.clear(step));
            out.push(s);
        }
        if steps.count == 1 && matches!(aggregate.op, AggregateOp::Topk | AggregateOp::Bottomk) {
            self.order(&mut out, aggregate);
        }
        Ok(out)
    }

    fn check_params(&mut self, aggregate: &Aggregate, params: &[f64], span: crate::ast::Span) -> Result<(), Failure> {
        let ratio = aggregate.op == AggregateOp::LimitRatio;
        for v in params {
            if v.is_nan() {
                return Err(Failure::execution(if ratio { "Ratio value is NaN" } else { "Parameter value is NaN" }));
            }
            if ratio && v.abs() > 1.0 {
                let to = v.signum();
                let text =
                    format!("ratio value should be between -1 and 1, got {}, capping to {}", GoFloat(*v), GoFloat(to));
                self.notes.warn(span, text);
            }
            // The bounds of a 64-bit integer, the upper one not included.
            if !ratio && !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(v) {
                return Err(Failure::execution(format!("Scalar value {} overflows int64", GoFloat(*v))));
            }
        }
        Ok(())
    }

    // Of each group at every step the k largest or smallest floats; of equal ones those that come first.
    fn best(
        &self,
        series: &[Series],
        members: &[Vec<usize>],
        params: &[f64],
        op: AggregateOp,
        steps: Steps,
        keep: &mut Kept,
    ) -> Result<(), Failure> {
        let descending = op == AggregateOp::Topk;
        let mut ranked: Vec<(f64, usize)> = Vec::new();
        for group in members {
            self.check_cancelled()?;
            for step in 0..steps.count {
                let k = at_most(scalar_at(params, step), group.len());
                if k == 0 {
                    continue;
                }
                ranked.clear();
                ranked.extend(group.iter().map(|i| (series[*i].floats[step], *i)).filter(|(v, _)| is_present(*v)));
                if ranked.len() > k {
                    ranked.select_nth_unstable_by(k - 1, |a, b| by_value(a.0, b.0, descending).then(a.1.cmp(&b.1)));
                    ranked.truncate(k);
                }
                ranked.iter().for_each(|(_, i)| keep.set(*i, step));
            }
        }
        Ok(())
    }

    // The result of an instant query: group after group, each from best to worst.
    fn order(&self, out: &mut Vec<Series>, aggregate: &Aggregate) {
        let groups = Groups::new(out, &aggregate.grouping, self.options.type_and_unit_labels);
        let mut keyed: Vec<(usize, Series)> = groups.of.into_iter().zip(std::mem::take(out)).collect();
        let descending = aggregate.op == AggregateOp::Topk;
        let value = |s: &Series| s.floats.first().copied().unwrap_or(f64::NAN);
        keyed.sort_by(|(g, a), (h, b)| g.cmp(h).then_with(|| by_value(value(a), value(b), descending)));
        *out = keyed.into_iter().map(|(_, s)| s).collect();
    }
}

/// Which series are kept at which steps.
struct Kept {
    steps: usize,
    bits: Vec<bool>,
}

impl Kept {
    fn new(series: usize, steps: usize) -> Kept {
        Kept { steps, bits: vec![false; series * steps] }
    }

    fn set(&mut self, series: usize, step: usize) {
        self.bits[series * self.steps + step] = true;
    }

    fn has(&self, series: usize, step: usize) -> bool {
        self.bits[series * self.steps + step]
    }

    fn any(&self, series: usize) -> bool {
        self.bits[series * self.steps..(series + 1) * self.steps].contains(&true)
    }
}

fn at_most(k: f64, limit: usize) -> usize {
    if k < 1.0 { 0 } else { (k as usize).min(limit) }
}

fn limit(series: &[Series], members: &[Vec<usize>], params: &[f64], steps: Steps, keep: &mut Kept) {
    for group in members {
        for step in 0..steps.count {
            let k = at_most(scalar_at(params, step), group.len());
            group.iter().filter(|i| series[**i].has(step)).take(k).for_each(|i| keep.set(*i, step));
        }
    }
}

// A series' hash lies somewhere between 0 and 1; a ratio takes those below it, a negative one those from 1 + ratio on, so that
// r and r - 1 complement each other.
fn ratio(series: &[Series], params: &[f64], steps: Steps, keep: &mut Kept) {
    for (i, s) in series.iter().enumerate() {
        let place = labels_hash(&s.labels) as f64 / u64::MAX as f64;
        for step in 0..steps.count {
            let r = scalar_at(params, step).clamp(-1.0, 1.0);
            let picked = if r >= 0.0 { place < r } else { place >= 1.0 + r };
            if picked && s.has(step) {
                keep.set(i, step);
            }
        }
    }
}
