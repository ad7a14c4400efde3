//! The UTF-8 grammar: any label name and value, in quotes where they hold reserved characters.

use watchglass_model::{MatchOp, Matcher};

use super::{MatcherParseError, is_reserved, matcher, operator};
use crate::gotext::go_unquote;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Comma,
    Operator(MatchOp),
    Quoted,
    Unquoted,
}

/// A token with its columns, counted in characters.
#[derive(Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    from: usize,
    to: usize,
}

struct Parser<'a> {
    rest: &'a str,
    column: usize,
    peeked: Option<Token<'a>>,
}

type Result<T> = std::result::Result<T, MatcherParseError>;

fn error<T>(text: String) -> Result<T> {
    Err(MatcherParseError(text))
}

/// Reads several matchers in the UTF-8 grammar, in braces or not.
pub fn parse_matchers_utf8(input: &str) -> Result<Vec<Matcher>> {
    let mut parser = Parser { rest: input, column: 0, peeked: None };
    let mut matchers = Vec::new();
    let Some(first) = parser.peek()? else { return Ok(matchers) };
    let braces = first.kind == Kind::Open;
    if braces {
        parser.peeked = None;
    }
    // Each turn: a matcher, and what may follow it.
    let mut more = !parser.peek()?.is_some_and(|t| t.kind == Kind::Close);
    while more {
        matchers.push(parser.matcher()?);
        more = match parser.peek()? {
            Some(t) if t.kind == Kind::Comma => {
                parser.peeked = None;
                match parser.peek()? {
                    Some(t) if matches!(t.kind, Kind::Quoted | Kind::Unquoted) => true,
                    Some(t) if t.kind == Kind::Close => false,
                    Some(t) => return t.unexpected("expected a matcher or close brace after comma"),
                    None => false,
                }
            }
            Some(t) if t.kind == Kind::Close => false,
            Some(t) => return t.unexpected("expected a comma or close brace"),
            None => false,
        };
    }
    match parser.next()? {
        Some(t) if t.kind == Kind::Close && braces => {}
        Some(t) if t.kind == Kind::Close => return error(format!("0:{}: }}: expected opening brace", t.to)),
        Some(t) if braces => return t.unexpected("expected close brace"),
        None if braces => return error(format!("0:{}: end of input: expected close brace", parser.column)),
        Some(t) => return t.unexpected("expected end of input"),
        None => {}
    }
    match parser.next()? {
        Some(t) => t.unexpected("expected end of input"),
        None => Ok(matchers),
    }
}

/// Reads exactly one matcher in the UTF-8 grammar.
pub fn parse_matcher_utf8(input: &str) -> Result<Matcher> {
    let mut matchers = parse_matchers_utf8(input)?;
    match (matchers.len(), matchers.pop()) {
        (1, Some(matcher)) => Ok(matcher),
        (0, _) => error("no matchers".to_owned()),
        (n, _) => error(format!("expected 1 matcher, found {n}")),
    }
}

impl<'a> Token<'a> {
    fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        error(format!("{}:{}: unexpected {}: {wanted}", self.from, self.to, self.text))
    }

    /// The text that a name or value stands for.
    fn value(&self) -> Result<String> {
        if self.kind == Kind::Unquoted {
            return Ok(self.text.to_owned());
        }
        match go_unquote(self.text) {
            Some(value) => Ok(value),
            None => error(format!("{}:{}: {}: invalid input", self.from, self.to, self.text)),
        }
    }
}

impl<'a> Parser<'a> {
    fn matcher(&mut self) -> Result<Matcher> {
        let text = |t: &Token| matches!(t.kind, Kind::Quoted | Kind::Unquoted);
        let name = self.expect(text, "expected label name")?.value()?;
        let wanted = "expected an operator such as '=', '!=', '=~' or '!~'";
        let op = self.expect(|t| matches!(t.kind, Kind::Operator(_)), wanted)?;
        let value = self.expect(text, "expected label value")?.value()?;
        let Kind::Operator(op) = op.kind else { return error(wanted.to_owned()) };
        matcher(&name, op, &value)
    }

    fn expect(&mut self, fits: impl Fn(&Token) -> bool, wanted: &str) -> Result<Token<'a>> {
        match self.next()? {
            Some(t) if fits(&t) => Ok(t),
            Some(t) => t.unexpected(wanted),
            None => error(format!("0:{}: end of input: {wanted}", self.column)),
        }
    }

    fn peek(&mut self) -> Result<Option<Token<'a>>> {
        if self.peeked.is_none() {
            self.peeked = self.scan()?;
        }
        Ok(self.peeked)
    }

    fn next(&mut self) -> Result<Option<Token<'a>>> {
        match self.peeked.take() {
            Some(token) => Ok(Some(token)),
            None => self.scan(),
        }
    }

    fn scan(&mut self) -> Result<Option<Token<'a>>> {
        let trimmed = self.rest.trim_start();
        self.advance(self.rest.len() - trimmed.len());
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let (kind, len) = match first {
            '{' => (Kind::Open, 1),
            '}' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            '=' | '!' => {
                let found = ["=~", "!~", "!=", "="].iter().find(|op| self.rest.starts_with(**op));
                match found.and_then(|op| Some((operator(op)?, op.len()))) {
                    Some((op, len)) => (Kind::Operator(op), len),
                    None => return self.bad_character(1, "expected one of '=~'"),
                }
            }
            '"' => match self.quoted_len() {
                Some(len) => (Kind::Quoted, len),
                None => return error(format!("0:{}: end of input: expected one of '\"'", self.column_at_end())),
            },
            c if !is_reserved(c) => (Kind::Unquoted, self.rest.find(is_reserved).unwrap_or(self.rest.len())),
            _ => return self.bad_character(0, "invalid input"),
        };
        let from = self.column;
        let text = self.advance(len);
        Ok(Some(Token { kind, text, from, to: self.column }))
    }

    /// Bytes until behind the closing quote.
    fn quoted_len(&self) -> Option<usize> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(at + 1),
                _ => {}
            }
        }
        None
    }

    fn bad_character<T>(&self, skip: usize, what: &str) -> Result<T> {
        let at = self.column + skip;
        match self.rest.chars().nth(skip) {
            Some(c) => error(format!("{at}:{}: {c}: {what}", at + 1)),
            None => error(format!("0:{at}: end of input: {what}")),
        }
    }

    fn column_at_end(&self) -> usize {
        self.column + self.rest.chars().count()
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (text, rest) = self.rest.split_at(bytes);
        self.column += text.chars().count();
        self.rest = rest;
        text
    }
}
