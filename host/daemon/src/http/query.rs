//! `/api/v1/query`, `query_range`, `format_query`, `parse_query`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use watchglass_promql::{QueryError, QueryValue, SourceError, parse, prettify, tree};

use super::params::Params;
use super::respond::{ApiError, query_success, success};
use crate::daemon::Daemon;
use crate::query_service::{Failure, When};

/// Points of one series that a range query may give, as in Prometheus.
const POINTS_MAX: i64 = 11_000;

pub(crate) async fn instant(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let at = params.time("time")?.unwrap_or_else(crate::now);
    run(&daemon, &params, When::At(at)).await
}

pub(crate) async fn range(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    params.required("start")?;
    params.required("end")?;
    params.required("step")?;
    let (Some(start), Some(end), Some(step)) = (params.time("start")?, params.time("end")?, params.duration("step")?)
    else {
        return Err(ApiError::invalid("start", "parameter is missing"));
    };
    if end < start {
        return Err(ApiError::invalid("end", "end timestamp must not be before start time"));
    }
    if step <= 0 {
        return Err(ApiError::invalid(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if end.saturating_sub(start) / step > POINTS_MAX {
        return Err(ApiError::BadData(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)".to_owned(),
        ));
    }
    run(&daemon, &params, When::Range { start, end, step }).await
}

async fn run(daemon: &Daemon, params: &Params, when: When) -> Result<Response, ApiError> {
    let text = params.get("query").unwrap_or("").to_owned();
    let limit = params.limit()?;
    let timeout = params.duration("timeout")?.map(|ms| Duration::from_millis(ms.max(0) as u64));
    let lookback = params.duration("lookback_delta")?;
    let started = std::time::Instant::now();
    let result = daemon.queries.run(text, when, timeout, lookback).await;
    daemon.counters.query(started.elapsed(), result.is_ok());
    let mut result = result.map_err(|failure| match failure {
        Failure::Parse(e) => ApiError::invalid("query", &e),
        Failure::Timeout(after) => {
            ApiError::Timeout(format!("query timed out after {after:?} in expression evaluation"))
        }
        Failure::Query(QueryError::Source(SourceError::Cancelled)) => {
            ApiError::Canceled("query was canceled".to_owned())
        }
        Failure::Query(e) => ApiError::Execution(e.to_string()),
        Failure::Bug(e) => ApiError::Internal(e),
    })?;
    if limit > 0 && truncate(&mut result.value, limit) {
        result.warnings.push("results truncated due to limit".to_owned());
    }
    Ok(query_success(&result.value, &result.warnings, &result.infos))
}

fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    match value {
        QueryValue::Vector(v) if v.len() > limit => v.truncate(limit),
        QueryValue::Matrix(m) if m.len() > limit => m.truncate(limit),
        _ => return false,
    }
    true
}

pub(crate) async fn format_query(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let expr = parse(params.get("query").unwrap_or(""), daemon.queries.parser)
        .map_err(|e| ApiError::invalid("query", &e.to_string()))?;
    Ok(success(prettify(&expr, 100)))
}

pub(crate) async fn parse_query(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let expr = parse(params.get("query").unwrap_or(""), daemon.queries.parser)
        .map_err(|e| ApiError::invalid("query", &e.to_string()))?;
    Ok(success(tree(&expr)))
}

/// Exemplars are read from what is collected and not kept: an empty answer, which is what Grafana probes for.
pub(crate) async fn exemplars(params: Params) -> Result<Response, ApiError> {
    params.required("query")?;
    Ok(success(serde_json::json!([])))
}
