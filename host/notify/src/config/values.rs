//! The kinds of value that alertmanager.yml has beside texts and numbers: secrets, URLs, durations.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A text that must not show up anywhere: written as `<secret>` wherever it is printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

/// A checked URL that is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// Checks a URL as amtool does: `http` or `https`, and a host.
    pub fn parse(text: &str) -> Result<HttpUrl, String> {
        // Only secret addresses are shown as this.
        if text == "<secret>" {
            return Err("unsupported scheme \"\" for URL".to_owned());
        }
        check_url(text)?;
        Ok(HttpUrl(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password may be written into any URL.
        match self.0.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
            Some((scheme, rest)) => write!(f, "{scheme}://<secret>@{rest}"),
            None => f.write_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for HttpUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HttpUrl::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A checked URL that is a secret as a whole: who knows a webhook's address can write to it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Secret);

impl SecretUrl {
    /// Checks a URL as [`HttpUrl::parse`] does.
    pub fn parse(text: &str) -> Result<SecretUrl, String> {
        check_url(text)?;
        Ok(SecretUrl(Secret::new(text)))
    }

    /// The URL itself, for the one place that sends to it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretUrl::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Words are amtool's; the URL is left out of them, as it may be a secret.
fn check_url(text: &str) -> Result<(), String> {
    // A dumped configuration shows this in place of the URL, and must load.
    if text == "<secret>" {
        return Ok(());
    }
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
        {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => (String::new(), text),
    };
    if scheme != "http" && scheme != "https" {
        return Err(format!("unsupported scheme \"{scheme}\" for URL"));
    }
    let authority = rest.strip_prefix("//").map_or("", |r| r.split(['/', '?', '#']).next().unwrap_or(""));
    if authority.is_empty() {
        return Err("missing host for URL".to_owned());
    }
    url::Url::parse(text).map(|_| ()).map_err(|e| format!("invalid URL: {e}"))
}

/// A duration in Prometheus' form (`1d12h`), in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromDuration(pub i64);

impl PromDuration {
    /// Reads one: whole numbers with units y, w, d, h, m, s, ms, the larger first; or `0`.
    pub fn parse(text: &str) -> Result<PromDuration, String> {
        const UNITS: [(&str, i64); 7] = [
            ("y", 365 * 86_400_000),
            ("w", 7 * 86_400_000),
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1000),
            ("ms", 1),
        ];
        let invalid = || format!("not a valid duration string: \"{text}\"");
        match text {
            "" => return Err("empty duration string".to_owned()),
            "0" => return Ok(PromDuration(0)),
            _ => {}
        }
        let (mut rest, mut total, mut allowed) = (text, 0i64, &UNITS[..]);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|n| *n > 0).ok_or_else(invalid)?;
            let number: i64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (unit, behind) = rest.split_at(letters);
            if !UNITS.iter().any(|(name, _)| *name == unit) {
                return Err(format!("unknown unit \"{unit}\" in duration \"{text}\""));
            }
            let at = allowed.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
            // The bound is Go's: what fits into 64 bits of nanoseconds.
            total = number
                .checked_mul(allowed[at].1)
                .and_then(|ms| total.checked_add(ms))
                .filter(|ms| *ms <= i64::MAX / 1_000_000)
                .ok_or("duration out of range")?;
            (rest, allowed) = (behind, &allowed[at + 1..]);
        }
        Ok(PromDuration(total))
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PromDuration::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A duration in Go's form (`1.5h`, `-2m30s`), in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// Reads one: decimal numbers with units h, m, s, ms, us, ns in any order, with a sign; or `0`.
    pub fn parse(text: &str) -> Result<GoDuration, String> {
        let invalid = || format!("time: invalid duration \"{text}\"");
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if body == "0" {
            return Ok(GoDuration(0));
        }
        if body.is_empty() {
            return Err(invalid());
        }
        let (mut rest, mut total) = (body, 0f64);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
            let (unit, behind) = rest.split_at(letters);
            let ms = match unit {
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1000.0,
                "ms" => 1.0,
                "us" | "µs" | "μs" => 1e-3,
                "ns" => 1e-6,
                "" => return Err(format!("time: missing unit in duration \"{text}\"")),
                _ => return Err(format!("time: unknown unit \"{unit}\" in duration \"{text}\"")),
            };
            total += number * ms;
            rest = behind;
        }
        if total > (i64::MAX / 1_000_000) as f64 {
            return Err(invalid());
        }
        Ok(GoDuration(if negative { -total } else { total }.round() as i64))
    }
}

/// A Go duration that must have a unit: where Alertmanager reads a text, not a number of nanoseconds.
pub(crate) fn with_unit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GoDuration, D::Error> {
    GoDuration::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A number without a unit is nanoseconds, as which Go keeps durations.
        if text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b))
            && let Ok(nanoseconds) = text.parse::<f64>()
        {
            return Ok(GoDuration((nanoseconds / 1e6) as i64));
        }
        GoDuration::parse(&text).map_err(D::Error::custom)
    }
}

/// Fails where more than one of these is set, in amtool's words (`names`: `api_url & api_url_file`).
pub(crate) fn at_most_one(names: &str, set: &[bool]) -> Result<(), String> {
    if set.iter().filter(|s| **s).count() > 1 {
        return Err(format!("at most one of {names} must be configured"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_both_forms() {
        for (text, ms) in
            [("0", 0), ("5s", 5000), ("1d12h", 129_600_000), ("1y", 31_536_000_000), ("1h0m1ms", 3_600_001)]
        {
            assert_eq!(PromDuration::parse(text), Ok(PromDuration(ms)), "{text}");
        }
        for bad in ["", "5", "1.5m", "-1s", "1s1m", "1s1s", "s", "99999999999y", "ü", "1ü", "9999999999999999999s"] {
            assert!(PromDuration::parse(bad).is_err(), "{bad}");
        }
        for (text, ms) in
            [("0", 0), ("1.5h", 5_400_000), ("-2m30s", -150_000), ("500ms", 500), ("1500us", 2), ("+1s", 1000)]
        {
            assert_eq!(GoDuration::parse(text), Ok(GoDuration(ms)), "{text}");
        }
        for bad in ["", "-", "5", "1d", ".s", "1..2s", "s", "1e9s"] {
            assert!(GoDuration::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_never_printed() {
        let url = SecretUrl::parse("https://hooks.example/T/KEY").expect("a URL");
        let open = HttpUrl::parse("https://user:KEY@host/").expect("a URL");
        let shown = format!("{:?} {} {url:?} {open:?}", Secret::new("KEY"), Secret::new("KEY"));
        assert!(!shown.contains("KEY"), "{shown}");
        assert_eq!(url.expose(), "https://hooks.example/T/KEY");
    }

    #[test]
    fn urls_are_checked_without_showing_them() {
        assert_eq!(HttpUrl::parse("foo"), Err("unsupported scheme \"\" for URL".to_owned()));
        assert_eq!(HttpUrl::parse("ftp://a/b"), Err("unsupported scheme \"ftp\" for URL".to_owned()));
        assert_eq!(HttpUrl::parse("http://"), Err("missing host for URL".to_owned()));
        assert!(HttpUrl::parse("http://[::1").is_err());
        assert!(HttpUrl::parse("HTTPS://a").is_ok());
    }
}
