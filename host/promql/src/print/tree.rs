//! Expressions as JSON: the form of Prometheus' `/api/v1/parse_query`.

use serde_json::{Value, json};
use watchglass_model::PlainFloat;

use crate::ast::{At, Cardinality, DurationExpr, Expr, Extension, Matching, ValueType, VectorSelector};

/// The tree as `/api/v1/parse_query` gives it. Durations are in milliseconds; where one is an expression, which only a query's
/// start, end and step decide, it is 0 and its text stands beside it (`rangeExpr`, `offsetExpr`, `stepExpr`).
pub fn tree(expr: &Expr) -> Value {
    match expr {
        Expr::Number(e) => json!({"type": "numberLiteral", "val": PlainFloat(e.value).to_string()}),
        Expr::String(e) => json!({"type": "stringLiteral", "val": e.value}),
        Expr::Vector(e) => selector("vectorSelector", e, None),
        Expr::Matrix(e) => selector("matrixSelector", &e.vector, Some(&e.range)),
        Expr::Subquery(e) => {
            let mut node = json!({"type": "subquery", "expr": tree(&e.expr)});
            duration(&mut node, "range", Some(&e.range));
            duration(&mut node, "step", e.step.as_ref());
            duration(&mut node, "offset", e.offset.as_ref());
            at(&mut node, e.at);
            node
        }
        Expr::Call(e) => {
            let f = e.function;
            let types: Vec<&str> = f.args.iter().map(|t| short(*t)).collect();
            let function = json!({
                "name": f.name, "argTypes": types, "variadic": f.variadic, "returnType": short(f.returns),
            });
            json!({"type": "call", "func": function, "args": e.args.iter().map(tree).collect::<Vec<_>>()})
        }
        Expr::Aggregate(e) => json!({
            "type": "aggregation",
            "op": e.op.as_str(),
            "expr": tree(&e.expr),
            "param": e.param.as_ref().map(tree),
            "grouping": e.grouping.labels,
            "without": e.grouping.without,
        }),
        Expr::Binary(e) => json!({
            "type": "binaryExpr",
            "op": e.op.as_str(),
            "lhs": tree(&e.lhs),
            "rhs": tree(&e.rhs),
            "matching": e.matching.as_ref().map(matching),
            "bool": e.return_bool,
        }),
        Expr::Unary(e) => {
            json!({"type": "unaryExpr", "op": if e.negative { "-" } else { "+" }, "expr": tree(&e.expr)})
        }
        Expr::Paren(e) => json!({"type": "parenExpr", "expr": tree(&e.expr)}),
    }
}

fn short(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

fn selector(kind: &str, v: &VectorSelector, range: Option<&DurationExpr>) -> Value {
    let matchers: Vec<Value> =
        v.matchers.iter().map(|m| json!({"name": m.name(), "value": m.value(), "type": m.op().as_str()})).collect();
    let mut node = json!({
        "type": kind,
        "name": v.name,
        "matchers": matchers,
        "anchored": v.extension == Extension::Anchored,
        "smoothed": v.extension == Extension::Smoothed,
    });
    if range.is_some() {
        duration(&mut node, "range", range);
    }
    duration(&mut node, "offset", v.offset.as_ref());
    at(&mut node, v.at);
    node
}

fn duration(node: &mut Value, key: &str, value: Option<&DurationExpr>) {
    match value {
        Some(DurationExpr::Literal(ms)) => node[key] = json!(ms),
        Some(expr) => {
            node[key] = json!(0);
            node[format!("{key}Expr")] = json!(expr.to_string());
        }
        None => node[key] = json!(0),
    }
}

fn at(node: &mut Value, value: Option<At>) {
    let (timestamp, preset) = match value {
        None => (None, None),
        Some(At::Time(ms)) => (Some(ms), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
    };
    node["timestamp"] = json!(timestamp);
    node["startOrEnd"] = json!(preset);
}

fn matching(m: &Matching) -> Value {
    let card = match m.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    json!({
        "card": card,
        "labels": m.labels,
        "on": m.on,
        "include": m.include,
        "fillValues": {"lhs": m.fill_left, "rhs": m.fill_right},
    })
}
