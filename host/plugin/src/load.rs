//! From a file to a plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::{Component, Linker};

use crate::bindings::collector::CollectorPluginPre;
use crate::bindings::rule::RulePluginPre;
use crate::cache::sha256_hex;
use crate::host::Inner;
use crate::instance::{Instance, Start};
use crate::manifest::Manifest;
use crate::plugin::{Kind, Plugin};
use crate::report::CallFailure;
use crate::state::State;
use crate::{artifact, compile, describe};

/// Why a file is no plugin that can be loaded. Every text names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}{}", path.display(), if hint.is_empty() { String::new() } else { format!("\n  hint: {hint}") })]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// Largest file: StarlingMonkey and CPython components are 13 and 18 MB.
const MAX_FILE: u64 = 256 << 20;

/// The exports that make a component a plugin, up to the version.
const COLLECTOR: &str = "watchglass:plugin/collector@";
const RULE: &str = "watchglass:plugin/rule@";

/// The contract's version that this host speaks.
const VERSION: &str = "0.1.0";

/// Compiled code, linked: ready to make instances of.
pub(crate) enum Code {
    /// Of a collector.
    Collector(CollectorPluginPre<State>),
    /// Of a rule.
    Rule(RulePluginPre<State>),
}

/// What is wrong with a file, and what to do.
struct Problem(String, String);

fn problem(text: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem(text.into(), hint.into())
}

/// Loads a file.
pub(crate) async fn load(inner: &Arc<Inner>, path: &Path) -> Result<Arc<Plugin>, LoadError> {
    let fail = |p: Problem| LoadError { path: path.to_owned(), problem: p.0, hint: p.1 };
    let file = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_file(&file).map(|bytes| (sha256_hex(&bytes), bytes))).await;
    let (hash, bytes) = match read {
        Ok(read) => read.map_err(fail)?,
        Err(e) => return Err(fail(problem(format!("reading broke down: {e}"), ""))),
    };
    let size = bytes.len() as u64;
    let (component, from_cache) = code(inner, &hash, bytes).await.map_err(fail)?;
    let (kind, imports) = world(inner, &component).map_err(fail)?;
    let code = link(inner, &component, kind).map_err(fail)?;
    let manifest = describe_plugin(inner, &code).await.map_err(|f| {
        fail(problem(
            format!("asking the plugin to describe itself: {f}"),
            "describe() can use no import and has to return in time",
        ))
    })?;
    let manifest = describe::checked(manifest).map_err(|e| fail(problem(format!("its description: {e}"), "")))?;
    Ok(Arc::new(Plugin {
        name: manifest.name.clone(),
        path: path.to_owned(),
        hash,
        size,
        manifest,
        kind,
        imports,
        from_cache,
        code: Arc::new(code),
    }))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Problem> {
    let meta = fs::metadata(path).map_err(|e| problem(format!("can't be read: {e}"), ""))?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        return Err(problem(format!("is no file of at most {} MiB", MAX_FILE >> 20), ""));
    }
    let bytes = fs::read(path).map_err(|e| problem(format!("can't be read: {e}"), ""))?;
    // The eight bytes that begin a module and a component: the same magic, then version and layer.
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(bytes),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(problem(
            "is a core wasm module, not a component",
            "build for wasm32-wasip2, or link with wasm-component-ld; `wasm-tools component new` makes a component of a module",
        )),
        Some(begin) if begin.starts_with(b"\x7fELF") => {
            Err(problem("is a native program or compiled code, not a wasm component", "drop in the .wasm file itself"))
        }
        _ => Err(problem("is no wasm component", "a component begins with the bytes 00 61 73 6d 0d 00 01 00")),
    }
}

/// The code of a component: from the cache, or compiled into it.
async fn code(inner: &Arc<Inner>, hash: &str, bytes: Vec<u8>) -> Result<(Component, bool), Problem> {
    let cached = inner.cache.path(hash);
    if cached.exists() {
        match artifact::load(&inner.engine, &cached) {
            Ok(component) => return Ok((component, true)),
            // Cut short by a full disk, say: compile anew over it.
            Err(e) => tracing::warn!(file = %cached.display(), "compiled code can't be loaded, compiling anew: {e:#}"),
        }
    }
    // One at a time: each may take all the memory that a child is allowed. A second task that wanted the same finds it done.
    let _turn = inner.compiling.lock().await;
    if let Ok(component) = artifact::load(&inner.engine, &cached) {
        return Ok((component, true));
    }
    let (input, output) = (inner.cache.temporary(), inner.cache.temporary());
    let made = compile_file(inner, &bytes, &input, &output).await;
    // What a failure left behind; after a success the output is where it belongs.
    let _ = fs::remove_file(&input);
    let kept = made.and_then(|()| {
        inner.cache.keep(&output, hash).map_err(|e| problem(format!("keeping its compiled code: {e}"), ""))
    });
    if kept.is_err() {
        let _ = fs::remove_file(&output);
    }
    let path = kept?;
    inner.compiled.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let component =
        artifact::load(&inner.engine, &path).map_err(|e| problem(format!("loading its compiled code: {e:#}"), ""))?;
    Ok((component, false))
}

async fn compile_file(inner: &Arc<Inner>, bytes: &[u8], input: &Path, output: &Path) -> Result<(), Problem> {
    fs::write(input, bytes).map_err(|e| problem(format!("writing to the cache, {}: {e}", input.display()), ""))?;
    compile::run(&inner.options.compiler, input, output).await.map_err(|e| {
        // WASI 0.3 components use asynchronous functions, which this engine does not know: the compiler's own text says only that.
        if contains(bytes, b"@0.3.") && contains(bytes, b"wasi:") {
            let hint = "build for WASI 0.2: target wasm32-wasip2, componentize-qjs with --sync";
            return problem("uses WASI 0.3, which is not supported", hint);
        }
        problem(format!("does not compile: {e}"), "")
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

/// Which world a component is of, and what it imports.
fn world(inner: &Inner, component: &Component) -> Result<(Kind, Vec<String>), Problem> {
    let ty = component.component_type();
    let mut imports: Vec<String> = ty.imports(&inner.engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    let exports: Vec<String> = ty.exports(&inner.engine).map(|(name, _)| name.to_owned()).collect();
    let find = |prefix: &str| exports.iter().find_map(|e| e.strip_prefix(prefix));
    let (kind, version) = match (find(COLLECTOR), find(RULE)) {
        (Some(version), _) => (Kind::Collector, version),
        (None, Some(version)) => (Kind::Rule, version),
        (None, None) => {
            let list: Vec<&str> = exports.iter().map(String::as_str).take(10).collect();
            let list = if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
            return Err(problem(
                format!("is a component of another world: it exports {list}"),
                format!("a plugin exports {COLLECTOR}{VERSION} or {RULE}{VERSION}"),
            ));
        }
    };
    if !same_line(version, VERSION) {
        return Err(problem(
            format!("speaks contract version {version}, this daemon speaks {VERSION}"),
            "build the plugin against this daemon's wit/, or take a daemon that speaks its version",
        ));
    }
    if let Some(import) = imports.iter().find(|i| i.starts_with("wasi:") && i.contains("@0.3.")) {
        return Err(problem(
            format!("imports {import}: WASI 0.3 is not supported"),
            "build for WASI 0.2: target wasm32-wasip2",
        ));
    }
    Ok((kind, imports))
}

/// Whether two versions only differ in their last number.
fn same_line(a: &str, b: &str) -> bool {
    let line = |v: &str| v.rsplit_once('.').map(|(line, _)| line.to_owned());
    line(a) == line(b)
}

fn link(inner: &Inner, component: &Component, kind: Kind) -> Result<Code, Problem> {
    let mut linker: Linker<State> = match kind {
        Kind::Collector => inner.collector_linker.clone(),
        Kind::Rule => inner.rule_linker.clone(),
    };
    // What remains (wasi:http, say) is there, and traps when it is called.
    let linked = linker
        .define_unknown_imports_as_traps(component)
        .and_then(|()| linker.instantiate_pre(component))
        .and_then(|pre| {
            Ok(match kind {
                Kind::Collector => Code::Collector(CollectorPluginPre::new(pre)?),
                Kind::Rule => Code::Rule(RulePluginPre::new(pre)?),
            })
        });
    linked.map_err(|e| {
        problem(
            format!("does not fit contract version {VERSION}: {e:#}"),
            "it was built against another state of the contract; build it anew",
        )
    })
}

async fn describe_plugin(inner: &Arc<Inner>, code: &Code) -> Result<crate::bindings::wit::meta::Manifest, CallFailure> {
    let shared = inner.nobody();
    let deadline = inner.options.describe_deadline.max(std::time::Duration::from_millis(100));
    let start = Start { inner: inner.clone(), shared, deadline };
    match code {
        Code::Collector(pre) => {
            let mut instance =
                Instance::start(&start, pre, |pre, store| Box::pin(pre.instantiate_async(store))).await?;
            let (made, _) = instance
                .call(&start.inner, deadline, Default::default(), |b, s| {
                    Box::pin(b.watchglass_plugin_collector().call_describe(s))
                })
                .await;
            made
        }
        Code::Rule(pre) => {
            let mut instance =
                Instance::start(&start, pre, |pre, store| Box::pin(pre.instantiate_async(store))).await?;
            let (made, _) = instance
                .call(&start.inner, deadline, Default::default(), |b, s| {
                    Box::pin(b.watchglass_plugin_rule().call_describe(s))
                })
                .await;
            made
        }
    }
}

/// The type of a manifest as it comes out of a plugin, for [`describe::checked`].
pub(crate) type RawManifest = crate::bindings::wit::meta::Manifest;

/// A checked manifest.
pub(crate) type Checked = Result<Manifest, String>;
