//! The text format, versions 0.0.4 and 1.0.0.

use std::borrow::Cow;

use super::ExpositionError;
use super::collect::Collect;
use super::cursor::{Cursor, unescape};
use crate::number::parse_exposition_float;
use crate::{MetricType, TimeMs};

/// Reads a whole text.
pub(super) fn parse(text: &str, to: &mut Collect) -> Result<(), ExpositionError> {
    let mut cursor = Cursor::new(text);
    let mut labels = Vec::new();
    loop {
        cursor.skip_blanks();
        match cursor.peek() {
            None => return Ok(()),
            Some(b'\n') => {}
            Some(b'#') => comment(&mut cursor, to)?,
            Some(_) => sample(&mut cursor, to, &mut labels)?,
        }
        if !cursor.take("\n") && cursor.peek().is_some() {
            return cursor.expected("the end of the line");
        }
    }
}

/// A line from `#` on: metadata, or something for people only.
fn comment(cursor: &mut Cursor<'_>, to: &mut Collect) -> Result<(), ExpositionError> {
    cursor.take("#");
    cursor.skip_blanks();
    let keyword = ["HELP", "TYPE"]
        .into_iter()
        .find(|keyword| cursor.rest().strip_prefix(keyword).is_some_and(|rest| rest.starts_with([' ', '\t'])));
    let Some(keyword) = keyword else {
        cursor.line();
        return Ok(());
    };
    cursor.take(keyword);
    cursor.skip_blanks();
    let name = if cursor.peek() == Some(b'"') {
        cursor.quoted("a metric name", false)?
    } else {
        Cow::Borrowed(cursor.name(true))
    };
    if name.is_empty() {
        return cursor.expected(&format!("a metric name after {keyword}"));
    }
    if !cursor.skip_blanks() && cursor.peek() != Some(b'\n') {
        return cursor.expected(&format!("a space after the metric name of {keyword}"));
    }
    let text = cursor.line();
    let result = if keyword == "HELP" {
        let help = if text.contains('\\') { Cow::Owned(unescape(text, false)) } else { Cow::Borrowed(text) };
        to.help(&name, help)
    } else {
        let kind = match text.trim_end_matches([' ', '\t']) {
            "counter" => MetricType::Counter,
            "gauge" => MetricType::Gauge,
            "histogram" => MetricType::Histogram,
            "summary" => MetricType::Summary,
            "untyped" => MetricType::Unknown,
            other => {
                let allowed = "counter, gauge, histogram, summary, untyped";
                return cursor.error(format!("unknown metric type `{other}`, known are {allowed}"));
            }
        };
        to.family(&name).map(|family| family.kind = kind)
    };
    result.or_else(|reason| cursor.error(reason))
}

fn sample<'a>(
    cursor: &mut Cursor<'a>,
    to: &mut Collect,
    labels: &mut Vec<super::collect::Pair<'a>>,
) -> Result<(), ExpositionError> {
    labels.clear();
    let mut name = Cow::Borrowed(cursor.name(true));
    if name.is_empty() && cursor.peek() != Some(b'{') {
        return cursor.expected("a metric name");
    }
    cursor.skip_blanks();
    if cursor.take("{") {
        cursor.labels(true, &mut name, labels, to.limits.labels)?;
        cursor.skip_blanks();
    }
    if name.is_empty() {
        return cursor.error("a sample without a metric name");
    }
    let token = cursor.until(|b| matches!(b, b' ' | b'\t' | b'\n' | b'{'));
    if token.is_empty() {
        return cursor.expected("a value");
    }
    let Some(value) = parse_exposition_float(token) else {
        return cursor.error(format!("`{token}` is no number"));
    };
    cursor.skip_blanks();
    let t = timestamp(cursor)?;
    cursor.skip_blanks();
    to.sample(&name, labels, value, t).or_else(|reason| cursor.error(reason))
}

/// Milliseconds, where there are any.
fn timestamp(cursor: &mut Cursor<'_>) -> Result<Option<TimeMs>, ExpositionError> {
    if matches!(cursor.peek(), None | Some(b'\n')) {
        return Ok(None);
    }
    let token = cursor.until(|b| matches!(b, b' ' | b'\t' | b'\n'));
    match token.parse() {
        Ok(t) => Ok(Some(t)),
        Err(_) => cursor.error(format!("`{token}` is no timestamp; expected whole milliseconds")),
    }
}
