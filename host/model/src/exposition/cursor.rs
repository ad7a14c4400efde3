//! Reading tokens from a text without copying it.

use std::borrow::Cow;

use super::ExpositionError;
use super::collect::Pair;

/// A place in a text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    trailing_comma: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0, trailing_comma: false }
    }

    /// Whether the labels read last had a comma before the closing brace.
    pub(super) fn trailing_comma(&self) -> bool {
        self.trailing_comma
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// An error at this place; lines are counted only now.
    pub(super) fn error<T>(&self, reason: impl Into<String>) -> Result<T, ExpositionError> {
        let line = 1 + self.text.as_bytes()[..self.at].iter().filter(|b| **b == b'\n').count();
        Err(ExpositionError { line, reason: reason.into() })
    }

    /// What stands here, for an error.
    pub(super) fn found(&self) -> String {
        match self.rest().chars().next() {
            None => "the end".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(_) => {
                let shown: String = self.rest().chars().take(16).take_while(|c| *c != '\n').collect();
                format!("`{}`", shown.escape_debug())
            }
        }
    }

    pub(super) fn expected<T>(&self, what: &str) -> Result<T, ExpositionError> {
        self.error(format!("expected {what}, found {}", self.found()))
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// Skips spaces and tabs; whether there were any.
    pub(super) fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.at > start
    }

    /// All bytes up to the first that the test stops at.
    pub(super) fn until(&mut self, stop: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        // Only ASCII bytes are stopped at, so that this is a character's beginning.
        let end = rest.bytes().position(|b| b.is_ascii() && stop(b)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The rest of the line, without the newline, which stays.
    pub(super) fn line(&mut self) -> &'a str {
        self.until(|b| b == b'\n')
    }

    /// A bare name: `[a-zA-Z_][a-zA-Z0-9_]*`, with colons too where `colons`. Empty where there is none.
    pub(super) fn name(&mut self, colons: bool) -> &'a str {
        let rest = self.rest();
        if self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return "";
        }
        let end = rest.bytes().position(|b| !(b.is_ascii_alphanumeric() || b == b'_' || (colons && b == b':')));
        let end = end.unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A text in double quotes, which begins here. `\\`, `\"` and `\n` are escapes, other backslashes stand for themselves.
    pub(super) fn quoted(&mut self, what: &str, newlines: bool) -> Result<Cow<'a, str>, ExpositionError> {
        if self.peek() != Some(b'"') {
            return self.expected(&format!("{what} in double quotes"));
        }
        let inside = &self.rest()[1..];
        let bytes = inside.as_bytes();
        let (mut end, mut escaped) = (0, false);
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(b'\n') if !newlines => return self.error(format!("{what} doesn't end before the line does")),
                Some(_) => end += 1,
                None => return self.error(format!("{what} has no closing quote")),
            }
        }
        self.at += end + 2;
        let text = &inside[..end];
        Ok(if escaped { Cow::Owned(unescape(text, true)) } else { Cow::Borrowed(text) })
    }

    /// Labels behind a `{`, the closing brace included. A quoted text without a value is the metric name, and goes into `name`.
    ///
    /// With `blanks`, spaces and tabs may stand between the tokens.
    pub(super) fn labels(
        &mut self,
        blanks: bool,
        name: &mut Cow<'a, str>,
        labels: &mut Vec<Pair<'a>>,
        limit: usize,
    ) -> Result<(), ExpositionError> {
        let skip = |cursor: &mut Cursor<'a>| blanks && cursor.skip_blanks();
        let mut first = true;
        self.trailing_comma = false;
        loop {
            skip(self);
            if self.take("}") {
                return Ok(());
            }
            if !first {
                // The text format is read without its comma too, as Prometheus reads it.
                if !self.take(",") && !blanks {
                    return self.expected("`,` or `}`");
                }
                skip(self);
                if self.take("}") {
                    self.trailing_comma = true;
                    return Ok(());
                }
            }
            first = false;
            let is_quoted = self.peek() == Some(b'"');
            let label = if is_quoted { self.quoted("a name", blanks)? } else { Cow::Borrowed(self.name(false)) };
            if label.is_empty() {
                return self.expected("a label name");
            }
            skip(self);
            if is_quoted && matches!(self.peek(), Some(b',' | b'}')) {
                if !name.is_empty() {
                    return self.error(format!("a second metric name `{label}`"));
                }
                *name = label;
                continue;
            }
            if !self.take("=") {
                return self.expected("`=` after a label name");
            }
            skip(self);
            let value = self.quoted("a label value", blanks)?;
            if labels.len() >= limit {
                return self.error(format!("more than {limit} labels on one sample"));
            }
            labels.push((label, value));
        }
    }
}

/// Replaces `\\`, `\n` and, where `quotes`, `\"`; leaves other backslashes.
pub(super) fn unescape(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.clone().next() {
            Some('\\') => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('"') if quotes => out.push('"'),
            _ => {
                out.push('\\');
                continue;
            }
        }
        chars.next();
    }
    out
}
