//! Escapes in quoted texts: Go's, as the language reference of Go lists them.

/// The text without escapes. Escapes may write single bytes; what is then no UTF-8 becomes U+FFFD, as a text must be one here.
pub(super) fn unescape(inner: &str, quote: char) -> Result<String, String> {
    if !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = one(&rest[at + 1..], quote, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Reads what follows a backslash, appends what it stands for, and returns the rest.
fn one<'a>(text: &'a str, quote: char, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let Some(c) = text.chars().next() else { return Err("escape sequence not terminated".to_owned()) };
    let rest = &text[c.len_utf8()..];
    let simple = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        c if c == quote => c as u8,
        'x' => return number(rest, 2, 16, false, bytes),
        'u' => return number(rest, 4, 16, true, bytes),
        'U' => return number(rest, 8, 16, true, bytes),
        '0'..='7' => return number(text, 3, 8, false, bytes),
        c => return Err(format!("unknown escape sequence U+{:04X} '{c}'", c as u32)),
    };
    bytes.push(simple);
    Ok(rest)
}

fn number<'a>(text: &'a str, digits: usize, radix: u32, rune: bool, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let mut value: u32 = 0;
    let mut chars = text.chars();
    for _ in 0..digits {
        let Some(c) = chars.next() else { return Err("escape sequence not terminated".to_owned()) };
        let Some(digit) = c.to_digit(radix) else {
            return Err(format!("illegal character U+{:04X} '{c}' in escape sequence", c as u32));
        };
        value = value.wrapping_mul(radix).wrapping_add(digit);
    }
    let invalid = || "escape sequence is an invalid Unicode code point".to_owned();
    if rune {
        let c = char::from_u32(value).ok_or_else(invalid)?;
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(u8::try_from(value).map_err(|_| invalid())?);
    }
    Ok(chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let ok = |text: &str| unescape(text, '"').unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(ok(r#"a\"b\\\n\x41\101\u00e9\U0001F600"#), "a\"b\\\nAAé😀");
        assert_eq!(ok(r"\xc3\xa9"), "é", "bytes add up to a character");
        assert_eq!(ok(r"\xff"), "\u{fffd}");
        assert!(unescape(r"\'", '"').is_err(), "the other quote needs no escape");
        for bad in [r"\c", r"\x1", r"\xg1", r"\400", r"\ud800", r"\U00110000", "\\"] {
            assert!(unescape(bad, '"').is_err(), "{bad}");
        }
    }
}
