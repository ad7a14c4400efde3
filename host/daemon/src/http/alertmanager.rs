//! Alertmanager's API v2, so that amtool, Grafana and an external Prometheus work with us as they do with it.

#![allow(clippy::result_large_err, reason = "what refuses a request is its response, made once and passed up at once")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watchglass_alerts::{AlertFilter, AlertView, GroupFilter, PostedAlert, Silence, SilenceError, parse_matchers};
use watchglass_model::{Labels, MatchOp, Matcher, TimeMs};

use super::params::{Params, parse_time};
use crate::daemon::Daemon;
use crate::time::{new_uuid, rfc3339};

/// The version of Alertmanager whose API this is: amtool warns where it is not its own.
const ALERTMANAGER_VERSION: &str = "0.33.1";

/// An answer that is no success: v2 answers with a JSON string.
fn refuse(status: StatusCode, why: impl Into<String>) -> Response {
    (status, Json(Value::String(why.into()))).into_response()
}

fn bad(why: impl Into<String>) -> Response {
    refuse(StatusCode::BAD_REQUEST, why)
}

pub(crate) async fn status(State(daemon): State<Arc<Daemon>>) -> Response {
    let original = daemon.alertmanager_config_text();
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "versionInfo": {
            "version": ALERTMANAGER_VERSION, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
        },
        "config": { "original": original },
        "uptime": rfc3339(daemon.started),
    }))
    .into_response()
}

pub(crate) async fn receivers(State(daemon): State<Arc<Daemon>>) -> Response {
    let names: Vec<Value> = daemon.receivers().into_iter().map(|name| json!({ "name": name })).collect();
    Json(names).into_response()
}

fn filter(params: &Params) -> Result<AlertFilter, Response> {
    let flag = |name: &str| match params.get(name) {
        None => Ok(true),
        Some(text) => text.parse::<bool>().map_err(|_| bad(format!("{name}: `{text}` is neither true nor false"))),
    };
    let mut matchers = Vec::new();
    for text in params.all("filter") {
        matchers.extend(parse_matchers(text).map_err(|e| bad(format!("bad matcher format: {e}")))?);
    }
    let receiver = match params.get("receiver") {
        None => None,
        Some(text) => Some(
            regex::Regex::new(&format!("^(?:{text})$"))
                .map_err(|e| bad(format!("failed to parse receiver param: {e}")))?,
        ),
    };
    Ok(AlertFilter {
        matchers,
        active: flag("active")?,
        silenced: flag("silenced")?,
        inhibited: flag("inhibited")?,
        unprocessed: flag("unprocessed")?,
        receiver,
    })
}

fn alert_json(view: &AlertView) -> Value {
    json!({
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
        "generatorURL": view.alert.generator_url,
        "labels": view.alert.labels,
    })
}

pub(crate) async fn alerts(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, Response> {
    let views = daemon.alerting.look().alerts(&filter(&params)?, crate::now());
    Ok(Json(views.iter().map(alert_json).collect::<Vec<_>>()).into_response())
}

pub(crate) async fn groups(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, Response> {
    let muted = params.get("muted") != Some("false");
    let groups = daemon.alerting.look().groups(&GroupFilter { alerts: filter(&params)?, muted }, crate::now());
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

/// A missing time and Go's zero time both mean "not given".
fn optional_time(text: Option<&str>, key: &str) -> Result<Option<TimeMs>, Response> {
    match text {
        None | Some("" | "0001-01-01T00:00:00Z" | "0001-01-01T00:00:00.000Z") => Ok(None),
        Some(text) => parse_time(text).map(Some).ok_or_else(|| bad(format!("{key}: `{text}` is no RFC 3339 time"))),
    }
}

pub(crate) async fn post_alerts(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Result<Response, Response> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Posted {
        labels: BTreeMap<String, String>,
        #[serde(default)]
        annotations: BTreeMap<String, String>,
        starts_at: Option<String>,
        ends_at: Option<String>,
        #[serde(default, rename = "generatorURL")]
        generator_url: String,
    }
    let posted: Vec<Posted> = serde_json::from_slice(&body).map_err(|e| bad(format!("alerts can't be read: {e}")))?;
    let mut alerts = Vec::with_capacity(posted.len());
    for alert in posted {
        alerts.push(PostedAlert {
            labels: Labels::from_pairs(&alert.labels),
            annotations: Labels::from_pairs(&alert.annotations),
            starts_at: optional_time(alert.starts_at.as_deref(), "startsAt")?,
            ends_at: optional_time(alert.ends_at.as_deref(), "endsAt")?,
            generator_url: alert.generator_url,
        });
    }
    let errors = daemon.alerting.change(|machine| machine.post(&alerts, crate::now()));
    if errors.is_empty() {
        return Ok(StatusCode::OK.into_response());
    }
    Err(bad(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct MatcherJson {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

impl MatcherJson {
    fn of(matcher: &Matcher) -> MatcherJson {
        let op = matcher.op();
        MatcherJson {
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
            is_regex: matches!(op, MatchOp::Regex | MatchOp::NotRegex),
            is_equal: matches!(op, MatchOp::Equal | MatchOp::Regex),
        }
    }

    fn matcher(&self) -> Result<Matcher, Response> {
        let op = match (self.is_regex, self.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        Matcher::new(&self.name, op, &self.value).map_err(|e| bad(e.to_string()))
    }
}

fn silence_json(silence: &Silence, now: TimeMs) -> Value {
    let sets: Vec<Vec<MatcherJson>> =
        silence.matcher_sets.iter().map(|set| set.iter().map(MatcherJson::of).collect()).collect();
    let mut out = json!({
        "id": silence.id,
        "status": { "state": silence.state(now).as_str() },
        "updatedAt": rfc3339(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": rfc3339(silence.ends_at),
        "startsAt": rfc3339(silence.starts_at),
        "matchers": sets.first(),
    });
    if !silence.annotations.is_empty() {
        out["annotations"] = json!(silence.annotations);
    }
    // One set is what every client knows; several need the newer key.
    if sets.len() > 1 {
        out["matcherSets"] = json!(sets.iter().map(|set| json!({ "matchers": set })).collect::<Vec<_>>());
    }
    out
}

pub(crate) async fn silences(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, Response> {
    let wanted = filter(&params)?.matchers;
    let now = crate::now();
    let machine = daemon.alerting.look();
    // A filter names labels and values that one of the silence's own matchers must have.
    let passes = |silence: &Silence| {
        silence
            .matcher_sets
            .iter()
            .any(|set| wanted.iter().all(|w| set.iter().any(|m| m.name() == w.name() && w.matches(m.value()))))
    };
    let found: Vec<Value> =
        machine.silences(now).into_iter().filter(|s| passes(s)).map(|s| silence_json(s, now)).collect();
    Ok(Json(found).into_response())
}

pub(crate) async fn silence(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Response {
    match daemon.alerting.look().silence(&id) {
        Some(silence) => Json(silence_json(silence, crate::now())).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(crate) async fn post_silence(State(daemon): State<Arc<Daemon>>, body: Bytes) -> Result<Response, Response> {
    #[derive(Deserialize)]
    struct Set {
        matchers: Vec<MatcherJson>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Posted {
        #[serde(default)]
        id: Option<String>,
        #[serde(default)]
        matchers: Vec<MatcherJson>,
        #[serde(default)]
        matcher_sets: Vec<Set>,
        starts_at: String,
        ends_at: String,
        created_by: String,
        comment: String,
        #[serde(default)]
        annotations: Option<BTreeMap<String, String>>,
    }
    let posted: Posted = serde_json::from_slice(&body).map_err(|e| bad(format!("the silence can't be read: {e}")))?;
    let sets: Vec<Vec<MatcherJson>> = if posted.matcher_sets.is_empty() {
        vec![posted.matchers]
    } else {
        posted.matcher_sets.into_iter().map(|s| s.matchers).collect()
    };
    let matcher_sets = sets
        .iter()
        .map(|set| set.iter().map(MatcherJson::matcher).collect())
        .collect::<Result<Vec<Vec<Matcher>>, Response>>()?;
    let time =
        |text: &str, key: &str| parse_time(text).ok_or_else(|| bad(format!("{key}: `{text}` is no RFC 3339 time")));
    let silence = Silence {
        id: posted.id.unwrap_or_default(),
        matcher_sets,
        starts_at: time(&posted.starts_at, "startsAt")?,
        ends_at: time(&posted.ends_at, "endsAt")?,
        updated_at: 0,
        created_by: posted.created_by,
        comment: posted.comment,
        annotations: posted.annotations.unwrap_or_default(),
    };
    let now = crate::now();
    if silence.ends_at < now {
        return Err(bad("end time can't be in the past"));
    }
    match daemon.alerting.change(|machine| machine.set_silence(silence, &new_uuid(), now)) {
        Ok(id) => Ok(Json(json!({ "silenceID": id })).into_response()),
        Err(SilenceError::NotFound) => Err(refuse(StatusCode::NOT_FOUND, SilenceError::NotFound.to_string())),
        Err(e) => Err(bad(e.to_string())),
    }
}

pub(crate) async fn delete_silence(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Response {
    match daemon.alerting.change(|machine| machine.expire_silence(&id, crate::now())) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(SilenceError::NotFound) => StatusCode::NOT_FOUND.into_response(),
        Err(e) => refuse(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
    }
}
