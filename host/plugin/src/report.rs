//! What goes into a call of a collector and what comes out of it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use watchglass_model::{Labels, SampleBatch, TimeMs};

/// What to collect from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Address, after relabelling.
    pub address: String,
    /// The `__param_*` and other `__` labels that relabelling left, by name.
    pub params: Vec<(String, String)>,
}

impl Target {
    /// What this target grants access to: the `target` parameter where there is one (`__param_target`), else the address.
    pub fn named(&self) -> &str {
        self.params.iter().find(|(n, _)| n == "__param_target").map_or(self.address.as_str(), |(_, v)| v.as_str())
    }
}

/// One call of a collector.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to collect from; `None`: this machine.
    pub target: Option<Target>,
    /// When it was to begin: the samples' time.
    pub scheduled_at: TimeMs,
    /// Wall clock from the beginning of the call.
    pub deadline: Duration,
    /// Number of the call for this target, from 0; it wraps.
    pub sequence: u32,
}

/// What became of a call.
#[derive(Clone, Debug)]
pub struct CallReport {
    /// What was collected. An error: the target is down (`up` 0), and there are no samples.
    pub outcome: Result<Collection, CallFailure>,
    /// What the call cost.
    pub stats: CallStats,
}

/// What a call cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallStats {
    /// Wall clock.
    pub duration: Duration,
    /// CPU time of the plugin and of the host's work for it, without what ran on other threads (reading files, resolving names).
    pub cpu: Duration,
    /// Linear memory of the instance after the call, bytes.
    pub memory_bytes: u64,
    /// Bytes that the host handed to the plugin.
    pub hostcall_bytes: u64,
    /// Imports that answered `denied`.
    pub denied: u32,
    /// Log lines that were dropped.
    pub log_dropped: u64,
}

/// What a collection gave.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// Samples and metadata of the `families` and `packed` payloads, checked and expanded (`_bucket`, `_sum`, `_count`). Samples without a time of
    /// their own have the call's `scheduled_at`.
    pub samples: SampleBatch,
    /// Expositions for the native parser, decompressed.
    pub expositions: Vec<Exposition>,
    /// Why samples are as they are.
    pub evidence: Vec<Evidence>,
    /// The target is down (`up` 0), and the samples are kept all the same.
    pub failure: Option<CallFailure>,
    /// What was over the series limit.
    pub excess: Option<Excess>,
}

/// Metrics in an exposition format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposition {
    /// The content type, as in the HTTP header.
    pub content_type: String,
    /// The text or the messages.
    pub body: Bytes,
}

/// Short text that says why, never a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Labels of what it is about; empty: the target.
    pub about: Labels,
    /// What happened.
    pub text: String,
}

/// Samples that were dropped over the series limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// How many.
    pub dropped: u64,
    /// The label with the most different values among all samples: what grew. Empty where no sample has a label.
    pub label: String,
    /// How many different values it has.
    pub distinct: u64,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureReason {
    /// The wasm code trapped: unreachable, a bad index, a stack overflow, a language's panic.
    Trap,
    /// The wall clock's deadline was over.
    Timeout,
    /// The CPU limit was met.
    Cpu,
    /// The memory limit was met.
    Memory,
    /// The plugin gave back an error that a missing grant caused, or one is missing before the call.
    Denied,
    /// The plugin gave back something that the contract forbids: bad indices, bad names, too much.
    Invalid,
    /// The target can't be reached.
    Unavailable,
    /// The target spoke otherwise than expected.
    Protocol,
    /// The plugin gave back another error.
    Error,
    /// The plugin failed several times in a row and rests until its next try.
    Resting,
    /// The host itself could not make the call.
    Host,
}

impl FailureReason {
    /// The reason as a label's value: lower case, one word.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::Trap => "trap",
            FailureReason::Timeout => "timeout",
            FailureReason::Cpu => "cpu",
            FailureReason::Memory => "memory",
            FailureReason::Denied => "denied",
            FailureReason::Invalid => "invalid",
            FailureReason::Unavailable => "unavailable",
            FailureReason::Protocol => "protocol",
            FailureReason::Error => "error",
            FailureReason::Resting => "resting",
            FailureReason::Host => "host",
        }
    }

    /// Whether the plugin itself misbehaved (not its target): what counts towards the state "failed". A timeout is mostly the target's doing or
    /// a busy machine's, and does not.
    pub fn is_plugins_fault(self) -> bool {
        use FailureReason::*;
        matches!(self, Trap | Cpu | Memory | Invalid)
    }
}

/// Why a call failed, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// The kind.
    pub reason: FailureReason,
    /// What happened: `redis-1:6379: connection refused`.
    pub message: String,
}

impl CallFailure {
    /// A failure.
    pub fn new(reason: FailureReason, message: impl Into<String>) -> CallFailure {
        CallFailure { reason, message: message.into() }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

impl std::error::Error for CallFailure {}
