//! The write-ahead log: segments of pages of fragments of records, as Prometheus writes them.
//!
//! `segment` frames records, `record` gives them meaning, `log` is the open log that appends go through, `replay` reads it back and
//! repairs it, `checkpoint` shortens it.

pub(crate) mod checkpoint;
pub(crate) mod log;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod segment;
