//! Building the plugins as components.

use crate::sys;
use crate::toolchain::{self, Toolchain};
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Components that import nothing but our own interfaces: no WASI underneath.
const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the plugins named (all, if none is) and puts them at `plugins/NAME.wasm`.
pub(crate) fn plugins(root: &Path, only: &[String]) -> Result<Vec<PathBuf>> {
    let known = names(root)?;
    if let Some(wrong) = only.iter().find(|n| !known.contains(n)) {
        bail!("there is no plugin `{wrong}`; there are: {}", known.join(", "));
    }
    let names: Vec<&String> = known.iter().filter(|n| only.is_empty() || only.contains(n)).collect();
    let toolchain = toolchain::ensure(TARGET)?;
    sys::say(&format!("building {} for {TARGET} with {}", join(&names), toolchain.what));
    // A folder of its own: cargo would otherwise rebuild shared build scripts and macros at each turn between host and plugins.
    let target_dir = sys::target_dir(root)?.join("plugins").join(toolchain.key);
    let mut command = command(&toolchain, &target_dir);
    command.current_dir(root).args(["build", "--profile", "plugin", "--target", TARGET]);
    for name in &names {
        command.args(["--package", &format!("watchglass-plugin-{name}")]);
    }
    sys::run(&mut command)?;
    let mut built = Vec::new();
    for name in names {
        let from =
            target_dir.join(TARGET).join("plugin").join(format!("watchglass_plugin_{}.wasm", name.replace('-', "_")));
        let to = root.join("plugins").join(format!("{name}.wasm"));
        let size = install(&from, &to)?;
        sys::say(&format!("plugins/{name}.wasm: {} KB", size.div_ceil(1_000)));
        built.push(to);
    }
    Ok(built)
}

/// Makes a cargo that compiles components.
fn command(toolchain: &Toolchain, target_dir: &Path) -> Command {
    let mut command = Command::new(sys::cargo_path());
    let mut link_arg = OsString::from("-Clink-arg=--wasm-ld-path=");
    link_arg.push(&toolchain.wasm_ld);
    // Encoded, so that a folder with a space in its name stays one argument.
    let mut flags = OsString::from("--cfg\u{1f}getrandom_backend=\"custom\"\u{1f}");
    flags.push(&link_arg);
    command
        .env("CARGO_TARGET_DIR", target_dir)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &toolchain.linker)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        // Set by the cargo that runs xtask; they name its toolchain, not the one chosen here.
        .env_remove("RUSTC")
        .env_remove("RUSTFLAGS");
    if let Some(rustc) = &toolchain.rustc {
        command.env("RUSTC", rustc);
    }
    command
}

/// Lists the plugins: the folders of plugins/ that hold a crate, save the SDK.
pub(crate) fn names(root: &Path) -> Result<Vec<String>> {
    let dir = root.join("plugins");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "sdk" && entry.path().join("Cargo.toml").is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Copies a component into place by a rename, and only if it changed: a running daemon watches the folder.
fn install(from: &Path, to: &Path) -> Result<usize> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read what was built, {}", from.display()))?;
    // Bytes 4..8 of a component; a bare module has 01 00 00 00 there (component model, binary format).
    if bytes.get(..8) != Some(b"\0asm\x0d\0\x01\0") {
        bail!("{} is a core module, not a component\nhint: the linker was not wasm-component-ld", from.display());
    }
    // Ours promise to import nothing but our own interfaces; names of imports stand in a component as they are.
    if bytes.windows(5).any(|w| w == b"wasi:") {
        bail!(
            "{} imports WASI\nhint: something in it uses std's clock, files or network; the SDK has its own",
            from.display()
        );
    }
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(bytes.len());
    }
    let temporary = to.with_extension("wasm.new");
    std::fs::write(&temporary, &bytes).with_context(|| format!("cannot write {}", temporary.display()))?;
    std::fs::rename(&temporary, to).with_context(|| format!("cannot replace {}", to.display()))?;
    Ok(bytes.len())
}

fn join(names: &[&String]) -> String {
    names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ")
}
