//! From a file to a plugin.

use std::path::PathBuf;

/// Why a file is no plugin that can be loaded. Every text names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}{}", path.display(), if hint.is_empty() { String::new() } else { format!("\n  hint: {hint}") })]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// Compiled code, linked.
pub(crate) struct Code;
