//! Loading, configuring and calling sound plugins.

mod common;

use std::time::Duration;

use common::{Lab, ask, call, call_at, host, spec};
use watchglass_model::Value;
use watchglass_plugin::{
    Call, CollectorSpec, Compiler, ConfigureError, FailureReason, Grants, Host, HostOptions, InstancePolicy, Kind,
    Limits, RuleAlert, RuleSpec,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_come_out() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &[]).await else { return };
    let report = collector.collect(call("packed 20")).await;
    let collection = report.outcome.unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(collection.samples.samples.len(), 20);
    let last = &collection.samples.samples[19];
    assert_eq!(last.labels.to_string(), "puppet_family_1_total{device=\"value-4\", mode=\"value-10\"}");
    assert_eq!((last.t, &last.value), (1_700_000_000_000, &Value::Float(19.0)));
    assert_eq!(collection.samples.metadata.len(), 2);
    assert!(
        report.stats.memory_bytes > 0 && report.stats.cpu > Duration::ZERO && report.stats.duration > Duration::ZERO
    );

    let report = collector.collect(call("families 16")).await;
    assert_eq!(report.outcome.map(|c| c.samples.samples.len()), Ok(16));
    let report = collector.collect(call("histogram")).await;
    let names: Vec<String> =
        report.outcome.iter().flat_map(|c| &c.samples.samples).map(|s| s.labels.to_string()).collect();
    assert_eq!(names, ["h_bucket{le=\"1.0\"}", "h_bucket{le=\"+Inf\"}", "h_sum", "h_count"]);
    let report = collector.collect(call("text m 1\n")).await;
    let expositions: Vec<_> = report.outcome.into_iter().flat_map(|c| c.expositions).collect();
    assert_eq!((expositions[0].content_type.as_str(), &expositions[0].body[..]), ("text/plain", &b"m 1\n"[..]));
    let report = collector.collect(call("down")).await;
    let down = report.outcome.map(|c| (c.samples.samples.len(), c.failure.map(|f| f.reason)));
    assert_eq!(down, Ok((1, Some(FailureReason::Unavailable))));
    assert_eq!(ask(&collector, "clock").await, "true true 8");
    let context = ask(&collector, "context").await;
    assert!(
        context.contains("nowhere.invalid") && context.contains("sequence: 7") && context.contains("1700000000000"),
        "{context}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_what_it_says() {
    let lab = Lab::new();
    let Some(Ok(plugin)) = lab.load("good").await else { return };
    assert_eq!((plugin.name.as_str(), plugin.kind, plugin.hash.len()), ("puppet", Kind::Collector, 64));
    assert!(plugin.imports.iter().all(|i| i.starts_with("watchglass:plugin/")), "{:?}", plugin.imports);
    assert_eq!(plugin.manifest.instance, InstancePolicy::PerTarget);
    let Some(Ok(needs)) = lab.load("needs").await else { return };
    let toml = needs.suggested_toml();
    assert!(
        toml.contains("grants = [\"files:/proc\", \"system:*\", \"tcp:HOST:PORT\"")
            && toml.starts_with("[[collector]]\nname = \"puppet\"\nplugin = \"needs\"\n"),
        "{toml}"
    );
    assert!(!needs.manifest.runs_by_itself());
    let Some(Ok(none)) = lab.load("nowants").await else { return };
    assert!(none.manifest.runs_by_itself());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_plugin_is_told_so() {
    let lab = Lab::new();
    let component = |text: &str| wat::parse_str(text).expect("a component");
    for (name, bytes, expected) in [
        ("empty.wasm", Vec::new(), "is no wasm component"),
        ("text.wasm", b"hello, world".to_vec(), "is no wasm component"),
        ("elf.wasm", b"\x7fELF\x02\x01\x01\x00".to_vec(), "native program"),
        ("core.wasm", component("(module)"), "core wasm module, not a component"),
        ("bare.wasm", component("(component)"), "another world: it exports nothing"),
        ("cut.wasm", component("(component)")[..7].to_vec(), "is no wasm component"),
        ("garbage.wasm", [&component("(component)")[..], &[1, 2, 3, 255, 255]].concat(), "does not compile"),
        (
            "other.wasm",
            component(
                "(component (component $c) (instance $i (instantiate $c)) (export \"wasi:cli/run@0.2.0\" (instance $i)))",
            ),
            "it exports wasi:cli/run@0.2.0",
        ),
        (
            "old.wasm",
            component(
                "(component (component $c) (instance $i (instantiate $c)) (export \"watchglass:plugin/collector@0.0.9\" (instance $i)))",
            ),
            "speaks contract version 0.0.9, this daemon speaks 0.1.0",
        ),
        (
            "hollow.wasm",
            component(
                "(component (component $c) (instance $i (instantiate $c)) (export \"watchglass:plugin/collector@0.1.0\" (instance $i)))",
            ),
            "does not fit contract version 0.1.0",
        ),
    ] {
        let path = lab.file(name, &bytes);
        let told = lab.host.load(&path).await.map(|p| format!("{p:?}")).unwrap_err().to_string();
        assert!(told.contains(expected) && told.contains(name), "{name}: {told}");
    }
    let absent = lab.host.load(&lab.dir.path().join("absent.wasm")).await.map(|p| format!("{p:?}")).unwrap_err();
    assert!(absent.to_string().contains("absent.wasm: can't be read"), "{absent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_compiles_nothing() {
    let lab = Lab::new();
    let Some(path) = lab.puppet("good") else { return };
    assert!(lab.host.load(&path).await.is_ok_and(|p| !p.from_cache));
    assert_eq!(lab.host.compiled(), 1);
    assert!(lab.host.load(&path).await.is_ok_and(|p| p.from_cache));
    assert_eq!(lab.host.compiled(), 1);
    let cache = lab.dir.path().join("cache");
    let again = host(&cache);
    assert!(again.load(&path).await.is_ok_and(|p| p.from_cache));
    assert_eq!(again.compiled(), 0);
    // What was cut short is made anew, and temporary files don't stay.
    let files =
        || std::fs::read_dir(&cache).map(|d| d.flatten().map(|e| e.path()).collect::<Vec<_>>()).unwrap_or_default();
    let artifact = files().pop().expect("an artifact");
    std::fs::remove_file(&artifact).expect("removed");
    std::fs::write(&artifact, b"\x7fELF and nothing more").expect("written");
    let mended = host(&cache);
    assert!(mended.load(&path).await.is_ok_and(|p| !p.from_cache));
    assert_eq!((mended.compiled(), files().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiler_that_fails_is_told_of() {
    let lab = Lab::new();
    let Some(path) = lab.puppet("good") else { return };
    for (program, args, expected) in [
        ("/bin/sh", vec!["-c", "echo no such luck >&2; exit 1"], "does not compile: no such luck"),
        ("/bin/sh", vec!["-c", "kill -XCPU $$"], "more than the 60 s of CPU"),
        ("/bin/sh", vec!["-c", "exit 3"], "said nothing"),
        ("/nonexistent", vec![], "starting the compiler /nonexistent"),
        ("/bin/true", vec![], "keeping its compiled code"),
    ] {
        let mut options = HostOptions::new(lab.dir.path().join("other-cache"));
        options.compiler = Compiler::Program(program.into(), args.into_iter().map(Into::into).collect());
        let host = Host::new(options).unwrap_or_else(|e| panic!("{e}"));
        let told = host.load(&path).await.map(|p| format!("{p:?}")).unwrap_err().to_string();
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let left = std::fs::read_dir(lab.dir.path().join("other-cache")).map(Iterator::count);
    assert_eq!(left.ok(), Some(0), "nothing is left behind");
}

/// Not a test by itself: what the next one starts as the compiling child.
#[test]
#[ignore = "started by another test"]
fn child_that_compiles() {
    let path = |name: &str| std::env::var_os(name).map(std::path::PathBuf::from);
    let (Some(input), Some(output)) = (path("COMPILE_IN"), path("COMPILE_OUT")) else { return };
    Host::compile_plugin(&input, &output).unwrap_or_else(|e| panic!("{e}"));
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    for (line, limit) in [("Max address space", "1610612736"), ("Max cpu time", "60"), ("Max core file size", "0")] {
        assert!(limits.lines().any(|l| l.starts_with(line) && l.contains(&format!(" {limit} "))), "{limits}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_child_compiles() {
    let lab = Lab::new();
    let Some(path) = lab.puppet("good") else { return };
    let this = std::env::current_exe().expect("this program");
    let script = format!(
        "COMPILE_IN=$0 COMPILE_OUT=$1 exec {} --ignored --exact child_that_compiles >/dev/null",
        this.display()
    );
    let mut options = HostOptions::new(lab.dir.path().join("other-cache"));
    options.compiler = Compiler::Program("/bin/sh".into(), vec!["-c".into(), script.into()]);
    let host = Host::new(options).unwrap_or_else(|e| panic!("{e}"));
    let plugin = host.load(&path).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(!plugin.from_cache && host.compiled() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_is_checked_by_schema_and_plugin() {
    let lab = Lab::new();
    let Some(Ok(plugin)) = lab.load("good").await else { return };
    for (config, expected) in [
        ("{\"leve\": 3}", "leve: unknown key; allowed are do, level\n  hint: did you mean \"level\"?"),
        ("{\"level\": 0}", "level: 0 is less than 1"),
        ("{\"do\": \"refuse\"}", "do: refused"),
        ("[", "the configuration is no JSON"),
    ] {
        let spec = CollectorSpec { config_json: config.into(), ..spec(&[]) };
        let told = lab.host.collector(plugin.clone(), spec).await.map(|_| ()).unwrap_err();
        assert!(matches!(told, ConfigureError::Config(_)) && told.to_string().contains(expected), "{told}");
    }
    let spec = CollectorSpec { config_json: "{\"do\": \"calls\", \"level\": 2}".replace(": ", ":"), ..spec(&[]) };
    let collector = lab.host.collector(plugin, spec).await.unwrap_or_else(|e| panic!("{e}"));
    let report = collector.collect(Call { target: None, ..call("") }).await;
    assert_eq!(common::told(&report), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_grant_is_told_in_toml() {
    let lab = Lab::new();
    let Some(Ok(plugin)) = lab.load("needsfiles").await else { return };
    let bare = CollectorSpec { has_targets: false, ..spec(&[]) };
    let told = lab.host.collector(plugin.clone(), bare).await.map(|_| ()).unwrap_err();
    assert!(matches!(&told, ConfigureError::MissingGrants(_, missing) if missing.len() == 1), "{told}");
    assert!(told.to_string().contains("grants = [\"files:/proc\"]"), "{told}");
    assert_eq!(plugin.missing_grants(&Grants::default(), false).len(), 1);
    assert!(
        lab.host.collector(plugin.clone(), spec(&["files:/elsewhere"])).await.is_ok(),
        "how far is the operator's choice"
    );
    // A kind that was never wanted is never granted.
    let collector =
        lab.host.collector(plugin, spec(&["files:/proc", "system:*"])).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(ask(&collector, "system uname").await.contains("no grant \\\"system:uname\\\""));
    assert!(ask(&collector, "read /proc/stat").await.starts_with("ok cpu"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_live_as_their_policy_says() {
    let lab = Lab::new();
    let Some(per_target) = lab.collector("good", &[]).await else { return };
    let calls = |address: &'static str| call_at(address, "calls");
    let mut seen = Vec::new();
    for address in ["a", "a", "b", "a"] {
        seen.push(common::told(&per_target.collect(calls(address)).await));
    }
    assert_eq!(seen, ["1", "2", "1", "3"]);
    let Some(shared) = lab.collector("shared", &[]).await else { return };
    let mut seen = Vec::new();
    for address in ["a", "b", "a"] {
        seen.push(common::told(&shared.collect(calls(address)).await));
    }
    assert_eq!(seen, ["1", "2", "3"]);
    let Some(fresh) = lab.collector("fresh", &[]).await else { return };
    let mut seen = Vec::new();
    for address in ["a", "a", "b"] {
        seen.push(common::told(&fresh.collect(calls(address)).await));
    }
    assert_eq!(seen, ["1", "1", "1"]);
    assert_eq!(fresh.stats().instances, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_replaced_before_they_grow_old() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &[]).await else { return };
    // 13 MiB, then 26: over three quarters of 32.
    assert_eq!(ask(&collector, "leak 13").await, "1");
    assert_eq!(ask(&collector, "leak 13").await, "2");
    assert_eq!(ask(&collector, "leak 13").await, "1");
    for _ in 0..998 {
        ask(&collector, "calls").await;
    }
    // Configuring was a call too.
    assert_eq!(ask(&collector, "calls").await, "1");
    assert_eq!(collector.stats().instances_made, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_pool_is_bounded() {
    let lab = Lab::new();
    let limits = Limits { instances: 2, ..spec(&[]).limits };
    let Some(collector) = lab.collector_of("shared", CollectorSpec { limits, ..spec(&[]) }).await else { return };
    let tasks: Vec<_> = (0..10)
        .map(|i| {
            let collector = collector.clone();
            tokio::spawn(async move { collector.collect(call_at(&format!("t{i}"), "packed 1500")).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.is_ok_and(|r| r.outcome.is_ok()));
    }
    assert!(collector.stats().instances <= 2, "{:?}", collector.stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_evaluates() {
    let lab = Lab::new();
    let Some(path) = lab.puppet_rule() else { return };
    let plugin = lab.host.load(&path).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(plugin.kind, Kind::Rule);
    let wrong = lab.host.collector(plugin.clone(), spec(&[])).await.map(|_| ()).unwrap_err();
    assert_eq!(wrong.to_string(), "plugin puppet-rule is a rule plugin, not a collector plugin");
    let refused = RuleSpec { config_json: "{\"do\":\"refuse\"}".into(), ..RuleSpec::default() };
    assert!(lab.host.rule(plugin.clone(), refused).await.is_err_and(|e| e.to_string() == "do: refused"));

    let limits = Limits { cpu: Duration::from_millis(300), ..Limits::default() };
    let rule =
        lab.host.rule(plugin, RuleSpec { limits, ..RuleSpec::default() }).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((rule.inputs()[0].expr.as_str(), rule.inputs()[0].range), ("disk_use", Duration::from_secs(60)));
    let series = |mount: &str, v: f64| watchglass_model::SeriesData {
        labels: watchglass_model::Labels::from_pairs([("__name__", "disk_use"), ("mount", mount)]),
        floats: vec![watchglass_model::FloatPoint { t: 1, v }],
        ..Default::default()
    };
    let inputs = [vec![series("/", 95.0), series("/home", 10.0)]];
    let active = [RuleAlert {
        labels: watchglass_model::Labels::from_pairs([("alertname", "DiskFull")]),
        annotations: watchglass_model::Labels::empty(),
        value: 1.0,
        hold: Duration::ZERO,
        keep_firing: Duration::ZERO,
    }];
    let deadline = Duration::from_secs(20);
    let alerts = rule.evaluate(1, &inputs, &active, deadline).await.outcome.unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].labels.to_string(), "{alertname=\"DiskFull\", mount=\"/\"}");
    assert_eq!((alerts[0].annotations.value("summary"), alerts[0].hold), ("1 active", Duration::from_secs(60)));
    let spun = rule.evaluate(13, &inputs, &active, deadline).await.outcome;
    assert!(spun.is_err_and(|f| f.reason == FailureReason::Cpu));
    // It rests for a moment first.
    let twice = loop {
        match rule.evaluate(14, &inputs, &active, deadline).await.outcome {
            Err(f) if f.reason == FailureReason::Resting => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert!(twice.is_err_and(|f| f.reason == FailureReason::Invalid && f.message.contains("twice")));
    assert_eq!(rule.stats().failures.get(&FailureReason::Cpu), Some(&1));
}
