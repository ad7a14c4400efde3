//! `/api/v1/targets`, `scrape_pools`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::params::Params;
use super::respond::{ApiError, success};
use crate::daemon::Daemon;
use crate::time::rfc3339;

pub(crate) async fn targets(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let state = params.get("state").unwrap_or("any").to_lowercase();
    if !["any", "active", "dropped"].contains(&state.as_str()) {
        return Err(ApiError::invalid("state", &format!("not supported value \"{state}\"")));
    }
    let pool = params.get("scrapePool");
    let (mut active, mut dropped): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut dropped_counts = serde_json::Map::new();
    for view in daemon.collection.targets() {
        if pool.is_some_and(|p| p != view.job) {
            continue;
        }
        for target in &view.active {
            active.push(json!({
                "discoveredLabels": target.discovered,
                "labels": target.labels,
                "scrapePool": view.job,
                "scrapeUrl": target.url,
                "globalUrl": target.url,
                "lastError": target.last_error,
                "lastScrape": rfc3339(target.last_scrape),
                "lastScrapeDuration": target.last_duration.as_secs_f64(),
                "health": target.health,
                "scrapeInterval": target.interval,
                "scrapeTimeout": target.timeout,
                "plugin": view.plugin,
                "evidence": target.evidence.iter().map(|e| json!({ "about": e.about, "text": e.text })).collect::<Vec<_>>(),
            }));
        }
        dropped_counts.insert(view.job.clone(), json!(view.dropped.len()));
        dropped.extend(view.dropped.iter().map(|labels| json!({ "discoveredLabels": labels, "scrapePool": view.job })));
    }
    if state == "dropped" {
        active.clear();
    }
    if state == "active" {
        dropped.clear();
    }
    Ok(success(json!({ "activeTargets": active, "droppedTargets": dropped, "droppedTargetCounts": dropped_counts })))
}

pub(crate) async fn scrape_pools(State(daemon): State<Arc<Daemon>>) -> Response {
    let pools: Vec<String> = daemon.collection.targets().into_iter().map(|v| v.job).collect();
    success(json!({ "scrapePools": pools }))
}
