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
    let end = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    let mut noise = seed | 1;
    loop {
        let failure = match attempt().await {
            Ok(done) => return Ok(done),
            Err(failure) if !failure.retry => return Err(failure),
            Err(failure) => failure,
        };
        let asked = failure.retry_after.map_or(Duration::ZERO, |ms| Duration::from_millis(ms.max(0) as u64));
        let wait = jittered(pause, &mut noise).max(asked);
        if Instant::now() + wait >= end {
            return Err(failure);
        }
        tracing::debug!(error = %failure.error, wait_ms = wait.as_millis() as u64, "trying again");
        tokio::time::sleep(wait).await;
        pause = pause.mul_f64(1.5);
    }
}

/// Half to one and a half of a pause (xorshift: nothing here needs better randomness).
fn jittered(pause: Duration, noise: &mut u64) -> Duration {
    *noise ^= *noise << 13;
    *noise ^= *noise >> 7;
    *noise ^= *noise << 17;
    pause.mul_f64(0.5 + (*noise >> 11) as f64 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::failure::FailureReason;

    /// Runs with time standing still except in sleeps; gives the result, the number of attempts and the time taken.
    async fn run(failures: Vec<Failure>) -> (Result<(), Failure>, usize, Duration) {
        let (calls, failures, start) = (Cell::new(0), &failures, Instant::now());
        let result = attempts(PATIENCE, 7, || {
            let failure = failures.get(calls.replace(calls.get() + 1)).cloned();
            async move { failure.map_or(Ok(()), Err) }
        })
        .await;
        (result, calls.get(), start.elapsed())
    }

    fn passing(retry_after: Option<i64>) -> Failure {
        Failure { retry_after, ..Failure::passing("x", FailureReason::Server) }
    }

    #[tokio::test(start_paused = true)]
    async fn passing_failures_are_tried_again() {
        let (result, calls, took) = run(vec![passing(None), passing(None)]).await;
        assert_eq!((result, calls), (Ok(()), 3));
        assert!(took >= Duration::from_millis(625) && took <= Duration::from_millis(1875), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn lasting_failures_are_not() {
        let failure = Failure::lasting("no", FailureReason::Client);
        let (result, calls, took) = run(vec![failure.clone()]).await;
        assert_eq!((result, calls, took), (Err(failure), 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_receiver_asks_for_is_kept() {
        let (result, calls, took) = run(vec![passing(Some(4000))]).await;
        assert_eq!((result, calls, took), (Ok(()), 2, Duration::from_secs(4)));
        let (result, calls, took) = run(vec![passing(Some(30_000))]).await;
        assert_eq!((result.map_err(|f| f.retry_after), calls, took), (Err(Some(30_000)), 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let (result, calls, took) = run(vec![passing(None); 100]).await;
        assert!(result.is_err() && (4..15).contains(&calls) && took < PATIENCE, "{calls} {took:?}");
    }
}
