//! Durations as Prometheus writes them: `1h30m`, `500ms`, `4d`.

use std::fmt;

/// A duration in milliseconds, read and written in Prometheus' form.
///
/// Units from large to small, each at most once: `y` (365 d), `w`, `d`, `h`, `m`, `s`, `ms`; `0` needs none. Written it is
/// canonical: years and weeks only where nothing remains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationMs(pub i64);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing at all.
    #[error("empty duration; hint: write it as `30s`, `5m` or `1h30m`")]
    Empty,
    /// Not of the form.
    #[error("`{0}` is not a valid duration; hint: write it as `30s`, `5m` or `1h30m`, units from large to small")]
    Invalid(String),
    /// More than 64 bits of nanoseconds hold (about 292 years), which is Prometheus' limit.
    #[error("duration `{0}` is out of range; the longest is 292 years")]
    OutOfRange(String),
}

const UNITS: [(&str, i64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl DurationMs {
    /// Reads a duration; no sign.
    pub fn parse(text: &str) -> Result<DurationMs, DurationError> {
        match text {
            "" => return Err(DurationError::Empty),
            "0" => return Ok(DurationMs(0)),
            _ => {}
        }
        let invalid = || DurationError::Invalid(text.to_owned());
        let (mut rest, mut units, mut total) = (text, UNITS.as_slice(), 0i64);
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let name_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |i| digits + i);
            let name = &rest[digits..name_end];
            let place = units.iter().position(|(unit, _)| *unit == name).ok_or_else(invalid)?;
            if digits == 0 {
                return Err(invalid());
            }
            let out_of_range = || DurationError::OutOfRange(text.to_owned());
            let number: i64 = rest[..digits].parse().map_err(|_| out_of_range())?;
            let part = number.checked_mul(units[place].1).ok_or_else(out_of_range)?;
            total = total.checked_add(part).filter(|t| *t <= i64::MAX / 1_000_000).ok_or_else(out_of_range)?;
            units = &units[place + 1..];
            rest = &rest[name_end..];
        }
        Ok(DurationMs(total))
    }

    /// Reads a duration that may have a minus before it.
    pub fn parse_signed(text: &str) -> Result<DurationMs, DurationError> {
        match text.strip_prefix('-') {
            Some(rest) => DurationMs::parse(rest).map(|d| DurationMs(-d.0)),
            None => DurationMs::parse(text),
        }
    }

    /// The milliseconds.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The seconds, with fractions.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// As the standard library's type; a negative one is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        for (unit, millis) in UNITS {
            let millis = millis.unsigned_abs();
            let only_whole = matches!(unit, "y" | "w");
            if only_whole && !rest.is_multiple_of(millis) {
                continue;
            }
            let number = rest / millis;
            if number > 0 {
                write!(f, "{number}{unit}")?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for DurationMs {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<DurationMs, DurationError> {
        DurationMs::parse(text)
    }
}

impl serde::Serialize for DurationMs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for DurationMs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<DurationMs, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = DurationMs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `30s` or `1h30m`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DurationMs, E> {
                DurationMs::parse(text).map_err(E::custom)
            }

            // YAML reads a bare `0` as a number.
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<DurationMs, E> {
                DurationMs::parse(&number.to_string()).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<DurationMs, E> {
                DurationMs::parse(&number.to_string()).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_canonically() {
        let cases = [
            ("0", 0, "0s"),
            ("1500ms", 1500, "1s500ms"),
            ("90m", 5_400_000, "1h30m"),
            ("1y2w", 32_745_600_000, "379d"),
            ("2y", 63_072_000_000, "2y"),
            ("14d", 1_209_600_000, "2w"),
            ("1h0m5s", 3_605_000, "1h5s"),
        ];
        for (text, millis, written) in cases {
            assert_eq!(DurationMs::parse(text), Ok(DurationMs(millis)), "{text}");
            assert_eq!(DurationMs(millis).to_string(), written);
        }
        assert_eq!(DurationMs::parse_signed("-1m"), Ok(DurationMs(-60_000)));
        assert_eq!(DurationMs(-90_000).to_string(), "-1m30s");
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "1",
            "-1s",
            "s",
            "1s1m",
            "1s2s",
            "1.5h",
            "1 s",
            " 1s",
            "1S",
            "1ms1s",
            "5é",
            "294y",
            "99999999999999999999s",
        ] {
            assert!(DurationMs::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[0-9ywdhms.-]{0,24}|.{0,8}", millis in 0i64..9_000_000_000_000) {
            let _ = DurationMs::parse_signed(&text);
            let written = DurationMs(millis).to_string();
            proptest::prop_assert_eq!(DurationMs::parse(&written), Ok(DurationMs(millis)));
        }
    }
}
