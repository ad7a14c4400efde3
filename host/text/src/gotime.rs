//! Go's `time.Time` and `time.Duration`, as templates print them, and Go's layouts (`Mon Jan 2 15:04:05 2006`).

use std::fmt;
use std::fmt::Write as _;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

mod layout;

/// A length of time in nanoseconds. Displayed as Go does: `1h2m3.5s`, `150ms`, `0s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

impl Duration {
    /// In seconds.
    pub fn seconds(self) -> f64 {
        (self.0 / 1_000_000_000) as f64 + (self.0 % 1_000_000_000) as f64 / 1e9
    }

    /// From seconds; what doesn't fit is cut off.
    pub fn from_seconds(s: f64) -> Duration {
        Duration((s * 1e9) as i64)
    }

    /// To a multiple of another: towards zero, or to the nearest (half away from zero). Unchanged where the other isn't positive.
    pub fn rounded(self, unit: Duration, nearest: bool) -> Duration {
        if unit.0 <= 0 {
            return self;
        }
        let rest = self.0 % unit.0;
        let down = self.0 - rest;
        if !nearest || i128::from(rest.unsigned_abs()) * 2 < i128::from(unit.0) {
            return Duration(down);
        }
        Duration(if self.0 < 0 { down.saturating_sub(unit.0) } else { down.saturating_add(unit.0) })
    }

    /// From milliseconds; what doesn't fit is cut off.
    pub fn from_ms(ms: i64) -> Duration {
        Duration(ms.saturating_mul(1_000_000))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.unsigned_abs();
        if n == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        // Below a second the unit is chosen so that the number before the point isn't zero.
        let small = [(1_000, 1, "ns"), (1_000_000, 1_000, "µs"), (1_000_000_000, 1_000_000, "ms")];
        if let Some((_, unit, name)) = small.into_iter().find(|(limit, _, _)| n < *limit) {
            return write!(f, "{}{}{name}", n / unit, fraction(n % unit, unit));
        }
        let seconds = n / 1_000_000_000;
        if seconds >= 3600 {
            write!(f, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(f, "{}m", seconds / 60 % 60)?;
        }
        write!(f, "{}{}s", seconds % 60, fraction(n % 1_000_000_000, 1_000_000_000))
    }
}

/// `rest/unit` as `.123` without zeros at the end.
fn fraction(rest: u64, unit: u64) -> String {
    if rest == 0 {
        return String::new();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!(".{}", digits.trim_end_matches('0'))
}

/// An instant, and the zone in which it is shown. Displayed as Go's `Time.String`: `2015-06-23 13:19:44.128 +0000 UTC`.
#[derive(Clone, Debug)]
pub struct Time {
    at: Timestamp,
    zone: TimeZone,
}

impl PartialEq for Time {
    fn eq(&self, other: &Time) -> bool {
        self.at == other.at
    }
}

/// What a clock in a zone shows.
struct Clock {
    civil: DateTime,
    offset: i32,
    abbreviation: String,
}

impl Time {
    /// Go's zero time, 1 January of the year 1, UTC.
    pub fn zero() -> Time {
        Time::from_unix(-62_135_596_800, 0)
    }

    /// From milliseconds of Unix time, shown in UTC. Clamped to the years -9999 to 9999, as all constructors.
    pub fn from_ms(ms: i64) -> Time {
        Time::from_unix(ms.div_euclid(1000), ms.rem_euclid(1000) as i32 * 1_000_000)
    }

    /// From seconds of Unix time and nanoseconds, shown in UTC.
    pub fn from_unix(seconds: i64, nanoseconds: i32) -> Time {
        let clamped = seconds.clamp(Timestamp::MIN.as_second() + 1, Timestamp::MAX.as_second() - 1);
        let at = Timestamp::new(clamped, nanoseconds.clamp(0, 999_999_999)).unwrap_or(Timestamp::UNIX_EPOCH);
        Time { at, zone: TimeZone::UTC }
    }

    /// Whether it is Go's zero time.
    pub fn is_zero(&self) -> bool {
        self.at == Time::zero().at
    }

    /// Nanoseconds of Unix time.
    pub fn unix_nanos(&self) -> i128 {
        self.at.as_nanosecond()
    }

    /// Milliseconds of Unix time, rounded down.
    pub fn unix_ms(&self) -> i64 {
        self.unix_nanos().div_euclid(1_000_000) as i64
    }

    /// Seconds of Unix time, rounded down.
    pub fn unix(&self) -> i64 {
        self.unix_nanos().div_euclid(1_000_000_000) as i64
    }

    /// The same instant in a zone of the system's time zone database (`Europe/Berlin`); `Local` is the system's own.
    pub fn in_zone(&self, name: &str) -> Result<Time, String> {
        let zone = match name {
            "" | "UTC" => TimeZone::UTC,
            "Local" => TimeZone::system(),
            name => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
        };
        Ok(Time { at: self.at, zone })
    }

    /// The same instant in UTC.
    pub fn utc(&self) -> Time {
        Time { at: self.at, zone: TimeZone::UTC }
    }

    /// This much later; clamped at the ends.
    pub fn add(&self, d: Duration) -> Time {
        let at = self.at.saturating_add(SignedDuration::from_nanos(d.0)).unwrap_or(self.at);
        Time { at, zone: self.zone.clone() }
    }

    /// How much later than another; clamped at the ends.
    pub fn since(&self, earlier: &Time) -> Duration {
        let nanos = self.unix_nanos() - earlier.unix_nanos();
        Duration(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// Years, months and days later by the calendar; a day that a month lacks runs over into the next (31 April is 1 May).
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Result<Time, String> {
        let civil = self.civil();
        let wrong = || "date out of range".to_owned();
        let all_months = i64::from(civil.month() - 1).saturating_add(months);
        let year = i64::from(civil.year()).saturating_add(years).saturating_add(all_months.div_euclid(12));
        let year = i16::try_from(year).map_err(|_| wrong())?;
        let first = jiff::civil::Date::new(year, all_months.rem_euclid(12) as i8 + 1, 1).map_err(|_| wrong())?;
        let days = i64::from(civil.day() - 1).checked_add(days).filter(|d| d.abs() < 10_000_000).ok_or_else(wrong)?;
        let date = first.checked_add(jiff::Span::new().days(days)).map_err(|_| wrong())?;
        let at = self.zone.to_timestamp(date.to_datetime(civil.time())).map_err(|_| wrong())?;
        Ok(Time { at, zone: self.zone.clone() })
    }

    /// To a multiple of a duration since the zero time: down, or to the nearest.
    pub fn rounded(&self, unit: Duration, nearest: bool) -> Time {
        if unit.0 <= 0 {
            return self.clone();
        }
        let since = self.unix_nanos() - Time::zero().unix_nanos();
        let rest = since.rem_euclid(i128::from(unit.0)) as i64;
        let up = nearest && i128::from(rest) * 2 >= i128::from(unit.0);
        self.add(Duration(if up { unit.0 - rest } else { -rest }))
    }

    /// What a clock on the wall shows.
    pub fn civil(&self) -> DateTime {
        self.clock().civil
    }

    /// The time by a layout of Go, an example of how 2 January 2006 15:04:05 (zone -0700, `MST`) would be written.
    pub fn format(&self, layout: &str) -> String {
        let clock = self.clock();
        let mut out = String::new();
        layout::format(&mut out, layout, &clock);
        out
    }

    /// Reads a time by a layout of Go; without a zone in it it is UTC. Errors are worded as Go's.
    pub fn parse(layout: &str, text: &str) -> Result<Time, String> {
        let parsed = layout::parse(layout, text)?;
        let zone = match parsed.offset {
            None | Some(0) => TimeZone::UTC,
            Some(seconds) => Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed),
        };
        let at = zone.to_timestamp(parsed.civil).map_err(|e| e.to_string())?;
        Ok(Time { at, zone })
    }

    /// As Go's JSON has it: RFC 3339 with as many digits below the second as needed.
    pub fn rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    fn clock(&self) -> Clock {
        let info = self.zone.to_offset_info(self.at);
        let offset = info.offset().seconds();
        let mut abbreviation = info.abbreviation().to_owned();
        if self.zone.iana_name().is_none() && offset != 0 && abbreviation.starts_with(['+', '-']) {
            // A bare offset has no name in Go: the offset itself stands in for it.
            abbreviation.clear();
            layout::write_offset(&mut abbreviation, offset, "", false);
        }
        Clock { civil: info.offset().to_datetime(self.at), offset, abbreviation }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// Go's names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Go's names of the days, from Sunday.
pub const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Writes a number with at least this many digits.
fn push_number(out: &mut String, n: i64, width: usize, pad: char) {
    let digits = n.unsigned_abs().to_string();
    if n < 0 {
        out.push('-');
    }
    for _ in digits.len()..width {
        out.push(pad);
    }
    let _ = out.write_str(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (n, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (-1_800_000_000_000, "-30m0s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(Duration(n).to_string(), text);
        }
    }

    #[test]
    fn times_print_as_in_go() {
        assert_eq!(Time::from_ms(1_435_065_584_128).to_string(), "2015-06-23 13:19:44.128 +0000 UTC");
        assert_eq!(Time::zero().to_string(), "0001-01-01 00:00:00 +0000 UTC");
        assert_eq!(Time::zero().rfc3339(), "0001-01-01T00:00:00Z");
        assert!(Time::zero().is_zero());
        assert_eq!(Time::from_ms(i64::MAX).civil().year(), 9999);
        assert_eq!(Time::from_ms(i64::MIN).civil().year(), -9999);
    }

    #[test]
    fn zones_shift_what_is_shown() {
        let Ok(berlin) = Time::from_ms(1_435_065_584_000).in_zone("Europe/Berlin") else {
            eprintln!("SKIPPED: no time zone database on this machine");
            return;
        };
        assert_eq!(berlin.to_string(), "2015-06-23 15:19:44 +0200 CEST");
        assert_eq!(berlin.rfc3339(), "2015-06-23T15:19:44+02:00");
        assert!(Time::zero().in_zone("Mars/Olympus").is_err());
    }
}
