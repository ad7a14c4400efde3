//! Whether an expression is the same at every step.

use crate::ast::{Call, Expr, VectorSelector};

// What these give depends on the time of the step even if their argument doesn't.
const TIME_FUNCTIONS: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "time",
    "timestamp",
    "year",
];

/// Whether to evaluate it once for all steps: it is invariant, and not a bare literal, which is cheap anyway.
pub(crate) fn is_worth_it(expr: &Expr) -> bool {
    !matches!(expr, Expr::Number(_) | Expr::String(_)) && is_invariant(expr)
}

fn is_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Vector(selector) => selector_is(selector),
        Expr::Matrix(matrix) => selector_is(&matrix.vector),
        Expr::Subquery(subquery) => subquery.at.is_some(),
        Expr::Call(call) => !TIME_FUNCTIONS.contains(&call.function.name) && arguments_are(call),
        Expr::Aggregate(aggregate) => {
            is_invariant(&aggregate.expr) && aggregate.param.as_ref().is_none_or(is_invariant)
        }
        Expr::Binary(binary) => is_invariant(&binary.lhs) && is_invariant(&binary.rhs),
        Expr::Unary(unary) => is_invariant(&unary.expr),
        Expr::Paren(paren) => is_invariant(&paren.expr),
    }
}

fn arguments_are(call: &Call) -> bool {
    // The second argument of `info` is no expression but a list of matchers.
    let count = if call.function.name == "info" { 1 } else { call.args.len() };
    call.args.iter().take(count).all(is_invariant)
}

fn selector_is(selector: &VectorSelector) -> bool {
    selector.at.is_some()
}
