//! promtool's unit-test files: our own, Prometheus', and those of a big rule set.

mod common;

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use watchglass_promql::ParserOptions;
use watchglass_rules::unittest::{Options, Report, run};

fn run_text(text: &str, name: &str, dir: &Path) -> Report {
    let mut load = |pattern: &str| {
        let path = dir.join(pattern);
        let text = fs::read_to_string(&path).map_err(|e| e.to_string())?;
        Ok(vec![(pattern.to_owned(), text)])
    };
    let options = Options { parser: ParserOptions::all(), engine: watchglass_promql::Options::default() };
    run(text, name, &mut load, &Vec::new, &options)
}

fn run_file(path: &Path) -> Report {
    let text = fs::read_to_string(path).expect("test file");
    run_text(&text, &path.file_name().unwrap_or_default().to_string_lossy(), path.parent().unwrap_or(Path::new(".")))
}

fn show(report: &Report) -> String {
    let failures =
        report.tests.iter().flat_map(|t| t.failures.iter().map(move |f| format!("{} (line {}):\n{f}", t.name, t.line)));
    report.errors.iter().cloned().chain(failures).collect::<Vec<_>>().join("\n")
}

#[test]
fn promtool_verdicts() {
    let Some(dir) = common::conformance("promtool-unittest") else { return };
    let verdicts: Json =
        serde_json::from_str(&fs::read_to_string(dir.join("verdicts.json")).expect("verdicts")).expect("json");
    let mut failures = vec![];
    for (name, verdict) in verdicts["files"].as_object().expect("files") {
        let report = run_file(&dir.join(name));
        if report.is_ok() != (verdict["ok"] == true) {
            failures.push(format!("{name}: should be {verdict}\n{}", show(&report)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn kubernetes_mixin() {
    let Some(dir) = common::conformance("kubernetes-mixin") else { return };
    let (mut tests, mut failures) = (0, vec![]);
    for file in fs::read_dir(dir.join("tests")).expect("tests").flatten() {
        let report = run_file(&file.path());
        tests += report.tests.len();
        if !report.is_ok() {
            failures.push(format!("{}\n{}", file.path().display(), show(&report)));
        }
    }
    println!("kubernetes-mixin: {tests} test groups, {} files failed", failures.len());
    assert!(failures.is_empty() && tests > 0, "{}", failures.join("\n"));
}

const RULES: &str = "
groups:
  - name: second
    rules:
      - record: twice
        expr: once * 2
  - name: first
    rules:
      - record: once
        expr: sum(m)
      - alert: High
        expr: m > 5
        for: 2m
        labels: {severity: '{{ if gt $value 8.0 }}page{{ else }}ticket{{ end }}', env: '{{ $externalLabels.env }}'}
        annotations: {summary: '{{ $labels.a }} is {{ $value }} at {{ $externalURL }}'}
";

fn own(tests: &str) -> Report {
    let dir = tempfile::tempdir().expect("folder");
    fs::write(dir.path().join("rules.yml"), RULES).expect("rules");
    run_text(&format!("rule_files: [rules.yml]\nevaluation_interval: 1m\n{tests}"), "t.yml", dir.path())
}

#[test]
fn alerts_and_samples_are_compared() {
    let report = own("
group_eval_order: [first, second]
tests:
  - name: works
    interval: 30s
    external_labels: {env: prod}
    external_url: http://x
    input_series:
      - {series: 'm{a=\"b\"}', values: '1 1 6+1x10'}
    promql_expr_test:
      - {expr: twice, eval_time: 2m, exp_samples: [{labels: twice, value: 16}]}
      - {expr: 'vector(0)', eval_time: 0, exp_samples: [{value: 0}]}
      - {expr: 'count(ALERTS{alertstate=\"pending\"})', eval_time: 2m, exp_samples: [{labels: '{}', value: 1}]}
    alert_rule_test:
      - {eval_time: 2m, alertname: High}
      - eval_time: 3m30s
        alertname: High
        exp_alerts: []
");
    assert_eq!(report.tests[0].checks, 5);
    // The label changes with the value: another alert, which waits anew.
    assert!(report.is_ok(), "{}", show(&report));
    let report = own("
tests:
  - interval: 1m
    external_url: http://x
    input_series:
      - {series: 'm{a=\"b\"}', values: '7x10'}
    alert_rule_test:
      - eval_time: 2m59s
        alertname: High
        exp_alerts:
          - {exp_labels: {a: b, severity: ticket}, exp_annotations: {summary: b is 7 at http://x}}
");
    assert!(report.is_ok(), "{}", show(&report));
}

#[test]
fn what_differs_is_shown_as_promtool_shows_it() {
    let report = own("
tests:
  - name: fails
    input_series:
      - {series: m, values: '1'}
    promql_expr_test:
      - {expr: m, eval_time: 0, exp_samples: [{labels: m, value: 2}]}
      - {expr: nothing, eval_time: 0, exp_samples: [{labels: m, value: 2}]}
    alert_rule_test:
      - {eval_time: 0, alertname: High, exp_alerts: [{exp_labels: {a: b}}]}
");
    let shown = show(&report);
    for expected in [
        "expr: \"m\", time: 0s,\n        exp: m 2\n        got: m 1",
        "got: nil",
        "alertname: High, time: 0s,\n        exp:[\n            0:\n              Labels:{a=\"b\", alertname=\"High\"}\n              Annotations:{}\n            ],\n        got:[]",
    ] {
        assert!(shown.contains(expected), "{shown}\nshould say {expected}");
    }
}

#[test]
fn files_that_make_no_sense_are_refused() {
    let cases = [
        ("tests: [{nope: 1}]", "unknown key `nope`"),
        ("evaluation_interval: 5x", "evaluation_interval: `5x`"),
        ("rule_files: [missing.yml]", "missing.yml"),
        ("tests: [{alert_rule_test: [{eval_time: 1m}]}]", "misses required attribute alertname"),
        ("tests: [{promql_expr_test: [{expr: m, exp_samples: [{labels: 'm{', value: 1}]}]}]", "labels: column 3"),
        ("tests: [{promql_expr_test: [{expr: m, exp_samples: [{value: x}]}]}]", "value: `x` is no number"),
    ];
    for (text, expected) in cases {
        let report = run_text(text, "t.yml", Path::new("/nonexistent"));
        assert!(!report.is_ok() && show(&report).contains(expected), "{text}: {}", show(&report));
    }
    let report = run_text("tests: [{input_series: [{series: 'm{a', values: '1'}]}]", "t.yml", Path::new("."));
    assert!(show(&report).contains("unexpected end of input inside braces") || !report.is_ok(), "{}", show(&report));
}
