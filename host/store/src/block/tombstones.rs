//! tombstones: ranges of a block's series that were deleted, until a compaction leaves them out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use watchglass_model::TimeMs;

use crate::StoreError;
use crate::codec::bytes::{Reader, crc, put_uvarint, put_varint};
use crate::codec::chunk::Points;

const MAGIC: u32 = 0x0130_BA30;

/// Deleted ranges (both ends included) by series ID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tombstones {
    by_series: BTreeMap<u64, Vec<(TimeMs, TimeMs)>>,
}

impl Tombstones {
    /// Reads the file in a block's folder; a block without one has none.
    pub(crate) fn read(dir: &Path) -> Result<Tombstones, StoreError> {
        let path = dir.join("tombstones");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Tombstones::default()),
            Err(e) => return Err(StoreError::io("read", &path)(e)),
        };
        Tombstones::decode(&bytes).map_err(|reason| StoreError::Corrupt { path, what: "tombstones", offset: 0, reason })
    }

    fn decode(bytes: &[u8]) -> Result<Tombstones, String> {
        let mut from = Reader::new(bytes);
        if from.u32() != Ok(MAGIC) || from.u8() != Ok(1) {
            return Err("the file does not begin with 0130ba30 and version 1".to_owned());
        }
        let length = from.len().checked_sub(4).ok_or("the file ends before its checksum")?;
        let entries = from.bytes(length).map_err(|e| e.to_string())?;
        let stored = from.u32().map_err(|e| e.to_string())?;
        if crc(entries) != stored {
            return Err("the checksum differs".to_owned());
        }
        let mut out = Tombstones::default();
        let mut from = Reader::new(entries);
        while !from.is_empty() {
            let mut entry = || Ok((from.uvarint()?, from.varint()?, from.varint()?));
            let (series, min, max) = entry().map_err(|e: crate::codec::bytes::DecodeError| e.to_string())?;
            out.add(series, min, max);
        }
        Ok(out)
    }

    /// Writes the file into a block's folder, whole or not at all.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let mut entries = Vec::new();
        for (series, ranges) in &self.by_series {
            for (min, max) in ranges {
                put_uvarint(&mut entries, *series);
                put_varint(&mut entries, *min);
                put_varint(&mut entries, *max);
            }
        }
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.push(1);
        bytes.extend_from_slice(&entries);
        bytes.extend_from_slice(&crc(&entries).to_be_bytes());
        let (path, unfinished) = (dir.join("tombstones"), dir.join("tombstones.tmp"));
        File::create(&unfinished)
            .and_then(|mut f| {
                f.write_all(&bytes)?;
                f.sync_all()
            })
            .map_err(StoreError::io("write", &unfinished))?;
        crate::files::rename(&unfinished, &path)
    }

    /// Adds a range.
    pub(crate) fn add(&mut self, series: u64, min: TimeMs, max: TimeMs) {
        if min <= max {
            self.by_series.entry(series).or_default().push((min, max));
        }
    }

    /// The deleted ranges of a series.
    pub(crate) fn of(&self, series: u64) -> &[(TimeMs, TimeMs)] {
        self.by_series.get(&series).map_or(&[], Vec::as_slice)
    }

    /// How many ranges.
    pub(crate) fn count(&self) -> u64 {
        self.by_series.values().map(|r| r.len() as u64).sum()
    }
}

/// Whether a time lies in one of the ranges.
pub(crate) fn covers(ranges: &[(TimeMs, TimeMs)], t: TimeMs) -> bool {
    ranges.iter().any(|(min, max)| t >= *min && t <= *max)
}

/// Leaves out what was deleted.
pub(crate) fn apply(ranges: &[(TimeMs, TimeMs)], points: &mut Points) {
    if !ranges.is_empty() {
        points.floats.retain(|p| !covers(ranges, p.t));
        points.histograms.retain(|p| !covers(ranges, p.t));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tombstones_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut stones = Tombstones::default();
        stones.write(dir.path()).unwrap();
        assert_eq!(fs::read(dir.path().join("tombstones")).unwrap().len(), 9, "header and checksum");
        stones.add(7, -5, 10);
        stones.add(7, 20, 30);
        stones.add(3, i64::MIN, i64::MAX);
        stones.write(dir.path()).unwrap();
        assert_eq!(Tombstones::read(dir.path()).unwrap(), stones);
        assert!(covers(stones.of(7), 10) && !covers(stones.of(7), 11));
    }

    proptest! {
        #[test]
        fn junk_never_panics(data in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut bytes = vec![0x01, 0x30, 0xba, 0x30, 1];
            bytes.extend(&data);
            let _ = Tombstones::decode(&bytes);
            bytes.extend(crc(&data).to_be_bytes());
            let _ = Tombstones::decode(&bytes);
        }
    }
}
