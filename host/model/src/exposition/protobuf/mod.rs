//! The delimited protobuf format, the only one that carries native histograms.

mod messages;

use std::borrow::Cow;

use prost::Message;

use super::collect::{Collect, Pair};
use super::{ExpositionError, ExpositionOptions};
use crate::number::OpenMetricsFloat;
use crate::{CounterResetHint, Histogram, MetricType, Span, TimeMs};
use messages::{LabelPair, Metric, MetricFamily};

/// The most bytes that one family's message may have.
const MAX_FAMILY_BYTES: usize = 64 << 20;

/// Reads a whole body.
pub(super) fn parse(body: &[u8], options: &ExpositionOptions, to: &mut Collect) -> Result<(), ExpositionError> {
    let mut rest = body;
    let mut family_number = 0;
    while !rest.is_empty() {
        family_number += 1;
        let error =
            |reason: String| ExpositionError { line: family_number, reason: format!("metric family: {reason}") };
        let length = prost::encoding::decode_varint(&mut rest).map_err(|e| error(format!("its length: {e}")))?;
        let length = usize::try_from(length).ok().filter(|l| *l <= MAX_FAMILY_BYTES && *l <= rest.len());
        let Some(length) = length else {
            return Err(error(format!("its message is longer than the {} bytes that follow", rest.len())));
        };
        let (message, after) = rest.split_at(length);
        rest = after;
        let family = MetricFamily::decode(message).map_err(|e| error(e.to_string()))?;
        read_family(&family, options, to).map_err(error)?;
    }
    Ok(())
}

fn read_family(family: &MetricFamily, options: &ExpositionOptions, to: &mut Collect) -> Result<(), String> {
    let name = family.name.as_deref().unwrap_or("");
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    let kind = match family.kind.unwrap_or(0) {
        0 => MetricType::Counter,
        1 => MetricType::Gauge,
        2 => MetricType::Summary,
        3 => MetricType::Unknown,
        4 => MetricType::Histogram,
        5 => MetricType::GaugeHistogram,
        other => return Err(format!("`{name}` has the unknown type {other}")),
    };
    to.family(name)?.kind = kind;
    if let Some(help) = &family.help {
        to.help(name, Cow::Borrowed(help))?;
    }
    if let Some(unit) = &family.unit {
        to.family(name)?.unit = unit.clone();
    }
    for metric in &family.metric {
        read_metric(name, kind, metric, options, to).map_err(|reason| format!("`{name}`: {reason}"))?;
    }
    Ok(())
}

fn pairs(labels: &[LabelPair]) -> Vec<Pair<'_>> {
    let text = |t: &'_ Option<String>| -> Cow<'_, str> { Cow::Owned(t.clone().unwrap_or_default()) };
    labels.iter().map(|l| (text(&l.name), text(&l.value))).collect()
}

fn read_metric(
    name: &str,
    kind: MetricType,
    metric: &Metric,
    options: &ExpositionOptions,
    to: &mut Collect,
) -> Result<(), String> {
    let t = metric.timestamp_ms.filter(|t| *t != 0);
    let labels = pairs(&metric.label);
    let plain = |to: &mut Collect, value: f64| to.sample(name, &mut labels.clone(), value, t);
    match kind {
        MetricType::Counter => {
            let Some(counter) = &metric.counter else { return Err("a metric without its counter".to_owned()) };
            plain(to, counter.value.unwrap_or(0.0))?;
            match &counter.exemplar {
                Some(exemplar) => read_exemplar(exemplar, to),
                None => Ok(()),
            }
        }
        MetricType::Gauge => match &metric.gauge {
            Some(gauge) => plain(to, gauge.value.unwrap_or(0.0)),
            None => Err("a metric without its gauge".to_owned()),
        },
        MetricType::Unknown => match &metric.untyped {
            Some(untyped) => plain(to, untyped.value.unwrap_or(0.0)),
            None => Err("a metric without its value".to_owned()),
        },
        MetricType::Summary => {
            let Some(summary) = &metric.summary else { return Err("a metric without its summary".to_owned()) };
            to.sample(&format!("{name}_count"), &mut labels.clone(), summary.sample_count.unwrap_or(0) as f64, t)?;
            to.sample(&format!("{name}_sum"), &mut labels.clone(), summary.sample_sum.unwrap_or(0.0), t)?;
            for quantile in &summary.quantile {
                let phi = OpenMetricsFloat(quantile.quantile.unwrap_or(0.0)).to_string();
                let mut labels = labels.clone();
                labels.push((Cow::Borrowed("quantile"), Cow::Owned(phi)));
                to.sample(name, &mut labels, quantile.value.unwrap_or(0.0), t)?;
            }
            Ok(())
        }
        _ => {
            let Some(histogram) = &metric.histogram else { return Err("a metric without its histogram".to_owned()) };
            read_histogram(name, kind, &labels, histogram, t, options, to)
        }
    }
}

fn read_histogram(
    name: &str,
    kind: MetricType,
    labels: &[Pair<'_>],
    histogram: &messages::Histogram,
    t: Option<TimeMs>,
    options: &ExpositionOptions,
    to: &mut Collect,
) -> Result<(), String> {
    let is_native = histogram.zero_threshold.unwrap_or(0.0) > 0.0
        || histogram.zero_count.unwrap_or(0) > 0
        || histogram.zero_count_float.unwrap_or(0.0) > 0.0
        || !histogram.positive_span.is_empty()
        || !histogram.negative_span.is_empty();
    if is_native && !options.ignore_native {
        to.histogram(name, &mut labels.to_vec(), native(histogram, kind)?, t)?;
        for exemplar in &histogram.exemplars {
            read_exemplar(exemplar, to)?;
        }
        if !options.classic_beside_native {
            return Ok(());
        }
    }
    let whole = |float: Option<f64>, int: Option<u64>| match float {
        Some(f) if f > 0.0 => f,
        _ => int.unwrap_or(0) as f64,
    };
    let count = whole(histogram.sample_count_float, histogram.sample_count);
    to.sample(&format!("{name}_count"), &mut labels.to_vec(), count, t)?;
    to.sample(&format!("{name}_sum"), &mut labels.to_vec(), histogram.sample_sum.unwrap_or(0.0), t)?;
    let bucket_name = format!("{name}_bucket");
    let bucket = |to: &mut Collect, le: f64, count: f64| {
        let mut labels = labels.to_vec();
        labels.push((Cow::Borrowed("le"), Cow::Owned(OpenMetricsFloat(le).to_string())));
        to.sample(&bucket_name, &mut labels, count, t)
    };
    let mut has_infinite = false;
    for b in &histogram.bucket {
        let le = b.upper_bound.unwrap_or(0.0);
        has_infinite |= le == f64::INFINITY;
        bucket(to, le, whole(b.cumulative_count_float, b.cumulative_count))?;
        if let Some(exemplar) = &b.exemplar {
            read_exemplar(exemplar, to)?;
        }
    }
    if has_infinite { Ok(()) } else { bucket(to, f64::INFINITY, count) }
}

/// A native histogram: of integers as differences from bucket to bucket, or of floats as they are.
fn native(histogram: &messages::Histogram, kind: MetricType) -> Result<Histogram, String> {
    let spans = |spans: &[messages::BucketSpan]| -> Vec<Span> {
        spans.iter().map(|s| Span { offset: s.offset.unwrap_or(0), length: s.length.unwrap_or(0) }).collect()
    };
    let from_deltas = |deltas: &[i64]| -> Result<Vec<f64>, String> {
        let mut count = 0i64;
        let mut add = |delta: &i64| {
            count = count.checked_add(*delta).ok_or("a bucket count is out of range")?;
            Ok(count as f64)
        };
        deltas.iter().map(&mut add).collect::<Result<Vec<f64>, &str>>().map_err(str::to_owned)
    };
    let is_float = histogram.sample_count_float.unwrap_or(0.0) > 0.0 || histogram.zero_count_float.unwrap_or(0.0) > 0.0;
    let (positive_buckets, negative_buckets) = if is_float {
        (histogram.positive_count.clone(), histogram.negative_count.clone())
    } else {
        (from_deltas(&histogram.positive_delta)?, from_deltas(&histogram.negative_delta)?)
    };
    // A span of no buckets at offset 0 only says that the histogram is native.
    let positive_spans = if positive_buckets.is_empty() { Vec::new() } else { spans(&histogram.positive_span) };
    let negative_spans = if negative_buckets.is_empty() { Vec::new() } else { spans(&histogram.negative_span) };
    Ok(Histogram {
        counter_reset_hint: match kind {
            MetricType::GaugeHistogram => CounterResetHint::Gauge,
            _ => CounterResetHint::Unknown,
        },
        schema: histogram.schema.unwrap_or(0),
        zero_threshold: histogram.zero_threshold.unwrap_or(0.0),
        zero_count: if is_float {
            histogram.zero_count_float.unwrap_or(0.0)
        } else {
            histogram.zero_count.unwrap_or(0) as f64
        },
        count: if is_float {
            histogram.sample_count_float.unwrap_or(0.0)
        } else {
            histogram.sample_count.unwrap_or(0) as f64
        },
        sum: histogram.sample_sum.unwrap_or(0.0),
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values: Vec::new(),
    })
}

fn read_exemplar(exemplar: &messages::Exemplar, to: &mut Collect) -> Result<(), String> {
    let t = exemplar
        .timestamp
        .as_ref()
        .map(|t| t.seconds.saturating_mul(1000).saturating_add(i64::from(t.nanos) / 1_000_000));
    to.exemplar(&mut pairs(&exemplar.label), exemplar.value.unwrap_or(0.0), t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;
    use crate::exposition::{Format, parse_exposition_with};

    fn delimited(families: &[MetricFamily]) -> Vec<u8> {
        families.iter().flat_map(|f| f.encode_length_delimited_to_vec()).collect()
    }

    #[test]
    fn native_histograms_and_classic_ones() {
        let histogram = messages::Histogram {
            sample_count: Some(7),
            sample_sum: Some(3.5),
            schema: Some(1),
            zero_threshold: Some(0.001),
            zero_count: Some(1),
            positive_span: vec![messages::BucketSpan { offset: Some(-1), length: Some(2) }],
            positive_delta: vec![2, 2],
            bucket: vec![messages::Bucket { cumulative_count: Some(3), upper_bound: Some(1.0), ..Default::default() }],
            ..Default::default()
        };
        let family = MetricFamily {
            name: Some("h".into()),
            help: Some("help".into()),
            kind: Some(4),
            metric: vec![Metric { histogram: Some(histogram), timestamp_ms: Some(5), ..Default::default() }],
            unit: None,
        };
        let body = delimited(&[family.clone(), MetricFamily { name: Some("h2".into()), ..family }]);
        let read = |options| parse_exposition_with(Format::Protobuf, &body, 9, &options).unwrap().batch;
        let native = read(ExpositionOptions::default());
        assert_eq!(native.samples.len(), 2);
        let Value::Histogram(h) = &native.samples[0].value else { panic!("a native histogram") };
        assert_eq!(h.to_literal(), "{{schema:1 count:7 sum:3.5 z_bucket:1 z_bucket_w:0.001 offset:-1 buckets:[2 4]}}");
        assert_eq!((native.samples[0].t, native.metadata[1].name.as_str()), (5, "h2"));
        let classic = read(ExpositionOptions { ignore_native: true, ..Default::default() });
        let lines: Vec<String> = classic.samples[..4].iter().map(|s| format!("{} {:?}", s.labels, s.value)).collect();
        assert_eq!(
            lines,
            [
                "h_count Float(7.0)",
                "h_sum Float(3.5)",
                "h_bucket{le=\"1.0\"} Float(3.0)",
                "h_bucket{le=\"+Inf\"} Float(7.0)"
            ]
        );
        assert_eq!(read(ExpositionOptions { classic_beside_native: true, ..Default::default() }).samples.len(), 10);
    }

    #[test]
    fn refuses_what_lies() {
        let read = |body: &[u8]| parse_exposition_with(Format::Protobuf, body, 0, &ExpositionOptions::default());
        let too_long = read(&[200, 1, 1]).unwrap_err().to_string();
        assert!(too_long.contains("longer than the 1 bytes"), "{too_long}");
        assert!(read(&[2, 0xff, 0xff]).is_err());
        let lying = messages::Histogram {
            positive_span: vec![messages::BucketSpan { offset: Some(0), length: Some(u32::MAX) }],
            positive_delta: vec![1],
            sample_count: Some(1),
            ..Default::default()
        };
        let family = MetricFamily {
            name: Some("h".into()),
            kind: Some(4),
            metric: vec![Metric { histogram: Some(lying), ..Default::default() }],
            ..Default::default()
        };
        assert!(read(&delimited(&[family])).unwrap_err().to_string().contains("spans cover"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = parse_exposition_with(Format::Protobuf, &body, 0, &ExpositionOptions::default());
        }
    }
}
