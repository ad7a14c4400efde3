//! Expressions: operators by precedence, signs, calls, literals.

use crate::ast::{
    Binary, BinaryOp, Call, Cardinality, Expr, Matching, NumberLiteral, Paren, Span, StringLiteral, Unary,
};
use crate::functions::function;
use crate::quote::Quoted;

use super::number::{parse_duration, parse_number};
use super::token::{Keyword, Kind, raw};
use super::{Fault, MAX_QUERY_DEPTH, Parsed, Parser};

/// Operators that bind at least as tightly as this one belong to a sign's operand.
const SIGN_OPERAND: u8 = 6;

/// An expression and the height of its tree.
pub(super) type Tree = (Expr, usize);

impl Parser<'_> {
    /// An expression of operators that bind at least as tightly as `min`.
    pub(super) fn expr(&mut self, min: u8) -> Parsed<Tree> {
        self.depth += 1;
        if self.depth > MAX_QUERY_DEPTH {
            return Err(self.too_deep());
        }
        let mut left = self.operand()?;
        while let Kind::Operator(op) = self.peek().kind
            && op.precedence() >= min
        {
            left = self.binary(left, op)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn binary(&mut self, (lhs, left_height): Tree, op: BinaryOp) -> Parsed<Tree> {
        let op_span = self.bump().span;
        let (return_bool, matching) = self.binary_modifiers(op)?;
        let tighter = op.precedence() + u8::from(op != BinaryOp::Pow);
        let (rhs, right_height) = self.expr(tighter)?;
        let height = self.bounded(left_height.max(right_height))?;
        let span = Span { start: lhs.span().start, end: rhs.span().end };
        let binary = Binary { op, lhs, rhs, return_bool, matching: Some(matching), span, op_span };
        Ok((Expr::Binary(Box::new(binary)), height))
    }

    /// `bool on (...) group_left (...) fill (...)`.
    fn binary_modifiers(&mut self, op: BinaryOp) -> Parsed<(bool, Matching)> {
        let return_bool = self.accept(&Kind::Keyword(Keyword::Bool)).is_some();
        let cardinality = if op.is_set() { Cardinality::ManyToMany } else { Cardinality::OneToOne };
        let mut matching =
            Matching { cardinality, labels: vec![], on: false, include: vec![], fill_left: None, fill_right: None };
        let Kind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.peek().kind else {
            self.fill_modifiers(&mut matching)?;
            return Ok((return_bool, matching));
        };
        self.bump();
        matching.on = keyword == Keyword::On;
        matching.labels = self.grouping_labels()?;
        if let Kind::Keyword(side @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.peek().kind {
            self.bump();
            matching.cardinality =
                if side == Keyword::GroupLeft { Cardinality::ManyToOne } else { Cardinality::OneToMany };
            if self.group_labels_follow() {
                matching.include = self.grouping_labels()?;
            }
        }
        self.fill_modifiers(&mut matching)?;
        Ok((return_bool, matching))
    }

    /// Whether the parenthesis behind `group_left` opens its labels. As in Prometheus, it always does.
    fn group_labels_follow(&self) -> bool {
        self.peek().kind == Kind::LeftParen
    }

    fn fill_modifiers(&mut self, matching: &mut Matching) -> Parsed<()> {
        // The names are metric names too, where no parenthesis follows.
        while let Kind::Keyword(side @ (Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)) = self.peek().kind
            && self.peek_second().kind == Kind::LeftParen
        {
            let token = self.bump();
            let name = raw(self.text, token.span).to_ascii_lowercase();
            if !self.options.fill_modifiers {
                return Err(Fault::new(token.span, format!("{name}() is not enabled")));
            }
            let (left, right) = (side != Keyword::FillRight, side != Keyword::FillLeft);
            if left && matching.fill_left.is_some() || right && matching.fill_right.is_some() {
                return Err(Fault::new(token.span, format!("{name}() must not be set twice for one side")));
            }
            self.bump();
            let value = self.signed_number()?;
            self.expect(&Kind::RightParen, "fill modifier", "\")\"")?;
            if left {
                matching.fill_left = Some(value);
            }
            if right {
                matching.fill_right = Some(value);
            }
        }
        Ok(())
    }

    fn signed_number(&mut self) -> Parsed<f64> {
        let negative = match self.peek().kind {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.bump();
                op == BinaryOp::Sub
            }
            _ => false,
        };
        let token = self.expect(&Kind::Number, "fill modifier", "number")?;
        let value = parse_number(raw(self.text, token.span)).map_err(|e| Fault::new(token.span, e))?;
        Ok(if negative { -value } else { value })
    }

    /// An operand with its sign and all that may follow it: ranges, `offset`, `@`.
    fn operand(&mut self) -> Parsed<Tree> {
        match self.peek().kind {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => self.signed(op == BinaryOp::Sub),
            _ => {
                let (mut expr, mut height) = self.primary()?;
                while let Some(extended) = self.postfix(&mut expr)? {
                    if extended {
                        height = self.bounded(height)?;
                    }
                }
                Ok((expr, height))
            }
        }
    }

    fn signed(&mut self, negative: bool) -> Parsed<Tree> {
        let start = self.bump().span.start;
        let (expr, height) = self.expr(SIGN_OPERAND)?;
        let span = Span { start, end: expr.span().end };
        match expr {
            Expr::Number(mut number) => {
                number.span = span;
                number.value = if negative { -number.value } else { number.value };
                Ok((Expr::Number(number), height))
            }
            expr => {
                let height = self.bounded(height)?;
                Ok((Expr::Unary(Box::new(Unary { negative, expr, span })), height))
            }
        }
    }

    fn primary(&mut self) -> Parsed<Tree> {
        let token = self.peek().clone();
        let span = token.span;
        let called = self.peek_second().kind == Kind::LeftParen;
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.bump();
                let number = self.number(&token.kind, span)?;
                Ok((Expr::Number(number), 1))
            }
            Kind::String(value) => {
                self.bump();
                Ok((Expr::String(StringLiteral { value, span }), 1))
            }
            Kind::LeftParen => {
                self.bump();
                let (expr, height) = self.expr(0)?;
                let end = self.expect(&Kind::RightParen, "", "")?.span.end;
                let span = Span { start: span.start, end };
                Ok((Expr::Paren(Box::new(Paren { expr, span })), self.bounded(height)?))
            }
            Kind::LeftBrace => Ok((Expr::Vector(self.vector_selector(None)?), 1)),
            Kind::Identifier if called => self.call(),
            Kind::Keyword(k) if called && is_function(k) => self.call(),
            Kind::Aggregator(op) if self.aggregation_follows() => self.aggregate(op),
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregator(_) => self.named_selector(),
            Kind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => self.named_selector(),
            Kind::Keyword(k) if !is_reserved(k) => self.named_selector(),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn named_selector(&mut self) -> Parsed<Tree> {
        let name = self.bump();
        Ok((Expr::Vector(self.vector_selector(Some(name.span))?), 1))
    }

    /// The value of a number or duration token.
    pub(super) fn number(&self, kind: &Kind, span: Span) -> Parsed<NumberLiteral> {
        let text = raw(self.text, span);
        let duration = *kind == Kind::Duration;
        let value = match duration {
            true => parse_duration(text).map(|ms| ms as f64 / 1000.0),
            false => parse_number(text),
        };
        Ok(NumberLiteral { value: value.map_err(|e| Fault::new(span, e))?, duration, span })
    }

    fn call(&mut self) -> Parsed<Tree> {
        let name_span = self.bump().span;
        let written = raw(self.text, name_span);
        // Keywords are read in any case of letters, names are not.
        let name = match function(written) {
            Some(_) => written.to_owned(),
            None => written.to_ascii_lowercase(),
        };
        let keyword = matches!(super::token::word_kind(written), Some(Kind::Keyword(_)));
        let Some(found) = function(if keyword { &name } else { written }) else {
            return Err(Fault::new(name_span, format!("unknown function with name {}", Quoted(written))));
        };
        if found.experimental && !self.options.experimental_functions {
            return Err(Fault::new(name_span, format!("function {} is not enabled", Quoted(found.name))));
        }
        let (args, end, height) = self.call_args()?;
        let span = Span { start: name_span.start, end };
        Ok((Expr::Call(Call { function: found, args, span }), self.bounded(height)?))
    }

    /// `(a, b)`: the expressions, where they end, and the greatest height among them.
    pub(super) fn call_args(&mut self) -> Parsed<(Vec<Expr>, u32, usize)> {
        self.expect(&Kind::LeftParen, "", "")?;
        let mut args = vec![];
        let mut height = 0;
        if let Some(end) = self.accept(&Kind::RightParen) {
            return Ok((args, end.span.end, height));
        }
        loop {
            let (arg, arg_height) = self.expr(0)?;
            args.push(arg);
            height = height.max(arg_height);
            match self.peek().kind {
                Kind::RightParen => return Ok((args, self.bump().span.end, height)),
                Kind::Comma => {
                    let comma = self.bump();
                    if self.peek().kind == Kind::RightParen {
                        return Err(Fault::new(comma.span, "trailing commas not allowed in function call args"));
                    }
                }
                _ => return Err(self.unexpected("", "")),
            }
        }
    }
}

fn is_function(k: Keyword) -> bool {
    use Keyword::{End, MaxOf, MinOf, Range, Start, Step};
    matches!(k, Start | End | Step | Range | MinOf | MaxOf)
}

/// Keywords that can't be a metric's name outside braces.
fn is_reserved(k: Keyword) -> bool {
    use Keyword::{Bool, GroupLeft, GroupRight, Ignoring, On};
    matches!(k, Bool | On | Ignoring | GroupLeft | GroupRight)
}
