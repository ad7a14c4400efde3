//! The plugin host's own test plugin, which does as it is told, most of it bad.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

/// Builds the collector (no feature) or the rule plugin (`rule`), which does what a target's parameter, or its configuration, `do` says, and puts it at
/// a path. `temporary` is the caller's `CARGO_TARGET_TMPDIR`. False where no component can be built here.
pub fn puppet(feature: &str, temporary: &str, to: &Path) -> bool {
    let output = |args: &[&str]| {
        let out = Command::new("rustc").args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let (Some(sysroot), Some(host)) = (output(&["--print", "sysroot"]), output(&["--print", "host-tuple"])) else {
        return false;
    };
    let lib = PathBuf::from(sysroot).join("lib/rustlib");
    let bin = lib.join(host).join("bin");
    if !lib.join("wasm32-unknown-unknown").is_dir() {
        return false;
    }
    // One folder for each: builds with and without the feature would overwrite one another.
    let target = Path::new(temporary).join(format!("puppet{feature}"));
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--features", feature])
        .arg("--manifest-path")
        .arg(root().join("host/plugin/tests/puppet/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", bin.join("wasm-component-ld"))
        .env("RUSTFLAGS", format!("-Clink-arg=--wasm-ld-path={}", bin.join("gcc-ld/wasm-ld").display()))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    assert!(status.is_ok_and(|s| s.success()), "building the puppet plugin failed");
    let built = target.join("wasm32-unknown-unknown/release/puppet.wasm");
    fs::copy(built, to).expect("the puppet plugin can be copied");
    true
}
