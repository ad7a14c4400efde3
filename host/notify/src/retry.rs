//! Trying again, for a short while.
//!
//! Only what passes quickly is waited out here (a connection that was reset, a proxy that restarts). For anything longer the state
//! machine issues the notification anew, with what is true by then.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;

/// How long one notification is tried before the state machine gets it back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before the second attempt; each further one is longer by half.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Calls `attempt` until it succeeds, fails for good, or `patience` is used up. `seed` spreads the pauses of several senders.
///
/// A receiver that asks for a longer pause than is left gets it from the state machine: the failure carries it.
pub(crate) async fn attempts<T, F, R>(patience: Duration, seed: u64, mut attempt: F) -> Result<T, Failure>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, Failure>>,
{
    let start = Instant::now();
    let mut pauses = Pauses::new(patience, seed);
    loop {
        let failure = match attempt().await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let Some(wait) = pauses.next(&failure, start.elapsed()) else { return Err(failure) };
        tracing::debug!(error = %failure.error, wait_ms = wait.as_millis() as u64, "trying again");
        tokio::time::sleep(wait).await;
    }
}

/// The pauses between attempts.
struct Pauses {
    patience: Duration,
    pause: Duration,
    noise: u64,
}

impl Pauses {
    fn new(patience: Duration, seed: u64) -> Pauses {
        Pauses { patience, pause: FIRST_PAUSE, noise: seed | 1 }
    }

    /// How long to wait after this failure, `elapsed` after the first attempt began; `None`: no more attempts.
    fn next(&mut self, failure: &Failure, elapsed: Duration) -> Option<Duration> {
        if !failure.retry {
            return None;
        }
        let asked = failure.retry_after.map_or(Duration::ZERO, |ms| Duration::from_millis(ms.max(0) as u64));
        let wait = self.pause.mul_f64(0.5 + self.fraction()).max(asked);
        self.pause = self.pause.mul_f64(1.5);
        (elapsed + wait < self.patience).then_some(wait)
    }

    /// Something from 0 to 1 (xorshift: nothing here needs better randomness).
    fn fraction(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureReason;

    fn passing(retry_after: Option<i64>) -> Failure {
        Failure { retry_after, ..Failure::passing("x", FailureReason::Server) }
    }

    /// All pauses where each attempt fails at once.
    fn all(failure: &Failure, seed: u64) -> Vec<Duration> {
        let (mut pauses, mut elapsed, mut waits) = (Pauses::new(PATIENCE, seed), Duration::ZERO, Vec::new());
        while let Some(wait) = pauses.next(failure, elapsed) {
            elapsed += wait;
            waits.push(wait);
        }
        assert!(elapsed < PATIENCE, "{elapsed:?}");
        waits
    }

    #[test]
    fn pauses_grow_and_end() {
        for seed in 0..1000 {
            let waits = all(&passing(None), seed);
            assert!((3..12).contains(&waits.len()), "{waits:?}");
            for (i, wait) in waits.iter().enumerate() {
                let middle = 500.0 * 1.5f64.powi(i as i32);
                let ms = wait.as_secs_f64() * 1000.0;
                assert!(ms >= middle * 0.5 - 1.0 && ms <= middle * 1.5 + 1.0, "{i}: {ms}");
            }
        }
        assert_ne!(all(&passing(None), 1), all(&passing(None), 2));
    }

    #[test]
    fn lasting_failures_are_not_tried_again() {
        assert!(all(&Failure::lasting("no", FailureReason::Client), 7).is_empty());
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept() {
        assert_eq!(all(&passing(Some(4000)), 7), [Duration::from_secs(4); 2]);
        assert!(all(&passing(Some(30_000)), 7).is_empty());
    }
}
