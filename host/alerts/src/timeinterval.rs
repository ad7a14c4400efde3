//! Time intervals: when routes are muted or active.

/// A range with both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InclusiveRange {
    /// First.
    pub start: i32,
    /// Last.
    pub end: i32,
}

/// Days of a month; negative ones count from its end (-1 is the last).
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

/// One entry of a named time interval: every part that is not empty must hold.
#[derive(Clone, Debug, Default)]
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
    pub location: Option<jiff::tz::TimeZone>,
}
