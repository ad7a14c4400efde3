//! When a target has its turn.

use std::hash::{DefaultHasher, Hash, Hasher};

use watchglass_model::{Labels, TimeMs};

/// The turns of one target: every interval, offset by a hash of job and labels so that the targets of a job spread over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval_ms: i64,
    next: TimeMs,
}

impl Schedule {
    /// The turns from `now` on. The same target has the same offset after every restart.
    pub fn new(job: &str, labels: &Labels, interval_ms: i64, now: TimeMs) -> Schedule {
        let interval_ms = interval_ms.max(1);
        let mut hasher = DefaultHasher::new();
        (job, labels).hash(&mut hasher);
        let offset = (hasher.finish() % interval_ms.unsigned_abs()) as i64;
        let shifted = now - offset;
        let last = shifted - shifted.rem_euclid(interval_ms) + offset;
        Schedule { interval_ms, next: if last == now { now } else { last + interval_ms } }
    }

    /// The next turn.
    pub fn next(&self) -> TimeMs {
        self.next
    }

    /// The turn is over at `now`: the next one is the first that is not past. Gives how many were left out because this one took too long.
    pub fn advance(&mut self, now: TimeMs) -> u64 {
        self.next += self.interval_ms;
        if self.next > now {
            return 0;
        }
        let late = (now - self.next) / self.interval_ms + 1;
        self.next += late * self.interval_ms;
        late as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_keep_their_grid_and_late_ones_are_counted() {
        let labels = Labels::from_pairs([("instance", "a")]);
        let mut schedule = Schedule::new("job", &labels, 15_000, 1_000_000);
        let first = schedule.next();
        assert!((1_000_000..1_015_000).contains(&first));
        assert_eq!(schedule.advance(first + 3_000), 0);
        assert_eq!(schedule.next(), first + 15_000);
        assert_eq!(schedule.advance(first + 61_000), 3, "30, 45 and 60 s are past");
        assert_eq!(schedule.next(), first + 75_000);
        assert_eq!(Schedule::new("job", &labels, 15_000, first), Schedule { interval_ms: 15_000, next: first });
    }

    #[test]
    fn targets_spread_over_the_interval() {
        let offsets: std::collections::BTreeSet<i64> = (0..50)
            .map(|i| Schedule::new("job", &Labels::from_pairs([("instance", format!("host-{i}"))]), 15_000, 0).next())
            .collect();
        assert!(offsets.len() > 45 && offsets.last() > Some(&10_000) && offsets.first() < Some(&5_000), "{offsets:?}");
    }
}
