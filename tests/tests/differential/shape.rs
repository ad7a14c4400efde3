//! Which series a query needs to have an answer: read off its selectors and the labels that it names.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::{Class, Hir, HirKind};
use watchglass_model::{Labels, METRIC_NAME, MatchOp, Matcher};
use watchglass_promql::ast::{Cardinality, Expr};

/// Every series has these, as what is scraped has.
const INSTANCES: [(&str, &str); 2] = [("job-1", "host-1:9100"), ("job-2", "host-2:9100")];
/// Metrics that a pattern over names is given.
const NAMES_OF_PATTERN: usize = 3;
/// Upper bounds of a classic histogram's buckets, besides those that a query names.
const BOUNDS: [&str; 6] = ["0.1", "0.25", "1", "5", "10", "+Inf"];

#[derive(Default)]
struct Found {
    /// The matchers of each selector.
    selectors: Vec<Vec<Matcher>>,
    /// Labels that grouping, matching and functions name.
    labels: BTreeSet<String>,
    /// Whether one side of a match must have one series for each.
    one: bool,
}

/// The series for which a query has something to say.
pub(crate) fn series_of(expr: &Expr) -> BTreeSet<Labels> {
    let mut found = Found::default();
    walk(expr, &mut found);
    let mut names: BTreeSet<String> = found.selectors.iter().flat_map(|m| metric_names(m)).collect();
    if names.is_empty() {
        names.insert("nameless_gauge".to_owned());
    }
    let mut sets: Vec<Vec<&Matcher>> = Vec::new();
    for matchers in &found.selectors {
        let set: Vec<&Matcher> = matchers.iter().filter(|m| m.name() != METRIC_NAME).collect();
        found.labels.extend(set.iter().map(|m| m.name().to_owned()));
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    let variants = if found.one { 1 } else { 2 };
    let mut out = BTreeSet::new();
    for set in &sets {
        for base in INSTANCES {
            for variant in 1..=variants {
                let row = row(&found.labels, set, base, variant);
                for name in &names {
                    out.extend(with_name(name, &row, set));
                }
            }
        }
    }
    out
}

fn with_name(name: &str, row: &BTreeMap<String, String>, set: &[&Matcher]) -> Vec<Labels> {
    let pairs = || row.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([(METRIC_NAME, name)]);
    if !name.ends_with("_bucket") {
        return vec![Labels::from_pairs(pairs())];
    }
    let named = set.iter().filter(|m| m.name() == "le").map(|m| m.value());
    let bounds: BTreeSet<&str> = BOUNDS.into_iter().chain(named.filter(|v| v.parse::<f64>().is_ok())).collect();
    bounds.into_iter().map(|le| Labels::from_pairs(pairs().filter(|(n, _)| *n != "le").chain([("le", le)]))).collect()
}

/// A value for every label, such that all matchers let the series through.
fn row(
    labels: &BTreeSet<String>,
    set: &[&Matcher],
    (job, instance): (&str, &str),
    variant: usize,
) -> BTreeMap<String, String> {
    let mut row = BTreeMap::from([("job".to_owned(), job.to_owned()), ("instance".to_owned(), instance.to_owned())]);
    for label in labels {
        let matchers: Vec<&&Matcher> = set.iter().filter(|m| m.name() == label).collect();
        let mut candidates: Vec<String> = Vec::new();
        candidates.extend(row.get(label).cloned());
        candidates.extend(matchers.iter().filter(|m| m.op() == MatchOp::Equal).map(|m| m.value().to_owned()));
        candidates.push(format!("{label}-{variant}"));
        for m in matchers.iter().filter(|m| m.op() == MatchOp::Regex) {
            let examples = examples(m.value());
            let first = (variant - 1).min(examples.len().saturating_sub(1));
            candidates.extend(examples.iter().skip(first).chain(&examples).cloned());
        }
        candidates.extend(["eth0", "sda1", "/", "1", "200", ""].map(str::to_owned));
        if let Some(value) = candidates.into_iter().find(|v| matchers.iter().all(|m| m.matches(v))) {
            row.insert(label.clone(), value);
        }
    }
    row
}

fn metric_names(matchers: &[Matcher]) -> Vec<String> {
    let of_name: Vec<&Matcher> = matchers.iter().filter(|m| m.name() == METRIC_NAME).collect();
    let candidates = of_name.iter().flat_map(|m| match m.op() {
        MatchOp::Equal => vec![m.value().to_owned()],
        MatchOp::Regex => examples(m.value()),
        MatchOp::NotEqual | MatchOp::NotRegex => Vec::new(),
    });
    let mut names: Vec<String> = candidates.filter(|n| of_name.iter().all(|m| m.matches(n))).collect();
    names.truncate(NAMES_OF_PATTERN);
    names
}

fn walk(expr: &Expr, found: &mut Found) {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(v) => found.selectors.push(v.matchers.clone()),
        Expr::Matrix(m) => found.selectors.push(m.vector.matchers.clone()),
        Expr::Subquery(s) => walk(&s.expr, found),
        Expr::Call(c) => {
            if c.function.name.starts_with("label_") {
                let words = c.args.iter().filter_map(|a| if let Expr::String(s) = a { Some(&s.value) } else { None });
                let is_label = |w: &&String| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                found.labels.extend(words.filter(is_label).cloned());
            }
            c.args.iter().for_each(|a| walk(a, found));
        }
        Expr::Aggregate(a) => {
            found.labels.extend(a.grouping.labels.iter().filter(|l| *l != "le").cloned());
            a.param.iter().for_each(|p| walk(p, found));
            walk(&a.expr, found);
        }
        Expr::Binary(b) => {
            if let Some(matching) = &b.matching {
                found.labels.extend(matching.labels.iter().chain(&matching.include).filter(|l| *l != "le").cloned());
                found.one |= matching.on && matching.cardinality != Cardinality::ManyToMany;
            }
            walk(&b.lhs, found);
            walk(&b.rhs, found);
        }
        Expr::Unary(u) => walk(&u.expr, found),
        Expr::Paren(p) => walk(&p.expr, found),
    }
}

/// Texts that a pattern matches: one for each of its alternatives, up to a few.
pub(crate) fn examples(pattern: &str) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(pattern) else { return Vec::new() };
    (0..NAMES_OF_PATTERN).map(|choice| example(&hir, choice)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn example(hir: &Hir, choice: usize) -> String {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => String::new(),
        HirKind::Literal(text) => String::from_utf8_lossy(&text.0).into_owned(),
        HirKind::Class(Class::Unicode(class)) => {
            // A readable one, if the class has any.
            let readable = "a1_-/:.".chars().find(|c| class.iter().any(|r| r.start() <= *c && *c <= r.end()));
            readable.or(class.iter().next().map(|r| r.start())).map(String::from).unwrap_or_default()
        }
        HirKind::Class(Class::Bytes(_)) => "a".to_owned(),
        HirKind::Repetition(r) => {
            let times = r.min.max(1).min(r.max.unwrap_or(u32::MAX)).min(8);
            (0..times).map(|_| example(&r.sub, choice)).collect()
        }
        HirKind::Capture(c) => example(&c.sub, choice),
        HirKind::Concat(parts) => parts.iter().map(|p| example(p, choice)).collect(),
        HirKind::Alternation(parts) => example(&parts[choice % parts.len()], choice / parts.len()),
    }
}
