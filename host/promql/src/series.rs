//! The series notation of test scripts and of promtool's unit tests: `name{a="b"} 1 2+3x4 _ stale {{schema:1 count:2}}x3`.

use std::sync::Arc;

use watchglass_model::{DurationMs, Histogram, HistogramLiteral, Labels, stale_nan};

use crate::parser::metric;

/// The most values that one line may stand for: far more than any test needs, little enough to hold.
pub const MAX_VALUES: usize = 1_000_000;

/// What stands at one step of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesValue {
    /// `_`: nothing.
    Omitted,
    /// A number, or the staleness marker (`stale`).
    Float(f64),
    /// `{{...}}`
    Histogram {
        /// The histogram.
        histogram: Arc<Histogram>,
        /// Whether its `counter_reset_hint` was written: only then it is compared in expectations.
        hint_given: bool,
    },
}

/// A line of the notation.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesLine {
    /// The series.
    pub labels: Labels,
    /// Its values, a step apart.
    pub values: Vec<SeriesValue>,
}

/// A line `name{a="b"}@st -1m _ -30s-1mx2`: when the counters behind the values of the series started.
#[derive(Clone, Debug, PartialEq)]
pub struct StartLine {
    /// The series.
    pub labels: Labels,
    /// For each step where the start lies as seen from it, in milliseconds; none: not known.
    pub offsets: Vec<Option<i64>>,
}

/// A line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct SeriesError {
    /// Where, in characters, from 1.
    pub column: usize,
    /// What was found and what is allowed.
    pub message: String,
}

/// Whether a line describes start timestamps rather than values.
pub fn is_start_line(line: &str) -> bool {
    metric(line).is_ok_and(|(_, end)| line[end..].starts_with("@st"))
}

/// Reads a series and its values.
pub fn parse_series(line: &str) -> Result<SeriesLine, SeriesError> {
    let (labels, mut reader) = head(line)?;
    let mut values = vec![];
    while reader.next_item()? {
        reader.values(&mut values)?;
    }
    Ok(SeriesLine { labels, values })
}

/// Reads a series and its start timestamps.
pub fn parse_starts(line: &str) -> Result<StartLine, SeriesError> {
    let (labels, mut reader) = head(line)?;
    if !reader.take("@st") {
        return Err(reader.error("expected \"@st\" behind the series"));
    }
    let mut offsets = vec![];
    while reader.next_item()? {
        reader.starts(&mut offsets)?;
    }
    Ok(StartLine { labels, offsets })
}

fn head(line: &str) -> Result<(Labels, Reader<'_>), SeriesError> {
    let (labels, end) = metric(line).map_err(|e| SeriesError { column: e.column as usize, message: e.message })?;
    Ok((labels, Reader { line, at: end }))
}

struct Reader<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn error(&self, message: impl Into<String>) -> SeriesError {
        SeriesError { column: self.line[..self.at].chars().count() + 1, message: message.into() }
    }

    fn unexpected(&self, expected: &str) -> SeriesError {
        let found = match self.rest().split_whitespace().next() {
            Some(word) if self.rest().starts_with(word) => format!("{word:?}"),
            Some(_) => "space".to_owned(),
            None => "end of line".to_owned(),
        };
        self.error(format!("unexpected {found} in series values, expected {expected}"))
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Skips the space before an item; no item at the end of the line.
    fn next_item(&mut self) -> Result<bool, SeriesError> {
        let trimmed = self.rest().trim_start();
        if trimmed.is_empty() {
            return Ok(false);
        }
        if trimmed.len() == self.rest().len() {
            return Err(self.unexpected("space"));
        }
        self.at = self.line.len() - trimmed.len();
        Ok(true)
    }

    fn values(&mut self, values: &mut Vec<SeriesValue>) -> Result<(), SeriesError> {
        if self.rest().starts_with("{{") {
            return self.histograms(values);
        }
        if self.take("_") {
            let times = self.times()?.unwrap_or(1);
            return self.push(values, times, |_| Ok(SeriesValue::Omitted));
        }
        let first = self.number("number, \"_\", \"stale\" or histogram")?;
        let (step, times) = match self.times()? {
            Some(times) => (0.0, times),
            None if self.rest().starts_with(['+', '-']) => {
                let step = self.number("number")?;
                (step, self.times()?.ok_or_else(|| self.unexpected("\"x\" and how many times"))?)
            }
            None => return self.push(values, 1, |_| Ok(SeriesValue::Float(first))),
        };
        let mut value = first;
        self.push(values, times + 1, |i| {
            if i > 0 {
                value += step;
            }
            Ok(SeriesValue::Float(value))
        })
    }

    fn histograms(&mut self, values: &mut Vec<SeriesValue>) -> Result<(), SeriesError> {
        let first = self.histogram()?;
        let hint_given = first.hint_given;
        let mut value = first.histogram;
        let sign = self.rest().chars().next().filter(|c| matches!(c, '+' | '-'));
        let (step, times) = match (self.times()?, sign) {
            (Some(times), _) => (None, times),
            (None, Some(sign)) => {
                self.at += 1;
                let step = self.histogram()?.histogram;
                (Some((sign, step)), self.times()?.ok_or_else(|| self.unexpected("\"x\" and how many times"))?)
            }
            (None, None) => (None, 0),
        };
        self.push(values, times + 1, |i| {
            if let (Some((sign, step)), true) = (&step, i > 0) {
                let done = if *sign == '+' { value.add(step) } else { value.sub(step) };
                done.map_err(|e| format!("error combining histograms: {e}"))?;
            }
            Ok(SeriesValue::Histogram { histogram: Arc::new(value.clone()), hint_given })
        })
    }

    fn histogram(&mut self) -> Result<HistogramLiteral, SeriesError> {
        let literal = HistogramLiteral::parse(self.rest()).map_err(|e| {
            let at = Reader { line: self.line, at: (self.at + e.offset).min(self.line.len()) };
            SeriesError { column: at.line.get(..at.at).unwrap_or("").chars().count() + 1, message: e.reason }
        })?;
        self.at += literal.length;
        Ok(literal)
    }

    fn push(
        &self,
        values: &mut Vec<SeriesValue>,
        times: usize,
        mut next: impl FnMut(usize) -> Result<SeriesValue, String>,
    ) -> Result<(), SeriesError> {
        self.bounded(values.len(), times)?;
        for i in 0..times {
            values.push(next(i).map_err(|e| self.error(e))?);
        }
        Ok(())
    }

    fn bounded(&self, have: usize, times: usize) -> Result<(), SeriesError> {
        match have.saturating_add(times) <= MAX_VALUES {
            true => Ok(()),
            false => Err(self.error(format!("too many values: at most {MAX_VALUES} are allowed in a line"))),
        }
    }

    fn starts(&mut self, offsets: &mut Vec<Option<i64>>) -> Result<(), SeriesError> {
        if self.take("_") {
            let times = self.times()?.unwrap_or(1);
            self.bounded(offsets.len(), times)?;
            offsets.extend(std::iter::repeat_n(None, times));
            return Ok(());
        }
        let first = self.duration()?;
        let (step, times) = match self.times()? {
            Some(times) => (0, times),
            None if self.rest().starts_with(['+', '-']) => {
                let step = self.duration()?;
                (step, self.times()?.ok_or_else(|| self.unexpected("\"x\" and how many times"))?)
            }
            None => (0, 0),
        };
        self.bounded(offsets.len(), times + 1)?;
        let mut offset = first;
        for i in 0..=times {
            if i > 0 {
                offset = offset.saturating_add(step);
            }
            offsets.push(Some(offset));
        }
        Ok(())
    }

    fn duration(&mut self) -> Result<i64, SeriesError> {
        let begin = self.at;
        let negative = self.rest().starts_with('-');
        if negative || self.rest().starts_with('+') {
            self.at += 1;
        }
        let text = self.rest();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() || c == 'x').unwrap_or(text.len());
        let parsed = DurationMs::parse(&text[..end]);
        match parsed {
            Ok(duration) => {
                self.at += end;
                Ok(if negative { -duration.millis() } else { duration.millis() })
            }
            Err(e) => {
                self.at = begin;
                Err(self.error(e.to_string()))
            }
        }
    }

    /// `x5`
    fn times(&mut self) -> Result<Option<usize>, SeriesError> {
        if !self.take("x") {
            return Ok(None);
        }
        let digits = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len());
        let times = self.rest()[..digits].parse::<usize>().ok().filter(|n| *n <= MAX_VALUES);
        match times {
            Some(times) => {
                self.at += digits;
                Ok(Some(times))
            }
            None => Err(self.unexpected(&format!("a number of times up to {MAX_VALUES}"))),
        }
    }

    fn number(&mut self, expected: &str) -> Result<f64, SeriesError> {
        let signless = self.rest().strip_prefix(['+', '-']).unwrap_or(self.rest());
        if self.rest().len() == signless.len() && self.take("stale") {
            return Ok(stale_nan());
        }
        let length = self.rest().len() - signless.len() + number_length(signless);
        match self.rest()[..length].parse::<f64>() {
            Ok(number) if length > 0 => {
                self.at += length;
                Ok(number)
            }
            _ => Err(self.unexpected(expected)),
        }
    }
}

/// How far the number goes that a text begins with: `12`, `1.5e-3`, `Inf`, `NaN`.
fn number_length(text: &str) -> usize {
    let word = text.get(..3).unwrap_or("");
    if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") {
        return 3;
    }
    let digits = |from: usize| from + text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(line: &str) -> Vec<Option<f64>> {
        let parsed = parse_series(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let float = |v| match v {
            SeriesValue::Float(v) => Some(v),
            _ => None,
        };
        parsed.values.into_iter().map(float).collect()
    }

    #[test]
    fn values_expand() {
        assert_eq!(
            floats("m 1 -2+1.5x2 _x2 3x1"),
            [1.0, -2.0, -0.5, 1.0].map(Some).into_iter().chain([None, None, Some(3.0), Some(3.0)]).collect::<Vec<_>>()
        );
        assert_eq!(
            floats("{a=\"b\", 'c d'=\"e\"} +Inf -inf 1e3"),
            [f64::INFINITY, f64::NEG_INFINITY, 1000.0].map(Some)
        );
        let stale = parse_series("m stale NaN").expect("parses").values;
        assert!(matches!(stale[0], SeriesValue::Float(v) if watchglass_model::is_stale_nan(v)));
        assert!(matches!(stale[1], SeriesValue::Float(v) if v.is_nan() && !watchglass_model::is_stale_nan(v)));
        assert_eq!(parse_series("sum{by=\"and\"}").map(|s| s.labels.to_string()), Ok("sum{by=\"and\"}".to_owned()));
    }

    #[test]
    fn histograms_expand() {
        let parsed =
            parse_series("h {{count:1 sum:2}}+{{count:1 sum:1}}x2 {{counter_reset_hint:gauge}}").expect("parses");
        let seen: Vec<(f64, f64, bool)> = parsed
            .values
            .iter()
            .map(|v| match v {
                SeriesValue::Histogram { histogram, hint_given } => (histogram.count, histogram.sum, *hint_given),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seen, [(1.0, 2.0, false), (2.0, 3.0, false), (3.0, 4.0, false), (0.0, 0.0, true)]);
    }

    #[test]
    fn start_timestamps_are_durations() {
        assert!(is_start_line("m{a=\"b\"}@st _ 0") && !is_start_line("m{a=\"@st\"} 1"));
        let line = parse_starts("m@st _x2 -30s-1mx2 0 1ms").expect("parses");
        let expected = [None, None, Some(-30_000), Some(-90_000), Some(-150_000), Some(0), Some(1)];
        assert_eq!(line.offsets, expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "m -3-3 -3",
            "m _a4",
            "m 1x",
            "m 1+2",
            "m 1x99999999999",
            "m 1,2",
            "m{a!=\"b\"} 1",
            "1 2",
            "m {{bogus:1}}",
            "m 1e",
            "m é",
            "",
        ] {
            let error = parse_series(bad).expect_err(bad);
            assert!(error.column >= 1, "{bad}: {error}");
        }
        assert!(parse_starts("m@st 5q").is_err() && parse_starts("m 1").is_err());
        let many = format!("m{}", " 1x999999".repeat(3));
        assert!(parse_series(&many).is_err_and(|e| e.message.contains("too many values")));
    }
}
