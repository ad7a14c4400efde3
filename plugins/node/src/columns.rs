//! Tables of small files that are one number each.

use crate::text::integer;
use watchglass_sdk::{Batch, Kind};

/// A file, the metric it becomes (without `node_`), its kind, what to multiply it by, and its help.
pub(crate) type Column = (&'static str, &'static str, Kind, f64, &'static str);

/// Puts the texts of a table's files, in its order, into a batch; what is missing or no number is left out.
pub(crate) fn put(b: &mut Batch, columns: &[Column], texts: &[Option<String>], labels: &[(&str, &str)]) {
    for ((_, name, kind, factor, help), text) in columns.iter().zip(texts) {
        if let Some(v) = text.as_deref().and_then(integer) {
            b.family(&format!("node_{name}"), *kind, help).sample(labels, v * factor);
        }
    }
}

/// Gives the files of a table.
pub(crate) fn files(columns: &[Column]) -> Vec<&'static str> {
    columns.iter().map(|c| c.0).collect()
}
