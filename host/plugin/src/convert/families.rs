//! Readable families.

use watchglass_model::{OpenMetricsFloat, TimeMs};

use super::{Rows, check_label_names, check_metric_name, check_value, invalid, metric_type, time};
use crate::bindings::collector::exports::watchglass::plugin::collector::{Classic, Family, Summary, Value};
use crate::report::CallFailure;

/// Buckets of a histogram, quantiles of a summary.
const MAX_PARTS: usize = 10_000;

/// Adds the samples of a family.
pub(super) fn add(rows: &mut Rows, family: &Family) -> Result<(), CallFailure> {
    let name = family.name.as_str();
    check_metric_name(name)?;
    check_label_names(name, family.label_names.iter().map(String::as_str))?;
    if !rows.family(name, &family.help, &family.unit, metric_type(family.kind)) {
        return Err(invalid("more families than one collection may have"));
    }
    rows.expect(family.samples.len());
    let names = Names {
        family: name,
        bucket: format!("{name}_bucket"),
        sum: format!("{name}_sum"),
        count: format!("{name}_count"),
    };
    for sample in &family.samples {
        if sample.label_values.len() != family.label_names.len() {
            return Err(invalid(format!(
                "family {name}: a sample with {} label values for {} label names",
                sample.label_values.len(),
                family.label_names.len()
            )));
        }
        let mut labels: Vec<(&str, &str)> = Vec::with_capacity(family.label_names.len());
        for (label, value) in family.label_names.iter().zip(&sample.label_values) {
            check_value(name, label, value)?;
            labels.push((label, value));
        }
        let t = time(sample.at, rows.scheduled_at, name)?;
        match &sample.value {
            Value::Number(v) => push(rows, name, &labels, None, t, *v),
            Value::Classic(classic) => add_classic(rows, &names, &labels, t, classic)?,
            Value::Summary(summary) => add_summary(rows, &names, &labels, t, summary)?,
        }
    }
    Ok(())
}

struct Names<'a> {
    family: &'a str,
    bucket: String,
    sum: String,
    count: String,
}

fn push(rows: &mut Rows, name: &str, labels: &[(&str, &str)], extra: Option<(&str, &str)>, t: TimeMs, v: f64) {
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(labels.len() + 2);
    pairs.push(("__name__", name));
    pairs.extend_from_slice(labels);
    pairs.extend(extra);
    pairs.sort_unstable_by(|a, b| a.0.cmp(b.0));
    rows.push(&pairs, t, v);
}

fn add_classic(
    rows: &mut Rows,
    names: &Names<'_>,
    labels: &[(&str, &str)],
    t: TimeMs,
    classic: &Classic,
) -> Result<(), CallFailure> {
    let family = names.family;
    check_parts(family, labels, "le", classic.buckets.len())?;
    let mut before = f64::NEG_INFINITY;
    for (i, bucket) in classic.buckets.iter().enumerate() {
        if bucket.le.is_nan() || (i > 0 && bucket.le <= before) {
            return Err(invalid(format!("family {family}: bucket bound {} after {before}: bounds ascend", bucket.le)));
        }
        before = bucket.le;
        let le = OpenMetricsFloat(bucket.le).to_string();
        push(rows, &names.bucket, labels, Some(("le", &le)), t, bucket.count);
    }
    if before != f64::INFINITY {
        push(rows, &names.bucket, labels, Some(("le", "+Inf")), t, classic.count);
    }
    push(rows, &names.sum, labels, None, t, classic.sum);
    push(rows, &names.count, labels, None, t, classic.count);
    Ok(())
}

fn add_summary(
    rows: &mut Rows,
    names: &Names<'_>,
    labels: &[(&str, &str)],
    t: TimeMs,
    summary: &Summary,
) -> Result<(), CallFailure> {
    check_parts(names.family, labels, "quantile", summary.quantiles.len())?;
    for quantile in &summary.quantiles {
        let q = OpenMetricsFloat(quantile.q).to_string();
        push(rows, names.family, labels, Some(("quantile", &q)), t, quantile.v);
    }
    push(rows, &names.sum, labels, None, t, summary.sum);
    push(rows, &names.count, labels, None, t, summary.count);
    Ok(())
}

fn check_parts(family: &str, labels: &[(&str, &str)], own: &str, parts: usize) -> Result<(), CallFailure> {
    if labels.iter().any(|(n, _)| *n == own) {
        return Err(invalid(format!("family {family}: label {own} is the host's to add")));
    }
    if parts > MAX_PARTS {
        return Err(invalid(format!("family {family}: {parts} buckets or quantiles, allowed are {MAX_PARTS}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::collector::exports::watchglass::plugin::collector::{Bucket, Quantile, Sample};
    use crate::bindings::wit::types::Kind;

    fn family(value: Value) -> Family {
        Family {
            name: "m".into(),
            help: "h".into(),
            unit: String::new(),
            kind: Kind::Untyped,
            label_names: vec!["z".into()],
            samples: vec![Sample { label_values: vec!["1".into()], value, at: None }],
        }
    }

    fn convert(family: &Family) -> Result<Vec<String>, String> {
        let mut rows = Rows::new(7, 100);
        add(&mut rows, family).map_err(|f| f.to_string())?;
        let show = |s: &watchglass_model::Sample| match &s.value {
            watchglass_model::Value::Float(v) => format!("{} {v}", s.labels),
            watchglass_model::Value::Histogram(_) => "histogram".to_owned(),
        };
        Ok(rows.finish().0.samples.iter().map(show).collect())
    }

    #[test]
    fn a_histogram_becomes_its_series() {
        let buckets = vec![Bucket { le: 0.5, count: 1.0 }, Bucket { le: 1.0, count: 2.0 }];
        let made = convert(&family(Value::Classic(Classic { count: 3.0, sum: 9.5, buckets })));
        let expected = [
            "m_bucket{le=\"0.5\", z=\"1\"} 1",
            "m_bucket{le=\"1.0\", z=\"1\"} 2",
            "m_bucket{le=\"+Inf\", z=\"1\"} 3",
            "m_sum{z=\"1\"} 9.5",
            "m_count{z=\"1\"} 3",
        ];
        assert_eq!(made, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_summary_becomes_its_series() {
        let quantiles = vec![Quantile { q: 0.99, v: 4.0 }];
        let made = convert(&family(Value::Summary(Summary { count: 3.0, sum: 9.5, quantiles })));
        let expected = ["m{quantile=\"0.99\", z=\"1\"} 4", "m_sum{z=\"1\"} 9.5", "m_count{z=\"1\"} 3"];
        assert_eq!(made, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn lies_are_found() {
        type Lie = fn(&mut Family);
        let lies: [(&str, Lie); 6] = [
            ("2 label values for 1 label names", |f| f.samples[0].label_values.push("x".into())),
            ("family without a name", |f| f.name.clear()),
            ("label name \"__name__\"", |f| f.label_names[0] = "__name__".into()),
            ("allowed are 65536", |f| f.samples[0].label_values[0] = "x".repeat(70_000)),
            ("label le is the host's", |f| {
                f.label_names[0] = "le".into();
                f.samples[0].value = Value::Classic(Classic { count: 0.0, sum: 0.0, buckets: vec![] });
            }),
            ("bounds ascend", |f| {
                let buckets = vec![Bucket { le: 1.0, count: 0.0 }, Bucket { le: 1.0, count: 0.0 }];
                f.samples[0].value = Value::Classic(Classic { count: 0.0, sum: 0.0, buckets });
            }),
        ];
        for (expected, lie) in lies {
            let mut family = family(Value::Number(1.0));
            lie(&mut family);
            let told = convert(&family).unwrap_err();
            assert!(told.starts_with("invalid: ") && told.contains(expected), "{expected}: {told}");
        }
    }
}
