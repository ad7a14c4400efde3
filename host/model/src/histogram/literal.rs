//! Reading the `{{...}}` form of test scripts.

use super::{CounterResetHint, Histogram, Span};
use crate::number::parse_go_float;

/// The most buckets, or custom bounds, that one literal may have.
const MAX_VALUES: usize = 100_000;

/// A histogram literal that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad histogram at column {}: {reason}", offset + 1)]
pub struct LiteralError {
    /// Where, in bytes from the literal's beginning.
    pub offset: usize,
    /// What was found and what is allowed.
    pub reason: String,
}

/// A histogram as a test script writes it:
/// `{{schema:1 count:3 sum:5 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] offset:1 n_buckets:[3] n_offset:1 custom_values:[1 2] counter_reset_hint:gauge}}`,
/// every field at most once, in any order; what isn't there is 0, and empty.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramLiteral {
    /// The histogram.
    pub histogram: Histogram,
    /// Whether a hint was written; in expectations one that wasn't is not compared.
    pub hint_given: bool,
    /// How many bytes of the text were read, `}}` included.
    pub length: usize,
}

impl HistogramLiteral {
    /// Reads the literal that a text begins with; it may go on behind it.
    pub fn parse(text: &str) -> Result<HistogramLiteral, LiteralError> {
        let mut reader = Reader { text, at: 0 };
        reader.expect("{{")?;
        let mut fields = Fields::default();
        loop {
            reader.skip_spaces();
            if reader.take("}}") {
                break;
            }
            reader.field(&mut fields)?;
        }
        let hint_given = fields.hint.is_some();
        Ok(HistogramLiteral { histogram: fields.histogram(), hint_given, length: reader.at })
    }
}

#[derive(Default)]
struct Fields {
    seen: Vec<&'static str>,
    schema: i32,
    count: f64,
    sum: f64,
    zero_count: f64,
    zero_threshold: f64,
    custom_values: Vec<f64>,
    buckets: Vec<f64>,
    offset: i32,
    n_buckets: Vec<f64>,
    n_offset: i32,
    hint: Option<CounterResetHint>,
}

impl Fields {
    fn histogram(self) -> Histogram {
        let span = |offset, buckets: &[f64]| match buckets.len() {
            0 => Vec::new(),
            n => vec![Span { offset, length: n as u32 }],
        };
        Histogram {
            counter_reset_hint: self.hint.unwrap_or_default(),
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans: span(self.offset, &self.buckets),
            negative_spans: span(self.n_offset, &self.n_buckets),
            positive_buckets: self.buckets,
            negative_buckets: self.n_buckets,
            custom_values: self.custom_values,
        }
    }
}

const NAMES: [&str; 11] = [
    "schema",
    "count",
    "sum",
    "z_bucket",
    "z_bucket_w",
    "custom_values",
    "buckets",
    "offset",
    "n_buckets",
    "n_offset",
    "counter_reset_hint",
];

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn error<T>(&self, offset: usize, reason: impl Into<String>) -> Result<T, LiteralError> {
        Err(LiteralError { offset, reason: reason.into() })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), LiteralError> {
        if self.take(token) {
            return Ok(());
        }
        match self.rest().chars().next() {
            Some(c) => self.error(self.at, format!("unexpected `{c}`, expected `{token}`")),
            None => self.error(self.at, format!("unexpected end, expected `{token}`")),
        }
    }

    /// What stands up to the next space, bracket or brace.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find([' ', '\t', '[', ']', '{', '}', ':']).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn field(&mut self, fields: &mut Fields) -> Result<(), LiteralError> {
        if self.rest().is_empty() {
            return self.expect("}}");
        }
        let start = self.at;
        let word = self.word();
        let Some(name) = NAMES.iter().find(|name| **name == word) else {
            return self.error(start, format!("unknown field `{word}`, known are {}", NAMES.join(", ")));
        };
        if fields.seen.contains(name) {
            return self.error(start, format!("`{name}` is given twice"));
        }
        fields.seen.push(name);
        self.skip_spaces();
        self.expect(":")?;
        self.skip_spaces();
        match *name {
            "schema" => fields.schema = self.integer()?,
            "count" => fields.count = self.number()?,
            "sum" => fields.sum = self.number()?,
            "z_bucket" => fields.zero_count = self.number()?,
            "z_bucket_w" => fields.zero_threshold = self.number()?,
            "custom_values" => fields.custom_values = self.list()?,
            "buckets" => fields.buckets = self.list()?,
            "offset" => fields.offset = self.integer()?,
            "n_buckets" => fields.n_buckets = self.list()?,
            "n_offset" => fields.n_offset = self.integer()?,
            _ => fields.hint = Some(self.hint()?),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<f64, LiteralError> {
        let start = self.at;
        let word = self.word();
        match parse_go_float(word) {
            Some(value) => Ok(value),
            None => self.error(start, format!("`{word}` is no number")),
        }
    }

    fn integer(&mut self) -> Result<i32, LiteralError> {
        let start = self.at;
        let word = self.word();
        match word.strip_prefix('+').unwrap_or(word).parse() {
            Ok(value) => Ok(value),
            Err(_) => self.error(start, format!("`{word}` is no integer")),
        }
    }

    fn hint(&mut self) -> Result<CounterResetHint, LiteralError> {
        let start = self.at;
        match self.word() {
            "unknown" => Ok(CounterResetHint::Unknown),
            "reset" => Ok(CounterResetHint::Reset),
            "not_reset" => Ok(CounterResetHint::NotReset),
            "gauge" => Ok(CounterResetHint::Gauge),
            other => self.error(start, format!("unknown hint `{other}`, known are unknown, reset, not_reset, gauge")),
        }
    }

    fn list(&mut self) -> Result<Vec<f64>, LiteralError> {
        self.expect("[")?;
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            if self.take("]") {
                return Ok(values);
            }
            if values.len() == MAX_VALUES {
                return self.error(self.at, format!("more than {MAX_VALUES} values in a list"));
            }
            values.push(self.number()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_fields_and_stops_behind_them() {
        let text = "{{ schema:1 count:6 sum:-5.5e2 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 ] offset:-3 n_buckets:[2] n_offset:4 counter_reset_hint:gauge }}x5";
        let read = HistogramLiteral::parse(text).unwrap();
        assert_eq!(&text[read.length..], "x5");
        let h = read.histogram;
        assert!(read.hint_given && h.counter_reset_hint == CounterResetHint::Gauge);
        assert_eq!((h.schema, h.count, h.sum, h.zero_count, h.zero_threshold), (1, 6.0, -550.0, 1.0, 0.001));
        assert_eq!(h.positive_spans, [Span { offset: -3, length: 2 }]);
        assert_eq!(h.negative_spans, [Span { offset: 4, length: 1 }]);
        let empty = HistogramLiteral::parse("{{}}").unwrap();
        assert_eq!((empty.histogram, empty.hint_given), (Histogram::default(), false));
    }

    #[test]
    fn refuses_with_place_and_reason() {
        for (text, expected) in [
            ("", "column 1: unexpected end, expected `{{`"),
            ("{{sum:1", "unexpected end"),
            ("{{sum:1 sum:2}}", "column 9: `sum` is given twice"),
            ("{{sun:1}}", "column 3: unknown field `sun`"),
            ("{{sum:x}}", "column 7: `x` is no number"),
            ("{{schema:1.5}}", "`1.5` is no integer"),
            ("{{buckets:[1 2}}", "`` is no number"),
            ("{{counter_reset_hint:maybe}}", "unknown hint `maybe`"),
        ] {
            let error = HistogramLiteral::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(\\{\\{)?[a-z_: \\[\\]0-9.+-]{0,40}(\\}\\})?|.{0,20}") {
            let _ = HistogramLiteral::parse(&text);
        }
    }
}
