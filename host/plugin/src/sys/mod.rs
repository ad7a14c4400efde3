//! System calls behind the imports; none of it knows wasm, only the contract's records.

pub(crate) mod calls;
pub(crate) mod fs;
mod netlink;
pub(crate) mod route;
pub(crate) mod tree;
pub(crate) mod wifi;
