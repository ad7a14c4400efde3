//! How much CPU a call takes, and a future that measures it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// CPU time of one call, over all the threads that polled it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Nanoseconds of the polls that are over.
    spent: AtomicU64,
    /// The thread's CPU time when the poll that runs now began, plus one; 0: none runs.
    began: AtomicU64,
}

impl Meter {
    /// Begins a new call.
    pub(crate) fn reset(&self) {
        self.spent.store(0, Ordering::Relaxed);
        self.began.store(0, Ordering::Relaxed);
    }

    /// CPU time so far, the poll that runs now included when asked from within it.
    pub(crate) fn spent(&self) -> Duration {
        let began = self.began.load(Ordering::Relaxed);
        let now = if began == 0 { 0 } else { thread_cpu().saturating_sub(began - 1) };
        Duration::from_nanos(self.spent.load(Ordering::Relaxed) + now)
    }

    fn begin(&self) {
        self.began.store(thread_cpu() + 1, Ordering::Relaxed);
    }

    fn end(&self) {
        let began = self.began.swap(0, Ordering::Relaxed);
        if began > 0 {
            self.spent.fetch_add(thread_cpu().saturating_sub(began - 1), Ordering::Relaxed);
        }
    }
}

/// CPU time of this thread, nanoseconds.
fn thread_cpu() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// What a measured future gave: its value, or the text of its panic.
pub(crate) type Measured<T> = Result<T, String>;

/// Runs a future on a meter and holds its panics: those of host functions unwind through here.
pub(crate) struct Metered<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    meter: Arc<Meter>,
}

impl<'a, T> Metered<'a, T> {
    /// Measures this future.
    pub(crate) fn new(meter: Arc<Meter>, future: impl Future<Output = T> + Send + 'a) -> Metered<'a, T> {
        Metered { future: Box::pin(future), meter }
    }
}

impl<T> Future for Metered<'_, T> {
    type Output = Measured<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Measured<T>> {
        let this = self.get_mut();
        this.meter.begin();
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| this.future.as_mut().poll(cx)));
        this.meter.end();
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_a_value() {
        let meter = Arc::new(Meter::default());
        let gave = Metered::new(meter.clone(), async {
            if meter_is_zero(&[]) {
                panic!("no {}", 1)
            }
        })
        .await;
        assert_eq!(gave, Err("no 1".to_owned()));
    }

    fn meter_is_zero(nothing: &[u8]) -> bool {
        nothing.is_empty()
    }

    #[tokio::test]
    async fn work_is_counted_and_waiting_is_not() {
        let meter = Arc::new(Meter::default());
        let work = || (0..2_000_000u64).fold(1u64, |a, b| std::hint::black_box(a.wrapping_mul(31).wrapping_add(b)));
        let gave = Metered::new(meter.clone(), async { work() }).await;
        assert!(gave.is_ok() && meter.spent() > Duration::from_micros(100), "{:?}", meter.spent());
        meter.reset();
        assert_eq!(meter.spent(), Duration::ZERO);
    }
}
