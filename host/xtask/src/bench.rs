//! `cargo xtask bench`: queries, ingest and disk beside an installed Prometheus.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::{peers, sys};

/// Builds the daemon in release and runs the comparison; arguments are `--series N`, `--steps N`, `--reps N`.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<ExitCode> {
    let peers = peers::ensure()?;
    sys::say("building the daemon in release (a quarter of an hour the first time)");
    sys::cargo(root, &["build", "--release", "--package", "watchglass"], &[])?;
    let binary = sys::target_dir(root)?.join("release/watchglass");
    let status = Command::new(sys::cargo_path())
        .current_dir(root)
        .args(["run", "--quiet", "--package", "watchglass-tests", "--example", "beside_prometheus", "--"])
        .args(args)
        .env("WATCHGLASS_BIN", &binary)
        .env("WATCHGLASS_PEERS", &peers)
        .status()
        .context("cannot start cargo")?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
