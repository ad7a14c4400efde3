//! Numbers and texts as Go's `strconv` writes them.

use std::fmt::Write as _;

/// A float as `strconv.FormatFloat(x, verb, precision, 64)`: verbs `e E f F g G x X`; without a precision as many digits as are needed to
/// tell it from its neighbours. `%v` and printing are `g` without a precision.
pub fn float(x: f64, verb: char, precision: Option<usize>) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // More digits than a double has, in any notation; a template may ask for any number.
    let precision = precision.map(|p| p.min(1100));
    match verb {
        'f' | 'F' => match precision {
            Some(p) => format!("{x:.p$}"),
            None => plain(&shortest(x)),
        },
        'e' | 'E' => exponential(&precision.map_or_else(|| shortest(x), |p| rounded(x, p + 1)), precision, verb),
        'g' | 'G' => {
            let (digits, limit) = match precision {
                Some(p) => (rounded(x, p.max(1)), p.max(1) as i32),
                None => (shortest(x), 6),
            };
            let digits = digits.trimmed();
            // Without a precision all digits that are needed are written, but 6 decide about the notation.
            if digits.exponent < -4 || digits.exponent >= limit {
                let fraction = digits.text.len().saturating_sub(1);
                exponential(&digits, Some(fraction), if verb == 'g' { 'e' } else { 'E' })
            } else {
                plain(&digits)
            }
        }
        'x' | 'X' => hexadecimal(x, precision, verb == 'X'),
        _ => format!("%{verb}"),
    }
}

/// Decimal digits of a finite float: `d.ddd * 10^exponent`.
struct Digits {
    negative: bool,
    text: String,
    exponent: i32,
}

impl Digits {
    /// From Rust's `{:e}`, which is exact, and rounds as Go does.
    fn from_exponential(text: &str) -> Digits {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let text = mantissa.chars().filter(char::is_ascii_digit).collect();
        Digits { negative, text, exponent: exponent.parse().unwrap_or(0) }
    }

    /// Without zeros at the end; zero itself keeps one.
    fn trimmed(mut self) -> Digits {
        self.text.truncate(self.text.trim_end_matches('0').len().max(1));
        self
    }
}

fn shortest(x: f64) -> Digits {
    Digits::from_exponential(&format!("{x:e}"))
}

fn rounded(x: f64, digits: usize) -> Digits {
    Digits::from_exponential(&format!("{x:.*e}", digits - 1))
}

/// `d.ddde+dd`, with this many digits behind the point (all there are if `None`).
fn exponential(d: &Digits, fraction: Option<usize>, verb: char) -> String {
    let mut out = String::from(if d.negative { "-" } else { "" });
    let (first, rest) = d.text.split_at(1);
    out.push_str(first);
    let fraction = fraction.unwrap_or(rest.len());
    if fraction > 0 {
        out.push('.');
        out.extend(rest.chars().chain(std::iter::repeat('0')).take(fraction));
    }
    let sign = if d.exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{verb}{sign}{:02}", d.exponent.unsigned_abs());
    out
}

/// Without an exponent, all digits.
fn plain(d: &Digits) -> String {
    let mut out = String::from(if d.negative { "-" } else { "" });
    if d.exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', d.exponent.unsigned_abs() as usize - 1));
        out.push_str(&d.text);
        return out;
    }
    let whole = d.exponent as usize + 1;
    out.extend(d.text.chars().chain(std::iter::repeat('0')).take(whole));
    if d.text.len() > whole {
        out.push('.');
        out.push_str(&d.text[whole..]);
    }
    out
}

/// `0x1.8p+00`: mantissa in hexadecimal, exponent of 2.
fn hexadecimal(x: f64, precision: Option<usize>, upper: bool) -> String {
    let bits = x.to_bits();
    let (mut exponent, mut mantissa) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    if exponent == 0 {
        exponent = if mantissa == 0 { 0 } else { -1022 };
        while mantissa != 0 && mantissa >> 52 == 0 {
            mantissa <<= 1;
            exponent -= 1;
        }
    } else {
        exponent -= 1023;
        mantissa |= 1 << 52;
    }
    let mut shown = 13;
    if let Some(p) = precision.filter(|p| *p < 13) {
        // To even, as everywhere.
        let cut = 52 - 4 * p as u32;
        let (rest, half) = (mantissa & ((1 << cut) - 1), 1u64 << (cut - 1));
        mantissa >>= cut;
        mantissa += u64::from(rest > half || rest == half && mantissa & 1 == 1);
        if mantissa >> (52 - cut) >= 2 {
            mantissa >>= 1;
            exponent += 1;
        }
        shown = p;
    }
    let top = mantissa >> (4 * shown);
    let mut fraction = match shown {
        0 => String::new(),
        n => format!("{:0n$x}", mantissa & ((1 << (4 * n)) - 1)),
    };
    match precision {
        None => fraction.truncate(fraction.trim_end_matches('0').len()),
        Some(p) => fraction.extend(std::iter::repeat_n('0', p - shown)),
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let (minus, sign) = (if x.is_sign_negative() { "-" } else { "" }, if exponent < 0 { '-' } else { '+' });
    let text = format!("{minus}0x{top}{point}{fraction}p{sign}{:02}", exponent.unsigned_abs());
    if upper { text.to_uppercase() } else { text }
}

/// A float as `encoding/json` writes it: without an exponent from 1e-6 up to 1e21. NaN and infinities are no JSON: `None`.
pub fn json_float(x: f64) -> Option<String> {
    if !x.is_finite() {
        return None;
    }
    let size = x.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // The exponent is written without a leading zero.
        return Some(float(x, 'e', None).replace("e-0", "e-").replace("e+0", "e+"));
    }
    Some(float(x, 'f', None))
}

/// A text in double quotes as `strconv.Quote` writes it; with `ascii` as `QuoteToASCII` does.
pub fn quote(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        escape(&mut out, c, '"', ascii);
    }
    out.push('"');
    out
}

/// A character in single quotes as `strconv.QuoteRune` writes it.
pub fn quote_char(c: char, ascii: bool) -> String {
    let mut out = String::from("'");
    escape(&mut out, c, '\'', ascii);
    out.push('\'');
    out
}

fn escape(out: &mut String, c: char, quote: char, ascii: bool) {
    let short = match c {
        '\x07' => Some('a'),
        '\x08' => Some('b'),
        '\x0c' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\x0b' => Some('v'),
        '\\' => Some('\\'),
        c if c == quote => Some(c),
        _ => None,
    };
    let _ = match (short, c as u32) {
        (Some(short), _) => write!(out, "\\{short}"),
        (None, n @ (0..0x20 | 0x7f)) => write!(out, "\\x{n:02x}"),
        (None, n) if n >= 0x80 && (ascii || !printable(c)) => match n {
            0x10000.. => write!(out, "\\U{n:08x}"),
            _ => write!(out, "\\u{n:04x}"),
        },
        _ => out.write_char(c),
    };
}

/// Whether Go shows a character as it is: letters, marks, numbers, punctuation, symbols; of spaces only the ASCII one.
fn printable(c: char) -> bool {
    // Rust's own `escape_debug` decides by the same Unicode classes; it only escapes marks at the beginning too, which Go doesn't.
    let escaped = c.escape_debug().next() == Some('\\');
    !c.is_control() && !c.is_whitespace() && (!escaped || is_mark(c))
}

/// Marks that join the character before them, of the blocks where they are common.
fn is_mark(c: char) -> bool {
    matches!(c as u32, 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f | 0x900..=0x903
        | 0x93a..=0x94f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f)
}

/// A string literal of Go, quoted with `"` or a backquote, as the text it stands for; `None` where it isn't one.
pub fn unquote(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('`') {
        return raw.strip_suffix('`').filter(|r| !r.contains('`')).map(|r| r.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(literal.len());
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    while !rest.is_empty() {
        rest = unescape(rest, '"', &mut bytes)?;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A character literal of Go, as the character.
pub fn unquote_char(literal: &str) -> Option<char> {
    let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut bytes = Vec::new();
    if !unescape(inner, '\'', &mut bytes)?.is_empty() {
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => text.chars().next(),
        Err(e) => e.as_bytes().first().map(|b| char::from(*b)),
    }
}

/// Reads one character, escaped or not, and gives what is behind it.
fn unescape<'a>(text: &'a str, quote: char, out: &mut Vec<u8>) -> Option<&'a str> {
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    let mut chars = text.chars();
    match chars.next()? {
        c if c == quote || c == '\n' => return None,
        '\\' => {}
        c => {
            push(c);
            return Some(chars.as_str());
        }
    }
    let kind = chars.next()?;
    let rest = chars.as_str();
    let number = |digits: usize, radix: u32, text: &'a str| {
        let (number, rest) = text.split_at_checked(digits)?;
        let all_digits = number.chars().all(|c| c.is_digit(radix));
        u32::from_str_radix(number, radix).ok().filter(|_| all_digits).map(|n| (n, rest))
    };
    match kind {
        'a' => push('\x07'),
        'b' => push('\x08'),
        'f' => push('\x0c'),
        'n' => push('\n'),
        'r' => push('\r'),
        't' => push('\t'),
        'v' => push('\x0b'),
        '\\' => push('\\'),
        c if c == quote => push(c),
        'u' | 'U' => {
            let (n, rest) = number(if kind == 'u' { 4 } else { 8 }, 16, rest)?;
            push(char::from_u32(n)?);
            return Some(rest);
        }
        // Bytes, not characters.
        'x' => {
            let (n, rest) = number(2, 16, rest)?;
            out.push(n as u8);
            return Some(rest);
        }
        '0'..='7' => {
            let (n, rest) = number(3, 8, &text[1..])?;
            out.push(u8::try_from(n).ok()?);
            return Some(rest);
        }
        _ => return None,
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        // Each line: number, %g, %.3g, %e, %.1f, %x, %.2x; from a Go program.
        let cases = [
            (0.0, "0 0 0.000000e+00 0.0 0x0p+00 0x0.00p+00"),
            (-1.0, "-1 -1 -1.000000e+00 -1.0 -0x1p+00 -0x1.00p+00"),
            (100000.0, "100000 1e+05 1.000000e+05 100000.0 0x1.86ap+16 0x1.87p+16"),
            (1234567.0, "1.234567e+06 1.23e+06 1.234567e+06 1234567.0 0x1.2d687p+20 0x1.2dp+20"),
            (123456.0, "123456 1.23e+05 1.234560e+05 123456.0 0x1.e24p+16 0x1.e2p+16"),
            (1e21, "1e+21 1e+21 1.000000e+21 1000000000000000000000.0 0x1.b1ae4d6e2ef5p+69 0x1.b2p+69"),
            (1.5e-5, "1.5e-05 1.5e-05 1.500000e-05 0.0 0x1.f75104d551d69p-17 0x1.f7p-17"),
            (0.0001, "0.0001 0.0001 1.000000e-04 0.0 0x1.a36e2eb1c432dp-14 0x1.a3p-14"),
            (123456789.125, "1.23456789125e+08 1.23e+08 1.234568e+08 123456789.1 0x1.d6f34548p+26 0x1.d7p+26"),
            (5e-324, "5e-324 4.94e-324 4.940656e-324 0.0 0x1p-1074 0x1.00p-1074"),
            (0.1, "0.1 0.1 1.000000e-01 0.1 0x1.999999999999ap-04 0x1.9ap-04"),
        ];
        for (x, expected) in cases {
            let got = [('g', None), ('g', Some(3)), ('e', Some(6)), ('f', Some(1)), ('x', None), ('x', Some(2))]
                .map(|(verb, precision)| float(x, verb, precision));
            assert_eq!(got.join(" "), expected);
        }
        assert_eq!(float(f64::INFINITY, 'g', None), "+Inf");
        assert_eq!(float(1e21, 'f', None), "1000000000000000000000");
        assert_eq!(float(f64::MAX, 'x', Some(2)), "0x1.00p+1024");
    }

    #[test]
    fn json_has_its_own_limits() {
        let shown = [1e20, 1e21, 1e-6, 1e-7, 0.0, -2.5].map(|x| json_float(x).unwrap_or_default());
        assert_eq!(shown.join(" "), "100000000000000000000 1e+21 0.000001 1e-7 0 -2.5");
        assert_eq!(json_float(f64::NAN), None);
    }

    #[test]
    fn quotes_and_back() {
        let text = "a\"b\\\n\u{7f}é\u{1F600}\u{feff}";
        assert_eq!(quote(text, false), r#""a\"b\\\n\x7fé😀\ufeff""#);
        assert_eq!(quote(text, true), r#""a\"b\\\n\x7f\u00e9\U0001f600\ufeff""#);
        assert_eq!(unquote(&quote(text, false)).as_deref(), Some(text));
        assert_eq!(unquote(r#""\101\x42é""#).as_deref(), Some("ABé"));
        for wrong in [r#""\q""#, r#""a"b""#, "\"a", "'a'", r#""\u12""#] {
            assert_eq!(unquote(wrong), None, "{wrong}");
        }
        assert_eq!((unquote_char(r"'\''"), unquote_char("'é'"), unquote_char("'ab'")), (Some('\''), Some('é'), None));
    }
}
