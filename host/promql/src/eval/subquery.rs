//! Subqueries: an expression evaluated on a grid of its own, whose values are then the points of a range.

use watchglass_model::{FloatPoint, HistogramPoint};

use super::selector::Reference;
use super::window::{RangeSeries, Ranges, Shape};
use super::{Evaluator, Failure, Series, Steps, is_present};
use crate::ast::{Extension, Subquery};

impl Evaluator<'_> {
    /// Evaluates a subquery once, on all of its steps that any of the given steps looks at.
    pub(crate) fn subquery_ranges(&mut self, subquery: &Subquery, steps: Steps) -> Result<Ranges, Failure> {
        let reference = Reference { at: self.fixed(subquery.at), offset: self.offset(subquery.offset.as_ref())? };
        let shape = Shape {
            reference,
            range: self.positive(&subquery.range)?,
            extension: Extension::None,
            lookback: self.options.lookback_ms,
        };
        let interval = match &subquery.step {
            Some(step) => self.positive(step)?,
            None => self.options.subquery_step_ms.max(1),
        };
        // Its steps are multiples of the interval, whatever the steps outside are, and the range is left-open.
        let open = reference.of(steps.start).saturating_sub(shape.range);
        let start = open.div_euclid(interval).saturating_add(1).saturating_mul(interval);
        let inner = Steps::between(start, reference.of(steps.last()), interval);
        if inner.count > self.options.max_samples {
            return Err(crate::source::SourceError::TooManySamples.into());
        }
        let above = self.buckets;
        self.buckets.needed = true;
        let values = if inner.count == 0 { Vec::new() } else { self.subquery_values(subquery, inner)? };
        self.buckets = above;
        let series: Vec<RangeSeries> = values.into_iter().map(|s| points_of(s, inner)).collect();
        Ok(Ranges { series, shape, span: subquery.span })
    }

    fn subquery_values(&mut self, subquery: &Subquery, inner: Steps) -> Result<Vec<Series>, Failure> {
        match self.eval(&subquery.expr, inner)? {
            super::Value::Vector(series) => Ok(series),
            super::Value::Scalar(values) => Ok(vec![self.scalar_series(&values, inner)]),
            super::Value::String(_) => Err(Failure::execution("a subquery needs an instant vector")),
        }
    }

    /// A scalar as a series without labels.
    pub(crate) fn scalar_series(&self, values: &[f64], steps: Steps) -> Series {
        let mut series = Series::new(watchglass_model::Labels::empty(), false, 0);
        series.floats = (0..steps.count).map(|i| super::scalar_at(values, i)).collect();
        series
    }
}

fn points_of(series: Series, steps: Steps) -> RangeSeries {
    let times = || steps.iter();
    let floats = times().zip(&series.floats).filter(|(_, v)| is_present(**v)).map(|(t, v)| FloatPoint { t, v: *v });
    let floats: Vec<FloatPoint> = floats.collect();
    let histograms = times().zip(series.histograms).filter_map(|(t, h)| h.map(|h| HistogramPoint { t, h })).collect();
    RangeSeries { labels: series.labels, drop_name: series.drop_name, floats, histograms, ..RangeSeries::default() }
}
