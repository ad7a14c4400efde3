//! The test file.

use std::collections::BTreeMap;

use serde::Deserialize;
use watchglass_model::{DurationMs, HistogramLiteral, Labels, TimeMs, Value, parse_go_float};
use watchglass_promql::series::parse_series;
use watchglass_text::gotime::Time;
use watchglass_text::{Spanned, yaml};

use super::check::{Alert, AlertCheck, ExprCheck};

/// A test file, checked. Times are in milliseconds.
pub(super) struct UnitTests {
    pub(super) rule_files: Vec<String>,
    pub(super) evaluation_interval: i64,
    pub(super) group_eval_order: Vec<String>,
    pub(super) fuzzy_compare: bool,
    pub(super) tests: Vec<Test>,
}

/// A test.
pub(super) struct Test {
    pub(super) name: String,
    pub(super) line: usize,
    /// Between two values of a series.
    pub(super) interval: i64,
    /// When it begins.
    pub(super) start: TimeMs,
    pub(super) series: Vec<Series>,
    pub(super) alerts: Vec<AlertCheck>,
    pub(super) exprs: Vec<ExprCheck>,
    pub(super) external_labels: Labels,
    pub(super) external_url: String,
}

impl Test {
    /// The time of the last expectation, from the test's start.
    pub(super) fn last_time(&self) -> i64 {
        self.alerts.iter().map(|c| c.at).chain(self.exprs.iter().map(|c| c.at)).max().unwrap_or(0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileYaml {
    #[serde(default)]
    rule_files: Vec<String>,
    evaluation_interval: Option<Spanned<String>>,
    #[serde(default)]
    group_eval_order: Vec<String>,
    #[serde(default)]
    fuzzy_compare: bool,
    #[serde(default)]
    tests: Vec<Spanned<TestYaml>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestYaml {
    interval: Option<Spanned<String>>,
    start_timestamp: Option<Spanned<String>>,
    #[serde(default)]
    input_series: Vec<Series>,
    #[serde(default)]
    alert_rule_test: Vec<AlertYaml>,
    #[serde(default)]
    promql_expr_test: Vec<ExprYaml>,
    #[serde(default)]
    external_labels: BTreeMap<String, String>,
    #[serde(default)]
    external_url: String,
    #[serde(default)]
    name: String,
}

/// A series as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    pub(super) series: String,
    #[serde(default)]
    pub(super) values: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertYaml {
    #[serde(default)]
    eval_time: Spanned<String>,
    #[serde(default)]
    alertname: Spanned<String>,
    #[serde(default)]
    exp_alerts: Vec<ExpectedYaml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedYaml {
    #[serde(default)]
    exp_labels: BTreeMap<String, String>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExprYaml {
    expr: Spanned<String>,
    #[serde(default)]
    eval_time: Spanned<String>,
    #[serde(default)]
    exp_samples: Vec<SampleYaml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleYaml {
    #[serde(default)]
    labels: Spanned<String>,
    #[serde(default)]
    value: Spanned<String>,
    #[serde(default)]
    histogram: Spanned<String>,
}

/// Reads a test file.
pub(super) fn parse(text: &str, file: &str) -> Result<UnitTests, Vec<String>> {
    let read: FileYaml = yaml::from_str(text, file).map_err(|e| vec![e.to_string()])?;
    let mut reader = Reader { text, file, errors: vec![] };
    let evaluation_interval =
        reader.interval(read.evaluation_interval.as_ref(), "evaluation_interval").unwrap_or(60_000);
    let tests = read.tests.into_iter().map(|test| reader.test(test, evaluation_interval)).collect();
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    Ok(UnitTests {
        rule_files: read.rule_files,
        evaluation_interval,
        group_eval_order: read.group_eval_order,
        fuzzy_compare: read.fuzzy_compare,
        tests,
    })
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    errors: Vec<String>,
}

impl Reader<'_> {
    fn error<T>(&mut self, place: &Spanned<T>, message: impl Into<String>) {
        self.errors.push(place.error(self.file, self.text, message).to_string());
    }

    fn duration(&mut self, text: &Spanned<String>, what: &str) -> i64 {
        match DurationMs::parse(if text.is_empty() { "0" } else { text }) {
            Ok(duration) => duration.millis(),
            Err(e) => {
                self.error(text, format!("{what}: {e}"));
                0
            }
        }
    }

    /// A duration that is not zero; `None` where it is, or isn't there.
    fn interval(&mut self, text: Option<&Spanned<String>>, what: &str) -> Option<i64> {
        Some(self.duration(text?, what)).filter(|ms| *ms > 0)
    }

    fn test(&mut self, test: Spanned<TestYaml>, evaluation_interval: i64) -> Test {
        let line = test.line;
        let test = test.value;
        Test {
            interval: self.interval(test.interval.as_ref(), "interval").unwrap_or(evaluation_interval),
            start: test.start_timestamp.as_ref().map_or(0, |t| self.start(t)),
            alerts: test.alert_rule_test.into_iter().map(|check| self.alert(check)).collect(),
            exprs: test.promql_expr_test.into_iter().map(|check| self.expr(check)).collect(),
            external_labels: Labels::from_pairs(test.external_labels),
            series: test.input_series,
            external_url: test.external_url,
            name: test.name,
            line,
        }
    }

    /// Unix seconds, or a time as RFC 3339 writes it.
    fn start(&mut self, text: &Spanned<String>) -> TimeMs {
        if let Some(seconds) = parse_go_float(text).filter(|s| s.abs() < 1e12) {
            return (seconds * 1000.0).round() as TimeMs;
        }
        match Time::parse("2006-01-02T15:04:05Z07:00", text) {
            Ok(time) => time.unix_ms(),
            Err(e) => {
                self.error(text, format!("start_timestamp: {e}; hint: write Unix seconds or `2026-01-31T12:00:00Z`"));
                0
            }
        }
    }

    fn alert(&mut self, check: AlertYaml) -> AlertCheck {
        if check.alertname.is_empty() {
            self.error(&check.eval_time, "an item under alert_rule_test misses required attribute alertname");
        }
        let name = check.alertname.value.clone();
        let expected = check.exp_alerts.into_iter().map(|a| Alert {
            // Prometheus adds the name; who writes the test need not.
            labels: Labels::from_pairs(a.exp_labels).with("alertname", &name),
            annotations: Labels::from_pairs(a.exp_annotations),
        });
        let expected = expected.collect();
        AlertCheck { at: self.duration(&check.eval_time, "eval_time"), alertname: name, expected }
    }

    fn expr(&mut self, check: ExprYaml) -> ExprCheck {
        let expected = check.exp_samples.into_iter().filter_map(|s| self.sample(s)).collect();
        ExprCheck { at: self.duration(&check.eval_time, "eval_time"), expr: check.expr.value, expected }
    }

    fn sample(&mut self, sample: SampleYaml) -> Option<(Labels, Value)> {
        let labels = match sample.labels.trim() {
            "" => Labels::empty(),
            text => match parse_series(text) {
                Ok(line) if line.values.is_empty() => line.labels,
                Ok(_) => {
                    self.error(&sample.labels, "labels: a series without values is expected");
                    return None;
                }
                Err(e) => {
                    self.error(&sample.labels, format!("labels: {e}"));
                    return None;
                }
            },
        };
        if !sample.histogram.is_empty() {
            return match HistogramLiteral::parse(&sample.histogram) {
                Ok(literal) => Some((labels, Value::Histogram(literal.histogram.into()))),
                Err(e) => {
                    self.error(&sample.histogram, format!("histogram: {e}"));
                    None
                }
            };
        }
        // YAML's own words for what Go calls Inf and NaN, too.
        let text =
            sample.value.replace(".inf", "Inf").replace(".Inf", "Inf").replace(".nan", "NaN").replace(".NaN", "NaN");
        match parse_go_float(if text.is_empty() { "0" } else { &text }) {
            Some(value) => Some((labels, Value::Float(value))),
            None => {
                self.error(&sample.value, format!("value: `{}` is no number", *sample.value));
                None
            }
        }
    }
}
