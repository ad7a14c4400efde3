//! Text into tokens.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text is the message.
    Error,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    Space,
    Bool,
    /// A single character with no other meaning, such as a comma.
    Char,
    CharConstant,
    Assign,
    Declare,
    Dot,
    Field,
    Identifier,
    LeftParen,
    RightParen,
    Nil,
    Number,
    Pipe,
    RawString,
    String,
    Variable,
    /// `if`, `end`, ...: the text says which.
    Keyword,
}

/// A token: what it is, its text, where it begins.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) pos: usize,
    pub(super) line: usize,
}

const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// Tokens of a text; the last one is `Eof` or `Error`.
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, line: 1, tokens: Vec::new() };
    let last = match lexer.run() {
        Ok(()) => Token { kind: Kind::Eof, text: String::new(), pos: lexer.at, line: lexer.line },
        Err((message, pos, line)) => Token { kind: Kind::Error, text: message, pos, line },
    };
    lexer.tokens.push(last);
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

/// Message, place, line.
type Failure = (String, usize, usize);

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// What may stand in a name. Go's classes of letters and digits; Rust's `is_alphanumeric` has a few number signs more.
fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Makes a token of the next `len` bytes.
    fn emit(&mut self, kind: Kind, len: usize) {
        let text = self.rest()[..len].to_owned();
        self.tokens.push(Token { kind, text, pos: self.at, line: self.line });
        self.skip(len);
    }

    fn skip(&mut self, len: usize) {
        self.line += self.rest()[..len].matches('\n').count();
        self.at += len;
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Failure> {
        Err((message.into(), self.at, self.line))
    }

    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let Some(len) = self.rest().find("{{") else {
                let len = self.rest().len();
                if len > 0 {
                    self.emit(Kind::Text, len);
                }
                return Ok(());
            };
            let trims = self.rest()[len + 2..].strip_prefix('-').is_some_and(|r| r.starts_with(is_space));
            let kept = if trims { self.rest()[..len].trim_end_matches(is_space).len() } else { len };
            if kept > 0 {
                self.emit(Kind::Text, kept);
            }
            self.skip(len - kept);
            let marker = if trims { 2 } else { 0 };
            if self.rest()[2 + marker..].starts_with("/*") {
                self.skip(2 + marker);
                self.comment()?;
            } else {
                self.emit(Kind::LeftDelim, 2);
                self.skip(marker);
                self.action()?;
            }
        }
    }

    /// Length of a right delimiter here, with its trim marker, and whether it trims.
    fn right_delim(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some((2, false));
        }
        let mut chars = rest.chars();
        let marked = chars.next().is_some_and(is_space) && chars.as_str().starts_with("-}}");
        marked.then_some((4, true))
    }

    fn comment(&mut self) -> Result<(), Failure> {
        let Some(end) = self.rest().find("*/").filter(|end| *end >= 2) else {
            // "/*/" isn't a whole comment.
            let Some(end) = self.rest()[2..].find("*/") else { return self.fail("unclosed comment") };
            self.skip(end + 2);
            return self.comment_end();
        };
        self.skip(end);
        self.comment_end()
    }

    fn comment_end(&mut self) -> Result<(), Failure> {
        self.skip(2);
        let Some((len, trims)) = self.right_delim() else { return self.fail("comment ends before closing delimiter") };
        self.skip(len);
        self.trim(trims);
        Ok(())
    }

    fn trim(&mut self, trims: bool) {
        if trims {
            self.skip(self.rest().len() - self.rest().trim_start_matches(is_space).len());
        }
    }

    /// Everything up to the right delimiter.
    fn action(&mut self) -> Result<(), Failure> {
        let mut parens = 0;
        loop {
            if let Some((len, trims)) = self.right_delim() {
                if parens > 0 {
                    return self.fail("unclosed left paren");
                }
                self.skip(len - 2);
                self.emit(Kind::RightDelim, 2);
                self.trim(trims);
                return Ok(());
            }
            let Some(c) = self.peek() else { return self.fail("unclosed action") };
            match c {
                c if is_space(c) => self.spaces(),
                '=' => self.emit(Kind::Assign, 1),
                ':' if self.rest().starts_with(":=") => self.emit(Kind::Declare, 2),
                ':' => return self.fail("expected :="),
                '|' => self.emit(Kind::Pipe, 1),
                '"' => self.quoted('"', Kind::String, "unterminated quoted string")?,
                '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant")?,
                '`' => match self.rest()[1..].find('`') {
                    Some(len) => self.emit(Kind::RawString, len + 2),
                    None => return self.fail("unterminated raw quoted string"),
                },
                '$' => self.name(1, Kind::Variable)?,
                '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.name(1, Kind::Field)?,
                '.' | '+' | '-' | '0'..='9' => self.number()?,
                c if is_name(c) => self.name(0, Kind::Identifier)?,
                '(' => {
                    parens += 1;
                    self.emit(Kind::LeftParen, 1);
                }
                ')' if parens == 0 => return self.fail("unexpected right paren"),
                ')' => {
                    parens -= 1;
                    self.emit(Kind::RightParen, 1);
                }
                '!'..='~' => self.emit(Kind::Char, 1),
                c => return self.fail(format!("unrecognized character in action: {}", code_point(c))),
            }
        }
    }

    /// A run of spaces, up to one that belongs to a trim marker.
    fn spaces(&mut self) {
        let rest = self.rest();
        let mut len = rest.len() - rest.trim_start_matches(is_space).len();
        if len > 1 && rest[len..].starts_with("-}}") {
            len -= 1;
        }
        self.emit(Kind::Space, len);
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), Failure> {
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '\n' => break,
                '\\' if chars.next().is_none_or(|(_, c)| c == '\n') => break,
                c if c == quote => {
                    self.emit(kind, i + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.fail(unterminated)
    }

    /// A name behind a prefix of this length (`.` or `$`, or none).
    fn name(&mut self, prefix: usize, kind: Kind) -> Result<(), Failure> {
        let name = &self.rest()[prefix..];
        let len = name.find(|c| !is_name(c)).unwrap_or(name.len());
        let behind = name[len..].chars().next();
        let ends = behind.is_none_or(|c| is_space(c) || ".,|:)(".contains(c)) || name[len..].starts_with("}}");
        if !ends {
            let c = behind.map_or_else(String::new, code_point);
            return self.fail(format!("bad character {c}"));
        }
        let kind = match (kind, &name[..len]) {
            (Kind::Field, "") => Kind::Dot,
            (Kind::Identifier, "true" | "false") => Kind::Bool,
            (Kind::Identifier, "nil") => Kind::Nil,
            (Kind::Identifier, word) if KEYWORDS.contains(&word) => Kind::Keyword,
            (kind, _) => kind,
        };
        self.emit(kind, prefix + len);
        Ok(())
    }

    /// Something that looks like a number; whether it is one, the parser says.
    fn number(&mut self) -> Result<(), Failure> {
        let rest = self.rest();
        let mut at = usize::from(rest.starts_with(['+', '-']));
        let run =
            |from: usize, digits: &str| rest[from..].find(|c| !digits.contains(c)).map_or(rest.len(), |len| from + len);
        let prefix = rest.get(at..at + 2).unwrap_or("").to_ascii_lowercase();
        let (digits, exponent) = match prefix.as_str() {
            "0x" => ("0123456789abcdefABCDEF_", "pP"),
            "0o" => ("01234567_", ""),
            "0b" => ("01_", ""),
            _ => ("0123456789_", "eE"),
        };
        if prefix.starts_with('0') && prefix.ends_with(['x', 'o', 'b']) {
            at += 2;
        }
        at = run(at, digits);
        if rest[at..].starts_with('.') {
            at = run(at + 1, digits);
        }
        if rest[at..].starts_with(|c| exponent.contains(c)) {
            at += 1;
            at += usize::from(rest[at..].starts_with(['+', '-']));
            at = run(at, "0123456789_");
        }
        match rest[at..].chars().next() {
            Some(c) if is_name(c) => {
                self.fail(format!("bad number syntax: {}", crate::gofmt::quote(&rest[..at + c.len_utf8()], false)))
            }
            Some(c @ ('+' | '-')) => {
                self.fail(format!("bad number syntax: {}", crate::gofmt::quote(&rest[..at + c.len_utf8()], false)))
            }
            _ => {
                self.emit(Kind::Number, at);
                Ok(())
            }
        }
    }
}

/// A character as Go's `%#U` shows it.
fn code_point(c: char) -> String {
    let n = c as u32;
    if c.is_control() { format!("U+{n:04X}") } else { format!("U+{n:04X} '{c}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let tokens = lex(text).into_iter().filter(|t| t.kind != Kind::Space);
        tokens.map(|t| format!("{:?}:{}", t.kind, t.text)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tokens() {
        assert_eq!(
            shown("a {{- .b.c | d 1.5 -}} \n e"),
            "Text:a LeftDelim:{{ Field:.b Field:.c Pipe:| Identifier:d Number:1.5 RightDelim:}} Text:e Eof:"
        );
        assert_eq!(shown("{{/* x */}}y{{- /* z */ -}} w"), "Text:y Text:w Eof:");
        assert_eq!(
            shown("{{$x, $ := `a}}`}}"),
            "LeftDelim:{{ Variable:$x Char:, Variable:$ Declare::= RawString:`a}}` RightDelim:}} Eof:"
        );
        assert_eq!(shown("{{-3}}"), "LeftDelim:{{ Number:-3 RightDelim:}} Eof:");
    }

    #[test]
    fn errors() {
        for (text, message) in [
            ("{{", "unclosed action"),
            ("{{/*", "unclosed comment"),
            ("{{/*/}}", "unclosed comment"),
            ("{{/* x */ }}", "comment ends before closing delimiter"),
            ("{{(}}", "unclosed left paren"),
            ("{{)}}", "unexpected right paren"),
            ("{{\"a}}", "unterminated quoted string"),
            ("{{3k}}", "bad number syntax: \"3k\""),
            ("{{a$}}", "bad character U+0024 '$'"),
            ("{{\u{1}}}", "unrecognized character in action: U+0001"),
        ] {
            let tokens = lex(text);
            assert_eq!(tokens.last().map(|t| t.text.as_str()), Some(message), "{text}");
        }
    }
}
