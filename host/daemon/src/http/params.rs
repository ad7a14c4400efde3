//! Parameters of a request, from its query string and, where it is a form, its body.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use watchglass_model::{DurationMs, Matcher, TimeMs};
use watchglass_promql::ast::Expr;
use watchglass_promql::{ParserOptions, parse};

use super::respond::ApiError;

/// A form is text that a person or a dashboard wrote; past this it is something else.
const FORM_BYTES_MAX: usize = 10 << 20;

/// Parameters in the order in which they came, those of the body first, as Go's `Request.Form` has them.
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Params, Response> {
        let query = request.uri().query().unwrap_or("").to_owned();
        let is_form = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.starts_with("application/x-www-form-urlencoded"));
        let mut pairs = Vec::new();
        if is_form {
            let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
            if body.len() > FORM_BYTES_MAX {
                return Err(ApiError::BadData(format!("form of {} bytes; {FORM_BYTES_MAX} are allowed", body.len()))
                    .into_response());
            }
            pairs.extend(url::form_urlencoded::parse(&body).into_owned());
        }
        pairs.extend(url::form_urlencoded::parse(query.as_bytes()).into_owned());
        Ok(Params(pairs))
    }
}

impl Params {
    /// The first value of a parameter; an empty one counts as missing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::invalid(name, "parameter is missing"))
    }

    /// A time: Unix seconds, or RFC 3339.
    pub(crate) fn time(&self, name: &str) -> Result<Option<TimeMs>, ApiError> {
        self.get(name)
            .map(|text| {
                parse_time(text)
                    .ok_or_else(|| ApiError::invalid(name, &format!("cannot parse \"{text}\" to a valid timestamp")))
            })
            .transpose()
    }

    /// A duration: seconds, or a Prometheus duration. In milliseconds.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| {
                parse_step(text)
                    .ok_or_else(|| ApiError::invalid(name, &format!("cannot parse \"{text}\" to a valid duration")))
            })
            .transpose()
    }

    /// `limit`: how many results at most; 0 or missing: all.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        match self.get("limit") {
            None => Ok(0),
            Some(text) => text.parse().map_err(|_| ApiError::invalid("limit", "limit must be a non-negative number")),
        }
    }

    /// `match[]`: sets of matchers, each written as a series selector.
    pub(crate) fn matcher_sets(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        self.all("match[]")
            .map(|text| {
                let expr =
                    parse(text, ParserOptions::default()).map_err(|e| ApiError::invalid("match[]", &e.to_string()))?;
                let Expr::Vector(selector) = expr else {
                    return Err(ApiError::invalid("match[]", &format!("`{text}` is no series selector")));
                };
                let matchers = selector.matchers;
                if matchers.iter().all(Matcher::matches_empty) {
                    return Err(ApiError::invalid("match[]", "match[] must contain at least one non-empty matcher"));
                }
                Ok(matchers)
            })
            .collect()
    }
}

/// A time as the API takes it: Unix seconds with decimals, or RFC 3339.
pub(crate) fn parse_time(text: &str) -> Option<TimeMs> {
    if let Ok(seconds) = text.parse::<f64>() {
        // What Prometheus' clients send for "the beginning" and "the end" of time fits a double, not milliseconds: saturate.
        return (!seconds.is_nan()).then(|| (seconds * 1000.0).round() as i64);
    }
    text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

fn parse_step(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds * 1000.0;
        return (ms.is_finite() && ms.abs() < i64::MAX as f64).then_some(ms as i64);
    }
    DurationMs::parse(text).ok().map(DurationMs::millis)
}
