//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store could not be opened, written or maintained.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data directory.
    #[error("data directory `{}` is in use by another process: its lock file is held\nhint: stop the other watchglass or prometheus, or give this one its own directory", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, such as `create` or `write to`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file holds something that its format does not allow.
    #[error("corrupt {what} in `{}` at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Kind of thing: `index`, `chunk`, `meta.json`.
        what: &'static str,
        /// Where in the file.
        offset: u64,
        /// What was found, and what is allowed.
        reason: String,
    },
    /// A format limit was hit while writing, such as a block with more than 2^32 symbols.
    #[error("cannot write {what}: {reason}")]
    Limit {
        /// The thing.
        what: &'static str,
        /// The limit.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    }
}

/// Why nothing could be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The caller's flag said so.
    #[error("query was cancelled")]
    Cancelled,
    /// More points than the caller allows.
    #[error("query processing would load too many samples into memory: more than {limit}")]
    TooManySamples {
        /// What the caller allows.
        limit: usize,
    },
    /// A block can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
