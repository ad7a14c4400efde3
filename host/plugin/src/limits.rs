//! What a plugin may use up at most.

use std::time::Duration;

/// Limits of one collector or rule plugin. All are on by default; `0` never means "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, bytes. Default: the manifest's `memory-mib`, else 32 MiB.
    pub memory_bytes: Option<u64>,
    /// CPU time of one call.
    pub cpu: Duration,
    /// Bytes that one call may make the host allocate for what crosses the border.
    pub hostcall_bytes: usize,
    /// Samples that are kept of one collection; the excess is dropped and counted.
    pub series: usize,
    /// Payloads, evidence texts and other lists of one collection.
    pub items: usize,
    /// Instances of a `shared` plugin, and calls of a `fresh` one, at once.
    pub instances: usize,
    /// Connections and bodies that live at once in one instance.
    pub connections: usize,
    /// Log lines that a plugin may write in a second, over which lines are dropped and counted.
    pub log_lines_per_second: u32,
}

/// Memory where neither operator nor manifest says anything: enough for CPython with room (it needs 13).
pub const DEFAULT_MEMORY: u64 = 32 << 20;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: None,
            cpu: Duration::from_secs(2),
            // 200,000 samples as families cost about 30 MiB.
            hostcall_bytes: 64 << 20,
            series: 50_000,
            items: 1_000,
            instances: 4,
            connections: 64,
            log_lines_per_second: 20,
        }
    }
}
