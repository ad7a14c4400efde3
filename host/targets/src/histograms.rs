//! What a scrape_config says of histograms: how fine native ones may be, and whether classic ones become native.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use watchglass_model::{
    ClassicHistogram, Histogram, Labels, METRIC_NAME, MetricType, Sample, SampleBatch, TimeMs, Value, is_stale_nan,
    parse_go_float,
};

/// The finest and the coarsest exponential schema (Prometheus, "Native histograms": schemas 8 to -4).
const FINEST: i32 = 8;
const COARSEST: i32 = -4;

/// Makes a native histogram as coarse as `min_bucket_factor` and `bucket_limit` ask (0: no limit). An error where the limit can't be kept.
pub(crate) fn limited(
    histogram: &Arc<Histogram>,
    bucket_limit: usize,
    min_bucket_factor: f64,
) -> Result<Arc<Histogram>, String> {
    let too_many =
        |h: &Histogram| bucket_limit > 0 && h.positive_buckets.len() + h.negative_buckets.len() > bucket_limit;
    let finest = finest_schema(min_bucket_factor);
    if histogram.uses_custom_buckets() {
        return if too_many(histogram) { Err(exceeded(bucket_limit)) } else { Ok(Arc::clone(histogram)) };
    }
    if histogram.schema <= finest && !too_many(histogram) {
        return Ok(Arc::clone(histogram));
    }
    let mut reduced = histogram.reduced_to(finest.min(histogram.schema));
    while too_many(&reduced) {
        if reduced.schema <= COARSEST {
            return Err(exceeded(bucket_limit));
        }
        reduced = reduced.reduced_to(reduced.schema - 1);
    }
    Ok(Arc::new(reduced))
}

fn exceeded(limit: usize) -> String {
    format!("histogram bucket limit exceeded (limit: {limit})")
}

/// The finest schema whose buckets grow by at least `factor`: bounds of schema n grow by 2^(2^-n).
fn finest_schema(factor: f64) -> i32 {
    if factor <= 1.0 {
        return FINEST;
    }
    let schema = (-factor.log2().log2()).floor();
    (schema as i32).clamp(COARSEST, FINEST)
}

/// Puts a native histogram with custom buckets beside, or with `keep_classic` false in the place of, each classic histogram that the exposition
/// declares as one. One whose buckets make none stays as it is. A histogram that came native as well is left alone.
pub(crate) fn convert_classic(batch: &mut SampleBatch, keep_classic: bool) {
    let declared: HashSet<&str> = batch
        .metadata
        .iter()
        .filter(|m| matches!(m.kind, MetricType::Histogram | MetricType::GaugeHistogram))
        .map(|m| m.name.as_str())
        .collect();
    if declared.is_empty() {
        return;
    }
    let native: HashSet<Labels> =
        batch.samples.iter().filter(|s| matches!(s.value, Value::Histogram(_))).map(|s| s.labels.clone()).collect();
    let mut found: BTreeMap<(Labels, TimeMs), ClassicHistogram> = BTreeMap::new();
    let mut owners: HashMap<usize, (Labels, TimeMs)> = HashMap::new();
    for (index, sample) in batch.samples.iter().enumerate() {
        let Value::Float(v) = sample.value else { continue };
        let Some((base, part)) = part(&sample.labels, &declared) else { continue };
        if is_stale_nan(v) || native.contains(&base) {
            continue;
        }
        let key = (base, sample.t);
        let histogram = found.entry(key.clone()).or_default();
        match part {
            Part::Bucket(le) => histogram.set_bucket(le, v),
            Part::Count => histogram.set_count(v),
            Part::Sum => histogram.set_sum(v),
        }
        owners.insert(index, key);
    }
    let converted: BTreeMap<(Labels, TimeMs), Histogram> =
        found.into_iter().filter_map(|(key, classic)| Some((key, classic.convert().ok()?))).collect();
    if !keep_classic {
        let mut index = 0;
        batch.samples.retain(|_| {
            let gone = owners.get(&index).is_some_and(|key| converted.contains_key(key));
            index += 1;
            !gone
        });
    }
    batch.samples.extend(converted.into_iter().map(|((labels, t), h)| Sample {
        labels,
        t,
        value: Value::Histogram(Arc::new(h)),
    }));
}

enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// The labels of the declared histogram that a series is part of, and which part.
fn part(labels: &Labels, declared: &HashSet<&str>) -> Option<(Labels, Part)> {
    let name = labels.metric_name();
    let (base, part) = if let Some(base) = name.strip_suffix("_bucket") {
        (base, Part::Bucket(parse_go_float(labels.get("le")?).filter(|le| !le.is_nan())?))
    } else if let Some(base) = name.strip_suffix("_count") {
        (base, Part::Count)
    } else {
        (name.strip_suffix("_sum")?, Part::Sum)
    };
    declared.contains(base).then(|| (labels.with("le", "").with(METRIC_NAME, base), part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_model::exposition::parse_exposition;

    #[test]
    fn factors_choose_schemas() {
        // 2^(2^-n): 1.1 lies between schema 3 (1.0905) and schema 2 (1.189).
        for (factor, schema) in
            [(0.0, 8), (1.0, 8), (1.002, 8), (1.1, 2), (1.19, 1), (2.0, 0), (3.9, -1), (4.0, -1), (1e9, -4)]
        {
            assert_eq!(finest_schema(factor), schema, "{factor}");
        }
    }

    #[test]
    fn a_limit_makes_histograms_coarser() {
        let literal =
            watchglass_model::HistogramLiteral::parse("{{schema:3 count:8 sum:1 buckets:[1 1 1 1 1 1 1 1]}}").unwrap();
        let fine = Arc::new(literal.histogram);
        assert!(Arc::ptr_eq(&limited(&fine, 8, 0.0).unwrap(), &fine));
        let coarse = limited(&fine, 4, 0.0).unwrap();
        assert!(coarse.schema < 3 && coarse.positive_buckets.len() <= 4 && coarse.count == 8.0);
        assert_eq!(limited(&fine, 0, 2.0).unwrap().schema, 0);
        let custom =
            watchglass_model::HistogramLiteral::parse("{{schema:-53 count:2 sum:1 custom_values:[1 2] buckets:[1 1]}}")
                .unwrap();
        assert!(limited(&Arc::new(custom.histogram), 1, 0.0).unwrap_err().contains("bucket limit exceeded"));
    }

    #[test]
    fn declared_classic_histograms_become_native() {
        let text = "# TYPE h histogram\nh_bucket{le=\"1\",a=\"x\"} 2\nh_bucket{le=\"+Inf\",a=\"x\"} 3\nh_count{a=\"x\"} 3\nh_sum{a=\"x\"} 4\nother_count 1\n";
        for (keep, expected) in [(false, 2), (true, 6)] {
            let mut batch = parse_exposition("text/plain", text.as_bytes(), 7).unwrap();
            convert_classic(&mut batch, keep);
            assert_eq!(batch.samples.len(), expected, "{:?}", batch.samples);
            let native = batch.samples.iter().find(|s| s.labels.metric_name() == "h").unwrap();
            let Value::Histogram(h) = &native.value else { panic!("no histogram") };
            assert_eq!((h.count, h.sum, h.custom_values.as_slice(), native.t), (3.0, 4.0, &[1.0][..], 7));
        }
        let broken = "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\n";
        let mut batch = parse_exposition("text/plain", broken.as_bytes(), 7).unwrap();
        convert_classic(&mut batch, false);
        assert_eq!(batch.samples.len(), 2, "what makes no histogram stays");
    }
}
