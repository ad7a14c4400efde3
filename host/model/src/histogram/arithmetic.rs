//! `+ - * /` on histograms, schema reduction and compaction.

use super::cells::{self, Cell};
use super::sum::HistogramSum;
use super::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, Histogram, Span};

/// Why two histograms can't be combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistogramError {
    /// One has exponential, the other custom buckets.
    #[error("cannot combine a histogram with exponential buckets and one with custom buckets")]
    IncompatibleSchemas,
}

/// What is worth an annotation after an addition or a subtraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddNotes {
    /// One side was marked as a counter reset, the other as none.
    pub counter_reset_collision: bool,
    /// Custom bounds differed, and both were brought to the bounds they share.
    pub bounds_reconciled: bool,
}

impl AddNotes {
    /// Notes what either noted.
    pub fn merge(&mut self, other: AddNotes) {
        self.counter_reset_collision |= other.counter_reset_collision;
        self.bounds_reconciled |= other.bounds_reconciled;
    }
}

/// The hint of a sum, and whether a reset met a non-reset.
pub(crate) fn combined_hint(a: CounterResetHint, b: CounterResetHint) -> (CounterResetHint, bool) {
    use CounterResetHint::{Gauge, Unknown};
    match (a, b) {
        (a, b) if a == b => (a, false),
        (Gauge, _) | (_, Gauge) => (Gauge, false),
        (Unknown, _) | (_, Unknown) => (Unknown, false),
        _ => (Unknown, true),
    }
}

impl Histogram {
    /// Adds another histogram: brought to the coarser schema, the wider zero bucket, the custom bounds that both have.
    ///
    /// To add up many, take a [`HistogramSum`], which compensates rounding.
    pub fn add(&mut self, other: &Histogram) -> Result<AddNotes, HistogramError> {
        self.combine(other, 1.0)
    }

    /// Subtracts another histogram; the result is a gauge. Schemas and bounds as in [`Histogram::add`].
    pub fn sub(&mut self, other: &Histogram) -> Result<AddNotes, HistogramError> {
        let notes = self.combine(other, -1.0)?;
        self.counter_reset_hint = CounterResetHint::Gauge;
        Ok(notes)
    }

    fn combine(&mut self, other: &Histogram, sign: f64) -> Result<AddNotes, HistogramError> {
        if self.has_layout_of(other) {
            let (hint, counter_reset_collision) = combined_hint(self.counter_reset_hint, other.counter_reset_hint);
            self.counter_reset_hint = hint;
            self.zero_count += sign * other.zero_count;
            self.count += sign * other.count;
            self.sum += sign * other.sum;
            for (a, b) in self.positive_buckets.iter_mut().zip(&other.positive_buckets) {
                *a += sign * b;
            }
            for (a, b) in self.negative_buckets.iter_mut().zip(&other.negative_buckets) {
                *a += sign * b;
            }
            return Ok(AddNotes { counter_reset_collision, bounds_reconciled: false });
        }
        let mut sum = HistogramSum::new(self);
        let notes = if sign < 0.0 { sum.subtract(other) } else { sum.add(other) }?;
        *self = sum.sum();
        Ok(notes)
    }

    fn has_layout_of(&self, other: &Histogram) -> bool {
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && self.positive_buckets.len() == other.positive_buckets.len()
            && self.negative_buckets.len() == other.negative_buckets.len()
            && self.custom_values == other.custom_values
    }

    /// Multiplies all counts and the sum. By a negative factor it becomes a gauge.
    pub fn mul(&mut self, factor: f64) {
        self.scale(|v| v * factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum. By a negative divisor it becomes a gauge; by zero, buckets that would be 0/0 are gone,
    /// as Prometheus has it: counts, zero bucket and sum alone tell the infinity.
    pub fn div(&mut self, divisor: f64) {
        self.scale(|v| v / divisor);
        if divisor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.positive_buckets.clear();
            self.negative_spans.clear();
            self.negative_buckets.clear();
        }
    }

    fn scale(&mut self, f: impl Fn(f64) -> f64) {
        self.zero_count = f(self.zero_count);
        self.count = f(self.count);
        self.sum = f(self.sum);
        self.positive_buckets.iter_mut().for_each(|v| *v = f(*v));
        self.negative_buckets.iter_mut().for_each(|v| *v = f(*v));
    }

    /// The histogram in a coarser exponential schema; as it is where it is that coarse already, or has custom buckets.
    pub fn reduced_to(&self, schema: i32) -> Histogram {
        let mut reduced = self.clone();
        if self.uses_custom_buckets() || schema == CUSTOM_BUCKETS_SCHEMA || schema >= self.schema {
            return reduced;
        }
        let side = |iter| {
            let mut cells = cells::from_iter(iter, 1.0);
            cells::reduce(&mut cells, self.schema, schema);
            cells::to_spans(&cells, 1.0, 0)
        };
        (reduced.positive_spans, reduced.positive_buckets) = side(self.positive_iter());
        (reduced.negative_spans, reduced.negative_buckets) = side(self.negative_iter());
        reduced.schema = schema;
        reduced
    }

    /// Removes empty buckets, and joins spans whose gap is at most `max_gap` buckets (which are empty buckets then).
    pub fn compact(&mut self, max_gap: usize) {
        let compact = |spans: &[Span], counts: &[f64]| {
            let apart = |s: &Span| usize::try_from(s.offset).is_ok_and(|gap| gap > max_gap);
            counts.iter().all(|c| *c != 0.0) && spans.iter().all(|s| s.length > 0) && spans.iter().skip(1).all(apart)
        };
        // Most are: nothing to rewrite then.
        if compact(&self.positive_spans, &self.positive_buckets)
            && compact(&self.negative_spans, &self.negative_buckets)
        {
            return;
        }
        let side = |iter| {
            let mut cells = cells::from_iter(iter, 1.0);
            cells.retain(|cell: &Cell| cell.count.total() != 0.0);
            cells::to_spans(&cells, 1.0, max_gap)
        };
        let (positive_spans, positive_buckets): (Vec<Span>, Vec<f64>) = side(self.positive_iter());
        let (negative_spans, negative_buckets) = side(self.negative_iter());
        (self.positive_spans, self.positive_buckets) = (positive_spans, positive_buckets);
        (self.negative_spans, self.negative_buckets) = (negative_spans, negative_buckets);
    }
}
