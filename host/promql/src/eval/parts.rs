//! Range queries whose points don't all fit into the limit at once.

use std::collections::HashMap;

use watchglass_model::{FloatPoint, HistogramPoint, Labels, SeriesData};

use super::{Evaluator, Failure, Series, Steps, Value, is_present};
use crate::ast::Expr;
use crate::source::SourceError;

impl Evaluator<'_> {
    /// Evaluates a scalar or vector at every step; the series are in no order.
    ///
    /// A selector's points are all there at once, while what is made of them may be little: a month of a rate. Where they are too
    /// many, the first half of the steps and then the second is evaluated, which is the same, as no step knows of another.
    pub(crate) fn matrix(&mut self, expr: &Expr, steps: Steps) -> Result<Vec<SeriesData>, Failure> {
        let notes = self.notes.clone();
        let held = self.held;
        let values = match self.eval(expr, steps) {
            Err(Failure::Source(SourceError::TooManySamples)) if steps.count > 1 => {
                self.notes = notes;
                self.reset(held);
                return self.halves(expr, steps);
            }
            other => other?,
        };
        let series = match values {
            Value::Scalar(values) => vec![self.scalar_series(&values, steps)],
            Value::Vector(series) => self.finish(series)?,
            Value::String(_) => Vec::new(),
        };
        let matrix: Vec<SeriesData> = series.into_iter().map(|s| points(s, steps)).collect();
        self.held = held;
        self.hold(matrix.iter().map(|s| s.floats.len() + s.histograms.len()).sum())?;
        Ok(matrix)
    }

    fn halves(&mut self, expr: &Expr, steps: Steps) -> Result<Vec<SeriesData>, Failure> {
        let first = Steps { count: steps.count / 2, ..steps };
        let second = Steps { start: steps.at(first.count), count: steps.count - first.count, ..steps };
        let mut matrix = self.matrix(expr, first)?;
        let mut known: HashMap<Labels, usize> = matrix.iter().enumerate().map(|(i, s)| (s.labels.clone(), i)).collect();
        for s in self.matrix(expr, second)? {
            match known.get(&s.labels) {
                Some(i) => {
                    matrix[*i].floats.extend(s.floats);
                    matrix[*i].histograms.extend(s.histograms);
                }
                None => {
                    known.insert(s.labels.clone(), matrix.len());
                    matrix.push(s);
                }
            }
        }
        Ok(matrix)
    }

    fn reset(&mut self, held: usize) {
        self.held = held;
        self.depth = 0;
        self.buckets = super::BucketUse::default();
    }
}

fn points(series: Series, steps: Steps) -> SeriesData {
    let present = steps.iter().zip(&series.floats).filter(|(_, v)| is_present(**v));
    let floats = present.map(|(t, v)| FloatPoint { t, v: *v }).collect();
    let histograms =
        steps.iter().zip(series.histograms).filter_map(|(t, h)| h.map(|h| HistogramPoint { t, h })).collect();
    SeriesData { labels: series.labels, floats, histograms, starts: Vec::new() }
}
