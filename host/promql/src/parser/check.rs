//! The type checker: what may stand where.

use crate::ast::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Span, ValueType, VectorSelector};
use crate::quote::Quoted;

use super::{Fault, Parsed};

/// Checks a tree, and takes the vector matching off where no two vectors meet.
pub(super) fn check(expr: &mut Expr) -> Parsed<()> {
    match expr {
        Expr::Number(_) | Expr::String(_) => Ok(()),
        Expr::Vector(selector) => some_matcher(selector, selector.span),
        Expr::Matrix(selector) => some_matcher(&selector.vector, selector.span),
        Expr::Subquery(subquery) => {
            check(&mut subquery.expr)?;
            match subquery.expr.value_type() {
                ValueType::Vector => Ok(()),
                found => {
                    let message = format!("subquery is only allowed on instant vector, got {} instead", short(found));
                    Err(Fault::new(subquery.span, message))
                }
            }
        }
        Expr::Call(call) => function_call(call),
        Expr::Aggregate(aggregate) => aggregation(aggregate),
        Expr::Binary(binary) => operation(binary),
        Expr::Paren(paren) => check(&mut paren.expr),
        Expr::Unary(unary) => {
            check(&mut unary.expr)?;
            match unary.expr.value_type() {
                ValueType::Scalar | ValueType::Vector => Ok(()),
                found => {
                    let found = Quoted(found.as_str());
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {found}"
                    );
                    Err(Fault::new(unary.span, message))
                }
            }
        }
    }
}

/// Prometheus' other name of a type, in the few texts that use it.
fn short(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Matrix => "matrix",
        ValueType::Vector => "vector",
        other => other.as_str(),
    }
}

fn expect_type(expr: &Expr, wanted: ValueType, context: &str) -> Parsed<()> {
    match expr.value_type() {
        found if found == wanted => Ok(()),
        found => {
            let message = format!("expected type {} in {context}, got {}", wanted.as_str(), found.as_str());
            Err(Fault::new(expr.span(), message))
        }
    }
}

/// A selector of everything would load the whole store.
fn some_matcher(selector: &VectorSelector, span: Span) -> Parsed<()> {
    if selector.name.is_empty() && selector.matchers.iter().all(|m| m.matches_empty()) {
        return Err(Fault::new(span, "vector selector must contain at least one non-empty matcher"));
    }
    Ok(())
}

fn function_call(call: &mut Call) -> Parsed<()> {
    let (function, found) = (call.function, call.args.len());
    let (least, most) = function.arity();
    let arguments = |expected: String| {
        let message = format!("expected {expected} argument(s) in call to {}, got {found}", Quoted(function.name));
        Err(Fault::new(call.span, message))
    };
    if Some(least) == most && found != least {
        return arguments(least.to_string());
    }
    if found < least {
        return arguments(format!("at least {least}"));
    }
    if let Some(most) = most.filter(|most| found > *most) {
        return arguments(format!("at most {most}"));
    }
    if function.name == "info"
        && let Some(selector) = call.args.get(1)
    {
        label_selector(selector)?;
    }
    for (index, arg) in call.args.iter_mut().enumerate() {
        // The labels that `info` takes may well let everything through.
        if function.name != "info" || index != 1 {
            check(arg)?;
        }
        if let Some(wanted) = function.arg_type(index) {
            expect_type(arg, wanted, &format!("call to function {}", Quoted(function.name)))?;
        }
    }
    Ok(())
}

/// The second argument of `info` looks like a selector but has matchers only.
fn label_selector(arg: &Expr) -> Parsed<()> {
    match arg {
        Expr::Vector(v) if v.name.is_empty() && v.offset.is_none() && v.at.is_none() => Ok(()),
        Expr::Vector(v) => Err(Fault::new(v.span, "expected label selectors only, got vector selector instead")),
        other => Err(Fault::new(other.span(), "expected label selectors only")),
    }
}

fn aggregation(aggregate: &mut Aggregate) -> Parsed<()> {
    check(&mut aggregate.expr)?;
    expect_type(&aggregate.expr, ValueType::Vector, "aggregation expression")?;
    if let Some(param) = &mut aggregate.param {
        check(param)?;
        let wanted = match aggregate.op {
            AggregateOp::CountValues => ValueType::String,
            _ => ValueType::Scalar,
        };
        expect_type(param, wanted, "aggregation parameter")?;
    }
    Ok(())
}

fn operation(binary: &mut Binary) -> Parsed<()> {
    check(&mut binary.lhs)?;
    check(&mut binary.rhs)?;
    let (op, left, right) = (binary.op, binary.lhs.value_type(), binary.rhs.value_type());
    let fault = |message: String| Err(Fault::new(binary.span, message));
    if binary.return_bool && !op.is_comparison() {
        return Err(Fault::new(binary.op_span, "bool modifier can only be used on comparison operators"));
    }
    if op.is_comparison() && !binary.return_bool && (left, right) == (ValueType::Scalar, ValueType::Scalar) {
        return Err(Fault::new(binary.op_span, "comparisons between scalars must use BOOL modifier"));
    }
    for (side, found) in [(&binary.lhs, left), (&binary.rhs, right)] {
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(Fault::new(side.span(), message));
        }
    }
    let both_vectors = (left, right) == (ValueType::Vector, ValueType::Vector);
    if op.is_set() && !both_vectors {
        return fault(format!("set operator {} not allowed in binary scalar expression", Quoted(op.as_str())));
    }
    let Some(matching) = &binary.matching else { return Ok(()) };
    let fill = matching.fill_left.is_some() || matching.fill_right.is_some();
    if !both_vectors {
        if !matching.labels.is_empty() {
            return fault("vector matching only allowed between instant vectors".to_owned());
        }
        if fill {
            return fault("filling in missing series only allowed between instant vectors".to_owned());
        }
        binary.matching = None;
        return Ok(());
    }
    let twice = matching.labels.iter().find(|label| matching.on && matching.include.contains(label));
    if let Some(label) = twice {
        return fault(format!("label {} must not occur in ON and GROUP clause at once", Quoted(label)));
    }
    if op.is_set() && matching.cardinality != Cardinality::ManyToMany {
        return fault(format!("no grouping allowed for {} operation", Quoted(op.as_str())));
    }
    if op.is_set() && fill {
        return fault("filling in missing series not allowed for set operators".to_owned());
    }
    Ok(())
}
