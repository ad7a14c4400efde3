//! Numbers and durations as values.

use watchglass_model::{DurationError, DurationMs};

use crate::quote::Quoted;

/// The value of a number literal: decimal, hexadecimal, octal (a leading 0), infinity or NaN, underscores between digits.
pub(crate) fn parse_number(text: &str) -> Result<f64, String> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    let (sign, digits) = match clean.strip_prefix(['+', '-']) {
        Some(rest) => (if clean.starts_with('-') { -1.0 } else { 1.0 }, rest),
        None => (1.0, clean.as_str()),
    };
    let lower = digits.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).map(|v| sign * v as f64).map_err(|_| error(text, "invalid syntax"));
    }
    let octal = lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if octal && let Ok(value) = u64::from_str_radix(&lower, 8) {
        return Ok(sign * value as f64);
    }
    match lower.as_str() {
        "inf" => return Ok(sign * f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    if !lower.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-')) {
        return Err(error(text, "invalid syntax"));
    }
    match lower.parse::<f64>() {
        Ok(value) if value.is_infinite() => Err(error(text, "value out of range")),
        Ok(value) => Ok(sign * value),
        Err(_) => Err(error(text, "invalid syntax")),
    }
}

fn error(text: &str, reason: &str) -> String {
    format!("error parsing number: strconv.ParseFloat: parsing {}: {reason}", Quoted(text))
}

/// The longest duration, in milliseconds: what Go's nanoseconds in 64 bits hold, as in Prometheus.
pub(super) const MAX_DURATION_MS: i64 = i64::MAX / 1_000_000;

/// The milliseconds of a duration, its errors in Prometheus' words.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    DurationMs::parse(text).map(DurationMs::millis).map_err(|e| match e {
        DurationError::OutOfRange(_) => "duration out of range".to_owned(),
        DurationError::Empty | DurationError::Invalid(_) => format!("not a valid duration string: {}", Quoted(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases =
            [("1", 1.0), ("0xc", 12.0), ("0755", 493.0), ("08", 8.0), ("1_000.5", 1000.5), ("-Inf", f64::NEG_INFINITY)];
        for (text, expected) in cases {
            assert_eq!(parse_number(text), Ok(expected), "{text}");
        }
        assert!(parse_number("nAn").is_ok_and(f64::is_nan));
        assert!(parse_number("1e999").is_err_and(|e| e.ends_with("value out of range")));
        assert!(parse_number("infinity").is_err() && parse_number("").is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1y2w3d4h5m6s7ms"), Ok(33_019_506_007));
        for bad in ["", "5", "m", "5m5h", "5mm", "5m5m", "1s-1m"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_duration("300y"), Err("duration out of range".to_owned()));
    }
}
