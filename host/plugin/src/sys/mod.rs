//! System calls behind the imports; none of it knows wasm.

pub(crate) mod fs;
pub(crate) mod tree;
