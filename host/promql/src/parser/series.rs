//! A series as text, `name{label="value"}`: the selector's grammar with nothing but equality.

use watchglass_model::{Labels, MatchOp};

use super::lexer::lex_series;
use super::token::Kind;
use super::{Fault, ParseError, Parsed, Parser, ParserOptions};

/// Reads the series that a text begins with, and says where it ends.
pub(crate) fn metric(text: &str) -> Result<(Labels, usize), ParseError> {
    let (tokens, end) = lex_series(text);
    let mut parser = Parser { text, tokens, at: 0, options: ParserOptions::default(), depth: 0 };
    let labels = parser.metric().map_err(|fault| ParseError::new(text, fault))?;
    Ok((labels, end))
}

/// Reads a text in quotes, alone on its line.
pub(crate) fn parse_string(text: &str) -> Result<String, String> {
    let mut tokens = super::lexer::lex(text).into_iter();
    match (tokens.next().map(|t| t.kind), tokens.next().map(|t| t.kind)) {
        (Some(Kind::String(value)), Some(Kind::Eof)) => Ok(value),
        (Some(Kind::Error(message)), _) => Err(message),
        _ => Err(format!("found `{text}`, expected a text in quotes")),
    }
}

impl Parser<'_> {
    fn metric(&mut self) -> Parsed<Labels> {
        let name = match self.peek().kind {
            Kind::LeftBrace => None,
            // Any word will do, keywords and `nan` among them.
            _ if super::token::raw(self.text, self.peek().span)
                .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':') =>
            {
                Some(self.bump().span)
            }
            _ => return Err(self.unexpected("series description", "metric name or \"{\"")),
        };
        let selector = self.vector_selector(name)?;
        if let Some(other) = selector.matchers.iter().find(|m| m.op() != MatchOp::Equal) {
            let message = format!("unexpected \"{}\" in label set, expected \"=\"", other.op().as_str());
            return Err(Fault::new(selector.span, message));
        }
        Ok(Labels::from_pairs(selector.matchers.iter().map(|m| (m.name(), m.value()))))
    }
}
