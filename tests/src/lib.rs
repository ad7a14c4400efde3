//! What the end-to-end tests share: the daemon as a process, a Slack that listens, an app with metrics, a Redis.
//!
//! Everything owns its ports and folders, so that all tests run in parallel. The tests themselves are in `tests/tests`.

mod both;
mod daemon;
mod docker;
mod http;
mod peers;
mod prometheus;
mod puppet;
mod redis;
mod units;

pub use both::{Answer, Both, normalized};
pub use daemon::{Daemon, plugins_dir, watchglass};
pub use docker::Docker;
pub use http::{App, Endpoint, Page, Received, Sink};
pub use peers::{Alertmanager, Running, peer_of};
pub use prometheus::{Prometheus, peer};
pub use puppet::puppet;
pub use redis::Redis;
pub use units::Units;

use std::time::{Duration, Instant};

/// How long a test waits for something that must come. Long, because the machine may be busy; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; fails with the last word where none comes in time.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) if Instant::now() >= end => panic!("{what}: not within {PATIENCE:?}; last seen: {last}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The root of the workspace.
pub fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| ".".into(), std::path::Path::to_path_buf)
}

/// Says that a test is skipped for want of something, or fails where nothing may be skipped (`CI=true`).
pub fn skip(test: &str, missing: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{test} needs {missing}, and with CI=true nothing is skipped"
    );
    eprintln!("SKIPPED: {test} needs {missing}");
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

/// Now, Unix time in ms.
pub fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// A time as the APIs write it.
pub fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|e| e.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
