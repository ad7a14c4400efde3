//! Gathers the samples of one collection.

use watchglass_model::{Labels, METRIC_NAME, MetricMetadata, MetricType, Sample, SampleBatch, TimeMs, Value};

use super::excess::Counter;
use super::{MAX_HELP, cut};
use crate::report::Excess;

/// The samples of one collection, up to the limit.
pub(crate) struct Rows {
    pub(super) scheduled_at: TimeMs,
    limit: usize,
    batch: SampleBatch,
    excess: Option<Counter>,
    /// Families so far.
    families: usize,
    scratch: String,
}

/// Families of one collection.
const MAX_FAMILIES: usize = 20_000;

impl Rows {
    /// Gathers for a collection of this time, at most `limit` samples.
    pub(crate) fn new(scheduled_at: TimeMs, limit: usize) -> Rows {
        Rows { scheduled_at, limit, batch: SampleBatch::default(), excess: None, families: 0, scratch: String::new() }
    }

    /// Notes a family. False: there are too many.
    pub(super) fn family(&mut self, name: &str, help: &str, unit: &str, kind: MetricType) -> bool {
        self.families += 1;
        if self.families > MAX_FAMILIES {
            return false;
        }
        self.batch.metadata.push(MetricMetadata {
            name: name.to_owned(),
            kind,
            help: cut(help, MAX_HELP).to_owned(),
            unit: cut(unit, MAX_HELP).to_owned(),
        });
        true
    }

    /// Makes room for this many samples more, as far as the limit goes.
    pub(super) fn expect(&mut self, rows: usize) {
        let room = self.limit.saturating_sub(self.batch.samples.len());
        self.batch.samples.reserve(rows.min(room));
    }

    /// Adds a sample; `pairs` ascending by name, the metric's name among them.
    pub(super) fn push(&mut self, pairs: &[(&str, &str)], t: TimeMs, v: f64) {
        if self.batch.samples.len() < self.limit {
            let labels = Labels::from_sorted(pairs, &mut self.scratch);
            self.batch.samples.push(Sample { labels, t, value: Value::Float(v) });
            return;
        }
        let kept = &self.batch.samples;
        let counter = self.excess.get_or_insert_with(|| {
            let mut counter = Counter::default();
            kept.iter().for_each(|s| counter.see(s.labels.iter().filter(|(n, _)| *n != METRIC_NAME)));
            counter
        });
        counter.drop_one(pairs.iter().copied().filter(|(n, _)| *n != METRIC_NAME));
    }

    /// What was gathered, and what was over the limit.
    pub(crate) fn finish(self) -> (SampleBatch, Option<Excess>) {
        (self.batch, self.excess.map(Counter::finish))
    }
}
