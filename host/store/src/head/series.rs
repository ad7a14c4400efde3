//! A series in the head, and its chunks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use watchglass_model::{Labels, TimeMs, Value};

use crate::Rejection;
use crate::codec::bytes::DecodeError;
use crate::codec::chunk::{Encoding, Points, decode, sample_count};
use crate::codec::histogram::HistogramWriter;
use crate::codec::layout::ResetHeader;
use crate::codec::xor::XorWriter;
use crate::head::disk::{DiskRef, HeadChunks};

/// A series in the head.
pub(crate) struct MemSeries {
    /// Its name in the WAL.
    pub(crate) reference: u64,
    pub(crate) labels: Labels,
    /// Whether the WAL has its series record. Set while the log is held.
    logged: AtomicBool,
    state: Mutex<SeriesState>,
}

impl MemSeries {
    pub(crate) fn new(reference: u64, labels: Labels, logged: bool) -> MemSeries {
        MemSeries { reference, labels, logged: AtomicBool::new(logged), state: Mutex::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SeriesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.logged.load(Ordering::Acquire)
    }

    pub(crate) fn set_logged(&self) {
        self.logged.store(true, Ordering::Release);
    }
}

/// How chunks are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkRules {
    /// Samples in a full chunk.
    pub(crate) samples: u16,
    /// No chunk crosses a multiple of this, so that a block takes whole chunks; ms.
    pub(crate) range: TimeMs,
}

/// A chunk that takes no more samples.
#[derive(Debug)]
pub(crate) struct FullChunk {
    pub(crate) min: TimeMs,
    pub(crate) max: TimeMs,
    pub(crate) encoding: Encoding,
    pub(crate) data: ChunkData,
}

/// Where a full chunk's data is.
#[derive(Debug)]
pub(crate) enum ChunkData {
    Memory(Box<[u8]>),
    Disk(DiskRef),
}

/// The most points that room is made for before they are seen: an hour at 100 ms.
const ROOM_MAX: usize = 36_000;

/// A copy of a chunk's data with what an index says of it.
#[derive(Clone, Debug)]
pub(crate) struct ChunkCopy {
    pub(crate) min: TimeMs,
    pub(crate) max: TimeMs,
    pub(crate) encoding: Encoding,
    pub(crate) data: Vec<u8>,
}

#[derive(Debug, Default)]
enum Open {
    #[default]
    None,
    Float(XorWriter),
    Histogram(Box<HistogramWriter>),
}

/// What appending a sample came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is new.
    New,
    /// It is there already.
    Duplicate,
}

/// What changes of a series.
#[derive(Debug, Default)]
pub(crate) struct SeriesState {
    full: Vec<FullChunk>,
    open: Open,
    open_min: TimeMs,
    /// A sample of this time or later begins a new chunk.
    cut_at: TimeMs,
    /// Appends that have looked at the series and not finished yet: it must not be removed.
    pub(crate) pending: u32,
    /// Removed from the head: whoever finds this looks the labels up again.
    pub(crate) dead: bool,
}

impl SeriesState {
    /// The newest sample's time.
    pub(crate) fn last_time(&self) -> Option<TimeMs> {
        match &self.open {
            Open::None => self.full.last().map(|c| c.max),
            Open::Float(writer) => Some(writer.last_time()),
            Open::Histogram(writer) => Some(writer.last().t),
        }
    }

    /// The oldest sample's time.
    pub(crate) fn first_time(&self) -> Option<TimeMs> {
        self.full.first().map(|c| c.min).or(match self.open {
            Open::None => None,
            _ => Some(self.open_min),
        })
    }

    /// Whether a sample may be appended; `floor` is the oldest time that the head takes.
    pub(crate) fn check(&self, t: TimeMs, value: &Value, floor: TimeMs) -> Result<Verdict, Rejection> {
        if t < floor {
            return Err(Rejection::OutOfBounds);
        }
        match self.last_time() {
            None => Ok(Verdict::New),
            Some(last) if t > last => Ok(Verdict::New),
            Some(last) if t < last => Err(Rejection::OutOfOrder),
            Some(_) => {
                let same = match (&self.open, value) {
                    (Open::Float(writer), Value::Float(v)) => writer.last_value().to_bits() == v.to_bits(),
                    (Open::Histogram(writer), Value::Histogram(h)) => same_histogram(&writer.last().h, h),
                    _ => false,
                };
                if same { Ok(Verdict::Duplicate) } else { Err(Rejection::Conflict) }
            }
        }
    }

    /// Appends a sample that was checked. Returns whether a new chunk was begun.
    pub(crate) fn push(&mut self, t: TimeMs, value: &Value, rules: ChunkRules) -> bool {
        match (&mut self.open, value) {
            (Open::Float(writer), Value::Float(v)) if t < self.cut_at && writer.count() < 2 * rules.samples => {
                writer.push(t, *v);
                if writer.count() == rules.samples / 4 {
                    self.cut_at = even_cut(self.open_min, t, self.cut_at);
                }
                return false;
            }
            (Open::Histogram(writer), Value::Histogram(h))
                if t < self.cut_at && writer.count() < 2 * rules.samples && writer.refuses(h).is_none() =>
            {
                writer.push(t, h);
                if writer.count() == rules.samples / 4 {
                    self.cut_at = even_cut(self.open_min, t, self.cut_at);
                }
                return false;
            }
            _ => {}
        }
        let reset = match (&self.open, value) {
            (Open::Histogram(writer), Value::Histogram(h)) => writer.refuses(h).unwrap_or(ResetHeader::NotReset),
            _ => ResetHeader::Unknown,
        };
        self.seal();
        self.open = match value {
            Value::Float(v) => Open::Float(XorWriter::new(t, *v)),
            Value::Histogram(h) => Open::Histogram(Box::new(HistogramWriter::new(t, h, reset))),
        };
        self.open_min = t;
        self.cut_at = t.div_euclid(rules.range).saturating_add(1).saturating_mul(rules.range);
        true
    }

    /// Ends the open chunk.
    fn seal(&mut self) {
        let (max, encoding, data) = match std::mem::take(&mut self.open) {
            Open::None => return,
            Open::Float(writer) => (writer.last_time(), Encoding::XOR, writer.into_bytes()),
            Open::Histogram(writer) => (writer.last().t, histogram_encoding(&writer), writer.into_bytes()),
        };
        self.full.reserve_exact(1);
        let data = ChunkData::Memory(data.into_boxed_slice());
        self.full.push(FullChunk { min: self.open_min, max, encoding, data });
    }

    fn open_chunk(&self) -> Option<(TimeMs, TimeMs, Encoding, &[u8])> {
        match &self.open {
            Open::None => None,
            Open::Float(writer) => Some((self.open_min, writer.last_time(), Encoding::XOR, writer.bytes())),
            Open::Histogram(writer) => {
                Some((self.open_min, writer.last().t, histogram_encoding(writer), writer.bytes()))
            }
        }
    }

    /// First and last times of all chunks, oldest first.
    fn spans(&self) -> impl Iterator<Item = (TimeMs, TimeMs)> {
        let open = self.open_chunk().map(|(min, max, _, _)| (min, max));
        self.full.iter().map(|c| (c.min, c.max)).chain(open)
    }

    /// Whether a chunk overlaps a range (both ends included).
    pub(crate) fn overlaps(&self, start: TimeMs, end: TimeMs) -> bool {
        self.spans().any(|(min, max)| min <= end && max >= start)
    }

    /// Hands the chunks that overlap a range (both ends included) to `f`: first time, last time, encoding, data.
    fn each(
        &self,
        start: TimeMs,
        end: TimeMs,
        disk: &HeadChunks,
        mut f: impl FnMut(TimeMs, TimeMs, Encoding, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        for chunk in self.full.iter().filter(|c| c.min <= end && c.max >= start) {
            match &chunk.data {
                ChunkData::Memory(data) => f(chunk.min, chunk.max, chunk.encoding, data)?,
                ChunkData::Disk(place) => disk.read(*place, |data| f(chunk.min, chunk.max, chunk.encoding, data))??,
            }
        }
        match self.open_chunk() {
            Some((min, max, encoding, data)) if min <= end && max >= start => f(min, max, encoding, data),
            _ => Ok(()),
        }
    }

    /// Appends the points between `start` and `end` (both included).
    pub(crate) fn read(
        &self,
        start: TimeMs,
        end: TimeMs,
        disk: &HeadChunks,
        points: &mut Points,
    ) -> Result<(), DecodeError> {
        // Room for all at once: as many as the first chunk has in its time, over what is asked for.
        let until = end.min(self.last_time().unwrap_or(end));
        let mut first = true;
        self.each(start, end, disk, |min, max, encoding, data| {
            if std::mem::take(&mut first) && encoding == Encoding::XOR {
                let asked = until.saturating_sub(start.max(min)) as f64;
                let distance = max.saturating_sub(min) as f64 / f64::from(sample_count(data).max(2) - 1);
                let room = (asked / distance.max(1.0)) as usize + 2;
                points.floats.reserve_exact(room.min(ROOM_MAX));
            }
            decode(encoding, data, start, end, points)
        })
    }

    /// Copies of the chunks that overlap a range (both ends included).
    pub(crate) fn copies(&self, start: TimeMs, end: TimeMs, disk: &HeadChunks) -> Result<Vec<ChunkCopy>, DecodeError> {
        let mut out = Vec::new();
        self.each(start, end, disk, |min, max, encoding, data| {
            out.push(ChunkCopy { min, max, encoding, data: data.to_vec() });
            Ok(())
        })?;
        Ok(out)
    }

    /// Copies of the chunks that are in memory, the open one included. Of a series that was built to be encoded these are all.
    pub(crate) fn copies_in_memory(&self) -> Vec<ChunkCopy> {
        let mut out = self.full_in_memory();
        out.extend(self.open_chunk().map(|(min, max, encoding, data)| ChunkCopy {
            min,
            max,
            encoding,
            data: data.to_vec(),
        }));
        out
    }

    /// Copies of the full chunks that are in memory, by time.
    pub(crate) fn full_in_memory(&self) -> Vec<ChunkCopy> {
        let copy = |c: &FullChunk| match &c.data {
            ChunkData::Memory(data) => {
                Some(ChunkCopy { min: c.min, max: c.max, encoding: c.encoding, data: data.to_vec() })
            }
            ChunkData::Disk(_) => None,
        };
        self.full.iter().filter_map(copy).collect()
    }

    /// Lets go of the memory of a chunk that begins at a time and was written to disk.
    pub(crate) fn moved_to_disk(&mut self, min: TimeMs, place: DiskRef) {
        if let Some(chunk) = self.full.iter_mut().find(|c| c.min == min) {
            chunk.data = ChunkData::Disk(place);
        }
    }

    /// Takes chunks found on disk, each where it fits between those that are there, and none that ends before `floor`. Returns first and last time taken.
    pub(crate) fn attach(&mut self, chunks: Vec<FullChunk>, floor: TimeMs) -> Option<(TimeMs, TimeMs)> {
        let mut taken: Option<(TimeMs, TimeMs)> = None;
        for chunk in chunks {
            let open = matches!(self.open, Open::None).then_some(TimeMs::MAX).unwrap_or(self.open_min);
            let at = self.full.partition_point(|c| c.min < chunk.min);
            let fits = at.checked_sub(1).is_none_or(|i| self.full[i].max < chunk.min)
                && self.full.get(at).is_none_or(|next| chunk.max < next.min)
                && chunk.max < open;
            if fits && chunk.max >= floor {
                let (min, max) = taken.unwrap_or((chunk.min, chunk.max));
                taken = Some((min.min(chunk.min), max.max(chunk.max)));
                self.full.insert(at, chunk);
            }
        }
        taken
    }

    /// Drops chunks that end before a time. Returns how many.
    pub(crate) fn truncate(&mut self, before: TimeMs) -> usize {
        let chunks = self.full.len();
        self.full.retain(|c| c.max >= before);
        if self.full.capacity() > 2 * self.full.len() {
            self.full.shrink_to_fit();
        }
        let mut dropped = chunks - self.full.len();
        if self.last_time().is_some_and(|t| t < before) {
            self.open = Open::None;
            dropped += 1;
        }
        dropped
    }

    pub(crate) fn chunk_count(&self) -> usize {
        self.full.len() + usize::from(!matches!(self.open, Open::None))
    }

    /// Bytes of the chunks that are in memory.
    pub(crate) fn chunk_bytes(&self) -> usize {
        let in_memory = |c: &FullChunk| match &c.data {
            ChunkData::Memory(data) => data.len(),
            ChunkData::Disk(_) => 0,
        };
        let open = self.open_chunk().map_or(0, |(_, _, _, data)| data.len());
        self.full.iter().map(in_memory).sum::<usize>() + open
    }
}

fn histogram_encoding(writer: &HistogramWriter) -> Encoding {
    if writer.is_float() { Encoding::FLOAT_HISTOGRAM } else { Encoding::HISTOGRAM }
}

fn same_histogram(a: &watchglass_model::Histogram, b: &watchglass_model::Histogram) -> bool {
    // By bits where NaN would not equal itself; a staleness marker is nothing but its sum.
    let bits = |v: &f64| v.to_bits();
    a.sum.to_bits() == b.sum.to_bits()
        && a.count.to_bits() == b.count.to_bits()
        && a.zero_count.to_bits() == b.zero_count.to_bits()
        && a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && a.custom_values == b.custom_values
        && a.positive_buckets.iter().map(bits).eq(b.positive_buckets.iter().map(bits))
        && a.negative_buckets.iter().map(bits).eq(b.negative_buckets.iter().map(bits))
}

/// Where to end a chunk whose first quarter reached from `start` to `now`, so that the chunks up to `end` come out about equal:
/// Prometheus' rule, which keeps a short remainder from becoming a chunk of its own.
fn even_cut(start: TimeMs, now: TimeMs, end: TimeMs) -> TimeMs {
    let (whole, left) = (now.saturating_sub(start).saturating_add(1) as f64 * 4.0, end.saturating_sub(start) as f64);
    let chunks = (left / whole).floor();
    if chunks <= 1.0 { end } else { start.saturating_add((left / chunks) as i64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::chunk::sample_count;

    const RULES: ChunkRules = ChunkRules { samples: 120, range: 7_200_000 };

    fn filled(from: TimeMs, step: TimeMs, n: i64) -> SeriesState {
        let mut state = SeriesState::default();
        for i in 0..n {
            state.push(from + i * step, &Value::Float(i as f64), RULES);
        }
        state
    }

    #[test]
    fn chunks_are_cut_evenly_and_never_cross_a_block() {
        let state = filled(0, 15_000, 960);
        let chunks: Vec<_> = state.copies_in_memory().iter().map(|c| (c.min, c.max, sample_count(&c.data))).collect();
        assert_eq!(chunks.len(), 8, "480 samples per two hours, 120 a chunk: {chunks:?}");
        assert!(chunks.iter().all(|(min, max, n)| *n == 120 && min / 7_200_000 == max / 7_200_000), "{chunks:?}");
        // Off the grid the rest is spread: no chunk of a few samples.
        let state = filled(1_000_000, 15_000, 400);
        assert!(state.copies_in_memory().iter().all(|c| sample_count(&c.data) > 60));
    }

    #[test]
    fn what_comes_too_late_is_refused_by_reason() {
        let state = filled(100_000, 1000, 3);
        let check = |t, v| state.check(t, &Value::Float(v), 50_000);
        assert_eq!(check(102_001, 0.0), Ok(Verdict::New));
        assert_eq!(check(102_000, 2.0), Ok(Verdict::Duplicate));
        assert_eq!(check(102_000, 3.0), Err(Rejection::Conflict));
        assert_eq!(check(101_000, 1.0), Err(Rejection::OutOfOrder));
        assert_eq!(check(49_999, 1.0), Err(Rejection::OutOfBounds));
    }

    #[test]
    fn truncating_drops_whole_chunks_only() {
        let mut state = filled(0, 15_000, 960);
        assert_eq!(state.truncate(7_200_000), 4);
        let samples: u16 = state.copies_in_memory().iter().map(|c| sample_count(&c.data)).sum();
        assert_eq!((state.first_time(), samples), (Some(7_200_000), 480));
        assert_eq!(state.truncate(i64::MAX), 4);
        assert_eq!(state.chunk_count(), 0);
    }
}
