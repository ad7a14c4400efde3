//! The components as they are built: our own plugins and the examples, loaded and run by the real host.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use watchglass_model::{FloatPoint, Labels, SeriesData, Value};
use watchglass_plugin::{
    Call, Collection, Collector, CollectorSpec, Compiler, Grants, Host, HostOptions, Kind, Plugin, RuleSpec, Target,
};
use watchglass_tests::{App, Redis, plugins_dir, root, skip};

struct Bench {
    host: Host,
    _cache: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let options = HostOptions { compiler: Compiler::InProcess, ..HostOptions::new(cache.path().join("cache")) };
        Bench { host: Host::new(options).expect("a host"), _cache: cache }
    }

    /// Loads one of our own plugins; `None`, loudly, where it was not built.
    async fn own(&self, test: &str, name: &str) -> Option<Arc<Plugin>> {
        let path = plugins_dir().join(format!("{name}.wasm"));
        if !path.is_file() {
            skip(test, &format!("{} (hint: cargo xtask plugins)", path.display()));
            return None;
        }
        Some(self.host.load(&path).await.expect("our plugin loads"))
    }

    async fn collector(&self, plugin: &Arc<Plugin>, config: &str, grants: &[&str], has_targets: bool) -> Collector {
        let spec = CollectorSpec {
            name: plugin.name.clone(),
            config_json: config.to_owned(),
            grants: Grants::parse(grants).expect("grants"),
            has_targets,
            ..CollectorSpec::default()
        };
        self.host.collector(plugin.clone(), spec).await.expect("a collector")
    }
}

async fn collect(collector: &Collector, address: Option<&str>, sequence: u32) -> Collection {
    let target = address.map(|a| Target { address: a.to_owned(), params: Vec::new() });
    let call = Call { target, scheduled_at: 1_700_000_000_000, deadline: Duration::from_secs(20), sequence };
    collector.collect(call).await.outcome.expect("a collection")
}

/// The value of the first series of that name whose labels are at least these.
fn value(c: &Collection, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |s: &&watchglass_model::Sample| {
        s.labels.get("__name__") == Some(name) && labels.iter().all(|(n, v)| s.labels.get(n) == Some(*v))
    };
    match c.samples.samples.iter().find(fits)?.value {
        Value::Float(v) => Some(v),
        Value::Histogram(_) => None,
    }
}

#[tokio::test]
async fn our_plugins_import_nothing_but_our_interfaces() {
    let bench = Bench::new();
    let collectors = ["node", "app", "redis"].map(|name| (name, Kind::Collector));
    let rules = ["disk-full", "anomaly"].map(|name| (name, Kind::Rule));
    for (name, kind) in collectors.into_iter().chain(rules) {
        let Some(plugin) = bench.own("our_plugins_import_nothing_but_our_interfaces", name).await else { return };
        assert_eq!((plugin.name.as_str(), plugin.kind), (name, kind));
        assert!(plugin.imports.iter().all(|i| i.starts_with("watchglass:plugin/")), "{name}: {:?}", plugin.imports);
    }
}

#[tokio::test]
async fn node_tells_of_this_machine() {
    let bench = Bench::new();
    let Some(plugin) = bench.own("node_tells_of_this_machine", "node").await else { return };
    let node = bench.collector(&plugin, "{}", &["files:/proc", "files:/sys", "system:disk-usage"], false).await;
    let c = collect(&node, None, 0).await;
    assert!(c.failure.is_none());
    for (name, labels) in [
        ("node_load1", &[][..]),
        ("node_memory_MemTotal_bytes", &[]),
        ("node_cpu_seconds_total", &[("cpu", "0"), ("mode", "idle")]),
        ("node_boot_time_seconds", &[]),
        ("node_network_receive_bytes_total", &[("device", "lo")]),
        ("node_uname_info", &[("sysname", "Linux")]),
        ("node_filesystem_size_bytes", &[("mountpoint", "/")]),
    ] {
        assert!(value(&c, name, labels).is_some(), "{name}{labels:?} is missing");
    }
    let failed: Vec<_> = c.evidence.iter().map(|e| &e.text).collect();
    assert!(value(&c, "node_scrape_collector_success", &[("collector", "cpu")]) == Some(1.0), "{failed:?}");
    let unique: BTreeSet<String> = c.samples.samples.iter().map(|s| format!("{:?}", s.labels)).collect();
    assert_eq!(unique.len(), c.samples.samples.len(), "a series came twice");
}

#[tokio::test]
async fn redis_is_told_up_and_down() {
    let bench = Bench::new();
    let Some(plugin) = bench.own("redis_is_told_up_and_down", "redis").await else { return };
    let redis = bench.collector(&plugin, "{}", &[], true).await;
    let Some(mut server) = Redis::start() else {
        skip("redis_is_told_up_and_down", "redis-server");
        return;
    };
    let address = server.address();
    let c = collect(&redis, Some(&address), 0).await;
    assert_eq!((value(&c, "redis_up", &[]), c.failure.is_none()), (Some(1.0), true));
    assert!(value(&c, "redis_memory_used_bytes", &[]).is_some_and(|v| v > 0.0));
    server.stop();
    let c = collect(&redis, Some(&address), 1).await;
    assert_eq!(value(&c, "redis_up", &[]), Some(0.0));
    assert!(c.failure.is_some() && !c.evidence.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn app_hands_the_answer_back_unread() {
    let bench = Bench::new();
    let Some(plugin) = bench.own("app_hands_the_answer_back_unread", "app").await else { return };
    let app = bench.collector(&plugin, "{}", &[], true).await;
    let server = App::start();
    let c = collect(&app, Some(&server.address()), 0).await;
    assert_eq!(c.expositions.len(), 1);
    assert!(c.expositions[0].body.starts_with(b"#"), "{:?}", c.expositions[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_built_as_an_author_would() {
    let Some(tool) = cargo_component() else {
        skip("the_examples_are_built_as_an_author_would", "cargo-component (hint: cargo xtask test installs it)");
        return;
    };
    let bench = Bench::new();
    let hello = bench.host.load(&build(&tool, "hello-collector")).await.expect("the example loads");
    let collector = bench.collector(&hello, r#"{"greeting": "hi"}"#, &["files:/proc"], false).await;
    let c = collect(&collector, None, 0).await;
    assert_eq!(value(&c, "hello_greetings_total", &[("greeting", "hi")]), Some(1.0));
    assert!(value(&c, "hello_uptime_seconds", &[]).is_some_and(|v| v > 0.0));
    let rule = bench.host.load(&build(&tool, "hello-rule")).await.expect("the example loads");
    assert_eq!((rule.name.as_str(), rule.kind), ("hello-rule", Kind::Rule));

    // A disk that loses a gigabyte an hour and has two left: full within the five hours that are asked for.
    let spec = RuleSpec { name: "disks".to_owned(), config_json: r#"{"hours": 5}"#.to_owned(), ..RuleSpec::default() };
    let rule = bench.host.rule(rule, spec).await.expect("a rule");
    assert_eq!(rule.inputs()[0].expr, "node_filesystem_avail_bytes");
    let floats = vec![FloatPoint { t: 0, v: 3e9 }, FloatPoint { t: 3_600_000, v: 2e9 }];
    let labels = Labels::from_pairs([("instance", "web-1"), ("mountpoint", "/")]);
    let inputs = vec![vec![SeriesData { labels, floats, ..SeriesData::default() }]];
    let alerts = rule.evaluate(3_600_000, &inputs, &[], Duration::from_secs(10)).await.outcome.expect("alerts");
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].labels.value("mountpoint"), "/");
}

/// Builds an example with `cargo component build`; gives the component.
fn build(tool: &Path, name: &str) -> PathBuf {
    let target = root().join("target/examples");
    let mut command = Command::new(tool);
    command
        .args(["component", "build", "--release", "--target", "wasm32-unknown-unknown"])
        .current_dir(root().join("examples").join(name));
    command.env("CARGO_TARGET_DIR", &target).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    if let Some(rustc) = std::env::var_os("WATCHGLASS_WASM_RUSTC") {
        command.env("RUSTC", rustc);
    }
    let out = command.output().expect("cargo-component starts");
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    target.join("wasm32-unknown-unknown/release").join(format!("{}.wasm", name.replace('-', "_")))
}

/// Where xtask says cargo-component is, else where it installs it, else PATH.
fn cargo_component() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("WATCHGLASS_CARGO_COMPONENT")
        .map(PathBuf::from)
        .into_iter()
        .chain(cache.map(|c| c.join("watchglass/tools/bin/cargo-component")))
        .chain(std::env::split_paths(&paths).map(|d| d.join("cargo-component")))
        .find(|p| p.is_file())
}
