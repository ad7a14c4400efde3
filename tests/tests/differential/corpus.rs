//! The queries that people have: of dashboards and of alerting rules.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchglass_promql::ast::{BinaryOp, Expr};
use watchglass_promql::{ParserOptions, parse};
use watchglass_tests::root;

/// A query and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// File and panel or alert.
    pub(crate) name: String,
    /// The expression.
    pub(crate) text: String,
}

/// What a dashboard puts in where a matcher names one value.
const VARIABLES: &[(&str, &str)] = &[("job", "job-1"), ("instance", "host-1:9100"), ("node", "host-1:9100")];

/// The folder of cases that others wrote, if it is there.
pub(crate) fn conformance() -> Option<PathBuf> {
    let given = std::env::var_os("WATCHGLASS_CONFORMANCE").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| root().parent().unwrap_or(Path::new("..")).join("shared/conformance"));
    folder.is_dir().then_some(folder)
}

/// The queries of the shipped example.
pub(crate) fn example() -> Vec<Query> {
    let seed = root().join("examples/seed");
    let text = fs::read_to_string(seed.join("queries.promql")).expect("the example's queries");
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut queries: Vec<Query> =
        lines.map(|l| Query { name: "queries.promql".to_owned(), text: l.to_owned() }).collect();
    for file in ["alerts.yml", "recording_rules.yml"] {
        queries.extend(rules(&seed.join(file)));
    }
    queries
}

/// The queries of public dashboards and alerting rules.
pub(crate) fn public(conformance: &Path) -> Vec<Query> {
    let mut queries = Vec::new();
    for path in files(&conformance.join("dashboards"), ".exprs.json") {
        queries.extend(panels(&path));
    }
    for path in files(&conformance.join("awesome-alerts"), ".yml") {
        queries.extend(rules(&path));
    }
    queries
}

fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    found.retain(|p| p.to_string_lossy().ends_with(suffix));
    found.sort();
    found
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn panels(path: &Path) -> Vec<Query> {
    let text = fs::read_to_string(path).expect("a readable file");
    let panels: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let query = |panel: &Value| {
        let text = filled(panel["expr"].as_str()?);
        Some(Query { name: format!("{}: {}", file_name(path), panel["panel"].as_str().unwrap_or_default()), text })
    };
    panels.iter().filter_map(query).collect()
}

fn rules(path: &Path) -> Vec<Query> {
    let text = fs::read_to_string(path).expect("a readable file");
    let file: Value = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let groups = file["groups"].as_array().into_iter().flatten();
    let rules = groups.flat_map(|g| g["rules"].as_array().into_iter().flatten());
    let mut queries = Vec::new();
    for rule in rules {
        let Some(expr) = rule["expr"].as_str() else { continue };
        let title = rule["alert"].as_str().or(rule["record"].as_str()).unwrap_or_default();
        let name = format!("{}: {title}", file_name(path));
        // What is compared is what one looks at when the alert has come; and it is seldom empty.
        if let Some(text) = compared(expr) {
            queries.push(Query { name: format!("{name}, left side"), text });
        }
        queries.push(Query { name, text: expr.to_owned() });
    }
    queries
}

/// Of `expr > 5` the part before the operator.
fn compared(text: &str) -> Option<String> {
    use BinaryOp::{Eql, Gte, Gtr, Lss, Lte, Neq};
    match parse(text, ParserOptions::all()).ok()? {
        Expr::Binary(b) if matches!(b.op, Eql | Neq | Gtr | Lss | Gte | Lte) && matches!(b.rhs, Expr::Number(_)) => {
            Some(b.lhs.to_string())
        }
        _ => None,
    }
}

/// Puts values in for a dashboard's variables.
pub(crate) fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, variable) = rest.split_at(at);
        out.push_str(before);
        let length = variable[1..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &variable[1..=length];
        rest = &variable[1 + length..];
        if before.ends_with('[') || name.starts_with("__") {
            out.push_str("5m");
        } else if before.ends_with("=~\"") || before.ends_with("=~'") {
            out.push_str(".+");
        } else {
            match VARIABLES.iter().find(|(n, _)| *n == name) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(&format!("{name}-1")),
            }
        }
    }
    out + rest
}
