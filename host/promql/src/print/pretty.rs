//! Expressions on several lines.

use crate::ast::Expr;

use super::{AggregateHead, BinaryHead, SubqueryTime};

/// The expression with a line for each operand and argument wherever it is longer than `width` characters on one line.
/// Prometheus' `format_query` takes 100.
pub fn prettify(expr: &Expr, width: usize) -> String {
    pretty(expr, width, 0)
}

fn pretty(expr: &Expr, width: usize, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = expr.to_string();
    if let Expr::Unary(unary) = expr {
        let inner = pretty(&unary.expr, width, level);
        return format!("{indent}{}{}", if unary.negative { "-" } else { "+" }, inner.trim_start());
    }
    if line.len() <= width {
        return indent + &line;
    }
    match expr {
        Expr::Aggregate(e) => {
            let param = match &e.param {
                Some(param) => pretty(param, width, level + 1) + ",\n",
                None => String::new(),
            };
            format!("{indent}{}(\n{param}{}\n{indent})", AggregateHead(e), pretty(&e.expr, width, level + 1))
        }
        Expr::Binary(e) => {
            let (lhs, rhs) = (pretty(&e.lhs, width, level + 1), pretty(&e.rhs, width, level + 1));
            format!("{lhs}\n{indent}{}\n{rhs}", BinaryHead(e))
        }
        Expr::Call(e) if !e.args.is_empty() => {
            let args: Vec<String> = e.args.iter().map(|arg| pretty(arg, width, level + 1)).collect();
            format!("{indent}{}(\n{}\n{indent})", e.function.name, args.join(",\n"))
        }
        Expr::Paren(e) => format!("{indent}(\n{}\n{indent})", pretty(&e.expr, width, level + 1)),
        Expr::Subquery(e) => format!("{}{}", pretty(&e.expr, width, level), SubqueryTime(e)),
        _ => indent + &line,
    }
}
