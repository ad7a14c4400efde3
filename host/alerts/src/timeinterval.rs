//! Time intervals: when routes are muted or active.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use watchglass_model::TimeMs;

/// A range with both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InclusiveRange {
    /// First.
    pub start: i32,
    /// Last.
    pub end: i32,
}

/// Days of a month, both ends in it; negative ones count from its end (-1 is the last).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    /// First.
    pub start: i32,
    /// Last.
    pub end: i32,
}

/// A time of day, in minutes since midnight: the start belongs to it, the end does not (1440 is the day's end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// From this minute.
    pub start_minute: i32,
    /// Until before this minute.
    pub end_minute: i32,
}

/// One entry of a named time interval: every part that is given must hold; of each part, one of its ranges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeInterval {
    /// Times of day.
    pub times: Vec<TimeRange>,
    /// Days of the week: 0 is Sunday, 6 Saturday.
    pub weekdays: Vec<InclusiveRange>,
    /// Days of the month.
    pub days_of_month: Vec<DayRange>,
    /// Months: 1 to 12.
    pub months: Vec<InclusiveRange>,
    /// Years.
    pub years: Vec<InclusiveRange>,
    /// Time zone; `None` is UTC.
    pub location: Option<TimeZone>,
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl TimeInterval {
    /// Whether a time lies in it.
    pub fn contains(&self, at: TimeMs) -> bool {
        let Ok(timestamp) = Timestamp::from_millisecond(at) else { return false };
        let zone = self.location.clone().unwrap_or(TimeZone::UTC);
        let local = timestamp.to_zoned(zone);
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let (day, days) = (i32::from(local.day()), i32::from(local.days_in_month()));
        let weekday = i32::from(local.weekday().to_sunday_zero_offset());
        let within = |ranges: &[InclusiveRange], value: i32| {
            ranges.is_empty() || ranges.iter().any(|r| (r.start..=r.end).contains(&value))
        };
        let times = &self.times;
        (times.is_empty() || times.iter().any(|t| (t.start_minute..t.end_minute).contains(&minute)))
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(|r| r.contains(day, days)))
            && within(&self.weekdays, weekday)
            && within(&self.months, i32::from(local.month()))
            && within(&self.years, i32::from(local.year()))
    }
}

impl DayRange {
    /// Reads `1`, `1:5` or `-3:-1`.
    pub fn parse(text: &str) -> Result<DayRange, String> {
        let number = |s: &str| s.parse::<i32>().map_err(|_| format!("{s} is not a valid day of the month"));
        let (start, end) = split_range(text)?;
        let (start, end) = (number(start)?, number(end)?);
        for day in [start, end] {
            if day == 0 || !(-31..=31).contains(&day) {
                return Err(format!("{day} is not a valid day of the month: out of range"));
            }
        }
        if start < 0 && end > 0 {
            return Err("end day must be negative if start day is negative".to_owned());
        }
        // Counted in the shortest month: what is empty there is empty in all.
        let least = |day: i32| if day < 0 { 28 + day } else { day };
        if least(start) > least(end) {
            return Err(format!("end day {end} is always before start day {start}"));
        }
        Ok(DayRange { start, end })
    }

    fn contains(self, day: i32, days_in_month: i32) -> bool {
        let from_start = |d: i32| if d < 0 { days_in_month + d + 1 } else { d };
        // A range that begins behind this month's end is empty; one that ends there is cut.
        (from_start(self.start)..=from_start(self.end).min(days_in_month)).contains(&day)
    }
}

impl InclusiveRange {
    /// Reads `monday` or `monday:friday`; 0 is Sunday.
    pub fn parse_weekdays(text: &str) -> Result<InclusiveRange, String> {
        let number = |s: &str| {
            let at = WEEKDAYS.iter().position(|w| *w == s.to_lowercase());
            at.map(|at| at as i32).ok_or_else(|| format!("{s} is not a valid weekday"))
        };
        let (start, end) = split_range(text)?;
        let range = InclusiveRange { start: number(start)?, end: number(end)? };
        if range.start > range.end {
            return Err("start day cannot be before end day".to_owned());
        }
        Ok(range)
    }

    /// Reads `january`, `1:3` or `may:august`; 1 is January.
    pub fn parse_months(text: &str) -> Result<InclusiveRange, String> {
        let number = |s: &str| {
            let named = MONTHS.iter().position(|m| *m == s.to_lowercase()).map(|at| at as i32 + 1);
            let month = named.or_else(|| s.parse().ok()).filter(|m| (1..=12).contains(m));
            month.ok_or_else(|| format!("{s} is not a valid month"))
        };
        let (from, to) = split_range(text)?;
        let range = InclusiveRange { start: number(from)?, end: number(to)? };
        if range.start > range.end {
            let name = |m: i32| MONTHS[(m - 1) as usize];
            let (start, end) = (name(range.start), name(range.end));
            return Err(format!("end month {end} is before start month {start}"));
        }
        Ok(range)
    }

    /// Reads `2026` or `2026:2028`.
    pub fn parse_years(text: &str) -> Result<InclusiveRange, String> {
        let number = |s: &str| s.parse::<i32>().map_err(|_| format!("{s} is not a valid year"));
        let (start, end) = split_range(text)?;
        let (start, end) = (number(start)?, number(end)?);
        if start > end {
            return Err(format!("end year {end} is before start year {start}"));
        }
        Ok(InclusiveRange { start, end })
    }
}

impl TimeRange {
    /// Reads a pair of `HH:MM`; `24:00` is the day's end.
    pub fn parse(start_time: &str, end_time: &str) -> Result<TimeRange, String> {
        if start_time.is_empty() || end_time.is_empty() {
            return Err("both start and end times must be provided".to_owned());
        }
        let (start_minute, end_minute) = (minute_of_day(start_time)?, minute_of_day(end_time)?);
        if start_minute >= end_minute {
            return Err("start time cannot be equal or greater than end time".to_owned());
        }
        Ok(TimeRange { start_minute, end_minute })
    }
}

/// Finds a time zone by its IANA name; `UTC` and the empty name are UTC, `Local` is the machine's own.
pub fn parse_location(name: &str) -> Result<TimeZone, String> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        "Local" => Ok(TimeZone::system()),
        _ => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}")),
    }
}

fn minute_of_day(text: &str) -> Result<i32, String> {
    let parse = || {
        let (hour, minute) = text.split_once(':')?;
        let two_digits = |s: &str| (s.len() == 2).then(|| s.parse::<u8>().ok()).flatten();
        let (hour, minute) = (i32::from(two_digits(hour)?), i32::from(two_digits(minute)?));
        ((hour < 24 && minute < 60) || (hour, minute) == (24, 0)).then_some(hour * 60 + minute)
    };
    parse().ok_or_else(|| format!("couldn't parse timestamp {text}, invalid format"))
}

/// Splits `a:b`; `a` alone is `a:a`.
fn split_range(text: &str) -> Result<(&str, &str), String> {
    match text.split_once(':') {
        None => Ok((text, text)),
        Some((_, end)) if end.contains(':') => Err(format!("couldn't parse range {text}, invalid format")),
        Some(range) => Ok(range),
    }
}

/// Which of these named intervals a time lies in.
pub(crate) fn intervals_at<'a>(
    names: &'a [String],
    all: &std::collections::BTreeMap<String, Vec<TimeInterval>>,
    at: TimeMs,
) -> Vec<&'a str> {
    let contains = |name: &&'a String| all.get(name.as_str()).is_some_and(|i| i.iter().any(|i| i.contains(at)));
    names.iter().filter(contains).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> TimeMs {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn days_count_from_both_ends() {
        let last_three =
            TimeInterval { days_of_month: vec![DayRange { start: -3, end: -1 }], ..TimeInterval::default() };
        assert!(last_three.contains(at("2026-02-26T12:00:00Z")));
        assert!(!last_three.contains(at("2026-01-28T12:00:00Z")));
        let from_thirtieth =
            TimeInterval { days_of_month: vec![DayRange { start: 30, end: 31 }], ..TimeInterval::default() };
        assert!(!from_thirtieth.contains(at("2026-02-28T12:00:00Z")));
        assert!(from_thirtieth.contains(at("2026-04-30T23:59:59Z")));
    }

    #[test]
    fn times_are_local_and_end_before_their_end() {
        let office = TimeInterval {
            times: vec![TimeRange::parse("09:00", "17:00").expect("times")],
            weekdays: vec![InclusiveRange::parse_weekdays("monday:Friday").expect("days")],
            location: Some(parse_location("Europe/Berlin").expect("a zone")),
            ..TimeInterval::default()
        };
        assert!(office.contains(at("2026-07-01T07:00:00Z")), "09:00 in summer");
        assert!(!office.contains(at("2026-12-01T07:30:00Z")), "08:30 in winter");
        assert!(!office.contains(at("2026-07-01T15:00:00Z")), "17:00 is over");
        assert!(!office.contains(at("2026-07-04T10:00:00Z")), "a Saturday");
        assert!(
            TimeInterval { weekdays: vec![InclusiveRange { start: 0, end: 0 }], ..TimeInterval::default() }
                .contains(at("2026-07-05T10:00:00Z"))
        );
    }

    #[test]
    fn an_empty_interval_is_always() {
        assert!(TimeInterval::default().contains(0));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["0", "32", "-32", "1:2:3", "x", "5:1", "-1:-5", ""] {
            assert!(DayRange::parse(bad).is_err(), "{bad}");
        }
        for (start, end) in
            [("09:00", "09:00"), ("9:00", "10:00"), ("09:00", "24:01"), ("", "10:00"), ("09:60", "10:00")]
        {
            assert!(TimeRange::parse(start, end).is_err(), "{start} {end}");
        }
        assert!(TimeRange::parse("00:00", "24:00").is_ok());
        assert!(InclusiveRange::parse_months("0").is_err());
        assert!(InclusiveRange::parse_months("december:1").is_err());
        assert!(InclusiveRange::parse_weekdays("funday").is_err());
        assert!(InclusiveRange::parse_years("2027:2026").is_err());
        assert!(parse_location("Moon/Crater").is_err());
    }
}
