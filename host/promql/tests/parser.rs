//! Cases of Prometheus' parser: what parses, what is refused and in which words, what is printed.

mod common;

use std::fs;
use std::path::Path;

use serde_json::Value;
use watchglass_promql::{ParserOptions, ast::Expr, parse, prettify, tree};

fn cases(dir: &Path, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(dir.join(file)).expect(file);
    serde_json::from_str(&text).expect(file)
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{case} has no {key}"))
}

fn kind(expr: &Expr) -> &'static str {
    match expr {
        Expr::Number(_) => "NumberLiteral",
        Expr::String(_) => "StringLiteral",
        Expr::Vector(_) => "VectorSelector",
        Expr::Matrix(_) => "MatrixSelector",
        Expr::Subquery(_) => "SubqueryExpr",
        Expr::Call(_) => "Call",
        Expr::Aggregate(_) => "AggregateExpr",
        Expr::Binary(_) => "BinaryExpr",
        Expr::Unary(_) => "UnaryExpr",
        Expr::Paren(_) => "ParenExpr",
    }
}

#[test]
fn prometheus_parser_cases() {
    let Some(dir) = common::conformance("promql-parser") else { return };
    let (mut failures, mut passed) = (vec![], 0);
    for case in cases(&dir, "parse.json") {
        let input = text(&case, "input");
        let fail = case["fail"] == true;
        let problem = match parse(input, ParserOptions::all()) {
            Ok(_) if fail => format!("parses, should be refused: {}", case["errors"]),
            Ok(expr) => match case["node"].as_str() {
                Some(node) if node != kind(&expr) => format!("is a {}, should be a {node}", kind(&expr)),
                _ => String::new(),
            },
            Err(e) if !fail => format!("refused: {e}"),
            Err(e) => match case["errors"].as_array() {
                Some(words) if !words.iter().any(|w| *w == *e.message) => {
                    format!("refused with {:?}, should be one of {}", e.message, case["errors"])
                }
                _ => String::new(),
            },
        };
        if problem.is_empty() { passed += 1 } else { failures.push(format!("{input}\n    {problem}")) }
    }
    println!("promql-parser/parse.json: {passed} passed, {} failed", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn prometheus_printer_cases() {
    let Some(dir) = common::conformance("promql-parser") else { return };
    for case in cases(&dir, "printer.json") {
        let input = text(&case, "in");
        let expr = parse(input, ParserOptions::all()).expect(input);
        assert_eq!(expr.to_string(), text(&case, "out"), "{input}");
    }
}

#[test]
fn prometheus_prettier_cases() {
    let Some(dir) = common::conformance("promql-parser") else { return };
    for case in cases(&dir, "prettier.json") {
        let input = text(&case, "in");
        let expr = parse(input, ParserOptions::all()).expect(input);
        assert_eq!(prettify(&expr, 10), text(&case, "out"), "{input}");
    }
}

/// Puts values in the place of Grafana's variables.
fn without_variables(expr: &str) -> String {
    let mut out = expr.to_owned();
    for (name, value) in [("$__rate_interval", "1m"), ("$__interval", "15s"), ("$__range", "1h")] {
        out = out.replace(name, value);
    }
    out
}

#[test]
fn expressions_of_public_dashboards_parse_and_print_to_themselves() {
    let Some(dir) = common::conformance("dashboards") else { return };
    let (mut count, mut failures) = (0, vec![]);
    for entry in fs::read_dir(&dir).expect("dashboards").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".exprs.json") {
            continue;
        }
        for case in cases(&dir, &name) {
            let Some(expr) = case["expr"].as_str() else { continue };
            count += 1;
            failures.extend(round_trip(&without_variables(expr)));
        }
    }
    println!("dashboards: {count} expressions");
    assert!(failures.is_empty() && count > 0, "{}", failures.join("\n"));
}

#[test]
fn queries_of_the_compliance_tester_parse() {
    let Some(dir) = common::conformance("promql-compliance") else { return };
    let variants: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("variants.json")).expect("variants")).expect("json");
    let (mut count, mut failures) = (0, vec![]);
    for case in cases(&dir, "queries.json") {
        let mut queries = vec![text(&case, "query").to_owned()];
        for name in case["variant_args"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let values = variants[name].as_array().expect(name).iter().filter_map(Value::as_str);
            let hole = format!("{{{{.{name}}}}}");
            queries = values.flat_map(|v| queries.iter().map(|q| q.replace(&hole, v)).collect::<Vec<_>>()).collect();
        }
        let should_fail = case["should_fail"] == true;
        for query in queries {
            count += 1;
            match parse(&query, ParserOptions::all()) {
                Ok(_) if should_fail => {}
                Ok(_) => failures.extend(round_trip(&query)),
                Err(_) if should_fail => {}
                Err(e) => failures.push(format!("{query}: {e}")),
            }
        }
    }
    println!("promql-compliance: {count} queries");
    assert!(failures.is_empty() && count > 0, "{}", failures.join("\n"));
}

/// Parses, prints on one line and on several, and checks that each reads back as the same tree.
fn round_trip(query: &str) -> Option<String> {
    let expr = match parse(query, ParserOptions::all()) {
        Ok(expr) => expr,
        Err(e) => return Some(format!("{query}: {e}")),
    };
    let line = expr.to_string();
    for printed in [line.clone(), prettify(&expr, 40)] {
        match parse(&printed, ParserOptions::all()) {
            Ok(again) if again.to_string() == line && sorted(tree(&again)) == sorted(tree(&expr)) => {}
            Ok(again) => return Some(format!("{query}: printed as {printed}, which reads as {again}")),
            Err(e) => return Some(format!("{query}: printed as {printed}, which is refused: {e}")),
        }
    }
    None
}

/// The tree with its matchers in order: printing sorts them.
fn sorted(mut node: Value) -> Value {
    match &mut node {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                *value = sorted(value.take());
                if let ("matchers", Value::Array(matchers)) = (key.as_str(), value) {
                    matchers.sort_by_key(Value::to_string);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = sorted(item.take())),
        _ => {}
    }
    node
}

#[test]
fn prometheus_series_cases() {
    use watchglass_promql::series::{SeriesValue, parse_series};
    let Some(dir) = common::conformance("promql-parser") else { return };
    for case in cases(&dir, "series_desc.json") {
        let input = text(&case, "input");
        let parsed = match parse_series(input) {
            Ok(parsed) => parsed,
            Err(e) => {
                assert!(case["fail"] == true, "{input}: {e}");
                continue;
            }
        };
        assert!(case["fail"] != true, "{input} parses");
        let labels = serde_json::to_value(&parsed.labels).expect("labels");
        assert_eq!(labels, case["metric"], "{input}");
        let values: Vec<Value> = parsed
            .values
            .iter()
            .map(|v| match v {
                SeriesValue::Float(v) => Value::from(*v),
                _ => Value::from("@id:none"),
            })
            .collect();
        let expected = case["values"]["args"].as_array().expect(input);
        let same = |a: &Value, b: &Value| a == b || a.as_f64().is_some() && a.as_f64() == b.as_f64();
        assert!(
            values.len() == expected.len() && values.iter().zip(expected).all(|(a, b)| same(a, b)),
            "{input}: {values:?}"
        );
    }
}
