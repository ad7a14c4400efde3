//! Developer commands: `cargo xtask plugins | run | test | bench`.
//!
//! Nothing here is needed to use Watchglass; it builds the plugins as components, starts the daemon from the source tree, and runs
//! every test with what tests need.

mod bench;
mod build;
mod debian;
mod peers;
mod sys;
mod test;
mod toolchain;
mod tools;

use anyhow::{Context as _, Result, bail};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  plugins [NAME...]   builds every plugin of plugins/ (or those named) into plugins/NAME.wasm
  run [ARG...]        builds the host and the plugins in release and starts the daemon; arguments go to `watchglass run`
  test [--long] [ARG...]
                      makes sure what tests need is installed, builds, and runs every test; --long runs the slow parts in full;
                      arguments go to `cargo test --workspace`
  bench [--series N] [--steps N] [--reps N]
                      the same samples into a release build and into Prometheus, then the same queries to both in turn:
                      tables of latency, ingest and disk, for docs/performance.md

variables
  WATCHGLASS_WASM_TOOLCHAIN=rustup|debian   where the compiler for components comes from; unset: rustup, else Debian's packages
  CI=true                                   a test that would be skipped fails";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(e) => {
            sys::say(&format!("error: {e:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let root = sys::workspace_root()?;
    match command.as_str() {
        "plugins" => {
            build::plugins(&root, &rest)?;
            Ok(ExitCode::SUCCESS)
        }
        "run" => run_daemon(&root, &rest),
        "test" => test::run(&root, &rest),
        "bench" => bench::run(&root, &rest),
        "" | "help" | "-h" | "--help" => {
            sys::say(HELP);
            Ok(ExitCode::SUCCESS)
        }
        other => {
            bail!(
                "unknown command `{other}`; allowed are plugins, run, test and bench\nhint: `cargo xtask help` says more"
            )
        }
    }
}

/// Builds everything in release and becomes the daemon's parent: its exit code is ours.
fn run_daemon(root: &std::path::Path, args: &[String]) -> Result<ExitCode> {
    build::plugins(root, &[])?;
    sys::say("building the daemon in release (a few minutes the first time)");
    sys::cargo(root, &["build", "--release", "--package", "watchglass"], &[])?;
    let binary = sys::target_dir(root)?.join("release/watchglass");
    sys::say(&format!("starting {}", binary.display()));
    let status = std::process::Command::new(&binary)
        .arg("run")
        .args(args)
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
