//! The head: the newest samples, in compressed chunks in memory.

pub(crate) mod append;
pub(crate) mod disk;
pub(crate) mod index;
pub(crate) mod list;
pub(crate) mod metadata;
pub(crate) mod postings;
pub(crate) mod series;
