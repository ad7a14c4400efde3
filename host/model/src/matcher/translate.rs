//! From the syntax of Go's regexp (RE2) to that of the `regex` crate.
//!
//! They differ in little, but where they do, an expression means something else or nothing: RE2's `\d \w \s \b` know ASCII only;
//! inside brackets it has neither nested classes nor `&& -- ~~`; it has `\Q..\E`, octal escapes and `{` as a literal; it knows no
//! flags but `imsU` and forbids repeating a repetition. Source: the syntax page of Go's package regexp/syntax.

/// The longest expression taken, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// The most often that RE2 repeats.
const MAX_REPEAT: u32 = 1000;

/// The expression in the `regex` crate's syntax, or what is wrong with it.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("it is {} bytes long, the limit is {MAX_PATTERN_BYTES}", pattern.len()));
    }
    let mut t = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
        repeatable: false,
        repeated: false,
    };
    while let Some(c) = t.next() {
        t.token(c)?;
    }
    Ok(t.out)
}

/// What an escape stands for.
enum Escape {
    Char(char),
    /// A class, as written inside or outside of brackets.
    Class(String),
    /// An assertion, or something else only to be had outside of brackets.
    Other(&'static str),
    /// `\Q`: literal text follows.
    Quote,
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// Whether there is something before that can be repeated.
    repeatable: bool,
    /// Whether that is a repetition itself.
    repeated: bool,
}

impl<'a> Translator<'a> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn atom(&mut self) {
        self.repeatable = true;
        self.repeated = false;
    }

    fn token(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => self.escape_outside()?,
            '[' => self.class()?,
            '(' => self.group()?,
            '*' | '+' | '?' => self.repeat(&c.to_string())?,
            '{' => match self.counted() {
                Some(count) => self.repeat(&count?)?,
                None => self.literal('{'),
            },
            '|' | '^' | '$' => {
                self.out.push(c);
                // `^*` is fine in both; after `|` there is nothing to repeat.
                self.repeatable = c != '|';
                self.repeated = false;
            }
            ')' | '.' => {
                self.out.push(c);
                self.atom();
            }
            c => self.literal(c),
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        push_literal(&mut self.out, c);
        self.atom();
    }

    fn repeat(&mut self, operator: &str) -> Result<(), String> {
        if !self.repeatable {
            return Err(format!("missing argument to repetition operator: `{operator}`"));
        }
        if self.repeated {
            return Err(format!("invalid nested repetition operator: `{operator}`"));
        }
        self.out.push_str(operator);
        if self.take("?") {
            self.out.push('?');
        }
        self.repeated = true;
        Ok(())
    }

    /// What follows a `{`, where it is `n}`, `n,}` or `n,m}`; else the brace is a literal.
    fn counted(&mut self) -> Option<Result<String, String>> {
        let (inside, rest) = self.rest.split_once('}')?;
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let digits =
            |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()) && (s.len() == 1 || !s.starts_with('0'));
        if !digits(low) || !(high.is_empty() || digits(high)) {
            return None;
        }
        let number = |s: &str| s.parse::<u32>().ok().filter(|n| *n <= MAX_REPEAT);
        let low = number(low);
        let high = if high.is_empty() { Some(MAX_REPEAT) } else { number(high) };
        let ok = matches!((low, high), (Some(low), Some(high)) if low <= high);
        let text = format!("{{{inside}}}");
        self.rest = rest;
        Some(if ok { Ok(text) } else { Err(format!("invalid repeat count: `{text}`")) })
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        self.repeatable = false;
        self.repeated = false;
        let Some(after) = self.rest.strip_prefix('?') else { return Ok(()) };
        let named = after.starts_with("P<") || after.starts_with('<');
        let end = after.find(if named { ['>', '>'] } else { [':', ')'] });
        let Some(end) = end else { return Err(format!("missing closing ): `({}`", self.rest)) };
        let inside = &after[..end];
        if !named && !inside.chars().all(|c| "imsU-".contains(c)) || inside.is_empty() && after.starts_with(')') {
            return Err(format!("invalid or unsupported Perl syntax: `(?{inside}`"));
        }
        self.out.push('?');
        self.out.push_str(&after[..=end]);
        self.rest = &after[end + 1..];
        Ok(())
    }

    fn escape_outside(&mut self) -> Result<(), String> {
        match self.escape()? {
            Escape::Char(c) => self.literal(c),
            Escape::Class(class) => {
                self.out.push_str(&class);
                self.atom();
            }
            Escape::Other(text) => {
                self.out.push_str(text);
                self.atom();
            }
            Escape::Quote => {
                let (text, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                text.chars().for_each(|c| self.literal(c));
            }
        }
        Ok(())
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<Escape, String> {
        let Some(c) = self.next() else { return Err("trailing backslash at end of expression".to_owned()) };
        let class = |text: &str| Ok(Escape::Class(text.to_owned()));
        match c {
            'd' => class("[0-9]"),
            'D' => class("[^0-9]"),
            'w' => class("[0-9A-Za-z_]"),
            'W' => class("[^0-9A-Za-z_]"),
            's' => class("[\\t\\n\\x0C\\r ]"),
            'S' => class("[^\\t\\n\\x0C\\r ]"),
            'p' | 'P' => self.unicode_class(c),
            'b' => Ok(Escape::Other("(?-u:\\b)")),
            'B' => Ok(Escape::Other("(?-u:\\B)")),
            'A' => Ok(Escape::Other("\\A")),
            'z' => Ok(Escape::Other("\\z")),
            'Q' => Ok(Escape::Quote),
            'a' => Ok(Escape::Char('\x07')),
            'f' => Ok(Escape::Char('\x0c')),
            't' => Ok(Escape::Char('\t')),
            'n' => Ok(Escape::Char('\n')),
            'r' => Ok(Escape::Char('\r')),
            'v' => Ok(Escape::Char('\x0b')),
            'x' => self.hexadecimal(),
            '0'..='7' => self.octal(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(Escape::Char(c)),
            c => Err(format!("invalid escape sequence: `\\{c}`")),
        }
    }

    fn unicode_class(&mut self, p: char) -> Result<Escape, String> {
        let name = if self.take("{") {
            let Some((name, rest)) = self.rest.split_once('}') else {
                return Err(format!("invalid character class range: `\\{p}{{`"));
            };
            self.rest = rest;
            name.to_owned()
        } else {
            self.next().map(String::from).unwrap_or_default()
        };
        let (negated, bare) = name.strip_prefix('^').map_or((false, name.as_str()), |bare| (true, bare));
        if bare.is_empty() || !bare.chars().all(|c| c.is_ascii_alphabetic() || c == '_') {
            return Err(format!("invalid character class range: `\\{p}{{{name}}}`"));
        }
        let p = if negated == (p == 'p') { 'P' } else { 'p' };
        Ok(Escape::Class(format!("\\{p}{{{bare}}}")))
    }

    fn hexadecimal(&mut self) -> Result<Escape, String> {
        let digits = if self.take("{") {
            let Some((digits, rest)) = self.rest.split_once('}') else {
                return Err("invalid escape sequence: `\\x{`".to_owned());
            };
            self.rest = rest;
            digits
        } else {
            let digits = self.rest.get(..2).unwrap_or("");
            self.rest = self.rest.get(2..).unwrap_or("");
            digits
        };
        let plain = digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let c = u32::from_str_radix(digits, 16).ok().filter(|_| plain).and_then(char::from_u32);
        c.map(Escape::Char).ok_or_else(|| format!("invalid escape sequence: `\\x{digits}`"))
    }

    /// Up to three octal digits. A single one from 1 on would be a reference to a group, which RE2 doesn't have.
    fn octal(&mut self, first: char) -> Result<Escape, String> {
        let is_octal = |c: &char| ('0'..='7').contains(c);
        if first != '0' && !self.rest.chars().next().as_ref().is_some_and(is_octal) {
            return Err(format!("invalid escape sequence: `\\{first}`"));
        }
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            match self.rest.chars().next().filter(is_octal) {
                Some(c) => {
                    value = value * 8 + c.to_digit(8).unwrap_or(0);
                    self.next();
                }
                None => break,
            }
        }
        char::from_u32(value).map(Escape::Char).ok_or_else(|| "invalid escape sequence".to_owned())
    }

    /// What follows a `[`.
    fn class(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let unclosed = || format!("missing closing ]: `[{whole}`");
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if !first && self.take("]") {
                break;
            }
            if self.rest.is_empty() {
                return Err(unclosed());
            }
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let name = &self.rest[2..end];
                if !is_posix_class(name.strip_prefix('^').unwrap_or(name)) {
                    return Err(format!("invalid character class range: `[:{name}:]`"));
                }
                self.out.push_str(&self.rest[..end + 2]);
                self.rest = &self.rest[end + 2..];
                first = false;
                continue;
            }
            first = false;
            let low = match self.class_item()? {
                Ok(c) => c,
                Err(class) => {
                    self.out.push_str(&class);
                    continue;
                }
            };
            push_in_class(&mut self.out, low);
            let is_range = self.rest.starts_with('-') && !self.rest[1..].starts_with(']') && self.rest.len() > 1;
            if is_range {
                self.next();
                match self.class_item()? {
                    Ok(high) if high >= low => {
                        self.out.push('-');
                        push_in_class(&mut self.out, high);
                    }
                    Ok(high) => return Err(format!("invalid character class range: `{low}-{high}`")),
                    Err(class) => return Err(format!("invalid character class range: `{low}-{class}`")),
                }
            }
        }
        self.out.push(']');
        self.atom();
        Ok(())
    }

    /// A character inside brackets, or a class.
    fn class_item(&mut self) -> Result<Result<char, String>, String> {
        match self.next() {
            Some('\\') => match self.escape()? {
                Escape::Char(c) => Ok(Ok(c)),
                Escape::Class(class) => Ok(Err(class)),
                Escape::Other(_) | Escape::Quote => Err("invalid escape sequence in a character class".to_owned()),
            },
            Some(c) => Ok(Ok(c)),
            None => Err("missing closing ]".to_owned()),
        }
    }
}

fn is_posix_class(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    NAMES.contains(&name)
}

fn push_literal(out: &mut String, c: char) {
    if "\\.+*?()|[]{}^$#&-~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

fn push_in_class(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && !"<>".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn what_differs() {
        let cases = [
            (r"a\d+", "a[0-9]+"),
            (r"[\d\-_]", r"[[0-9]\-\_]"),
            (r"\bx\B", r"(?-u:\b)x(?-u:\B)"),
            (r"[[a]", r"[\[a]"),
            (r"[]a]", r"[\]a]"),
            (r"[a-c-e]", r"[a-c\-e]"),
            (r"[a&&b]", r"[a\&\&b]"),
            (r"x{,3}", r"x\{,3\}"),
            (r"x{2,3}?", "x{2,3}?"),
            (r"a{", r"a\{"),
            (r"\Qa.b\E.", r"a\.b."),
            (r"\101\x41\x{41}", "AAA"),
            (r"\<b\>", "<b>"),
            (r"(?P<n>a)(?i:b)(?s)", "(?P<n>a)(?i:b)(?s)"),
            (r"\pN\P{Greek}\p{^Lu}", r"\p{N}\P{Greek}\P{Lu}"),
            (r"[[:alpha:]_]", r"[[:alpha:]\_]"),
        ];
        for (go, rust) in cases {
            let got = translate(go).unwrap();
            assert_eq!(got, rust);
            regex::Regex::new(&got).unwrap();
        }
    }

    #[test]
    fn what_go_refuses() {
        for pattern in [
            "*",
            "a**",
            "a{2}{3}",
            "a{1001}",
            "a{3,2}",
            "|*",
            "(?x)a",
            "(?u:a)",
            r"\1",
            r"\y",
            r"\",
            "[",
            "[a",
            "[b-a]",
            "[[:foo:]]",
            "(?a",
            "(*a)",
            r"\x{110000}",
            r"\C",
        ] {
            let refused = translate(pattern).is_err() || regex::Regex::new(&translate(pattern).unwrap()).is_err();
            assert!(refused, "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(pattern in r"[ab\\\[\](){}*+?|^$.:,0-9dwsbQExpP<>&~é-]{0,24}|.{0,12}") {
            let _ = translate(&pattern);
        }
    }
}
