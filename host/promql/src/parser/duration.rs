//! Durations: in brackets whole expressions, behind `offset` one term.

use crate::ast::{BinaryOp, DurationExpr};

use super::number::MAX_DURATION_MS;
use super::token::{Keyword, Kind};
use super::{Fault, MAX_QUERY_DEPTH, Parsed, Parser};

const EXPECTED: &str = "number, duration, step(), or range()";

impl Parser<'_> {
    /// A range or step: an expression that, where it is a plain number, must be positive.
    pub(super) fn positive_duration(&mut self, context: &'static str) -> Parsed<DurationExpr> {
        let span = self.peek().span;
        let (expr, _) = self.duration(0, context)?;
        let duration = self.literal(expr, span)?;
        match duration {
            DurationExpr::Literal(ms) if ms <= 0 => Err(Fault::new(span, "duration must be greater than 0")),
            duration => Ok(duration),
        }
    }

    /// What `offset` takes: a number or duration, a function or an expression in parentheses, with or without a sign.
    pub(super) fn offset_duration(&mut self) -> Parsed<DurationExpr> {
        let span = self.peek().span;
        let sign = match self.peek().kind {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.bump();
                Some(op == BinaryOp::Sub)
            }
            _ => None,
        };
        let (term, _) = self.duration_term("offset")?;
        let expr = match sign {
            Some(negative) => DurationExpr::Unary(negative, Box::new(term)),
            None => term,
        };
        self.literal(expr, span)
    }

    /// Makes a lone number, with or without a sign, a literal.
    fn literal(&self, expr: DurationExpr, span: crate::ast::Span) -> Parsed<DurationExpr> {
        let seconds = match &expr {
            DurationExpr::Number { seconds, .. } => *seconds,
            DurationExpr::Unary(negative, inner) => match **inner {
                DurationExpr::Number { seconds, .. } => {
                    if *negative {
                        -seconds
                    } else {
                        seconds
                    }
                }
                _ => return Ok(expr),
            },
            _ => return Ok(expr),
        };
        let ms = (seconds * 1000.0).round();
        if ms.is_nan() || ms.abs() > MAX_DURATION_MS as f64 {
            return Err(Fault::new(span, "duration out of range"));
        }
        Ok(DurationExpr::Literal(ms as i64))
    }

    /// An expression of operators that bind at least as tightly as `min`, and its height.
    fn duration(&mut self, min: u8, context: &'static str) -> Parsed<(DurationExpr, usize)> {
        self.depth += 1;
        if self.depth > MAX_QUERY_DEPTH {
            return Err(self.too_deep());
        }
        let (mut left, mut height) = match self.peek().kind {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.bump();
                let (inner, height) = self.duration(BinaryOp::Pow.precedence(), context)?;
                (DurationExpr::Unary(op == BinaryOp::Sub, Box::new(inner)), self.bounded(height)?)
            }
            _ => self.duration_term(context)?,
        };
        while let Kind::Operator(op) = self.peek().kind
            && op.precedence() >= min
        {
            self.bump();
            let span = self.peek().span;
            let (right, right_height) = self.duration(op.precedence() + u8::from(op != BinaryOp::Pow), context)?;
            let zero = matches!(right, DurationExpr::Number { seconds: 0.0, .. });
            match op {
                BinaryOp::Div if zero => return Err(Fault::new(span, "division by zero")),
                BinaryOp::Mod if zero => return Err(Fault::new(span, "modulo by zero")),
                _ => {}
            }
            height = self.bounded(height.max(right_height))?;
            left = DurationExpr::Binary(op, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok((left, height))
    }

    fn duration_term(&mut self, context: &'static str) -> Parsed<(DurationExpr, usize)> {
        let token = self.peek().clone();
        let called = self.peek_second().kind == Kind::LeftParen;
        match token.kind {
            Kind::Number | Kind::Duration => {
                self.bump();
                let number = self.number(&token.kind, token.span)?;
                Ok((DurationExpr::Number { seconds: number.value, duration: number.duration }, 1))
            }
            Kind::LeftParen => {
                self.bump();
                let (inner, height) = self.duration(0, context)?;
                self.expect(&Kind::RightParen, context, "\")\"")?;
                Ok((DurationExpr::Paren(Box::new(inner)), self.bounded(height)?))
            }
            Kind::Keyword(k @ (Keyword::Step | Keyword::Range)) if called => {
                self.bump();
                self.bump();
                self.expect(&Kind::RightParen, context, "\")\"")?;
                Ok((if k == Keyword::Step { DurationExpr::Step } else { DurationExpr::Range }, 1))
            }
            Kind::Keyword(k @ (Keyword::MinOf | Keyword::MaxOf)) if called => {
                self.bump();
                self.bump();
                let (a, a_height) = self.duration(0, context)?;
                self.expect(&Kind::Comma, context, "\",\"")?;
                let (b, b_height) = self.duration(0, context)?;
                self.expect(&Kind::RightParen, context, "\")\"")?;
                let (a, b) = (Box::new(a), Box::new(b));
                let expr = if k == Keyword::MinOf { DurationExpr::MinOf(a, b) } else { DurationExpr::MaxOf(a, b) };
                Ok((expr, self.bounded(a_height.max(b_height))?))
            }
            // Of `step` without parentheses the name is right: what is missing comes behind it.
            Kind::Keyword(Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf) => {
                self.bump();
                Err(self.unexpected(context, EXPECTED))
            }
            _ => Err(self.unexpected(context, EXPECTED)),
        }
    }
}
