//! Whether two answers say the same.

use std::collections::BTreeMap;

use serde_json::Value;
use watchglass_promql::ast::{AggregateOp, Expr};

/// How far two numbers may lie apart, as a part of the larger.
const TOLERANCE: f64 = 1e-9;

/// What Prometheus 3.5.3 does not yet note.
const NEWER_NOTES: &[&str] = &["sort is ineffective for range queries"];

/// What a server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body; null where it is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// Whether it holds data.
    pub(crate) fn is_success(&self) -> bool {
        self.body["status"] == "success"
    }

    /// Whether it holds at least one value.
    pub(crate) fn has_values(&self) -> bool {
        let data = &self.body["data"];
        match data["resultType"].as_str() {
            Some("scalar" | "string") => true,
            _ => data["result"].as_array().is_some_and(|r| !r.is_empty()),
        }
    }

    fn error(&self) -> String {
        format!("{} {}: {}", self.status, self.body["errorType"], self.body["error"])
    }
}

/// What differs between two answers to a query: nothing, or the first difference found. `ordered`: the order of series counts.
pub(crate) fn difference(theirs: &Answer, ours: &Answer, ordered: bool) -> Option<String> {
    if theirs.is_success() != ours.is_success() || theirs.status != ours.status {
        return Some(format!("theirs: {}, ours: {}", theirs.error(), ours.error()));
    }
    if theirs.body["errorType"] != ours.body["errorType"] {
        return Some(format!("theirs: {}, ours: {}", theirs.error(), ours.error()));
    }
    for notes in ["warnings", "infos"] {
        let (theirs, ours) = (&theirs.body[notes], &ours.body[notes]);
        let list = |notes: &Value| notes.as_array().cloned().unwrap_or_default();
        let is_newer = |note: &Value| note.as_str().is_some_and(|n| NEWER_NOTES.iter().any(|newer| n.contains(newer)));
        if list(theirs).is_empty() != list(ours).iter().all(is_newer) {
            return Some(format!("{notes}: theirs {theirs}, ours {ours}"));
        }
    }
    let (theirs, ours) = (&theirs.body["data"], &ours.body["data"]);
    if theirs["resultType"] != ours["resultType"] {
        return Some(format!("type: theirs {}, ours {}", theirs["resultType"], ours["resultType"]));
    }
    match theirs["resultType"].as_str() {
        // A matrix comes by labels.
        Some("matrix") => series(&theirs["result"], &ours["result"], ordered).or_else(|| {
            let labels =
                |list: &Value| list.as_array().into_iter().flatten().map(|s| s["metric"].clone()).collect::<Vec<_>>();
            let same = labels(&theirs["result"]) == labels(&ours["result"]);
            (!same).then(|| "the order of the series".to_owned())
        }),
        Some("vector") => series(&theirs["result"], &ours["result"], ordered),
        _ => values(&theirs["result"], &ours["result"]),
    }
}

/// Whether a query's instant answer has an order that its user asked for.
pub(crate) fn is_ordered(expr: &Expr) -> bool {
    match expr {
        Expr::Call(c) => c.function.name.starts_with("sort"),
        Expr::Aggregate(a) => {
            matches!(a.op, AggregateOp::Topk | AggregateOp::Bottomk)
                && a.grouping.labels.is_empty()
                && !a.grouping.without
        }
        Expr::Paren(p) => is_ordered(&p.expr),
        _ => false,
    }
}

fn series(theirs: &Value, ours: &Value, ordered: bool) -> Option<String> {
    let (Some(theirs), Some(ours)) = (theirs.as_array(), ours.as_array()) else {
        return Some("a result that is no list".to_owned());
    };
    let by_labels = |list: &[Value]| -> BTreeMap<String, Value> {
        list.iter().map(|s| (s["metric"].to_string(), s.clone())).collect()
    };
    let (mut a, mut b) = (by_labels(theirs), by_labels(ours));
    let only = |x: &BTreeMap<String, Value>, y: &BTreeMap<String, Value>| {
        x.iter().find(|(labels, _)| !y.contains_key(*labels)).map(|(_, s)| s.to_string())
    };
    let count = format!("{} series of theirs, {} of ours", theirs.len(), ours.len());
    if let Some(found) = only(&a, &b) {
        return Some(format!("{count}; only theirs: {found}"));
    }
    if let Some(found) = only(&b, &a) {
        return Some(format!("{count}; only ours: {found}"));
    }
    if theirs.len() != a.len() || ours.len() != b.len() {
        return Some(format!("{count}, some of them twice"));
    }
    for (labels, series) in &mut a {
        let other = b.get_mut(labels)?;
        for key in ["value", "values", "histogram", "histograms"] {
            if let Some(what) = values(&series[key], &other[key]) {
                return Some(format!("{labels}: {what}"));
            }
        }
    }
    // Where values are equal, whose series comes first is open.
    let order = |list: &[Value]| list.iter().map(|s| s["value"][1].clone()).collect::<Vec<_>>();
    if ordered {
        let (a, b) = (order(theirs), order(ours));
        let found = a.iter().zip(&b).position(|(a, b)| values(a, b).is_some());
        return found.map(|i| format!("order: at {i} theirs has {}, ours {}", a[i], b[i]));
    }
    None
}

/// Compares texts that are numbers as numbers, all else as it is.
fn values(theirs: &Value, ours: &Value) -> Option<String> {
    let same = match (theirs, ours) {
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Some(format!("{} points of theirs, {} of ours: {theirs} and {ours}", a.len(), b.len()));
            }
            return a.iter().zip(b).find_map(|(a, b)| values(a, b));
        }
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            return keys.into_iter().find_map(|k| values(&theirs[k], &ours[k]).map(|what| format!("{k}: {what}")));
        }
        (Value::String(a), Value::String(b)) => a == b || numbers_agree(a, b),
        (a, b) => a == b,
    };
    if same { None } else { Some(format!("theirs {theirs}, ours {ours}")) }
}

fn numbers_agree(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}
