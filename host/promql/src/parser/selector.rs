//! Selectors: names, matchers in braces, ranges in brackets, `offset`, `@`, `anchored`, `smoothed`.

use watchglass_model::{METRIC_NAME, MatchOp, Matcher};

use crate::ast::{At, BinaryOp, DurationExpr, Expr, Extension, MatrixSelector, Span, Subquery, VectorSelector};
use crate::quote::Quoted;

use super::token::{Keyword, Kind, raw};
use super::{Fault, Parsed, Parser};

const MATCHING: &str = "label matching";

impl Parser<'_> {
    /// A selector whose name, if it has one, has been taken.
    pub(super) fn vector_selector(&mut self, name: Option<Span>) -> Parsed<VectorSelector> {
        let mut span = name.unwrap_or(self.peek().span);
        let name = name.map_or("", |span| raw(self.text, span)).to_owned();
        let mut matchers = vec![];
        if self.peek().kind == Kind::LeftBrace {
            span.end = self.braces(&mut matchers)?;
        }
        if !name.is_empty() {
            if let Some(other) = matchers.iter().find(|m| m.name() == METRIC_NAME) {
                let message =
                    format!("metric name must not be set twice: {} or {}", Quoted(&name), Quoted(other.value()));
                return Err(Fault::new(span, message));
            }
            matchers.push(Matcher::equal(METRIC_NAME, &name));
        }
        Ok(VectorSelector { name, matchers, offset: None, at: None, extension: Extension::None, span })
    }

    /// `{a="b", "c d"=~"e"}`; gives where it ends.
    fn braces(&mut self, matchers: &mut Vec<Matcher>) -> Parsed<u32> {
        self.bump();
        loop {
            if let Some(end) = self.accept(&Kind::RightBrace) {
                return Ok(end.span.end);
            }
            matchers.push(self.matcher()?);
            if self.accept(&Kind::Comma).is_none() && self.peek().kind != Kind::RightBrace {
                return Err(self.unexpected(MATCHING, "\",\" or \"}\""));
            }
        }
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let start = self.peek().span.start;
        let (name, quoted) = match &self.peek().kind {
            Kind::Identifier => (raw(self.text, self.peek().span).to_owned(), false),
            Kind::String(name) => (name.clone(), true),
            _ => return Err(self.unexpected(MATCHING, "identifier or \"}\"")),
        };
        self.bump();
        let op = match self.peek().kind {
            Kind::Equal => MatchOp::Equal,
            Kind::EqualRegex => MatchOp::Regex,
            Kind::NotRegex => MatchOp::NotRegex,
            Kind::Operator(BinaryOp::Neq) => MatchOp::NotEqual,
            // A quoted text alone is the metric's name.
            Kind::Comma | Kind::RightBrace if quoted => return Ok(Matcher::equal(METRIC_NAME, &name)),
            _ if quoted => return Err(self.unexpected(MATCHING, "\",\" or \"}\"")),
            _ => return Err(self.unexpected(MATCHING, "label matching operator")),
        };
        self.bump();
        let Kind::String(value) = self.peek().kind.clone() else { return Err(self.unexpected(MATCHING, "string")) };
        let end = self.bump().span.end;
        Matcher::new(&name, op, &value).map_err(|e| Fault::new(Span { start, end }, e.to_string()))
    }

    /// Reads what may stand behind an operand. Gives nothing where none of it does, else whether the tree has grown.
    pub(super) fn postfix(&mut self, expr: &mut Expr) -> Parsed<Option<bool>> {
        match self.peek().kind {
            Kind::LeftBracket => self.brackets(expr).map(Some),
            Kind::Keyword(Keyword::Offset) => self.offset(expr).map(|()| Some(false)),
            Kind::At => self.at_modifier(expr).map(|()| Some(false)),
            Kind::Keyword(k @ (Keyword::Anchored | Keyword::Smoothed)) => self.extension(expr, k).map(|()| Some(false)),
            _ => Ok(None),
        }
    }

    fn brackets(&mut self, expr: &mut Expr) -> Parsed<bool> {
        let open = self.bump().span;
        let range = self.positive_duration("subquery or range selector")?;
        let start = expr.span().start;
        if let Some(close) = self.accept(&Kind::RightBracket) {
            let span = Span { start, end: close.span.end };
            *expr = self.matrix(expr, range, span, open)?;
            return Ok(false);
        }
        self.expect(&Kind::Colon, "subquery or range selector", "\":\" or \"]\"")?;
        let step = match self.peek().kind {
            Kind::RightBracket => None,
            _ => Some(self.positive_duration("subquery selector")?),
        };
        let end = self.expect(&Kind::RightBracket, "subquery selector", "\"]\"")?.span.end;
        // A placeholder: the tree moves into the subquery.
        let inner =
            std::mem::replace(expr, Expr::String(crate::ast::StringLiteral { value: String::new(), span: open }));
        let subquery = Subquery { expr: inner, range, step, offset: None, at: None, span: Span { start, end } };
        *expr = Expr::Subquery(Box::new(subquery));
        Ok(true)
    }

    fn matrix(&self, expr: &Expr, range: DurationExpr, span: Span, open: Span) -> Parsed<Expr> {
        let before = match expr {
            Expr::Vector(v) if v.offset.is_some() => "no offset modifiers allowed before range",
            Expr::Vector(v) if v.at.is_some() => "no @ modifiers allowed before range",
            Expr::Vector(v) if v.extension != Extension::None => {
                "no anchored or smoothed modifiers allowed before range"
            }
            Expr::Vector(v) => return Ok(Expr::Matrix(MatrixSelector { vector: v.clone(), range, span })),
            _ => "ranges only allowed for vector selectors",
        };
        Err(Fault::new(Span { start: open.start, end: span.end }, before))
    }

    fn offset(&mut self, expr: &mut Expr) -> Parsed<()> {
        let keyword = self.bump().span;
        let offset = self.offset_duration()?;
        let end = self.tokens[self.at - 1].span.end;
        let (slot, span) = match expr {
            Expr::Vector(v) => (&mut v.offset, &mut v.span),
            Expr::Matrix(m) => (&mut m.vector.offset, &mut m.span),
            Expr::Subquery(s) => (&mut s.offset, &mut s.span),
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                return Err(Fault::new(Span { start: keyword.start, end }, message));
            }
        };
        if slot.replace(offset).is_some() {
            return Err(Fault::new(keyword, "offset may not be set multiple times"));
        }
        span.end = end;
        Ok(())
    }

    fn at_modifier(&mut self, expr: &mut Expr) -> Parsed<()> {
        let sign = self.bump().span;
        let at = self.at_value()?;
        let end = self.tokens[self.at - 1].span.end;
        let (slot, span) = match expr {
            Expr::Vector(v) => (&mut v.at, &mut v.span),
            Expr::Matrix(m) => (&mut m.vector.at, &mut m.span),
            Expr::Subquery(s) => (&mut s.at, &mut s.span),
            _ => {
                let message =
                    "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                return Err(Fault::new(Span { start: sign.start, end }, message));
            }
        };
        if slot.replace(at).is_some() {
            return Err(Fault::new(sign, "@ <timestamp> may not be set multiple times"));
        }
        span.end = end;
        Ok(())
    }

    fn at_value(&mut self) -> Parsed<At> {
        if let Kind::Keyword(k @ (Keyword::Start | Keyword::End)) = self.peek().kind {
            self.bump();
            self.expect(&Kind::LeftParen, "@", "\"(\"")?;
            self.expect(&Kind::RightParen, "@", "\")\"")?;
            return Ok(if k == Keyword::Start { At::Start } else { At::End });
        }
        let negative = match self.peek().kind {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.bump();
                op == BinaryOp::Sub
            }
            _ => false,
        };
        let token = self.peek().clone();
        if !matches!(token.kind, Kind::Number | Kind::Duration) {
            return Err(self.unexpected("@", "timestamp"));
        }
        self.bump();
        let seconds = self.number(&token.kind, token.span)?.value * if negative { -1.0 } else { 1.0 };
        let ms = seconds * 1000.0;
        if ms.is_nan() || ms.abs() >= i64::MAX as f64 {
            let shown = if seconds.is_nan() {
                "NaN".to_owned()
            } else if seconds.is_infinite() {
                if seconds > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
            } else {
                format!("{seconds:.6}")
            };
            return Err(Fault::new(token.span, format!("timestamp out of bounds for @ modifier: {shown}")));
        }
        Ok(At::Time(ms.round() as i64))
    }

    fn extension(&mut self, expr: &mut Expr, keyword: Keyword) -> Parsed<()> {
        let token = self.bump();
        let (name, extension) = match keyword {
            Keyword::Anchored => ("anchored", Extension::Anchored),
            _ => ("smoothed", Extension::Smoothed),
        };
        if !self.options.extended_range_selectors {
            return Err(Fault::new(token.span, format!("{name} modifier is not enabled")));
        }
        let (vector, span) = match expr {
            Expr::Vector(v) => {
                v.span.end = token.span.end;
                if v.extension != Extension::None {
                    return Err(self.extension_twice(token.span));
                }
                v.extension = extension;
                return Ok(());
            }
            Expr::Matrix(m) => (&mut m.vector, &mut m.span),
            Expr::Subquery(_) => {
                return Err(Fault::new(token.span, format!("{name} modifier is not supported for subqueries")));
            }
            _ => {
                let message =
                    format!("{name} modifier must be preceded by an instant vector selector or range vector selector");
                return Err(Fault::new(token.span, message));
            }
        };
        if vector.extension != Extension::None {
            return Err(self.extension_twice(token.span));
        }
        vector.extension = extension;
        span.end = token.span.end;
        Ok(())
    }

    fn extension_twice(&self, span: Span) -> Fault {
        Fault::new(span, "anchored and smoothed modifiers may not be set multiple times")
    }
}
