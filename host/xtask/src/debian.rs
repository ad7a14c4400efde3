//! Debian's way to a compiler for components, for machines where rustup can't fetch a target.
//!
//! Debian packages a rustc of its own beside the sources of std. std is built from them once, for the bare target, and put into a
//! sysroot folder in the user's cache. That compiler and that std match; rustup's rustc and Debian's std would not.

use crate::sys;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// What apt must have: a current rustc and the library sources of the same version.
const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// Debian's rustc; `rustc-web` puts it beside rustup's, whose proxies lie elsewhere on PATH.
const RUSTC: &str = "/usr/bin/rustc";

/// Makes sure the sysroot exists and gives its rustc.
pub(crate) fn ensure() -> Result<PathBuf> {
    if !Path::new(RUSTC).is_file() || !has_sources()? {
        install(&PACKAGES)?;
    }
    let version = sys::output(Command::new(RUSTC).arg("--version"))?;
    // One sysroot a compiler version: after an upgrade of the package std is built anew.
    let name: String =
        version.trim().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let dir = sys::cache_dir()?.join("debian-sysroot").join(name);
    let rustc = dir.join("bin/rustc");
    if dir.join("complete").is_file() {
        return Ok(rustc);
    }
    sys::say(&format!("building std for {TARGET} with {} (about a minute, once)", version.trim()));
    let _ = fs::remove_dir_all(&dir);
    let std_libs = build_std(&dir.join("build"))?;
    assemble(&dir, &std_libs)?;
    fs::remove_dir_all(dir.join("build")).ok();
    fs::write(dir.join("complete"), version.trim())?;
    sys::say(&format!("std lies in {}", dir.display()));
    Ok(rustc)
}

fn has_sources() -> Result<bool> {
    let root = sys::output(Command::new(RUSTC).args(["--print", "sysroot"]))?;
    Ok(Path::new(root.trim()).join("lib/rustlib/src/rust/library/std").exists())
}

/// Installs Debian packages as root or through sudo.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let Some(apt) = sys::find("apt-get") else {
        bail!("`{}` is needed, and this machine has no apt-get to install it with", packages.join(" "));
    };
    let root = sys::output(Command::new("id").arg("-u"))?.trim() == "0";
    let command = |args: &[&str]| {
        let mut c = if root { Command::new(&apt) } else { Command::new("sudo") };
        if !root {
            c.arg("-n").arg(&apt);
        }
        c.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        c
    };
    if !root && sys::find("sudo").is_none() {
        bail!("`{}` must be installed, and this is neither root nor is there sudo", packages.join(" "));
    }
    sys::say(&format!("installing {}", packages.join(" ")));
    let args = [&["install", "-y", "-q", "--no-install-recommends"], packages].concat();
    if sys::output(&mut command(&args)).is_ok() {
        return Ok(());
    }
    // Lists may be old or absent on a fresh machine.
    sys::output(&mut command(&["update", "-q"]))?;
    sys::output(&mut command(&args)).map(drop)
}

/// Builds std by way of an empty crate; gives the folder of its libraries.
fn build_std(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir.join("src"))?;
    fs::write(
        dir.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n",
    )?;
    fs::write(dir.join("src/lib.rs"), "")?;
    let target_dir = dir.join("target");
    let mut command = Command::new(sys::cargo_path());
    command
        .current_dir(dir)
        .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .env("RUSTC", RUSTC)
        // Debian's is a release compiler; building std takes what only a nightly allows by itself.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode a plugin's `lto = true` has nothing to work on.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", &target_dir);
    sys::run(&mut command).context("cannot build std from Debian's sources")?;
    Ok(target_dir.join(TARGET).join("release/deps"))
}

/// Puts a sysroot together: Debian's own libraries for build scripts and macros, ours for the target.
fn assemble(dir: &Path, std_libs: &Path) -> Result<()> {
    let debian = sys::output(Command::new(RUSTC).args(["--print", "sysroot"]))?;
    let rustlib = dir.join("lib/rustlib");
    let target_lib = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&target_lib)?;
    fs::create_dir_all(dir.join("bin"))?;
    let debian_rustlib = Path::new(debian.trim()).join("lib/rustlib");
    for entry in fs::read_dir(&debian_rustlib).with_context(|| format!("cannot list {}", debian_rustlib.display()))? {
        let entry = entry?;
        if entry.file_name() != TARGET {
            symlink(entry.path(), rustlib.join(entry.file_name()))?;
        }
    }
    let mut copied = 0;
    for entry in fs::read_dir(std_libs)? {
        let path = entry?.path();
        let (Some(name), Some("rlib")) = (path.file_name(), path.extension().and_then(|e| e.to_str())) else {
            continue;
        };
        fs::copy(&path, target_lib.join(name))?;
        copied += 1;
    }
    if copied == 0 {
        bail!("std was built, but {} holds no library", std_libs.display());
    }
    let rustc = dir.join("bin/rustc");
    fs::write(&rustc, format!("#!/bin/sh\nexec {RUSTC} --sysroot '{}' \"$@\"\n", dir.display()))?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
