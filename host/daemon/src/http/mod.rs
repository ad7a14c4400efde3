//! The HTTP API: Prometheus' v1, Alertmanager's v2, health, metrics.

mod alertmanager;
mod explain;
mod federation;
mod meta;
mod params;
mod plugins;
mod query;
mod respond;
mod rules;
mod server;
mod status;
mod targets;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};

pub(crate) use server::serve;

use crate::daemon::Daemon;

/// The largest body of a request: a remote write of 10,000 series is below 2 MiB.
const BODY_BYTES_MAX: usize = 32 << 20;

/// All paths.
pub(crate) fn router(daemon: Arc<Daemon>) -> Router {
    Router::new()
        .route("/", get(status::index))
        .route("/-/healthy", get(status::healthy).head(status::healthy))
        .route("/-/ready", get(status::ready).head(status::ready))
        .route("/-/reload", post(status::reload).put(status::reload))
        .route("/metrics", get(status::metrics))
        .route("/federate", get(status::federate))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/format_query", get(query::format_query).post(query::format_query))
        .route("/api/v1/parse_query", get(query::parse_query).post(query::parse_query))
        .route("/api/v1/query_exemplars", get(query::exemplars).post(query::exemplars))
        .route("/api/v1/series", get(meta::series).post(meta::series))
        .route("/api/v1/labels", get(meta::labels).post(meta::labels))
        .route("/api/v1/label/{name}/values", get(meta::label_values))
        .route("/api/v1/metadata", get(meta::metadata))
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/scrape_pools", get(targets::scrape_pools))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/alertmanagers", get(rules::alertmanagers))
        .route("/api/v1/explain", get(rules::explain))
        .route("/api/v1/plugins", get(plugins::plugins))
        .route("/api/v1/write", post(write::write))
        .route("/api/v1/status/buildinfo", get(status::buildinfo))
        .route("/api/v1/status/runtimeinfo", get(status::runtimeinfo))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .merge(alertmanager::router())
        .fallback(any(status::not_found))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(daemon)
}
