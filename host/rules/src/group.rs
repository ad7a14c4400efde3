//! Groups: rules that are evaluated one after the other, at the same time again and again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use watchglass_model::{Alert, Labels, Sample, SampleBatch, TimeMs, Value, stale_nan};
use watchglass_promql::{ParserOptions, parse};

use crate::alerting::{AlertingRule, OUTAGE_TOLERANCE_MS};
use crate::external::ExternalRule;
use crate::rule::{Env, GroupSpec, Health, Rule, RuleSpec};
use crate::{ALERTS_FOR_STATE, EvalError};

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

struct Entry {
    rule: Rule,
    status: RuleStatus,
    /// The series of its last turn: what is missing in this one gets a staleness marker.
    series: HashSet<Labels>,
}

/// A group at work.
pub struct Group {
    spec: GroupSpec,
    interval_ms: i64,
    query_offset_ms: i64,
    resend_delay_ms: i64,
    entries: Vec<Entry>,
    /// Series of rules that a reload took away, to be marked stale at the next turn.
    orphans: HashSet<Labels>,
    iterations: u64,
    status: GroupStatus,
}

impl Group {
    /// Puts a group to work. `interval_ms` and `query_offset_ms` stand where the group names none; firing alerts are sent again after
    /// `resend_delay_ms` (Prometheus: a minute).
    pub fn new(spec: GroupSpec, interval_ms: i64, query_offset_ms: i64, resend_delay_ms: i64) -> Group {
        let entry = |spec: &RuleSpec| Entry {
            rule: Rule::new(spec.clone()),
            status: RuleStatus::default(),
            series: HashSet::new(),
        };
        Group {
            interval_ms: spec.interval.unwrap_or(interval_ms).max(1),
            query_offset_ms: spec.query_offset.unwrap_or(query_offset_ms),
            resend_delay_ms,
            entries: spec.rules.iter().map(entry).collect(),
            spec,
            orphans: HashSet::new(),
            iterations: 0,
            status: GroupStatus::default(),
        }
    }

    /// A group of one rule that is evaluated elsewhere: a rule plugin's. Its name and file are the plugin's, as its users know them.
    pub fn external(
        rule: Box<dyn ExternalRule>,
        file: &str,
        interval_ms: i64,
        query_offset_ms: i64,
        resend_delay_ms: i64,
    ) -> Group {
        let spec = GroupSpec {
            name: rule.name().to_owned(),
            file: file.to_owned(),
            interval: Some(interval_ms),
            query_offset: None,
            limit: 0,
            labels: Labels::empty(),
            rules: vec![],
        };
        let mut group = Group::new(spec, interval_ms, query_offset_ms, resend_delay_ms);
        let rule = Rule::Alerting(AlertingRule::external(rule));
        group.entries.push(Entry { rule, status: RuleStatus::default(), series: HashSet::new() });
        group
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
        self.iterations = from.iterations;
        self.status = from.status;
    }

    /// The series that it wrote last, for marking them stale where the group goes away.
    pub fn series(&self) -> impl Iterator<Item = &Labels> {
        self.entries.iter().flat_map(|e| &e.series).chain(&self.orphans)
    }

    /// Has a turn: evaluates every rule at `now`, stores what they give, marks stale what vanished.
    ///
    /// `for` goes on where it stood before a restart from the second turn on: the first one may come before anything was collected.
    /// `elapsed` tells the time that passed since the call, for the statistics.
    pub fn evaluate(&mut self, now: TimeMs, env: &mut Env<'_>, elapsed: &dyn Fn() -> Duration) -> Iteration {
        let mut out = Iteration::default();
        let at = now - self.query_offset_ms;
        let mut samples_total = 0;
        for entry in &mut self.entries {
            let began = elapsed();
            let result = match &mut entry.rule {
                Rule::Recording(rule) => rule.evaluate(at, self.spec.limit, env),
                Rule::Alerting(rule) => rule.evaluate(now, self.query_offset_ms, self.spec.limit, env),
            };
            entry.status.last_evaluation = now;
            entry.status.duration = elapsed().saturating_sub(began);
            let samples = match result {
                Ok(samples) => samples,
                Err(EvalError(error)) => {
                    out.failures += 1;
                    entry.status.health = Health::Bad;
                    entry.status.last_error = error;
                    continue;
                }
            };
            entry.status.health = Health::Good;
            entry.status.last_error.clear();
            samples_total += samples.len();
            if let Rule::Alerting(rule) = &mut entry.rule {
                out.alerts.extend(rule.take_due(now, self.interval_ms, self.resend_delay_ms, env.external_url));
            }
            let series: HashSet<Labels> = samples.iter().map(|s| s.labels.clone()).collect();
            let gone = entry.series.difference(&series).map(|labels| stale(labels, at));
            let batch: Vec<Sample> = samples.into_iter().chain(gone).collect();
            entry.series = series;
            if !batch.is_empty() {
                (env.append)(SampleBatch { samples: batch, metadata: Vec::new() });
            }
        }
        self.mark_orphans(at, env);
        self.iterations += 1;
        if self.iterations == 2 {
            self.restore(now, env);
        }
        let GroupStatus { last_evaluation, missed, .. } = self.status;
        let turns = if last_evaluation > 0 { now.saturating_sub(last_evaluation) / self.interval_ms } else { 0 };
        let missed = missed + u64::try_from(turns - 1).unwrap_or(0);
        self.status = GroupStatus { last_evaluation: now, duration: elapsed(), samples: samples_total, missed };
        out
    }

    /// Series of rules that are gone end here, unless a rule that is still there writes them.
    fn mark_orphans(&mut self, at: TimeMs, env: &mut Env<'_>) {
        let orphans = std::mem::take(&mut self.orphans);
        let living = |labels: &Labels| self.entries.iter().any(|e| e.series.contains(labels));
        let samples: Vec<Sample> = orphans.iter().filter(|l| !living(l)).map(|l| stale(l, at)).collect();
        if !samples.is_empty() {
            (env.append)(SampleBatch { samples, metadata: Vec::new() });
        }
    }

    fn restore(&mut self, now: TimeMs, env: &mut Env<'_>) {
        for entry in &mut self.entries {
            let Rule::Alerting(rule) = &mut entry.rule else { continue };
            if !rule.is_restored() {
                restore_rule(rule, now, env);
            }
        }
    }
}

/// Looks up what `ALERTS_FOR_STATE` said of a rule's alerts last.
fn restore_rule(rule: &mut AlertingRule, now: TimeMs, env: &mut Env<'_>) {
    // A plugin's alerts may have names of their own.
    let names: BTreeSet<String> = rule.alerts().map(|a| a.labels.value("alertname").to_owned()).collect();
    let (mut since, mut written) = (HashMap::new(), HashMap::new());
    for name in names {
        // The value (since when) and the time of the last point, of the same series: two queries, joined by labels.
        let selector = format!("{ALERTS_FOR_STATE}{{alertname={}}}[{}s]", quote(&name), OUTAGE_TOLERANCE_MS / 1000);
        for (function, found) in [("last_over_time", &mut since), ("ts_of_last_over_time", &mut written)] {
            let text = format!("{function}({selector})");
            // The second function is an experimental one; that switch is for what users write.
            let Ok(expr) = parse(&text, ParserOptions::all()) else { continue };
            for sample in (env.query)(&text, &expr, now).unwrap_or_default() {
                if let Value::Float(v) = sample.value {
                    found.insert(sample.labels.without_name(), v);
                }
            }
        }
    }
    rule.restore(now, |labels| {
        let (since, written) = (since.get(labels)?, written.get(labels)?);
        (since.is_finite() && written.is_finite())
            .then_some(((*written * 1000.0) as TimeMs, (*since * 1000.0) as TimeMs))
    });
}

/// A text as a PromQL string literal.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
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
