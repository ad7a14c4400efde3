//! `/api/v1/rules`, `alerts`, `alertmanagers`, `explain`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use watchglass_alerts::parse_matchers;
use watchglass_model::{ExponentFloat, Labels, Matcher, Value as SampleValue};
use watchglass_rules::{ActiveAlert, Group, Rule, RuleKind, RuleStatus};

use super::explain;
use super::params::Params;
use super::respond::{ApiError, success};
use crate::daemon::Daemon;
use crate::time::rfc3339;

fn value_text(value: &SampleValue) -> String {
    match value {
        SampleValue::Float(v) => ExponentFloat(*v).to_string(),
        SampleValue::Histogram(h) => h.to_string(),
    }
}

fn alert_json(alert: &ActiveAlert) -> Value {
    let mut out = json!({
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state.as_str(),
        "activeAt": rfc3339(alert.active_at),
        "value": value_text(&alert.value),
    });
    if let Some(since) = alert.keep_firing_since {
        out["keepFiringSince"] = json!(rfc3339(since));
    }
    out
}

fn rule_json(rule: &Rule, status: &RuleStatus, with_alerts: bool) -> Value {
    let spec = rule.spec();
    let mut out = json!({
        "name": spec.name(),
        "query": spec.expr_text,
        "labels": spec.labels,
        "health": status.health.as_str(),
        "evaluationTime": status.duration.as_secs_f64(),
        "lastEvaluation": rfc3339(status.last_evaluation),
    });
    if !status.last_error.is_empty() {
        out["lastError"] = json!(status.last_error);
    }
    match (rule, &spec.kind) {
        (Rule::Alerting(alerting), RuleKind::Alerting { hold_ms, keep_firing_ms, annotations, .. }) => {
            out["type"] = json!("alerting");
            out["state"] = json!(alerting.state().as_str());
            out["duration"] = json!(*hold_ms as f64 / 1000.0);
            out["keepFiringFor"] = json!(*keep_firing_ms as f64 / 1000.0);
            out["annotations"] = json!(annotations);
            out["alerts"] = if with_alerts { alerting.alerts().map(alert_json).collect() } else { json!([]) };
        }
        _ => out["type"] = json!("recording"),
    }
    out
}

/// What `/api/v1/rules` is asked for.
struct Filter {
    kind: Option<String>,
    files: Vec<String>,
    groups: Vec<String>,
    names: Vec<String>,
    matchers: Vec<Vec<Matcher>>,
    with_alerts: bool,
}

impl Filter {
    fn takes_group(&self, group: &Group) -> bool {
        let among = |list: &[String], text: &str| list.is_empty() || list.iter().any(|l| l == text);
        among(&self.files, &group.spec().file) && among(&self.groups, &group.spec().name)
    }

    fn takes(&self, rule: &Rule) -> bool {
        let spec = rule.spec();
        let kind = if matches!(rule, Rule::Alerting(_)) { "alert" } else { "record" };
        self.kind.as_deref().is_none_or(|k| k == kind)
            && (self.names.is_empty() || self.names.iter().any(|n| n == spec.name()))
            && (self.matchers.is_empty() || self.matchers.iter().any(|set| all_match(set, &spec.labels)))
    }
}

fn all_match(set: &[Matcher], labels: &Labels) -> bool {
    set.iter().all(|m| m.matches(labels.value(m.name())))
}

pub(crate) async fn rules(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let list = |name: &'static str| params.all(name).map(str::to_owned).collect::<Vec<_>>();
    let filter = Filter {
        kind: params.get("type").map(str::to_lowercase),
        files: list("file[]"),
        groups: list("rule_group[]"),
        names: list("rule_name[]"),
        matchers: params.matcher_sets()?,
        with_alerts: params.get("exclude_alerts") != Some("true"),
    };
    if let Some(kind) = filter.kind.as_deref().filter(|k| !["alert", "record"].contains(k)) {
        return Err(ApiError::invalid("type", &format!("not supported value \"{kind}\"")));
    }
    let groups: Vec<Value> = daemon
        .evaluation
        .look(|group| {
            let rules: Vec<Value> = group
                .rules()
                .filter(|(rule, _)| filter.takes(rule))
                .map(|(rule, status)| rule_json(rule, status, filter.with_alerts))
                .collect();
            let shown = filter.takes_group(group) && (!rules.is_empty() || group.spec().rules.is_empty());
            shown.then(|| {
                json!({
                    "name": group.spec().name,
                    "file": group.spec().file,
                    "interval": group.interval_ms() as f64 / 1000.0,
                    "limit": group.limit(),
                    "evaluationTime": group.status().duration.as_secs_f64(),
                    "lastEvaluation": rfc3339(group.status().last_evaluation),
                    "rules": rules,
                })
            })
        })
        .into_iter()
        .flatten()
        .collect();
    Ok(success(json!({ "groups": groups })))
}

pub(crate) async fn alerts(State(daemon): State<Arc<Daemon>>) -> Response {
    let alerts: Vec<Value> = daemon
        .evaluation
        .look(|group| {
            group
                .rules()
                .filter_map(|(rule, _)| if let Rule::Alerting(rule) = rule { Some(rule) } else { None })
                .flat_map(|rule| rule.alerts().map(alert_json).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .concat();
    success(json!({ "alerts": alerts }))
}

/// We are our own Alertmanager.
pub(crate) async fn alertmanagers(State(daemon): State<Arc<Daemon>>) -> Response {
    let url = format!("{}/api/v2/alerts", daemon.external_url());
    success(json!({ "activeAlertmanagers": [{ "url": url }], "droppedAlertmanagers": [] }))
}

/// `alert`: matchers of the alert, or its name, or its fingerprint.
pub(crate) async fn explain(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let text = params.required("alert")?;
    let machine = daemon.alerting.look();
    let decisions = if text.contains(['=', '~', '{']) {
        machine.explain(&parse_matchers(text).map_err(|e| ApiError::invalid("alert", &e.to_string()))?)
    } else if let (16, Ok(fingerprint)) = (text.len(), u64::from_str_radix(text, 16)) {
        machine.explain_fingerprint(fingerprint)
    } else {
        machine.explain(&[Matcher::equal("alertname", text)])
    };
    let decisions: Vec<Value> = decisions
        .iter()
        .map(|d| {
            json!({
                "at": rfc3339(d.at),
                "lastAt": rfc3339(d.last_at),
                "times": d.times,
                "fingerprint": format!("{:016x}", d.fingerprint),
                "alert": d.alert.to_string(),
                "labels": d.alert,
                "receiver": d.receiver,
                "groupKey": d.group_key,
                "text": explain::text(d),
            })
        })
        .collect();
    Ok(success(decisions))
}
