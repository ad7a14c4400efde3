//! `histogram_*`.

use std::collections::HashMap;

use watchglass_model::{Labels, NanObservations, OpenMetricsFloat, parse_go_float};

use super::super::annotations::with_metric;
use super::super::series::ABSENT;
use super::super::{Evaluator, Failure, Series, Steps, Value, is_present, merge_equal, scalar_at};
use super::argument;
use super::buckets::{self, Bucket};
use crate::ast::{Call, Expr, Span};

// What is estimated, with its arguments for each step.
enum Estimate {
    Quantile(Vec<f64>),
    Fraction(Vec<f64>, Vec<f64>),
}

/// The series of a vector that make up classic histograms.
struct Classic {
    /// Labels without `le`.
    labels: Labels,
    drop_name: bool,
    /// Upper bounds, ascending, with their series.
    bounds: Vec<(f64, usize)>,
}

impl Evaluator<'_> {
    /// `histogram_count`, `_sum`, `_avg`, `_stddev`, `_stdvar` of native histograms.
    pub(crate) fn histogram_statistic(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let mut series = self.vector(argument(call, 0)?, steps)?;
        let name = call.function.name;
        for s in &mut series {
            self.check_cancelled()?;
            s.floats.fill(ABSENT);
            for (slot, h) in s.floats.iter_mut().zip(&s.histograms) {
                if let Some(h) = h {
                    *slot = match name {
                        "histogram_count" => h.count,
                        "histogram_sum" => h.sum,
                        "histogram_avg" => h.avg(),
                        "histogram_stddev" => h.std_dev(),
                        _ => h.variance(),
                    };
                }
            }
            s.histograms = Vec::new();
        }
        series.retain(|s| !s.is_empty());
        self.without_names(series).map(Value::Vector)
    }

    /// `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, on native and on classic histograms.
    pub(crate) fn histogram_estimate(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let name = call.function.name;
        let index = match name {
            "histogram_quantile" => 1,
            "histogram_fraction" => 2,
            _ => 0,
        };
        let arg = argument(call, index)?;
        let mut estimates: Vec<(Estimate, Option<String>)> = Vec::new();
        let mut label = String::new();
        match name {
            "histogram_fraction" => {
                let lower = self.scalar(argument(call, 0)?, steps)?;
                let upper = self.scalar(argument(call, 1)?, steps)?;
                estimates.push((Estimate::Fraction(lower, upper), None));
            }
            "histogram_quantile" => estimates.push((self.quantile_argument(argument(call, 0)?, steps)?, None)),
            _ => {
                label = self.string(argument(call, 1)?, steps)?;
                self.check_label_name(&label)?;
                for expr in call.args.iter().skip(2) {
                    let estimate = self.quantile_argument(expr, steps)?;
                    let value = match &estimate {
                        Estimate::Quantile(values) => values.first().map(|q| OpenMetricsFloat(*q).to_string()),
                        Estimate::Fraction(..) => None,
                    };
                    estimates.push((estimate, value));
                }
            }
        }
        let input = self.vector(arg, steps)?;
        let (classic, native, conflicts) = self.split(&input, steps, arg.span());
        let mut out = Vec::new();
        for (estimate, value) in &estimates {
            for i in &native {
                self.check_cancelled()?;
                out.push(self.of_native(&input[*i], &conflicts, estimate, steps, arg.span()));
            }
            for group in &classic {
                self.check_cancelled()?;
                out.push(self.of_classic(group, &input, &conflicts, estimate, steps, arg.span()));
            }
            if let Some(value) = value {
                let added = out.len() - native.len() - classic.len();
                out[added..].iter_mut().for_each(|s| s.labels = s.labels.with(&label, value));
            }
        }
        out.retain(|s| !s.is_empty());
        self.drop_names(&mut out);
        merge_equal(out).map(Value::Vector)
    }

    fn quantile_argument(&mut self, expr: &Expr, steps: Steps) -> Result<Estimate, Failure> {
        let values = self.scalar(expr, steps)?;
        for q in values.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            self.notes.invalid_quantile(expr.span(), *q);
        }
        Ok(Estimate::Quantile(values))
    }

    /// Finds classic histograms, series with native ones, and the steps at which a histogram is both.
    fn split(
        &mut self,
        input: &[Series],
        steps: Steps,
        span: Span,
    ) -> (Vec<Classic>, Vec<usize>, HashMap<Labels, Vec<bool>>) {
        let mut classic: Vec<Classic> = Vec::new();
        let mut by_labels: HashMap<Labels, usize> = HashMap::new();
        let mut native = Vec::new();
        for (i, s) in input.iter().enumerate() {
            if !s.histograms.is_empty() {
                native.push(i);
            }
            if !s.floats.iter().any(|v| is_present(*v)) {
                continue;
            }
            let le = s.labels.value("le");
            let Some(bound) = parse_go_float(le) else {
                let text = format!(
                    "bucket label \"le\" is missing or has a malformed value of {}",
                    super::super::number::quoted(le)
                );
                self.notes.warn(span, with_metric(&text, s.labels.metric_name()));
                continue;
            };
            let labels = s.labels.filtered(|name, _| name != "le");
            let group = *by_labels.entry(labels.clone()).or_insert_with(|| {
                classic.push(Classic { labels, drop_name: s.drop_name, bounds: Vec::new() });
                classic.len() - 1
            });
            classic[group].bounds.push((bound, i));
        }
        classic.iter_mut().for_each(|c| c.bounds.sort_by(|a, b| a.0.total_cmp(&b.0)));
        let mut conflicts = HashMap::new();
        for i in &native {
            let Some(group) = by_labels.get(&input[*i].labels) else { continue };
            let both = |step: usize| {
                input[*i].histogram(step).is_some()
                    && classic[*group].bounds.iter().any(|(_, b)| is_present(input[*b].floats[step]))
            };
            let at: Vec<bool> = (0..steps.count).map(both).collect();
            if at.contains(&true) {
                let text = "vector contains a mix of classic and native histograms";
                self.notes.warn(span, with_metric(text, input[*i].labels.metric_name()));
                conflicts.insert(input[*i].labels.clone(), at);
            }
        }
        (classic, native, conflicts)
    }

    fn of_native(
        &mut self,
        input: &Series,
        conflicts: &HashMap<Labels, Vec<bool>>,
        estimate: &Estimate,
        steps: Steps,
        span: Span,
    ) -> Series {
        let mut series = Series::new(input.labels.clone(), input.drop_name, steps.count);
        let conflict = conflicts.get(&input.labels);
        for step in 0..steps.count {
            let Some(h) = input.histogram(step) else { continue };
            if conflict.is_some_and(|at| at[step]) {
                continue;
            }
            let metric = input.labels.metric_name();
            series.floats[step] = match estimate {
                Estimate::Quantile(q) => {
                    let found = h.quantile(scalar_at(q, step));
                    let text = match found.nan {
                        NanObservations::None => None,
                        NanObservations::ResultIsNan => {
                            Some("input to histogram_quantile has NaN observations, result is NaN")
                        }
                        NanObservations::Skewed => {
                            Some("input to histogram_quantile has NaN observations, result is skewed higher")
                        }
                    };
                    if let Some(text) = text {
                        self.notes.info(span, with_metric(text, metric));
                    }
                    found.value
                }
                Estimate::Fraction(lower, upper) => {
                    if h.sum.is_nan() && h.count > 0.0 {
                        let text =
                            "input to histogram_fraction has NaN observations, which are excluded from all fractions";
                        self.notes.info(span, with_metric(text, metric));
                    }
                    h.fraction(scalar_at(lower, step), scalar_at(upper, step))
                }
            };
        }
        series
    }

    fn of_classic(
        &mut self,
        group: &Classic,
        input: &[Series],
        conflicts: &HashMap<Labels, Vec<bool>>,
        estimate: &Estimate,
        steps: Steps,
        span: Span,
    ) -> Series {
        let mut series = Series::new(group.labels.clone(), group.drop_name, steps.count);
        let conflict = conflicts.get(&group.labels);
        let mut found: Vec<Bucket> = Vec::with_capacity(group.bounds.len());
        for step in 0..steps.count {
            if conflict.is_some_and(|at| at[step]) {
                continue;
            }
            found.clear();
            let counts = group.bounds.iter().map(|(upper, i)| Bucket { upper: *upper, count: input[*i].floats[step] });
            found.extend(counts.filter(|b| is_present(b.count)));
            if found.is_empty() {
                continue;
            }
            series.floats[step] = match estimate {
                Estimate::Quantile(q) => {
                    let (value, forced) = buckets::quantile(scalar_at(q, step), &mut found);
                    if let Some(forced) = forced {
                        self.notes.forced_monotonicity(span, group.labels.metric_name(), steps.at(step), forced);
                    }
                    value
                }
                Estimate::Fraction(lower, upper) => {
                    buckets::fraction(scalar_at(lower, step), scalar_at(upper, step), &mut found)
                }
            };
        }
        series
    }
}
