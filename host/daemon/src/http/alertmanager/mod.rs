//! Alertmanager's API v2, so that amtool, Grafana and an external Prometheus work with us as they do with it: same paths, same
//! checks in the same order, same status codes and, where it has words of its own, the same words.

#![allow(clippy::result_large_err, reason = "what refuses a request is its response, made once and passed up at once")]

mod alerts;
mod body;
mod refusal;
mod silences;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use watchglass_alerts::parse_matcher;
use watchglass_model::Matcher;

use super::params::Params;
use crate::daemon::Daemon;
use crate::time::rfc3339;
use refusal::{bad, not_allowed};

pub(crate) use refusal::not_found;

/// The version of Alertmanager whose API this is: amtool warns where it is not its own.
const ALERTMANAGER_VERSION: &str = "0.33.1";

/// Its paths.
pub(crate) fn router() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/api/v2/status", get(status).fallback(not_allowed("GET")))
        .route("/api/v2/receivers", get(receivers).fallback(not_allowed("GET")))
        .route("/api/v2/alerts", get(alerts::list).post(alerts::post).fallback(not_allowed("GET,POST")))
        .route("/api/v2/alerts/groups", get(alerts::groups).fallback(not_allowed("GET")))
        .route("/api/v2/silences", get(silences::list).post(silences::post).fallback(not_allowed("GET,POST")))
        .route("/api/v2/silence/{id}", delete(silences::delete).get(silences::one).fallback(not_allowed("DELETE,GET")))
}

async fn status(State(daemon): State<Arc<Daemon>>) -> Response {
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

async fn receivers(State(daemon): State<Arc<Daemon>>) -> Response {
    let all: Vec<Value> = daemon
        .receivers()
        .into_iter()
        .map(|(name, mut labels)| {
            labels.insert("name".to_owned(), name.clone());
            json!({ "name": name, "labels": labels })
        })
        .collect();
    Json(all).into_response()
}

/// All `filter=`, one matcher each.
fn filter(params: &Params) -> Result<Vec<Matcher>, Response> {
    params.all("filter").map(|text| parse_matcher(text).map_err(|e| bad(e.to_string()))).collect()
}
