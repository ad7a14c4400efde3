//! Go's quoted texts, which group keys and matchers are written in.

/// Writes a text in double quotes with Go's escapes, as `%q` does.
pub(crate) fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_ascii() || is_printable(c) => out.push(c),
            c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    out
}

/// Whether Go prints a character that isn't ASCII: letters, marks, numbers, punctuation and symbols. That is what Rust's
/// `escape_debug` leaves alone behind another character (at the beginning it escapes combining marks too).
fn is_printable(c: char) -> bool {
    let mut pair = String::from("a");
    pair.push(c);
    pair.escape_debug().count() == 2
}

/// Reads a text in double quotes with Go's escapes; `None` where it isn't one, or not UTF-8 in the end.
pub(crate) fn go_unquote(quoted: &str) -> Option<String> {
    let body = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut out: Vec<u8> = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\n' => return None,
            '\\' => escape(&mut rest, &mut out)?,
            c => push_char(&mut out, c),
        }
    }
    String::from_utf8(out).ok()
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads what stands behind a backslash.
fn escape(rest: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Option<()> {
    let first = rest.next()?;
    let mut number = |digits: usize, radix: u32, first: u32| {
        (0..digits).try_fold(first, |n, _| rest.next()?.to_digit(radix).map(|d| n * radix + d))
    };
    match first {
        'a' => out.push(7),
        'b' => out.push(8),
        'f' => out.push(12),
        'n' => out.push(b'\n'),
        'r' => out.push(b'\r'),
        't' => out.push(b'\t'),
        'v' => out.push(11),
        '\\' | '"' => out.push(first as u8),
        // A byte, which need not be a character of its own.
        'x' => out.push(u8::try_from(number(2, 16, 0)?).ok()?),
        '0'..='7' => out.push(u8::try_from(number(2, 8, first.to_digit(8)?)?).ok()?),
        'u' => push_char(out, char::from_u32(number(4, 16, 0)?)?),
        'U' => push_char(out, char::from_u32(number(8, 16, 0)?)?),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(go_quote("a\"b\\c\n\t\u{7}\u{1}\u{7f}"), r#""a\"b\\c\n\t\a\x01\x7f""#);
        assert_eq!(go_quote("ä \u{301}🙂"), "\"ä \u{301}🙂\"");
        assert_eq!(go_quote("\u{ad}\u{200b}\u{e0001}"), r#""\u00ad\u200b\U000e0001""#);
    }

    #[test]
    fn unquotes_what_it_quotes_and_refuses_the_rest() {
        for text in ["", "a\"b\\c\n", "\u{200b}🙂\u{1}"] {
            assert_eq!(go_unquote(&go_quote(text)).as_deref(), Some(text));
        }
        assert_eq!(go_unquote(r#""\xf0\x9f\x99\x82\101\u00e4""#).as_deref(), Some("🙂Aä"));
        for bad in
            [r#""\w""#, r#""\xff""#, r#""\u12""#, r#""\400""#, r#""\ud800""#, r#"""#, "", r#""a"b""#, r#""\UFFFFFFFF""#]
        {
            assert_eq!(go_unquote(bad), None, "{bad}");
        }
    }
}
