//! Running other programs, and where things lie.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says what is being done: one line on stderr.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Gives the workspace's folder.
pub(crate) fn workspace_root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_owned).context("xtask does not lie in host/xtask of a workspace")
}

/// Gives our folder in the user's cache, which survives clones: `$XDG_CACHE_HOME/watchglass` or `~/.cache/watchglass`.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    let dir = base.join("watchglass");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create the cache folder {}", dir.display()))?;
    Ok(dir)
}

/// Gives cargo's target folder, where `CARGO_TARGET_DIR` or the user's config may have moved it.
pub(crate) fn target_dir(root: &Path) -> Result<PathBuf> {
    let out =
        output(Command::new(cargo_path()).current_dir(root).args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let (_, rest) = out.split_once("\"target_directory\":\"").context("cargo metadata names no target directory")?;
    let (dir, _) = rest.split_once('"').context("cargo metadata ends early")?;
    Ok(PathBuf::from(dir.replace("\\\\", "\\")))
}

/// Gives the cargo that runs us.
pub(crate) fn cargo_path() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Runs cargo in `dir`, its output being ours.
pub(crate) fn cargo(dir: &Path, args: &[&str], env: &[(&str, &OsStr)]) -> Result<()> {
    let mut command = Command::new(cargo_path());
    command.current_dir(dir).args(args);
    for (name, value) in env {
        command.env(name, value);
    }
    run(&mut command)
}

/// Runs a program to its end, its output being ours; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a program and gives what it printed; an exit code other than 0 is an error that holds the end of its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        let tail: Vec<&str> = stderr.trim().lines().rev().take(5).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{} failed: {}\n{}", shown(command), out.status, tail.join("\n"));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Finds a program on PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// Tells whether this is a continuous-integration run.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true" || v == "1")
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    format!("`{text}`")
}
