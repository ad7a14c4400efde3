//! What a collector or rule plugin has done so far: for self-metrics and the API.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::{CallReport, CallStats, FailureReason};

/// How it stands with a plugin.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum PluginState {
    /// It runs.
    Running,
    /// It failed several times in a row by its own fault and rests.
    Failed {
        /// The last failure.
        reason: String,
        /// How long until the next try, milliseconds.
        retry_in_ms: u64,
    },
}

/// Totals since the collector was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginStats {
    /// Calls, those that failed included.
    pub calls: u64,
    /// Failed calls by reason.
    pub failures: BTreeMap<FailureReason, u64>,
    /// Wall clock of all calls.
    pub duration: Duration,
    /// CPU time of all calls.
    pub cpu: Duration,
    /// Most memory that one instance had after a call, bytes.
    pub memory_peak_bytes: u64,
    /// Memory of the instance of the last call, bytes.
    pub memory_bytes: u64,
    /// Bytes that the host handed to the plugin.
    pub hostcall_bytes: u64,
    /// Imports that answered `denied`.
    pub denied: u64,
    /// Samples of `families` and `packed` payloads.
    pub samples: u64,
    /// Samples that were dropped over the series limit.
    pub samples_dropped: u64,
    /// Log lines that were dropped.
    pub log_dropped: u64,
    /// Instances that were made.
    pub instances_made: u64,
    /// Instances that live now.
    pub instances: u64,
}

impl PluginStats {
    /// Adds a collection.
    pub(crate) fn add(&mut self, report: &CallReport) {
        match &report.outcome {
            Ok(collection) => {
                self.samples += collection.samples.samples.len() as u64;
                self.samples_dropped += collection.excess.as_ref().map_or(0, |e| e.dropped);
                self.add_call(&report.stats, collection.failure.as_ref().map(|f| f.reason));
            }
            Err(failure) => self.add_call(&report.stats, Some(failure.reason)),
        }
    }

    /// Adds a call.
    pub(crate) fn add_call(&mut self, stats: &CallStats, failure: Option<FailureReason>) {
        self.calls += 1;
        if let Some(reason) = failure {
            *self.failures.entry(reason).or_default() += 1;
        }
        self.duration += stats.duration;
        self.cpu += stats.cpu;
        // A call that did not get as far as an instance says nothing of memory.
        if stats.memory_bytes > 0 {
            self.memory_bytes = stats.memory_bytes;
            self.memory_peak_bytes = self.memory_peak_bytes.max(stats.memory_bytes);
        }
        self.hostcall_bytes += stats.hostcall_bytes;
        self.denied += u64::from(stats.denied);
        self.log_dropped += stats.log_dropped;
    }
}
