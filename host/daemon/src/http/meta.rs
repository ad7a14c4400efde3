//! `/api/v1/series`, `labels`, `label/NAME/values`, `metadata`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::params::Params;
use super::respond::{ApiError, success, success_with};
use crate::daemon::Daemon;

/// The time range of a request; all of time where it names none.
fn bounds(params: &Params) -> Result<(i64, i64), ApiError> {
    let (start, end) = (params.time("start")?.unwrap_or(i64::MIN), params.time("end")?.unwrap_or(i64::MAX));
    if end < start {
        return Err(ApiError::invalid("end", "end timestamp must not be before start timestamp"));
    }
    Ok((start, end))
}

/// One more than asked for tells whether there is more; 0 is all to the store too.
fn one_more(limit: usize) -> usize {
    if limit > 0 { limit + 1 } else { 0 }
}

fn limited<T: Serialize>(mut items: Vec<T>, limit: usize) -> Response {
    if limit > 0 && items.len() > limit {
        items.truncate(limit);
        return success_with(items, &["results truncated due to limit".to_owned()], &[]);
    }
    success(items)
}

/// Runs a look-up of the store off the async threads.
async fn blocking<T: Send + 'static>(
    daemon: &Arc<Daemon>,
    work: impl FnOnce(&watchglass_store::Store) -> Result<T, watchglass_store::SelectError> + Send + 'static,
) -> Result<T, ApiError> {
    let store = Arc::clone(&daemon.store);
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(result) => result.map_err(|e| ApiError::Execution(e.to_string())),
        Err(panic) => Err(ApiError::Internal(format!("bug: a look-up in the store panicked: {panic}"))),
    }
}

pub(crate) async fn series(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let sets = params.matcher_sets()?;
    if sets.is_empty() {
        return Err(ApiError::BadData("no match[] parameter provided".to_owned()));
    }
    let ((start, end), limit) = (bounds(&params)?, params.limit()?);
    let found = blocking(&daemon, move |store| store.series(&sets, start, end, one_more(limit))).await?;
    Ok(limited(found, limit))
}

pub(crate) async fn labels(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    let (sets, (start, end), limit) = (params.matcher_sets()?, bounds(&params)?, params.limit()?);
    let found = blocking(&daemon, move |store| store.label_names(&sets, start, end, one_more(limit))).await?;
    Ok(limited(found, limit))
}

pub(crate) async fn label_values(
    State(daemon): State<Arc<Daemon>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let name = unescape_name(&name);
    if name.is_empty() {
        return Err(ApiError::BadData("invalid label name: \"\"".to_owned()));
    }
    let (sets, (start, end), limit) = (params.matcher_sets()?, bounds(&params)?, params.limit()?);
    let found = blocking(&daemon, move |store| store.label_values(&name, &sets, start, end, one_more(limit))).await?;
    Ok(limited(found, limit))
}

/// A label name as it may stand in a path: `U__` and `_HEX_` for what is no letter, digit or single underscore (the "values" escaping of
/// Prometheus' content negotiation). Anything else stands for itself.
fn unescape_name(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let Some(close) = rest.find('_') else { return name.to_owned() };
        let Some(c) = u32::from_str_radix(&rest[..close], 16).ok().and_then(char::from_u32) else {
            return name.to_owned();
        };
        out.push(c);
        rest = &rest[close + 1..];
    }
    out + rest
}

pub(crate) async fn metadata(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Entry {
        r#type: &'static str,
        help: String,
        unit: String,
    }
    let (limit, wanted) = (params.limit()?, params.get("metric"));
    let mut found: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for meta in daemon.store.metadata() {
        if wanted.is_some_and(|name| name != meta.name) {
            continue;
        }
        if limit > 0 && found.len() >= limit && !found.contains_key(&meta.name) {
            continue;
        }
        found.entry(meta.name).or_default().push(Entry {
            r#type: meta.kind.as_str(),
            help: meta.help,
            unit: meta.unit,
        });
    }
    Ok(success(found))
}

#[cfg(test)]
mod tests {
    use super::unescape_name;

    #[test]
    fn escaped_names() {
        for (escaped, name) in
            [("job", "job"), ("U__my_2e_name", "my.name"), ("U__a__b", "a_b"), ("U__bad_zz_", "U__bad_zz_")]
        {
            assert_eq!(unescape_name(escaped), name);
        }
    }
}
