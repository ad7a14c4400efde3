//! Why a message was not taken, and whether trying again can help.

use watchglass_alerts::Outcome;
use watchglass_model::TimeMs;
use watchglass_text::gotime::Time;

/// What kind of failure it is, in the words of Alertmanager's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// Not one of the others.
    Other,
    /// The receiver refuses who we are (401, 403).
    Auth,
    /// The receiver refuses what we send (other 4xx, or an error in its answer).
    Client,
    /// The receiver asks for less (429).
    RateLimited,
    /// The receiver fails (5xx).
    Server,
    /// No answer in time.
    Timeout,
}

impl FailureReason {
    /// All words that [`FailureReason::as_str`] gives, and those that only Alertmanager has.
    pub const WORDS: [&str; 5] = ["clientError", "contextCanceled", "contextDeadlineExceeded", "other", "serverError"];

    /// The `reason` label of Alertmanager's metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::Other => "other",
            FailureReason::Auth | FailureReason::Client | FailureReason::RateLimited => "clientError",
            FailureReason::Server => "serverError",
            FailureReason::Timeout => "contextDeadlineExceeded",
        }
    }
}

/// A message that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// Why, without secrets.
    pub error: String,
    /// Whether trying again can help.
    pub retry: bool,
    /// How long the receiver asked to be left alone, ms.
    pub retry_after: Option<i64>,
    /// What kind it is.
    pub reason: FailureReason,
}

/// The longest pause that a receiver may ask for: an hour. Beyond it asking again is kinder than silence.
const MAX_RETRY_AFTER: i64 = 3_600_000;

/// How much of an answer is shown in an error, in bytes.
const MAX_SHOWN: usize = 300;

impl Failure {
    /// One that trying again won't mend.
    pub fn lasting(error: impl Into<String>, reason: FailureReason) -> Failure {
        Failure { error: error.into(), retry: false, retry_after: None, reason }
    }

    /// One that may pass.
    pub fn passing(error: impl Into<String>, reason: FailureReason) -> Failure {
        Failure { error: error.into(), retry: true, retry_after: None, reason }
    }

    /// From an HTTP status other than 2xx: 5xx and 429 may pass.
    pub fn status(status: u16, body: &str, retry_after: Option<i64>) -> Failure {
        let reason = match status {
            401 | 403 => FailureReason::Auth,
            429 => FailureReason::RateLimited,
            400..=499 => FailureReason::Client,
            500..=599 => FailureReason::Server,
            _ => FailureReason::Other,
        };
        let shown = shown(body);
        let details = if shown.is_empty() { String::new() } else { format!(": {shown}") };
        let retry = status == 429 || (500..600).contains(&status);
        Failure { error: format!("unexpected status code {status}{details}"), retry, retry_after, reason }
    }

    /// What the state machine is told.
    pub fn outcome(&self) -> Outcome {
        Outcome::Failed { error: self.error.clone(), retry: self.retry, retry_after: self.retry_after }
    }

    /// The same with these texts made unreadable, wherever they stand in the error.
    pub(crate) fn without_secrets(mut self, secrets: &[&str]) -> Failure {
        self.error = scrub(&self.error, secrets);
        self
    }

    /// The same with an address and its secret parts made unreadable.
    pub(crate) fn without_url(self, url: &str) -> Failure {
        let parsed = url::Url::parse(url).ok();
        let mut secrets = vec![url.to_owned()];
        if let Some(parsed) = &parsed {
            secrets.push(parsed.to_string());
            secrets.push(parsed[url::Position::BeforePath..].to_owned());
            secrets.extend(parsed.password().map(str::to_owned));
            // The parts of the path that look like tokens.
            secrets.extend(parsed.path_segments().into_iter().flatten().filter(|s| s.len() >= 8).map(str::to_owned));
        }
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        self.without_secrets(&secrets)
    }
}

/// An answer's text for an error: its first line, cut.
pub(crate) fn shown(body: &str) -> String {
    let line = body.trim().lines().next().unwrap_or_default();
    let mut end = line.len().min(MAX_SHOWN);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].to_owned()
}

/// Replaces secrets by `<secret>`. Very short ones stay: they would take harmless text with them.
pub(crate) fn scrub(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| s.len() >= 4) {
        text = text.replace(secret, "<secret>");
    }
    text
}

/// A `Retry-After` header: seconds, or a date; in ms from `now`, bounded.
pub(crate) fn retry_after(header: &str, now: TimeMs) -> Option<i64> {
    let header = header.trim();
    let wait = match header.parse::<u32>() {
        Ok(seconds) => i64::from(seconds) * 1000,
        Err(_) => Time::parse("Mon, 02 Jan 2006 15:04:05 MST", header).ok()?.unix_ms() - now,
    };
    Some(wait.clamp(0, MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_say_whether_to_try_again() {
        let retry = [101, 301, 400, 401, 404, 429, 500, 503].map(|s| Failure::status(s, "", None).retry);
        assert_eq!(retry, [false, false, false, false, false, true, true, true]);
        let failure = Failure::status(500, "  broken\nmore", None);
        assert_eq!(failure.error, "unexpected status code 500: broken");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 30 ", 0), Some(30_000));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20_000), Some(40_000));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 90_000), Some(0));
        assert_eq!(retry_after("4000000000", 0), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("soon", 0), None);
    }

    #[test]
    fn secrets_are_taken_out() {
        let url = "https://u:password@hooks/T0/abcdefgh?x=1";
        for quoted in [url, "/T0/abcdefgh?x=1", "abcdefgh", "password"] {
            let failure = Failure::passing(format!("POST {quoted} failed"), FailureReason::Other);
            assert_eq!(failure.without_url(url).error, "POST <secret> failed", "{quoted}");
        }
    }
}
