//! The distribution (os-release(5)).

use crate::machine::{Machine, Memory};
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

const FIELDS: [&str; 12] = [
    "BUILD_ID", "ID", "ID_LIKE", "IMAGE_ID", "IMAGE_VERSION", "NAME", "PRETTY_NAME", "VARIANT", "VARIANT_ID", "VERSION", "VERSION_CODENAME", "VERSION_ID",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = match m.files.text(&m.root("etc/os-release")) {
        Err(Error::NotFound(_)) => m.files.text(&m.root("usr/lib/os-release"))?,
        other => other?,
    };
    let fields: BTreeMap<&str, String> = text.lines().filter_map(|l| l.trim().split_once('=')).map(|(k, v)| (k, unquote(v))).collect();
    let get = |name: &str| fields.get(name).map_or("", String::as_str);
    let names: Vec<String> = FIELDS.iter().map(|f| f.to_ascii_lowercase()).collect();
    let labels: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(FIELDS.iter().map(|f| get(f))).collect();
    b.gauge("node_os_info", &format!("A metric with a constant '1' value labeled by {}.", names.join(", "))).sample(&labels, 1.0);
    if let Some(version) = major_minor(get("VERSION_ID")) {
        b.gauge("node_os_version", "Metric containing the major.minor part of the OS version.")
            .sample(&[("id", get("ID")), ("id_like", get("ID_LIKE")), ("name", get("NAME"))], version);
    }
    if let Some(end) = get("SUPPORT_END").split_once('-').and_then(|_| days(get("SUPPORT_END"))) {
        b.gauge("node_os_support_end_timestamp_seconds", "Metric containing the end-of-life date timestamp of the OS.").value(end * 86_400.0);
    }
    Ok(())
}

fn unquote(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner.replace("\\\"", "\"").replace("\\$", "$").replace("\\\\", "\\");
        }
    }
    text.to_owned()
}

/// `20.04.2` is 20.04.
fn major_minor(version: &str) -> Option<f64> {
    let numeric: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    numeric.splitn(3, '.').take(2).collect::<Vec<_>>().join(".").trim_end_matches('.').parse().ok()
}

/// Days since 1970 of `2026-05-31` (days from civil, Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(date: &str) -> Option<f64> {
    let mut parts = date.split('-').map(|p| p.parse::<i64>().ok());
    let (y, m, d) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=9_999).contains(&y) || !(1..=12).contains(&m) || !(1..=31).contains(&d) {
        return None;
    }
    let y = if m <= 2 { y - 1 } else { y };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    Some((era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_dates_and_quotes() {
        assert_eq!(major_minor("20.04.2 LTS"), Some(20.04));
        assert_eq!((major_minor("12"), major_minor("rolling")), (Some(12.0), None));
        assert_eq!((days("1970-01-01"), days("2000-03-01"), days("x-1-1"), days("2020-13-01")), (Some(0.0), Some(11_017.0), None, None));
        assert_eq!((unquote("\"a \\\"b\\\"\""), unquote("'x'"), unquote("plain")), ("a \"b\"".into(), "x".into(), "plain".into()));
    }
}
