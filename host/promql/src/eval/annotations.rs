//! Warnings and infos: what the user should know of a result.

use std::collections::HashMap;

use watchglass_model::{AddNotes, GoFloat, TimeMs};

use super::number::quoted;
use crate::ast::Span;
use crate::position;

/// How much had to be bent to make classic buckets ascend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonicity {
    /// Upper bound of the lowest bucket that was raised.
    pub(crate) min_bucket: f64,
    /// Upper bound of the highest.
    pub(crate) max_bucket: f64,
    /// The largest raise.
    pub(crate) max_diff: f64,
}

/// What was noted, each text once, in the order of appearance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotations {
    notes: Vec<Note>,
    by_text: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Note {
    warning: bool,
    text: String,
    span: Span,
    forced: Option<Forced>,
}

#[derive(Clone, Debug)]
struct Forced {
    what: Monotonicity,
    first: TimeMs,
    last: TimeMs,
    samples: u64,
}

impl Annotations {
    /// Notes a warning about what stands at a place.
    pub(crate) fn warn(&mut self, span: Span, text: String) {
        self.note(true, span, text);
    }

    /// Notes an info about what stands at a place.
    pub(crate) fn info(&mut self, span: Span, text: String) {
        self.note(false, span, text);
    }

    fn note(&mut self, warning: bool, span: Span, text: String) -> &mut Note {
        let next = self.notes.len();
        let index = match self.by_text.get(&text) {
            Some(i) => *i,
            None => {
                self.by_text.insert(text.clone(), next);
                self.notes.push(Note { warning, text, span, forced: None });
                next
            }
        };
        // Of several places Prometheus shows the last.
        self.notes[index].span = span;
        &mut self.notes[index]
    }

    /// Notes that classic buckets did not ascend; repetitions make one note with the extremes of all.
    pub(crate) fn forced_monotonicity(&mut self, span: Span, metric: &str, at: TimeMs, what: Monotonicity) {
        let text = with_metric(
            "input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
            metric,
        );
        let note = self.note(false, span, text);
        match &mut note.forced {
            None => note.forced = Some(Forced { what, first: at, last: at, samples: 1 }),
            Some(forced) => {
                forced.what.min_bucket = forced.what.min_bucket.min(what.min_bucket);
                forced.what.max_bucket = forced.what.max_bucket.max(what.max_bucket);
                forced.what.max_diff = forced.what.max_diff.max(what.max_diff);
                forced.first = forced.first.min(at);
                forced.last = forced.last.max(at);
                forced.samples += 1;
            }
        }
    }

    /// Some histograms of an aggregation say that a reset lies before them, others that none does.
    pub(crate) fn reset_collision(&mut self, span: Span) {
        self.warn(span, "conflicting counter resets during histogram aggregation".to_owned());
    }

    /// Notes what happened while two histograms were combined.
    pub(crate) fn combined(&mut self, span: Span, notes: AddNotes, operation: &str) {
        if notes.counter_reset_collision {
            self.warn(span, format!("conflicting counter resets during histogram {operation}"));
        }
        if notes.bounds_reconciled {
            self.info(span, format!("mismatched custom buckets were reconciled during {operation}"));
        }
    }

    /// A range or vector holds both kinds of samples.
    pub(crate) fn mixed_floats_histograms(&mut self, span: Span, metric: &str) {
        self.warn(span, format!("encountered a mix of histograms and floats for metric name {}", quoted(metric)));
    }

    /// Exponential and custom buckets meet.
    pub(crate) fn mixed_schemas(&mut self, span: Span, metric: &str) {
        self.warn(
            span,
            format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                quoted(metric)
            ),
        );
    }

    /// A gauge histogram where a counter is needed.
    pub(crate) fn not_a_counter(&mut self, span: Span, metric: &str) {
        self.warn(span, format!("this native histogram metric is not a counter: {}", quoted(metric)));
    }

    /// A counter histogram where a gauge is needed.
    pub(crate) fn not_a_gauge(&mut self, span: Span, metric: &str) {
        self.warn(span, format!("this native histogram metric is not a gauge: {}", quoted(metric)));
    }

    /// Histograms were left out because floats lie beside them.
    pub(crate) fn ignored_in_mixed_range(&mut self, span: Span, metric: &str) {
        self.info(
            span,
            format!(
                "ignored histograms in a range containing both floats and histograms for metric name {}",
                quoted(metric)
            ),
        );
    }

    /// A quantile that is none.
    pub(crate) fn invalid_quantile(&mut self, span: Span, q: f64) {
        self.warn(span, format!("quantile value should be between 0 and 1, got {}", GoFloat(q)));
    }

    /// All texts as the API shows them: `(warnings, infos)`.
    pub(crate) fn render(self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for note in self.notes {
            let (line, column) = position(query, note.span.start);
            let kind = if note.warning { "warning" } else { "info" };
            let detail = note.forced.map(|f| f.to_string()).unwrap_or_default();
            let text = format!("PromQL {kind}: {}{detail} ({line}:{column})", note.text);
            if note.warning { warnings.push(text) } else { infos.push(text) }
        }
        (warnings, infos)
    }
}

/// A text with ` for metric name "..."` behind it where the name is known.
pub(crate) fn with_metric(text: &str, metric: &str) -> String {
    if metric.is_empty() { text.to_owned() } else { format!("{text} for metric name {}", quoted(metric)) }
}

impl std::fmt::Display for Forced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            GoFloat(self.what.min_bucket),
            GoFloat(self.what.max_bucket),
            super::number::two_digits(self.what.max_diff),
            self.samples,
            super::civil::rfc3339(self.first),
            super::civil::rfc3339(self.last),
        )
    }
}
