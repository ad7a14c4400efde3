//! Numbers for people.

use watchglass_text::gofmt::float;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// Four significant digits.
pub(super) fn short(v: f64) -> String {
    float(v, 'g', Some(4))
}

/// With the prefix of a power of 1000.
pub(super) fn decimal(mut v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return short(v);
    }
    if v.abs() < 1.0 {
        return small(v);
    }
    let mut prefix = "";
    for p in LARGE {
        if v.abs() < 1000.0 {
            break;
        }
        prefix = p;
        v /= 1000.0;
    }
    short(v) + prefix
}

fn small(mut v: f64) -> String {
    let mut prefix = "";
    for p in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = p;
        v *= 1000.0;
    }
    short(v) + prefix
}

/// With the prefix of a power of 1024.
pub(super) fn binary(mut v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() {
        return short(v);
    }
    let mut prefix = String::new();
    for p in LARGE {
        if v.abs() < 1024.0 {
            break;
        }
        prefix = format!("{p}i");
        v /= 1024.0;
    }
    short(v) + &prefix
}

/// Seconds as days, hours, minutes and seconds; below a minute with fractions.
pub(super) fn duration(v: f64) -> String {
    if !v.is_finite() {
        return short(v);
    }
    if v == 0.0 {
        return short(v) + "s";
    }
    if v.abs() < 1.0 {
        return small(v) + "s";
    }
    let sign = if v < 0.0 { "-" } else { "" };
    let whole = v.abs() as u64;
    let (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86_400);
    if days > 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours > 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", short(v.abs()))
    }
}

/// A ratio as a percentage.
pub(super) fn percentage(v: f64) -> String {
    short(v * 100.0) + "%"
}
