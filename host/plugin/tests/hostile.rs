//! Hostile plugins: whatever they do, the call ends, says why, and the next one works.

mod common;

use std::time::{Duration, Instant};

use common::{Lab, ask, call, call_at, spec};
use watchglass_plugin::{Call, CollectorSpec, FailureReason, Limits, PluginState};

fn tight(limits: Limits) -> CollectorSpec {
    CollectorSpec { limits, ..spec(&["files:/proc"]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_contained_and_named() {
    let lab = Lab::new();
    let limits = Limits { cpu: Duration::from_millis(300), hostcall_bytes: 8 << 20, ..Limits::default() };
    let Some(collector) = lab.collector_of("good", tight(limits)).await else { return };
    use FailureReason::*;
    for (i, (what, reason, text)) in [
        ("spin", Cpu, "300 ms of CPU"),
        ("eat", Memory, "32 MiB"),
        ("leak 40", Memory, "32 MiB"),
        ("trap", Trap, "unreachable"),
        ("panic", Trap, "unreachable"),
        ("recurse", Trap, "stack"),
        ("bad-utf8", Invalid, "utf-8 sequence"),
        ("bad-length", Invalid, "out of bounds"),
        ("huge-string 9", Invalid, "8 MiB"),
        ("flood 2000000", Invalid, "8 MiB"),
        ("many-payloads 5000", Invalid, "5000 payloads"),
        ("bad-index", Invalid, "string 4000000"),
        ("bad-name", Invalid, "label name"),
        ("error", Unavailable, "the target is down"),
        ("read relative", Error, ""),
    ]
    .into_iter()
    .enumerate()
    {
        // A target each: what one did is not held against the next.
        let target = format!("target-{i}");
        let report = collector.collect(call_at(&target, what)).await;
        match report.outcome {
            Err(failure) => {
                assert!(failure.reason == reason && failure.message.contains(text), "{what}: {failure}")
            }
            Ok(_) if what.starts_with("read") => {}
            Ok(collection) => panic!("{what}: {collection:?}"),
        }
        let next = collector.collect(call_at(&format!("next-{i}"), "ok")).await;
        assert!(next.outcome.is_ok(), "after {what}: {:?}", next.outcome);
    }
    let stats = collector.stats();
    assert_eq!(stats.failures.get(&Memory), Some(&2), "{stats:?}");
    assert!(stats.memory_peak_bytes <= 32 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_what_waits_and_what_loops() {
    let lab = Lab::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("its address").to_string();
    let grants = [format!("tcp:{address}"), "files:/proc".to_owned()];
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let Some(collector) = lab.collector("good", &grants).await else { return };
    for what in [format!("hang {address}"), "loop-files".to_owned(), "spin".to_owned()] {
        let began = Instant::now();
        let report = collector.collect(Call { deadline: Duration::from_millis(400), ..call_at(&what, &what) }).await;
        assert!(
            report.outcome.as_ref().is_err_and(|f| f.reason == FailureReason::Timeout),
            "{what}: {:?}",
            report.outcome
        );
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
    }
    // A target that hangs is the plugin's to tell of, before the deadline ends the instance.
    let began = Instant::now();
    let report = collector.collect(Call { deadline: Duration::from_secs(2), ..call(&format!("wait {address}")) }).await;
    assert_eq!(common::told(&report), "Error::TimedOut");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(matches!(collector.state(), PluginState::Running), "timeouts are not held against it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_spins_leaves_the_others_on_time() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &[]).await else { return };
    let spinning: Vec<_> = (0..4)
        .map(|i| {
            let collector = collector.clone();
            let call = Call { deadline: Duration::from_secs(2), ..call_at(&format!("spin-{i}"), "spin") };
            tokio::spawn(async move { collector.collect(call).await })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for i in 0..20 {
        let began = Instant::now();
        let report = collector.collect(call_at("fine", "ok")).await;
        assert!(report.outcome.is_ok(), "{i}: {:?}", report.outcome);
        longest = longest.max(began.elapsed());
    }
    for task in spinning {
        assert!(task.await.is_ok_and(|r| r.outcome.is_err()));
    }
    assert!(longest < Duration::from_millis(1_500), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_in_a_row_rests() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &[]).await else { return };
    let mut reasons = Vec::new();
    let until = Instant::now() + Duration::from_secs(20);
    while reasons.iter().filter(|r| **r == FailureReason::Trap).count() < 3 && Instant::now() < until {
        let report = collector.collect(call("trap")).await;
        reasons.push(report.outcome.err().map(|f| f.reason).expect("a failure"));
        tokio::task::yield_now().await;
    }
    assert!(reasons.contains(&FailureReason::Resting), "it rests between its tries");
    assert!(
        matches!(collector.state(), PluginState::Failed { ref reason, .. } if reason.contains("unreachable")),
        "{:?}",
        collector.state()
    );
    assert!(ask(&collector, "ok").await.contains("resting"));
    assert!(collector.collect(call_at("another", "ok")).await.outcome.is_ok(), "another target is not affected");
    assert!(matches!(collector.state(), PluginState::Running));
    collector.forget_target("nowhere.invalid");
    assert_eq!(ask(&collector, "calls").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_takes_its_instance_along() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &[]).await else { return };
    assert_eq!(ask(&collector, "calls").await, "1");
    assert_eq!(ask(&collector, "calls").await, "2");
    let spin = collector.collect(call("spin"));
    assert!(tokio::time::timeout(Duration::from_millis(100), spin).await.is_err());
    assert_eq!(ask(&collector, "calls").await, "1", "a store in the middle of a call is never used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lies_in_describe_are_found() {
    let lab = Lab::new();
    for (mode, text) in [
        ("spin", "describe itself: "),
        ("eat", "64 MiB"),
        ("trap", "unreachable"),
        ("recurse", "stack"),
        ("hang", "describe itself: timeout"),
        ("badname", "name \"No Name\""),
        ("badschema", "no JSON Schema"),
        ("badwant", "not absolute"),
        ("manywants", "more than 10000 wants"),
        ("badutf8", "utf-8"),
    ] {
        let Some(loaded) = lab.load(mode).await else { return };
        let told = loaded.map(|p| format!("{p:?}")).unwrap_err().to_string();
        assert!(told.contains(text) && told.contains(&format!("{mode}.wasm")), "{mode}: {told}");
    }
    let Some(denied) = lab.load("denied").await else { return };
    assert_eq!(denied.map(|p| p.manifest.summary.clone()), Ok("true true true".to_owned()), "every import is denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_million_samples_are_a_failure_and_too_many_are_cut() {
    let lab = Lab::new();
    let limits = Limits { memory_bytes: Some(512 << 20), series: 1_000, ..spec(&[]).limits };
    let Some(collector) = lab.collector_of("good", tight(limits)).await else { return };
    let report = collector.collect(call("flood 10000000")).await;
    assert!(report.outcome.is_err_and(|f| f.reason == FailureReason::Invalid && f.message.contains("64 MiB")));
    let report = collector.collect(call_at("b", "packed 1500")).await;
    let collection = report.outcome.unwrap_or_else(|f| panic!("{f}"));
    let excess = collection.excess.map(|e| (e.dropped, e.distinct));
    assert_eq!((collection.samples.samples.len(), excess), (1_000, Some((500, 15))));
    assert_eq!(collector.stats().samples_dropped, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_lines_are_bounded() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &[]).await else { return };
    let report = collector.collect(call("log 1000")).await;
    assert!(report.stats.log_dropped >= 800, "{:?}", report.stats);
}
