//! `/federate`: the newest sample of every series that a selector gives, in the text format.

use std::collections::BTreeMap;

use watchglass_model::exposition::{Family, FamilySample};
use watchglass_model::{Labels, LabelsBuilder, Matcher, MetricType, TimeMs, Value, is_stale_nan};
use watchglass_store::{SelectError, Store};

/// Points that one federation may look at.
const SAMPLES_MAX: usize = 50_000_000;

/// The families, by name, series by labels. External labels are added where a series has none of the name.
pub(super) fn families(
    store: &Store,
    sets: &[Vec<Matcher>],
    now: TimeMs,
    lookback_ms: i64,
    external: &Labels,
) -> Result<Vec<Family>, SelectError> {
    let kinds: BTreeMap<String, MetricType> = store.metadata().into_iter().map(|m| (m.name, m.kind)).collect();
    let mut found: BTreeMap<Labels, (TimeMs, f64)> = BTreeMap::new();
    for set in sets {
        for series in store.select(set, now - lookback_ms + 1, now, SAMPLES_MAX, &|| false)? {
            // Native histograms have no form in this text format.
            if let Some(last) = series.floats.last().filter(|p| !is_stale_nan(p.v)) {
                found.insert(series.labels, (last.t, last.v));
            }
        }
    }
    let mut families: Vec<Family> = Vec::new();
    for (labels, (t, v)) in found {
        let name = labels.metric_name().to_owned();
        if families.last().is_none_or(|f| f.name != name) {
            // `untyped` series of a histogram or summary stay what they are: series.
            let kind = kinds.get(&name).copied().unwrap_or_default();
            families.push(Family::new(&name, kind, ""));
        }
        let mut with_external = LabelsBuilder::new(&labels);
        for (name, value) in external.iter().filter(|(n, _)| labels.get(n).is_none()) {
            with_external.set(name, value);
        }
        // There always is one: it was pushed above.
        if let Some(family) = families.last_mut() {
            family.samples.push(FamilySample { labels: with_external.build(), value: Value::Float(v), t: Some(t) });
        }
    }
    Ok(families)
}
