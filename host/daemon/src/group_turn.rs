//! A rule group's turns: when it has them, and what one is.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use watchglass_model::{Labels, TimeMs};
use watchglass_promql::{Cancel, Options, ParserOptions};
use watchglass_rules::{AlertState, Env, Group, Iteration, Looked, Queries, Rule, RuleKind};

use crate::evaluation::{Evaluation, Fresh, Settings, group_label, lock};
use crate::query_service::StoreSource;
use crate::rule_threads::each;

/// What comes in within this time after a collection is evaluated with it: targets are collected one by one.
const GATHER: Duration = Duration::from_millis(100);
/// Rules that took less than this together in their last turn are not worth a thread's start.
const WORTH_A_THREAD: Duration = Duration::from_millis(1);

/// What one group is evaluated with.
pub(crate) struct GroupTurn {
    pub(crate) group: Arc<Mutex<Group>>,
    /// Names of the metrics that it writes.
    pub(crate) outputs: BTreeSet<String>,
    pub(crate) evaluation: Arc<Evaluation>,
    pub(crate) settings: Arc<Settings>,
    /// What wakes it between its turns.
    pub(crate) fresh: Arc<Fresh>,
}

/// Has turns for ever: at the group's own times, and where that is switched on after collections and when a `for` is over.
pub(crate) async fn run(work: Arc<GroupTurn>) {
    let (interval_ms, mut turn) = {
        let group = lock(&work.group);
        (group.interval_ms(), group.turn(crate::now()) + group.interval_ms())
    };
    let mut last = TimeMs::MIN;
    loop {
        let hold_over = if work.settings.after_scrape { work.next_hold_over(last) } else { None };
        let next = hold_over.map_or(turn, |at| at.min(turn));
        let wait = Duration::from_millis((next - crate::now()).max(0) as u64);
        tokio::select! {
            () = tokio::time::sleep(wait), if next < turn => {
                last = next;
                work.have(next).await;
            }
            () = tokio::time::sleep(wait), if next == turn => {
                last = turn;
                work.have(turn).await;
                let (missed, next) = next_turn(turn, crate::now(), interval_ms);
                work.missed(missed);
                turn = next;
            }
            () = work.fresh.notify.notified(), if work.settings.after_scrape => {
                tokio::time::sleep(GATHER).await;
                let hops = work.fresh.hops.swap(0, Ordering::Relaxed);
                work.have(crate::now()).await;
                if hops > 0 {
                    work.evaluation.wake(&work.outputs.iter().map(String::as_str).collect(), hops - 1);
                }
            }
        }
    }
}

/// How many turns are left out after one that was due at `turn` and has just ended, and when the next is due: as in Prometheus the latest that
/// is over by now is still had, late, and those before it are not.
fn next_turn(turn: TimeMs, now: TimeMs, interval_ms: i64) -> (u64, TimeMs) {
    let late = ((now - turn) / interval_ms).max(1);
    ((late - 1).unsigned_abs(), turn + late * interval_ms)
}

impl GroupTurn {
    /// When the first `for` of a pending alert is over, after this time. Without a turn then an alert whose `for` is a multiple of the scrape
    /// interval would often miss by some milliseconds the collection at which it is over.
    fn next_hold_over(&self, after: TimeMs) -> Option<TimeMs> {
        let group = lock(&self.group);
        let alerting = group.rules().filter_map(|(rule, _)| match (rule, &rule.spec().kind) {
            (Rule::Alerting(rule), RuleKind::Alerting { hold_ms, .. }) if !rule.is_external() => Some((rule, *hold_ms)),
            _ => None,
        });
        let pending = alerting.flat_map(|(rule, hold_ms)| {
            let pending = rule.alerts().filter(|a| a.state == AlertState::Pending);
            pending.map(move |alert| alert.active_at.saturating_add(hold_ms)).filter(|at| *at > after)
        });
        pending.min()
    }

    async fn have(self: &Arc<Self>, at: TimeMs) {
        let (work, cancel) = (Arc::clone(self), Cancel::default());
        let turn = tokio::task::spawn_blocking({
            let cancel = cancel.clone();
            move || work.evaluate(at, &cancel)
        });
        tokio::pin!(turn);
        let ended = match tokio::time::timeout(self.settings.timeout, &mut turn).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(timeout = ?self.settings.timeout, "a rule group took too long; its queries are cancelled");
                cancel.cancel();
                turn.await
            }
        };
        if let Err(panic) = ended {
            tracing::error!(error = %panic, "bug: a rule group panicked; it goes on with its next turn");
        }
    }

    /// `cancel` stops the queries that are left.
    fn evaluate(&self, at: TimeMs, cancel: &Cancel) {
        let (mut group, began) = (lock(&self.group), Instant::now());
        let iteration = self.iterate(&mut group, at, began, cancel);
        let (label, rules) = (group_label(&group), group.rules().count());
        for (rule, status) in group.rules() {
            if !status.last_error.is_empty() {
                tracing::warn!(
                    group = label,
                    rule = rule.spec().name(),
                    error = status.last_error,
                    "a rule can't be evaluated"
                );
            }
        }
        drop(group);
        let (labels, counters) = ([("rule_group", label.as_str())], &self.evaluation.counters);
        counters.add("prometheus_rule_evaluations_total", &labels, rules as f64);
        counters.add("prometheus_rule_evaluation_failures_total", &labels, iteration.failures as f64);
        counters.add("prometheus_rule_group_iterations_total", &labels, 1.0);
        counters.add("prometheus_rule_evaluation_duration_seconds_sum", &[], began.elapsed().as_secs_f64());
        counters.add("prometheus_rule_evaluation_duration_seconds_count", &[], 1.0);
        let alerts = with_external_labels(iteration.alerts, &self.settings.external_labels);
        self.evaluation.alerting.insert(&alerts, crate::now());
    }

    /// Batch by batch: looks at the rules of one at the same time, draws the consequences in order.
    fn iterate(&self, group: &mut Group, at: TimeMs, began: Instant, cancel: &Cancel) -> Iteration {
        let settings = &self.settings;
        let engine = Options { lookback_ms: settings.lookback_ms, ..Options::default() };
        // What rules ask by text (templates, a plugin's inputs) may use what a user must switch on.
        let parser = ParserOptions { experimental_functions: true, ..settings.parser };
        let source = StoreSource(&self.evaluation.store);
        let env = || Env {
            queries: Queries { source: &source, engine: &engine, parser, cancel },
            external_labels: &settings.external_labels,
            external_url: &settings.external_url,
        };
        let mut append = |batch| self.evaluation.append(batch, at);
        let mut turn = group.begin(at);
        for batch in group.batches().to_vec() {
            let look = |rule: usize| group.look(&turn, rule, &env(), &|| began.elapsed());
            let looked: Vec<Looked> = if worth_threads(group, &batch) {
                each(batch.len(), &settings.helpers, &|i| look(batch[i]))
            } else {
                batch.iter().map(|rule| look(*rule)).collect()
            };
            for (rule, looked) in batch.into_iter().zip(looked) {
                group.settle(&mut turn, rule, looked, &env(), &mut append);
            }
        }
        group.finish(turn, &env(), &mut append, began.elapsed())
    }

    fn missed(&self, turns: u64) {
        if turns > 0 {
            let label = group_label(&lock(&self.group));
            let labels = [("rule_group", label.as_str())];
            self.evaluation.counters.add("prometheus_rule_group_iterations_total", &labels, turns as f64);
            self.evaluation.counters.add("prometheus_rule_group_iterations_missed_total", &labels, turns as f64);
        }
    }
}

/// Whether a batch took long enough last time to be shared between threads.
fn worth_threads(group: &Group, batch: &[usize]) -> bool {
    let durations: Vec<Duration> = group.rules().map(|(_, status)| status.duration).collect();
    batch.len() > 1 && batch.iter().map(|rule| durations[*rule]).sum::<Duration>() >= WORTH_A_THREAD
}

/// Alerts go out with the labels of the installation, where they have none of that name themselves.
fn with_external_labels(mut alerts: Vec<watchglass_model::Alert>, external: &Labels) -> Vec<watchglass_model::Alert> {
    for alert in alerts.iter_mut().filter(|_| !external.is_empty()) {
        alert.labels = external.iter().chain(alert.labels.iter()).collect();
    }
    alerts
}

#[cfg(test)]
mod tests {
    use super::next_turn;

    #[test]
    fn late_turns_are_had_late_and_those_between_are_missed() {
        for (now, missed, next) in [
            (1_000, 0, 1_010),
            (1_009, 0, 1_010),
            (1_010, 0, 1_010),
            (1_015, 0, 1_010),
            (1_020, 1, 1_020),
            (1_055, 4, 1_050),
            // The clock was set back.
            (900, 0, 1_010),
        ] {
            assert_eq!(next_turn(1_000, now, 10), (missed, next), "{now}");
        }
    }
}
