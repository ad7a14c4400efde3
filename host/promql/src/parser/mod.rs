//! Text to expression tree: a lexer, a Pratt parser over its tokens, and a type checker over the tree.

mod aggregate;
mod check;
mod duration;
mod escape;
mod expr;
mod lexer;
mod number;
mod selector;
mod series;
mod token;

use crate::ast::{Expr, Span};

use self::token::{Kind, Token};

pub(crate) use self::number::parse_number;
pub(crate) use self::series::{metric, parse_string};

/// What the parser lets through.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParserOptions {
    /// Experimental functions and aggregations (`limitk`, `info`, ...).
    pub experimental_functions: bool,
    /// `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left`, `fill_right`.
    pub fill_modifiers: bool,
}

impl ParserOptions {
    /// Everything there is.
    pub fn all() -> ParserOptions {
        ParserOptions { experimental_functions: true, extended_range_selectors: true, fill_modifiers: true }
    }
}

/// The longest text that is parsed, in bytes: far beyond what people or generators write.
pub const MAX_QUERY_LENGTH: usize = 1 << 20;

/// The deepest tree that is built. Everything that walks a tree recurses, on stacks of 2 MiB.
pub const MAX_QUERY_DEPTH: usize = 200;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// What is wrong, in Prometheus' words as far as we know them.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl ParseError {
    fn new(text: &str, fault: Fault) -> ParseError {
        let (line, column) = position(text, fault.span.start);
        ParseError { message: fault.message, span: fault.span, line, column }
    }
}

/// Line and column, both from 1 and the latter in characters, of a byte in a text.
pub fn position(text: &str, byte: u32) -> (u32, u32) {
    let mut at = (byte as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    (line as u32, before[line_start..].chars().count() as u32 + 1)
}

/// Parses and type-checks an expression.
pub fn parse(text: &str, options: ParserOptions) -> Result<Expr, ParseError> {
    if text.len() > MAX_QUERY_LENGTH {
        let message = format!("query of {} bytes is too long: at most {MAX_QUERY_LENGTH} are allowed", text.len());
        return Err(ParseError::new("", Fault { message, span: Span::default() }));
    }
    let tokens = lexer::lex(text);
    let mut parser = Parser { text, tokens, at: 0, options, depth: 0 };
    let parsed = parser.whole().and_then(|mut expr| check::check(&mut expr).map(|()| expr));
    parsed.map_err(|fault| ParseError::new(text, fault))
}

/// An error before its line and column are worked out.
#[derive(Debug)]
struct Fault {
    message: String,
    span: Span,
}

impl Fault {
    fn new(span: Span, message: impl Into<String>) -> Fault {
        Fault { message: message.into(), span }
    }
}

type Parsed<T> = Result<T, Fault>;

struct Parser<'a> {
    text: &'a str,
    /// Ends with `Eof` or `Error`.
    tokens: Vec<Token>,
    at: usize,
    options: ParserOptions,
    /// How deep we have recursed.
    depth: usize,
}

impl Parser<'_> {
    fn whole(&mut self) -> Parsed<Expr> {
        if self.peek().kind == Kind::Eof {
            return Err(Fault::new(self.peek().span, "no expression found in input"));
        }
        let expr = self.expr(0)?.0;
        match self.peek().kind {
            Kind::Eof => Ok(expr),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    /// The token behind the next one.
    fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    /// Takes the next token; the last one stays where it is.
    fn bump(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Takes the next token if it is of this kind.
    fn accept(&mut self, kind: &Kind) -> Option<Token> {
        if self.peek().kind == *kind { Some(self.bump()) } else { None }
    }

    fn expect(&mut self, kind: &Kind, context: &str, expected: &str) -> Parsed<Token> {
        self.accept(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    /// The error for a token that can't stand here.
    fn unexpected(&self, context: &str, expected: &str) -> Fault {
        let token = self.peek();
        let mut message = token.describe(self.text);
        if !matches!(token.kind, Kind::Error(_)) {
            message = format!("unexpected {message}");
            if !context.is_empty() {
                message = format!("{message} in {context}");
            }
            if !expected.is_empty() {
                message = format!("{message}, expected {expected}");
            }
        }
        Fault::new(token.span, message)
    }

    /// Checks a tree's height before another level is put on it.
    fn bounded(&self, height: usize) -> Parsed<usize> {
        if height < MAX_QUERY_DEPTH { Ok(height + 1) } else { Err(self.too_deep()) }
    }

    fn too_deep(&self) -> Fault {
        Fault::new(
            self.peek().span,
            format!("expression is nested too deeply: at most {MAX_QUERY_DEPTH} levels are allowed"),
        )
    }
}
