//! Groups: rules that are evaluated one after the other, at the same time again and again.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use watchglass_model::{Alert, Labels, Sample, SampleBatch, TimeMs, Value, stale_nan};

use crate::alerting::AlertingRule;
use crate::dependencies::{Inputs, batches};
use crate::external::ExternalRule;
use crate::restore::restore;
use crate::rule::{Env, GroupSpec, Health, Instance, Rule, RuleSpec};
use crate::{ALERTS, ALERTS_FOR_STATE, EvalError};

/// How a rule's last evaluation went.
#[derive(Clone, Debug, Default)]
pub struct RuleStatus {
    /// Whether it worked.
    pub health: Health,
    /// Why it did not; empty where it did.
    pub last_error: String,
    /// When it was.
    pub last_evaluation: TimeMs,
    /// How long it took.
    pub duration: Duration,
}

/// How a group's turns went.
#[derive(Clone, Debug, Default)]
pub struct GroupStatus {
    /// When the last one was.
    pub last_evaluation: TimeMs,
    /// How long it took.
    pub duration: Duration,
    /// Samples that it gave.
    pub samples: usize,
    /// Turns that were left out since the group began, because those before them took too long.
    pub missed: u64,
}

/// What a turn of a group gave.
#[derive(Clone, Debug, Default)]
pub struct Iteration {
    /// Alerts to be sent.
    pub alerts: Vec<Alert>,
    /// Rules that failed.
    pub failures: usize,
}

/// When alerts are sent again, and how they go on after a restart; ms. The defaults are Prometheus'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Firing alerts are sent again after this (`--rules.alert.resend-delay`).
    pub resend_delay_ms: i64,
    /// How long before a restart an alert may have been seen last for its `for` to go on (`--rules.alert.for-outage-tolerance`).
    pub outage_tolerance_ms: i64,
    /// The least time between a restart and the firing of an alert that was pending before it (`--rules.alert.for-grace-period`).
    pub grace_ms: i64,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { resend_delay_ms: 60_000, outage_tolerance_ms: 60 * 60_000, grace_ms: 10 * 60_000 }
    }
}

/// A turn of a group that is under way.
#[derive(Debug)]
pub struct Turn {
    now: TimeMs,
    /// The time of what is read and written: `now` less the query offset.
    at: TimeMs,
    samples: usize,
    out: Iteration,
}

/// What a rule's expression gave, before anything follows from it.
#[derive(Debug)]
pub struct Looked {
    found: Result<Found, EvalError>,
    took: Duration,
}

/// What a rule found.
#[derive(Debug)]
enum Found {
    /// What a recording rule records.
    Samples(Vec<Sample>),
    /// What an alerting rule says is so.
    Instances(Vec<Instance>),
}

struct Entry {
    rule: Rule,
    status: RuleStatus,
    /// The series of its last turn: what is missing in this one gets a staleness marker.
    series: HashSet<Labels>,
}

impl Entry {
    fn new(rule: Rule) -> Entry {
        Entry { rule, status: RuleStatus::default(), series: HashSet::new() }
    }
}

/// A group at work.
pub struct Group {
    spec: GroupSpec,
    interval_ms: i64,
    query_offset_ms: i64,
    timing: Timing,
    entries: Vec<Entry>,
    /// Numbers of rules that may be evaluated at the same time.
    batches: Vec<Vec<usize>>,
    /// Series of rules that a reload took away, to be marked stale at the next turn.
    orphans: HashSet<Labels>,
    /// When the first turn was.
    first_turn: Option<TimeMs>,
    status: GroupStatus,
}

impl Group {
    /// Puts a group to work. `interval_ms` and `query_offset_ms` stand where the group names none.
    pub fn new(spec: GroupSpec, interval_ms: i64, query_offset_ms: i64, timing: Timing) -> Group {
        let entry = |spec: &RuleSpec| Entry::new(Rule::new(spec.clone()));
        Group::with(spec.rules.iter().map(entry).collect(), spec, interval_ms, query_offset_ms, timing)
    }

    /// A group of one rule that is evaluated elsewhere: a rule plugin's. Its name and file are the plugin's, as its users know them.
    pub fn external(rule: Box<dyn ExternalRule>, file: &str, interval_ms: i64, timing: Timing) -> Group {
        let spec = GroupSpec {
            name: rule.name().to_owned(),
            file: file.to_owned(),
            interval: Some(interval_ms),
            query_offset: None,
            limit: 0,
            labels: Labels::empty(),
            rules: vec![],
        };
        let rule = Rule::Alerting(AlertingRule::external(rule));
        Group::with(vec![Entry::new(rule)], spec, interval_ms, 0, timing)
    }

    fn with(entries: Vec<Entry>, spec: GroupSpec, interval_ms: i64, query_offset_ms: i64, timing: Timing) -> Group {
        let rules: Vec<(&RuleSpec, bool)> = entries.iter().map(|e| (e.rule.spec(), e.rule.is_external())).collect();
        Group {
            interval_ms: spec.interval.unwrap_or(interval_ms).max(1),
            query_offset_ms: spec.query_offset.unwrap_or(query_offset_ms),
            timing,
            batches: batches(&rules),
            entries,
            spec,
            orphans: HashSet::new(),
            first_turn: None,
            status: GroupStatus::default(),
        }
    }

    /// Says that there is no state from before to restore: `ALERTS` and `ALERTS_FOR_STATE` are written from the first turn on.
    pub fn set_restored(&mut self) {
        for entry in &mut self.entries {
            if let Rule::Alerting(rule) = &mut entry.rule {
                rule.set_restored();
            }
        }
    }

    /// The group as written.
    pub fn spec(&self) -> &GroupSpec {
        &self.spec
    }

    /// How often it has a turn, ms.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// The most series or alerts of a rule; 0: any number.
    pub fn limit(&self) -> usize {
        self.spec.limit
    }

    /// How its turns went.
    pub fn status(&self) -> &GroupStatus {
        &self.status
    }

    /// Its rules with how they went.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, &RuleStatus)> {
        self.entries.iter().map(|e| (&e.rule, &e.status))
    }

    /// The metrics that it looks at; none for a rule that is evaluated elsewhere, which may look far back and at a cost: its interval alone counts.
    pub fn inputs(&self) -> Inputs {
        Inputs::of(self.entries.iter().map(|e| &e.rule).filter(|r| !r.is_external()).map(Rule::spec))
    }

    /// The names of the metrics that it writes.
    pub fn outputs(&self) -> BTreeSet<String> {
        let names = self.entries.iter().flat_map(|e| match &e.rule {
            Rule::Recording(rule) => vec![rule.spec().name().to_owned()],
            Rule::Alerting(_) => vec![ALERTS.to_owned(), ALERTS_FOR_STATE.to_owned()],
        });
        names.collect()
    }

    /// Its turn that is due at `now` or was last: all groups of one interval are spread over it by a hash of their name and file.
    pub fn turn(&self, now: TimeMs) -> TimeMs {
        let hash = Labels::from_pairs([("file", &self.spec.file), ("name", &self.spec.name)]).fingerprint();
        eval_timestamp(now, self.interval_ms, hash)
    }

    /// Goes on with the state of the group that it replaces: alerts and series of rules with the same name, labels and place among
    /// those. What remains of others is marked stale at the next turn.
    pub fn take_state(&mut self, mut from: Group) {
        for entry in &mut self.entries {
            let spec = entry.rule.spec();
            let same = |old: &Entry| {
                let other = old.rule.spec();
                other.name() == spec.name()
                    && other.labels == spec.labels
                    && matches!(
                        (&old.rule, &entry.rule),
                        (Rule::Recording(_), Rule::Recording(_)) | (Rule::Alerting(_), Rule::Alerting(_))
                    )
            };
            let Some(i) = from.entries.iter().position(same) else { continue };
            let old = from.entries.remove(i);
            entry.series = old.series;
            if let (Rule::Alerting(new), Rule::Alerting(old)) = (&mut entry.rule, old.rule) {
                new.take_state(old);
            }
        }
        self.orphans = std::mem::take(&mut from.orphans);
        self.orphans.extend(from.entries.into_iter().flat_map(|old| old.series));
        self.first_turn = from.first_turn;
        self.status = from.status;
    }

    /// The series that it wrote last, for marking them stale where the group goes away.
    pub fn series(&self) -> impl Iterator<Item = &Labels> {
        self.entries.iter().flat_map(|e| &e.series).chain(&self.orphans)
    }

    /// Numbers of rules, in the order in which they must be evaluated: those of a list may be at the same time.
    pub fn batches(&self) -> &[Vec<usize>] {
        &self.batches
    }

    /// Has a turn, rule by rule. `elapsed` tells the time that passed since the call, for the statistics.
    ///
    /// A host with threads takes the same steps itself: [`Group::begin`], then batch by batch [`Group::look`] for all its rules at once and
    /// [`Group::settle`] for each in order, at last [`Group::finish`].
    pub fn evaluate(
        &mut self,
        now: TimeMs,
        env: &Env<'_>,
        append: &mut dyn FnMut(SampleBatch),
        elapsed: &dyn Fn() -> Duration,
    ) -> Iteration {
        let mut turn = self.begin(now);
        for rule in 0..self.entries.len() {
            let looked = self.look(&turn, rule, env, elapsed);
            self.settle(&mut turn, rule, looked, env, append);
        }
        self.finish(turn, env, append, elapsed())
    }

    /// Begins a turn.
    pub fn begin(&self, now: TimeMs) -> Turn {
        Turn { now, at: now - self.query_offset_ms, samples: 0, out: Iteration::default() }
    }

    /// Evaluates a rule's expression, and its templates, without any consequence.
    pub fn look(&self, turn: &Turn, rule: usize, env: &Env<'_>, elapsed: &dyn Fn() -> Duration) -> Looked {
        let began = elapsed();
        let found = match self.entries.get(rule).map(|e| &e.rule) {
            Some(Rule::Recording(rule)) => rule.look(turn.at, self.spec.limit, env).map(Found::Samples),
            Some(Rule::Alerting(rule)) => rule.look(turn.now, turn.at, env).map(Found::Instances),
            None => Err(EvalError(format!("bug: there is no rule {rule}"))),
        };
        Looked { found, took: elapsed().saturating_sub(began) }
    }

    /// Draws the consequences of what a rule found: alerts go on, samples are stored, what vanished is marked stale.
    pub fn settle(
        &mut self,
        turn: &mut Turn,
        rule: usize,
        looked: Looked,
        env: &Env<'_>,
        append: &mut dyn FnMut(SampleBatch),
    ) {
        let (now, at) = (turn.now, turn.at);
        let Some(entry) = self.entries.get_mut(rule) else { return };
        entry.status.last_evaluation = now;
        entry.status.duration = looked.took;
        let result = looked.found.and_then(|found| match (&mut entry.rule, found) {
            (Rule::Alerting(rule), Found::Instances(instances)) => rule.step(now, at, self.spec.limit, instances),
            (_, Found::Samples(samples)) => Ok(samples),
            (Rule::Recording(_), Found::Instances(_)) => Err(EvalError("bug: alerts of a recording rule".to_owned())),
        });
        let samples = match result {
            Ok(samples) => samples,
            Err(EvalError(error)) => {
                turn.out.failures += 1;
                entry.status.health = Health::Bad;
                entry.status.last_error = error;
                return;
            }
        };
        entry.status.health = Health::Good;
        entry.status.last_error.clear();
        turn.samples += samples.len();
        if let Rule::Alerting(rule) = &mut entry.rule {
            let resend = self.timing.resend_delay_ms;
            turn.out.alerts.extend(rule.take_due(now, self.interval_ms, resend, env.external_url));
        }
        let series: HashSet<Labels> = samples.iter().map(|s| s.labels.clone()).collect();
        let mut gone: Vec<&Labels> = entry.series.difference(&series).collect();
        // Sets have no order; what is written has one.
        gone.sort();
        let gone = gone.into_iter().map(|labels| stale(labels, at));
        let batch: Vec<Sample> = samples.into_iter().chain(gone).collect();
        entry.series = series;
        if !batch.is_empty() {
            append(SampleBatch { samples: batch, metadata: Vec::new() });
        }
    }

    /// Ends a turn, which took so long.
    ///
    /// `for` goes on where it stood before a restart once a whole interval lies between the first turn and this one: the first may come
    /// before anything was collected.
    pub fn finish(
        &mut self,
        turn: Turn,
        env: &Env<'_>,
        append: &mut dyn FnMut(SampleBatch),
        took: Duration,
    ) -> Iteration {
        let now = turn.now;
        self.mark_orphans(turn.at, append);
        if now - *self.first_turn.get_or_insert(now) >= self.interval_ms {
            for entry in &mut self.entries {
                if let Rule::Alerting(rule) = &mut entry.rule
                    && !rule.is_restored()
                {
                    restore(rule, now, &self.timing, &env.queries);
                }
            }
        }
        let GroupStatus { last_evaluation, missed, .. } = self.status;
        let turns = if last_evaluation > 0 { now.saturating_sub(last_evaluation) / self.interval_ms } else { 0 };
        let missed = missed + u64::try_from(turns - 1).unwrap_or(0);
        self.status = GroupStatus { last_evaluation: now, duration: took, samples: turn.samples, missed };
        turn.out
    }

    /// Series of rules that are gone end here, unless a rule that is still there writes them.
    fn mark_orphans(&mut self, at: TimeMs, append: &mut dyn FnMut(SampleBatch)) {
        let orphans = std::mem::take(&mut self.orphans);
        let living = |labels: &Labels| self.entries.iter().any(|e| e.series.contains(labels));
        let mut gone: Vec<&Labels> = orphans.iter().filter(|l| !living(l)).collect();
        gone.sort();
        let samples: Vec<Sample> = gone.into_iter().map(|l| stale(l, at)).collect();
        if !samples.is_empty() {
            append(SampleBatch { samples, metadata: Vec::new() });
        }
    }
}

fn stale(labels: &Labels, t: TimeMs) -> Sample {
    Sample { labels: labels.clone(), t, value: Value::Float(stale_nan()) }
}

/// The last time at or before `now` that lies `hash % interval` after a multiple of the interval.
pub fn eval_timestamp(now: TimeMs, interval_ms: i64, hash: u64) -> TimeMs {
    let offset = (hash % interval_ms.unsigned_abs().max(1)) as i64;
    let shifted = now - offset;
    shifted - shifted.rem_euclid(interval_ms.max(1)) + offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_lie_on_a_grid_of_their_own() {
        for hash in [0, 1, 14_999, 15_000, u64::MAX] {
            let turn = eval_timestamp(1_700_000_007_123, 15_000, hash);
            assert!(turn <= 1_700_000_007_123 && turn > 1_700_000_007_123 - 15_000);
            assert_eq!(turn.rem_euclid(15_000) as u64, hash % 15_000);
            assert_eq!(eval_timestamp(turn, 15_000, hash), turn);
        }
    }
}
