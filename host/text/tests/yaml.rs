//! YAML and TOML files: what is read, and how errors look.

use std::collections::BTreeMap;

use serde::Deserialize;
use watchglass_text::{Spanned, TextError, toml, yaml};

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: Spanned<String>,
    labels: BTreeMap<String, String>,
    steps: Vec<i64>,
    limit: i64,
    limit_factor: f64,
    active: Option<bool>,
    inner: Inner,
    wait: Wait,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Inner {
    name: Option<Spanned<String>>,
    rules: Vec<Spanned<Rule>>,
}

/// A duration that reads itself, as those of config files do.
#[derive(Debug, Default, PartialEq)]
struct Wait(i64);

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Wait, D::Error> {
        let text = String::deserialize(d)?;
        let number = text.strip_suffix('s').and_then(|n| n.parse().ok());
        number.map(Wait).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no duration")))
    }
}

fn read(text: &str) -> Rule {
    yaml::from_str(text, "r.yml").unwrap_or_else(|e| panic!("{text}\n{e}"))
}

fn wrong(text: &str) -> TextError {
    yaml::from_str::<Rule>(text, "r.yml").expect_err(text)
}

#[test]
fn scalars_land_in_texts_as_written() {
    for scalar in ["1", "1.0", "0x1F", "010", "yes", "true", "2024-01-01", "1e3", ".inf", "up == 0", "-5", "1_000"] {
        assert_eq!(read(&format!("expr: {scalar}")).expr.value, scalar);
    }
    assert_eq!(read("expr: |\n  a\n  b\n").expr.value, "a\nb\n");
    assert_eq!(read("expr: >-\n  a\n  b\n").expr.value, "a b");
    assert_eq!(read("expr: 'it''s'").expr.value, "it's");
    assert_eq!(read("labels: {a: 1, b: true, c: 1.50}").labels["c"], "1.50");
}

#[test]
fn null_is_empty() {
    let rule = read("alert:\nexpr: ~\nlabels:\nsteps: null\nactive:\ninner:\n");
    assert_eq!(rule, Rule::default());
    assert_eq!(read(""), Rule::default());
    assert_eq!(read("# nothing\n"), Rule::default());
    assert_eq!(read("labels: {a: }").labels["a"], "");
}

#[test]
fn values_know_their_place() {
    let rule =
        read("alert: a\ninner:\n  name: é x\n  rules:\n    - alert: b\n      expr: up\n    - expr: |\n        down\n");
    let name = rule.inner.name.unwrap_or_default();
    assert_eq!((name.line, name.column), (3, 9));
    let places: Vec<_> = rule.inner.rules.iter().map(|r| (r.line, r.column, r.expr.line, r.expr.column)).collect();
    assert_eq!(places[0], (5, 7, 6, 13));
    // A block text begins at its first line.
    assert_eq!(places[1], (7, 7, 8, 9));
}

#[test]
fn anchors_and_merges() {
    let rule = read("labels: &l {a: b}\ninner:\n  rules:\n    - labels: *l\n    - labels: {<<: *l, c: d}\n");
    assert_eq!(rule.inner.rules[0].labels["a"], "b");
    assert_eq!(rule.inner.rules[1].labels["a"], "b");
    assert_eq!(rule.inner.rules[1].labels["c"], "d");
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    for (text, expected) in [
        ("alert: a\nexrp: b\n", "r.yml:2:1: unknown key `exrp`\n2 | exrp: b\n  | ^\nhint: did you mean `expr`?"),
        ("alert: a\nalert: b\n", "r.yml:2:1: key `alert` is already set in this map\n2 | alert: b\n  | ^"),
        ("inner:\n  rules:\n    - foo: 1\n", "r.yml:3:7: unknown key `foo`"),
        ("steps: [1, x]\n", "r.yml:1:12: "),
        ("limit: many\n", "r.yml:1:8: "),
        ("labels: [a]\n", "r.yml:1:9: "),
        ("alert: {a: b}\n", "r.yml:1:8: "),
        ("wait: 5\n", "r.yml:1:7: `5` is no duration\n1 | wait: 5\n  |       ^"),
        ("inner:\n  rules:\n    - wait: x\n", "r.yml:3:13: `x` is no duration"),
        ("alert: \"a\n", "r.yml:"),
        ("alert: b: c\n", "r.yml:1:"),
        ("inner:\n\tname: a\n", "r.yml:2:"),
        ("alert: a\n---\nalert: b\n", "r.yml:3:1: a second document"),
        ("alert: *x\n", "r.yml:1:8: "),
        ("- a\n", "r.yml:1:"),
    ] {
        let shown = wrong(text).to_string();
        assert!(shown.starts_with(expected), "{text}\n{shown}");
    }
}

#[test]
fn hostile_documents_are_bounded() {
    let mut laughs = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let (a, b) = (char::from(b'a' + i - 1), char::from(b'a' + i));
        laughs.push_str(&format!("{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"));
    }
    assert!(yaml::from_str::<serde_json::Value>(&laughs, "l.yml").is_err());
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(yaml::from_str::<serde_json::Value>(&text, "d.yml").is_err());
    }
    let large = "x".repeat(yaml::MAX_BYTES + 1);
    assert!(yaml::from_str::<serde_json::Value>(&large, "x.yml").is_err());
    assert!(toml::from_str::<serde_json::Value>(&large, "x.toml").is_err());
    assert!(toml::from_str::<serde_json::Value>(&format!("a = {}", "[".repeat(100_000)), "d.toml").is_err());
}

#[test]
fn toml_has_the_same_places_and_errors() {
    let text = "alert = \"a\"\nexpr = \"up\"\n[labels]\na = \"é\"\n[[inner.rules]]\nexpr = 'x'\n";
    let rule: Rule = toml::from_str(text, "r.toml").unwrap();
    assert_eq!((rule.expr.line, rule.expr.column), (2, 8));
    assert_eq!((rule.inner.rules[0].line, rule.inner.rules[0].expr.column), (5, 8));
    for (text, expected) in [
        ("exrp = 1\n", "r.toml:1:1: unknown key `exrp`\n1 | exrp = 1\n  | ^\nhint: did you mean `expr`?"),
        ("[inner]\nfoo = 1\n", "r.toml:2:1: unknown key `foo`"),
        ("limit = \"x\"\n", "r.toml:1:9: "),
        ("wait = \"5\"\n", "r.toml:1:8: `5` is no duration"),
        ("alert = \"a\"\nalert = \"b\"\n", "r.toml:2:1: "),
        ("alert = \n", "r.toml:1:"),
        ("x\n", "r.toml:1:"),
    ] {
        let shown = toml::from_str::<Rule>(text, "r.toml").expect_err(text).to_string();
        assert!(shown.starts_with(expected), "{text}\n{shown}");
    }
}
