//! What is known of metric families.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use watchglass_model::{MetricMetadata, MetricType};

/// Most families that are remembered: metadata is a help to readers, not worth unbounded memory.
const MOST: usize = 100_000;

/// Metadata by family, with the series whose WAL record carries it.
#[derive(Default)]
pub(crate) struct Families {
    by_name: RwLock<BTreeMap<String, Family>>,
}

struct Family {
    metadata: MetricMetadata,
    carrier: Option<u64>,
}

impl Families {
    /// Whether this is news: a family that is not known, or known otherwise, or whose record no series carries.
    pub(crate) fn is_news(&self, metadata: &MetricMetadata) -> bool {
        let families = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        match families.get(&metadata.name) {
            Some(known) => known.metadata != *metadata || known.carrier.is_none(),
            None => families.len() < MOST,
        }
    }

    /// Remembers a family and, if there is one, the series that carries its record.
    pub(crate) fn set(&self, metadata: MetricMetadata, carrier: Option<u64>) {
        let mut families = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if families.len() < MOST || families.contains_key(&metadata.name) {
            families.insert(metadata.name.clone(), Family { metadata, carrier });
        }
    }

    /// Lets go of carriers that left the head. The family stays known; its next sample writes the record anew.
    pub(crate) fn drop_carriers(&self, gone: impl Fn(u64) -> bool) {
        let mut families = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        for family in families.values_mut() {
            family.carrier = family.carrier.filter(|&reference| !gone(reference));
        }
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<MetricMetadata> {
        let families = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        families.values().map(|f| f.metadata.clone()).collect()
    }
}

/// Whether a series of this metric name belongs to a family.
pub(crate) fn belongs(metadata: &MetricMetadata, metric: &str) -> bool {
    let Some(suffix) = metric.strip_prefix(metadata.name.as_str()) else { return false };
    match metadata.kind {
        MetricType::Counter => matches!(suffix, "" | "_total" | "_created"),
        MetricType::Histogram => matches!(suffix, "" | "_bucket" | "_sum" | "_count" | "_created"),
        MetricType::GaugeHistogram => matches!(suffix, "" | "_bucket" | "_gsum" | "_gcount"),
        MetricType::Summary => matches!(suffix, "" | "_sum" | "_count" | "_created"),
        MetricType::Info => matches!(suffix, "" | "_info"),
        _ => suffix.is_empty(),
    }
}

/// The family of a series whose metadata record does not name it, as Prometheus' records don't.
pub(crate) fn family_of(kind: MetricType, metric: &str) -> &str {
    let suffixes: &[&str] = match kind {
        MetricType::Histogram => &["_bucket", "_sum", "_count"],
        MetricType::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        MetricType::Summary => &["_sum", "_count"],
        _ => &[],
    };
    suffixes.iter().find_map(|s| metric.strip_suffix(s)).unwrap_or(metric)
}
