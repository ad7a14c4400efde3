//! A compiler for components: rustup's, or where rustup can't fetch a target, Debian's.

use crate::{debian, sys};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiler that builds components, and its linker.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// For messages.
    pub(crate) what: &'static str,
    /// Names its target folder: objects of two compilers don't mix.
    pub(crate) key: &'static str,
    /// Another rustc than cargo's own.
    pub(crate) rustc: Option<PathBuf>,
    /// `wasm-component-ld`, which turns the linked module into a component.
    pub(crate) linker: PathBuf,
    /// The `wasm-ld` that it calls.
    pub(crate) wasm_ld: PathBuf,
}

/// Makes sure that components can be built for `target`; the variable WATCHGLASS_WASM_TOOLCHAIN forces a way.
pub(crate) fn ensure(target: &str) -> Result<Toolchain> {
    match std::env::var("WATCHGLASS_WASM_TOOLCHAIN").unwrap_or_default().as_str() {
        "rustup" => rustup(target),
        "debian" => debian(),
        "" => match rustup(target) {
            Ok(t) => Ok(t),
            Err(e) => {
                sys::say(&format!("rustup has no target {target}: {e:#}"));
                sys::say("trying Debian's packages instead");
                debian()
            }
        },
        other => bail!("WATCHGLASS_WASM_TOOLCHAIN is `{other}`; allowed are rustup and debian"),
    }
}

/// Asks rustup for the target, if its files are not there yet.
fn rustup(target: &str) -> Result<Toolchain> {
    let sysroot = sysroot()?;
    if !sysroot.join("lib/rustlib").join(target).join("lib").is_dir() {
        sys::say(&format!("rustup target add {target}"));
        sys::run(Command::new("rustup").args(["target", "add", target])).context(
            "rustup could not add the target\nhint: WATCHGLASS_WASM_TOOLCHAIN=debian builds one from Debian's packages",
        )?;
    }
    let (linker, wasm_ld) = linkers(&sysroot)?;
    Ok(Toolchain { what: "rustup's target", key: "rustup", rustc: None, linker, wasm_ld })
}

/// Takes Debian's compiler with a std that is built once.
fn debian() -> Result<Toolchain> {
    let rustc = debian::ensure()?;
    // The linker comes with every rustup toolchain, whatever its targets.
    let (linker, wasm_ld) = linkers(&sysroot()?)?;
    Ok(Toolchain { what: "Debian's rustc", key: "debian", rustc: Some(rustc), linker, wasm_ld })
}

fn sysroot() -> Result<PathBuf> {
    let out = sys::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(out.trim()))
}

/// Finds the linker of components and the linker it calls, as rustc's own distribution has them.
fn linkers(sysroot: &Path) -> Result<(PathBuf, PathBuf)> {
    let host = host_triple()?;
    let bin = sysroot.join("lib/rustlib").join(host).join("bin");
    let (linker, wasm_ld) = (bin.join("wasm-component-ld"), bin.join("gcc-ld/wasm-ld"));
    for needed in [&linker, &wasm_ld] {
        if !needed.is_file() {
            bail!(
                "{} is missing\nhint: it comes with rustup's toolchains since 1.82: `rustup update`",
                needed.display()
            );
        }
    }
    Ok((linker, wasm_ld))
}

fn host_triple() -> Result<String> {
    let out = sys::output(Command::new("rustc").arg("-vV"))?;
    let line = out.lines().find_map(|l| l.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    Ok(line.to_owned())
}
