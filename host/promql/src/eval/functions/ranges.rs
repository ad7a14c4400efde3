//! How functions of ranges are called: for each series, for each step, with its window.

use super::super::annotations::Annotations;
use super::super::number::quoted;
use super::super::series::Point;
use super::super::window::{RangeSeries, Ranges, Shape, Window};
use super::super::{Evaluator, Failure, Series, Steps, Value, is_present, scalar_at};
use super::{argument, extended, instant_rate, over_time, rate, starts, trend};
use crate::ast::{Call, Expr, Extension, Span, ValueType};

/// What a function of ranges may look at besides its window.
pub(crate) struct Context<'a> {
    /// Where it notes what is odd.
    pub(crate) notes: &'a mut Annotations,
    /// Where the range stands in the query.
    pub(crate) span: Span,
    /// The name of the series.
    pub(crate) metric: &'a str,
    /// How windows lie.
    pub(crate) shape: Shape,
    /// The scalar arguments at this step.
    pub(crate) params: [f64; 2],
}

/// A function of ranges: a value, or none where the window doesn't give one.
pub(crate) type WindowFunction = fn(&mut Context<'_>, &Window<'_>) -> Option<Point>;

/// Those that ask where a counter was reset.
const RESETTING: &[&str] = &["increase", "rate"];
const ANCHORED: &[&str] = &["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED: &[&str] = &["delta", "increase", "rate"];

impl Evaluator<'_> {
    /// Calls a function of ranges at every step.
    pub(crate) fn range_function(&mut self, call: &Call, steps: Steps) -> Result<Value, Failure> {
        let name = call.function.name;
        let index = call.function.args.iter().position(|t| *t == ValueType::Matrix).unwrap_or(0);
        let arg = argument(call, index)?;
        check_extension(name, arg)?;
        let (mut params, mut spans) = (Vec::new(), Vec::new());
        for (i, other) in call.args.iter().enumerate().filter(|(i, _)| *i != index) {
            params.push(self.scalar(other, steps)?);
            spans.push((i, other.span()));
        }
        let mut ranges = self.ranges(arg, steps)?;
        if RESETTING.contains(&name) {
            ranges.series.iter_mut().for_each(RangeSeries::find_resets);
        }
        if name == "quantile_over_time" || name == "double_exponential_smoothing" {
            self.check_parameters(name, &spans, &params, &ranges, steps)?;
        }
        let function = function(name, ranges.shape.extension, self.options.start_timestamps)
            .ok_or_else(|| Failure::execution(format!("unknown function with name {name:?}")))?;
        let mut out = Vec::with_capacity(ranges.series.len());
        for data in &ranges.series {
            self.check_cancelled()?;
            self.hold(steps.count)?;
            let series = self.over_windows(function, data, &ranges, &params, steps);
            if series.is_empty() {
                continue;
            }
            if name == "rate" || name == "increase" {
                self.check_counter(&series, ranges.span);
            }
            out.push(series);
        }
        if name == "last_over_time" || name == "first_over_time" {
            // The series of a selector or a subquery, each once.
            return Ok(Value::Vector(out));
        }
        self.without_names(out).map(Value::Vector)
    }

    fn over_windows(
        &mut self,
        function: WindowFunction,
        data: &RangeSeries,
        ranges: &Ranges,
        params: &[Vec<f64>],
        steps: Steps,
    ) -> Series {
        let mut series = Series::new(data.labels.clone(), data.drop_name, steps.count);
        let mut context = Context {
            notes: &mut self.notes,
            span: ranges.span,
            metric: data.labels.metric_name(),
            shape: ranges.shape,
            params: [0.0; 2],
        };
        data.each_window(&ranges.shape, steps, |step, window| {
            for (slot, values) in context.params.iter_mut().zip(params) {
                *slot = scalar_at(values, step);
            }
            match function(&mut context, &window) {
                Some(Point::Float(v)) => series.floats[step] = v,
                Some(Point::Histogram(h)) => series.set_histogram(step, h),
                None => {}
            }
        });
        series
    }

    // Says of a series that seems to be no counter that it seems so.
    fn check_counter(&mut self, series: &Series, span: Span) {
        let metric = series.labels.metric_name();
        if metric.is_empty() || !series.floats.iter().any(|v| is_present(*v)) {
            return;
        }
        let kind = series.labels.value("__type__");
        if self.options.type_and_unit_labels && !kind.is_empty() {
            if kind != "counter" && kind != "histogram" {
                let text = "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\"";
                self.notes.info(span, format!("{text}, got {}: {}", quoted(kind), quoted(metric)));
            }
        } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|end| metric.ends_with(end)) {
            let text = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
            self.notes.info(span, format!("{text}: {}", quoted(metric)));
        }
    }

    // As Prometheus, which looks at parameters where there is something to use them on.
    fn check_parameters(
        &mut self,
        name: &str,
        spans: &[(usize, Span)],
        params: &[Vec<f64>],
        ranges: &Ranges,
        steps: Steps,
    ) -> Result<(), Failure> {
        let mut wrong: Option<(usize, f64)> = None;
        for (values, (index, span)) in params.iter().zip(spans) {
            for series in &ranges.series {
                self.check_cancelled()?;
                series.each_window(&ranges.shape, steps, |step, window| {
                    let v = scalar_at(values, step);
                    if name == "quantile_over_time" {
                        if !window.floats.is_empty() && !(0.0..=1.0).contains(&v) {
                            self.notes.invalid_quantile(*span, v);
                        }
                    } else if v <= 0.0 || v >= 1.0 {
                        wrong.get_or_insert((*index, v));
                    }
                });
            }
        }
        match wrong {
            None => Ok(()),
            Some((index, v)) => {
                let (what, short) = if index == 1 { ("smoothing", "sf") } else { ("trend", "tf") };
                let text = format!("invalid {what} factor. Expected: 0 < {short} < 1, got: {v:.6}");
                Err(Failure::execution(text))
            }
        }
    }
}

fn check_extension(name: &str, arg: &Expr) -> Result<(), Failure> {
    let mut bare = arg;
    while let Expr::Paren(paren) = bare {
        bare = &paren.expr;
    }
    let Expr::Matrix(matrix) = bare else { return Ok(()) };
    let (word, allowed) = match matrix.vector.extension {
        Extension::None => return Ok(()),
        Extension::Anchored => ("anchored", ANCHORED),
        Extension::Smoothed => ("smoothed", SMOOTHED),
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    let list = allowed.join(", ");
    Err(Failure::execution(format!("{word} modifier can only be used with: {list} - not with {name}")))
}

fn function(name: &str, extension: Extension, with_starts: bool) -> Option<WindowFunction> {
    let extended = extension != Extension::None;
    Some(match name {
        "rate" if extended => extended::rate,
        "increase" if extended => extended::increase,
        "delta" if extended => extended::delta,
        "changes" if extended => extended::changes,
        "resets" if extended => extended::resets,
        "rate" if with_starts => starts::rate,
        "increase" if with_starts => starts::increase,
        "irate" if with_starts => starts::irate,
        "resets" if with_starts => starts::resets,
        "rate" => rate::rate,
        "increase" => rate::increase,
        "delta" => rate::delta,
        "irate" => instant_rate::irate,
        "idelta" => instant_rate::idelta,
        "changes" => over_time::changes,
        "resets" => over_time::resets,
        "deriv" => trend::deriv,
        "predict_linear" => trend::predict_linear,
        "double_exponential_smoothing" => trend::double_exponential_smoothing,
        "avg_over_time" => over_time::avg,
        "count_over_time" => over_time::count,
        "first_over_time" => over_time::first,
        "last_over_time" => over_time::last,
        "mad_over_time" => over_time::mad,
        "max_over_time" => over_time::max,
        "min_over_time" => over_time::min,
        "present_over_time" => over_time::present,
        "quantile_over_time" => over_time::quantile,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "sum_over_time" => over_time::sum,
        "ts_of_first_over_time" => over_time::ts_of_first,
        "ts_of_last_over_time" => over_time::ts_of_last,
        "ts_of_max_over_time" => over_time::ts_of_max,
        "ts_of_min_over_time" => over_time::ts_of_min,
        _ => return None,
    })
}
