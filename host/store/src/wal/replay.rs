//! Reading the log back: the newest checkpoint, then the segments after it, repaired where they are damaged.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use super::checkpoint;
use super::read::{Broken, Next, SegmentReader};
use super::record::Decoded;
use super::segment;
use crate::StoreError;
use crate::files::set_aside;

/// What a replay found.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Segments read, those of the checkpoint included.
    pub(crate) segments: usize,
    /// Records of a kind or compression that is not understood.
    pub(crate) unknown_records: u64,
    /// Damage that is no torn tail.
    pub(crate) corruptions: u64,
    /// What was wrong where, and what was done.
    pub(crate) repairs: Vec<String>,
    /// The number of the next segment to write.
    pub(crate) next_segment: u64,
}

/// Hands every record of the log to `apply`, in order.
///
/// A record cut off at the end of a segment is a write that was never acknowledged: the segment is cut behind the last whole one. Other
/// damage is copied to `corrupt/`, then cut as well; what follows in later segments is still read, for it stands on its own.
pub(crate) fn replay(data_dir: &Path, wal_dir: &Path, mut apply: impl FnMut(&Decoded)) -> Result<Replay, StoreError> {
    let mut out = Replay::default();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut after = None;
    if let Some((index, dir)) = checkpoint::newest(wal_dir)? {
        files.extend(segment::list(&dir)?.into_iter().map(|i| segment::path(&dir, i)));
        after = Some(index);
    }
    let segments = segment::list(wal_dir)?;
    out.next_segment = segments.last().copied().max(after).map_or(0, |last| last + 1);
    files.extend(segments.into_iter().filter(|&i| after.is_none_or(|a| i > a)).map(|i| segment::path(wal_dir, i)));
    let mut decoded = Decoded::default();
    for file in &files {
        out.segments += 1;
        if let Some(broken) = replay_segment(file, &mut decoded, &mut out.unknown_records, &mut apply)? {
            repair(data_dir, file, &broken, &mut out)?;
        }
    }
    Ok(out)
}

fn replay_segment(
    file: &Path,
    decoded: &mut Decoded,
    unknown: &mut u64,
    apply: &mut impl FnMut(&Decoded),
) -> Result<Option<Broken>, StoreError> {
    let mut reader = SegmentReader::open(file)?;
    loop {
        let before = reader.good();
        match reader.next()? {
            Next::Record(record) => {
                if let Err(e) = decoded.read(record) {
                    return Ok(Some(Broken {
                        good: before,
                        reason: format!("a record that can't be decoded: {e}"),
                        torn: false,
                    }));
                }
                *unknown += u64::from(decoded.unknown);
                apply(decoded);
            }
            Next::Unknown => *unknown += 1,
            Next::End => return Ok(None),
            Next::Broken(broken) => return Ok(Some(broken)),
        }
    }
}

fn repair(data_dir: &Path, file: &Path, broken: &Broken, out: &mut Replay) -> Result<(), StoreError> {
    let Broken { good, reason, torn } = broken;
    let mut text = format!("`{}` at byte {good}: {reason}; cut there", file.display());
    if !torn {
        let copy = set_aside(data_dir, file, "wal")?;
        out.corruptions += 1;
        text.push_str(&format!(", whole file copied to `{}`", copy.display()));
    }
    OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|f| {
            f.set_len(*good)?;
            f.sync_all()
        })
        .map_err(StoreError::io("repair", file))?;
    out.repairs.push(text);
    Ok(())
}
