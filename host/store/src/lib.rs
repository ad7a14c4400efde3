//! The time series store: a Prometheus data directory.
//!
//! Samples go into the head (compressed chunks in memory) behind a write-ahead log; every two hours the oldest two of them
//! become a block on disk, blocks are merged into larger ones and deleted when their time is over. All files are in
//! Prometheus' own formats: its tools open them, and a directory that a Prometheus wrote is opened here.
//!
//! The crate is synchronous, never reads the wall clock (times are arguments) and is the only one that touches these files. It knows
//! nothing of PromQL, collection or HTTP.
//!
//! ```
//! use watchglass_model::{Labels, Matcher, Sample, SampleBatch, Value};
//! use watchglass_store::{Options, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("watchglass-doc-{}", std::process::id()));
//! let now = 1_700_000_000_000;
//! let (store, report) = Store::open(&folder, Options::default(), now)?;
//! assert_eq!(report.samples, 0);
//! let labels = Labels::from_pairs([("__name__", "up"), ("job", "node")]);
//! let batch = SampleBatch { samples: vec![Sample { labels, t: now, value: Value::Float(1.0) }], metadata: vec![] };
//! assert_eq!(store.append(&batch, now)?.appended, 1);
//! let found = store.select(&[Matcher::equal("__name__", "up")], now - 60_000, now, 1_000_000, &|| false)?;
//! assert_eq!(found[0].floats[0].v, 1.0);
//! store.close()?;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod append;
mod block;
mod codec;
mod compact;
mod counters;
mod delete;
mod error;
mod files;
mod head;
mod lock;
mod maintain;
mod mmap;
mod options;
mod parallel;
mod query;
mod replay;
mod select;
mod stats;
mod store;
mod wal;

pub use append::{Appended, Rejection};
pub use error::{SelectError, StoreError};
pub use options::{DEFAULT_BLOCK_MS, DEFAULT_RETENTION_MS, DEFAULT_WAL_SEGMENT_BYTES, FsyncPolicy, Options};
pub use stats::{BlockInfo, Cardinality, Count, Maintained, OpenReport, Stats};
pub use store::Store;
