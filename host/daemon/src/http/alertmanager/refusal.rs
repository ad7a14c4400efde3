//! Answers that are no success. Two shapes, both Alertmanager's: what its handlers refuse is a text; what does not fit the
//! description of its API is `{"code", "message"}`.

use std::future::{Ready, ready};

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A body or parameter is missing.
pub(super) const REQUIRED: u16 = 602;
/// One is not of its type or format.
pub(super) const WRONG_TYPE: u16 = 601;
/// A list is too short.
pub(super) const TOO_FEW: u16 = 612;

/// What a handler refuses.
pub(super) fn refuse(status: StatusCode, why: impl Into<String>) -> Response {
    (status, Json(Value::String(why.into()))).into_response()
}

/// What a handler refuses because of the request.
pub(super) fn bad(why: impl Into<String>) -> Response {
    refuse(StatusCode::BAD_REQUEST, why)
}

/// What does not fit the description of the API. Codes of 600 and more are finer than HTTP's, which is 422 then.
pub(super) fn misfit(code: u16, message: impl Into<String>) -> Response {
    let status = StatusCode::from_u16(if code >= 600 { 422 } else { code }).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({ "code": code, "message": message.into() }))).into_response()
}

/// A method that a path does not have.
pub(super) fn not_allowed(allowed: &'static str) -> impl Fn(Method) -> Ready<Response> + Clone + Send + Sync + 'static {
    move |method| ready(misfit(405, format!("method {method} is not allowed, but [{allowed}] are")))
}

/// A path that there is not.
pub(crate) fn not_found(uri: &Uri) -> Response {
    misfit(404, format!("path {} was not found", uri.path()))
}
