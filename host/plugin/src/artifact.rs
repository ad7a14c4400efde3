//! Compiled code from a file, mapped into memory: the one place that trusts machine code.
#![allow(
    unsafe_code,
    reason = "wasmtime can't check machine code; why these files may be trusted stands beside the call"
)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads an artifact of the cache.
///
/// Errors: it is of another version or configuration of wasmtime, or cut short.
pub(crate) fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize_file` needs bytes that wasmtime itself made and that don't change while they are mapped. Both hold for the files of the cache
    // folder alone, which is where `path` comes from (`cache::Cache` makes it of the folder and a hash, never of input): the folder is checked at the
    // start to be a directory that belongs to this user with mode 0700, so that nobody else can write into it; what is in it was written by our own
    // compiling child under a temporary name and renamed, so that a file is whole or absent; and files are only ever replaced by rename or unlinked,
    // never written in place, so that a mapped one keeps its content. wasmtime's header check refuses artifacts of other versions.
    unsafe { Component::deserialize_file(engine, path) }
}
