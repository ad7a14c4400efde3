//! Bringing the log back into the head.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use watchglass_model::{TimeMs, Value};

use crate::head::index::Head;
use crate::head::metadata::family_of;
use crate::head::series::{FullChunk, MemSeries, Verdict};
use crate::wal::record::{Decoded, RefTombstone};
use crate::wal::replay::Replay;
use crate::{OpenReport, StoreError};

/// References below this are looked up in a plain list: a log counts them up from 1.
const DENSE: usize = 1 << 24;

/// Series by their reference in the log.
#[derive(Default)]
struct References {
    dense: Vec<Option<Arc<MemSeries>>>,
    sparse: HashMap<u64, Arc<MemSeries>>,
}

impl References {
    fn get(&self, reference: u64) -> Option<&Arc<MemSeries>> {
        match self.dense.get(usize::try_from(reference).unwrap_or(usize::MAX)) {
            Some(slot) => slot.as_ref(),
            None => self.sparse.get(&reference),
        }
    }

    fn set(&mut self, reference: u64, series: Arc<MemSeries>) {
        match usize::try_from(reference) {
            // Never much longer than there are series, whatever references a damaged log claims.
            Ok(at) if at < DENSE && at <= 2 * self.dense.len() + 1024 => {
                if at >= self.dense.len() {
                    self.dense.resize(at + 1, None);
                    for reference in self.sparse.keys().copied().collect::<Vec<_>>() {
                        if (reference as usize) < self.dense.len() {
                            self.dense[reference as usize] = self.sparse.remove(&reference);
                        }
                    }
                }
                self.dense[at] = Some(series);
            }
            _ => drop(self.sparse.insert(reference, series)),
        }
    }
}

/// Replays the log into the head. Samples before the head's floor are in blocks already and are passed over.
pub(crate) fn replay(
    data_dir: &Path,
    wal_dir: &Path,
    head: &Head,
    mut chunks: HashMap<u64, Vec<FullChunk>>,
    report: &mut OpenReport,
) -> Result<Replay, StoreError> {
    let mut references = References::default();
    let floor = head.floor();
    chunks.keys().for_each(|&reference| head.saw_reference(reference));
    let replay = crate::wal::replay::replay(data_dir, wal_dir, |record| {
        apply(record, head, &mut references, &mut chunks, floor, report);
    })?;
    // A log names series long after their samples have gone into blocks.
    head.truncate(TimeMs::MIN);
    report.wal_segments = replay.segments;
    report.unknown_records = replay.unknown_records;
    report.repairs.extend(replay.repairs.iter().cloned());
    report.series = head.series_count();
    Ok(replay)
}

fn apply(
    record: &Decoded,
    head: &Head,
    references: &mut References,
    chunks: &mut HashMap<u64, Vec<FullChunk>>,
    floor: TimeMs,
    report: &mut OpenReport,
) {
    for (reference, labels) in &record.series {
        if let Some(series) = head.replayed(*reference, labels) {
            // Full chunks on disk spare the replay their samples, which are then older than the newest and passed over.
            if let Some(own) = chunks.remove(reference) {
                report.head_chunks += own.len();
                if let Some((min, max)) = series.lock().attach(own, floor) {
                    head.saw_times(min, max);
                }
            }
            references.set(*reference, series);
        }
    }
    let mut last_unknown = 0;
    let (mut min, mut max) = (TimeMs::MAX, TimeMs::MIN);
    let mut push = |reference: u64, t: TimeMs, value: &Value| {
        let Some(series) = references.get(reference) else {
            report.unknown_series_samples += 1;
            // A new series must not be given a name that the log has used.
            if reference > last_unknown {
                head.saw_reference(reference);
                last_unknown = reference;
            }
            return;
        };
        let mut state = series.lock();
        if state.check(t, value, floor) == Ok(Verdict::New) {
            state.push(t, value, head.rules);
            report.samples += 1;
            (min, max) = (min.min(t), max.max(t));
        }
    };
    for sample in &record.samples {
        push(sample.reference, sample.t, &Value::Float(sample.v));
    }
    for sample in &record.histograms {
        if crate::codec::histogram::is_valid(&sample.h) {
            push(sample.reference, sample.t, &Value::Histogram(sample.h.clone()));
        }
    }
    if min <= max {
        head.saw_times(min, max);
    }
    for stone in &record.tombstones {
        // By the series' own reference, which may not be the record's where the log made a series twice.
        if let Some(series) = references.get(stone.reference) {
            head.delete(&[RefTombstone { reference: series.reference, ..*stone }]);
        }
    }
    for (reference, metadata) in &record.metadata {
        let Some(series) = references.get(*reference) else { continue };
        let mut metadata = metadata.clone();
        if metadata.name.is_empty() {
            metadata.name = family_of(metadata.kind, series.labels.metric_name()).to_owned();
        }
        head.families.set(metadata, Some(series.reference));
    }
}
