//! Numbers and durations as values.

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

/// Units by size, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration, in milliseconds: what Go's nanoseconds in 64 bits hold, as in Prometheus.
pub(super) const MAX_DURATION_MS: i64 = i64::MAX / 1_000_000;

/// The milliseconds of a duration: whole numbers with units from years to milliseconds, each unit once, the greater first.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("not a valid duration string: {}", Quoted(text));
    let out_of_range = || "duration out of range".to_owned();
    let (mut rest, mut total, mut next_unit) = (text, 0u64, 0);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let (digits, tail) = rest.split_at(unit_at);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let index = UNITS.iter().position(|(name, _)| *name == unit).filter(|i| *i >= next_unit).ok_or_else(invalid)?;
        if digits.is_empty() {
            return Err(invalid());
        }
        let count: u64 = digits.parse().map_err(|_| out_of_range())?;
        total = count.checked_mul(UNITS[index].1).and_then(|ms| total.checked_add(ms)).ok_or_else(out_of_range)?;
        next_unit = index + 1;
        rest = tail;
    }
    match i64::try_from(total) {
        Ok(ms) if ms <= MAX_DURATION_MS && !text.is_empty() => Ok(ms),
        _ if text.is_empty() => Err(invalid()),
        _ => Err(out_of_range()),
    }
}

/// Milliseconds as a duration: years and weeks only where nothing remains, so that 90 days stay 90 days.
pub(crate) fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = if ms < 0 { "-".to_owned() } else { String::new() };
    let mut rest = ms.unsigned_abs();
    for (unit, size) in UNITS {
        let exact_only = unit == "y" || unit == "w";
        if rest >= size && (!exact_only || rest.is_multiple_of(size)) {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    text
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
        for text in ["1y", "2w", "90d", "1h30m", "4s18ms", "0s", "-7m"] {
            let ms = parse_duration(text.trim_start_matches('-')).expect(text);
            assert_eq!(format_duration(if text.starts_with('-') { -ms } else { ms }), text);
        }
    }
}
