//! Which queries must give the same when they are asked in another way.

use watchglass_model::TimeMs;

use crate::ast::{At, DurationExpr, Expr, VectorSelector};

/// Whether a range query around the time of an instant query gives the same at that time: not where the query asks for its own
/// start, end or step, and not for texts.
pub(super) fn same_in_range(expr: &Expr) -> bool {
    !any(expr, &|e| match e {
        Expr::String(_) => false,
        Expr::Call(call) => matches!(call.function.name, "start" | "end" | "range" | "step"),
        Expr::Vector(v) => asks_for_range(v.at, v.offset.as_ref(), None, None),
        Expr::Matrix(m) => asks_for_range(m.vector.at, m.vector.offset.as_ref(), Some(&m.range), None),
        Expr::Subquery(s) => asks_for_range(s.at, s.offset.as_ref(), Some(&s.range), s.step.as_ref()),
        _ => false,
    })
}

fn asks_for_range(
    at: Option<At>,
    offset: Option<&DurationExpr>,
    range: Option<&DurationExpr>,
    step: Option<&DurationExpr>,
) -> bool {
    matches!(at, Some(At::Start | At::End)) || [offset, range, step].into_iter().flatten().any(duration_asks)
}

fn duration_asks(duration: &DurationExpr) -> bool {
    match duration {
        DurationExpr::Step | DurationExpr::Range => true,
        DurationExpr::Literal(_) | DurationExpr::Number { .. } => false,
        DurationExpr::Unary(_, a) | DurationExpr::Paren(a) => duration_asks(a),
        DurationExpr::Binary(_, a, b) | DurationExpr::MinOf(a, b) | DurationExpr::MaxOf(a, b) => {
            duration_asks(a) || duration_asks(b)
        }
    }
}

/// The query with its time written into every selector and subquery that stands alone, so that it gives the same whenever it
/// is asked. `None` where it can't: it depends on the time in other ways, or has an `@` already.
pub(super) fn pinned(expr: &Expr, at: TimeMs) -> Option<Expr> {
    let mut selectors = false;
    let depends = any(expr, &|e| match e {
        Expr::Call(call) => match call.function.name {
            "time" | "timestamp" | "start_timestamp" | "predict_linear" | "info" => true,
            "day_of_month" | "day_of_week" | "day_of_year" | "days_in_month" | "hour" | "minute" | "month" | "year" => {
                true
            }
            name => name.starts_with("ts_of_"),
        },
        Expr::Vector(v) => v.at.is_some(),
        Expr::Matrix(m) => m.vector.at.is_some(),
        Expr::Subquery(s) => s.at.is_some(),
        _ => false,
    });
    if depends || !same_in_range(expr) {
        return None;
    }
    let mut pinned = expr.clone();
    pin(&mut pinned, at, &mut selectors);
    selectors.then_some(pinned)
}

fn pin(expr: &mut Expr, at: TimeMs, selectors: &mut bool) {
    let mut vector = |v: &mut VectorSelector| {
        v.at = Some(At::Time(at));
        *selectors = true;
    };
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(v) => vector(v),
        Expr::Matrix(m) => vector(&mut m.vector),
        // What is inside moves with the subquery's own time.
        Expr::Subquery(s) => {
            s.at = Some(At::Time(at));
            *selectors = true;
        }
        Expr::Call(call) => call.args.iter_mut().for_each(|arg| pin(arg, at, selectors)),
        Expr::Aggregate(a) => {
            pin(&mut a.expr, at, selectors);
            if let Some(param) = &mut a.param {
                pin(param, at, selectors);
            }
        }
        Expr::Binary(b) => {
            pin(&mut b.lhs, at, selectors);
            pin(&mut b.rhs, at, selectors);
        }
        Expr::Unary(u) => pin(&mut u.expr, at, selectors),
        Expr::Paren(p) => pin(&mut p.expr, at, selectors),
    }
}

/// Whether the test holds for any part of a tree.
fn any(expr: &Expr, test: &impl Fn(&Expr) -> bool) -> bool {
    let deeper = |e: &Expr| any(e, test);
    test(expr)
        || match expr {
            Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => false,
            Expr::Subquery(s) => deeper(&s.expr),
            Expr::Call(c) => c.args.iter().any(deeper),
            Expr::Aggregate(a) => deeper(&a.expr) || a.param.as_ref().is_some_and(deeper),
            Expr::Binary(b) => deeper(&b.lhs) || deeper(&b.rhs),
            Expr::Unary(u) => deeper(&u.expr),
            Expr::Paren(p) => deeper(&p.expr),
        }
}
