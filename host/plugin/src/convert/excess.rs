//! What was over the series limit, and which label grew.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use watchglass_model::{METRIC_NAME, SampleBatch};

use crate::report::Excess;

/// Dropped samples that are looked at: enough to know the label, and no more work than that for a plugin that floods.
const LOOKED_AT: u64 = 100_000;

/// Counts different values by label. Values count by their hash: a collision in 2^64 changes a number in a message.
#[derive(Default)]
pub(super) struct Counter {
    dropped: u64,
    values: BTreeMap<String, HashSet<u64>>,
}

impl Counter {
    pub(super) fn see<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        for (name, value) in pairs.filter(|(_, v)| !v.is_empty()) {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            match self.values.get_mut(name) {
                Some(set) => drop(set.insert(hasher.finish())),
                None => drop(self.values.insert(name.to_owned(), HashSet::from([hasher.finish()]))),
            }
        }
    }

    pub(super) fn drop_one<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        self.dropped += 1;
        if self.dropped <= LOOKED_AT {
            self.see(pairs);
        }
    }

    pub(super) fn finish(self) -> Excess {
        let widest = self.values.into_iter().max_by_key(|(_, values)| values.len());
        let (label, distinct) = widest.map_or((String::new(), 0), |(n, v)| (n, v.len() as u64));
        Excess { dropped: self.dropped, label, distinct }
    }
}

/// Keeps the first `limit` samples of a batch. For samples that did not come through a collector's own conversion: a parsed exposition.
pub fn limit_series(batch: &mut SampleBatch, limit: usize) -> Option<Excess> {
    if batch.samples.len() <= limit {
        return None;
    }
    let mut counter = Counter::default();
    for (i, sample) in batch.samples.iter().enumerate() {
        let pairs = sample.labels.iter().filter(|(n, _)| *n != METRIC_NAME);
        if i < limit { counter.see(pairs) } else { counter.drop_one(pairs) }
    }
    batch.samples.truncate(limit);
    Some(counter.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_model::{Labels, Sample, Value};

    #[test]
    fn the_label_that_grew_is_named() {
        let sample = |i: u32| Sample {
            labels: Labels::from_pairs([
                ("__name__", "m".to_owned()),
                ("code", (i % 3).to_string()),
                ("user", i.to_string()),
            ]),
            t: 0,
            value: Value::Float(0.0),
        };
        let mut batch = SampleBatch { samples: (0..100).map(sample).collect(), metadata: Vec::new() };
        let excess = limit_series(&mut batch, 60);
        assert_eq!(excess, Some(Excess { dropped: 40, label: "user".into(), distinct: 100 }));
        assert_eq!(batch.samples.len(), 60);
        assert_eq!(limit_series(&mut batch, 60), None);
    }
}
