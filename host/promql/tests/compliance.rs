//! Real Prometheus' answers to the queries of its compliance tester, on a demo data set.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use watchglass_model::{Labels, TimeMs, Value};
use watchglass_promql::script::Memory;
use watchglass_promql::{Cancel, Options, ParserOptions, QueryResult, QueryValue, parse, query_instant, query_range};

// What the answers were asked at: README of the folder.
const AT: TimeMs = 1_700_005_000_000;
const START: TimeMs = 1_700_003_604_000;
const END: TimeMs = 1_700_007_024_000;
const STEP: i64 = 180_000;

const TOLERANCE: f64 = 1e-6;

/// Queries that the older Prometheus answers otherwise than 3.14, whose answers we follow: expression, reason.
const OLD_ANSWERS: &[(&str, &str)] = &[(
    r#"label_replace(demo_num_cpus, "~invalid", "", "src", "(.*)")"#,
    "a label's name may be any text since names are UTF-8",
)];

#[test]
fn answers_of_prometheus_3_5() {
    compare("prometheus-3.5.json.gz", &[]);
}

#[test]
fn answers_of_prometheus_2_42() {
    compare("prometheus-2.42.json.gz", OLD_ANSWERS);
}

/// A range query at one of its times and an instant query at that time must agree.
#[test]
fn instant_and_range_queries_agree() {
    let Some((source, answers)) = data("prometheus-3.5.json.gz") else { return };
    let mut compared = 0;
    for answer in &answers {
        let text = answer["expr"].as_str().unwrap_or_default();
        let Ok(expr) = parse(text, parser_options()) else { continue };
        let range = query_range(&source, text, &expr, START, END, STEP, &Options::default(), &Cancel::default());
        let Ok(QueryResult { value: QueryValue::Matrix(range), .. }) = range else { continue };
        for at in (START..=END).step_by(STEP as usize * 4) {
            let instant = query_instant(&source, text, &expr, at, &Options::default(), &Cancel::default());
            let instant = instant.unwrap_or_else(|e| panic!("{text} @ {at}: {e}")).value;
            let instant: BTreeMap<String, f64> = match instant {
                QueryValue::Scalar(p) => BTreeMap::from([("{}".to_owned(), p.v)]),
                QueryValue::Vector(samples) => {
                    samples.iter().map(|s| (s.labels.to_string(), float(&s.value))).collect()
                }
                _ => continue,
            };
            let at_step = |floats: &[watchglass_model::FloatPoint]| floats.iter().find(|p| p.t == at).map(|p| p.v);
            let range: BTreeMap<String, f64> =
                range.iter().filter_map(|s| Some((s.labels.to_string(), at_step(&s.floats)?))).collect();
            assert_eq!(instant.keys().collect::<Vec<_>>(), range.keys().collect::<Vec<_>>(), "{text} @ {at}");
            for (labels, v) in &instant {
                // Not within a tolerance: both must compute alike.
                assert_eq!(v.to_bits(), range[labels].to_bits(), "{text} @ {at}: {labels}: {v} {}", range[labels]);
            }
            compared += 1;
        }
    }
    println!("{compared} answers compared");
    assert!(compared > 1000, "only {compared} answers compared");
}

fn parser_options() -> ParserOptions {
    ParserOptions { experimental_functions: true, ..ParserOptions::default() }
}

fn compare(golden: &str, known: &[(&str, &str)]) {
    let Some((source, answers)) = data(golden) else { return };
    let (mut passed, mut problems, mut failing) = (0, Vec::new(), Vec::new());
    for answer in &answers {
        let expr = answer["expr"].as_str().unwrap_or_default();
        let mut found = ask(expr, &answer["instant"], |e| {
            query_instant(&source, expr, e, AT, &Options::default(), &Cancel::default())
        });
        found.extend(ask(expr, &answer["range"], |e| {
            query_range(&source, expr, e, START, END, STEP, &Options::default(), &Cancel::default())
        }));
        match known.iter().find(|(known, _)| *known == expr) {
            Some(_) if !found.is_empty() => failing.push(expr),
            Some((_, reason)) => problems.push(format!("{expr}: agrees now, though listed: {reason}")),
            None if found.is_empty() => passed += 1,
            None => problems.extend(found),
        }
    }
    println!("{golden}: {passed} of {} queries passed, {} differ for a known reason", answers.len(), failing.len());
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(passed > 300, "only {passed} queries passed");
}

fn ask(
    text: &str,
    golden: &Json,
    evaluate: impl Fn(&watchglass_promql::ast::Expr) -> Result<QueryResult, watchglass_promql::QueryError>,
) -> Vec<String> {
    let parsed = parse(text, parser_options());
    let result = parsed.map_err(|e| e.to_string()).and_then(|e| evaluate(&e).map_err(|e| e.to_string()));
    let expected_error = golden.get("error").is_some() || golden.get("resultType").is_none();
    match result {
        Err(_) if expected_error => Vec::new(),
        Err(e) => vec![format!("{text}: {e}")],
        Ok(_) if expected_error => vec![format!("{text}: expected an error like {golden}")],
        Ok(result) => {
            let ordered = ["sort", "topk", "bottomk"].iter().any(|f| text.starts_with(f));
            let sorted = |mut lines: Vec<(String, Vec<(i64, f64)>)>| {
                if !ordered {
                    lines.sort_by(|a, b| a.0.cmp(&b.0));
                }
                lines
            };
            differences(text, &sorted(wanted(golden)), &sorted(found(&result.value)))
        }
    }
}

type Line = (String, Vec<(i64, f64)>);

fn differences(text: &str, expected: &[Line], found: &[Line]) -> Vec<String> {
    let names = |lines: &[Line]| lines.iter().map(|l| l.0.clone()).collect::<Vec<_>>();
    if names(expected) != names(found) {
        return vec![format!("{text}: expected series {:?}, found {:?}", names(expected), names(found))];
    }
    for ((labels, expected), (_, found)) in expected.iter().zip(found) {
        let times = |points: &[(i64, f64)]| points.iter().map(|p| p.0).collect::<Vec<_>>();
        if times(expected) != times(found) {
            return vec![format!(
                "{text}: {labels}: expected points at {:?}, found {:?}",
                times(expected),
                times(found)
            )];
        }
        for ((t, a), (_, b)) in expected.iter().zip(found) {
            let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
            if !same {
                return vec![format!("{text}: {labels} @ {t}: expected {a}, found {b}")];
            }
        }
    }
    Vec::new()
}

fn wanted(golden: &Json) -> Vec<Line> {
    let point = |p: &Json| {
        let text = p[1].as_str().unwrap_or_default();
        let v = text.parse().unwrap_or_else(|_| panic!("no number: {p}"));
        ((p[0].as_f64().unwrap_or_default() * 1000.0) as i64, v)
    };
    let result = &golden["result"];
    if golden["resultType"] == "scalar" {
        return vec![("{}".to_owned(), vec![point(result)])];
    }
    let series = result.as_array().map(Vec::as_slice).unwrap_or_default();
    series
        .iter()
        .map(|s| {
            let pairs = s["metric"].as_object().into_iter().flatten();
            let labels = Labels::from_pairs(pairs.map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())));
            let points = match s["values"].as_array() {
                Some(values) => values.iter().map(point).collect(),
                None => vec![point(&s["value"])],
            };
            (labels.to_string(), points)
        })
        .collect()
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Float(v) => *v,
        Value::Histogram(h) => panic!("unexpected histogram {h}"),
    }
}

fn found(value: &QueryValue) -> Vec<Line> {
    match value {
        QueryValue::Scalar(p) => vec![("{}".to_owned(), vec![(p.t, p.v)])],
        QueryValue::String(t, text) => vec![(text.clone(), vec![(*t, 0.0)])],
        QueryValue::Vector(samples) => {
            samples.iter().map(|s| (s.labels.to_string(), vec![(s.t, float(&s.value))])).collect()
        }
        QueryValue::Matrix(series) => {
            series.iter().map(|s| (s.labels.to_string(), s.floats.iter().map(|p| (p.t, p.v)).collect())).collect()
        }
    }
}

fn data(golden: &str) -> Option<(Memory, Vec<Json>)> {
    let dir = common::conformance("promql-compliance")?.join("golden");
    let answers = serde_json::from_str(&unzipped(&dir.join(golden))).unwrap_or_else(|e| panic!("{golden}: {e}"));
    Some((demo(&unzipped(&dir.join("demo.om.gz"))), answers))
}

fn unzipped(file: &Path) -> String {
    let output = Command::new("gzip").arg("-dc").arg(file).output();
    let output = output.unwrap_or_else(|e| panic!("gzip -dc {}: {e}: hint: install gzip", file.display()));
    assert!(output.status.success(), "gzip -dc {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The samples of lines `name{labels} value seconds`.
fn demo(text: &str) -> Memory {
    let mut memory = Memory::default();
    let mut known: BTreeMap<&str, Labels> = BTreeMap::new();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let (rest, seconds) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let (series, value) = rest.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let labels = known.entry(series).or_insert_with(|| match parse(series, ParserOptions::default()) {
            Ok(watchglass_promql::ast::Expr::Vector(selector)) => {
                selector.matchers.iter().map(|m| (m.name(), m.value())).collect()
            }
            other => panic!("{series}: {other:?}"),
        });
        let t = seconds.parse::<i64>().unwrap_or_else(|e| panic!("{line}: {e}")) * 1000;
        memory.append(labels, t, Value::Float(value.parse().unwrap_or_else(|e| panic!("{line}: {e}"))));
    }
    memory
}
