//! Numbers for people.

/// `12.5 GiB`.
pub fn bytes(n: f64) -> String {
    let (mut n, mut unit) = (n, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if n.abs() < 1024.0 {
            break;
        }
        (n, unit) = (n / 1024.0, larger);
    }
    if unit == "B" || n.abs() >= 100.0 { format!("{n:.0} {unit}") } else { format!("{n:.1} {unit}") }
}

/// `2026-01-31 14:20 UTC`, of milliseconds of Unix time.
pub fn time(ms: i64) -> String {
    let (days, minutes) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 60_000);
    let (y, m, d) = date(days);
    format!("{y:04}-{m:02}-{d:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// Year, month and day of a day since 1970-01-01: years are counted from March, so that the leap day is a year's last, in spans of 400 years (146,097 days).
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (d, m) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + i64::from(m <= 2), m, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (n, text) in
            [(0.0, "0 B"), (1023.0, "1023 B"), (1536.0, "1.5 KiB"), (13.4e9, "12.5 GiB"), (5e14, "455 TiB")]
        {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn times() {
        for (ms, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_767_225_599_999, "2025-12-31 23:59 UTC"),
            (1_769_869_200_000, "2026-01-31 14:20 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
        ] {
            assert_eq!(time(ms), text);
        }
    }
}
