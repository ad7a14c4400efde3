//! Remote write 1.0: the message `prometheus.WriteRequest`, as it is once snappy is undone.
//!
//! Source: the remote-write 1.0 specification and Prometheus' prompb/remote.proto and types.proto; messages written by hand.

mod read;

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;

use self::read::Part;
use crate::{
    CounterResetHint, Histogram, Labels, MetricMetadata, MetricType, Sample, SampleBatch, Span, TimeMs, Value,
};

/// A request that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteWriteError {
    /// Bytes that are no such message.
    #[error("remote write: {0}")]
    Protobuf(String),
    /// A series without labels, without a name, with labels twice or empty.
    #[error("remote write: series {series}: {reason}")]
    Series {
        /// Which series, from 0.
        series: usize,
        /// What is wrong.
        reason: String,
    },
    /// More than one request may hold.
    #[error("remote write: {found} {what}, the limit is {limit}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// The most samples of one request.
const MAX_SAMPLES: usize = 5_000_000;

/// The most labels of one series.
const MAX_LABELS: usize = 1024;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<FloatSample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<WireHistogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct FloatSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    /// 0 unknown, 1 counter, 2 gauge, 3 histogram, 4 gauge histogram, 5 summary, 6 info, 7 state set.
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    metric_family_name: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct WireHistogram {
    #[prost(oneof = "Count", tags = "1, 2")]
    count: Option<Count>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(oneof = "ZeroCount", tags = "6, 7")]
    zero_count: Option<ZeroCount>,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    positive_counts: Vec<f64>,
    /// 0 unknown, 1 reset, 2 no reset, 3 gauge.
    #[prost(int32, tag = "14")]
    reset_hint: i32,
    #[prost(int64, tag = "15")]
    timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
enum Count {
    #[prost(uint64, tag = "1")]
    Int(u64),
    #[prost(double, tag = "2")]
    Float(f64),
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
enum ZeroCount {
    #[prost(uint64, tag = "6")]
    Int(u64),
    #[prost(double, tag = "7")]
    Float(f64),
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// Reads a request, its snappy compression undone. A series' float samples come before its histograms.
///
/// What one series does wrong refuses the whole request, as the specification wants invalid data answered with a 400. Label
/// values that are empty count as absent; order doesn't matter.
pub fn decode(body: &[u8]) -> Result<SampleBatch, RemoteWriteError> {
    let mut batch = SampleBatch::default();
    let (mut number, mut scratch) = (0, String::new());
    read::request(body, |part| {
        let wire = match part {
            Part::Metadata(wire) => {
                batch.metadata.push(metadata(wire));
                return Ok(());
            }
            Part::Series(wire) => wire,
        };
        let error = |reason: String| RemoteWriteError::Series { series: number, reason };
        let labels = labels(&wire.labels, &mut scratch).map_err(error)?;
        let found = batch.samples.len() + wire.samples.len() + wire.histograms.len();
        if found > MAX_SAMPLES {
            return Err(RemoteWriteError::TooMany { what: "samples", found, limit: MAX_SAMPLES });
        }
        let float = |s: &FloatSample| Sample { labels: labels.clone(), t: s.timestamp, value: Value::Float(s.value) };
        batch.samples.extend(wire.samples.iter().map(float));
        for wire in &wire.histograms {
            let value = Value::Histogram(histogram(wire).map_err(error)?.into());
            batch.samples.push(Sample { labels: labels.clone(), t: wire.timestamp, value });
        }
        number += 1;
        Ok(())
    })?;
    Ok(batch)
}

/// Writes a request, to be compressed with snappy. Samples of one series need not stand together.
pub fn encode(batch: &SampleBatch) -> Vec<u8> {
    let mut request = WriteRequest::default();
    let mut places: HashMap<&Labels, usize> = HashMap::new();
    for Sample { labels, t, value } in &batch.samples {
        let place = *places.entry(labels).or_insert_with(|| {
            let wire = labels.iter().map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() });
            request.timeseries.push(TimeSeries { labels: wire.collect(), ..TimeSeries::default() });
            request.timeseries.len() - 1
        });
        let series = &mut request.timeseries[place];
        match value {
            Value::Float(value) => series.samples.push(FloatSample { value: *value, timestamp: *t }),
            Value::Histogram(h) => series.histograms.push(wire_histogram(h, *t)),
        }
    }
    request.metadata = batch.metadata.iter().map(wire_metadata).collect();
    request.encode_to_vec()
}

fn labels(wire: &[(&str, &str)], scratch: &mut String) -> Result<Labels, String> {
    if wire.len() > MAX_LABELS {
        return Err(format!("{} labels, the limit is {MAX_LABELS}", wire.len()));
    }
    // A sender sorts them; who doesn't costs a copy.
    let sorted;
    let pairs = if wire.is_sorted() {
        wire
    } else {
        let mut pairs = wire.to_vec();
        pairs.sort_unstable();
        sorted = pairs;
        &sorted
    };
    if pairs.iter().any(|(name, _)| name.is_empty()) {
        return Err("a label without a name".to_owned());
    }
    if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("label `{}` stands twice", pair[0].0));
    }
    let labels = Labels::from_sorted(pairs, scratch);
    if labels.metric_name().is_empty() { Err(format!("{labels} has no metric name")) } else { Ok(labels) }
}

fn histogram(wire: &WireHistogram) -> Result<Histogram, String> {
    let is_float = matches!(wire.count, Some(Count::Float(_)));
    let absolute = |deltas: &[i64], counts: &[f64]| -> Result<Vec<f64>, String> {
        if is_float {
            return Ok(counts.to_vec());
        }
        let mut sum = 0i64;
        let mut buckets = Vec::with_capacity(deltas.len());
        for delta in deltas {
            sum = sum.checked_add(*delta).ok_or("a bucket count is out of range")?;
            buckets.push(sum as f64);
        }
        Ok(buckets)
    };
    let spans = |spans: &[BucketSpan]| spans.iter().map(|s| Span { offset: s.offset, length: s.length }).collect();
    let histogram = Histogram {
        counter_reset_hint: match wire.reset_hint {
            1 => CounterResetHint::Reset,
            2 => CounterResetHint::NotReset,
            3 => CounterResetHint::Gauge,
            _ => CounterResetHint::Unknown,
        },
        schema: wire.schema,
        zero_threshold: wire.zero_threshold,
        zero_count: match wire.zero_count {
            Some(ZeroCount::Int(n)) => n as f64,
            Some(ZeroCount::Float(f)) => f,
            None => 0.0,
        },
        count: match wire.count {
            Some(Count::Int(n)) => n as f64,
            Some(Count::Float(f)) => f,
            None => 0.0,
        },
        sum: wire.sum,
        positive_spans: spans(&wire.positive_spans),
        negative_spans: spans(&wire.negative_spans),
        positive_buckets: absolute(&wire.positive_deltas, &wire.positive_counts)?,
        negative_buckets: absolute(&wire.negative_deltas, &wire.negative_counts)?,
        custom_values: wire.custom_values.clone(),
    };
    if !histogram.is_stale() {
        histogram.validate().map_err(|e| e.to_string())?;
    }
    Ok(histogram)
}

/// As a float histogram, the form that says all that ours knows.
fn wire_histogram(h: &Arc<Histogram>, t: TimeMs) -> WireHistogram {
    let spans = |spans: &[Span]| spans.iter().map(|s| BucketSpan { offset: s.offset, length: s.length }).collect();
    WireHistogram {
        count: Some(Count::Float(h.count)),
        sum: h.sum,
        schema: h.schema,
        zero_threshold: h.zero_threshold,
        zero_count: Some(ZeroCount::Float(h.zero_count)),
        negative_spans: spans(&h.negative_spans),
        negative_deltas: Vec::new(),
        negative_counts: h.negative_buckets.clone(),
        positive_spans: spans(&h.positive_spans),
        positive_deltas: Vec::new(),
        positive_counts: h.positive_buckets.clone(),
        reset_hint: match h.counter_reset_hint {
            CounterResetHint::Unknown => 0,
            CounterResetHint::Reset => 1,
            CounterResetHint::NotReset => 2,
            CounterResetHint::Gauge => 3,
        },
        timestamp: t,
        custom_values: h.custom_values.clone(),
    }
}

const KINDS: [MetricType; 8] = [
    MetricType::Unknown,
    MetricType::Counter,
    MetricType::Gauge,
    MetricType::Histogram,
    MetricType::GaugeHistogram,
    MetricType::Summary,
    MetricType::Info,
    MetricType::StateSet,
];

fn metadata(wire: Metadata) -> MetricMetadata {
    let kind = usize::try_from(wire.kind).ok().and_then(|i| KINDS.get(i).copied()).unwrap_or_default();
    MetricMetadata { name: wire.metric_family_name, kind, help: wire.help, unit: wire.unit }
}

fn wire_metadata(metadata: &MetricMetadata) -> Metadata {
    Metadata {
        kind: KINDS.iter().position(|kind| *kind == metadata.kind).unwrap_or(0) as i32,
        metric_family_name: metadata.name.clone(),
        help: metadata.help.clone(),
        unit: metadata.unit.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HistogramLiteral;

    fn batch() -> SampleBatch {
        let labels = Labels::from_pairs([("__name__", "a"), ("x", "é")]);
        let other = Labels::from_pairs([("__name__", "b")]);
        let h = HistogramLiteral::parse("{{schema:1 count:4 sum:2 z_bucket:1 buckets:[1 2] counter_reset_hint:gauge}}")
            .unwrap();
        let sample = |labels: &Labels, t, value| Sample { labels: labels.clone(), t, value };
        SampleBatch {
            samples: vec![
                sample(&labels, 1, Value::Float(1.5)),
                sample(&labels, 2, Value::Float(-0.0)),
                sample(&other, 3, Value::Histogram(Arc::new(h.histogram))),
                sample(
                    &other,
                    4,
                    Value::Histogram(Arc::new(Histogram {
                        schema: -53,
                        custom_values: vec![1.0],
                        ..Default::default()
                    })),
                ),
            ],
            metadata: vec![MetricMetadata {
                name: "a".into(),
                kind: MetricType::Info,
                help: "h".into(),
                unit: "s".into(),
            }],
        }
    }

    #[test]
    fn there_and_back() {
        let read = decode(&encode(&batch())).unwrap();
        assert_eq!((&read.samples, &read.metadata), (&batch().samples, &batch().metadata));
    }

    #[test]
    fn bytes_as_the_specification_has_them() {
        let mut one = batch();
        one.samples.truncate(1);
        one.metadata.clear();
        let expected = b"\x0a\x1f\x0a\x0d\x0a\x08__name__\x12\x01a\x0a\x07\x0a\x01x\x12\x02\xc3\xa9\x12\x0b\x09\0\0\0\0\0\0\xf8\x3f\x10\x01";
        let bytes = encode(&one);
        assert_eq!(bytes[2..], expected[2..]);
        assert_eq!(usize::from(bytes[1]), bytes.len() - 2);
    }

    #[test]
    fn refuses_what_is_no_series() {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let refused = |labels: Vec<Label>| {
            let sample = FloatSample { value: 1.0, timestamp: 1 };
            let series = TimeSeries { labels, samples: vec![sample], histograms: vec![] };
            let request = WriteRequest { timeseries: vec![series], metadata: vec![] };
            decode(&request.encode_to_vec()).unwrap_err().to_string()
        };
        assert!(refused(vec![]).contains("series 0: {} has no metric name"));
        assert!(refused(vec![label("__name__", "a"), label("x", "1"), label("x", "2")]).contains("`x` stands twice"));
        assert!(refused(vec![label("__name__", "a"), label("", "1")]).contains("a label without a name"));
        assert!(decode(&[0xff]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..96)) {
            let _ = decode(&body);
        }
    }
}
