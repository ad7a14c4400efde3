//! Calendar dates of Unix times, in UTC.

use watchglass_model::TimeMs;

/// A moment in UTC, split up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    /// Year, astronomical.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u32,
    /// 1 to 31.
    pub(crate) day: u32,
    /// 0 to 23.
    pub(crate) hour: u32,
    /// 0 to 59.
    pub(crate) minute: u32,
    /// 0 to 59.
    pub(crate) second: u32,
    /// 0 is Sunday.
    pub(crate) weekday: u32,
    /// 1 to 366.
    pub(crate) day_of_year: u32,
}

impl Civil {
    /// Splits seconds since 1970. Days are counted from 1 March, so that the leap day comes last in its year and months
    /// have a regular pattern of lengths (the method of H. Hinnant's "chrono-compatible low-level date algorithms").
    pub(crate) fn from_seconds(seconds: i64) -> Civil {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let day = from_march - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let before: i64 = (1..month as u32).map(|m| i64::from(days_in_month(year, m))).sum();
        Civil {
            year,
            month: month as u32,
            day: day as u32,
            hour: (rest / 3_600) as u32,
            minute: (rest / 60 % 60) as u32,
            second: (rest % 60) as u32,
            weekday: (days + 4).rem_euclid(7) as u32,
            day_of_year: (before + day) as u32,
        }
    }

    /// How many days its month has.
    pub(crate) fn days_in_month(&self) -> u32 {
        days_in_month(self.year, self.month)
    }
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `2006-01-02T15:04:05Z`.
pub(crate) fn rfc3339(at: TimeMs) -> String {
    let c = Civil::from_seconds(at.div_euclid(1000));
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        let c = Civil::from_seconds(1_136_239_445);
        assert_eq!((c.year, c.month, c.day, c.hour, c.minute, c.second), (2006, 1, 2, 22, 4, 5));
        assert_eq!((c.weekday, c.day_of_year, c.days_in_month()), (1, 2, 31));
        assert_eq!(Civil::from_seconds(1_456_790_399).day, 29);
        assert_eq!(Civil::from_seconds(1_483_191_420).day_of_year, 366);
        assert_eq!(Civil::from_seconds(-1).year, 1969);
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }
}
