//! What the tests share: where the conformance data of other projects lies, and a world of samples in memory.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod world;

use std::path::{Path, PathBuf};

/// The folder of an area; `None` where it is absent, which fails under `CI=true` and is said loudly elsewhere.
pub(crate) fn conformance(area: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("WATCHGLASS_CONFORMANCE") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
    };
    let dir = root.join(area);
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "conformance data missing: {}", dir.display());
    eprintln!("SKIPPED: no conformance data at {}", dir.display());
    None
}
