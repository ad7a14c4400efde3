//! Comparing what was found with what was expected.

use std::collections::BTreeMap;

use watchglass_model::{Histogram, Labels, PlainFloat, Sample, SeriesData, TimeMs, Value, is_stale_nan};

use crate::engine::QueryValue;
use crate::series::{SeriesLine, SeriesValue};

/// By how much a float may differ, relative to the sum of both values.
const TOLERANCE: f64 = 1e-6;

/// How much of an answer is shown in a report.
const SHOWN: usize = 600;

/// What was expected and what was found instead.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) expected: String,
    pub(super) got: String,
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>, got: impl Into<String>) -> Mismatch {
        Mismatch { expected: expected.into(), got: got.into() }
    }

    pub(super) fn in_context(self, context: &str) -> Mismatch {
        Mismatch { expected: format!("{} ({context})", self.expected), got: self.got }
    }
}

/// Whether two floats count as the same.
fn close(a: f64, b: f64) -> bool {
    if is_stale_nan(a) || is_stale_nan(b) {
        return is_stale_nan(a) && is_stale_nan(b);
    }
    if a == b || a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn same_histogram(expected: &Histogram, hint_given: bool, found: &Histogram) -> bool {
    if hint_given && expected.counter_reset_hint != found.counter_reset_hint {
        return false;
    }
    // Empty buckets may be written out or left out.
    let compacted = |h: &Histogram| {
        let mut h = h.clone();
        h.compact(0);
        h
    };
    compacted(expected).almost_equals(&compacted(found), TOLERANCE)
}

fn matches(expected: &SeriesValue, found: &Value) -> bool {
    match (expected, found) {
        (SeriesValue::Omitted, _) => true,
        (SeriesValue::Float(a), Value::Float(b)) => close(*a, *b),
        (SeriesValue::Histogram { histogram, hint_given }, Value::Histogram(h)) => {
            same_histogram(histogram, *hint_given, h)
        }
        _ => false,
    }
}

fn show_expected(value: &SeriesValue) -> String {
    match value {
        SeriesValue::Omitted => "_".to_owned(),
        SeriesValue::Float(v) => PlainFloat(*v).to_string(),
        SeriesValue::Histogram { histogram, .. } => histogram.to_literal(),
    }
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Float(v) => PlainFloat(*v).to_string(),
        Value::Histogram(h) => h.to_literal(),
    }
}

/// An answer in a few words.
pub(super) fn show(value: &QueryValue) -> String {
    let mut text = match value {
        QueryValue::Scalar(point) => format!("scalar {}", PlainFloat(point.v)),
        QueryValue::String(_, text) => format!("string {text:?}"),
        QueryValue::Vector(samples) => show_samples(samples),
        QueryValue::Matrix(series) => {
            let lines: Vec<String> =
                series.iter().map(|s| format!("{} {}", s.labels, show_points(&points(s)))).collect();
            format!("{} series over a range: {}", series.len(), lines.join("; "))
        }
    };
    if let Some((cut, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(cut);
        text += "...";
    }
    text
}

fn show_samples(samples: &[Sample]) -> String {
    match samples {
        [] => "an empty vector".to_owned(),
        samples => {
            samples.iter().map(|s| format!("{} {}", s.labels, show_value(&s.value))).collect::<Vec<_>>().join("; ")
        }
    }
}

fn show_points(points: &BTreeMap<TimeMs, Value>) -> String {
    points.iter().map(|(t, v)| format!("{}@{t}", show_value(v))).collect::<Vec<_>>().join(" ")
}

pub(super) fn compare_number(expected: Option<f64>, found: f64) -> Result<(), Mismatch> {
    match expected {
        Some(expected) if close(expected, found) => Ok(()),
        Some(expected) => Err(Mismatch::new(PlainFloat(expected).to_string(), PlainFloat(found).to_string())),
        None => Err(Mismatch::new("a vector", format!("scalar {}", PlainFloat(found)))),
    }
}

pub(super) fn compare_vector(expected: &[SeriesLine], found: &[Sample], ordered: bool) -> Result<(), Mismatch> {
    let mut rest: Vec<(usize, &SeriesLine)> = last_of_each(expected);
    for (position, sample) in found.iter().enumerate() {
        let Some(at) = rest.iter().position(|(_, line)| line.labels == sample.labels) else {
            let got = format!("{} {}", sample.labels, show_value(&sample.value));
            let already = found[..position].iter().any(|s| s.labels == sample.labels);
            return Err(Mismatch::new(if already { "each series once" } else { "no such series" }, got));
        };
        let (index, line) = rest.swap_remove(at);
        if ordered && index != position {
            return Err(Mismatch::new(
                format!("{} at position {}", line.labels, index + 1),
                format!("at position {}: {}", position + 1, show_samples(found)),
            ));
        }
        let value = line.values.first().unwrap_or(&SeriesValue::Omitted);
        if !matches(value, &sample.value) {
            return Err(Mismatch::new(
                format!("{} {}", line.labels, show_expected(value)),
                format!("{} {}", sample.labels, show_value(&sample.value)),
            ));
        }
    }
    match rest.first() {
        Some((_, line)) => Err(Mismatch::new(line.labels.to_string(), show_samples(found))),
        None => Ok(()),
    }
}

/// Of two lines for one series the last stands.
fn last_of_each(expected: &[SeriesLine]) -> Vec<(usize, &SeriesLine)> {
    let mut lines: Vec<(usize, &SeriesLine)> = vec![];
    for (index, line) in expected.iter().enumerate() {
        lines.retain(|(_, other)| other.labels != line.labels);
        lines.push((index, line));
    }
    lines
}

pub(super) fn compare_matrix(
    expected: &[SeriesLine],
    found: &[SeriesData],
    start: TimeMs,
    end: TimeMs,
    step: i64,
) -> Result<(), Mismatch> {
    let steps = end.saturating_sub(start) / step + 1;
    if let Some(line) = expected.iter().find(|l| l.values.len() as i64 > steps) {
        let values = line.values.len();
        return Err(Mismatch::new(format!("{values} values of {}", line.labels), format!("a range of {steps} steps")));
    }
    compare_range_vector(expected, found, start, end, step)
}

pub(super) fn compare_range_vector(
    expected: &[SeriesLine],
    found: &[SeriesData],
    start: TimeMs,
    _end: TimeMs,
    step: i64,
) -> Result<(), Mismatch> {
    let mut rest: BTreeMap<&Labels, &SeriesLine> = expected.iter().map(|line| (&line.labels, line)).collect();
    for series in found {
        let points = points(series);
        let Some(line) = rest.remove(&series.labels) else {
            return Err(Mismatch::new("no such series", format!("{} {}", series.labels, show_points(&points))));
        };
        let wanted: BTreeMap<TimeMs, &SeriesValue> = line
            .values
            .iter()
            .enumerate()
            .filter(|(_, v)| **v != SeriesValue::Omitted)
            .map(|(i, v)| (start.saturating_add(step.saturating_mul(i as i64)), v))
            .collect();
        let same = wanted.len() == points.len()
            && wanted.iter().zip(&points).all(|((t, want), (u, value))| t == u && matches(want, value));
        if !same {
            let wanted: Vec<String> = wanted.iter().map(|(t, v)| format!("{}@{t}", show_expected(v))).collect();
            return Err(Mismatch::new(
                format!("{} {}", line.labels, wanted.join(" ")),
                format!("{} {}", series.labels, show_points(&points)),
            ));
        }
    }
    match rest.into_values().find(|line| line.values.iter().any(|v| *v != SeriesValue::Omitted)) {
        Some(line) => Err(Mismatch::new(line.labels.to_string(), format!("{} other series", found.len()))),
        None => Ok(()),
    }
}

fn points(series: &SeriesData) -> BTreeMap<TimeMs, Value> {
    let floats = series.floats.iter().map(|p| (p.t, Value::Float(p.v)));
    floats.chain(series.histograms.iter().map(|p| (p.t, Value::Histogram(p.h.clone())))).collect()
}
