//! What a target's collections become, told as a story: one line a sample.

use std::time::Duration;

use watchglass_model::exposition::parse_exposition;
use watchglass_model::{Labels, Sample, SampleBatch, Value, is_stale_nan};
use watchglass_targets::{Collected, Finished, SampleOptions, TargetState};

fn options() -> SampleOptions {
    SampleOptions { honor_timestamps: true, ..Default::default() }
}

fn state(options: SampleOptions) -> TargetState {
    TargetState::new(Labels::from_pairs([("job", "j"), ("instance", "i")]), options)
}

fn collect(state: &mut TargetState, at: i64, failure: Option<&str>, text: &str) -> Finished {
    let batch = parse_exposition("text/plain", text.as_bytes(), at).expect("an exposition");
    let failure = failure.map(str::to_owned);
    state.finish(Collected { at, duration: Duration::from_millis(500), result: Ok(batch), failure })
}

/// Samples as text, the target's own labels left out.
fn lines(batch: &SampleBatch) -> Vec<String> {
    let show = |value: &Value| match value {
        Value::Float(v) if is_stale_nan(*v) => "stale".to_owned(),
        Value::Float(v) => v.to_string(),
        Value::Histogram(h) => h.to_string(),
    };
    let line = |s: &Sample| {
        let labels = s.labels.filtered(|n, v| !matches!((n, v), ("job", "j") | ("instance", "i")));
        format!("{labels} {} @{}", show(&s.value), s.t)
    };
    batch.samples.iter().map(line).collect()
}

fn with_report(samples: &[&str], at: i64, report: [&str; 5]) -> Vec<String> {
    let names = [
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    ];
    let report = names.iter().zip(report).map(|(name, value)| format!("{name} {value} @{at}"));
    samples.iter().map(|s| (*s).to_owned()).chain(report).collect()
}

#[test]
fn series_come_stay_and_go() {
    let mut state = state(options());
    let first = collect(&mut state, 10, None, "a 1\nb{x=\"1\"} 2\n");
    assert_eq!(lines(&first.batch), with_report(&["a 1 @10", "b{x=\"1\"} 2 @10"], 10, ["1", "0.5", "2", "2", "2"]));
    let second = collect(&mut state, 20, None, "a 1\nb{x=\"2\"} 2\n");
    let expected = ["a 1 @20", "b{x=\"2\"} 2 @20", "b{x=\"1\"} stale @20"];
    assert_eq!(lines(&second.batch), with_report(&expected, 20, ["1", "0.5", "2", "2", "1"]));
    let error = Err("connection refused".to_owned());
    let failed = state.finish(Collected { at: 30, duration: Duration::from_millis(500), result: error, failure: None });
    let expected = ["a stale @30", "b{x=\"2\"} stale @30"];
    assert_eq!(lines(&failed.batch), with_report(&expected, 30, ["0", "0.5", "0", "0", "0"]));
    let down = collect(&mut state, 40, Some("redis is down"), "redis_up 0\n");
    assert_eq!(lines(&down.batch), with_report(&["redis_up 0 @40"], 40, ["0", "0.5", "1", "1", "1"]));
    assert_eq!(lines(&state.end(50)), with_report(&["redis_up stale @50"], 50, ["stale"; 5]));
    assert!(state.end(60).samples.is_empty());
}

#[test]
fn timestamps_of_their_own() {
    let text = "a 1 5\nb 2\n";
    let mut honoring = state(options());
    assert_eq!(lines(&collect(&mut honoring, 10, None, text).batch)[..2], ["a 1 @5", "b 2 @10"]);
    assert_eq!(lines(&collect(&mut honoring, 20, None, "").batch)[0], "b stale @20", "a gets no marker");
    let mut ignoring = state(SampleOptions::default());
    assert_eq!(lines(&collect(&mut ignoring, 10, None, text).batch)[..2], ["a 1 @10", "b 2 @10"]);
}

#[test]
fn of_two_series_that_relabelling_makes_one_either_keeps_it_alive() {
    let rules =
        r#"[{"source_labels":["__name__"],"regex":"drop_.*","action":"drop"},{"regex":"x","action":"labeldrop"}]"#;
    let metric_relabel = serde_json::from_str(rules).expect("rules");
    let mut state = state(SampleOptions { metric_relabel, ..options() });
    let first = collect(&mut state, 10, None, "drop_me 1\na{x=\"1\"} 1\n");
    assert_eq!(lines(&first.batch), with_report(&["a 1 @10"], 10, ["1", "0.5", "2", "1", "1"]));
    let second = collect(&mut state, 20, None, "a{x=\"2\"} 2\n");
    assert_eq!(lines(&second.batch), with_report(&["a 2 @20"], 20, ["1", "0.5", "1", "1", "0"]));
}

#[test]
fn more_samples_than_the_limit_fail_the_collection() {
    let mut limited = state(SampleOptions { sample_limit: 2, ..options() });
    let text = "a{code=\"200\",path=\"/1\"} 1\na{code=\"200\",path=\"/2\"} 1\na{code=\"500\",path=\"/3\"} 1\n";
    let finished = collect(&mut limited, 10, None, text);
    assert_eq!(lines(&finished.batch), with_report(&[], 10, ["0", "0.5", "3", "3", "0"]));
    assert_eq!(finished.error.as_deref(), Some("sample limit exceeded (limit: 2, samples: 3)"));
}

#[test]
fn other_rules_rename_what_is_there() {
    let mut state = state(options());
    collect(&mut state, 10, None, "a 1\n");
    let metric_relabel = serde_json::from_str(r#"[{"target_label":"__name__","replacement":"b"}]"#).expect("rules");
    state.set_options(SampleOptions { metric_relabel, ..options() });
    assert_eq!(lines(&collect(&mut state, 20, None, "a 1\n").batch)[..2], ["b 1 @20", "a stale @20"]);
}
