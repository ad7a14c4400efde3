//! Go's quoted texts and characters, as Prometheus prints them.

use std::fmt;

/// A text in double quotes with Go's escapes (its `%q`).
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for c in self.0.chars() {
            escape(f, c, '"')?;
        }
        f.write_char('"')
    }
}

/// A character in single quotes with Go's escapes (its `%q` of a rune).
pub(crate) struct QuotedChar(pub(crate) char);

impl fmt::Display for QuotedChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('\'')?;
        escape(f, self.0, '\'')?;
        f.write_char('\'')
    }
}

fn escape(f: &mut fmt::Formatter<'_>, c: char, quote: char) -> fmt::Result {
    use fmt::Write;
    match c {
        '\\' => f.write_str("\\\\"),
        c if c == quote => write!(f, "\\{c}"),
        '\x07' => f.write_str("\\a"),
        '\x08' => f.write_str("\\b"),
        '\x0c' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\x0b' => f.write_str("\\v"),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32),
        // Go also escapes what it holds unprintable further up; of that only the blanks and separators that mislead a reader.
        c if (0x80..0xa1).contains(&(c as u32)) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
            write!(f, "\\u{:04x}", c as u32)
        }
        c => f.write_char(c),
    }
}
