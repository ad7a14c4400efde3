//! Silences: made, changed, shown, ended.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use watchglass_alerts::{Silence, SilenceError, silence_matches_filter};
use watchglass_model::{MatchOp, Matcher, TimeMs};

use super::body::{self, fields, required};
use super::refusal::{TOO_FEW, WRONG_TYPE, bad, misfit, refuse};
use crate::daemon::Daemon;
use crate::http::params::Params;
use crate::time::{new_uuid, rfc3339};

fn matcher_json(matcher: &Matcher) -> Value {
    let op = matcher.op();
    json!({
        "name": matcher.name(),
        "value": matcher.value(),
        "isRegex": matches!(op, MatchOp::Regex | MatchOp::NotRegex),
        "isEqual": matches!(op, MatchOp::Equal | MatchOp::Regex),
    })
}

fn silence_json(silence: &Silence, now: TimeMs) -> Value {
    let sets: Vec<Vec<Value>> = silence.matcher_sets.iter().map(|set| set.iter().map(matcher_json).collect()).collect();
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

/// `GET /api/v2/silences`
pub(super) async fn list(State(daemon): State<Arc<Daemon>>, params: Params) -> Result<Response, Response> {
    let wanted = super::filter(&params)?;
    let now = crate::now();
    let machine = daemon.alerting.look();
    let passing = machine.silences(now).into_iter().filter(|s| silence_matches_filter(s, &wanted));
    Ok(Json(passing.map(|s| silence_json(s, now)).collect::<Vec<_>>()).into_response())
}

/// An id in a path is a UUID, or there is no need to look.
fn check_id(id: &str) -> Result<(), Response> {
    let fits = |(at, b): (usize, u8)| if [8, 13, 18, 23].contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() };
    if id.len() == 36 && id.bytes().enumerate().all(fits) {
        return Ok(());
    }
    Err(misfit(WRONG_TYPE, format!("silenceID in path must be of type uuid: \"{id}\"")))
}

/// `GET /api/v2/silence/{id}`
pub(super) async fn one(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Response, Response> {
    check_id(&id)?;
    Ok(match daemon.alerting.look().silence(&id) {
        Some(silence) => Json(silence_json(silence, crate::now())).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

/// `DELETE /api/v2/silence/{id}`
pub(super) async fn delete(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Response, Response> {
    check_id(&id)?;
    Ok(match daemon.alerting.change(|machine| machine.expire_silence(&id, crate::now())) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(SilenceError::NotFound) => StatusCode::NOT_FOUND.into_response(),
        Err(e) => refuse(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
    })
}

/// `POST /api/v2/silences`
pub(super) async fn post(
    State(daemon): State<Arc<Daemon>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let silence = posted_silence(&body::json(&headers, &body, "silence")?)?;
    match daemon.alerting.change(|machine| machine.set_silence(silence, &new_uuid(), crate::now())) {
        Ok(id) => Ok(Json(json!({ "silenceID": id })).into_response()),
        Err(SilenceError::NotFound) => Err(refuse(StatusCode::NOT_FOUND, SilenceError::NotFound.to_string())),
        Err(e) => Err(bad(e.to_string())),
    }
}

/// Reads a silence. Types are looked at first, then what must be there, by name; then what it says.
fn posted_silence(body: &Value) -> Result<Silence, Response> {
    let empty = serde_json::Map::new();
    let fields = match body {
        Value::Null => body::Fields { map: &empty, what: "silence" },
        other => fields(other, "silence")?,
    };
    let (comment, created_by) = (fields.text("comment")?, fields.text("createdBy")?);
    let (starts_at, ends_at) = (fields.time("startsAt")?, fields.time("endsAt")?);
    // Several sets of matchers, any of which silences: newer than the one list, which need not be there then.
    let sets: Option<Vec<&Value>> = fields.list("matcherSets")?.map(|sets| sets.iter().collect());
    let sets: Vec<Option<&[Value]>> = match &sets {
        Some(sets) if !sets.is_empty() => {
            sets.iter().map(|set| body::fields(set, "silence")?.list("matchers")).collect::<Result<_, _>>()?
        }
        _ => vec![fields.list("matchers")?],
    };
    let raw = sets
        .iter()
        .map(|set| set.map(|items| items.iter().map(RawMatcher::read).collect::<Result<Vec<_>, _>>()).transpose())
        .collect::<Result<Vec<_>, _>>()?;

    let missing = |key: &str| required(&format!("{key} in body"));
    let comment = comment.ok_or_else(|| missing("comment"))?;
    let created_by = created_by.ok_or_else(|| missing("createdBy"))?;
    let ends_at = ends_at.ok_or_else(|| missing("endsAt"))?;
    let mut matcher_sets = Vec::with_capacity(raw.len());
    for (number, set) in raw.into_iter().enumerate() {
        let set = set.ok_or_else(|| missing("matchers"))?;
        if set.is_empty() {
            return Err(misfit(TOO_FEW, "matchers in body should have at least 1 items"));
        }
        matcher_sets.push((number, set));
    }
    for (_, set) in &matcher_sets {
        set.iter().enumerate().try_for_each(|(at, matcher)| matcher.check(at))?;
    }
    let starts_at = starts_at.ok_or_else(|| missing("startsAt"))?;
    let matcher_sets = matcher_sets
        .into_iter()
        .map(|(number, set)| set.iter().enumerate().map(|(at, m)| m.matcher(at, number)).collect())
        .collect::<Result<Vec<Vec<Matcher>>, Response>>()?;
    Ok(Silence {
        id: fields.text("id")?.unwrap_or_default().to_owned(),
        matcher_sets,
        starts_at: starts_at.unwrap_or(0),
        ends_at: ends_at.unwrap_or(0),
        updated_at: 0,
        created_by: created_by.to_owned(),
        comment: comment.to_owned(),
        annotations: fields.texts("annotations")?.unwrap_or_default(),
    })
}

/// A matcher as it came.
struct RawMatcher<'a> {
    name: Option<&'a str>,
    value: Option<&'a str>,
    is_regex: Option<bool>,
    is_equal: bool,
}

impl<'a> RawMatcher<'a> {
    fn read(item: &'a Value) -> Result<RawMatcher<'a>, Response> {
        let fields = fields(item, "silence")?;
        Ok(RawMatcher {
            name: fields.text("name")?,
            value: fields.text("value")?,
            is_regex: fields.flag("isRegex")?,
            is_equal: fields.flag("isEqual")?.unwrap_or(true),
        })
    }

    fn check(&self, at: usize) -> Result<(), Response> {
        let there =
            [("isRegex", self.is_regex.is_some()), ("name", self.name.is_some()), ("value", self.value.is_some())];
        match there.iter().find(|(_, there)| !there) {
            Some((key, _)) => Err(required(&format!("matchers.{at}.{key} in body"))),
            None => Ok(()),
        }
    }

    fn matcher(&self, at: usize, set: usize) -> Result<Matcher, Response> {
        let op = match (self.is_regex.unwrap_or(false), self.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        let value = self.value.unwrap_or_default();
        Matcher::new(self.name.unwrap_or_default(), op, value).map_err(|e| {
            bad(format!(
                "invalid silence: invalid label matcher {at} in set {set}: invalid regular expression \"{value}\": error parsing regexp: {}",
                e.reason
            ))
        })
    }
}
