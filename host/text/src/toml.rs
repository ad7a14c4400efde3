//! TOML, strict, with places.

use serde::de::DeserializeOwned;

use crate::de::{Flavor, Wrap};
use crate::error::TextError;

/// The largest file that is read.
pub const MAX_BYTES: usize = 16 << 20;

/// Reads a file. Errors carry the place, the line, and for an unknown key the nearest allowed one.
pub fn from_str<T: DeserializeOwned>(text: &str, file_name: &str) -> Result<T, TextError> {
    if text.len() > MAX_BYTES {
        return Err(TextError::whole(file_name, format!("{} bytes; at most {MAX_BYTES} are read", text.len())));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    toml::Deserializer::parse(text)
        .and_then(|inner| T::deserialize(Wrap { inner, flavor: Flavor::Toml(text) }))
        .map_err(|e| error(&e, text, file_name))
}

/// Line and column (both from 1, columns in characters) of a byte offset.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn error(e: &toml::de::Error, text: &str, file: &str) -> TextError {
    let (line, column) = e.span().map_or((0, 0), |span| place(text, span.start));
    let message = e.message();
    let first = message.lines().next().unwrap_or_default();
    // serde's wording, as the derived code makes it: "unknown field `x`, expected one of `a`, `b`".
    let words: Vec<&str> = first.split('`').skip(1).step_by(2).collect();
    for (prefix, what) in [("unknown field `", "unknown key"), ("unknown variant `", "unknown value")] {
        if let (true, Some((found, allowed))) = (first.starts_with(prefix), words.split_first()) {
            let error = TextError::at(file, text, line, column, format!("{what} `{found}`"));
            return crate::yaml::unknown(error, found, allowed);
        }
    }
    let error = match first.strip_prefix("missing field ") {
        Some(field) => TextError::at(file, text, line, column, format!("missing key {field}")),
        None => TextError::at(file, text, line, column, first),
    };
    match message.split_once('\n') {
        Some((_, hint)) if !hint.trim().is_empty() => error.with_hint(hint.trim().trim_start_matches("hint: ")),
        _ => error,
    }
}
