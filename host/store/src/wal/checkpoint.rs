//! Checkpoints: what still matters of the log's older segments, in a folder of its own, so that they can be deleted.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use watchglass_model::{MetricMetadata, TimeMs};

use super::read::{Next, SegmentReader};
use super::record::{Decoded, HistogramKind, put_histograms, put_metadata, put_samples, put_series, put_tombstones};
use super::segment::{self, SegmentWriter};
use crate::StoreError;
use crate::files::{create_dir, remove_dir, rename};

const PREFIX: &str = "checkpoint.";

/// All checkpoints: number of the last segment they stand for, and folder; ascending.
pub(crate) fn list(wal_dir: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(wal_dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(e) => return Err(StoreError::io("list", wal_dir)(e)),
    };
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", wal_dir))?;
        let name = entry.file_name();
        let digits = name.to_str().and_then(|n| n.strip_prefix(PREFIX));
        let digits = digits.filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
        if let Some(index) = digits.and_then(|d| d.parse().ok()) {
            found.push((index, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The newest checkpoint.
pub(crate) fn newest(wal_dir: &Path) -> Result<Option<(u64, PathBuf)>, StoreError> {
    Ok(list(wal_dir)?.pop())
}

/// Removes what a checkpoint that was not finished has left behind.
pub(crate) fn remove_unfinished(wal_dir: &Path) -> Result<(), StoreError> {
    let Ok(entries) = fs::read_dir(wal_dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|n| n.starts_with(PREFIX) && n.ends_with(".tmp")) {
            remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes a checkpoint of the segments up to and including `last`: series that `keep` names, samples and tombstones that reach `min_time`, and
/// the newest metadata of each series. Then deletes those segments and older checkpoints. Returns how many checkpoints were deleted.
pub(crate) fn write(
    wal_dir: &Path,
    last: u64,
    min_time: TimeMs,
    segment_bytes: u64,
    compress: bool,
    keep: &dyn Fn(u64) -> bool,
) -> Result<u64, StoreError> {
    let older = list(wal_dir)?;
    let mut files = Vec::new();
    let mut after = None;
    if let Some((index, dir)) = older.last() {
        files.extend(segment::list(dir)?.into_iter().map(|i| segment::path(dir, i)));
        after = Some(*index);
    }
    let segments: Vec<u64> = segment::list(wal_dir)?.into_iter().filter(|&i| i <= last).collect();
    files.extend(segments.iter().filter(|&&i| after.is_none_or(|a| i > a)).map(|&i| segment::path(wal_dir, i)));

    let target = wal_dir.join(format!("{PREFIX}{last:08}"));
    let unfinished = wal_dir.join(format!("{PREFIX}{last:08}.tmp"));
    remove_dir(&unfinished)?;
    create_dir(&unfinished)?;
    let mut writer = SegmentWriter::create(&unfinished, 0, segment_bytes, compress)?;
    let mut metadata: HashMap<u64, MetricMetadata> = HashMap::new();
    let mut decoded = Decoded::default();
    for file in &files {
        copy_segment(file, min_time, keep, &mut writer, &mut metadata, &mut decoded)?;
    }
    if !metadata.is_empty() {
        let mut record = Vec::new();
        put_metadata(&mut record, metadata.iter().map(|(&reference, m)| (reference, m)));
        writer.push(&record)?;
    }
    writer.finish()?;
    rename(&unfinished, &target)?;
    // The checkpoint stands: what it stands for may go. Newest first would leave a gap if this were cut short, so oldest first.
    for index in segments {
        let path = segment::path(wal_dir, index);
        fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
    }
    for (_, dir) in &older {
        remove_dir(dir)?;
    }
    Ok(older.len() as u64)
}

fn copy_segment(
    file: &Path,
    min_time: TimeMs,
    keep: &dyn Fn(u64) -> bool,
    writer: &mut SegmentWriter,
    metadata: &mut HashMap<u64, MetricMetadata>,
    decoded: &mut Decoded,
) -> Result<(), StoreError> {
    let mut reader = SegmentReader::open(file)?;
    let mut record = Vec::new();
    loop {
        match reader.next()? {
            Next::End => return writer.commit(),
            Next::Unknown => continue,
            // Replay has repaired what it found; damage since then must not silently take the rest with it.
            Next::Broken(broken) => {
                return Err(StoreError::Corrupt {
                    path: file.to_owned(),
                    what: "WAL segment",
                    offset: broken.good,
                    reason: broken.reason,
                });
            }
            Next::Record(bytes) => {
                let offset = 0;
                decoded.read(bytes).map_err(|e| StoreError::Corrupt {
                    path: file.to_owned(),
                    what: "WAL record",
                    offset,
                    reason: e.to_string(),
                })?;
            }
        }
        let mut push = |record: &mut Vec<u8>, some: bool| {
            if some {
                writer.push(record)?;
            }
            record.clear();
            Ok::<(), StoreError>(())
        };
        decoded.series.retain(|(reference, _)| keep(*reference));
        put_series(&mut record, decoded.series.iter().map(|(reference, labels)| (*reference, labels)));
        push(&mut record, !decoded.series.is_empty())?;
        decoded.samples.retain(|s| s.t >= min_time && keep(s.reference));
        put_samples(&mut record, decoded.samples.iter().copied());
        push(&mut record, !decoded.samples.is_empty())?;
        decoded.histograms.retain(|h| h.t >= min_time && keep(h.reference));
        for kind in HistogramKind::ALL {
            put_histograms(
                &mut record,
                kind,
                decoded.histograms.iter().filter(|h| HistogramKind::of(&h.h) == kind).cloned(),
            );
            let some = !record.is_empty();
            push(&mut record, some)?;
        }
        decoded.tombstones.retain(|t| t.max >= min_time && keep(t.reference));
        put_tombstones(&mut record, &decoded.tombstones);
        push(&mut record, !decoded.tombstones.is_empty())?;
        metadata.extend(decoded.metadata.drain(..).filter(|(reference, _)| keep(*reference)));
        // So that a checkpoint of a large log is not held in memory whole.
        writer.commit()?;
    }
}
