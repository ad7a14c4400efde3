//! Methods: those of a value's class, and those of times and durations.

use super::value::{Method, Param, Params};
use super::{Value, printf};
use crate::gotime::{DAYS, Duration, MONTHS, Time};

/// The method of this name that a value has.
pub(super) fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Method> {
    let methods = match value {
        Value::Time(_) => TIME,
        Value::Duration(_) => DURATION,
        value => value.class()?.methods,
    };
    methods.iter().find(|m| m.name == name)
}

const NONE: Params = Params::fixed(&[]);

const fn method(name: &'static str, params: Params, call: fn(&Value, &[Value]) -> Result<Value, String>) -> Method {
    Method { name, params, call }
}

/// The receiver as a time. Only called where it is one.
fn time(value: &Value) -> Time {
    match value {
        Value::Time(t) => t.clone(),
        _ => Time::zero(),
    }
}

/// The same for a duration.
fn duration(value: Option<&Value>) -> Duration {
    match value {
        Some(Value::Duration(d)) => *d,
        _ => Duration(0),
    }
}

fn text(args: &[Value]) -> &str {
    args.first().and_then(Value::as_str).unwrap_or_default()
}

fn int(n: impl Into<i64>) -> Result<Value, String> {
    Ok(Value::Int(n.into()))
}

fn compare(f: fn(i128, i128) -> bool, receiver: &Value, args: &[Value]) -> Result<Value, String> {
    let other = args.first().map_or_else(Time::zero, time);
    Ok(Value::Bool(f(time(receiver).unix_nanos(), other.unix_nanos())))
}

const TIME: &[Method] = &[
    method("Format", Params::fixed(&[Param::String]), |t, args| Ok(Value::from(time(t).format(text(args))))),
    method("String", NONE, |t, _| Ok(Value::from(time(t).to_string()))),
    method("Add", Params::fixed(&[Param::Duration]), |t, args| Ok(Value::Time(time(t).add(duration(args.first()))))),
    method("AddDate", Params::fixed(&[Param::Int, Param::Int, Param::Int]), |t, args| {
        let part = |i: usize| match args.get(i) {
            Some(Value::Int(n)) => *n,
            _ => 0,
        };
        time(t).add_date(part(0), part(1), part(2)).map(Value::Time)
    }),
    method("Sub", Params::fixed(&[Param::Time]), |t, args| {
        Ok(Value::Duration(time(t).since(&args.first().map_or_else(Time::zero, time))))
    }),
    method("After", Params::fixed(&[Param::Time]), |t, args| compare(|a, b| a > b, t, args)),
    method("Before", Params::fixed(&[Param::Time]), |t, args| compare(|a, b| a < b, t, args)),
    method("Equal", Params::fixed(&[Param::Time]), |t, args| compare(|a, b| a == b, t, args)),
    method("Compare", Params::fixed(&[Param::Time]), |t, args| {
        let other = args.first().map_or_else(Time::zero, time);
        int(time(t).unix_nanos().cmp(&other.unix_nanos()) as i8)
    }),
    method("IsZero", NONE, |t, _| Ok(Value::Bool(time(t).is_zero()))),
    method("Unix", NONE, |t, _| int(time(t).unix())),
    method("UnixMilli", NONE, |t, _| int(time(t).unix_ms())),
    method("UnixMicro", NONE, |t, _| int(time(t).unix_nanos().div_euclid(1000) as i64)),
    method("UnixNano", NONE, |t, _| int(time(t).unix_nanos() as i64)),
    method("Nanosecond", NONE, |t, _| int(time(t).civil().subsec_nanosecond())),
    method("Second", NONE, |t, _| int(time(t).civil().second())),
    method("Minute", NONE, |t, _| int(time(t).civil().minute())),
    method("Hour", NONE, |t, _| int(time(t).civil().hour())),
    method("Day", NONE, |t, _| int(time(t).civil().day())),
    method("YearDay", NONE, |t, _| int(time(t).civil().day_of_year())),
    method("Year", NONE, |t, _| int(time(t).civil().year())),
    // Go's Month and Weekday are numbers that print as names; here they are the names.
    method("Month", NONE, |t, _| Ok(Value::from(MONTHS[(time(t).civil().month() - 1) as usize % 12]))),
    method("Weekday", NONE, |t, _| {
        Ok(Value::from(DAYS[time(t).civil().weekday().to_sunday_zero_offset() as usize % 7]))
    }),
    method("UTC", NONE, |t, _| Ok(Value::Time(time(t).utc()))),
    method("Local", NONE, |t, _| time(t).in_zone("Local").map(Value::Time)),
    method("Truncate", Params::fixed(&[Param::Duration]), |t, args| {
        Ok(Value::Time(time(t).rounded(duration(args.first()), false)))
    }),
    method("Round", Params::fixed(&[Param::Duration]), |t, args| {
        Ok(Value::Time(time(t).rounded(duration(args.first()), true)))
    }),
];

const DURATION: &[Method] = &[
    method("String", NONE, |d, _| Ok(Value::from(printf::plain(d)))),
    method("Hours", NONE, |d, _| Ok(Value::Float(duration(Some(d)).0 as f64 / 3.6e12))),
    method("Minutes", NONE, |d, _| Ok(Value::Float(duration(Some(d)).0 as f64 / 6e10))),
    method("Seconds", NONE, |d, _| Ok(Value::Float(duration(Some(d)).seconds()))),
    method("Milliseconds", NONE, |d, _| int(duration(Some(d)).0 / 1_000_000)),
    method("Microseconds", NONE, |d, _| int(duration(Some(d)).0 / 1_000)),
    method("Nanoseconds", NONE, |d, _| int(duration(Some(d)).0)),
    method("Abs", NONE, |d, _| Ok(Value::Duration(Duration(duration(Some(d)).0.saturating_abs())))),
    method("Truncate", Params::fixed(&[Param::Duration]), |d, args| {
        Ok(Value::Duration(duration(Some(d)).rounded(duration(args.first()), false)))
    }),
    method("Round", Params::fixed(&[Param::Duration]), |d, args| {
        Ok(Value::Duration(duration(Some(d)).rounded(duration(args.first()), true)))
    }),
];
