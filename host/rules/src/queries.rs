//! How rules ask: PromQL over whatever source their host has.

use watchglass_model::{FloatPoint, Labels, Matcher, Sample, SeriesData, TimeMs, Value};
use watchglass_promql::ast::Expr;
use watchglass_promql::{
    Cancel, Options, ParserOptions, QueryValue, Select, Source, parse, query_instant, query_range,
};

/// What evaluation asks its queries of: the daemon's store, a unit test's memory.
#[derive(Clone, Copy)]
pub struct Queries<'a> {
    /// Where the samples are.
    pub source: &'a dyn Source,
    /// How expressions are evaluated.
    pub engine: &'a Options,
    /// What is let through in expressions that come as text: those of templates and of plugins' inputs.
    pub parser: ParserOptions,
    /// Stops what is under way.
    pub cancel: &'a Cancel,
}

/// The steps of a range query, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// First.
    pub start: TimeMs,
    /// Last, itself included if a step falls on it.
    pub end: TimeMs,
    /// Distance; positive.
    pub step: i64,
}

impl Queries<'_> {
    /// Evaluates at a time; a scalar becomes one sample without labels. Errors are texts for people.
    pub fn instant(&self, text: &str, expr: &Expr, at: TimeMs) -> Result<Vec<Sample>, String> {
        let result = query_instant(self.source, text, expr, at, self.engine, self.cancel).map_err(|e| e.to_string())?;
        match result.value {
            QueryValue::Vector(samples) => Ok(samples),
            QueryValue::Scalar(p) => Ok(vec![Sample { labels: Labels::empty(), t: p.t, value: Value::Float(p.v) }]),
            QueryValue::String(..) | QueryValue::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
        }
    }

    /// As [`Queries::instant`], of a text alone: what the template function `query` asks.
    pub fn text(&self, text: &str, at: TimeMs) -> Result<Vec<Sample>, String> {
        let expr = parse(text, self.parser).map_err(|e| e.to_string())?;
        self.instant(text, &expr, at).map_err(|e| match e.as_str() {
            "rule result is not a vector or scalar" => "query result is not a vector or scalar".to_owned(),
            _ => e,
        })
    }

    /// The series that a text gives at a time, or over steps: what a rule plugin looks at. A range selector gives its points as they are.
    pub fn series(&self, text: &str, at: TimeMs, steps: Option<Steps>) -> Result<Vec<SeriesData>, String> {
        let expr = parse(text, self.parser).map_err(|e| e.to_string())?;
        let result = match steps {
            None => query_instant(self.source, text, &expr, at, self.engine, self.cancel),
            Some(Steps { start, end, step }) => {
                query_range(self.source, text, &expr, start, end, step, self.engine, self.cancel)
            }
        };
        match result.map_err(|e| e.to_string())?.value {
            QueryValue::Matrix(series) => Ok(series),
            QueryValue::Scalar(point) => Ok(vec![SeriesData { floats: vec![point], ..SeriesData::default() }]),
            QueryValue::String(..) => Err("it gives a text, not series".to_owned()),
            QueryValue::Vector(samples) => Ok(samples.into_iter().filter_map(floats).collect()),
        }
    }

    /// The last point of each series in a time span, ends included and staleness markers too.
    pub fn last(&self, matchers: &[Matcher], start: TimeMs, end: TimeMs) -> Result<Vec<(Labels, FloatPoint)>, String> {
        let what = Select { matchers, start, end, max_samples: self.engine.max_samples };
        let series = self.source.select(&what, self.cancel).map_err(|e| e.to_string())?;
        Ok(series.into_iter().filter_map(|s| Some((s.labels, *s.floats.last()?))).collect())
    }
}

/// A sample as a series of one point; `None` for a histogram.
fn floats(sample: Sample) -> Option<SeriesData> {
    let Value::Float(v) = sample.value else { return None };
    Some(SeriesData { labels: sample.labels, floats: vec![FloatPoint { t: sample.t, v }], ..SeriesData::default() })
}
