//! What became of a batch.

use std::fmt;

/// Why a sample was not stored. Prometheus' reasons and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Older than the series' newest sample.
    OutOfOrder,
    /// Older than what the head may still take: its time may be in a block already.
    OutOfBounds,
    /// The series has another value at the same time.
    Conflict,
    /// The head is full ([`crate::Options::max_series`]) and the series is new.
    TooManySeries,
    /// The series has no metric name or no labels at all, or a histogram contradicts itself.
    Invalid,
}

impl Rejection {
    /// The reason as Prometheus' remote-write answers word it.
    pub fn as_str(self) -> &'static str {
        match self {
            Rejection::OutOfOrder => "out of order sample",
            Rejection::OutOfBounds => "out of bounds",
            Rejection::Conflict => "duplicate sample for timestamp",
            Rejection::TooManySeries => "too many series",
            Rejection::Invalid => "invalid sample",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a batch. The counts add up to its samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Stored.
    pub appended: u64,
    /// Already there with the same time and value; nothing was to be done.
    pub duplicates: u64,
    /// See [`Rejection::OutOfOrder`].
    pub out_of_order: u64,
    /// See [`Rejection::OutOfBounds`].
    pub out_of_bounds: u64,
    /// See [`Rejection::Conflict`].
    pub conflicts: u64,
    /// See [`Rejection::TooManySeries`].
    pub too_many_series: u64,
    /// See [`Rejection::Invalid`].
    pub invalid: u64,
    /// Series that the head had not known.
    pub new_series: u64,
    /// The first sample that was not stored (its index in the batch) and why: for the one line of text that an answer has room for.
    pub first_rejected: Option<(usize, Rejection)>,
}

impl Appended {
    /// How many were neither stored nor already there.
    pub fn rejected(&self) -> u64 {
        self.out_of_order + self.out_of_bounds + self.conflicts + self.too_many_series + self.invalid
    }

    /// Counts a sample that is not stored.
    pub(crate) fn reject(&mut self, index: usize, why: Rejection) {
        match why {
            Rejection::OutOfOrder => self.out_of_order += 1,
            Rejection::OutOfBounds => self.out_of_bounds += 1,
            Rejection::Conflict => self.conflicts += 1,
            Rejection::TooManySeries => self.too_many_series += 1,
            Rejection::Invalid => self.invalid += 1,
        }
        if self.first_rejected.is_none_or(|(first, _)| index < first) {
            self.first_rejected = Some((index, why));
        }
    }
}
