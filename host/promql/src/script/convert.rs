//! `load_with_nhcb`: beside the series of classic histograms the native ones they make.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchglass_model::{ClassicHistogram, Labels, TimeMs, Value, is_stale_nan, parse_go_float};

use crate::series::SeriesValue;

use super::command::Load;
use super::memory::Memory;

/// What one series of a classic histogram counts.
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// Converts every classic histogram among the loaded series and appends it under its base name.
pub(super) fn classic_histograms(
    memory: &mut Memory,
    load: &Load,
    time: impl Fn(usize) -> TimeMs,
) -> Result<(), String> {
    let mut found: BTreeMap<(Labels, TimeMs), ClassicHistogram> = BTreeMap::new();
    for series in &load.series {
        let Some((base, part)) = part(&series.labels) else { continue };
        for (index, value) in series.values.iter().enumerate() {
            let SeriesValue::Float(v) = value else { continue };
            if is_stale_nan(*v) {
                continue;
            }
            let histogram = found.entry((base.clone(), time(index))).or_default();
            match part {
                Part::Bucket(le) => histogram.set_bucket(le, *v),
                Part::Count => histogram.set_count(*v),
                Part::Sum => histogram.set_sum(*v),
            }
        }
    }
    for ((labels, t), classic) in found {
        let histogram = classic.convert().map_err(|e| format!("{labels}: {e}"))?;
        memory.append(&labels, t, Value::Histogram(Arc::new(histogram)));
    }
    Ok(())
}

/// The labels of the histogram that a series is part of, and which part it is.
fn part(labels: &Labels) -> Option<(Labels, Part)> {
    let name = labels.metric_name();
    let (base, part) = if let Some(base) = name.strip_suffix("_bucket") {
        let le = parse_go_float(labels.get("le")?).filter(|le| !le.is_nan())?;
        (base, Part::Bucket(le))
    } else if let Some(base) = name.strip_suffix("_count") {
        (base, Part::Count)
    } else {
        (name.strip_suffix("_sum")?, Part::Sum)
    };
    Some((labels.with("le", "").with(watchglass_model::METRIC_NAME, base), part))
}
