//! Programs that tests need, installed once.

use crate::{debian, sys};
use anyhow::Result;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A program that some tests start, the package that has it, and what is skipped without it.
struct Needed {
    program: &'static str,
    package: &'static str,
    skipped: &'static str,
}

const NEEDED: [Needed; 6] = [
    Needed { program: "redis-server", package: "redis-server", skipped: "tests against a real Redis" },
    Needed { program: "dbus-daemon", package: "dbus", skipped: "units and sessions over a real D-Bus" },
    Needed {
        program: "ip",
        package: "iproute2",
        skipped: "the node collector in a world of its own, and real containers",
    },
    Needed { program: "openssl", package: "openssl", skipped: "tests that make their own certificates" },
    Needed { program: "dockerd", package: "docker.io", skipped: "tests with real containers" },
    Needed { program: "busybox", package: "busybox-static", skipped: "tests with real containers" },
];

/// The version whose behaviour the recipes describe.
const CARGO_COMPONENT: &str = "0.21.1";

/// Installs what is missing; gives what stays missing, as the tests that will be skipped for it.
pub(crate) fn ensure() -> Result<Vec<String>> {
    let mut skipped = Vec::new();
    let missing: Vec<&Needed> = NEEDED.iter().filter(|n| !present(n.program)).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|n| n.package).collect();
        if let Err(e) = debian::install(&packages) {
            sys::say(&format!("{e:#}"));
        }
        for n in missing.iter().filter(|n| !present(n.program)) {
            skipped.push(format!("{} (no {}; hint: install the package {})", n.skipped, n.program, n.package));
        }
    }
    Ok(skipped)
}

/// Debian's servers lie in sbin, which is not on everyone's PATH.
fn present(program: &str) -> bool {
    sys::find(program).is_some()
        || ["/usr/sbin", "/usr/local/sbin"].iter().any(|d| std::path::Path::new(d).join(program).is_file())
}

/// Gives cargo-component, installing it once into the user's cache.
pub(crate) fn cargo_component() -> Result<PathBuf> {
    if let Some(found) = sys::find("cargo-component") {
        return Ok(found);
    }
    let root = sys::cache_dir()?.join("tools");
    let binary = root.join("bin/cargo-component");
    let works = |p: &PathBuf| {
        let mut c = Command::new(p);
        c.args(["component", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        c.status().is_ok_and(|s| s.success())
    };
    if works(&binary) {
        return Ok(binary);
    }
    sys::say(&format!(
        "installing cargo-component {CARGO_COMPONENT} into {} (about ten minutes, once)",
        root.display()
    ));
    let start = Instant::now();
    let mut install = Command::new(sys::cargo_path());
    install.args(["install", "cargo-component", "--locked", "--version", CARGO_COMPONENT, "--root"]).arg(&root);
    // Its own folder for objects, so that a broken-off installation goes on where it was; the flags of a caller are not its business.
    install.env("CARGO_TARGET_DIR", root.join("build")).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    sys::run(&mut install)?;
    std::fs::remove_dir_all(root.join("build")).ok();
    sys::say(&format!("cargo-component is installed ({} s)", start.elapsed().as_secs()));
    Ok(binary)
}
