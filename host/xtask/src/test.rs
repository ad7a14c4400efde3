//! `cargo xtask test`: everything that tests need, then every test.

use crate::{build, peers, sys, toolchain, tools};
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Installs, builds and tests. With CI=true a skip is a failure.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<ExitCode> {
    let start = Instant::now();
    let long = args.iter().any(|a| a == "--long");
    let rest: Vec<&str> = args.iter().map(String::as_str).filter(|a| *a != "--long").collect();

    sys::say("1/4 what tests need");
    let mut skipped = tools::ensure()?;
    let component = match component_tools() {
        Ok(tools) => Some(tools),
        Err(e) => {
            sys::say(&format!("{e:#}"));
            skipped.push("the examples' build with `cargo component` (it could not be installed)".to_owned());
            None
        }
    };
    let peers = match peers::ensure() {
        Ok(folder) => Some(folder),
        Err(e) => {
            sys::say(&format!("{e:#}"));
            skipped.push("tests beside a real Prometheus and Alertmanager".to_owned());
            None
        }
    };
    for what in &skipped {
        sys::say(&format!("SKIPPED: {what}"));
    }
    if sys::is_ci() && !skipped.is_empty() {
        bail!("{} kinds of tests would be skipped, and CI=true forbids it", skipped.len());
    }

    sys::say("2/4 plugins");
    build::plugins(root, &[])?;

    sys::say("3/4 building the tests (a quarter of an hour the first time, then little)");
    let mut env = test_env(root, long, component.as_ref());
    env.extend(peers.map(|folder| ("WATCHGLASS_PEERS".to_owned(), folder.into_os_string())));
    let mut building = Command::new(sys::cargo_path());
    building
        .current_dir(root)
        .args(["test", "--workspace", "--no-run"])
        .args(before_dashes(&rest))
        .envs(env.iter().cloned());
    sys::run(&mut building)?;

    sys::say("4/4 running the tests");
    let mut testing = Command::new(sys::cargo_path());
    testing.current_dir(root).args(["test", "--workspace", "--no-fail-fast"]).args(&rest).envs(env);
    sys::run(&mut testing)?;

    for what in &skipped {
        sys::say(&format!("SKIPPED: {what}"));
    }
    sys::say(&format!("all tests passed in {} s", start.elapsed().as_secs()));
    Ok(ExitCode::SUCCESS)
}

/// What the examples are built with: cargo-component, and another rustc than cargo's own where that has no wasm target.
struct ComponentTools {
    tool: PathBuf,
    rustc: Option<PathBuf>,
}

fn component_tools() -> Result<ComponentTools> {
    let rustc = toolchain::ensure("wasm32-unknown-unknown")?.rustc;
    Ok(ComponentTools { tool: tools::cargo_component()?, rustc })
}

fn test_env(root: &Path, long: bool, component: Option<&ComponentTools>) -> Vec<(String, OsString)> {
    let mut env = vec![("WATCHGLASS_PLUGINS".to_owned(), root.join("plugins").into_os_string())];
    if long {
        env.push(("WATCHGLASS_LONG".to_owned(), "1".into()));
    }
    if let Some(tools) = component {
        env.push(("WATCHGLASS_CARGO_COMPONENT".to_owned(), tools.tool.clone().into_os_string()));
        if let Some(rustc) = &tools.rustc {
            env.push(("WATCHGLASS_WASM_RUSTC".to_owned(), rustc.clone().into_os_string()));
        }
    }
    // Servers of Debian lie in sbin, which is not on everyone's PATH.
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/usr/local/sbin");
    env.push(("PATH".to_owned(), path));
    env
}

/// What cargo itself is to know; the rest is for the test programs.
fn before_dashes<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().take_while(|a| *a != "--").collect()
}
