//! Native histograms in chunks: which encoding, and when a chunk has to end.

use std::sync::Arc;

use watchglass_model::{CounterResetHint, Histogram, HistogramPoint, Span, TimeMs, is_stale_nan};

use super::histogram_float::FloatHistogramWriter;
use super::histogram_int::IntHistogramWriter;
use super::layout::{ResetHeader, buckets};

/// Largest count that is exact as a double, and so may be stored as an integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether a histogram is a staleness marker.
pub(crate) fn is_stale(h: &Histogram) -> bool {
    is_stale_nan(h.sum)
}

/// Whether all counts are whole, so that the integer encoding holds them.
pub(crate) fn is_integer(h: &Histogram) -> bool {
    let whole = |v: &f64| *v >= 0.0 && *v <= EXACT && v.fract() == 0.0;
    whole(&h.count)
        && whole(&h.zero_count)
        && h.positive_buckets.iter().all(whole)
        && h.negative_buckets.iter().all(whole)
}

/// Whether a histogram's parts fit together: as many buckets as its spans say.
pub(crate) fn is_valid(h: &Histogram) -> bool {
    buckets(&h.positive_spans) == h.positive_buckets.len() && buckets(&h.negative_spans) == h.negative_buckets.len()
}

/// The reading side's hint: the first sample of a chunk may follow anything, the others follow their predecessor without a reset.
pub(crate) fn hint(header: ResetHeader, index: u16) -> CounterResetHint {
    match (header, index) {
        (ResetHeader::Gauge, _) => CounterResetHint::Gauge,
        (_, 0) => CounterResetHint::Unknown,
        _ => CounterResetHint::NotReset,
    }
}

/// A histogram chunk that is being written.
#[derive(Clone, Debug)]
pub(crate) struct HistogramWriter {
    form: Form,
    gauge: bool,
    last: HistogramPoint,
}

#[derive(Clone, Debug)]
enum Form {
    Int(IntHistogramWriter),
    Float(FloatHistogramWriter),
}

impl HistogramWriter {
    /// A chunk with its first sample. `reset` is what [`HistogramWriter::refuses`] said of the chunk before, if there is one.
    pub(crate) fn new(t: TimeMs, h: &Arc<Histogram>, reset: ResetHeader) -> HistogramWriter {
        let gauge = h.counter_reset_hint == CounterResetHint::Gauge;
        let header = if gauge { ResetHeader::Gauge } else { reset };
        let form = if is_integer(h) {
            Form::Int(IntHistogramWriter::new(t, h, header))
        } else {
            Form::Float(FloatHistogramWriter::new(t, h, header))
        };
        HistogramWriter { form, gauge, last: HistogramPoint { t, h: h.clone() } }
    }

    /// `None` where the histogram may be the next of this chunk, else how the next chunk begins.
    pub(crate) fn refuses(&self, h: &Histogram) -> Option<ResetHeader> {
        if is_stale(h) {
            return None;
        }
        if is_stale(&self.last.h) {
            return Some(ResetHeader::Unknown);
        }
        let gauge = h.counter_reset_hint == CounterResetHint::Gauge;
        let (same_form, same_layout) = match &self.form {
            Form::Int(writer) => (is_integer(h), writer.layout().is_of(h)),
            Form::Float(writer) => (true, writer.layout().is_of(h)),
        };
        if gauge || self.gauge {
            return (gauge != self.gauge || !same_form || !same_layout).then_some(ResetHeader::Unknown);
        }
        if h.counter_reset_hint == CounterResetHint::Reset || is_reset(&self.last.h, h) {
            return Some(ResetHeader::Reset);
        }
        (!same_form || !same_layout).then_some(ResetHeader::Unknown)
    }

    /// Appends a sample that was not refused.
    pub(crate) fn push(&mut self, t: TimeMs, h: &Arc<Histogram>) {
        match &mut self.form {
            Form::Int(writer) => writer.push(t, h),
            Form::Float(writer) => writer.push(t, h),
        }
        self.last = HistogramPoint { t, h: h.clone() };
    }

    pub(crate) fn last(&self) -> &HistogramPoint {
        &self.last
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self.form, Form::Float(_))
    }

    pub(crate) fn count(&self) -> u16 {
        self.bytes().first_chunk::<2>().map_or(0, |n| u16::from_be_bytes(*n))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.form {
            Form::Int(writer) => writer.bytes(),
            Form::Float(writer) => writer.bytes(),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self.form {
            Form::Int(writer) => writer.into_bytes(),
            Form::Float(writer) => writer.into_bytes(),
        }
    }
}

/// Whether a counter histogram was reset between two samples: something that only grows has shrunk, or its resolution changed
/// so that nobody can tell.
fn is_reset(before: &Histogram, after: &Histogram) -> bool {
    if after.count < before.count || after.zero_threshold < before.zero_threshold {
        return true;
    }
    if before.schema != after.schema
        || before.zero_threshold != after.zero_threshold
        || before.custom_values != after.custom_values
    {
        return false;
    }
    after.zero_count < before.zero_count
        || any_shrank(&before.positive_spans, &before.positive_buckets, &after.positive_spans, &after.positive_buckets)
        || any_shrank(&before.negative_spans, &before.negative_buckets, &after.negative_spans, &after.negative_buckets)
}

fn any_shrank(before: &[Span], before_counts: &[f64], after: &[Span], after_counts: &[f64]) -> bool {
    let mut later = indexed(after, after_counts).peekable();
    for (index, count) in indexed(before, before_counts) {
        while later.next_if(|(i, _)| *i < index).is_some() {}
        let now = later.next_if(|(i, _)| *i == index).map_or(0.0, |(_, c)| c);
        if now < count {
            return true;
        }
    }
    false
}

/// The buckets in use with their indexes.
fn indexed<'a>(spans: &'a [Span], counts: &'a [f64]) -> impl Iterator<Item = (i64, f64)> + 'a {
    let mut next = 0i64;
    let indexes = spans.iter().flat_map(move |span| {
        let first = next + i64::from(span.offset);
        next = first + i64::from(span.length);
        first..next
    });
    indexes.zip(counts.iter().copied())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::codec::chunk::{Encoding, Points, decode};
    use proptest::prelude::*;

    /// A histogram with these positive buckets from index 0 on, and a count that fits.
    pub(crate) fn histogram(buckets: &[f64], sum: f64) -> Arc<Histogram> {
        Arc::new(Histogram {
            schema: 3,
            zero_threshold: 2f64.powi(-128),
            zero_count: 1.0,
            count: 1.0 + buckets.iter().sum::<f64>(),
            sum,
            positive_spans: vec![Span { offset: 0, length: buckets.len() as u32 }],
            positive_buckets: buckets.to_vec(),
            ..Histogram::default()
        })
    }

    fn decoded(writer: &HistogramWriter) -> Vec<HistogramPoint> {
        let encoding = if writer.is_float() { Encoding::FLOAT_HISTOGRAM } else { Encoding::HISTOGRAM };
        let mut points = Points::default();
        decode(encoding, writer.bytes(), i64::MIN, i64::MAX, &mut points).unwrap();
        points.histograms
    }

    #[test]
    fn a_reset_or_another_layout_ends_a_chunk() {
        let writer = HistogramWriter::new(0, &histogram(&[1.0, 2.0, 3.0], 5.0), ResetHeader::Unknown);
        assert_eq!(writer.refuses(&histogram(&[1.0, 3.0, 3.0], 6.0)), None);
        assert_eq!(writer.refuses(&histogram(&[1.0, 1.0, 9.0], 6.0)), Some(ResetHeader::Reset));
        assert_eq!(writer.refuses(&histogram(&[1.0, 2.0, 3.0, 4.0], 6.0)), Some(ResetHeader::Unknown));
        assert_eq!(writer.refuses(&histogram(&[1.0, 2.5, 3.0], 6.0)), Some(ResetHeader::Unknown), "no more integers");
        let mut gauge = (*histogram(&[0.0, 0.0, 0.0], 0.0)).clone();
        gauge.counter_reset_hint = CounterResetHint::Gauge;
        assert_eq!(writer.refuses(&gauge), Some(ResetHeader::Unknown));
        let mut writer = HistogramWriter::new(0, &Arc::new(gauge.clone()), ResetHeader::Unknown);
        assert_eq!(writer.refuses(&gauge), None);
        writer.push(1, &Arc::new(gauge));
        assert!(decoded(&writer).iter().all(|p| p.h.counter_reset_hint == CounterResetHint::Gauge));
    }

    #[test]
    fn a_staleness_marker_ends_what_comes_before() {
        let stale = Arc::new(Histogram { sum: watchglass_model::stale_nan(), ..Histogram::default() });
        for first in [histogram(&[1.0, 2.0], 5.0), histogram(&[1.5, 2.0], 5.0)] {
            let mut writer = HistogramWriter::new(0, &first, ResetHeader::Unknown);
            assert_eq!(writer.refuses(&stale), None);
            writer.push(15, &stale);
            assert_eq!(writer.refuses(&first), Some(ResetHeader::Unknown));
            writer.push(30, &stale);
            let points = decoded(&writer);
            assert_eq!(points.iter().map(|p| is_stale(&p.h)).collect::<Vec<_>>(), [false, true, true]);
            assert_eq!(points[0].h, first);
        }
    }

    proptest! {
        #[test]
        fn histograms_come_back(
            start in prop::collection::vec(0u32..1000, 1..12),
            steps in prop::collection::vec((1i64..100_000, 0u32..50, any::<f64>()), 0..60),
            scale in prop_oneof![Just(1.0), Just(0.25)],
        ) {
            let mut counts: Vec<f64> = start.iter().map(|&n| f64::from(n) * scale).collect();
            let mut t = 1_700_000_000_000;
            let first = histogram(&counts, 0.5);
            let mut writer = HistogramWriter::new(t, &first, ResetHeader::Unknown);
            let mut expected = vec![(t, first)];
            for (i, (step, add, sum)) in steps.into_iter().enumerate() {
                t += step;
                let at = i % counts.len();
                counts[at] += f64::from(add) * scale;
                let h = histogram(&counts, if sum.is_nan() { 1.0 } else { sum });
                if writer.refuses(&h).is_none() {
                    writer.push(t, &h);
                    expected.push((t, h));
                }
            }
            let got = decoded(&writer);
            prop_assert_eq!(got.len(), expected.len());
            for (i, (point, (t, h))) in got.iter().zip(expected).enumerate() {
                let mut h = (*h).clone();
                h.counter_reset_hint = if i == 0 { CounterResetHint::Unknown } else { CounterResetHint::NotReset };
                prop_assert_eq!((point.t, &*point.h), (t, &h));
            }
        }

        #[test]
        fn junk_never_panics(data in prop::collection::vec(any::<u8>(), 0..200), float in any::<bool>()) {
            let encoding = if float { Encoding::FLOAT_HISTOGRAM } else { Encoding::HISTOGRAM };
            let mut points = Points::default();
            let _ = decode(encoding, &data, i64::MIN, i64::MAX, &mut points);
            let buckets: usize = points.histograms.iter().map(|p| p.h.positive_buckets.len()).sum();
            prop_assert!(buckets <= data.len() * 8 * 8, "bounded by the data's own length");
        }
    }
}
