//! Histogram chunks with float counts (encoding 3).

use std::sync::Arc;

use watchglass_model::{Histogram, HistogramPoint, TimeMs, is_stale_nan};

use super::bits::{BitReader, BitWriter};
use super::bytes::DecodeError;
use super::histogram::{hint, is_stale};
use super::layout::{Layout, ResetHeader};
use super::varbit;
use super::xor::XorValue;

/// A chunk of float histograms that is being written.
#[derive(Clone, Debug)]
pub(crate) struct FloatHistogramWriter {
    out: BitWriter,
    layout: Layout,
    t: TimeMs,
    delta: i64,
    count: XorValue,
    zero_count: XorValue,
    sum: XorValue,
    /// Positive buckets, then negative ones.
    buckets: Vec<XorValue>,
    samples: u16,
}

impl FloatHistogramWriter {
    pub(crate) fn new(t: TimeMs, h: &Histogram, reset: ResetHeader) -> FloatHistogramWriter {
        let stale = Histogram { sum: h.sum, ..Histogram::default() };
        let h = if is_stale(h) { &stale } else { h };
        let layout = Layout::of(h);
        let mut out = BitWriter::new(1u16.to_be_bytes().to_vec());
        layout.write(&mut out, reset);
        varbit::put_int(&mut out, t);
        for value in [h.count, h.zero_count, h.sum] {
            out.bits(value.to_bits(), 64);
        }
        let mut buckets = Vec::with_capacity(h.positive_buckets.len() + h.negative_buckets.len());
        for &value in h.positive_buckets.iter().chain(&h.negative_buckets) {
            out.bits(value.to_bits(), 64);
            buckets.push(XorValue::first(value));
        }
        FloatHistogramWriter {
            out,
            layout,
            t,
            delta: 0,
            count: XorValue::first(h.count),
            zero_count: XorValue::first(h.zero_count),
            sum: XorValue::first(h.sum),
            buckets,
            samples: 1,
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn push(&mut self, t: TimeMs, h: &Histogram) {
        let delta = t.wrapping_sub(self.t);
        varbit::put_int(&mut self.out, delta.wrapping_sub(self.delta));
        (self.t, self.delta) = (t, delta);
        let stale = is_stale(h);
        self.count.write(&mut self.out, if stale { 0.0 } else { h.count });
        self.zero_count.write(&mut self.out, if stale { 0.0 } else { h.zero_count });
        self.sum.write(&mut self.out, h.sum);
        if !stale {
            for (bucket, &value) in self.buckets.iter_mut().zip(h.positive_buckets.iter().chain(&h.negative_buckets)) {
                bucket.write(&mut self.out, value);
            }
        }
        self.samples += 1;
        self.out.set_u16(self.samples);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

/// Appends the points of a chunk between `start` and `end` (both included) to `points`.
pub(crate) fn decode(
    data: &[u8],
    start: TimeMs,
    end: TimeMs,
    points: &mut Vec<HistogramPoint>,
) -> Result<(), DecodeError> {
    let (head, stream) = data.split_first_chunk::<2>().ok_or(DecodeError::Short)?;
    let samples = u16::from_be_bytes(*head);
    if samples == 0 {
        return Ok(());
    }
    let mut from = BitReader::new(stream);
    let (layout, header) = Layout::read(&mut from, stream.len() * 8)?;
    let positive = layout.positive_buckets();
    let mut t = varbit::int(&mut from)?;
    let mut delta = 0i64;
    let mut count = XorValue::first(from.f64()?);
    let mut zero_count = XorValue::first(from.f64()?);
    let mut sum = XorValue::first(from.f64()?);
    let mut buckets = Vec::new();
    for _ in 0..positive + layout.negative_buckets() {
        buckets.push(XorValue::first(from.f64()?));
    }
    for i in 0..samples {
        if i > 0 {
            delta = delta.wrapping_add(varbit::int(&mut from)?);
            t = t.wrapping_add(delta);
            count.read(&mut from)?;
            zero_count.read(&mut from)?;
            sum.read(&mut from)?;
            if !is_stale_nan(sum.value()) {
                for bucket in &mut buckets {
                    bucket.read(&mut from)?;
                }
            }
        }
        if t < start || t > end {
            continue;
        }
        let hint = hint(header, i);
        let h = if is_stale_nan(sum.value()) {
            Histogram { sum: sum.value(), counter_reset_hint: hint, ..Histogram::default() }
        } else {
            Histogram {
                counter_reset_hint: hint,
                count: count.value(),
                zero_count: zero_count.value(),
                sum: sum.value(),
                positive_buckets: buckets[..positive].iter().map(XorValue::value).collect(),
                negative_buckets: buckets[positive..].iter().map(XorValue::value).collect(),
                ..layout.empty_histogram()
            }
        };
        points.push(HistogramPoint { t, h: Arc::new(h) });
    }
    Ok(())
}
