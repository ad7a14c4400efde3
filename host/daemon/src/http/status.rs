//! Health, metrics, and what the daemon says of itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use watchglass_model::exposition::{OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE, write_openmetrics, write_text};

use super::params::Params;
use super::respond::{ApiError, success};
use crate::daemon::Daemon;
use crate::time::rfc3339;

/// The version of Prometheus whose API and language this is: clients choose what they ask for by it.
const PROMETHEUS_VERSION: &str = "3.14.0";

pub(crate) async fn index(State(daemon): State<Arc<Daemon>>) -> Response {
    let targets = daemon.collection.targets();
    let up = targets.iter().flat_map(|v| &v.active).filter(|t| t.health == "up").count();
    let all: usize = targets.iter().map(|v| v.active.len()).sum();
    format!(
        "Watchglass {}\n\n{up} of {all} targets up, {} series in memory\n\n\
         /api/v1/query?query=up     PromQL; point Grafana's Prometheus data source at this address\n\
         /api/v1/targets            what is collected, and why something is down\n\
         /api/v1/rules              rules and alerts\n\
         /api/v1/plugins            plugins, what runs of them, what would start the others\n\
         /api/v2/alerts             Alertmanager's API, for amtool\n\
         /metrics                   the daemon's own metrics\n",
        env!("CARGO_PKG_VERSION"),
        daemon.store.stats().head_series,
    )
    .into_response()
}

pub(crate) async fn healthy() -> &'static str {
    "Watchglass is Healthy.\n"
}

pub(crate) async fn ready(State(daemon): State<Arc<Daemon>>) -> Response {
    if daemon.is_ready() {
        "Watchglass is Ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response()
    }
}

pub(crate) async fn reload(State(daemon): State<Arc<Daemon>>) -> Response {
    match daemon.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {e}\n")).into_response(),
    }
}

pub(crate) async fn not_found(uri: Uri) -> Response {
    if uri.path().starts_with("/api/v2/") {
        return super::alertmanager::not_found(&uri);
    }
    if uri.path().starts_with("/api/") {
        return ApiError::NotFound(format!("there is no {}", uri.path())).into_response();
    }
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

pub(crate) async fn metrics(State(daemon): State<Arc<Daemon>>, headers: HeaderMap) -> Response {
    let families = daemon.families();
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    if accept.contains("application/openmetrics-text") {
        return ([(header::CONTENT_TYPE, OPENMETRICS_CONTENT_TYPE)], write_openmetrics(&families)).into_response();
    }
    ([(header::CONTENT_TYPE, TEXT_CONTENT_TYPE)], write_text(&families)).into_response()
}

pub(crate) async fn federate(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let sets = params.matcher_sets()?;
    let (store, now, lookback) = (Arc::clone(&daemon.store), crate::now(), daemon.queries.options.lookback_ms);
    let external = daemon.config().external_labels();
    let families =
        tokio::task::spawn_blocking(move || super::federation::families(&store, &sets, now, lookback, &external))
            .await
            .map_err(|panic| ApiError::Internal(format!("bug: federation panicked: {panic}")))?
            .map_err(|e| ApiError::Execution(e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, TEXT_CONTENT_TYPE)], write_text(&families)).into_response())
}

pub(crate) async fn buildinfo() -> Response {
    success(json!({
        "version": PROMETHEUS_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": format!("watchglass {}", env!("CARGO_PKG_VERSION")),
        "buildDate": "",
        "goVersion": "",
    }))
}

pub(crate) async fn runtimeinfo(State(daemon): State<Arc<Daemon>>) -> Response {
    let (config, stats) = (daemon.config(), daemon.store.stats());
    success(json!({
        "startTime": rfc3339(daemon.started),
        "CWD": std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default(),
        "hostname": crate::hostname(),
        "serverTime": rfc3339(crate::now()),
        "reloadConfigSuccess": daemon.reload_succeeded(),
        "lastConfigTime": rfc3339(daemon.config_loaded_at()),
        "corruptionCount": stats.wal_corruptions,
        "goroutineCount": 0,
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, usize::from),
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": config.file.storage.retention.to_string(),
    }))
}

pub(crate) async fn config(State(daemon): State<Arc<Daemon>>) -> Response {
    // Our configuration is TOML; the key has the name under which clients look for it.
    success(json!({ "yaml": daemon.config().text }))
}

pub(crate) async fn flags(State(daemon): State<Arc<Daemon>>) -> Response {
    let config = daemon.config();
    success(json!({
        "config.file": config.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
        "storage.tsdb.path": config.data_dir().display().to_string(),
        "storage.tsdb.retention.time": config.file.storage.retention.to_string(),
        "query.lookback-delta": config.file.query.lookback_delta.to_string(),
        "query.max-concurrency": config.file.query.max_concurrency.to_string(),
        "query.max-samples": config.file.query.max_samples.to_string(),
        "query.timeout": config.file.query.timeout.to_string(),
        "web.listen-address": config.file.web.listen,
        "web.enable-remote-write-receiver": "true",
    }))
}

pub(crate) async fn tsdb(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let limit = match params.limit()? {
        0 => 10,
        n => n.min(10_000),
    };
    let store = Arc::clone(&daemon.store);
    let (stats, top) = tokio::task::spawn_blocking(move || (store.stats(), store.cardinality(limit)))
        .await
        .map_err(|panic| ApiError::Internal(format!("bug: the look at the head panicked: {panic}")))?;
    let list = |counts: &[watchglass_store::Count]| {
        counts.iter().map(|c| json!({ "name": c.name, "value": c.value })).collect::<Vec<_>>()
    };
    Ok(success(json!({
        "headStats": {
            "numSeries": stats.head_series,
            "numLabelPairs": top.label_pairs,
            "chunkCount": stats.head_chunks,
            "minTime": stats.head_min_time.unwrap_or(i64::MAX),
            "maxTime": stats.head_max_time.unwrap_or(i64::MIN),
        },
        "seriesCountByMetricName": list(&top.series_by_metric),
        "labelValueCountByLabelName": list(&top.values_by_label),
        "memoryInBytesByLabelName": list(&top.bytes_by_label),
        "seriesCountByLabelValuePair": list(&top.series_by_pair),
    })))
}
