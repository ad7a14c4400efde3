//! From a plugin's payloads to model samples. Whatever comes back is checked as hostile.

mod excess;
mod families;
mod packed;
mod rows;

use watchglass_model::{Labels, MetricType, TimeMs};

pub use excess::limit_series;
pub(crate) use rows::Rows;

use crate::bindings::collector::exports::watchglass::plugin::collector::{Evidence as WitEvidence, Payload};
use crate::bindings::wit::types::{Error as WitError, Kind};
use crate::report::{CallFailure, Evidence, FailureReason};

/// Longest name of a metric or a label, bytes.
const MAX_NAME: usize = 1_024;

/// Longest value of a label, bytes.
const MAX_VALUE: usize = 64 << 10;

/// Longest help text, bytes; a longer one is cut.
const MAX_HELP: usize = 16 << 10;

/// Labels of one family.
const MAX_LABELS: usize = 128;

/// Longest text of evidence or of an error, bytes; a longer one is cut.
const MAX_TEXT: usize = 4_000;

/// Something that the contract forbids.
pub(crate) fn invalid(message: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureReason::Invalid, message)
}

/// Adds what one payload holds, if it holds samples; an exposition is not this module's.
pub(crate) fn add(rows: &mut Rows, payload: &Payload) -> Result<(), CallFailure> {
    match payload {
        Payload::Families(families) => families.iter().try_for_each(|f| families::add(rows, f)),
        Payload::Packed(packed) => packed::add(rows, packed),
        Payload::Exposition(_) => Ok(()),
    }
}

/// The model's type.
pub(crate) fn metric_type(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
        Kind::GaugeHistogram => MetricType::GaugeHistogram,
        Kind::Summary => MetricType::Summary,
        Kind::Info => MetricType::Info,
        Kind::StateSet => MetricType::StateSet,
        Kind::Untyped => MetricType::Unknown,
    }
}

/// Checks a metric's name.
fn check_metric_name(name: &str) -> Result<(), CallFailure> {
    if name.is_empty() {
        return Err(invalid("a family without a name"));
    }
    if name.len() > MAX_NAME {
        return Err(invalid(format!(
            "family name \"{}...\" has {} bytes, allowed are {MAX_NAME}",
            cut(name, 60),
            name.len()
        )));
    }
    if name.contains('\0') || name.contains('\n') {
        return Err(invalid(format!("family name {name:?} contains a control character")));
    }
    Ok(())
}

/// Checks the names of a family's labels.
fn check_label_names<'a>(family: &str, names: impl ExactSizeIterator<Item = &'a str>) -> Result<(), CallFailure> {
    if names.len() > MAX_LABELS {
        return Err(invalid(format!("family {family} has {} labels, allowed are {MAX_LABELS}", names.len())));
    }
    let mut sorted: Vec<&str> = names.collect();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
        return Err(invalid(format!("family {family} has label {:?} twice", twice[0])));
    }
    for name in sorted {
        let wrong = match name {
            "" => "is empty",
            "__name__" => "is the metric's name",
            n if n.len() > MAX_NAME => "is too long",
            n if n.contains(['\0', '\n']) => "contains a control character",
            _ => continue,
        };
        return Err(invalid(format!("family {family}: label name {:?} {wrong}", cut(name, 60))));
    }
    Ok(())
}

fn check_value(family: &str, name: &str, value: &str) -> Result<(), CallFailure> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    Err(invalid(format!("family {family}: label {name} has a value of {} bytes, allowed are {MAX_VALUE}", value.len())))
}

/// The text, no longer than `max` bytes.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The model's evidence: texts cut, labels that are none left out.
pub(crate) fn evidence(given: Vec<WitEvidence>, max: usize) -> Vec<Evidence> {
    let one = |e: WitEvidence| {
        let about = e
            .about
            .iter()
            .take(MAX_LABELS)
            .filter(|(n, v)| !n.is_empty() && n.len() <= MAX_NAME && v.len() <= MAX_VALUE);
        Evidence { about: Labels::from_pairs(about.map(|(n, v)| (n, v))), text: cut(&e.text, MAX_TEXT).to_owned() }
    };
    given.into_iter().take(max).map(one).collect()
}

/// An error that the plugin gave back.
pub(crate) fn failure(error: WitError) -> CallFailure {
    let (reason, text) = match error {
        WitError::Denied(text) => (FailureReason::Denied, text),
        WitError::NotFound(text) | WitError::Forbidden(text) | WitError::Unavailable(text) => {
            (FailureReason::Unavailable, text)
        }
        // The target's time, not the plugin's: the call itself ended in time.
        WitError::TimedOut => (FailureReason::Unavailable, "timed out".to_owned()),
        WitError::Protocol(text) => (FailureReason::Protocol, text),
        WitError::Unsupported(text) | WitError::TooLarge(text) | WitError::BadConfig(text) | WitError::Other(text) => {
            (FailureReason::Error, text)
        }
    };
    CallFailure::new(reason, cut(&text, MAX_TEXT))
}

/// A sample's time: its own, or the collection's. One that is no plausible time is refused.
fn time(at: Option<TimeMs>, scheduled: TimeMs, family: &str) -> Result<TimeMs, CallFailure> {
    // Ten years around: what lies outside is a wrong unit, and would shut the store's door to everything before it.
    const SPAN: TimeMs = 10 * 366 * 86_400_000;
    match at {
        None => Ok(scheduled),
        Some(t) if (t.saturating_sub(scheduled)).abs() <= SPAN => Ok(t),
        Some(t) => Err(invalid(format!("family {family}: time {t} is no time in milliseconds near {scheduled}"))),
    }
}
