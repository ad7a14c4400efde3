//! Targets: where they are listed, how relabelling names them, when each has its turn, and what becomes of what was collected.
//!
//! Knows the model. Nothing here waits or speaks to anybody: the daemon asks when a target is due, collects, and hands the samples to
//! [`TargetState::finish`], which applies `metric_relabel_configs`, limits and target labels and adds `up` and staleness markers as
//! Prometheus' scrape loop does.

mod discovery;
mod histograms;
pub mod relabel;
mod schedule;
mod state;
mod target;

pub use discovery::{DiscoveryError, FileSdConfig, StaticConfig, TargetGroup, read_file_sd};
pub use schedule::Schedule;
pub use state::{Collected, Finished, SampleOptions, TargetState};
pub use target::{Dropped, JobOptions, Resolved, Target, resolve};
