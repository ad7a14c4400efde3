//! The plugin's lines in our log.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bindings::wit::log::{Host, Level};
use crate::state::State;

/// Longest line, bytes; what is over is cut.
const MAX_LINE: usize = 2_000;

/// Lines that may come in a burst, times the lines a second.
const BURST: f64 = 5.0;

/// Where a plugin's log lines go: bounded in length and rate.
#[derive(Debug)]
pub(crate) struct LogSink {
    name: String,
    per_second: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
    dropped: u64,
    dropped_since_line: u64,
}

impl LogSink {
    /// A sink for a collector of this name.
    pub(crate) fn new(name: &str, lines_per_second: u32) -> LogSink {
        let per_second = f64::from(lines_per_second);
        let bucket = Bucket { tokens: per_second * BURST, at: Instant::now(), dropped: 0, dropped_since_line: 0 };
        LogSink { name: name.to_owned(), per_second, bucket: Mutex::new(bucket) }
    }

    /// Lines dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a line may be written now, and how many were dropped before it.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut bucket = self.lock();
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.per_second * BURST);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            bucket.dropped += 1;
            bucket.dropped_since_line += 1;
            return None;
        }
        bucket.tokens -= 1.0;
        Some(std::mem::take(&mut bucket.dropped_since_line))
    }

    /// Writes a line.
    pub(crate) fn write(&self, level: Level, line: &str) {
        let Some(dropped) = self.admit(Instant::now()) else { return };
        let name = self.name.as_str();
        if dropped > 0 {
            tracing::warn!(target: "watchglass::plugin", collector = name, dropped, "log lines of the plugin were dropped");
        }
        let line = clean(line);
        match level {
            Level::Debug => tracing::debug!(target: "watchglass::plugin", collector = name, "{line}"),
            Level::Info => tracing::info!(target: "watchglass::plugin", collector = name, "{line}"),
            Level::Warn => tracing::warn!(target: "watchglass::plugin", collector = name, "{line}"),
            Level::Error => tracing::error!(target: "watchglass::plugin", collector = name, "{line}"),
        }
    }
}

/// One line: cut, and without control characters, which could forge lines or steer a terminal.
fn clean(line: &str) -> String {
    let mut end = line.len().min(MAX_LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let mut out: String = line[..end].trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if end < line.len() {
        out.push_str(" ...");
    }
    out
}

impl Host for State {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.shared.log.write(level, &message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let sink = LogSink::new("x", 10);
        let now = Instant::now();
        let written = (0..1_000).filter(|_| sink.admit(now).is_some()).count();
        assert_eq!((written, sink.dropped()), (50, 950));
        assert_eq!(sink.admit(now + Duration::from_secs(1)), Some(950), "the next line tells of them");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(clean("a\nb\u{1b}[31mc\n"), "a b [31mc");
        let long = "ü".repeat(3_000);
        assert!(clean(&long).len() < 2_010 && clean(&long).ends_with(" ..."));
    }
}
