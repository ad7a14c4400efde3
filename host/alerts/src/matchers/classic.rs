//! The classic grammar: `name op value`, split at commas outside of quotes.

use watchglass_model::Matcher;

use super::{MatcherParseError, matcher, operator};

/// Reads several matchers in the classic grammar, in braces or not.
pub fn parse_matchers_classic(input: &str) -> Result<Vec<Matcher>, MatcherParseError> {
    let inner = input.strip_prefix('{').unwrap_or(input);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    split_at_commas(inner).into_iter().map(parse_matcher_classic).collect()
}

/// Splits at commas outside of quotes. Between two commas may be nothing (which is no matcher); behind the last may be.
fn split_at_commas(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped, mut from) = (false, false, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            ',' if !quoted => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            // A comma inside quotes leaves the escape alone, as every other place where it can stand is a spurious one.
            ',' => {}
            _ => escaped = false,
        }
    }
    let last = text[from..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// Reads one matcher in the classic grammar.
pub fn parse_matcher_classic(input: &str) -> Result<Matcher, MatcherParseError> {
    let bad = || MatcherParseError(format!("bad matcher format: {input}"));
    let text = input.trim_matches(is_space);
    let name_len = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|len| *len > 0 && !text.starts_with(|c: char| c.is_ascii_digit()))
        .ok_or_else(bad)?;
    let (name, rest) = text.split_at(name_len);
    let rest = rest.trim_start_matches(is_space);
    // The longer operators first: of `=~` the `~` must not become part of the value.
    let (op, raw) =
        ["=~", "!~", "!=", "="].iter().find_map(|op| Some((operator(op)?, rest.strip_prefix(op)?))).ok_or_else(bad)?;
    let raw = raw.trim_start_matches(is_space);
    matcher(name, op, &unescape(raw)?)
}

/// White space as Go's `\s` has it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// Takes quotes and escapes away. Quotes are optional, but not half of them; an escape that isn't known stands for itself.
fn unescape(raw: &str) -> Result<String, MatcherParseError> {
    let unquoted_error = || MatcherParseError(format!("matcher value contains unescaped double quote: {raw}"));
    let body = raw.strip_prefix('"');
    let mut open = body.is_some();
    let body = body.unwrap_or(raw);
    let mut value = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            '"' if open && chars.peek().is_none() => open = false,
            '"' => return Err(unquoted_error()),
            c => value.push(c),
        }
    }
    if open { Err(unquoted_error()) } else { Ok(value) }
}
