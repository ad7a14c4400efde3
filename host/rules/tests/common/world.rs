//! Samples in memory and groups that have turns over them, under a clock of the test's own.
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::time::Duration;

use watchglass_model::{Labels, Sample, SampleBatch, SeriesData, TimeMs, Value, is_stale_nan};
use watchglass_promql::script::Memory;
use watchglass_promql::{Cancel, Options, ParserOptions, Select, Source, SourceError};
use watchglass_rules::{Env, Group, Iteration, Queries, Rule, Timing, parse_rule_file};

/// Where all tests begin, so that no time is zero.
pub(crate) const START: TimeMs = 1_700_000_000_000;
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;

#[derive(Default)]
pub(crate) struct World {
    pub(crate) memory: RefCell<Memory>,
    /// What the last turn wrote, in order.
    pub(crate) written: RefCell<Vec<Sample>>,
}

impl World {
    pub(crate) fn set(&self, series: &str, minute: i64, value: f64) {
        self.set_at(series, START + minute * MINUTE, value);
    }

    pub(crate) fn set_at(&self, series: &str, t: TimeMs, value: f64) {
        let labels = watchglass_promql::series::parse_series(series).expect(series).labels;
        self.memory.borrow_mut().append(&labels, t, Value::Float(value));
    }

    fn append(&self, batch: SampleBatch) {
        for sample in batch.samples {
            self.memory.borrow_mut().append(&sample.labels, sample.t, sample.value.clone());
            self.written.borrow_mut().push(sample);
        }
    }

    /// Does something with what evaluation needs.
    pub(crate) fn with_env<T>(&self, work: impl FnOnce(&Env<'_>) -> T) -> T {
        let (engine, cancel) = (Options::default(), Cancel::default());
        let queries = Queries { source: self, engine: &engine, parser: ParserOptions::all(), cancel: &cancel };
        let external_labels = Labels::from_pairs([("env", "test")]);
        work(&Env { queries, external_labels: &external_labels, external_url: "http://w/" })
    }

    pub(crate) fn turn_at(&self, group: &mut Group, now: TimeMs) -> Iteration {
        self.written.borrow_mut().clear();
        self.with_env(|env| group.evaluate(now, env, &mut |batch| self.append(batch), &|| Duration::ZERO))
    }

    /// A turn as a host with threads has it: all rules of a batch look, the last first, before any of them has a consequence.
    pub(crate) fn turn_in_batches(&self, group: &mut Group, now: TimeMs) -> Iteration {
        self.written.borrow_mut().clear();
        self.with_env(|env| {
            let mut turn = group.begin(now);
            for batch in group.batches().to_vec() {
                let mut looked: Vec<_> =
                    batch.iter().rev().map(|rule| group.look(&turn, *rule, env, &|| Duration::ZERO)).collect();
                for rule in batch {
                    let looked = looked.pop().expect("one a rule");
                    group.settle(&mut turn, rule, looked, env, &mut |batch| self.append(batch));
                }
            }
            group.finish(turn, env, &mut |batch| self.append(batch), Duration::ZERO)
        })
    }

    pub(crate) fn turn(&self, group: &mut Group, minute: i64) -> Iteration {
        self.turn_at(group, START + minute * MINUTE)
    }

    /// What the last turn wrote, as text, sorted; times in minutes.
    pub(crate) fn written(&self) -> Vec<String> {
        let mut lines = self.written_in_order();
        lines.sort();
        lines
    }

    pub(crate) fn written_in_order(&self) -> Vec<String> {
        let show = |s: &Sample| {
            let value = match s.value {
                Value::Float(v) if is_stale_nan(v) => "stale".to_owned(),
                Value::Float(v) => v.to_string(),
                Value::Histogram(_) => "histogram".to_owned(),
            };
            format!("{} {value} at {}", s.labels, (s.t - START) / MINUTE)
        };
        self.written.borrow().iter().map(show).collect()
    }
}

impl Source for World {
    fn select(&self, what: &Select<'_>, cancel: &Cancel) -> Result<Vec<SeriesData>, SourceError> {
        self.memory.borrow().select(what, cancel)
    }
}

/// The first group of a rule file, a minute where it names no interval.
pub(crate) fn group(rules: &str) -> Group {
    groups(rules, Timing::default()).remove(0)
}

/// All groups of a rule file.
pub(crate) fn groups(rules: &str, timing: Timing) -> Vec<Group> {
    let file = parse_rule_file(rules, "f.yml", ParserOptions::all()).unwrap_or_else(|e| panic!("{e:?}"));
    file.groups.into_iter().map(|g| Group::new(g, MINUTE, 0, timing)).collect()
}

/// The pending and firing alerts of a group.
pub(crate) fn alerts(group: &Group) -> Vec<String> {
    let mut lines = vec![];
    for (rule, _) in group.rules() {
        if let Rule::Alerting(rule) = rule {
            lines.extend(rule.alerts().map(|a| format!("{} {}", a.labels, a.state.as_str())));
        }
    }
    lines
}
