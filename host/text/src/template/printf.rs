//! Go's `fmt`: printing of values, and `printf`.

use std::fmt::Write as _;

use super::Value;
use crate::gofmt;
use crate::gotime::Duration;

/// Where printing stops: what a template may hold is bounded, but one list may lie in another many times over.
const MAX_BYTES: usize = 8 << 20;
/// The largest width and precision.
const MAX_WIDTH: usize = 100_000;

/// A value as `%v` prints it.
pub(super) fn plain(value: &Value) -> String {
    let mut out = String::new();
    Verb { verb: 'v', ..Verb::default() }.value(&mut out, value);
    out
}

/// `print`: spaces between operands where neither is a string.
pub(super) fn print(args: &[Value]) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        let text = |v: &Value| matches!(v, Value::String(_));
        if i > 0 && !text(arg) && !text(&args[i - 1]) {
            out.push(' ');
        }
        out.push_str(&plain(arg));
    }
    out
}

/// `println`: spaces between all operands.
pub(super) fn println(args: &[Value]) -> String {
    let shown: Vec<String> = args.iter().map(plain).collect();
    shown.join(" ") + "\n"
}

/// One directive: flags, width, precision, verb.
#[derive(Clone, Default)]
struct Verb {
    plus: bool,
    /// `%+v`: names of fields, and no sign.
    names: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    verb: char,
}

/// `printf`. What is wrong with the format shows up in the text, as in Go: `%!d(string=x)`, `%!s(MISSING)`.
pub(super) fn printf(format: &str, args: &[Value]) -> String {
    let mut run = Run { format, at: 0, args, next: 0, reordered: false, good_index: true };
    let mut out = String::new();
    while let Some(len) = run.rest().find('%') {
        out.push_str(&run.rest()[..len]);
        run.at += len + 1;
        run.directive(&mut out);
        if out.len() > MAX_BYTES {
            return out;
        }
    }
    out.push_str(run.rest());
    if !run.reordered && run.next < args.len() {
        out.push_str("%!(EXTRA ");
        for (i, arg) in args[run.next..].iter().enumerate() {
            out.push_str(if i > 0 { ", " } else { "" });
            match arg {
                Value::Nil => out.push_str("<nil>"),
                arg => {
                    let _ = write!(out, "{}={}", arg.type_name(), plain(arg));
                }
            }
        }
        out.push(')');
    }
    out
}

/// The walk through a format.
struct Run<'f> {
    format: &'f str,
    at: usize,
    args: &'f [Value],
    next: usize,
    /// Whether `[n]` was used: then left over arguments are no mistake.
    reordered: bool,
    good_index: bool,
}

impl<'f> Run<'f> {
    fn rest(&self) -> &'f str {
        &self.format[self.at..]
    }

    fn accept(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest()[..digits].parse().ok();
        self.at += digits;
        number
    }

    /// `[n]`, which chooses the next argument.
    fn index(&mut self) -> bool {
        if !self.rest().starts_with('[') {
            return false;
        }
        self.reordered = true;
        let Some(end) = self.rest().find(']') else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let index = self.rest()[1..end].parse::<usize>().ok().filter(|n| (1..=self.args.len()).contains(n));
        self.at += end + 1;
        match index {
            Some(n) => {
                self.next = n - 1;
                true
            }
            None => {
                self.good_index = false;
                true
            }
        }
    }

    fn star(&mut self) -> Option<i64> {
        let value = self.args.get(self.next);
        self.next += usize::from(value.is_some());
        match value {
            Some(Value::Int(n)) if n.unsigned_abs() <= MAX_WIDTH as u64 => Some(*n),
            _ => None,
        }
    }

    fn directive(&mut self, out: &mut String) {
        let mut v = Verb::default();
        self.good_index = true;
        loop {
            match self.rest().chars().next() {
                Some('#') => v.sharp = true,
                Some('0') => v.zero = true,
                Some('+') => v.plus = true,
                Some('-') => v.minus = true,
                Some(' ') => v.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.index();
        if self.accept('*') {
            match self.star() {
                Some(n) => {
                    v.minus |= n < 0;
                    v.width = Some(n.unsigned_abs() as usize);
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else if let Some(width) = self.number() {
            self.good_index &= !after_index;
            v.width = Some(width.min(MAX_WIDTH));
        }
        if self.accept('.') {
            self.good_index &= !after_index;
            after_index = self.index();
            if self.accept('*') {
                match self.star() {
                    Some(n) if n >= 0 => v.precision = Some(n as usize),
                    Some(_) | None => out.push_str("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                v.precision = Some(self.number().unwrap_or(0).min(MAX_WIDTH));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest().chars().next() else {
            out.push_str("%!(NOVERB)");
            return;
        };
        self.at += verb.len_utf8();
        v.verb = verb;
        if verb == 'v' {
            v.names = std::mem::take(&mut v.plus);
        }
        match (verb, self.args.get(self.next)) {
            ('%', _) => out.push('%'),
            _ if !self.good_index => {
                let _ = write!(out, "%!{verb}(BADINDEX)");
            }
            (_, None) => {
                let _ = write!(out, "%!{verb}(MISSING)");
            }
            (_, Some(arg)) => {
                self.next += 1;
                v.value(out, arg);
            }
        }
    }
}

impl Verb {
    fn value(&self, out: &mut String, value: &Value) {
        if out.len() > MAX_BYTES {
            return;
        }
        match (self.verb, value) {
            ('T', value) => self.text_as(out, 's', value.type_name()),
            ('p', value) => self.bad(out, value),
            ('v', Value::Nil) => self.pad(out, "<nil>", false),
            (verb, Value::Nil) => {
                let _ = write!(out, "%!{verb}(<nil>)");
            }
            ('t' | 'v', Value::Bool(b)) => self.pad(out, if *b { "true" } else { "false" }, self.zero && !self.minus),
            (_, Value::Int(n)) => self.int(out, *n, value),
            (_, Value::Float(x)) => self.float(out, *x, value),
            ('v', Value::String(s)) if self.sharp => self.text_as(out, 'q', s),
            ('s' | 'v' | 'q' | 'x' | 'X', Value::String(s)) => self.text_as(out, self.verb, s),
            ('s' | 'v' | 'q' | 'x' | 'X', Value::Time(t)) => self.text_as(out, self.verb, &t.to_string()),
            ('s' | 'v' | 'q' | 'x' | 'X', Value::Duration(d)) => self.text_as(out, self.verb, &d.to_string()),
            (_, Value::Duration(Duration(n))) => self.int(out, *n, value),
            ('s' | 'v' | 'q' | 'x' | 'X', value)
                if !self.sharp
                    && let Some(text) = stringer(value) =>
            {
                self.text_as(out, self.verb, &text);
            }
            (_, Value::List(list)) => {
                let (open, separator, close) = if self.go_syntax() { ("{", ", ", "}") } else { ("[", " ", "]") };
                out.push_str(if self.go_syntax() { list.class.name } else { "" });
                out.push_str(open);
                for (i, item) in list.items.iter().enumerate() {
                    out.push_str(if i > 0 { separator } else { "" });
                    self.inner(out, item);
                }
                out.push_str(close);
            }
            (_, Value::Map(map)) => {
                let (open, separator, close) = if self.go_syntax() { ("{", ", ", "}") } else { ("[", " ", "]") };
                out.push_str(if self.go_syntax() { map.class.name } else { "map" });
                out.push_str(open);
                for (i, (key, item)) in map.entries.iter().enumerate() {
                    out.push_str(if i > 0 { separator } else { "" });
                    self.value(out, &Value::from(key.as_str()));
                    out.push(':');
                    self.inner(out, item);
                }
                out.push_str(close);
            }
            (_, Value::Struct(s)) => {
                out.push_str(if self.go_syntax() { s.class.name } else { "" });
                out.push('{');
                for (i, field) in s.fields.iter().enumerate() {
                    out.push_str(if i == 0 {
                        ""
                    } else if self.go_syntax() {
                        ", "
                    } else {
                        " "
                    });
                    if self.names || self.go_syntax() {
                        let _ = write!(out, "{}:", field.name);
                    }
                    self.inner(out, &field.value);
                }
                out.push('}');
            }
            (_, value) => self.bad(out, value),
        }
    }

    /// A value inside another, where nil is `<nil>` to every verb.
    fn inner(&self, out: &mut String, value: &Value) {
        match value {
            Value::Nil => out.push_str("<nil>"),
            value => self.value(out, value),
        }
    }

    /// `%#v`
    fn go_syntax(&self) -> bool {
        self.verb == 'v' && self.sharp
    }

    /// A verb that the value's type doesn't have.
    fn bad(&self, out: &mut String, value: &Value) {
        let _ = write!(out, "%!{}({}={})", self.verb, value.type_name(), plain(value));
    }

    /// Writes a text at the width, counted in characters.
    fn pad(&self, out: &mut String, text: &str, zeros: bool) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let fill = std::iter::repeat_n(if zeros { '0' } else { ' ' }, missing);
        if self.minus {
            out.push_str(text);
            out.extend(fill);
        } else {
            out.extend(fill);
            out.push_str(text);
        }
    }

    fn text_as(&self, out: &mut String, verb: char, text: &str) {
        let cut: String = match self.precision {
            Some(n) if !matches!(verb, 'x' | 'X') => text.chars().take(n).collect(),
            _ => text.to_owned(),
        };
        let zeros = self.zero && !self.minus;
        match verb {
            'q' if self.sharp && self.verb == 'q' && can_backquote(&cut) => self.pad(out, &format!("`{cut}`"), zeros),
            'q' => self.pad(out, &gofmt::quote(&cut, self.plus), zeros),
            'x' | 'X' => {
                let bytes = text.as_bytes();
                let bytes = &bytes[..self.precision.unwrap_or(bytes.len()).min(bytes.len())];
                let prefix = if self.sharp && !bytes.is_empty() { "0x" } else { "" };
                let mut hex = String::from(prefix);
                for (i, byte) in bytes.iter().enumerate() {
                    if i > 0 && self.space {
                        let _ = write!(hex, " {prefix}");
                    }
                    let _ = write!(hex, "{byte:02x}");
                }
                self.pad(out, &if verb == 'X' { hex.to_uppercase() } else { hex }, zeros);
            }
            _ => self.pad(out, &cut, zeros),
        }
    }

    fn int(&self, out: &mut String, n: i64, value: &Value) {
        let size = n.unsigned_abs();
        let (mut digits, prefix) = match self.verb {
            'v' | 'd' => (size.to_string(), ""),
            'b' => (format!("{size:b}"), if self.sharp { "0b" } else { "" }),
            'o' => (format!("{size:o}"), if self.sharp { "0" } else { "" }),
            'O' => (format!("{size:o}"), "0o"),
            'x' => (format!("{size:x}"), if self.sharp { "0x" } else { "" }),
            'X' => (format!("{size:X}"), if self.sharp { "0X" } else { "" }),
            'c' | 'q' | 'U' => return self.character(out, n),
            _ => return self.bad(out, value),
        };
        let sign = if n < 0 {
            "-"
        } else if self.plus {
            "+"
        } else if self.space {
            " "
        } else {
            ""
        };
        match self.precision {
            Some(0) if n == 0 => return self.pad(out, "", false),
            Some(p) => digits = format!("{digits:0>p$}"),
            None if self.zero && !self.minus => {
                let p = self.width.unwrap_or(0).saturating_sub(sign.len());
                digits = format!("{digits:0>p$}");
            }
            None => {}
        }
        let prefix = if prefix == "0" && digits.starts_with('0') { "" } else { prefix };
        self.pad(out, &format!("{sign}{prefix}{digits}"), false);
    }

    fn character(&self, out: &mut String, n: i64) {
        let c = u32::try_from(n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
        let text = match self.verb {
            'c' => c.to_string(),
            'q' => gofmt::quote_char(c, self.plus),
            _ => {
                let digits = self.precision.unwrap_or(4).max(4);
                let shown = if self.sharp { format!(" '{c}'") } else { String::new() };
                format!("U+{:0>digits$}{shown}", format!("{:X}", n as u64))
            }
        };
        self.pad(out, &text, self.zero && !self.minus && self.verb != 'U');
    }

    fn float(&self, out: &mut String, x: f64, value: &Value) {
        let (verb, default) = match self.verb {
            'v' => ('g', None),
            'g' | 'G' | 'x' | 'X' => (self.verb, None),
            'e' | 'E' | 'f' | 'F' => (self.verb, Some(6)),
            _ => return self.bad(out, value),
        };
        let shown = gofmt::float(x, verb, self.precision.or(default));
        let (sign, digits) = match shown.strip_prefix(['-', '+']) {
            Some(digits) if shown.starts_with('-') => ("-", digits),
            Some(digits) => ("+", digits),
            None => ("+", shown.as_str()),
        };
        let sign = match sign {
            "-" => "-",
            _ if self.plus => "+",
            _ if self.space => " ",
            // Infinity keeps its sign; that of a number is dropped.
            _ if x == f64::INFINITY => "+",
            _ => "",
        };
        if self.zero && !self.minus && x.is_finite() {
            let width = self.width.unwrap_or(0).saturating_sub(sign.len());
            let _ = write!(out, "{sign}{digits:0>width$}");
            return;
        }
        self.pad(out, &format!("{sign}{digits}"), false);
    }
}

/// What a value's own `String` method says.
fn stringer(value: &Value) -> Option<String> {
    let method = value.class()?.methods.iter().find(|m| m.name == "String" && m.params.kinds.is_empty())?;
    match (method.call)(value, &[]) {
        Ok(Value::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn can_backquote(text: &str) -> bool {
    !text.chars().any(|c| c == '`' || c == '\u{feff}' || c == '\u{7f}' || (c < ' ' && c != '\t'))
}
