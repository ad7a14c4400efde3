//! Histogram chunks with integer counts (encoding 2).

use std::sync::Arc;

use watchglass_model::{Histogram, HistogramPoint, TimeMs, is_stale_nan};

use super::bits::{BitReader, BitWriter};
use super::bytes::DecodeError;
use super::histogram::{hint, is_stale};
use super::layout::{Layout, ResetHeader};
use super::varbit;
use super::xor::XorValue;

/// An integer among its predecessors: its value and its last difference.
#[derive(Clone, Copy, Debug, Default)]
struct Dod {
    value: i64,
    delta: i64,
}

impl Dod {
    fn write(&mut self, out: &mut BitWriter, value: i64) {
        let delta = value.wrapping_sub(self.value);
        varbit::put_int(out, delta.wrapping_sub(self.delta));
        *self = Dod { value, delta };
    }

    fn read(&mut self, from: &mut BitReader<'_>) -> Result<i64, DecodeError> {
        self.delta = self.delta.wrapping_add(varbit::int(from)?);
        self.value = self.value.wrapping_add(self.delta);
        Ok(self.value)
    }
}

/// A chunk of integer histograms that is being written.
#[derive(Clone, Debug)]
pub(crate) struct IntHistogramWriter {
    out: BitWriter,
    layout: Layout,
    t: Dod,
    count: Dod,
    zero_count: Dod,
    sum: XorValue,
    /// Positive buckets, then negative ones, each as its difference to the bucket before it.
    buckets: Vec<Dod>,
    samples: u16,
}

impl IntHistogramWriter {
    pub(crate) fn new(t: TimeMs, h: &Histogram, reset: ResetHeader) -> IntHistogramWriter {
        let stale = Histogram { sum: h.sum, ..Histogram::default() };
        let h = if is_stale(h) { &stale } else { h };
        let layout = Layout::of(h);
        let mut out = BitWriter::new(1u16.to_be_bytes().to_vec());
        layout.write(&mut out, reset);
        varbit::put_int(&mut out, t);
        varbit::put_uint(&mut out, h.count as u64);
        varbit::put_uint(&mut out, h.zero_count as u64);
        out.bits(h.sum.to_bits(), 64);
        let buckets: Vec<Dod> = bucket_deltas(h).map(|value| Dod { value, delta: 0 }).collect();
        for bucket in &buckets {
            varbit::put_int(&mut out, bucket.value);
        }
        let first = |value: i64| Dod { value, delta: 0 };
        IntHistogramWriter {
            out,
            layout,
            t: first(t),
            count: first(h.count as i64),
            zero_count: first(h.zero_count as i64),
            sum: XorValue::first(h.sum),
            buckets,
            samples: 1,
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn push(&mut self, t: TimeMs, h: &Histogram) {
        self.t.write(&mut self.out, t);
        if is_stale(h) {
            // Nothing but the marker in the sum counts; only further markers may follow.
            varbit::put_int(&mut self.out, 0);
            varbit::put_int(&mut self.out, 0);
            self.sum.write(&mut self.out, h.sum);
        } else {
            self.count.write(&mut self.out, h.count as i64);
            self.zero_count.write(&mut self.out, h.zero_count as i64);
            self.sum.write(&mut self.out, h.sum);
            for (bucket, value) in self.buckets.iter_mut().zip(bucket_deltas(h)) {
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

/// Buckets as the format stores them: on each side the first as it is, the others as differences to the one before.
pub(crate) fn deltas(counts: &[f64]) -> impl Iterator<Item = i64> + '_ {
    let mut before = 0i64;
    counts.iter().map(move |&count| {
        let delta = count as i64 - before;
        before = count as i64;
        delta
    })
}

fn bucket_deltas(h: &Histogram) -> impl Iterator<Item = i64> + '_ {
    deltas(&h.positive_buckets).chain(deltas(&h.negative_buckets))
}

/// Undoes [`deltas`].
pub(crate) fn absolute(deltas: impl Iterator<Item = i64>) -> Vec<f64> {
    let mut sum = 0i64;
    deltas
        .map(|delta| {
            sum = sum.wrapping_add(delta);
            sum as f64
        })
        .collect()
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
    let mut t = Dod { value: varbit::int(&mut from)?, delta: 0 };
    let mut count = Dod { value: varbit::uint(&mut from)? as i64, delta: 0 };
    let mut zero_count = Dod { value: varbit::uint(&mut from)? as i64, delta: 0 };
    let mut sum = XorValue::first(from.f64()?);
    let mut buckets = Vec::new();
    for _ in 0..positive + layout.negative_buckets() {
        buckets.push(Dod { value: varbit::int(&mut from)?, delta: 0 });
    }
    for i in 0..samples {
        if i > 0 {
            t.read(&mut from)?;
            count.read(&mut from)?;
            zero_count.read(&mut from)?;
            sum.read(&mut from)?;
            if !is_stale_nan(sum.value()) {
                for bucket in &mut buckets {
                    bucket.read(&mut from)?;
                }
            }
        }
        if t.value < start || t.value > end {
            continue;
        }
        let hint = hint(header, i);
        let h = if is_stale_nan(sum.value()) {
            Histogram { sum: sum.value(), counter_reset_hint: hint, ..Histogram::default() }
        } else {
            Histogram {
                counter_reset_hint: hint,
                count: count.value as u64 as f64,
                zero_count: zero_count.value as u64 as f64,
                sum: sum.value(),
                positive_buckets: absolute(buckets[..positive].iter().map(|b| b.value)),
                negative_buckets: absolute(buckets[positive..].iter().map(|b| b.value)),
                ..layout.empty_histogram()
            }
        };
        points.push(HistogramPoint { t: t.value, h: Arc::new(h) });
    }
    Ok(())
}
