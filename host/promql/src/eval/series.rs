//! What an expression gives: values at every step.

use std::collections::HashMap;
use std::sync::Arc;

use watchglass_model::{Histogram, Labels, METRIC_NAME, STALE_NAN_BITS};

use super::Failure;

/// Stands for "no float at this step". The staleness marker never is a live value: selectors leave it out, and arithmetic
/// gives quiet NaNs.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_NAN_BITS);

/// Whether a float is one.
#[inline]
pub(crate) fn is_present(v: f64) -> bool {
    v.to_bits() != STALE_NAN_BITS
}

/// A float or a histogram.
#[derive(Clone, Debug)]
pub(crate) enum Point {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

/// A point that is only looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PointRef<'a> {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(&'a Arc<Histogram>),
}

/// A series with a value, or none, at each step.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Its labels.
    pub(crate) labels: Labels,
    /// To lose its name at the end of the query.
    pub(crate) drop_name: bool,
    /// A float, or [`ABSENT`], for each step.
    pub(crate) floats: Vec<f64>,
    /// Empty where the series has no histogram at all; else one or none for each step.
    pub(crate) histograms: Vec<Option<Arc<Histogram>>>,
}

impl Series {
    /// A series without any value yet.
    pub(crate) fn new(labels: Labels, drop_name: bool, steps: usize) -> Series {
        Series { labels, drop_name, floats: vec![ABSENT; steps], histograms: Vec::new() }
    }

    /// What it has at a step.
    #[inline]
    pub(crate) fn get(&self, step: usize) -> Option<PointRef<'_>> {
        let v = self.floats[step];
        if is_present(v) {
            return Some(PointRef::Float(v));
        }
        match self.histograms.get(step) {
            Some(Some(h)) => Some(PointRef::Histogram(h)),
            _ => None,
        }
    }

    /// Whether it has anything at a step.
    #[inline]
    pub(crate) fn has(&self, step: usize) -> bool {
        is_present(self.floats[step]) || self.histogram(step).is_some()
    }

    /// The histogram at a step.
    #[inline]
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(step).and_then(Option::as_ref)
    }

    /// Sets a step to a histogram.
    pub(crate) fn set_histogram(&mut self, step: usize, h: Arc<Histogram>) {
        if self.histograms.is_empty() {
            self.histograms = vec![None; self.floats.len()];
        }
        self.floats[step] = ABSENT;
        self.histograms[step] = Some(h);
    }

    /// Sets a step.
    pub(crate) fn set(&mut self, step: usize, point: Point) {
        match point {
            Point::Float(v) => {
                self.floats[step] = v;
                if let Some(slot) = self.histograms.get_mut(step) {
                    *slot = None;
                }
            }
            Point::Histogram(h) => self.set_histogram(step, h),
        }
    }

    /// Takes a step's value away.
    pub(crate) fn clear(&mut self, step: usize) {
        self.floats[step] = ABSENT;
        if let Some(slot) = self.histograms.get_mut(step) {
            *slot = None;
        }
    }

    /// Whether no step has one.
    pub(crate) fn is_empty(&self) -> bool {
        !self.floats.iter().any(|v| is_present(*v)) && self.histograms.iter().all(Option::is_none)
    }
}

/// What an expression gives.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A number for each step, or one that holds for all.
    Scalar(Vec<f64>),
    /// A text.
    String(String),
    /// Series, in the order of the result.
    Vector(Vec<Series>),
}

impl Value {
    /// How many points it has room for: that is what it costs, whether they are there or not.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Scalar(values) => values.len(),
            Value::String(_) => 0,
            Value::Vector(series) => series.iter().map(|s| s.floats.len() + s.histograms.len()).sum(),
        }
    }
}

/// The number of a scalar at a step.
#[inline]
pub(crate) fn scalar_at(values: &[f64], step: usize) -> f64 {
    match values {
        [one] => *one,
        many => many[step],
    }
}

/// The labels without those that make up the name.
pub(crate) fn without_name(labels: &Labels, type_and_unit: bool) -> Labels {
    labels.filtered(|n, _| !is_name_label(n, type_and_unit))
}

/// Whether a label goes where the name goes.
pub(crate) fn is_name_label(label: &str, type_and_unit: bool) -> bool {
    label == METRIC_NAME || (type_and_unit && (label == "__type__" || label == "__unit__"))
}

/// Puts series with equal labels together. Where two have a value at one step the vector is ambiguous: an error.
pub(crate) fn merge_equal(series: Vec<Series>) -> Result<Vec<Series>, Failure> {
    if series.len() < 2 {
        return Ok(series);
    }
    let mut first: HashMap<Labels, usize> = HashMap::with_capacity(series.len());
    let mut merged: Vec<Series> = Vec::with_capacity(series.len());
    for s in series {
        match first.get(&s.labels) {
            None => {
                first.insert(s.labels.clone(), merged.len());
                merged.push(s);
            }
            Some(i) => merge_into(&mut merged[*i], s)?,
        }
    }
    Ok(merged)
}

fn merge_into(to: &mut Series, from: Series) -> Result<(), Failure> {
    for step in 0..from.floats.len() {
        let point = match from.get(step) {
            None => continue,
            Some(PointRef::Float(v)) => Point::Float(v),
            Some(PointRef::Histogram(h)) => Point::Histogram(h.clone()),
        };
        if to.has(step) {
            return Err(Failure::execution("vector cannot contain metrics with the same labelset"));
        }
        to.set(step, point);
    }
    to.drop_name |= from.drop_name;
    Ok(())
}
