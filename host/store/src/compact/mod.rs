//! Keeping the directory in shape: blocks are cut from the head, merged, and deleted.

pub(crate) mod cut;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod retention;
