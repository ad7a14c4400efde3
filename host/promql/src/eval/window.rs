//! Range selectors: windows of points, as slices of what the source gave.

use watchglass_model::{FloatPoint, HistogramPoint, Labels, SeriesData, TimeMs, is_stale_nan};

use super::selector::Reference;
use super::{Evaluator, Failure, Steps};
use crate::ast::{Expr, Extension, MatrixSelector, Span};

/// Series whose points windows are cut out of.
pub(crate) struct Ranges {
    /// The series.
    pub(crate) series: Vec<RangeSeries>,
    /// Which windows.
    pub(crate) shape: Shape,
    /// Where the argument stands.
    pub(crate) span: Span,
}

/// How windows lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Which time each ends at.
    pub(crate) reference: Reference,
    /// How long each is, in milliseconds.
    pub(crate) range: i64,
    /// `anchored`, `smoothed`.
    pub(crate) extension: Extension,
    /// How far beyond its ends an extended window looks.
    pub(crate) lookback: i64,
}

/// A series, without staleness markers.
#[derive(Debug, Default)]
pub(crate) struct RangeSeries {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
    pub(crate) floats: Vec<FloatPoint>,
    pub(crate) histograms: Vec<HistogramPoint>,
    /// Start timestamps of the floats, 0 where unknown; empty where none is known or they don't matter.
    pub(crate) float_starts: Vec<TimeMs>,
    /// Those of the histograms.
    pub(crate) histogram_starts: Vec<TimeMs>,
    /// Which floats are less than the one before; only where [`RangeSeries::find_resets`] was called.
    pub(crate) float_resets: Vec<usize>,
    /// Before which histograms a reset lies.
    pub(crate) histogram_resets: Vec<usize>,
}

/// The points of a series in the range that belongs to one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub(crate) floats: &'a [FloatPoint],
    pub(crate) histograms: &'a [HistogramPoint],
    pub(crate) float_starts: &'a [TimeMs],
    pub(crate) histogram_starts: &'a [TimeMs],
    /// Where resets lie in it.
    pub(crate) resets: Resets<'a>,
    /// Its beginning, itself not included.
    pub(crate) start: TimeMs,
    /// Its end.
    pub(crate) end: TimeMs,
    /// The time of the step.
    pub(crate) at: TimeMs,
}

/// The resets between the points of a window: found once for a series, as windows overlap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resets<'a> {
    floats: (usize, &'a [usize]),
    histograms: (usize, &'a [usize]),
}

impl<'a> Resets<'a> {
    /// The indices, in the window, of the floats behind a reset.
    pub(crate) fn floats(&self) -> impl Iterator<Item = usize> + use<'a> {
        let (first, resets) = self.floats;
        resets.iter().map(move |i| i - first)
    }

    /// The indices, in the window, of the histograms behind a reset.
    pub(crate) fn histograms(&self) -> impl Iterator<Item = usize> + use<'a> {
        let (first, resets) = self.histograms;
        resets.iter().map(move |i| i - first)
    }
}

impl Evaluator<'_> {
    /// Evaluates the argument of a function of ranges.
    pub(crate) fn ranges(&mut self, expr: &Expr, steps: Steps) -> Result<Ranges, Failure> {
        match expr {
            Expr::Matrix(matrix) => self.selector_ranges(matrix, steps),
            Expr::Subquery(subquery) => self.subquery_ranges(subquery, steps),
            Expr::Paren(paren) => self.ranges(&paren.expr, steps).map(|ranges| Ranges { span: expr.span(), ..ranges }),
            _ => Err(Failure::execution("expected a range vector")),
        }
    }

    fn selector_ranges(&mut self, matrix: &MatrixSelector, steps: Steps) -> Result<Ranges, Failure> {
        let shape = Shape {
            reference: self.reference(&matrix.vector)?,
            range: self.positive(&matrix.range)?,
            extension: matrix.vector.extension,
            lookback: self.options.lookback_ms,
        };
        let (before, after) = shape.reach();
        let start = shape.reference.of(steps.start).saturating_sub(before).saturating_add(1);
        let end = shape.reference.of(steps.last()).saturating_add(after);
        let loaded = self.load(&matrix.vector, start, end)?;
        let with_starts = self.options.start_timestamps;
        let series: Vec<RangeSeries> = loaded.into_iter().map(|data| RangeSeries::new(data, with_starts)).collect();
        Ok(Ranges { series, shape, span: matrix.span })
    }
}

impl Shape {
    /// How far before and after its reference time a window looks.
    fn reach(&self) -> (i64, i64) {
        match self.extension {
            Extension::None => (self.range, 0),
            Extension::Anchored => (self.range.saturating_add(self.lookback), 0),
            Extension::Smoothed => (self.range.saturating_add(self.lookback), self.lookback),
        }
    }
}

impl RangeSeries {
    fn new(mut data: SeriesData, with_starts: bool) -> RangeSeries {
        if data.floats.iter().any(|p| is_stale_nan(p.v)) {
            data.floats.retain(|p| !is_stale_nan(p.v));
        }
        if data.histograms.iter().any(|p| p.h.is_stale()) {
            data.histograms.retain(|p| !p.h.is_stale());
        }
        let (mut float_starts, mut histogram_starts) = (Vec::new(), Vec::new());
        if with_starts && !data.starts.is_empty() {
            float_starts = aligned_starts(&data.starts, data.floats.iter().map(|p| p.t));
            histogram_starts = aligned_starts(&data.starts, data.histograms.iter().map(|p| p.t));
        }
        RangeSeries {
            labels: data.labels,
            drop_name: false,
            floats: data.floats,
            histograms: data.histograms,
            float_starts,
            histogram_starts,
            float_resets: Vec::new(),
            histogram_resets: Vec::new(),
        }
    }

    /// Finds where a counter was reset, for the windows of functions that ask.
    pub(crate) fn find_resets(&mut self) {
        let falls = self.floats.windows(2).enumerate().filter(|(_, pair)| pair[1].v < pair[0].v);
        self.float_resets = falls.map(|(i, _)| i + 1).collect();
        let restarts = self.histograms.windows(2).enumerate().filter(|(_, pair)| pair[1].h.detect_reset(&pair[0].h));
        self.histogram_resets = restarts.map(|(i, _)| i + 1).collect();
    }

    /// Calls with each step and its window, empty ones left out.
    #[inline]
    pub(crate) fn each_window<'d>(&'d self, shape: &Shape, steps: Steps, mut f: impl FnMut(usize, Window<'d>)) {
        let (before, after) = shape.reach();
        // First and one past the last of a window's points; steps ascend, and so do these.
        let (mut float, mut histogram) = ((0, 0), (0, 0));
        for (step, at) in steps.iter().enumerate() {
            let end = shape.reference.of(at);
            let (from, to) = (end.saturating_sub(before), end.saturating_add(after));
            advance(&self.floats, &mut float, from, to, |p| p.t);
            advance(&self.histograms, &mut histogram, from, to, |p| p.t);
            let floats = self.floats.get(float.0..float.1).unwrap_or(&[]);
            let histograms = self.histograms.get(histogram.0..histogram.1).unwrap_or(&[]);
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            let window = Window {
                floats,
                histograms,
                float_starts: self.float_starts.get(float.0..float.1).unwrap_or(&[]),
                histogram_starts: self.histogram_starts.get(histogram.0..histogram.1).unwrap_or(&[]),
                resets: Resets {
                    floats: (float.0, inside(&self.float_resets, float)),
                    histograms: (histogram.0, inside(&self.histogram_resets, histogram)),
                },
                start: end.saturating_sub(shape.range),
                end,
                at,
            };
            f(step, window);
        }
    }
}

// Those behind the first and before the end; what lies before the first one is none of the window's.
#[inline]
fn inside(resets: &[usize], (first, end): (usize, usize)) -> &[usize] {
    if resets.is_empty() {
        return &[];
    }
    let from = resets.partition_point(|i| *i <= first);
    let to = resets.partition_point(|i| *i < end);
    resets.get(from..to).unwrap_or(&[])
}

#[inline]
fn advance<T>(points: &[T], (first, end): &mut (usize, usize), from: TimeMs, to: TimeMs, time: impl Fn(&T) -> TimeMs) {
    while *end < points.len() && time(&points[*end]) <= to {
        *end += 1;
    }
    while *first < *end && time(&points[*first]) <= from {
        *first += 1;
    }
}

// Both ascend.
fn aligned_starts(starts: &[(TimeMs, TimeMs)], times: impl Iterator<Item = TimeMs>) -> Vec<TimeMs> {
    let mut rest = starts.iter().peekable();
    times
        .map(|t| {
            while rest.next_if(|(at, _)| *at < t).is_some() {}
            rest.peek().filter(|(at, _)| *at == t).map_or(0, |(_, start)| *start)
        })
        .collect()
}
