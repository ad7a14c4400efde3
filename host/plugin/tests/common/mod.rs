//! What the tests share: the puppet plugin in its many moods, a host, and calls.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use watchglass_plugin::{
    Call, CallReport, Collector, CollectorSpec, Compiler, Grants, Host, HostOptions, Limits, LoadError, Plugin, Target,
};

/// Builds the puppet; `None` where no component can be built here.
fn build(feature: &str) -> Option<Vec<u8>> {
    let output = |args: &[&str]| {
        let out = Command::new("rustc").args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let sysroot = PathBuf::from(output(&["--print", "sysroot"])?);
    let host = output(&["--print", "host-tuple"])?;
    let lib = sysroot.join("lib/rustlib");
    let bin = lib.join(host).join("bin");
    if !lib.join("wasm32-unknown-unknown").is_dir() || !bin.join("wasm-component-ld").exists() {
        return None;
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/puppet/Cargo.toml");
    // One folder for each: builds with and without the feature would overwrite one another.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("puppet{feature}"));
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--manifest-path"])
        .arg(&manifest)
        .args(["--features", feature])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", bin.join("wasm-component-ld"))
        .env("RUSTFLAGS", format!("-Clink-arg=--wasm-ld-path={}", bin.join("gcc-ld/wasm-ld").display()))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    assert!(status.is_ok_and(|s| s.success()), "building the puppet plugin failed");
    std::fs::read(target.join("wasm32-unknown-unknown/release/puppet.wasm")).ok()
}

/// The compiled puppet, if components can be built here. Loudly nothing otherwise; a failure where CI=true.
fn puppet(feature: &'static str) -> Option<&'static [u8]> {
    static COLLECTOR: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    static RULE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let cell = if feature.is_empty() { &COLLECTOR } else { &RULE };
    let built = cell.get_or_init(|| build(feature)).as_deref();
    if built.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the wasm32-unknown-unknown target is not installed");
        eprintln!(
            "SKIPPED: the wasm32-unknown-unknown target is not installed (rustup target add wasm32-unknown-unknown)"
        );
    }
    built
}

/// A host with a cache and a plugin folder of its own.
pub(crate) struct Lab {
    pub(crate) host: Host,
    pub(crate) dir: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let host = host(&dir.path().join("cache"));
        Lab { host, dir }
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// The puppet, describing itself in this mode. `None`: skipped.
    pub(crate) fn puppet(&self, mode: &str) -> Option<PathBuf> {
        Some(self.file(&format!("{mode}.wasm"), &in_mode(puppet("")?, mode)))
    }

    /// The puppet as a rule.
    pub(crate) fn puppet_rule(&self) -> Option<PathBuf> {
        Some(self.file("rule.wasm", puppet("rule")?))
    }

    /// Loads the puppet in this mode.
    pub(crate) async fn load(&self, mode: &str) -> Option<Result<Arc<Plugin>, LoadError>> {
        Some(self.host.load(&self.puppet(mode)?).await)
    }

    /// A collector of the puppet with these grants.
    pub(crate) async fn collector(&self, mode: &str, grants: &[&str]) -> Option<Collector> {
        self.collector_of(mode, spec(grants)).await
    }

    /// A collector of the puppet.
    pub(crate) async fn collector_of(&self, mode: &str, spec: CollectorSpec) -> Option<Collector> {
        let plugin = self.load(mode).await?.unwrap_or_else(|e| panic!("{e}"));
        Some(self.host.collector(plugin, spec).await.unwrap_or_else(|e| panic!("{e}")))
    }
}

/// A spec with these grants.
pub(crate) fn spec(grants: &[&str]) -> CollectorSpec {
    let grants = Grants::parse(grants).unwrap_or_else(|e| panic!("{e}"));
    // A debug build's wasm and a busy machine take their time: nothing here is about how fast it is.
    let limits = Limits { cpu: Duration::from_secs(20), ..Limits::default() };
    CollectorSpec { name: "puppet".into(), grants, has_targets: true, limits, ..CollectorSpec::default() }
}

pub(crate) fn host(cache: &Path) -> Host {
    let mut options = HostOptions::new(cache);
    options.compiler = Compiler::InProcess;
    Host::new(options).unwrap_or_else(|e| panic!("{e}"))
}

/// The mode is text in the compiled file.
fn in_mode(wasm: &[u8], mode: &str) -> Vec<u8> {
    let mut wasm = wasm.to_vec();
    let at = wasm.windows(12).position(|w| w == b"PUPPET-MODE=").expect("the mode's place") + 12;
    let padded = format!("{mode:<36}");
    wasm[at..at + 36].copy_from_slice(padded.as_bytes());
    wasm
}

/// A call that tells the puppet what to do, at this target.
pub(crate) fn call_at(address: &str, what: &str) -> Call {
    let params = vec![("__param_do".to_owned(), what.to_owned())];
    Call {
        target: Some(Target { address: address.into(), params }),
        scheduled_at: 1_700_000_000_000,
        deadline: Duration::from_secs(30),
        sequence: 7,
    }
}

/// A call that tells the puppet what to do.
pub(crate) fn call(what: &str) -> Call {
    call_at("nowhere.invalid", what)
}

/// What the puppet told as evidence.
pub(crate) fn told(report: &CallReport) -> String {
    match &report.outcome {
        Ok(collection) => collection.evidence.first().map(|e| e.text.clone()).unwrap_or_default(),
        Err(failure) => format!("FAILED {failure}"),
    }
}

/// Does as told and gives what the puppet tells.
pub(crate) async fn ask(collector: &Collector, what: &str) -> String {
    told(&collector.collect(call(what)).await)
}
