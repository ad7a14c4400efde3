//! YAML as Prometheus' and Alertmanager's Go programs read it.
//!
//! The only place that knows which YAML library is used. What differs from YAML's letter, and why:
//! - a scalar lands in a string as it is written (`expr: 1`, `1.0`, `yes`), as in Go;
//! - null in place of a map, a list or a text is the empty one, as in Go (`labels:` with nothing behind it);
//! - duplicate keys are errors; anchors, depth and size are bounded.

use serde::de::DeserializeOwned;
use serde_saphyr::options::DuplicateKeyPolicy;

use crate::de::{Flavor, Wrap};
use crate::error::{TextError, nearest};

/// The largest file that is read: far above any real rule file, small enough to be no danger.
pub const MAX_BYTES: usize = 16 << 20;
/// How deep maps and lists may lie in each other.
const MAX_DEPTH: usize = 100;
/// How many nodes all aliases together may add (a "billion laughs" document stops here).
const MAX_ALIASED: usize = 1_000_000;

/// Reads one document. An empty file reads as an empty map.
///
/// Errors carry the place, the line, and for an unknown key the nearest allowed one.
pub fn from_str<T: DeserializeOwned>(text: &str, file_name: &str) -> Result<T, TextError> {
    if text.len() > MAX_BYTES {
        return Err(TextError::whole(file_name, format!("{} bytes; at most {MAX_BYTES} are read", text.len())));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let result = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |inner| {
        T::deserialize(Wrap { inner, flavor: Flavor::Yaml })
    });
    result.map_err(|e| error(&e, text, file_name))
}

fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.legacy_octal_numbers = true;
    options.ignore_binary_tag_for_string = true;
    options.with_snippet = false;
    options.alias_limits.max_total_replayed_events = MAX_ALIASED;
    let mut budget = options.budget.take().unwrap_or_default();
    budget.max_depth = MAX_DEPTH;
    budget.flow_nesting_limit = MAX_DEPTH;
    budget.max_documents = 2;
    budget.max_total_scalar_bytes = 2 * MAX_BYTES;
    // A file of ours may well use one anchor many times; what that can cost is bounded by MAX_ALIASED.
    budget.enforce_alias_anchor_ratio = false;
    options.budget = Some(budget);
    options
}

/// Words the library's error as ours.
fn error(e: &serde_saphyr::Error, text: &str, file: &str) -> TextError {
    use serde_saphyr::Error as E;
    let e = e.without_snippet();
    let (line, column) = e.location().map_or((0, 0), |l| (l.line() as usize, l.column() as usize));
    let at = |message: String| TextError::at(file, text, line, column, message);
    match e {
        E::Message { msg, .. } => match msg.split_once('\n') {
            // An error of ours, raised inside a `Deserialize`: its hint comes in a second line.
            Some((message, hint)) => at(message.to_owned()).with_hint(hint.trim_start_matches("hint: ")),
            None => at(msg.clone()),
        },
        E::SerdeUnknownField { field, expected, .. } => unknown(at(format!("unknown key `{field}`")), field, expected),
        E::SerdeUnknownVariant { variant, expected, .. } => {
            unknown(at(format!("unknown value `{variant}`")), variant, expected)
        }
        E::SerdeMissingField { field, .. } => at(format!("missing key `{field}`")),
        E::DuplicateMappingKey { key: Some(key), .. } => at(format!("key `{key}` is already set in this map")),
        E::SerdeInvalidType { unexpected, expected, .. } | E::SerdeInvalidValue { unexpected, expected, .. } => {
            at(format!("found {unexpected}, expected {expected}"))
        }
        E::MultipleDocuments { .. } => at("a second document (`---`); a file holds one".to_owned()),
        other => {
            let shown = other.to_string();
            let first = shown.lines().next().unwrap_or_default();
            // The library's own texts end in a place, which ours begins with.
            let message = first.rsplit_once(" at line ").map_or(first, |(message, _)| message);
            at(message.to_owned())
        }
    }
}

/// An unknown word: names the nearest allowed one, or all where they are few.
pub(crate) fn unknown(error: TextError, found: &str, allowed: &[&str]) -> TextError {
    match nearest(found, allowed.iter().copied()) {
        Some(word) => error.with_hint(format!("did you mean `{word}`?")),
        None if allowed.is_empty() => error,
        None => error.with_hint(format!("allowed here: {}", allowed.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::from_str;
    use crate::Spanned;

    #[test]
    fn places_of_scalars_lists_and_maps() {
        let all: BTreeMap<String, Spanned<Vec<Spanned<String>>>> =
            from_str("a:\n  - x\n  - 1.0\nb: []\n", "f").unwrap();
        let a = &all["a"];
        assert_eq!((a.line, a[0].line, a[1].line, a[1].column), (2, 2, 3, 5));
        assert_eq!(a[1].value, "1.0");
        let null: Spanned<Option<BTreeMap<String, String>>> = from_str("~", "f").unwrap();
        assert_eq!(null.value, None);
    }
}
