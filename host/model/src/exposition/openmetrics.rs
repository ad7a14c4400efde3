//! OpenMetrics 1.0 text, as Prometheus' scrape reads it: the grammar to the letter, families in any order.

use std::borrow::Cow;

use super::ExpositionError;
use super::collect::{Collect, Pair};
use super::cursor::{Cursor, unescape};
use crate::number::parse_exposition_float;
use crate::{MetricType, TimeMs};

/// The longest an exemplar's labels may be together, in characters.
pub(super) const MAX_EXEMPLAR_CHARS: usize = 128;

/// One line.
pub(super) enum Entry<'a> {
    Help(Cow<'a, str>, Cow<'a, str>),
    Type(Cow<'a, str>, MetricType),
    Unit(Cow<'a, str>, &'a str),
    Sample(Line<'a>),
}

/// A sample's line.
pub(super) struct Line<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: Vec<Pair<'a>>,
    pub(super) value: f64,
    /// Seconds, as written.
    pub(super) t: Option<f64>,
    pub(super) exemplar: Option<ExemplarPart<'a>>,
}

/// What stands behind a ` # `.
pub(super) struct ExemplarPart<'a> {
    pub(super) labels: Vec<Pair<'a>>,
    pub(super) value: f64,
    pub(super) t: Option<f64>,
}

/// Reads a whole text.
pub(super) fn parse(text: &str, to: &mut Collect) -> Result<(), ExpositionError> {
    let limit = to.limits.labels;
    entries(text, limit, |cursor, entry| {
        let result = match entry {
            Entry::Help(name, help) => to.help(&name, help),
            Entry::Type(name, kind) => to.family(&name).map(|family| family.kind = kind),
            Entry::Unit(name, unit) => to.family(&name).map(|family| family.unit = unit.to_owned()),
            Entry::Sample(mut line) => to
                .sample(&line.name, &mut line.labels, line.value, line.t.map(millis))
                .and_then(|()| match line.exemplar {
                    Some(mut e) => to.exemplar(&mut e.labels, e.value, e.t.map(millis)),
                    None => Ok(()),
                }),
        };
        result.or_else(|reason| cursor.error(reason))
    })
}

/// Seconds to milliseconds; a double holds today's milliseconds exactly, and beyond the range a cast saturates.
fn millis(seconds: f64) -> TimeMs {
    (seconds * 1000.0) as TimeMs
}

/// Hands over line by line, up to `# EOF`, which must be there and last.
pub(super) fn entries<'a>(
    text: &'a str,
    max_labels: usize,
    mut each: impl FnMut(&Cursor<'a>, Entry<'a>) -> Result<(), ExpositionError>,
) -> Result<(), ExpositionError> {
    let mut cursor = Cursor::new(text);
    loop {
        if cursor.peek().is_none() {
            return cursor.error("the text does not end with `# EOF`");
        }
        let entry = if cursor.peek() == Some(b'#') {
            match metadata(&mut cursor)? {
                Some(entry) => entry,
                None if cursor.peek().is_none() => return Ok(()),
                None => return cursor.error("there is text after `# EOF`"),
            }
        } else {
            Entry::Sample(sample(&mut cursor, max_labels)?)
        };
        each(&cursor, entry)?;
        if !cursor.take("\n") {
            return match cursor.peek() {
                None => cursor.error("the text does not end with `# EOF`"),
                Some(_) => cursor.expected("the end of the line"),
            };
        }
    }
}

/// A line from `#` on; `None` is `# EOF`, its newline taken.
fn metadata<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Entry<'a>>, ExpositionError> {
    if !cursor.take("# ") {
        return cursor.expected("`# ` and HELP, TYPE, UNIT or EOF");
    }
    if cursor.take("EOF") {
        cursor.take("\n");
        return Ok(None);
    }
    let Some(keyword) = ["HELP", "TYPE", "UNIT"].into_iter().find(|k| cursor.take(k)) else {
        return cursor.expected("HELP, TYPE, UNIT or EOF");
    };
    if !cursor.take(" ") {
        return cursor.expected(&format!("a space after {keyword}"));
    }
    let name = if cursor.peek() == Some(b'"') {
        cursor.quoted("a metric name", false)?
    } else {
        Cow::Borrowed(cursor.name(true))
    };
    if name.is_empty() {
        return cursor.expected(&format!("a metric name after {keyword}"));
    }
    if !cursor.take(" ") {
        return cursor.expected(&format!("a space after the metric name of {keyword}"));
    }
    let text = cursor.line();
    Ok(Some(match keyword {
        "HELP" => {
            Entry::Help(name, if text.contains('\\') { Cow::Owned(unescape(text, true)) } else { Cow::Borrowed(text) })
        }
        "TYPE" => match metric_type(text) {
            Some(kind) => Entry::Type(name, kind),
            None => {
                let allowed = "counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown";
                return cursor.error(format!("unknown metric type `{text}`, known are {allowed}"));
            }
        },
        _ => {
            let has_suffix = name.strip_suffix(text).is_some_and(|front| front.ends_with('_') && front.len() > 1);
            if !text.is_empty() && !has_suffix {
                return cursor.error(format!("unit `{text}` is not the end of the metric name `{name}`"));
            }
            Entry::Unit(name, text)
        }
    }))
}

fn metric_type(text: &str) -> Option<MetricType> {
    Some(match text {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "stateset" => MetricType::StateSet,
        "unknown" => MetricType::Unknown,
        _ => return None,
    })
}

fn sample<'a>(cursor: &mut Cursor<'a>, max_labels: usize) -> Result<Line<'a>, ExpositionError> {
    let mut labels = Vec::new();
    let mut name = Cow::Borrowed(cursor.name(true));
    if name.is_empty() && cursor.peek() != Some(b'{') {
        return cursor.expected("a metric name or `# EOF`");
    }
    if cursor.take("{") {
        cursor.labels(false, &mut name, &mut labels, max_labels)?;
    }
    if name.is_empty() {
        return cursor.error("a sample without a metric name");
    }
    let value = number(cursor, "a value")?;
    let mut line = Line { name, labels, value, t: None, exemplar: None };
    if cursor.peek() == Some(b' ') && !cursor.rest().starts_with(" # ") {
        line.t = Some(time(cursor)?);
    }
    if cursor.take(" # ") {
        if !cursor.take("{") {
            return cursor.expected("an exemplar's labels");
        }
        let mut none = Cow::Borrowed("");
        let mut labels = Vec::new();
        cursor.labels(false, &mut none, &mut labels, max_labels)?;
        if !none.is_empty() {
            return cursor.error("an exemplar has no metric name");
        }
        let chars: usize = labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum();
        if chars > MAX_EXEMPLAR_CHARS {
            return cursor
                .error(format!("an exemplar's labels have {chars} characters, the limit is {MAX_EXEMPLAR_CHARS}"));
        }
        let value = number(cursor, "an exemplar's value")?;
        let t = if cursor.peek() == Some(b' ') { Some(time(cursor)?) } else { None };
        line.exemplar = Some(ExemplarPart { labels, value, t });
    }
    Ok(line)
}

/// A number behind a single space.
fn number(cursor: &mut Cursor<'_>, what: &str) -> Result<f64, ExpositionError> {
    if !cursor.take(" ") {
        return cursor.expected(&format!("a space and {what}"));
    }
    let token = cursor.until(|b| matches!(b, b' ' | b'\n'));
    match parse_exposition_float(token) {
        Some(value) => Ok(value),
        None if token.is_empty() => cursor.expected(what),
        None => cursor.error(format!("`{token}` is no number")),
    }
}

/// Seconds behind a single space.
fn time(cursor: &mut Cursor<'_>) -> Result<f64, ExpositionError> {
    let seconds = number(cursor, "a timestamp")?;
    if seconds.is_finite() { Ok(seconds) } else { cursor.error("a timestamp is infinite or NaN") }
}
