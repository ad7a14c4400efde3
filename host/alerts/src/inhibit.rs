//! Inhibition: which alerts keep which others quiet.

use std::collections::{BTreeMap, BTreeSet};

use watchglass_model::{Labels, TimeMs};

use crate::InhibitRule;
use crate::route::matches_all;
use crate::store::Store;

/// The rules, each with the alerts that are its sources by the values of its `equal` labels, so that asking is a look-up.
pub(crate) struct Inhibitor {
    rules: Vec<Indexed>,
}

struct Indexed {
    rule: InhibitRule,
    sources: BTreeMap<Vec<String>, BTreeSet<u64>>,
}

/// What keeps an alert quiet.
pub(crate) struct Inhibited {
    /// Fingerprint of the source.
    pub(crate) by: u64,
    /// The rule's name, else its number from 1.
    pub(crate) rule: String,
}

impl Indexed {
    /// Values of the `equal` labels; a missing label is an empty one.
    fn values(&self, labels: &Labels) -> Vec<String> {
        self.rule.equal.iter().map(|name| labels.value(name).to_owned()).collect()
    }
}

impl Inhibitor {
    pub(crate) fn new(rules: &[InhibitRule]) -> Inhibitor {
        let indexed = |rule: &InhibitRule| Indexed { rule: rule.clone(), sources: BTreeMap::new() };
        Inhibitor { rules: rules.iter().map(indexed).collect() }
    }

    /// Takes an alert in, whether it fires or not: what is resolved is looked at when asked.
    pub(crate) fn add(&mut self, fingerprint: u64, labels: &Labels) {
        for indexed in &mut self.rules {
            if matches_all(&indexed.rule.source_matchers, labels) {
                let values = indexed.values(labels);
                indexed.sources.entry(values).or_default().insert(fingerprint);
            }
        }
    }

    pub(crate) fn remove(&mut self, fingerprint: u64, labels: &Labels) {
        for indexed in &mut self.rules {
            let values = indexed.values(labels);
            if let Some(sources) = indexed.sources.get_mut(&values) {
                sources.remove(&fingerprint);
                if sources.is_empty() {
                    indexed.sources.remove(&values);
                }
            }
        }
    }

    /// Which firing alert keeps one with these labels quiet, by the first rule that applies.
    pub(crate) fn inhibits(&self, labels: &Labels, store: &Store, now: TimeMs) -> Option<Inhibited> {
        self.rules.iter().enumerate().find_map(|(at, indexed)| {
            if !matches_all(&indexed.rule.target_matchers, labels) {
                return None;
            }
            let sources = indexed.sources.get(&indexed.values(labels))?;
            // An alert on both sides of a rule is not inhibited by another on both sides: else two of them would keep each
            // other quiet, and one would keep itself quiet.
            let on_both_sides = matches_all(&indexed.rule.source_matchers, labels);
            let applies = |fingerprint: &&u64| {
                store.get(**fingerprint).is_some_and(|source| {
                    let target_too = on_both_sides && matches_all(&indexed.rule.target_matchers, &source.alert.labels);
                    !source.alert.resolved_at(now) && !target_too
                })
            };
            let by = *sources.iter().find(applies)?;
            Some(Inhibited { by, rule: indexed.rule.name.clone().unwrap_or_else(|| (at + 1).to_string()) })
        })
    }
}
