//! Tokens, and how error texts name them.

use crate::ast::{AggregateOp, BinaryOp, Span};
use crate::quote::Quoted;

/// A keyword. In label lists, and mostly as metric names, they are ordinary names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Offset,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Bool,
    Start,
    End,
    Step,
    Range,
    Anchored,
    Smoothed,
    MinOf,
    MaxOf,
    Fill,
    FillLeft,
    FillRight,
}

/// What kind of token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Eof,
    /// The lexer's complaint; the last token there is.
    Error(String),
    /// A name without a colon.
    Identifier,
    /// A name with one.
    MetricIdentifier,
    /// A text, without its quotes and escapes.
    String(String),
    Number,
    Duration,
    Keyword(Keyword),
    Aggregator(AggregateOp),
    Operator(BinaryOp),
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    /// `=`; inside braces also one of the matching operators, as `!=` is.
    Equal,
    /// `=~`
    EqualRegex,
    /// `!~`
    NotRegex,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

impl Token {
    /// The token in an error text, as Prometheus words it: `identifier "foo"`, `<op:+>`, `"]"`.
    pub(super) fn describe(&self, text: &str) -> String {
        let raw = raw(text, self.span);
        match &self.kind {
            Kind::Eof => "end of input".to_owned(),
            Kind::Error(message) => message.clone(),
            Kind::Identifier => format!("identifier {}", Quoted(raw)),
            Kind::MetricIdentifier => format!("metric identifier {}", Quoted(raw)),
            Kind::String(_) => format!("string {}", cut(raw)),
            Kind::Number => format!("number {}", cut(raw)),
            Kind::Duration => format!("duration {}", cut(raw)),
            Kind::Keyword(_) => format!("<{}>", raw.to_ascii_lowercase()),
            Kind::Aggregator(_) => format!("<aggr:{}>", raw.to_ascii_lowercase()),
            Kind::Operator(_) => format!("<op:{}>", raw.to_ascii_lowercase()),
            _ => Quoted(raw).to_string(),
        }
    }
}

/// The text a span covers; empty where it covers none.
pub(super) fn raw(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap_or("")
}

/// Quoted, and cut behind ten characters.
fn cut(raw: &str) -> String {
    match raw.char_indices().nth(10) {
        Some((at, _)) => format!("{}...", Quoted(&raw[..at])),
        None => Quoted(raw).to_string(),
    }
}

/// What a word is, in any case of letters: keyword, aggregation, named operator or number; `None` for a plain name.
pub(super) fn word_kind(word: &str) -> Option<Kind> {
    // The longest word is `count_values`; whatever is longer needs no lower-casing.
    if word.len() > 12 {
        return None;
    }
    let keyword = |k| Some(Kind::Keyword(k));
    match word.to_ascii_lowercase().as_str() {
        "offset" => keyword(Keyword::Offset),
        "by" => keyword(Keyword::By),
        "without" => keyword(Keyword::Without),
        "on" => keyword(Keyword::On),
        "ignoring" => keyword(Keyword::Ignoring),
        "group_left" => keyword(Keyword::GroupLeft),
        "group_right" => keyword(Keyword::GroupRight),
        "bool" => keyword(Keyword::Bool),
        "start" => keyword(Keyword::Start),
        "end" => keyword(Keyword::End),
        "step" => keyword(Keyword::Step),
        "range" => keyword(Keyword::Range),
        "anchored" => keyword(Keyword::Anchored),
        "smoothed" => keyword(Keyword::Smoothed),
        "min_of" => keyword(Keyword::MinOf),
        "max_of" => keyword(Keyword::MaxOf),
        "fill" => keyword(Keyword::Fill),
        "fill_left" => keyword(Keyword::FillLeft),
        "fill_right" => keyword(Keyword::FillRight),
        "and" => Some(Kind::Operator(BinaryOp::And)),
        "or" => Some(Kind::Operator(BinaryOp::Or)),
        "unless" => Some(Kind::Operator(BinaryOp::Unless)),
        "atan2" => Some(Kind::Operator(BinaryOp::Atan2)),
        "inf" | "nan" => Some(Kind::Number),
        other => AggregateOp::from_name(other).map(Kind::Aggregator),
    }
}
