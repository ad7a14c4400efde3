//! The rule sets that people run: every rule is evaluated, on nothing and on series made from its own selectors.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::world::{MINUTE, START, World};
use watchglass_model::{Labels, Matcher, Value};
use watchglass_promql::ParserOptions;
use watchglass_promql::ast::Expr;
use watchglass_rules::{Group, GroupSpec, Rule, Timing, parse_rule_file};

/// Rules that can't be evaluated on one of the data sets, and why: `FILE;GROUP;RULE`.
const KNOWN: &[(&str, &str)] = &[];

/// What the made series' values are.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Zero,
    One,
    Huge,
    /// Counters go on, gauges go up.
    Growing,
    /// Gauges go down.
    Falling,
    /// Each series goes its own way, other ones by another number.
    Mixed(u64),
}

const SHAPES: [Shape; 13] = [
    Shape::Zero,
    Shape::One,
    Shape::Huge,
    Shape::Growing,
    Shape::Falling,
    Shape::Mixed(1),
    Shape::Mixed(2),
    Shape::Mixed(3),
    Shape::Mixed(4),
    Shape::Mixed(5),
    Shape::Mixed(6),
    Shape::Mixed(7),
    Shape::Mixed(8),
];

/// Points at these minutes before the end: dense where ranges are short.
fn minutes() -> impl Iterator<Item = i64> {
    (0..15).chain((15..120).step_by(5)).chain((120..360).step_by(30))
}

impl Shape {
    fn value(self, labels: &Labels, minutes_ago: i64) -> f64 {
        match self {
            Shape::Mixed(number) => {
                let hash = labels.fingerprint().wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                let (level, slope) = ((hash % 7) as f64 * 0.5, [0.0, 0.0, 0.1, 1.0, -0.01][(hash / 7 % 5) as usize]);
                let flips = hash / 35 % 4 == 0 && minutes_ago % 2 == 0;
                level + slope * (360 - minutes_ago) as f64 + f64::from(u8::from(flips))
            }
            Shape::Zero => 0.0,
            Shape::One => 1.0,
            Shape::Huge => 1e12,
            Shape::Growing => 1e6 - minutes_ago as f64 * 1e3,
            Shape::Falling => 10.0 + minutes_ago as f64,
        }
    }
}

/// The matchers of every selector in an expression.
fn selectors<'a>(expr: &'a Expr, found: &mut Vec<&'a [Matcher]>) {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(selector) => found.push(&selector.matchers),
        Expr::Matrix(selector) => found.push(&selector.vector.matchers),
        Expr::Subquery(e) => selectors(&e.expr, found),
        Expr::Unary(e) => selectors(&e.expr, found),
        Expr::Paren(e) => selectors(&e.expr, found),
        Expr::Call(call) => call.args.iter().for_each(|arg| selectors(arg, found)),
        Expr::Aggregate(e) => {
            e.param.iter().for_each(|param| selectors(param, found));
            selectors(&e.expr, found);
        }
        Expr::Binary(e) => {
            selectors(&e.lhs, found);
            selectors(&e.rhs, found);
        }
    }
}

/// A value that a label's matchers let through; none where it can't be guessed.
fn value_for(matchers: &[&Matcher]) -> Option<String> {
    let parts = matchers.iter().flat_map(|m| m.value().split(['|', '(', ')', '^', '$']));
    let plain = parts.map(|p| p.replace(".+", "x").replace(".*", "x").replace('\\', "").replace("[0-9]", "1"));
    let usual = ["", "a", "1", "x", "production", "node-exporter", "2xx", "500", "eth0"].map(str::to_owned);
    let candidates: Vec<String> = plain.chain(usual).collect();
    candidates.into_iter().find(|c| matchers.iter().all(|m| m.matches(c)))
}

/// A series that a selector finds.
fn series_for(matchers: &[Matcher]) -> Option<Labels> {
    // What the sets join and group by, the same everywhere so that both sides of an operator meet.
    let usual = ["cluster", "container", "instance", "job", "namespace", "node", "pod", "uid", "mode", "device"];
    let mut labels: BTreeMap<String, String> = usual.map(|n| (n.to_owned(), format!("{n}-1"))).into();
    let mut by_label: BTreeMap<&str, Vec<&Matcher>> = BTreeMap::new();
    for matcher in matchers {
        by_label.entry(matcher.name()).or_default().push(matcher);
    }
    for (name, matchers) in by_label {
        let usual = labels.get(name).filter(|v| matchers.iter().all(|m| m.matches(v))).cloned();
        labels.insert(name.to_owned(), usual.map_or_else(|| value_for(&matchers), Some)?);
    }
    let name = labels.get("__name__").filter(|n| !n.is_empty())?;
    if name.ends_with("_bucket") && !labels.contains_key("le") {
        labels.insert("le".to_owned(), "+Inf".to_owned());
    }
    Some(Labels::from_pairs(labels))
}

/// The rule files of a folder, with their groups.
fn files(dir: &Path) -> Vec<(String, Vec<GroupSpec>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).expect("folder").flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "yml" || e == "yaml"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("rule file");
        // One that a verdict says is wrong is looked at in the tests of rule files.
        Some((name.clone(), parse_rule_file(&text, &name, ParserOptions::all()).ok()?.groups))
    };
    paths.into_iter().filter_map(read).collect()
}

/// What came of a set.
#[derive(Default)]
struct Outcome {
    rules: BTreeSet<String>,
    /// Rules that gave something on one of the data sets.
    spoke: BTreeSet<String>,
    errors: BTreeMap<String, String>,
}

impl Outcome {
    /// Evaluates every group of a file twice on a world: a rule may read what a later one of its group, or another group, records.
    fn evaluate(&mut self, file: &str, specs: &[GroupSpec], world: &World) {
        let mut groups: Vec<Group> =
            specs.iter().map(|g| Group::new(g.clone(), MINUTE, 0, Timing::default())).collect();
        groups.iter_mut().for_each(Group::set_restored);
        for turn in 0..2 {
            for group in &mut groups {
                world.turn_in_batches(group, START + turn * 1_000);
                for (rule, status) in group.rules() {
                    let key = format!("{file};{};{}", group.spec().name, rule.spec().name());
                    let spoke = match rule {
                        Rule::Alerting(rule) => rule.alerts().count() > 0,
                        Rule::Recording(rule) => {
                            let name = rule.spec().name();
                            world.written.borrow().iter().any(|s| s.labels.metric_name() == name)
                        }
                    };
                    if spoke {
                        self.spoke.insert(key.clone());
                    }
                    if !status.last_error.is_empty() {
                        self.errors.insert(key.clone(), status.last_error.clone());
                    }
                    self.rules.insert(key);
                }
            }
        }
    }
}

/// Every file of a folder by itself: the files of one don't know of each other's series.
fn evaluate(dir: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    for (file, specs) in files(dir) {
        outcome.evaluate(&file, &specs, &World::default());
        let mut made = BTreeSet::new();
        for spec in specs.iter().flat_map(|g| &g.rules) {
            let mut found = vec![];
            selectors(&spec.expr, &mut found);
            made.extend(found.into_iter().filter_map(series_for));
        }
        // What rules make themselves is not made for them.
        let recorded: BTreeSet<&str> = specs.iter().flat_map(|g| &g.rules).map(|r| r.name()).collect();
        made.retain(|labels| !recorded.contains(labels.metric_name()) && labels.metric_name() != "ALERTS");
        for shape in SHAPES {
            let world = World::default();
            for labels in &made {
                for ago in minutes() {
                    let value = Value::Float(shape.value(labels, ago));
                    world.memory.borrow_mut().append(labels, START - ago * MINUTE, value);
                }
            }
            outcome.evaluate(&file, &specs, &world);
        }
    }
    outcome
}

/// Checks a folder; at least so many rules must be there, and so many must give something on some data.
fn check(area: &str, rules: usize, spoke: usize) {
    let Some(dir) = common::conformance(area) else { return };
    let outcome = evaluate(&dir);
    println!(
        "{area}: {} rules, {} gave something, {} failed",
        outcome.rules.len(),
        outcome.spoke.len(),
        outcome.errors.len()
    );
    let silent: Vec<&String> = outcome.rules.difference(&outcome.spoke).collect();
    println!("  silent: {silent:?}");
    let known = |key: &str| KNOWN.iter().any(|(k, _)| *k == key);
    let unexpected: Vec<String> =
        outcome.errors.iter().filter(|(key, _)| !known(key)).map(|(key, e)| format!("{key}: {e}")).collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    let fine: Vec<&str> = KNOWN
        .iter()
        .map(|(k, _)| *k)
        .filter(|k| outcome.rules.contains(*k) && !outcome.errors.contains_key(*k))
        .collect();
    assert!(fine.is_empty(), "listed, but they are evaluated now: {fine:?}");
    assert!(outcome.rules.len() >= rules, "{} rules", outcome.rules.len());
    assert!(outcome.spoke.len() >= spoke, "{} of {} gave something", outcome.spoke.len(), outcome.rules.len());
}

#[test]
fn kubernetes_mixin() {
    check("kubernetes-mixin", 98, 80);
}

#[test]
fn kube_prometheus() {
    check("kube-prometheus-rules", 176, 140);
}

#[test]
fn awesome_alerts() {
    check("awesome-alerts", 648, 480);
}
