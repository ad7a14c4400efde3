//! `sum`, `avg`, `count`, `min`, `max`, `group`, `stddev`, `stdvar`.
//!
//! One accumulator for each group and step, in one array; series after series is added to its group's row.

use std::sync::Arc;

use watchglass_model::{AddNotes, Histogram, HistogramSum};

use super::super::hints::Hints;
use super::super::kahan::{self, Mean, Variance};
use super::super::series::ABSENT;
use super::super::{Evaluator, Failure, Series, Steps, is_present};
use super::Groups;
use crate::ast::{Aggregate, AggregateOp};

/// What is gathered of floats.
trait Gather: Clone + Default {
    /// Takes one more value in.
    fn take(&mut self, v: f64);
    /// What it comes to; none if nothing was taken in.
    fn result(&self) -> Option<f64>;
}

#[derive(Clone, Default)]
struct Sum {
    sum: f64,
    lost: f64,
    any: bool,
}

impl Gather for Sum {
    #[inline]
    fn take(&mut self, v: f64) {
        kahan::add(v, &mut self.sum, &mut self.lost);
        self.any = true;
    }

    fn result(&self) -> Option<f64> {
        self.any.then_some(self.sum + self.lost)
    }
}

impl Gather for Mean {
    #[inline]
    fn take(&mut self, v: f64) {
        self.add(v);
    }

    fn result(&self) -> Option<f64> {
        (self.count() > 0.0).then(|| self.get())
    }
}

impl Gather for Variance {
    #[inline]
    fn take(&mut self, v: f64) {
        self.add(v);
    }

    fn result(&self) -> Option<f64> {
        (self.count() > 0.0).then(|| self.get())
    }
}

#[derive(Clone, Default)]
struct Max(Option<f64>);

impl Gather for Max {
    #[inline]
    fn take(&mut self, v: f64) {
        if self.0.is_none_or(|max| max < v || max.is_nan()) {
            self.0 = Some(v);
        }
    }

    fn result(&self) -> Option<f64> {
        self.0
    }
}

#[derive(Clone, Default)]
struct Min(Option<f64>);

impl Gather for Min {
    #[inline]
    fn take(&mut self, v: f64) {
        if self.0.is_none_or(|min| min > v || min.is_nan()) {
            self.0 = Some(v);
        }
    }

    fn result(&self) -> Option<f64> {
        self.0
    }
}

/// What a group has of histograms at a step.
#[derive(Clone, Default)]
enum Histograms {
    #[default]
    None,
    Sum(Box<(HistogramSum, Hints)>),
    /// Some that don't go together: the step has no result.
    Incompatible,
}

impl Evaluator<'_> {
    /// Aggregates each group at every step.
    pub(super) fn accumulated(
        &mut self,
        series: &[Series],
        groups: &Groups,
        aggregate: &Aggregate,
        steps: Steps,
    ) -> Result<Vec<Series>, Failure> {
        match aggregate.op {
            AggregateOp::Count | AggregateOp::Group => self.counted(series, groups, aggregate.op, steps),
            AggregateOp::Sum => self.added::<Sum>(series, groups, aggregate, steps),
            AggregateOp::Avg => self.added::<Mean>(series, groups, aggregate, steps),
            op => {
                self.note_ignored(series, aggregate);
                let mut out = match op {
                    AggregateOp::Min => self.gathered::<Min>(series, groups, steps)?,
                    AggregateOp::Max => self.gathered::<Max>(series, groups, steps)?,
                    _ => self.gathered::<Variance>(series, groups, steps)?,
                };
                if op == AggregateOp::Stddev {
                    // The root of an absent value's bits would be another NaN.
                    let present = out.iter_mut().flat_map(|s| &mut s.floats).filter(|v| is_present(**v));
                    present.for_each(|v| *v = v.sqrt());
                }
                out.retain(|s| !s.is_empty());
                Ok(out)
            }
        }
    }

    fn gathered<G: Gather>(&self, series: &[Series], groups: &Groups, steps: Steps) -> Result<Vec<Series>, Failure> {
        let mut rows = vec![G::default(); groups.labels.len() * steps.count];
        for (s, group) in series.iter().zip(&groups.of) {
            self.check_cancelled()?;
            let row = &mut rows[group * steps.count..(group + 1) * steps.count];
            for (slot, v) in row.iter_mut().zip(&s.floats).filter(|(_, v)| is_present(**v)) {
                slot.take(*v);
            }
        }
        let results = groups.labels.iter().zip(&groups.drop_name).zip(rows.chunks(steps.count.max(1)));
        Ok(results
            .map(|((labels, drop_name), row)| {
                let mut result = Series::new(labels.clone(), *drop_name, 0);
                result.floats = row.iter().map(|slot| slot.result().unwrap_or(ABSENT)).collect();
                result
            })
            .collect())
    }

    fn counted(
        &self,
        series: &[Series],
        groups: &Groups,
        op: AggregateOp,
        steps: Steps,
    ) -> Result<Vec<Series>, Failure> {
        let mut rows = vec![0u32; groups.labels.len() * steps.count];
        for (s, group) in series.iter().zip(&groups.of) {
            self.check_cancelled()?;
            let row = &mut rows[group * steps.count..(group + 1) * steps.count];
            for (step, slot) in row.iter_mut().enumerate() {
                *slot += u32::from(s.has(step));
            }
        }
        let results = groups.labels.iter().zip(&groups.drop_name).zip(rows.chunks(steps.count.max(1)));
        let value = |count: &u32| match (*count, op) {
            (0, _) => ABSENT,
            (_, AggregateOp::Group) => 1.0,
            (count, _) => f64::from(count),
        };
        Ok(results
            .map(|((labels, drop_name), row)| {
                let mut result = Series::new(labels.clone(), *drop_name, 0);
                result.floats = row.iter().map(value).collect();
                result
            })
            .collect())
    }

    // `sum` and `avg`, which take histograms too.
    fn added<G: Gather>(
        &mut self,
        series: &[Series],
        groups: &Groups,
        aggregate: &Aggregate,
        steps: Steps,
    ) -> Result<Vec<Series>, Failure> {
        let mut out = self.gathered::<G>(series, groups, steps)?;
        if series.iter().any(|s| !s.histograms.is_empty()) {
            self.add_histograms(series, groups, aggregate, steps, &mut out)?;
        }
        out.retain(|s| !s.is_empty());
        Ok(out)
    }

    fn add_histograms(
        &mut self,
        series: &[Series],
        groups: &Groups,
        aggregate: &Aggregate,
        steps: Steps,
        out: &mut [Series],
    ) -> Result<(), Failure> {
        let span = aggregate.expr.span();
        let mean = aggregate.op == AggregateOp::Avg;
        let begin: fn(&Histogram) -> HistogramSum = if mean { HistogramSum::for_mean } else { HistogramSum::new };
        let mut rows = vec![Histograms::None; groups.labels.len() * steps.count];
        for (s, group) in series.iter().zip(&groups.of).filter(|(s, _)| !s.histograms.is_empty()) {
            self.check_cancelled()?;
            for (step, h) in s.histograms.iter().enumerate() {
                let Some(h) = h else { continue };
                let slot = &mut rows[group * steps.count + step];
                match slot {
                    Histograms::None => {
                        let mut hints = Hints::default();
                        hints.see(h);
                        *slot = Histograms::Sum(Box::new((begin(h), hints)));
                    }
                    Histograms::Sum(sum) => {
                        sum.1.see(h);
                        match sum.0.add(h) {
                            Ok(notes) => {
                                let notes = AddNotes { counter_reset_collision: false, ..notes };
                                self.notes.combined(span, notes, "aggregation");
                            }
                            Err(_) => *slot = Histograms::Incompatible,
                        }
                    }
                    Histograms::Incompatible => {}
                }
            }
        }
        for (i, slot) in rows.into_iter().enumerate() {
            let (result, step) = (&mut out[i / steps.count], i % steps.count);
            let floats = is_present(result.floats[step]);
            match slot {
                Histograms::None => {}
                _ if floats => {
                    self.notes.warn(span, "encountered a mix of histograms and floats for aggregation".to_owned());
                    result.clear(step);
                }
                Histograms::Sum(sum) => {
                    if sum.1.collide() {
                        self.notes.reset_collision(span);
                    }
                    let h = if mean { sum.0.mean() } else { sum.0.sum() };
                    result.set_histogram(step, Arc::new(h));
                }
                Histograms::Incompatible => {
                    let text = "vector contains a mix of histograms with exponential and custom buckets schemas";
                    self.notes.warn(span, text.to_owned());
                }
            }
        }
        Ok(())
    }
}
