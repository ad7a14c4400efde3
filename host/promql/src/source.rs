//! Where samples come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use watchglass_model::{Matcher, SeriesData, TimeMs};

/// What to select.
#[derive(Clone, Copy, Debug)]
pub struct Select<'a> {
    /// All must pass. At least one doesn't match the empty value.
    pub matchers: &'a [Matcher],
    /// First time, itself included.
    pub start: TimeMs,
    /// Last time, itself included.
    pub end: TimeMs,
    /// Stop with [`SourceError::TooManySamples`] once more points than this have been found.
    pub max_samples: usize,
}

/// Why nothing could be selected.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// The query was cancelled or its time is over.
    #[error("query was cancelled")]
    Cancelled,
    /// More than `max_samples`.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// The source failed.
    #[error("{0}")]
    Failed(String),
}

/// Where a query's samples come from: the store, a script's memory, a remote engine.
pub trait Source {
    /// The series that all matchers let through and that have points in the range, sorted by labels, each once.
    fn select(&self, what: &Select<'_>, cancel: &Cancel) -> Result<Vec<SeriesData>, SourceError>;
}

/// A flag that stops a query from outside. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Stops the query at its next look.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
