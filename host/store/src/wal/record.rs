//! What WAL records say: series, samples, histograms, metadata, tombstones.

use std::sync::Arc;

use watchglass_model::{CounterResetHint, Histogram, Labels, MetricMetadata, MetricType, Span, TimeMs};

use crate::codec::bytes::{DecodeError, Reader, put_str, put_uvarint, put_varint};
use crate::codec::histogram::is_integer;
use crate::codec::histogram_int::{absolute, deltas};
use crate::codec::layout::CUSTOM_BUCKETS;

const SERIES: u8 = 1;
const SAMPLES: u8 = 2;
const TOMBSTONES: u8 = 3;
const EXEMPLARS: u8 = 4;
const MMAP_MARKERS: u8 = 5;
const METADATA: u8 = 6;
const HISTOGRAMS: u8 = 7;
const FLOAT_HISTOGRAMS: u8 = 8;
const CUSTOM_HISTOGRAMS: u8 = 9;
const CUSTOM_FLOAT_HISTOGRAMS: u8 = 10;

/// A float of a series that is named by its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RefSample {
    pub(crate) reference: u64,
    pub(crate) t: TimeMs,
    pub(crate) v: f64,
}

/// A histogram of a series that is named by its reference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RefHistogram {
    pub(crate) reference: u64,
    pub(crate) t: TimeMs,
    pub(crate) h: Arc<Histogram>,
}

/// A deleted range of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefTombstone {
    pub(crate) reference: u64,
    pub(crate) min: TimeMs,
    pub(crate) max: TimeMs,
}

/// Kinds of histogram records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistogramKind {
    Int,
    Float,
    CustomInt,
    CustomFloat,
}

impl HistogramKind {
    pub(crate) const ALL: [HistogramKind; 4] =
        [HistogramKind::Int, HistogramKind::Float, HistogramKind::CustomInt, HistogramKind::CustomFloat];

    /// The record that a histogram goes into.
    pub(crate) fn of(h: &Histogram) -> HistogramKind {
        match (is_integer(h), h.schema == CUSTOM_BUCKETS) {
            (true, false) => HistogramKind::Int,
            (false, false) => HistogramKind::Float,
            (true, true) => HistogramKind::CustomInt,
            (false, true) => HistogramKind::CustomFloat,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, HistogramKind::Float | HistogramKind::CustomFloat)
    }

    fn tag(self) -> u8 {
        match self {
            HistogramKind::Int => HISTOGRAMS,
            HistogramKind::Float => FLOAT_HISTOGRAMS,
            HistogramKind::CustomInt => CUSTOM_HISTOGRAMS,
            HistogramKind::CustomFloat => CUSTOM_FLOAT_HISTOGRAMS,
        }
    }
}

/// A series record.
pub(crate) fn put_series<'a>(out: &mut Vec<u8>, series: impl IntoIterator<Item = (u64, &'a Labels)>) {
    out.push(SERIES);
    for (reference, labels) in series {
        out.extend_from_slice(&reference.to_be_bytes());
        put_uvarint(out, labels.len() as u64);
        for (name, value) in labels {
            put_str(out, name);
            put_str(out, value);
        }
    }
}

/// A sample record; nothing for no samples.
pub(crate) fn put_samples(out: &mut Vec<u8>, samples: impl IntoIterator<Item = RefSample>) {
    let mut first: Option<RefSample> = None;
    for sample in samples {
        let base = *first.get_or_insert_with(|| {
            begin(out, SAMPLES, sample.reference, sample.t);
            sample
        });
        put_varint(out, sample.reference.wrapping_sub(base.reference) as i64);
        put_varint(out, sample.t.wrapping_sub(base.t));
        out.extend_from_slice(&sample.v.to_bits().to_be_bytes());
    }
}

fn begin(out: &mut Vec<u8>, tag: u8, reference: u64, t: TimeMs) {
    out.push(tag);
    out.extend_from_slice(&reference.to_be_bytes());
    out.extend_from_slice(&t.to_be_bytes());
}

/// A record of histograms that are all of one kind; nothing for none.
pub(crate) fn put_histograms(
    out: &mut Vec<u8>,
    kind: HistogramKind,
    histograms: impl IntoIterator<Item = RefHistogram>,
) {
    let mut first: Option<(u64, TimeMs)> = None;
    for RefHistogram { reference, t, h } in histograms {
        let base = *first.get_or_insert_with(|| {
            begin(out, kind.tag(), reference, t);
            (reference, t)
        });
        put_varint(out, reference.wrapping_sub(base.0) as i64);
        put_varint(out, t.wrapping_sub(base.1));
        put_histogram(out, &h, kind);
    }
}

fn put_histogram(out: &mut Vec<u8>, h: &Histogram, kind: HistogramKind) {
    out.push(match h.counter_reset_hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    });
    put_varint(out, i64::from(h.schema));
    put_f64(out, h.zero_threshold);
    for count in [h.zero_count, h.count] {
        if kind.is_float() { put_f64(out, count) } else { put_uvarint(out, count as u64) }
    }
    put_f64(out, h.sum);
    for spans in [&h.positive_spans, &h.negative_spans] {
        put_uvarint(out, spans.len() as u64);
        for span in spans {
            put_varint(out, i64::from(span.offset));
            put_uvarint(out, u64::from(span.length));
        }
    }
    for counts in [&h.positive_buckets, &h.negative_buckets] {
        put_uvarint(out, counts.len() as u64);
        if kind.is_float() {
            counts.iter().for_each(|&count| put_f64(out, count));
        } else {
            deltas(counts).for_each(|delta| put_varint(out, delta));
        }
    }
    if h.schema == CUSTOM_BUCKETS {
        put_uvarint(out, h.custom_values.len() as u64);
        h.custom_values.iter().for_each(|&bound| put_f64(out, bound));
    }
}

fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_be_bytes());
}

/// A metadata record. The format ties metadata to a series; `FAMILY`, a field of our own that Prometheus passes over, keeps the
/// family's name, which can't be told from a series' name for certain.
pub(crate) fn put_metadata<'a>(out: &mut Vec<u8>, entries: impl IntoIterator<Item = (u64, &'a MetricMetadata)>) {
    out.push(METADATA);
    for (reference, metadata) in entries {
        put_uvarint(out, reference);
        out.push(match metadata.kind {
            MetricType::Unknown => 0,
            MetricType::Counter => 1,
            MetricType::Gauge => 2,
            MetricType::Histogram => 3,
            MetricType::GaugeHistogram => 4,
            MetricType::Summary => 5,
            MetricType::Info => 6,
            MetricType::StateSet => 7,
        });
        put_uvarint(out, 3);
        for (name, value) in [("UNIT", &metadata.unit), ("HELP", &metadata.help), ("FAMILY", &metadata.name)] {
            put_str(out, name);
            put_str(out, value);
        }
    }
}

/// A tombstone record.
pub(crate) fn put_tombstones(out: &mut Vec<u8>, tombstones: &[RefTombstone]) {
    out.push(TOMBSTONES);
    for tombstone in tombstones {
        out.extend_from_slice(&tombstone.reference.to_be_bytes());
        put_varint(out, tombstone.min);
        put_varint(out, tombstone.max);
    }
}

/// What a record held. Kept from record to record, so that its memory is.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) series: Vec<(u64, Labels)>,
    pub(crate) samples: Vec<RefSample>,
    pub(crate) histograms: Vec<RefHistogram>,
    pub(crate) tombstones: Vec<RefTombstone>,
    /// With an empty family name where the record has none.
    pub(crate) metadata: Vec<(u64, MetricMetadata)>,
    /// A record of a kind that is not understood.
    pub(crate) unknown: bool,
}

impl Decoded {
    /// Decodes a record. One that is not whole is an error, and gives nothing.
    pub(crate) fn read(&mut self, record: &[u8]) -> Result<(), DecodeError> {
        self.clear();
        let result = self.fill(record);
        if result.is_err() {
            self.clear();
        }
        result
    }

    fn clear(&mut self) {
        self.series.clear();
        self.samples.clear();
        self.histograms.clear();
        self.tombstones.clear();
        self.metadata.clear();
        self.unknown = false;
    }

    fn fill(&mut self, record: &[u8]) -> Result<(), DecodeError> {
        let mut from = Reader::new(record);
        match from.u8()? {
            SERIES => {
                while !from.is_empty() {
                    let reference = from.u64()?;
                    let n = from.count(2)?;
                    let mut pairs = Vec::with_capacity(n.min(64));
                    for _ in 0..n {
                        pairs.push((from.str()?, from.str()?));
                    }
                    self.series.push((reference, Labels::from_pairs(pairs)));
                }
            }
            SAMPLES => {
                let Some((reference, t)) = base(&mut from)? else { return Ok(()) };
                while !from.is_empty() {
                    let (reference, t) = next(&mut from, reference, t)?;
                    self.samples.push(RefSample { reference, t, v: from.f64()? });
                }
            }
            HISTOGRAMS => self.histograms(from, HistogramKind::Int)?,
            FLOAT_HISTOGRAMS => self.histograms(from, HistogramKind::Float)?,
            CUSTOM_HISTOGRAMS => self.histograms(from, HistogramKind::CustomInt)?,
            CUSTOM_FLOAT_HISTOGRAMS => self.histograms(from, HistogramKind::CustomFloat)?,
            TOMBSTONES => {
                while !from.is_empty() {
                    let (reference, min, max) = (from.u64()?, from.varint()?, from.varint()?);
                    self.tombstones.push(RefTombstone { reference, min, max });
                }
            }
            METADATA => {
                while !from.is_empty() {
                    let entry = metadata(&mut from)?;
                    self.metadata.push(entry);
                }
            }
            // Known, and of no use here: exemplars are not stored, markers belong to out-of-order logs.
            EXEMPLARS | MMAP_MARKERS => {}
            _ => self.unknown = true,
        }
        Ok(())
    }

    fn histograms(&mut self, mut from: Reader<'_>, kind: HistogramKind) -> Result<(), DecodeError> {
        let Some((reference, t)) = base(&mut from)? else { return Ok(()) };
        while !from.is_empty() {
            let (reference, t) = next(&mut from, reference, t)?;
            let h = Arc::new(histogram(&mut from, kind)?);
            self.histograms.push(RefHistogram { reference, t, h });
        }
        Ok(())
    }
}

fn base(from: &mut Reader<'_>) -> Result<Option<(u64, TimeMs)>, DecodeError> {
    if from.is_empty() {
        return Ok(None);
    }
    Ok(Some((from.u64()?, from.u64()? as i64)))
}

fn next(from: &mut Reader<'_>, reference: u64, t: TimeMs) -> Result<(u64, TimeMs), DecodeError> {
    Ok((reference.wrapping_add(from.varint()? as u64), t.wrapping_add(from.varint()?)))
}

fn histogram(from: &mut Reader<'_>, kind: HistogramKind) -> Result<Histogram, DecodeError> {
    let counter_reset_hint = match from.u8()? {
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    };
    let schema = i32::try_from(from.varint()?).map_err(|_| DecodeError::Invalid("a schema beyond 32 bits"))?;
    let zero_threshold = from.f64()?;
    let mut count = || if kind.is_float() { from.f64() } else { from.uvarint().map(|n| n as f64) };
    let (zero_count, count) = (count()?, count()?);
    let sum = from.f64()?;
    let (positive_spans, negative_spans) = (spans(from)?, spans(from)?);
    let (positive_buckets, negative_buckets) = (buckets(from, kind)?, buckets(from, kind)?);
    let mut custom_values = Vec::new();
    if schema == CUSTOM_BUCKETS {
        for _ in 0..from.count(8)? {
            custom_values.push(from.f64()?);
        }
    }
    Ok(Histogram {
        counter_reset_hint,
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values,
    })
}

fn spans(from: &mut Reader<'_>) -> Result<Vec<Span>, DecodeError> {
    let invalid = DecodeError::Invalid("a span beyond 32 bits");
    let mut spans = Vec::new();
    for _ in 0..from.count(2)? {
        let offset = i32::try_from(from.varint()?).map_err(|_| invalid)?;
        let length = u32::try_from(from.uvarint()?).map_err(|_| invalid)?;
        spans.push(Span { offset, length });
    }
    Ok(spans)
}

fn buckets(from: &mut Reader<'_>, kind: HistogramKind) -> Result<Vec<f64>, DecodeError> {
    if kind.is_float() {
        return (0..from.count(8)?).map(|_| from.f64()).collect();
    }
    let stored: Vec<i64> = (0..from.count(1)?).map(|_| from.varint()).collect::<Result<_, _>>()?;
    Ok(absolute(stored.into_iter()))
}

fn metadata(from: &mut Reader<'_>) -> Result<(u64, MetricMetadata), DecodeError> {
    let reference = from.uvarint()?;
    let mut metadata = MetricMetadata {
        kind: match from.u8()? {
            1 => MetricType::Counter,
            2 => MetricType::Gauge,
            3 => MetricType::Histogram,
            4 => MetricType::GaugeHistogram,
            5 => MetricType::Summary,
            6 => MetricType::Info,
            7 => MetricType::StateSet,
            _ => MetricType::Unknown,
        },
        ..MetricMetadata::default()
    };
    for _ in 0..from.count(2)? {
        let (name, value) = (from.str()?, from.str()?);
        match name {
            "UNIT" => metadata.unit = value.to_owned(),
            "HELP" => metadata.help = value.to_owned(),
            "FAMILY" => metadata.name = value.to_owned(),
            _ => {}
        }
    }
    Ok((reference, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(record: &[u8]) -> Decoded {
        let mut decoded = Decoded::default();
        decoded.read(record).unwrap();
        decoded
    }

    #[test]
    fn records_come_back() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "a")]);
        let mut out = Vec::new();
        put_series(&mut out, [(7, &labels), (9, &Labels::empty())]);
        assert_eq!(decode(&out).series, [(7, labels), (9, Labels::empty())]);

        let samples = [(9, 1000, 1.5), (7, 990, f64::INFINITY), (u64::MAX, i64::MIN, 0.0)]
            .map(|(reference, t, v)| RefSample { reference, t, v });
        out.clear();
        put_samples(&mut out, samples);
        assert_eq!(decode(&out).samples, samples);

        let stones = [RefTombstone { reference: 3, min: i64::MIN, max: i64::MAX }];
        out.clear();
        put_tombstones(&mut out, &stones);
        assert_eq!(decode(&out).tombstones, stones);

        let known =
            MetricMetadata { name: "up".into(), kind: MetricType::Gauge, help: "Whether.".into(), unit: "".into() };
        out.clear();
        put_metadata(&mut out, [(7, &known)]);
        assert_eq!(decode(&out).metadata, [(7, known)]);
        assert!(decode(&[200, 1, 2, 3]).unknown);
    }

    #[test]
    fn histograms_come_back() {
        let whole = Histogram {
            schema: 2,
            count: 10.0,
            zero_count: 1.0,
            sum: 3.5,
            counter_reset_hint: CounterResetHint::Gauge,
            positive_spans: vec![Span { offset: -3, length: 2 }, Span { offset: 4, length: 1 }],
            positive_buckets: vec![2.0, 1.0, 5.0],
            negative_spans: vec![Span { offset: 0, length: 1 }],
            negative_buckets: vec![1.0],
            ..Histogram::default()
        };
        let broken = Histogram { count: 10.5, positive_buckets: vec![2.5, 1.0, 5.0], ..whole.clone() };
        let custom = Histogram {
            schema: CUSTOM_BUCKETS,
            count: 3.0,
            positive_spans: vec![Span { offset: 0, length: 2 }],
            positive_buckets: vec![1.0, 2.0],
            custom_values: vec![0.5, 1.0],
            ..Histogram::default()
        };
        let kinds = [HistogramKind::Int, HistogramKind::Float, HistogramKind::CustomInt];
        for (h, kind) in [whole, broken, custom].into_iter().zip(kinds) {
            assert_eq!(HistogramKind::of(&h), kind);
            let all = [1u64, 5].map(|reference| RefHistogram { reference, t: 77, h: Arc::new(h.clone()) });
            let mut out = Vec::new();
            put_histograms(&mut out, kind, all.clone());
            assert_eq!(decode(&out).histograms, all);
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(kind in 0u8..16, data in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut record = vec![kind];
            record.extend(data);
            let _ = Decoded::default().read(&record);
        }
    }
}
