//! Rule files: what loads, what is refused and in which words.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchglass_promql::ParserOptions;
use watchglass_rules::{RuleFile, RuleKind, parse_rule_file};

fn load(text: &str, name: &str) -> Result<RuleFile, String> {
    let joined =
        |errors: Vec<watchglass_text::TextError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    parse_rule_file(text, name, ParserOptions::all()).map_err(joined)
}

fn load_file(path: &Path) -> Result<RuleFile, String> {
    load(&fs::read_to_string(path).expect("rule file"), &path.display().to_string())
}

fn json(path: PathBuf) -> Json {
    serde_json::from_str(&fs::read_to_string(&path).expect("json file")).expect("json")
}

/// Every file of a folder's `verdicts.json` gets the verdict there.
fn verdicts(area: &str, known: &[(&str, &str)], rules: usize) {
    let Some(dir) = common::conformance(area) else { return };
    let (mut failures, mut files, mut loaded) = (vec![], 0, 0);
    let all = json(dir.join("verdicts.json"));
    for (name, verdict) in all["files"].as_object().expect("files") {
        let result = load_file(&dir.join(name));
        let expected = verdict["ok"] == true;
        files += 1;
        loaded += result.as_ref().map_or(0, |f| f.groups.iter().map(|g| g.rules.len()).sum());
        let excused = known.iter().find(|(file, _)| file == name);
        match (result.is_ok() == expected, excused) {
            (true, None) | (false, Some(_)) => {}
            (true, Some((_, reason))) => failures.push(format!("{name} passes now, though it is listed: {reason}")),
            (false, None) => failures.push(format!("{name}: should be {verdict}, is {:?}", result.err())),
        }
    }
    println!("{area}: {files} files, {loaded} rules loaded, {} failed", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(loaded >= rules, "{area}: {loaded} rules loaded, should be at least {rules}");
}

#[test]
fn prometheus_rule_files() {
    verdicts("rulefmt", &[], 1);
    let Some(dir) = common::conformance("rulefmt") else { return };
    for case in json(dir.join("errors.json")).as_array().expect("errors") {
        let (file, words) = (case["file"].as_str().expect("file"), case["err"].as_str().expect("err"));
        // Names of the old kind alone are demanded by a switch that we haven't.
        if file.starts_with("legacy_validation") {
            continue;
        }
        let error = load_file(&dir.join(file)).expect_err(file);
        // The YAML library's words are our own: an unknown key is named.
        let words = words.strip_prefix("field ").and_then(|w| w.strip_suffix(" not found")).unwrap_or(words);
        assert!(error.contains(words), "{file}: {error}\nshould say {words}");
    }
    for case in json(dir.join("template_parsing.json")).as_array().expect("cases") {
        let result = load(case["ruleString"].as_str().expect("rules"), "rules.yml");
        assert_eq!(result.is_ok(), case["shouldPass"] == true, "{result:?}");
    }
}

#[test]
fn vmalert_rule_files() {
    verdicts("vmalert", &[], 1);
}

#[test]
fn rules_in_the_wild_load() {
    verdicts("awesome-alerts", &[], 648);
    verdicts("kube-prometheus-rules", &[], 196);
}

#[test]
fn every_key_arrives() {
    let text = "
groups:
  - name: g
    interval: 30s
    query_offset: 1m
    limit: 10
    labels: {team: a, tier: b}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {tier: c}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 1h
        labels: {severity: '{{ $value }}'}
        annotations: {summary: 'x {{ $labels.instance }}'}
";
    let file = load(text, "f.yml").expect("loads");
    let group = &file.groups[0];
    assert_eq!(
        (group.interval, group.query_offset, group.limit, &*group.file),
        (Some(30_000), Some(60_000), 10, "f.yml")
    );
    assert_eq!(group.rules[0].labels.to_string(), "{team=\"a\", tier=\"c\"}");
    assert_eq!(group.rules[0].name(), "job:up:sum");
    let RuleKind::Alerting { alert, hold_ms, keep_firing_ms, annotations } = &group.rules[1].kind else {
        panic!("no alert")
    };
    assert_eq!((alert.as_str(), *hold_ms, *keep_firing_ms), ("Down", 300_000, 3_600_000));
    assert_eq!(annotations.get("summary"), Some("x {{ $labels.instance }}"));
    assert_eq!(group.rules[1].labels.get("severity"), Some("{{ $value }}"));
}

#[test]
fn errors_have_a_place_and_come_together() {
    let text = "groups:\n  - name: g\n    rules:\n      - record: a\n        expr: rate(x)\n      - alert: b\n        expr: up\n        for: 5x\n        annotations: {s: '{{ $bad }}'}\n  - name: g\n  - name: ''\n";
    let error = load(text, "f.yml").expect_err("bad");
    for expected in [
        "f.yml:5:15: group \"g\", rule 1, \"a\": could not parse expression: 1:6: parse error: expected type range vector",
        "f.yml:8:14: group \"g\", rule 2, \"b\": for: `5x` is not a valid duration",
        "f.yml:9:26: group \"g\", rule 2, \"b\": annotation \"s\": template: __alert_b:1: undefined variable \"$bad\"",
        "f.yml:10:11: groupname: \"g\" is repeated in the same file",
        "Groupname must not be empty",
    ] {
        assert!(error.contains(expected), "{error}\nshould say {expected}");
    }
    let unknown =
        load("groups:\n  - name: g\n    rules:\n      - alert: a\n        expr: up\n        annotation: {}\n", "f.yml")
            .expect_err("unknown key");
    assert!(
        unknown.contains("f.yml:6:9: unknown key `annotation`") && unknown.contains("did you mean `annotations`"),
        "{unknown}"
    );
    assert!(
        load("groups:\n- rules:\n  - expr: 1\n", "f.yml")
            .expect_err("no name")
            .contains("one of 'record' or 'alert' must be set")
    );
}

#[test]
fn only_the_first_document_counts() {
    let file = load("---\n# x\ngroups:\n- name: a\n---\ngroups:\n- name: b\n", "f.yml").expect("loads");
    assert_eq!((file.groups.len(), file.warnings.len()), (1, 1));
    let file = load("groups:\n- name: a\n---\n", "f.yml").expect("loads");
    assert_eq!((file.groups.len(), file.warnings.len()), (1, 0));
    assert_eq!(load("", "f.yml"), Ok(RuleFile::default()));
    assert_eq!(load("groups:\n", "f.yml"), Ok(RuleFile::default()));
}

#[test]
fn keys_of_other_rulers_are_no_keys_here() {
    // Thanos' key, which operators strip before a file reaches Prometheus; Prometheus refuses it too.
    let error = load("groups:\n  - name: g\n    partial_response_strategy: warn\n", "f.yml").expect_err("unknown key");
    assert!(error.contains("f.yml:3:5: unknown key `partial_response_strategy`"), "{error}");
}
