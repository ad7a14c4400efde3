//! Adding up many histograms.

use std::cmp::Ordering;

use super::arithmetic::{AddNotes, HistogramError, combined_hint};
use super::bounds::upper_bound;
use super::cells::{self, Cell};
use super::{CounterResetHint, Histogram};
use crate::kahan::Kahan;

/// A mean is added up in units of 2^64, a change of exponents alone, so that no sum of up to 2^64 finite values overflows.
const MEAN_UNIT: f64 = 18_446_744_073_709_551_616.0;

/// The sum or the mean of many histograms, compensated in every field.
///
/// ```
/// use watchglass_model::{Histogram, HistogramSum};
/// let h = Histogram { count: 3.0, sum: 1.5, ..Histogram::default() };
/// let mut mean = HistogramSum::for_mean(&h);
/// mean.add(&h).unwrap();
/// assert_eq!(mean.mean().sum, 1.5);
/// ```
#[derive(Clone, Debug)]
pub struct HistogramSum {
    hint: CounterResetHint,
    schema: i32,
    zero_threshold: f64,
    zero: Kahan,
    count: Kahan,
    sum: Kahan,
    positive: Vec<Cell>,
    negative: Vec<Cell>,
    custom_values: Vec<f64>,
    unit: f64,
    added: u64,
}

impl HistogramSum {
    /// Begins a sum.
    pub fn new(first: &Histogram) -> HistogramSum {
        HistogramSum::in_units(first, 1.0)
    }

    /// Begins a mean: as a sum, but what overflows on the way doesn't spoil it.
    pub fn for_mean(first: &Histogram) -> HistogramSum {
        HistogramSum::in_units(first, MEAN_UNIT)
    }

    fn in_units(first: &Histogram, unit: f64) -> HistogramSum {
        let factor = 1.0 / unit;
        HistogramSum {
            hint: first.counter_reset_hint,
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            zero: Kahan::new(first.zero_count * factor),
            count: Kahan::new(first.count * factor),
            sum: Kahan::new(first.sum * factor),
            positive: cells::from_iter(first.positive_iter(), factor),
            negative: cells::from_iter(first.negative_iter(), factor),
            custom_values: first.custom_values.clone(),
            unit,
            added: 1,
        }
    }

    /// Adds one more.
    pub fn add(&mut self, other: &Histogram) -> Result<AddNotes, HistogramError> {
        self.combine(other, 1.0)
    }

    /// Subtracts one.
    pub fn subtract(&mut self, other: &Histogram) -> Result<AddNotes, HistogramError> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Histogram, sign: f64) -> Result<AddNotes, HistogramError> {
        let custom = other.uses_custom_buckets();
        if custom != (self.schema == super::CUSTOM_BUCKETS_SCHEMA) {
            return Err(HistogramError::IncompatibleSchemas);
        }
        let mut notes = AddNotes::default();
        (self.hint, notes.counter_reset_collision) = combined_hint(self.hint, other.counter_reset_hint);
        let factor = sign / self.unit;
        let mut positive = cells::from_iter(other.positive_iter(), factor);
        let mut negative = cells::from_iter(other.negative_iter(), factor);
        if custom {
            if !same_bounds(&self.custom_values, &other.custom_values) {
                notes.bounds_reconciled = true;
                let shared = shared_bounds(&self.custom_values, &other.custom_values);
                cells::rebound(&mut self.positive, &self.custom_values, &shared);
                cells::rebound(&mut positive, &other.custom_values, &shared);
                self.custom_values = shared;
            }
        } else {
            let mut zero = ZeroBucket { threshold: other.zero_threshold, count: Kahan::new(other.zero_count * factor) };
            self.reconcile_zero(&mut zero, &mut positive, &mut negative, other.schema);
            self.zero.merge(zero.count);
            if other.schema < self.schema {
                cells::reduce(&mut self.positive, self.schema, other.schema);
                cells::reduce(&mut self.negative, self.schema, other.schema);
                self.schema = other.schema;
            } else if other.schema > self.schema {
                cells::reduce(&mut positive, other.schema, self.schema);
                cells::reduce(&mut negative, other.schema, self.schema);
            }
        }
        self.count.add(other.count * factor);
        self.sum.add(other.sum * factor);
        cells::merge(&mut self.positive, &positive);
        cells::merge(&mut self.negative, &negative);
        self.added += 1;
        Ok(notes)
    }

    /// Widens the narrower zero bucket until both are equally wide; buckets that come to lie in it go into it.
    fn reconcile_zero(
        &mut self,
        zero: &mut ZeroBucket,
        positive: &mut Vec<Cell>,
        negative: &mut Vec<Cell>,
        schema: i32,
    ) {
        // Each turn widens one to a bucket's bound at least, and a NaN threshold ends it; the limit is for hostile input.
        for _ in 0..4096 {
            if zero.threshold < self.zero_threshold {
                zero.widen(self.zero_threshold, positive, negative, schema);
            } else if self.zero_threshold < zero.threshold {
                let mut own = ZeroBucket { threshold: self.zero_threshold, count: self.zero };
                own.widen(zero.threshold, &mut self.positive, &mut self.negative, self.schema);
                (self.zero_threshold, self.zero) = (own.threshold, own.count);
            } else {
                return;
            }
        }
    }

    /// The sum so far.
    pub fn sum(&self) -> Histogram {
        self.result(1.0)
    }

    /// The mean of what was added so far.
    pub fn mean(&self) -> Histogram {
        self.result(self.added as f64)
    }

    /// How many were added.
    pub fn added(&self) -> u64 {
        self.added
    }

    fn result(&self, divisor: f64) -> Histogram {
        // Divided first, for only the quotient is sure to fit once the unit is taken out.
        let value = |k: Kahan| k.total() / divisor * self.unit;
        let side = |cells: &[Cell]| {
            let (spans, mut counts) = cells::to_spans(cells, 1.0, 0);
            counts.iter_mut().for_each(|c| *c = *c / divisor * self.unit);
            (spans, counts)
        };
        let (positive_spans, positive_buckets) = side(&self.positive);
        let (negative_spans, negative_buckets) = side(&self.negative);
        Histogram {
            counter_reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: value(self.zero),
            count: value(self.count),
            sum: value(self.sum),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: self.custom_values.clone(),
        }
    }
}

/// A zero bucket that is being widened.
pub(crate) struct ZeroBucket {
    pub(crate) threshold: f64,
    pub(crate) count: Kahan,
}

impl ZeroBucket {
    /// Widens to `target`, or further: where a populated bucket straddles it, to that bucket's far bound.
    pub(crate) fn widen(&mut self, target: f64, positive: &mut Vec<Cell>, negative: &mut Vec<Cell>, schema: i32) {
        let mut threshold = target;
        let far = |cell: &Cell| upper_bound(cell.index, schema, &[]);
        let near = |cell: &Cell| upper_bound(cell.index.wrapping_sub(1), schema, &[]);
        // Buckets are disjoint and the sides alike, so the second side can move the first one's end at most a few times.
        loop {
            let before = threshold;
            for cell in positive.iter().chain(negative.iter()) {
                if cell.count.total() != 0.0 && near(cell) < threshold && far(cell) > threshold {
                    threshold = far(cell);
                }
            }
            if threshold == before {
                break;
            }
        }
        for cells in [positive, negative] {
            let inside = cells.iter().take_while(|cell| near(cell) < threshold).count();
            for cell in cells.drain(..inside) {
                self.count.merge(cell.count);
            }
        }
        self.threshold = threshold;
    }
}

pub(crate) fn same_bounds(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

/// The bounds that both have; both ascend.
pub(crate) fn shared_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let (mut i, mut j, mut shared) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let order = x.partial_cmp(y);
        if order == Some(Ordering::Equal) {
            shared.push(*x);
        }
        // A NaN has no order; passing both ends the walk all the same.
        i += usize::from(order != Some(Ordering::Greater));
        j += usize::from(order != Some(Ordering::Less));
    }
    shared
}
