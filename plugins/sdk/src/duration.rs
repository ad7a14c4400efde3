//! Durations as people write them in a config (`90s`, `6h`, `1h30m`) and read them in an alert (`3h 20m`).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

/// Units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration, in milliseconds. A config has it in Prometheus' form: numbers with units, the longest first.
///
/// ```
/// use watchglass_sdk::Duration;
///
/// assert_eq!(Duration::parse("1h30m").unwrap().ms, 5_400_000);
/// assert_eq!(Duration { ms: 5_430_000 }.to_string(), "1h 30m");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Milliseconds.
    pub ms: u64,
}

impl Duration {
    /// Reads `1h30m`; `0` needs no unit. An error says what was found and what is allowed.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let wrong = || format!("`{text}` is no duration; write numbers and units, like 90s, 6h or 1h30m");
        if text == "0" {
            return Ok(Duration::default());
        }
        let (mut rest, mut ms, mut units) = (text, 0u64, UNITS.as_slice());
        while !rest.is_empty() || ms == 0 && units.len() == UNITS.len() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, behind) = rest.split_at(digits);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            // `ms` before `m`: a letter must not follow the unit.
            let unit = |(name, _): &(&str, u64)| {
                behind.strip_prefix(name).is_some_and(|r| !r.starts_with(|c: char| c.is_ascii_alphabetic()))
            };
            let index = units.iter().position(unit).ok_or_else(wrong)?;
            let (name, length) = units[index];
            ms = number.checked_mul(length).and_then(|n| ms.checked_add(n)).ok_or_else(wrong)?;
            (rest, units) = (&behind[name.len()..], &units[index + 1..]);
        }
        Ok(Duration { ms })
    }

    /// From seconds; what is no number, or negative, is none at all.
    pub fn from_secs(secs: f64) -> Duration {
        Duration { ms: (secs * 1000.0) as u64 }
    }
}

impl fmt::Display for Duration {
    /// The two longest units, without what is below them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut shown) = (self.ms, 0);
        for (name, length) in UNITS {
            // Weeks confuse: 10d, not 1w 3d.
            if name == "w" || shown == 0 && rest < length {
                continue;
            }
            let count = rest / length;
            rest %= length;
            if count > 0 {
                write!(f, "{}{count}{name}", if shown > 0 { " " } else { "" })?;
            }
            shown += 1;
            if shown == 2 {
                break;
            }
        }
        if shown == 0 { f.write_str("0s") } else { Ok(()) }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_understood() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("100ms", 100),
            ("1m1ms", 60_001),
            ("2w", 1_209_600_000),
        ] {
            assert_eq!(Duration::parse(text), Ok(Duration { ms }), "{text}");
        }
        for text in ["", "5", "m", "5 m", "5x", "-5m", "30m1h", "1m1m", "99999999999999999999y", "1.5h"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_short() {
        for (ms, text) in [
            (0, "0s"),
            (1_500, "1s 500ms"),
            (59_000, "59s"),
            (12_345_678, "3h 25m"),
            (10 * 86_400_000 + 5_000, "10d"),
            (3_600_000 + 5_000, "1h"),
        ] {
            assert_eq!(Duration { ms }.to_string(), text);
        }
    }
}
