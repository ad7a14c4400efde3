//! Text to tokens. What a character means depends on where it stands: in braces are label matchers, in brackets durations.

use crate::ast::{BinaryOp, Span};
use crate::quote::{Quoted, QuotedChar};

use super::escape::unescape;
use super::token::{Keyword, Kind, Token, raw, word_kind};

/// Splits a text into tokens. The last is [`Kind::Eof`], or [`Kind::Error`] where the text stops making sense.
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut lexer =
        Lexer { text, at: 0, start: 0, parens: 0, brace: false, bracket: false, colon: false, tokens: vec![] };
    while !matches!(lexer.tokens.last(), Some(Token { kind: Kind::Eof | Kind::Error(_), .. })) {
        lexer.next_token();
    }
    lexer.tokens
}

/// The tokens of the series that a text begins with, a name and labels in braces or one of the two, and where they end. A double
/// brace opens no labels but a histogram.
pub(super) fn lex_series(text: &str) -> (Vec<Token>, usize) {
    let mut lexer =
        Lexer { text, at: 0, start: 0, parens: 0, brace: false, bracket: false, colon: false, tokens: vec![] };
    lexer.next_token();
    let mut end = lexer.at;
    if !lexer.brace {
        lexer.skip_while(|c| c == ' ' || c == '\t');
        let rest = &text[lexer.at..];
        if rest.starts_with('{') && !rest.starts_with("{{") {
            lexer.next_token();
        }
    }
    while lexer.brace && !matches!(lexer.tokens.last(), Some(Token { kind: Kind::Error(_), .. })) {
        lexer.next_token();
        end = lexer.at;
    }
    lexer.start = lexer.at;
    if !matches!(lexer.tokens.last(), Some(Token { kind: Kind::Eof | Kind::Error(_), .. })) {
        lexer.emit(Kind::Eof);
    }
    (lexer.tokens, end)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    start: usize,
    parens: u32,
    brace: bool,
    bracket: bool,
    /// A colon has been seen in the open bracket.
    colon: bool,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_while(&mut self, test: impl Fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !test(c)).unwrap_or(rest.len());
    }

    fn emit(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, span: Span { start: self.start as u32, end: self.at as u32 } });
    }

    fn error(&mut self, message: impl Into<String>) {
        self.emit(Kind::Error(message.into()));
    }

    fn next_token(&mut self) {
        loop {
            self.skip_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            if self.peek() != Some('#') {
                break;
            }
            self.skip_while(|c| c != '\n' && c != '\r');
        }
        self.start = self.at;
        let Some(c) = self.bump() else { return self.end() };
        if self.brace {
            self.in_braces(c);
        } else if self.bracket {
            self.in_brackets(c);
        } else {
            self.statement(c);
        }
    }

    fn end(&mut self) {
        if self.brace {
            self.error("unexpected end of input inside braces");
        } else if self.bracket {
            self.error("unexpected end of input in duration expression");
        } else if self.parens > 0 {
            self.error("unclosed left parenthesis");
        } else {
            self.emit(Kind::Eof);
        }
    }

    fn statement(&mut self, c: char) {
        match c {
            ',' => self.emit(Kind::Comma),
            '(' | ')' => self.paren(c),
            '{' => {
                self.brace = true;
                self.emit(Kind::LeftBrace);
            }
            '[' => {
                self.bracket = true;
                self.colon = false;
                self.emit(Kind::LeftBracket);
            }
            ']' => self.error("unexpected right bracket ']'"),
            '+' | '-' | '*' | '/' | '%' | '^' => self.arithmetic(c),
            '=' if self.accept('=') => self.emit(Kind::Operator(BinaryOp::Eql)),
            '=' if self.peek() == Some('~') => self.error("unexpected character after '=': '~'"),
            '=' => self.emit(Kind::Equal),
            '!' if self.accept('=') => self.emit(Kind::Operator(BinaryOp::Neq)),
            '!' => match self.peek() {
                Some(next) => self.error(format!("unexpected character after '!': {}", QuotedChar(next))),
                None => self.error("unexpected end of input after '!'"),
            },
            '<' if self.accept('=') => self.emit(Kind::Operator(BinaryOp::Lte)),
            '<' if self.accept('/') => self.emit(Kind::Operator(BinaryOp::TrimUpper)),
            '<' => self.emit(Kind::Operator(BinaryOp::Lss)),
            '>' if self.accept('=') => self.emit(Kind::Operator(BinaryOp::Gte)),
            '>' if self.accept('/') => self.emit(Kind::Operator(BinaryOp::TrimLower)),
            '>' => self.emit(Kind::Operator(BinaryOp::Gtr)),
            '@' => self.emit(Kind::At),
            '"' | '\'' | '`' => self.string(c),
            '0'..='9' => self.number(),
            '.' if self.peek().is_some_and(|n| n.is_ascii_digit()) => self.number(),
            c if is_name_start(c) || c == ':' => {
                self.skip_while(|c| is_name_part(c) || c == ':');
                let word = &self.text[self.start..self.at];
                let kind = if word.contains(':') {
                    Kind::MetricIdentifier
                } else {
                    word_kind(word).unwrap_or(Kind::Identifier)
                };
                self.emit(kind);
            }
            c => self.error(format!("unexpected character: {}", QuotedChar(c))),
        }
    }

    fn in_braces(&mut self, c: char) {
        match c {
            '}' => {
                self.brace = false;
                self.emit(Kind::RightBrace);
            }
            ',' => self.emit(Kind::Comma),
            '"' | '\'' | '`' => self.string(c),
            '=' if self.accept('~') => self.emit(Kind::EqualRegex),
            '=' => self.emit(Kind::Equal),
            '!' if self.accept('~') => self.emit(Kind::NotRegex),
            '!' if self.accept('=') => self.emit(Kind::Operator(BinaryOp::Neq)),
            '!' => match self.peek() {
                Some(next) => self.error(format!("unexpected character after '!' inside braces: {}", QuotedChar(next))),
                None => self.error("unexpected end of input inside braces"),
            },
            c if is_name_start(c) => {
                self.skip_while(is_name_part);
                self.emit(Kind::Identifier);
            }
            c => self.error(format!("unexpected character inside braces: {}", QuotedChar(c))),
        }
    }

    fn in_brackets(&mut self, c: char) {
        match c {
            ']' => {
                self.bracket = false;
                self.emit(Kind::RightBracket);
            }
            ':' if self.colon => self.error("unexpected colon ':'"),
            ':' => {
                self.colon = true;
                self.emit(Kind::Colon);
            }
            ',' => self.emit(Kind::Comma),
            '(' | ')' => self.paren(c),
            '+' | '-' | '*' | '/' | '%' | '^' => self.arithmetic(c),
            '0'..='9' | '.' => self.number(),
            c if is_name_start(c) => {
                self.skip_while(is_name_part);
                match word_kind(&self.text[self.start..self.at]) {
                    Some(Kind::Keyword(k @ (Keyword::Step | Keyword::Range | Keyword::MinOf | Keyword::MaxOf))) => {
                        self.emit(Kind::Keyword(k));
                    }
                    _ => {
                        let allowed = if self.colon { "" } else { ", expected ':'" };
                        self.error(format!("unexpected character: {}{allowed}", QuotedChar(c)));
                    }
                }
            }
            c => self.error(format!("unexpected character in duration expression: {}", QuotedChar(c))),
        }
    }

    fn paren(&mut self, c: char) {
        if c == '(' {
            self.parens += 1;
            self.emit(Kind::LeftParen);
        } else if self.parens == 0 {
            self.error("unexpected right parenthesis ')'");
        } else {
            self.parens -= 1;
            self.emit(Kind::RightParen);
        }
    }

    fn arithmetic(&mut self, c: char) {
        let op = match c {
            '+' => BinaryOp::Add,
            '-' => BinaryOp::Sub,
            '*' => BinaryOp::Mul,
            '/' => BinaryOp::Div,
            '%' => BinaryOp::Mod,
            _ => BinaryOp::Pow,
        };
        self.emit(Kind::Operator(op));
    }

    /// A number or a duration; its first character has been taken.
    fn number(&mut self) {
        self.at = self.start + number_end(&self.text[self.start..]);
        let word = &self.text[self.start..self.at];
        if is_number(word) {
            self.emit(Kind::Number);
        } else if is_duration(word) {
            self.emit(Kind::Duration);
        } else {
            self.error(format!("bad number or duration syntax: {}", Quoted(word)));
        }
    }

    /// A text in quotes; the opening one has been taken.
    fn string(&mut self, quote: char) {
        loop {
            match self.bump() {
                None if quote == '`' => return self.error("unterminated raw string"),
                Some('\n') | None if quote != '`' => return self.error("unterminated quoted string"),
                Some('\u{fffd}') => return self.error("invalid UTF-8 rune"),
                Some(c) if c == quote => break,
                Some('\\') if quote != '`' && self.bump().is_none() => {
                    return self.error("escape sequence not terminated");
                }
                _ => {}
            }
        }
        let inner = raw(self.text, Span { start: self.start as u32 + 1, end: self.at as u32 - 1 });
        if quote == '`' {
            let value = inner.to_owned();
            return self.emit(Kind::String(value));
        }
        match unescape(inner, quote) {
            Ok(value) => self.emit(Kind::String(value)),
            Err(message) => self.error(message),
        }
    }
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_name_part(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// How far a number or duration goes: all letters, digits, underscores, one dot, and a sign behind an exponent's `e`.
fn number_end(text: &str) -> usize {
    let hex = text.len() > 1 && text.as_bytes()[0] == b'0' && matches!(text.as_bytes()[1], b'x' | b'X');
    let (mut dots, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '.' => {
                dots += 1;
                if dots > 1 {
                    return at + 1;
                }
            }
            '+' | '-' if matches!(before, 'e' | 'E') && !hex => {
                // Of `foo - 5me-3` the minus is an operator; of `5e-3` it is not.
                if !text[..at - 1].bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_') {
                    return at;
                }
            }
            c if is_name_part(c) => {}
            _ => return at,
        }
        before = c;
    }
    text.len()
}

/// Whether a word is a number: decimal with dot and exponent, or hexadecimal; single underscores between digits.
fn is_number(word: &str) -> bool {
    let digits = |part: &str, hex: bool| {
        let digit = |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        !part.is_empty() && part.split('_').all(|run| !run.is_empty() && run.chars().all(digit))
    };
    if let Some(hex) = word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        return digits(hex.strip_prefix('_').unwrap_or(hex), true);
    }
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e)),
        None => (word, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    (digits(whole, false) || whole.is_empty() && !fraction.is_empty())
        && (fraction.is_empty() || digits(fraction, false))
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e), false))
}

/// Whether a word looks like a duration: digits and a unit, again and again. Order and units are checked when it is read.
fn is_duration(word: &str) -> bool {
    let mut rest = word;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if unit.len() == rest.len() {
            return false;
        }
        let after = unit.strip_prefix("ms").or_else(|| unit.strip_prefix(['s', 'm', 'h', 'd', 'w', 'y']));
        let Some(after) = after else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations() {
        for word in ["1", ".5", "5.", "1.5e3", "1e+3", "0x1F", "1_000", "0x_ff", "0755"] {
            assert!(is_number(word), "{word}");
        }
        for word in ["1_", "_1", "1__0", "1e", "0x", "1.5.", "e5", "5m", "."] {
            assert!(!is_number(word), "{word}");
        }
        for word in ["5m", "1h30m", "4s18ms", "10ms"] {
            assert!(is_duration(word), "{word}");
        }
        for word in ["5", "5mm", "5m1", "m", "5ms5"] {
            assert!(!is_duration(word), "{word}");
        }
    }

    #[test]
    fn a_minus_behind_a_duration_is_an_operator() {
        let kinds: Vec<Kind> = lex("5m-3e-1").into_iter().map(|t| t.kind).collect();
        assert_eq!(kinds, [Kind::Duration, Kind::Operator(BinaryOp::Sub), Kind::Number, Kind::Eof]);
    }
}
