//! What Slack answers.

use serde::Deserialize;

use crate::failure::{Failure, FailureReason, shown};
use crate::slack::message::Earlier;

/// An answer of Slack's API. Incoming webhooks answer `ok` as plain text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApiAnswer {
    ok: bool,
    error: String,
    channel: String,
    ts: String,
}

/// Errors in an answer of status 200 that may pass by themselves.
const PASSING: [&str; 6] =
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

/// Errors that say that a message can't be changed any more.
const GONE: [&str; 5] =
    ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_inactive"];

/// Whether a failed change of a message means that a new one has to be posted.
pub(crate) fn is_gone(failure: &Failure) -> bool {
    failure.error.strip_prefix(API_ERROR).is_some_and(|error| GONE.contains(&error))
}

const API_ERROR: &str = "error response from Slack: ";

/// Reads an answer: where the message went, as far as Slack says, or why it wasn't taken. `retry_after` is the header's, ms.
pub fn read(status: u16, content_type: &str, body: &str, retry_after: Option<i64>) -> Result<Option<Earlier>, Failure> {
    if !(200..300).contains(&status) {
        return Err(Failure::status(status, body, retry_after));
    }
    if !content_type.starts_with("application/json") {
        return match body.trim() {
            "ok" => Ok(None),
            error => Err(refused(error, retry_after)),
        };
    }
    let parsed: ApiAnswer = serde_json::from_str(body).map_err(|e| {
        let error = format!("could not unmarshal JSON response \"{}\": {e}", shown(body));
        Failure { retry_after, ..Failure::passing(error, FailureReason::Client) }
    })?;
    if !parsed.ok {
        return Err(refused(&parsed.error, retry_after));
    }
    let known = !parsed.channel.is_empty() && !parsed.ts.is_empty();
    Ok(known.then_some(Earlier { channel: parsed.channel, ts: parsed.ts }))
}

fn refused(error: &str, retry_after: Option<i64>) -> Failure {
    let retry = PASSING.contains(&error.trim());
    Failure { error: format!("{API_ERROR}{}", shown(error)), retry, retry_after, reason: FailureReason::Client }
}
