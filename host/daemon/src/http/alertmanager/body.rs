//! Reading bodies: what is there, of which type. The words are Alertmanager's where it has some of its own; what its JSON library
//! says stands behind "because" in other words.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use watchglass_model::TimeMs;

use super::refusal::{REQUIRED, misfit};

/// A body as JSON. `what` is its name in the API's description.
pub(super) fn json(headers: &HeaderMap, body: &[u8], what: &str) -> Result<Value, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("application/json");
    if kind.split(';').next().unwrap_or("").trim() != "application/json" {
        return Err(misfit(415, format!("unsupported media type \"{kind}\", only [application/json] are allowed")));
    }
    if body.is_empty() {
        return Err(required(&format!("{what} in body")));
    }
    serde_json::from_slice(body).map_err(|e| unreadable(what, &e.to_string()))
}

/// A body of the wrong shape.
pub(super) fn unreadable(what: &str, why: &str) -> Response {
    misfit(400, format!("parsing {what} body from \"\" failed, because {why}"))
}

/// Something that must be there and is not.
pub(super) fn required(place: &str) -> Response {
    misfit(REQUIRED, format!("{place} is required"))
}

/// What a value is, for errors.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A JSON object's keys, read by type. Missing and null are the same, as in Go.
pub(super) struct Fields<'a> {
    pub(super) map: &'a Map<String, Value>,
    pub(super) what: &'a str,
}

impl<'a> Fields<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn wrong(&self, key: &str, value: &Value, wanted: &str) -> Response {
        unreadable(self.what, &format!("`{key}` is {}; {wanted} is needed", kind(value)))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Response> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, other, "a text")),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Response> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(key, other, "true or false")),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, Response> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.wrong(key, other, "a list")),
        }
    }

    /// A map of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Option<BTreeMap<String, String>>, Response> {
        let map = match self.get(key) {
            None => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(self.wrong(key, other, "an object")),
        };
        let mut texts = BTreeMap::new();
        for (name, value) in map {
            match value {
                Value::String(text) => drop(texts.insert(name.clone(), text.clone())),
                Value::Null => drop(texts.insert(name.clone(), String::new())),
                other => return Err(self.wrong(&format!("{key}.{name}"), other, "a text")),
            }
        }
        Ok(Some(texts))
    }

    /// A time. Go's zero time means "not given", as does an empty text.
    pub(super) fn time(&self, key: &str) -> Result<Option<Option<TimeMs>>, Response> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let time = parse_time(text).ok_or_else(|| {
            unreadable(self.what, &format!("parsing time \"{text}\" of `{key}`: it is no RFC 3339 time"))
        })?;
        Ok(Some(time))
    }
}

/// The object that a value is.
pub(super) fn fields<'a>(value: &'a Value, what: &'a str) -> Result<Fields<'a>, Response> {
    match value {
        Value::Object(map) => Ok(Fields { map, what }),
        other => Err(unreadable(what, &format!("there is {} where an object is needed", kind(other)))),
    }
}

/// RFC 3339; without a zone, in UTC; a day alone. The inner `None` is Go's zero time.
fn parse_time(text: &str) -> Option<Option<TimeMs>> {
    const ZERO: TimeMs = -62_135_596_800_000;
    if text.is_empty() {
        return Some(None);
    }
    let time = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(|t| t.to_zoned(TimeZone::UTC)).map(|t| t.timestamp()));
    time.ok().map(|t| Some(t.as_millisecond()).filter(|ms| *ms != ZERO))
}

/// Whether a text is an address as HTTP requests name one: absolute, or a path from the root. After Go's `url.ParseRequestURI`.
pub(super) fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return false;
    }
    let escapes_fit = |part: &str| {
        let bytes = part.as_bytes();
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        (0..bytes.len()).all(|at| bytes[at] != b'%' || (hex(at + 1) && hex(at + 2)))
    };
    let before_query = |part: &str| part.split('?').next().unwrap_or("").to_owned();
    if text.starts_with('/') && !text.starts_with("//") {
        return escapes_fit(&before_query(text));
    }
    let rest = match text.split_once(':') {
        _ if text.starts_with("//") => text,
        Some((scheme, rest)) => {
            let mut letters = scheme.bytes();
            let fits = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
                && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            if !fits {
                return false;
            }
            rest
        }
        None => return false,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        // `mailto:somebody`: nothing more to check.
        return !rest.starts_with('/') || escapes_fit(&before_query(rest));
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host.rsplit_once(']') {
        Some((_, port)) => port,
        None => host.find(':').map_or("", |at| &host[at..]),
    };
    let port_fits = port.is_empty() || (port.starts_with(':') && port[1..].bytes().all(|b| b.is_ascii_digit()));
    let host_byte = |b: u8| b >= 0x80 || b.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&b);
    port_fits && host.bytes().all(host_byte) && escapes_fit(host) && escapes_fit(&before_query(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_absolute_or_from_the_root() {
        for good in [
            "http://g/",
            "http://g:9090/graph?g0.expr=a b&x=%",
            "/graph",
            "mailto:a",
            "http://[::1]:80/",
            "x://u:p@h/ p",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in ["", "foo", "::bad", "http://a b/", "http://a:b/", "http://a/%zz", "1x:y", "a\n"] {
            assert!(!is_uri(bad), "{bad}");
        }
    }

    #[test]
    fn times_of_the_api() {
        assert_eq!(parse_time("2020-01-01T00:00:00.5Z"), Some(Some(1_577_836_800_500)));
        assert_eq!(parse_time("2020-01-01T02:00:00+02:00"), Some(Some(1_577_836_800_000)));
        assert_eq!(parse_time("2020-01-01 00:00:00"), Some(Some(1_577_836_800_000)));
        assert_eq!(parse_time("2020-01-01"), Some(Some(1_577_836_800_000)));
        assert_eq!(parse_time("0001-01-01T00:00:00.000Z"), Some(None));
        assert_eq!(parse_time(""), Some(None));
        assert_eq!((parse_time("1577836800"), parse_time("soon")), (None, None));
    }
}
