//! Alerts and groups: shown, filtered, taken in.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use watchglass_alerts::{AlertFilter, AlertView, GroupFilter, PostedAlert};
use watchglass_model::{Labels, MatchOp, Matcher};

use super::body::{self, Fields, fields, is_uri, required};
use super::refusal::{WRONG_TYPE, bad, misfit};
use crate::daemon::Daemon;
use crate::http::params::Params;
use crate::time::rfc3339;

/// Words that mean yes, in any case; every other one means no. What is missing or empty is yes.
const YES: [&str; 10] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];

fn flag(params: &Params, name: &str) -> bool {
    params.get(name).is_none_or(|text| YES.contains(&text.to_ascii_lowercase().as_str()))
}

fn alert_filter(params: &Params) -> Result<AlertFilter, Response> {
    let receiver = params.get("receiver").map(|text| {
        // Through a matcher, because that translates Go's dialect and speaks of errors in its words.
        let checked = Matcher::new("receiver", MatchOp::Regex, text).map_err(|e| e.reason);
        checked.and_then(|_| watchglass_alerts::receiver_filter(text))
    });
    Ok(AlertFilter {
        matchers: super::filter(params)?,
        active: flag(params, "active"),
        silenced: flag(params, "silenced"),
        inhibited: flag(params, "inhibited"),
        unprocessed: flag(params, "unprocessed"),
        receiver: receiver
            .transpose()
            .map_err(|e| bad(format!("failed to parse receiver param: error parsing regexp: {e}")))?,
    })
}

fn alert_json(view: &AlertView) -> Value {
    let mut out = json!({
        "annotations": view.alert.annotations,
        "endsAt": rfc3339(view.alert.ends_at),
        "fingerprint": format!("{:016x}", view.fingerprint),
        "receivers": view.receivers.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "startsAt": rfc3339(view.alert.starts_at),
        "status": {
            "inhibitedBy": view.status.inhibited_by.iter().map(|f| format!("{f:016x}")).collect::<Vec<_>>(),
            "mutedBy": view.status.muted_by,
            "silencedBy": view.status.silenced_by,
            "state": view.status.state(),
        },
        "updatedAt": rfc3339(view.updated_at),
        "labels": view.alert.labels,
    });
    if !view.alert.generator_url.is_empty() {
        out["generatorURL"] = json!(view.alert.generator_url);
    }
    out
}

/// `GET /api/v2/alerts`
pub(super) async fn list(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, Response> {
    let views = daemon.alerting.look().alerts(&alert_filter(&params)?, crate::now());
    Ok(Json(views.iter().map(alert_json).collect::<Vec<_>>()).into_response())
}

/// `GET /api/v2/alerts/groups`
pub(super) async fn groups(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, Response> {
    let filter = GroupFilter { alerts: alert_filter(&params)?, muted: flag(&params, "muted") };
    let groups = daemon.alerting.look().groups(&filter, crate::now());
    let groups: Vec<Value> = groups
        .iter()
        .map(|group| {
            json!({
                "alerts": group.alerts.iter().map(alert_json).collect::<Vec<_>>(),
                "labels": group.labels,
                "receiver": { "name": group.receiver },
            })
        })
        .collect();
    Ok(Json(groups).into_response())
}

/// `POST /api/v2/alerts`
pub(super) async fn post(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let posted = posted_alerts(&body::json(&headers, &body, "alerts")?)?;
    let now = crate::now();
    let errors = daemon.alerting.post(&posted, now);
    if errors.is_empty() {
        return Ok(StatusCode::OK.into_response());
    }
    Err(bad(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Reads the alerts of a body. Types are looked at first, in all of them; then what must be there.
fn posted_alerts(body: &Value) -> Result<Vec<PostedAlert>, Response> {
    let items = match body {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        other => return Err(body::unreadable("alerts", &format!("there is {}; a list is needed", body::kind(other)))),
    };
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        let fields: Fields<'_> = fields(item, "alerts")?;
        read.push((
            fields.texts("labels")?,
            PostedAlert {
                labels: Labels::empty(),
                annotations: Labels::from_pairs(fields.texts("annotations")?.unwrap_or_default()),
                starts_at: fields.time("startsAt")?.flatten(),
                ends_at: fields.time("endsAt")?.flatten(),
                generator_url: fields.text("generatorURL")?.unwrap_or_default().to_owned(),
            },
        ));
    }
    let mut posted = Vec::with_capacity(read.len());
    for (number, (labels, alert)) in read.into_iter().enumerate() {
        let url = &alert.generator_url;
        if !url.is_empty() && !is_uri(url) {
            let message = format!("{number}.generatorURL in body must be of type uri: \"{url}\"");
            return Err(misfit(WRONG_TYPE, message));
        }
        let Some(labels) = labels else { return Err(required(&format!("{number}.labels in body"))) };
        posted.push(PostedAlert { labels: Labels::from_pairs(labels), ..alert });
    }
    Ok(posted)
}
