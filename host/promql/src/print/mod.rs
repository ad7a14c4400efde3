//! Expression trees back to text: on one line ([`std::fmt::Display`]) or on several ([`prettify`]), and as JSON ([`tree`]).

mod pretty;
mod tree;

use std::fmt::{self, Display, Formatter, Write};

use watchglass_model::{DurationMs, METRIC_NAME, MatchOp, Matcher, PlainFloat};

use crate::ast::{
    Aggregate, At, Binary, BinaryOp, Call, Cardinality, DurationExpr, Expr, Extension, Grouping, MatrixSelector,
    NumberLiteral, Subquery, VectorSelector,
};
use crate::quote::Quoted;

pub use pretty::prettify;
pub use tree::tree;

impl Display for Expr {
    /// The canonical form of the expression on one line, as Prometheus' rules API shows it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(e) => e.fmt(f),
            Expr::String(e) => Quoted(&e.value).fmt(f),
            Expr::Vector(e) => e.fmt(f),
            Expr::Matrix(e) => e.fmt(f),
            Expr::Subquery(e) => write!(f, "{}{}", e.expr, SubqueryTime(e)),
            Expr::Call(e) => e.fmt(f),
            Expr::Aggregate(e) => {
                write!(f, "{}(", AggregateHead(e))?;
                if let Some(param) = &e.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", e.expr)
            }
            Expr::Binary(e) => match &e.lhs {
                // A sign binds less than `^`: `+Inf ^ 2` would be another tree.
                Expr::Number(n) if e.op == BinaryOp::Pow && n.value == f64::INFINITY => {
                    write!(f, "Inf {} {}", BinaryHead(e), e.rhs)
                }
                lhs => write!(f, "{lhs} {} {}", BinaryHead(e), e.rhs),
            },
            Expr::Unary(e) => write!(f, "{}{}", if e.negative { "-" } else { "+" }, e.expr),
            Expr::Paren(e) => write!(f, "({})", e.expr),
        }
    }
}

/// Seconds as a duration.
fn duration(seconds: f64) -> DurationMs {
    DurationMs((seconds * 1000.0).round() as i64)
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.duration {
            true => duration(self.value).fmt(f),
            false => PlainFloat(self.value).fmt(f),
        }
    }
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            At::Time(ms) => {
                let sign = if *ms < 0 { "-" } else { "" };
                write!(f, "@ {sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
            }
            At::Start => f.write_str("@ start()"),
            At::End => f.write_str("@ end()"),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DurationExpr::Literal(ms) => DurationMs(*ms).fmt(f),
            DurationExpr::Number { seconds, duration: true } => duration(*seconds).fmt(f),
            DurationExpr::Number { seconds, duration: false } => PlainFloat(*seconds).fmt(f),
            DurationExpr::Step => f.write_str("step()"),
            DurationExpr::Range => f.write_str("range()"),
            DurationExpr::Unary(true, inner) => write!(f, "-{inner}"),
            DurationExpr::Unary(false, inner) => inner.fmt(f),
            DurationExpr::Binary(op, a, b) => write!(f, "{a} {} {b}", op.as_str()),
            DurationExpr::MinOf(a, b) => write!(f, "min_of({a}, {b})"),
            DurationExpr::MaxOf(a, b) => write!(f, "max_of({a}, {b})"),
            DurationExpr::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

/// The name and the matchers of a selector.
struct Series<'a>(&'a VectorSelector);

impl Display for Series<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let selector = self.0;
        let is_name = |m: &Matcher| {
            m.name() == METRIC_NAME && m.op() == MatchOp::Equal && m.value() == selector.name && !m.value().is_empty()
        };
        let mut matchers: Vec<String> = selector.matchers.iter().filter(|m| !is_name(m)).map(matcher).collect();
        matchers.sort();
        f.write_str(&selector.name)?;
        match matchers.is_empty() {
            // The second argument of `info` may be without any; nothing at all would be no argument.
            true if selector.name.is_empty() => f.write_str("{}"),
            true => Ok(()),
            false => write!(f, "{{{}}}", matchers.join(",")),
        }
    }
}

fn matcher(m: &Matcher) -> String {
    format!("{}{}{}", label(m.name()), m.op().as_str(), Quoted(m.value()))
}

/// A label's name, in quotes where it is no identifier.
fn label(name: &str) -> String {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic())
        && bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric());
    if plain { name.to_owned() } else { Quoted(name).to_string() }
}

fn labels(names: &[String]) -> String {
    names.iter().map(|name| label(name)).collect::<Vec<_>>().join(", ")
}

/// What follows a selector: `anchored @ 10.000 offset 5m`.
struct Modifiers<'a>(Extension, Option<&'a At>, Option<&'a DurationExpr>);

impl Display for Modifiers<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Extension::None => {}
            Extension::Anchored => f.write_str(" anchored")?,
            Extension::Smoothed => f.write_str(" smoothed")?,
        }
        if let Some(at) = self.1 {
            write!(f, " {at}")?;
        }
        match self.2 {
            Some(offset) => write!(f, " offset {offset}"),
            None => Ok(()),
        }
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Series(self), Modifiers(self.extension, self.at.as_ref(), self.offset.as_ref()))
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let v = &self.vector;
        write!(f, "{}[{}]{}", Series(v), self.range, Modifiers(v.extension, v.at.as_ref(), v.offset.as_ref()))
    }
}

/// `[1h:5m] @ start() offset 1m`
struct SubqueryTime<'a>(&'a Subquery);

impl Display for SubqueryTime<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let s = self.0;
        write!(f, "[{}:", s.range)?;
        if let Some(step) = &s.step {
            step.fmt(f)?;
        }
        write!(f, "]{}", Modifiers(Extension::None, s.at.as_ref(), s.offset.as_ref()))
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        for (i, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
        }
        f.write_char(')')
    }
}

/// `sum by (job) `, with the space before the parenthesis where there is a grouping.
struct AggregateHead<'a>(&'a Aggregate);

impl Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Grouping { labels: names, without } = &self.0.grouping;
        f.write_str(self.0.op.as_str())?;
        match (without, names.is_empty()) {
            (true, _) => write!(f, " without ({}) ", labels(names)),
            (false, false) => write!(f, " by ({}) ", labels(names)),
            (false, true) => Ok(()),
        }
    }
}

/// `+ on (job) group_left () fill (0)`
struct BinaryHead<'a>(&'a Binary);

impl Display for BinaryHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        let Some(matching) = &self.0.matching else { return Ok(()) };
        let grouped = matches!(matching.cardinality, Cardinality::ManyToOne | Cardinality::OneToMany);
        if !matching.labels.is_empty() || matching.on || grouped {
            write!(f, " {} ({})", if matching.on { "on" } else { "ignoring" }, labels(&matching.labels))?;
        }
        match matching.cardinality {
            Cardinality::ManyToOne => write!(f, " group_left ({})", labels(&matching.include))?,
            Cardinality::OneToMany => write!(f, " group_right ({})", labels(&matching.include))?,
            Cardinality::OneToOne | Cardinality::ManyToMany => {}
        }
        match (matching.fill_left, matching.fill_right) {
            (Some(l), Some(r)) if l == r || l.is_nan() && r.is_nan() => write!(f, " fill ({})", PlainFloat(l)),
            (l, r) => {
                if let Some(l) = l {
                    write!(f, " fill_left ({})", PlainFloat(l))?;
                }
                match r {
                    Some(r) => write!(f, " fill_right ({})", PlainFloat(r)),
                    None => Ok(()),
                }
            }
        }
    }
}
