//! What a store tells of itself.

use watchglass_model::TimeMs;

/// A snapshot of a store's counters and sizes: what `/metrics` shows under `prometheus_tsdb_*`. The field names are those
/// metrics' without their prefix. Counters count since the store was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// `prometheus_tsdb_head_series`.
    pub head_series: u64,
    /// `prometheus_tsdb_head_series_created_total`.
    pub head_series_created: u64,
    /// `prometheus_tsdb_head_series_removed_total`.
    pub head_series_removed: u64,
    /// Series refused because of [`crate::Options::max_series`].
    pub head_series_refused: u64,
    /// `prometheus_tsdb_head_chunks`.
    pub head_chunks: u64,
    /// `prometheus_tsdb_head_chunks_created_total`.
    pub head_chunks_created: u64,
    /// `prometheus_tsdb_head_chunks_removed_total`.
    pub head_chunks_removed: u64,
    /// Bytes of chunk data that the head holds in memory.
    pub head_chunk_bytes: u64,
    /// `prometheus_tsdb_head_samples_appended_total{type="float"}`.
    pub head_floats_appended: u64,
    /// `prometheus_tsdb_head_samples_appended_total{type="histogram"}`.
    pub head_histograms_appended: u64,
    /// `prometheus_tsdb_out_of_order_samples_total`.
    pub out_of_order_samples: u64,
    /// `prometheus_tsdb_out_of_bound_samples_total`.
    pub out_of_bound_samples: u64,
    /// Samples of a time that already has another value.
    pub conflicting_samples: u64,
    /// `prometheus_tsdb_head_min_time` in ms; `None` without samples.
    pub head_min_time: Option<TimeMs>,
    /// `prometheus_tsdb_head_max_time` in ms; `None` without samples.
    pub head_max_time: Option<TimeMs>,
    /// `prometheus_tsdb_lowest_timestamp` in ms, blocks included; `None` without samples.
    pub lowest_time: Option<TimeMs>,
    /// `prometheus_tsdb_head_truncations_total`.
    pub head_truncations: u64,
    /// `prometheus_tsdb_head_truncations_failed_total`.
    pub head_truncations_failed: u64,
    /// `prometheus_tsdb_checkpoint_creations_total`.
    pub checkpoint_creations: u64,
    /// `prometheus_tsdb_checkpoint_creations_failed_total`.
    pub checkpoint_creations_failed: u64,
    /// `prometheus_tsdb_checkpoint_deletions_total`.
    pub checkpoint_deletions: u64,
    /// `prometheus_tsdb_wal_corruptions_total`.
    pub wal_corruptions: u64,
    /// `prometheus_tsdb_mmap_chunk_corruptions_total`.
    pub head_chunk_corruptions: u64,
    /// `prometheus_tsdb_wal_segment_current`.
    pub wal_segment: u64,
    /// `prometheus_tsdb_wal_writes_failed_total`.
    pub wal_writes_failed: u64,
    /// `prometheus_tsdb_wal_record_parts_bytes_written_total` or so: bytes written to the WAL, framing included.
    pub wal_bytes_written: u64,
    /// `prometheus_tsdb_wal_fsync_duration_seconds_count`.
    pub wal_fsyncs: u64,
    /// `prometheus_tsdb_wal_storage_size_bytes`.
    pub wal_bytes: u64,
    /// `prometheus_tsdb_head_chunks_storage_size_bytes`.
    pub head_chunk_file_bytes: u64,
    /// `prometheus_tsdb_blocks_loaded`.
    pub blocks: u64,
    /// `prometheus_tsdb_storage_blocks_bytes`.
    pub block_bytes: u64,
    /// Chunks in all blocks, of their `meta.json`.
    pub block_chunks: u64,
    /// Samples in all blocks, of their `meta.json`.
    pub block_samples: u64,
    /// `prometheus_tsdb_compactions_total`: blocks written, from the head or from other blocks.
    pub compactions: u64,
    /// `prometheus_tsdb_compactions_failed_total`.
    pub compactions_failed: u64,
    /// `prometheus_tsdb_compactions_triggered_total`: calls of `maintain`.
    pub compactions_triggered: u64,
    /// Seconds spent writing blocks, in total.
    pub compaction_seconds: f64,
    /// `prometheus_tsdb_time_retentions_total`: blocks deleted for their age.
    pub time_retentions: u64,
    /// `prometheus_tsdb_size_retentions_total`: blocks deleted for want of space.
    pub size_retentions: u64,
    /// `prometheus_tsdb_reloads_failures_total`: blocks that could not be opened.
    pub blocks_failed: u64,
    /// `prometheus_tsdb_clean_start`: no lock file of an earlier process that did not stop cleanly was there.
    pub clean_start: bool,
    /// `prometheus_tsdb_data_replay_duration_seconds`.
    pub replay_seconds: f64,
}

/// A name and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The name: a metric, a label, or a `label=value` pair.
    pub name: String,
    /// How many, or how many bytes.
    pub value: u64,
}

/// What makes the head large: `/api/v1/status/tsdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Different label pairs in the head.
    pub label_pairs: u64,
    /// Metrics with the most series.
    pub series_by_metric: Vec<Count>,
    /// Labels with the most values.
    pub values_by_label: Vec<Count>,
    /// Labels whose values take the most bytes.
    pub bytes_by_label: Vec<Count>,
    /// Label pairs with the most series.
    pub series_by_pair: Vec<Count>,
}

/// A block as `/api/v1/status/tsdb/blocks` and `tsdb list` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Its folder's name.
    pub ulid: String,
    /// First time in it, in ms.
    pub min_time: TimeMs,
    /// First time behind it, in ms.
    pub max_time: TimeMs,
    /// Samples.
    pub samples: u64,
    /// Series.
    pub series: u64,
    /// Chunks.
    pub chunks: u64,
    /// Deleted ranges.
    pub tombstones: u64,
    /// How often its samples were compacted: 1 comes straight from the head.
    pub level: u32,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What opening a store found, for the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenReport {
    /// Blocks that were opened.
    pub blocks: usize,
    /// Blocks that could not be: folder and reason. They are left alone.
    pub failed_blocks: Vec<(String, String)>,
    /// WAL segments read, the checkpoint's included.
    pub wal_segments: usize,
    /// Series that came back.
    pub series: usize,
    /// Full chunks that were on disk, whose samples need no replay.
    pub head_chunks: usize,
    /// Samples that came back from the WAL.
    pub samples: u64,
    /// Samples of the WAL whose series has no record.
    pub unknown_series_samples: u64,
    /// WAL records of kinds that are not understood, skipped.
    pub unknown_records: u64,
    /// Where the WAL was torn or corrupt, and what was done; empty where all was well.
    pub repairs: Vec<String>,
    /// Whether the process before stopped cleanly.
    pub clean_start: bool,
    /// Seconds it took.
    pub seconds: f64,
}

/// What one call of `maintain` did, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Blocks written from the head: ULID, series, samples.
    pub cut: Vec<(String, u64, u64)>,
    /// Blocks made of others: the new one's ULID (`None` where all its samples were deleted ones), and what it replaces.
    pub compacted: Vec<(Option<String>, Vec<String>)>,
    /// Blocks deleted by retention.
    pub deleted: Vec<String>,
    /// What failed and was left for the next time.
    pub failures: Vec<String>,
}
