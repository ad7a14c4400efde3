//! The exposition formats: what a scrape answers, and what `/metrics` and `/federate` show.
//!
//! In: the text format 0.0.4 and 1.0.0 (UTF-8 names), OpenMetrics 1.0 text, and the delimited protobuf format with native
//! histograms, all as Prometheus' scrape reads them. Out: text 0.0.4 and OpenMetrics. Sources: the documents "Exposition
//! formats" of prometheus.io and the OpenMetrics 1.0 specification.

mod collect;
mod cursor;
mod openmetrics;
mod protobuf;
mod strict;
mod text;
mod write;

pub use collect::{Exemplar, Exposition, ExpositionLimits};
pub use strict::check_openmetrics;
pub use write::{Family, FamilySample, OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE, write_openmetrics, write_text};

use crate::{SampleBatch, TimeMs};
use collect::Collect;

/// What is wrong with an exposition, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ExpositionError {
    /// The line, from 1; of a protobuf body the metric family, from 1.
    pub line: usize,
    /// What was found and what is allowed.
    pub reason: String,
}

/// An exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text, version 0.0.4 or 1.0.0.
    Text,
    /// OpenMetrics 1.0 text.
    OpenMetrics,
    /// Protobuf messages `io.prometheus.client.MetricFamily`, each behind its length.
    Protobuf,
}

impl Format {
    /// The format that a `Content-Type` names. `None` where it names none of them or isn't there; Prometheus 3 refuses those
    /// unless `fallback_scrape_protocol` says how to read them.
    pub fn from_content_type(content_type: &str) -> Option<Format> {
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        match media.as_str() {
            "text/plain" => Some(Format::Text),
            "application/openmetrics-text" => Some(Format::OpenMetrics),
            "application/vnd.google.protobuf" => {
                let parameters: Vec<(&str, &str)> = parts.filter_map(|p| p.split_once('=')).collect();
                let is = |name: &str, value: &str| {
                    parameters
                        .iter()
                        .find(|(n, _)| n.trim() == name)
                        .is_none_or(|(_, v)| v.trim().trim_matches('"') == value)
                };
                (is("proto", "io.prometheus.client.MetricFamily") && is("encoding", "delimited"))
                    .then_some(Format::Protobuf)
            }
            _ => None,
        }
    }
}

/// How to read an exposition.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpositionOptions {
    /// Bounds; beyond them the whole exposition is refused.
    pub limits: ExpositionLimits,
    /// Of a histogram that comes both native and classic, give the classic series too (protobuf only;
    /// `always_scrape_classic_histograms`).
    pub classic_beside_native: bool,
    /// Give classic histograms as native ones only (`scrape_native_histograms: false` gives them as classic ones only).
    pub ignore_native: bool,
}

/// Reads an exposition. A sample without a timestamp of its own gets `default_time`.
///
/// A body whose content type is unknown is read as text 0.0.4. Nothing comes of a body with an error in it, as in Prometheus.
pub fn parse_exposition(content_type: &str, body: &[u8], default_time: TimeMs) -> Result<SampleBatch, ExpositionError> {
    let format = Format::from_content_type(content_type).unwrap_or(Format::Text);
    parse_exposition_with(format, body, default_time, &ExpositionOptions::default()).map(|exposition| exposition.batch)
}

/// Reads an exposition, exemplars and start times included.
pub fn parse_exposition_with(
    format: Format,
    body: &[u8],
    default_time: TimeMs,
    options: &ExpositionOptions,
) -> Result<Exposition, ExpositionError> {
    let mut to = Collect::new(default_time, options.limits);
    match format {
        Format::Text => text::parse(utf8(body)?, &mut to)?,
        Format::OpenMetrics => openmetrics::parse(utf8(body)?, &mut to)?,
        Format::Protobuf => protobuf::parse(body, options, &mut to)?,
    }
    Ok(to.finish())
}

fn utf8(body: &[u8]) -> Result<&str, ExpositionError> {
    std::str::from_utf8(body).map_err(|e| {
        let line = 1 + body[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        ExpositionError { line, reason: "invalid UTF-8".to_owned() }
    })
}
