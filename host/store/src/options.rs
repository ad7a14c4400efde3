//! How a store behaves.

use watchglass_model::TimeMs;

/// Two hours, the span of the smallest block: Prometheus' tools expect blocks cut at its multiples.
pub const DEFAULT_BLOCK_MS: TimeMs = 2 * 60 * 60 * 1000;

/// Fifteen days, Prometheus' retention where none is configured.
pub const DEFAULT_RETENTION_MS: TimeMs = 15 * 24 * 60 * 60 * 1000;

/// 128 MiB, Prometheus' size of a WAL segment.
pub const DEFAULT_WAL_SEGMENT_BYTES: u64 = 128 << 20;

/// What a power loss may take. A killed process loses nothing that was acknowledged under any of these: an append is
/// acknowledged when its record has reached the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// What the kernel had not written by itself yet: a segment is synced when it is full, and at a clean stop. As Prometheus does.
    #[default]
    Segment,
    /// At most about this many milliseconds: the next append or `maintain` after them syncs.
    EveryMs(u64),
    /// Nothing: an append waits for its sync. Appends that wait at the same time share one.
    Always,
}

/// How a store behaves. The defaults are Prometheus' own.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long samples are kept, in ms; blocks that lie wholly further back are deleted. 0: for ever.
    pub retention_ms: TimeMs,
    /// How many bytes blocks, WAL and head chunks may take together before the oldest blocks are deleted. 0: no limit.
    pub retention_bytes: u64,
    /// Span of the smallest block, in ms. Anything but two hours is for tests.
    pub min_block_ms: TimeMs,
    /// Span of the largest block that compaction makes, in ms. 0: a tenth of the retention, at most 31 days.
    pub max_block_ms: TimeMs,
    /// Size at which a WAL segment is full, in bytes; rounded to whole pages of 32 KiB.
    pub wal_segment_bytes: u64,
    /// Whether WAL records are compressed (snappy).
    pub wal_compression: bool,
    /// What a power loss may take.
    pub fsync: FsyncPolicy,
    /// How many series the head may hold; samples of further ones are refused and counted. Bounds what a flood of labels can take.
    pub max_series: usize,
    /// Samples in a head chunk before it is cut.
    pub chunk_samples: u16,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            retention_ms: DEFAULT_RETENTION_MS,
            retention_bytes: 0,
            min_block_ms: DEFAULT_BLOCK_MS,
            max_block_ms: 0,
            wal_segment_bytes: DEFAULT_WAL_SEGMENT_BYTES,
            wal_compression: true,
            fsync: FsyncPolicy::Segment,
            max_series: 20_000_000,
            chunk_samples: 120,
        }
    }
}
