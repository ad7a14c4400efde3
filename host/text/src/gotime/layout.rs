//! Go's time layouts, in both directions.

use jiff::civil::{Date, DateTime, Time};

use super::{Clock, DAYS, MONTHS, push_number};

/// A piece of a layout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'a> {
    Literal(&'a str),
    Year,
    ShortYear,
    LongMonth,
    Month,
    MonthNumber {
        width: usize,
    },
    LongDay,
    Day,
    DayNumber {
        width: usize,
        pad: char,
    },
    YearDay {
        pad: char,
    },
    Hour,
    Hour12 {
        width: usize,
    },
    Minute {
        width: usize,
    },
    Second {
        width: usize,
    },
    Upper,
    Lower,
    /// Digits below the second: their number, whether zeros at the end stay, and the sign before them.
    Fraction {
        digits: usize,
        fixed: bool,
        point: char,
    },
    ZoneName,
    /// An offset: what stands between its parts, with minutes, with seconds, `Z` for none.
    Offset {
        colon: bool,
        minutes: bool,
        seconds: bool,
        z: bool,
    },
}

/// The words of a layout. Longer ones stand before those that they begin with.
const WORDS: &[(&str, Piece<'static>)] = &[
    ("January", Piece::LongMonth),
    ("Jan", Piece::Month),
    ("Monday", Piece::LongDay),
    ("Mon", Piece::Day),
    ("MST", Piece::ZoneName),
    ("2006", Piece::Year),
    ("002", Piece::YearDay { pad: '0' }),
    ("__2", Piece::YearDay { pad: ' ' }),
    ("01", Piece::MonthNumber { width: 2 }),
    ("02", Piece::DayNumber { width: 2, pad: '0' }),
    ("03", Piece::Hour12 { width: 2 }),
    ("04", Piece::Minute { width: 2 }),
    ("05", Piece::Second { width: 2 }),
    ("06", Piece::ShortYear),
    ("15", Piece::Hour),
    ("1", Piece::MonthNumber { width: 1 }),
    ("_2", Piece::DayNumber { width: 2, pad: ' ' }),
    ("2", Piece::DayNumber { width: 1, pad: '0' }),
    ("3", Piece::Hour12 { width: 1 }),
    ("4", Piece::Minute { width: 1 }),
    ("5", Piece::Second { width: 1 }),
    ("PM", Piece::Upper),
    ("pm", Piece::Lower),
    ("-07:00:00", Piece::Offset { colon: true, minutes: true, seconds: true, z: false }),
    ("-070000", Piece::Offset { colon: false, minutes: true, seconds: true, z: false }),
    ("-07:00", Piece::Offset { colon: true, minutes: true, seconds: false, z: false }),
    ("-0700", Piece::Offset { colon: false, minutes: true, seconds: false, z: false }),
    ("-07", Piece::Offset { colon: false, minutes: false, seconds: false, z: false }),
    ("Z07:00:00", Piece::Offset { colon: true, minutes: true, seconds: true, z: true }),
    ("Z070000", Piece::Offset { colon: false, minutes: true, seconds: true, z: true }),
    ("Z07:00", Piece::Offset { colon: true, minutes: true, seconds: false, z: true }),
    ("Z0700", Piece::Offset { colon: false, minutes: true, seconds: false, z: true }),
    ("Z07", Piece::Offset { colon: false, minutes: false, seconds: false, z: true }),
];

/// The piece at the beginning of a layout, if it isn't literal text, and its length.
fn word(layout: &str) -> Option<(Piece<'static>, usize)> {
    if let Some(found) = fraction(layout) {
        return Some(found);
    }
    // `_2006` is an underscore and a year.
    if layout.starts_with("_2006") {
        return None;
    }
    for (text, piece) in WORDS {
        let Some(rest) = layout.strip_prefix(text) else { continue };
        // `Jan` and `Mon` may begin another word ("Month").
        let in_word = matches!(piece, Piece::Month | Piece::Day) && rest.starts_with(|c: char| c.is_ascii_lowercase());
        if !in_word {
            return Some((*piece, text.len()));
        }
    }
    None
}

/// `.000` and `.999`, also behind a comma; not where a digit follows.
fn fraction(layout: &str) -> Option<(Piece<'static>, usize)> {
    let point = layout.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let kind = layout[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let digits = layout[1..].chars().take_while(|c| *c == kind).count();
    if layout[1 + digits..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((Piece::Fraction { digits, fixed: kind == '0', point }, 1 + digits))
}

fn pieces(layout: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while at < layout.len() {
        match word(&layout[at..]) {
            Some((piece, len)) => {
                if literal < at {
                    pieces.push(Piece::Literal(&layout[literal..at]));
                }
                pieces.push(piece);
                at += len;
                literal = at;
            }
            None => at += layout[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if literal < layout.len() {
        pieces.push(Piece::Literal(&layout[literal..]));
    }
    pieces
}

pub(super) fn write_offset(out: &mut String, seconds: i32, separator: &str, with_seconds: bool) {
    out.push(if seconds < 0 { '-' } else { '+' });
    let seconds = i64::from(seconds.unsigned_abs());
    push_number(out, seconds / 3600, 2, '0');
    out.push_str(separator);
    push_number(out, seconds / 60 % 60, 2, '0');
    if with_seconds {
        out.push_str(separator);
        push_number(out, seconds % 60, 2, '0');
    }
}

pub(super) fn format(out: &mut String, layout: &str, clock: &Clock) {
    let t = &clock.civil;
    let hour12 = if t.hour() % 12 == 0 { 12 } else { t.hour() % 12 };
    let day = DAYS[t.weekday().to_sunday_zero_offset() as usize % 7];
    let month = MONTHS[(t.month() - 1) as usize % 12];
    for piece in pieces(layout) {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Year => push_number(out, i64::from(t.year()), 4, '0'),
            Piece::ShortYear => push_number(out, i64::from(t.year().rem_euclid(100)), 2, '0'),
            Piece::LongMonth => out.push_str(month),
            Piece::Month => out.push_str(&month[..3]),
            Piece::MonthNumber { width } => push_number(out, i64::from(t.month()), width, '0'),
            Piece::LongDay => out.push_str(day),
            Piece::Day => out.push_str(&day[..3]),
            Piece::DayNumber { width, pad } => push_number(out, i64::from(t.day()), width, pad),
            Piece::YearDay { pad } => push_number(out, i64::from(t.day_of_year()), 3, pad),
            Piece::Hour => push_number(out, i64::from(t.hour()), 2, '0'),
            Piece::Hour12 { width } => push_number(out, i64::from(hour12), width, '0'),
            Piece::Minute { width } => push_number(out, i64::from(t.minute()), width, '0'),
            Piece::Second { width } => push_number(out, i64::from(t.second()), width, '0'),
            Piece::Upper => out.push_str(if t.hour() >= 12 { "PM" } else { "AM" }),
            Piece::Lower => out.push_str(if t.hour() >= 12 { "pm" } else { "am" }),
            Piece::Fraction { digits, fixed, point } => {
                let nanos = format!("{:09}", t.subsec_nanosecond());
                let shown: String = nanos.chars().chain(std::iter::repeat('0')).take(digits).collect();
                let shown = if fixed { &shown } else { shown.trim_end_matches('0') };
                if !shown.is_empty() {
                    out.push(point);
                    out.push_str(shown);
                }
            }
            Piece::ZoneName => out.push_str(&clock.abbreviation),
            Piece::Offset { z: true, .. } if clock.offset == 0 => out.push('Z'),
            Piece::Offset { minutes: false, .. } => {
                out.push(if clock.offset < 0 { '-' } else { '+' });
                push_number(out, i64::from(clock.offset.unsigned_abs() / 3600), 2, '0');
            }
            Piece::Offset { colon, seconds, .. } => {
                write_offset(out, clock.offset, if colon { ":" } else { "" }, seconds);
            }
        }
    }
}

/// What was read by a layout.
pub(super) struct Parsed {
    pub(super) civil: DateTime,
    pub(super) offset: Option<i32>,
}

/// Where reading stands.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// A number of this many digits.
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        let have = self.rest.bytes().take(*digits.end()).take_while(u8::is_ascii_digit).count();
        if have < *digits.start() {
            return None;
        }
        let (number, rest) = self.rest.split_at(have);
        self.rest = rest;
        number.parse().ok()
    }

    /// One of these words (or of their first letters), in any case: its number.
    fn name(&mut self, names: &[&str], letters: usize) -> Option<i64> {
        let matching = |name: &&str| {
            let name = &name[..letters.min(name.len())];
            self.rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
        };
        let found = names.iter().position(matching)?;
        self.rest = &self.rest[letters.min(names[found].len())..];
        Some(found as i64)
    }

    fn literal(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// Digits below the second, as nanoseconds.
    fn fraction(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        self.rest = self.rest.strip_prefix(['.', ','])?;
        let have = self.rest.bytes().take(*digits.end()).take_while(u8::is_ascii_digit).count();
        if have < *digits.start() {
            return None;
        }
        let (number, rest) = self.rest.split_at(have);
        self.rest = rest;
        format!("{:0<9.9}", number).parse().ok()
    }

    fn offset(&mut self, colon: bool, minutes: bool, seconds: bool) -> Option<i32> {
        let sign = match self.rest.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let mut total = self.number(2..=2)? * 3600;
        for (wanted, factor) in [(minutes, 60), (seconds, 1)] {
            if wanted {
                if colon {
                    self.literal(":")?;
                }
                total += self.number(2..=2)? * factor;
            }
        }
        i32::try_from(sign * total).ok()
    }
}

pub(super) fn parse(layout: &str, text: &str) -> Result<Parsed, String> {
    let mut reader = Reader { rest: text };
    let (mut year, mut month, mut day, mut year_day) = (0, None, None, None);
    let (mut hour, mut minute, mut second, mut nanos) = (0, 0, 0, 0);
    let (mut afternoon, mut offset) = (None, None);
    let all = pieces(layout);
    for (i, piece) in all.iter().enumerate() {
        let before = reader.rest;
        let fail = || format!("parsing time {text:?} as {layout:?}: cannot parse {before:?} as {:?}", shown(piece));
        match *piece {
            Piece::Literal(literal) => {
                for part in literal.split_inclusive(' ') {
                    let word = part.trim_end_matches(' ');
                    reader.literal(word).ok_or_else(fail)?;
                    if part.len() > word.len() {
                        reader.spaces();
                    }
                }
            }
            Piece::Year => year = reader.number(4..=4).ok_or_else(fail)?,
            Piece::ShortYear => {
                let short = reader.number(2..=2).ok_or_else(fail)?;
                year = if short >= 69 { 1900 + short } else { 2000 + short };
            }
            Piece::LongMonth => month = Some(reader.name(&MONTHS, 9).ok_or_else(fail)? + 1),
            Piece::Month => month = Some(reader.name(&MONTHS, 3).ok_or_else(fail)? + 1),
            Piece::MonthNumber { width } => month = Some(reader.number(width..=2).ok_or_else(fail)?),
            Piece::LongDay => drop(reader.name(&DAYS, 9).ok_or_else(fail)?),
            Piece::Day => drop(reader.name(&DAYS, 3).ok_or_else(fail)?),
            Piece::DayNumber { width, pad } => {
                if pad == ' ' {
                    reader.spaces();
                }
                let width = if pad == ' ' { 1 } else { width };
                day = Some(reader.number(width..=2).ok_or_else(fail)?);
            }
            Piece::YearDay { .. } => {
                reader.spaces();
                year_day = Some(reader.number(1..=3).ok_or_else(fail)?);
            }
            Piece::Hour => hour = reader.number(1..=2).ok_or_else(fail)?,
            Piece::Hour12 { width } => hour = reader.number(width..=2).filter(|h| *h <= 12).ok_or_else(fail)?,
            Piece::Minute { width } => minute = reader.number(width..=2).ok_or_else(fail)?,
            Piece::Second { width } => {
                second = reader.number(width..=2).ok_or_else(fail)?;
                // A fraction may follow the seconds even where the layout has none.
                let next_is_fraction = matches!(all.get(i + 1), Some(Piece::Fraction { .. }));
                if !next_is_fraction && reader.rest.starts_with(['.', ',']) {
                    let rest = reader.rest;
                    match reader.fraction(1..=usize::MAX) {
                        Some(n) => nanos = n,
                        None => reader.rest = rest,
                    }
                }
            }
            Piece::Upper => afternoon = Some(reader.name(&["AM", "PM"], 2).ok_or_else(fail)?),
            Piece::Lower => afternoon = Some(reader.name(&["am", "pm"], 2).ok_or_else(fail)?),
            Piece::Fraction { digits, fixed: true, .. } => {
                nanos = reader.fraction(digits..=digits).ok_or_else(fail)?;
            }
            Piece::Fraction { .. } => {
                if reader.rest.starts_with(['.', ',']) {
                    nanos = reader.fraction(0..=usize::MAX).ok_or_else(fail)?;
                }
            }
            Piece::ZoneName => {
                let letters = reader.rest.bytes().take_while(|b| b.is_ascii_uppercase()).count();
                if !(3..=5).contains(&letters) {
                    return Err(fail());
                }
                reader.rest = &reader.rest[letters..];
            }
            Piece::Offset { z: true, .. } if reader.rest.starts_with('Z') => {
                reader.rest = &reader.rest[1..];
                offset = Some(0);
            }
            Piece::Offset { colon, minutes, seconds, .. } => {
                offset = Some(reader.offset(colon, minutes, seconds).ok_or_else(fail)?);
            }
        }
    }
    if !reader.rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {:?}", reader.rest));
    }
    match afternoon {
        Some(1) if hour < 12 => hour += 12,
        Some(0) if hour == 12 => hour = 0,
        _ => {}
    }
    let range = |what: &str| format!("parsing time {text:?}: {what} out of range");
    let small = |n: i64, what: &str| i8::try_from(n).map_err(|_| range(what));
    let time = Time::new(small(hour, "hour")?, small(minute, "minute")?, small(second, "second")?, nanos as i32)
        .map_err(|_| {
            range(if hour > 23 {
                "hour"
            } else if minute > 59 {
                "minute"
            } else {
                "second"
            })
        })?;
    let year = i16::try_from(year).map_err(|_| range("year"))?;
    let first = Date::new(year, small(month.unwrap_or(1), "month")?, 1).map_err(|_| range("month"))?;
    let date = match (year_day, day) {
        (Some(n), None) => i16::try_from(n).ok().and_then(|n| first.with().day_of_year(n).build().ok()),
        (_, day) => i8::try_from(day.unwrap_or(1)).ok().and_then(|d| first.with().day(d).build().ok()),
    };
    Ok(Parsed { civil: date.ok_or_else(|| range("day"))?.to_datetime(time), offset })
}

/// A piece as the layout has it, for messages.
fn shown<'a>(piece: &Piece<'a>) -> &'a str {
    match piece {
        Piece::Literal(text) => text,
        Piece::Fraction { fixed: true, .. } => ".000",
        Piece::Fraction { .. } => ".999",
        other => WORDS.iter().find(|(_, p)| p == other).map_or("", |(text, _)| text),
    }
}

#[cfg(test)]
mod tests {
    use crate::gotime::Time;

    #[test]
    fn layouts_format() {
        let t = Time::parse("2006-01-02T15:04:05.999Z07:00", "2012-11-24T03:04:05.0067+02:00").unwrap();
        for (layout, text) in [
            ("Mon Jan 2 15:04:05 2006", "Sat Nov 24 03:04:05 2012"),
            ("Monday, January _2 06", "Saturday, November 24 12"),
            ("3:4:5 PM pm 03", "3:4:5 AM am 03"),
            (".000 .999999 ,99", ".006 .0067 "),
            ("002 __2 _2006", "329 329 _2012"),
            ("-0700 -07:00 -07 Z0700 Z07:00", "+0200 +02:00 +02 +0200 +02:00"),
            ("MST Month 12", "+0200 Month 1124"),
            ("", ""),
        ] {
            assert_eq!(t.format(layout), text, "{layout}");
        }
    }

    #[test]
    fn layouts_parse() {
        for (layout, text, expected) in [
            ("2006-01-02", "2024-03-15", "2024-03-15T00:00:00Z"),
            ("2006-01-02 15:04:05", "2024-03-15 10:20:30.25", "2024-03-15T10:20:30.25Z"),
            ("Jan _2 2006 3:04PM", "mar  5 2024 12:07AM", "2024-03-05T00:07:00Z"),
            ("02/01/06", "15/03/24", "2024-03-15T00:00:00Z"),
            ("2006 002", "2024 060", "2024-02-29T00:00:00Z"),
        ] {
            assert_eq!(Time::parse(layout, text).map(|t| t.rfc3339()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn wrong_times_are_told() {
        for (layout, text, expected) in [
            ("2006-01-02", "2024-13-15", "month out of range"),
            ("2006-01-02", "2024-02-30", "day out of range"),
            ("15:04", "25:00", "hour out of range"),
            ("2006", "2024x", "extra text: \"x\""),
            ("2006-01", "2024_01", "cannot parse \"_01\" as \"-\""),
        ] {
            let error = Time::parse(layout, text).unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
    }
}
