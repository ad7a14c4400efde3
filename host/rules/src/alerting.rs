//! Alerting rules: from "it is so" through pending and firing to resolved, as Prometheus' rule manager has it.

use std::collections::{BTreeMap, HashMap};

use watchglass_model::{Alert, Labels, LabelsBuilder, METRIC_NAME, Sample, TimeMs, Value};
use watchglass_promql::ast::{Expr, Span, StringLiteral};

use crate::external::ExternalRule;
use crate::rule::{Env, EvalError, Instance, RuleKind, RuleSpec};
use crate::template::{TemplateData, expand, table_link};
use crate::{ALERTS, ALERTS_FOR_STATE};

/// The label that holds an alert's name.
const ALERT_NAME: &str = "alertname";
/// How long a resolved alert is remembered, so that a receiver that missed it is told again.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;
/// Where an alert stands within its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// It is so, but not for long enough yet.
    Pending,
    /// It fires.
    Firing,
    /// It fired, and is over.
    Inactive,
}

impl AlertState {
    /// The API's word, and the value of the label `alertstate`.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Inactive => "inactive",
        }
    }
}

/// An alert of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlert {
    /// Identity, `alertname` included.
    pub labels: Labels,
    /// Texts as of the last evaluation that had it.
    pub annotations: Labels,
    /// Value as of the last evaluation that had it.
    pub value: Value,
    /// Where it stands.
    pub state: AlertState,
    /// Since when it is so.
    pub active_at: TimeMs,
    /// Since when it fires.
    pub fired_at: Option<TimeMs>,
    /// When it was over.
    pub resolved_at: Option<TimeMs>,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since: Option<TimeMs>,
    last_sent_at: Option<TimeMs>,
    hold_ms: i64,
    keep_firing_ms: i64,
}

/// An alerting rule at work.
#[derive(Debug)]
pub struct AlertingRule {
    spec: RuleSpec,
    /// What says what is so, where that isn't the query of `spec`.
    external: Option<Box<dyn ExternalRule>>,
    active: BTreeMap<Labels, ActiveAlert>,
    /// Whether the state from before a restart has been looked up. Until then `ALERTS_FOR_STATE` is not written, lest it overwrite it.
    restored: bool,
}

impl AlertingRule {
    pub(crate) fn new(spec: RuleSpec) -> AlertingRule {
        AlertingRule { spec, external: None, active: BTreeMap::new(), restored: false }
    }

    /// A rule that is evaluated elsewhere. Its `spec` has its name, and an empty expression.
    pub(crate) fn external(rule: Box<dyn ExternalRule>) -> AlertingRule {
        let nothing = StringLiteral { value: String::new(), span: Span::default() };
        let kind = RuleKind::Alerting {
            alert: rule.name().to_owned(),
            hold_ms: 0,
            keep_firing_ms: 0,
            annotations: Labels::empty(),
        };
        let spec = RuleSpec { kind, expr_text: String::new(), expr: Expr::String(nothing), labels: Labels::empty() };
        AlertingRule { external: Some(rule), ..AlertingRule::new(spec) }
    }

    /// Whether it is evaluated elsewhere, so that its expression is empty.
    pub fn is_external(&self) -> bool {
        self.external.is_some()
    }

    /// The rule as written.
    pub fn spec(&self) -> &RuleSpec {
        &self.spec
    }

    /// Its alerts, resolved ones that are still remembered included.
    pub fn all_alerts(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.active.values()
    }

    /// Its pending and firing alerts.
    pub fn alerts(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.active.values().filter(|a| a.state != AlertState::Inactive)
    }

    /// The state of the rule: that of its alert that is furthest.
    pub fn state(&self) -> AlertState {
        let mut state = AlertState::Inactive;
        for alert in self.alerts() {
            if alert.state == AlertState::Firing {
                return AlertState::Firing;
            }
            state = AlertState::Pending;
        }
        state
    }

    /// Whether nothing is left to restore.
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// Says that there is nothing to restore.
    pub fn set_restored(&mut self) {
        self.restored = true;
    }

    /// Goes on with the alerts of the rule that it replaces.
    pub(crate) fn take_state(&mut self, from: AlertingRule) {
        self.active = from.active;
        self.restored = from.restored;
        if self.external.is_some() {
            return;
        }
        let (hold, keep) = self.durations();
        for alert in self.active.values_mut() {
            (alert.hold_ms, alert.keep_firing_ms) = (hold, keep);
        }
    }

    fn durations(&self) -> (i64, i64) {
        match &self.spec.kind {
            RuleKind::Alerting { hold_ms, keep_firing_ms, .. } => (*hold_ms, *keep_firing_ms),
            RuleKind::Recording { .. } => (0, 0),
        }
    }

    /// What is so at `now`, by samples of `at`.
    pub(crate) fn look(&self, now: TimeMs, at: TimeMs, env: &Env<'_>) -> Result<Vec<Instance>, EvalError> {
        if let Some(external) = &self.external {
            let active: Vec<&ActiveAlert> = self.alerts().collect();
            let mut instances = external.evaluate(at, &active, env)?;
            for instance in &mut instances {
                if instance.labels.get(ALERT_NAME).is_none() {
                    instance.labels = instance.labels.with(ALERT_NAME, self.spec.name());
                }
            }
            return Ok(instances);
        }
        let samples = env.queries.instant(&self.spec.expr_text, &self.spec.expr, at).map_err(EvalError)?;
        Ok(samples.iter().map(|sample| self.instance(sample, now, env)).collect())
    }

    /// The alert that a sample makes: labels and annotations expanded. A template that fails shows its error in its place.
    fn instance(&self, sample: &Sample, now: TimeMs, env: &Env<'_>) -> Instance {
        let data = TemplateData {
            labels: &sample.labels,
            external_labels: env.external_labels,
            external_url: env.external_url,
            value: &sample.value,
        };
        let name = self.spec.name();
        let mut query = |text: &str, at: TimeMs| env.queries.text(text, at);
        let mut fill = |text: &str| {
            expand(&format!("__alert_{name}"), text, &data, now, &mut query)
                .unwrap_or_else(|e| format!("<error expanding template: {e}>"))
        };
        let mut labels = LabelsBuilder::new(&sample.labels);
        labels.delete(METRIC_NAME);
        for (name, text) in self.spec.labels.iter() {
            labels.set(name, &fill(text));
        }
        labels.set(ALERT_NAME, name);
        let (hold_ms, keep_firing_ms) = self.durations();
        let annotations = match &self.spec.kind {
            RuleKind::Alerting { annotations, .. } => {
                annotations.iter().map(|(name, text)| (name, fill(text))).collect()
            }
            RuleKind::Recording { .. } => Labels::empty(),
        };
        Instance { labels: labels.build(), annotations, value: sample.value.clone(), hold_ms, keep_firing_ms }
    }

    /// Moves the alerts on by what is so now; gives the samples of `ALERTS` and `ALERTS_FOR_STATE`, of time `at`.
    pub(crate) fn step(
        &mut self,
        now: TimeMs,
        at: TimeMs,
        limit: usize,
        instances: Vec<Instance>,
    ) -> Result<Vec<Sample>, EvalError> {
        let mut current: HashMap<Labels, Instance> = HashMap::with_capacity(instances.len());
        for instance in instances {
            if current.insert(instance.labels.clone(), instance).is_some() {
                return Err(EvalError(
                    "vector contains metrics with the same labelset after applying alert labels".to_owned(),
                ));
            }
        }
        for alert in self.active.values_mut() {
            alert.renew(current.remove(&alert.labels), now);
        }
        self.active.retain(|_, alert| !alert.is_forgotten(now));
        for (labels, instance) in current {
            self.active.insert(labels, ActiveAlert::new(instance, now));
        }
        let mut samples = Vec::new();
        let mut active = 0;
        for alert in self.active.values_mut().filter(|a| a.state != AlertState::Inactive) {
            active += 1;
            if alert.state == AlertState::Pending && now - alert.active_at >= alert.hold_ms {
                alert.state = AlertState::Firing;
                alert.fired_at = Some(now);
            }
            if self.restored {
                samples.extend(alert.samples(at));
            }
        }
        if limit > 0 && active > limit {
            self.active.clear();
            return Err(EvalError(format!("exceeded limit of {limit} with {active} alerts")));
        }
        Ok(samples)
    }

    /// The alerts that must be sent now: firing ones at least every `resend_delay_ms`, resolved ones too while they are remembered.
    /// They end by themselves after four turns without another word.
    pub(crate) fn take_due(
        &mut self,
        now: TimeMs,
        interval_ms: i64,
        resend_delay_ms: i64,
        external_url: &str,
    ) -> Vec<Alert> {
        let valid_until = now + 4 * interval_ms.max(resend_delay_ms);
        let url = match &self.external {
            Some(_) => external_url.to_owned(),
            None => graph_link(external_url, &self.spec.expr_text),
        };
        let due = self.active.values_mut().filter(|a| a.needs_sending(now, resend_delay_ms));
        due.map(|alert| {
            alert.last_sent_at = Some(now);
            Alert {
                labels: alert.labels.clone(),
                annotations: alert.annotations.clone(),
                starts_at: alert.fired_at.unwrap_or(alert.active_at),
                ends_at: alert.resolved_at.unwrap_or(valid_until),
                generator_url: url.clone(),
            }
        })
        .collect()
    }

    /// Goes on with `for` where it stood before a restart. `seen` gives, for an alert's labels, the last point of its `ALERTS_FOR_STATE`:
    /// when it was written, and the time (ms) since which the alert had been active.
    pub(crate) fn restore(
        &mut self,
        now: TimeMs,
        grace_ms: i64,
        mut seen: impl FnMut(&Labels) -> Option<(TimeMs, TimeMs)>,
    ) {
        for alert in self.active.values_mut() {
            // Who waits for less than the grace period waits once more, even if it fired before: it is over soon.
            if alert.hold_ms < grace_ms {
                continue;
            }
            let Some((down_at, active_at)) = seen(&alert.labels) else { continue };
            let remaining = alert.hold_ms - (down_at - active_at);
            alert.active_at = if remaining <= 0 {
                // It fired before, so it fires on.
                active_at
            } else if remaining < grace_ms {
                // What it was waiting for may have ended while we were down: not at once.
                now + grace_ms - alert.hold_ms
            } else {
                active_at + (now - down_at)
            };
        }
        self.restored = true;
    }
}

/// Where Prometheus' UI shows an expression's table.
fn graph_link(external_url: &str, expr: &str) -> String {
    format!("{}{}", external_url.trim_end_matches('/'), table_link(expr))
}

impl ActiveAlert {
    /// How long it must be so before it fires, ms.
    pub fn hold_ms(&self) -> i64 {
        self.hold_ms
    }

    /// How long it goes on firing after, ms.
    pub fn keep_firing_ms(&self) -> i64 {
        self.keep_firing_ms
    }

    fn new(instance: Instance, now: TimeMs) -> ActiveAlert {
        ActiveAlert {
            labels: instance.labels,
            annotations: instance.annotations,
            value: instance.value,
            state: AlertState::Pending,
            active_at: now,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            last_sent_at: None,
            hold_ms: instance.hold_ms,
            keep_firing_ms: instance.keep_firing_ms,
        }
    }

    /// One evaluation further: it is so (`instance`), or it isn't.
    fn renew(&mut self, instance: Option<Instance>, now: TimeMs) {
        match instance {
            Some(instance) if self.state != AlertState::Inactive => {
                self.value = instance.value;
                self.annotations = instance.annotations;
                self.keep_firing_since = None;
            }
            // Over, and so again: another alert with the same labels.
            Some(instance) => *self = ActiveAlert::new(instance, now),
            None if self.state == AlertState::Firing && self.keep_firing_ms > 0 => {
                let since = *self.keep_firing_since.get_or_insert(now);
                if now - since >= self.keep_firing_ms {
                    self.resolve(now);
                }
            }
            None if self.state == AlertState::Firing => self.resolve(now),
            // A pending one is forgotten.
            None if self.state == AlertState::Pending => self.state = AlertState::Inactive,
            None => {}
        }
    }

    fn resolve(&mut self, now: TimeMs) {
        self.state = AlertState::Inactive;
        self.resolved_at = Some(now);
    }

    fn is_forgotten(&self, now: TimeMs) -> bool {
        self.state == AlertState::Inactive && self.resolved_at.is_none_or(|at| now - at > RESOLVED_RETENTION_MS)
    }

    fn needs_sending(&self, now: TimeMs, resend_delay_ms: i64) -> bool {
        match (self.state, self.resolved_at, self.last_sent_at) {
            (AlertState::Pending, ..) => false,
            (_, _, None) => true,
            (_, Some(resolved), Some(sent)) if resolved > sent => true,
            (_, _, Some(sent)) => sent + resend_delay_ms < now,
        }
    }

    fn samples(&self, at: TimeMs) -> [Sample; 2] {
        let mut labels = LabelsBuilder::new(&self.labels);
        labels.set(METRIC_NAME, ALERTS_FOR_STATE);
        let since = Sample { labels: labels.build(), t: at, value: Value::Float((self.active_at / 1000) as f64) };
        labels.set(METRIC_NAME, ALERTS).set("alertstate", self.state.as_str());
        [Sample { labels: labels.build(), t: at, value: Value::Float(1.0) }, since]
    }
}
