//! Aggregations, and the label lists they share with vector matching.

use crate::ast::{Aggregate, AggregateOp, Expr, Grouping, Span};
use crate::quote::Quoted;

use super::expr::Tree;
use super::token::{Keyword, Kind, raw};
use super::{Fault, Parsed, Parser};

impl Parser<'_> {
    /// Whether the aggregation's name is used as one, not as a metric's name.
    pub(super) fn aggregation_follows(&self) -> bool {
        matches!(self.peek_second().kind, Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without))
    }

    pub(super) fn aggregate(&mut self, op: AggregateOp) -> Parsed<Tree> {
        let start = self.bump().span.start;
        let before = self.grouping()?;
        let (mut args, mut end, height) = self.call_args()?;
        let grouping = match before {
            Some((grouping, _)) => grouping,
            None => match self.grouping()? {
                Some((grouping, grouping_end)) => {
                    end = grouping_end;
                    grouping
                }
                None => Grouping::default(),
            },
        };
        let span = Span { start, end };
        if op.is_experimental() && !self.options.experimental_functions {
            return Err(Fault::new(span, format!("aggregation {} is not enabled", Quoted(op.as_str()))));
        }
        let found = args.len();
        let wanted = if op.has_param() { 2 } else { 1 };
        let Some(expr) = args.pop() else {
            return Err(Fault::new(span, "no arguments for aggregate expression provided"));
        };
        if found != wanted {
            let message =
                format!("wrong number of arguments for aggregate expression provided, expected {wanted}, got {found}");
            return Err(Fault::new(span, message));
        }
        let aggregate = Aggregate { op, param: args.pop(), expr, grouping, span };
        Ok((Expr::Aggregate(Box::new(aggregate)), self.bounded(height)?))
    }

    /// `by (...)` or `without (...)`, and where it ends.
    fn grouping(&mut self) -> Parsed<Option<(Grouping, u32)>> {
        let Kind::Keyword(keyword @ (Keyword::By | Keyword::Without)) = self.peek().kind else { return Ok(None) };
        self.bump();
        let labels = self.grouping_labels()?;
        let end = self.tokens[self.at - 1].span.end;
        Ok(Some((Grouping { labels, without: keyword == Keyword::Without }, end)))
    }

    /// `(a, b, "c d",)`.
    pub(super) fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(&Kind::LeftParen, CONTEXT, "\"(\"")?;
        let mut labels = vec![];
        while self.accept(&Kind::RightParen).is_none() {
            let label = match &self.peek().kind {
                Kind::String(name) if !name.is_empty() => name.clone(),
                kind if self.is_label(kind) => raw(self.text, self.peek().span).to_owned(),
                _ => return Err(self.unexpected(CONTEXT, "label")),
            };
            self.bump();
            labels.push(label);
            if self.accept(&Kind::Comma).is_none() && self.peek().kind != Kind::RightParen {
                return Err(self.unexpected(CONTEXT, "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    /// Whether a token outside braces can be a label's name: any word without a colon.
    fn is_label(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Identifier | Kind::Keyword(_) | Kind::Aggregator(_) => true,
            Kind::Operator(_) | Kind::Number => {
                raw(self.text, self.peek().span).starts_with(|c: char| c.is_ascii_alphabetic())
            }
            _ => false,
        }
    }
}
