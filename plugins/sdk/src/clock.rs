//! The host's clocks. `std::time` traps in a component without WASI.

/// Gives the time, in milliseconds of Unix time.
pub fn now() -> i64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::collector::watchglass::plugin::clock::now();
    #[cfg(not(target_arch = "wasm32"))]
    native::now()
}

/// Gives nanoseconds since some fixed moment; never goes back.
pub fn monotonic_ns() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::collector::watchglass::plugin::clock::monotonic_ns();
    #[cfg(not(target_arch = "wasm32"))]
    native::monotonic_ns()
}

/// A running stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(u64);

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Stopwatch {
        Stopwatch(monotonic_ns())
    }

    /// Gives the seconds since it was started.
    pub fn seconds(self) -> f64 {
        monotonic_ns().saturating_sub(self.0) as f64 / 1e9
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::disallowed_methods, reason = "natively, for tests, std's clocks stand in for the host's")]
mod native {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    pub(super) fn now() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }

    pub(super) fn monotonic_ns() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}
