//! The expression tree.

use watchglass_model::{Matcher, TimeMs};

use crate::functions::Function;

/// A stretch of the query's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What kind of value an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// One number for each time.
    Scalar,
    /// A text.
    String,
    /// Series with one value each.
    Vector,
    /// Series with several points each.
    Matrix,
}

impl ValueType {
    /// Prometheus' name for it, as in error texts.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::String => "string",
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
        }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `1.5`, `0x1f`, `5m` (seconds).
    Number(NumberLiteral),
    /// `"text"`.
    String(StringLiteral),
    /// `name{label="value"} offset 5m @ 100`.
    Vector(VectorSelector),
    /// `name[5m]`.
    Matrix(MatrixSelector),
    /// `expr[1h:5m]`.
    Subquery(Box<Subquery>),
    /// `rate(...)`.
    Call(Call),
    /// `sum by (job) (...)`.
    Aggregate(Box<Aggregate>),
    /// `a + b`.
    Binary(Box<Binary>),
    /// `-a`, `+a`.
    Unary(Box<Unary>),
    /// `(a)`.
    Paren(Box<Paren>),
}

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberLiteral {
    /// Its value; of a duration, its seconds.
    pub value: f64,
    /// Written as a duration, and printed as one.
    pub duration: bool,
    /// Where.
    pub span: Span,
}

/// A text.
#[derive(Clone, Debug, PartialEq)]
pub struct StringLiteral {
    /// Without quotes and escapes.
    pub value: String,
    /// Where.
    pub span: Span,
}

/// The `@` modifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// A fixed time.
    Time(TimeMs),
    /// `@ start()`: where the query begins.
    Start,
    /// `@ end()`: where the query ends.
    End,
}

/// How an extended range selector takes its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extension {
    /// Not extended.
    #[default]
    None,
    /// `anchored`.
    Anchored,
    /// `smoothed`.
    Smoothed,
}

/// Series by their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The name as written before the braces; empty if written inside them or not at all. `matchers` has it too.
    pub name: String,
    /// All matchers, that of the name included.
    pub matchers: Vec<Matcher>,
    /// `offset`.
    pub offset: Option<DurationExpr>,
    /// `@`.
    pub at: Option<At>,
    /// `anchored`, `smoothed`.
    pub extension: Extension,
    /// Where, modifiers included.
    pub span: Span,
}

/// Series with their points in a range.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// The series; its modifiers are those written behind the brackets.
    pub vector: VectorSelector,
    /// How far back.
    pub range: DurationExpr,
    /// Where.
    pub span: Span,
}

/// An expression evaluated at steps within a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What to evaluate.
    pub expr: Expr,
    /// How far back.
    pub range: DurationExpr,
    /// Distance of the steps; none: the default.
    pub step: Option<DurationExpr>,
    /// `offset`.
    pub offset: Option<DurationExpr>,
    /// `@`.
    pub at: Option<At>,
    /// Where.
    pub span: Span,
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which one.
    pub function: &'static Function,
    /// As written; defaults are not filled in.
    pub args: Vec<Expr>,
    /// Where.
    pub span: Span,
}

/// An aggregation operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `count`
    Count,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    Topk,
    /// `bottomk`
    Bottomk,
    /// `limitk`
    Limitk,
    /// `limit_ratio`
    LimitRatio,
    /// `quantile`
    Quantile,
    /// `count_values`
    CountValues,
}

/// `by (...)` or `without (...)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grouping {
    /// The labels named.
    pub labels: Vec<String>,
    /// `without`.
    pub without: bool,
}

/// An aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which one.
    pub op: AggregateOp,
    /// `k`, the quantile, the ratio or the label name.
    pub param: Option<Expr>,
    /// What is aggregated.
    pub expr: Expr,
    /// By what; no labels and not `without` where nothing was written.
    pub grouping: Grouping,
    /// Where.
    pub span: Span,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Eql,
    /// `!=`
    Neq,
    /// `>`
    Gtr,
    /// `<`
    Lss,
    /// `>=`
    Gte,
    /// `<=`
    Lte,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
    /// `</`: a histogram without what was observed above.
    TrimUpper,
    /// `>/`: a histogram without what was observed below.
    TrimLower,
}

/// How many series of one side may match one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One to one.
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// `and`, `or`, `unless`.
    ManyToMany,
}

/// How the series of two vectors find each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// How many of a side.
    pub cardinality: Cardinality,
    /// Labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// `on`.
    pub on: bool,
    /// Labels that `group_left` or `group_right` takes over from the one side.
    pub include: Vec<String>,
    /// `fill` or `fill_left`.
    pub fill_left: Option<f64>,
    /// `fill` or `fill_right`.
    pub fill_right: Option<f64>,
}

/// Two expressions and an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// Which one.
    pub op: BinaryOp,
    /// Left.
    pub lhs: Expr,
    /// Right.
    pub rhs: Expr,
    /// `bool`.
    pub return_bool: bool,
    /// Only between two vectors.
    pub matching: Option<Matching>,
    /// Where.
    pub span: Span,
    /// Where the operator stands.
    pub op_span: Span,
}

/// A sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// `-`; else `+`.
    pub negative: bool,
    /// Of what.
    pub expr: Expr,
    /// Where.
    pub span: Span,
}

/// An expression in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    /// What.
    pub expr: Expr,
    /// Where.
    pub span: Span,
}

/// A duration, or an expression that gives one. What is written as plain numbers and durations is a `Literal`.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    /// Milliseconds.
    Literal(i64),
    /// A number (seconds) or duration inside an expression.
    Number {
        /// Seconds.
        seconds: f64,
        /// Written as a duration.
        duration: bool,
    },
    /// `step()`.
    Step,
    /// `range()`.
    Range,
    /// `-a` or `+a`.
    Unary(bool, Box<DurationExpr>),
    /// `a + b` and so on: one of the arithmetic operators.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `min_of(a, b)`.
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`.
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `(a)`.
    Paren(Box<DurationExpr>),
}

impl Expr {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Expr::Number(e) => e.span,
            Expr::String(e) => e.span,
            Expr::Vector(e) => e.span,
            Expr::Matrix(e) => e.span,
            Expr::Subquery(e) => e.span,
            Expr::Call(e) => e.span,
            Expr::Aggregate(e) => e.span,
            Expr::Binary(e) => e.span,
            Expr::Unary(e) => e.span,
            Expr::Paren(e) => e.span,
        }
    }

    /// What it gives.
    pub fn value_type(&self) -> ValueType {
        match self {
            Expr::Number(_) => ValueType::Scalar,
            Expr::String(_) => ValueType::String,
            Expr::Vector(_) | Expr::Aggregate(_) => ValueType::Vector,
            Expr::Matrix(_) | Expr::Subquery(_) => ValueType::Matrix,
            Expr::Call(call) => call.function.returns,
            Expr::Unary(e) => e.expr.value_type(),
            Expr::Paren(e) => e.expr.value_type(),
            Expr::Binary(e) => match (e.lhs.value_type(), e.rhs.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
        }
    }
}
