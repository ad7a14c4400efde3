//! The head itself: all series, by labels and by label pair.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use watchglass_model::{Labels, Matcher, TimeMs};

use super::disk::HeadChunks;
use super::metadata::Families;
use super::postings::Postings;
use super::series::{ChunkRules, MemSeries};
use crate::wal::record::RefTombstone;
use crate::{Cardinality, Count, Options, StoreError};

/// Parts that the series are spread over by hash, so that appends on several threads seldom meet.
const SHARDS: usize = 32;

type Shard = RwLock<HashMap<Labels, Arc<MemSeries>>>;

/// The newest samples, in memory.
pub(crate) struct Head {
    shards: Vec<Shard>,
    hasher: RandomState,
    index: RwLock<Index>,
    pub(crate) families: Families,
    /// Full chunks on disk.
    pub(crate) disk: HeadChunks,
    pub(crate) rules: ChunkRules,
    next_reference: AtomicU64,
    series_count: AtomicUsize,
    max_series: usize,
    /// Samples before this are refused: they are in a block, or about to be.
    floor: AtomicI64,
    min_time: AtomicI64,
    max_time: AtomicI64,
    pub(crate) counters: Counters,
    /// Deleted ranges (both ends included) by reference.
    deleted: RwLock<HashMap<u64, Vec<(TimeMs, TimeMs)>>>,
}

/// Slots and what is found by them.
#[derive(Default)]
struct Index {
    slots: Vec<Arc<MemSeries>>,
    postings: Postings,
}

/// What the head counts; the fields are those of [`crate::Stats`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) series_created: AtomicU64,
    pub(crate) series_removed: AtomicU64,
    pub(crate) series_refused: AtomicU64,
    pub(crate) chunks_created: AtomicU64,
    pub(crate) chunks_removed: AtomicU64,
    pub(crate) floats: AtomicU64,
    pub(crate) histograms: AtomicU64,
    pub(crate) out_of_order: AtomicU64,
    pub(crate) out_of_bounds: AtomicU64,
    pub(crate) conflicts: AtomicU64,
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Head {
    pub(crate) fn new(options: &Options, floor: TimeMs, disk: HeadChunks) -> Head {
        Head {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            index: RwLock::default(),
            families: Families::default(),
            disk,
            rules: ChunkRules { samples: options.chunk_samples.clamp(4, 1000), range: options.min_block_ms.max(1) },
            next_reference: AtomicU64::new(1),
            series_count: AtomicUsize::new(0),
            // Slots are 32 bits wide, and the last one means "gone".
            max_series: options.max_series.min(u32::MAX as usize - 1),
            floor: AtomicI64::new(floor),
            min_time: AtomicI64::new(i64::MAX),
            max_time: AtomicI64::new(i64::MIN),
            counters: Counters::default(),
            deleted: RwLock::default(),
        }
    }

    /// Leaves ranges of some series out of what is read and cut from now on.
    pub(crate) fn delete(&self, stones: &[RefTombstone]) {
        let mut deleted = write(&self.deleted);
        for stone in stones {
            deleted.entry(stone.reference).or_default().push((stone.min, stone.max));
        }
    }

    /// Whether anything is deleted of any series.
    pub(crate) fn any_deleted(&self) -> bool {
        !read(&self.deleted).is_empty()
    }

    /// What of a series is deleted.
    pub(crate) fn deleted_of(&self, reference: u64) -> Vec<(TimeMs, TimeMs)> {
        read(&self.deleted).get(&reference).cloned().unwrap_or_default()
    }

    /// Forgets the deletions of series that are gone themselves.
    pub(crate) fn drop_deleted(&self, gone: impl Fn(u64) -> bool) {
        write(&self.deleted).retain(|reference, _| !gone(*reference));
    }

    fn shard(&self, labels: &Labels) -> &Shard {
        &self.shards[self.hasher.hash_one(labels) as usize % SHARDS]
    }

    /// The series with these labels, made where there is none, and whether it was made. `None` where the head is full.
    pub(crate) fn get_or_create(&self, labels: &Labels) -> Option<(Arc<MemSeries>, bool)> {
        let shard = self.shard(labels);
        if let Some(series) = read(shard).get(labels) {
            return Some((series.clone(), false));
        }
        self.create(shard, labels, None)
    }

    /// The series with these labels as the log names it; whoever was first keeps the name.
    pub(crate) fn replayed(&self, reference: u64, labels: &Labels) -> Option<Arc<MemSeries>> {
        self.saw_reference(reference);
        self.create(self.shard(labels), labels, Some(reference)).map(|(series, _)| series)
    }

    /// Keeps new series' references above those that the log has used.
    pub(crate) fn saw_reference(&self, reference: u64) {
        self.next_reference.fetch_max(reference.saturating_add(1), Ordering::Relaxed);
    }

    fn create(&self, shard: &Shard, labels: &Labels, reference: Option<u64>) -> Option<(Arc<MemSeries>, bool)> {
        let mut shard = write(shard);
        if let Some(series) = shard.get(labels) {
            return Some((series.clone(), false));
        }
        if self.series_count.fetch_add(1, Ordering::Relaxed) >= self.max_series {
            self.series_count.fetch_sub(1, Ordering::Relaxed);
            self.counters.series_refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let logged = reference.is_some();
        let reference = reference.unwrap_or_else(|| self.next_reference.fetch_add(1, Ordering::Relaxed));
        let series = Arc::new(MemSeries::new(reference, labels.clone(), logged));
        shard.insert(labels.clone(), series.clone());
        let mut index = write(&self.index);
        let slot = index.slots.len() as u32;
        index.slots.push(series.clone());
        index.postings.add(slot, labels);
        self.counters.series_created.fetch_add(1, Ordering::Relaxed);
        Some((series, true))
    }

    pub(crate) fn series_count(&self) -> usize {
        self.series_count.load(Ordering::Relaxed)
    }

    /// All series, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<MemSeries>> {
        read(&self.index).slots.clone()
    }

    /// The series that all matchers let through, in no order.
    pub(crate) fn matching(&self, matchers: &[Matcher]) -> Vec<Arc<MemSeries>> {
        let index = read(&self.index);
        let slots = &index.slots;
        let all = || (0..slots.len() as u32).collect();
        let found = index.postings.select(matchers, all, |slot| slots.get(slot as usize).map(|s| &s.labels));
        found.into_iter().filter_map(|slot| slots.get(slot as usize).cloned()).collect()
    }

    /// Label names, in no order.
    pub(crate) fn label_names(&self) -> Vec<String> {
        read(&self.index).postings.names().map(str::to_owned).collect()
    }

    /// Values of a label, in no order.
    pub(crate) fn label_values(&self, name: &str) -> Vec<String> {
        read(&self.index).postings.values(name).map(|(v, _)| v.to_owned()).collect()
    }

    /// The oldest time that a sample may have now: no block can hold it, and none is about to. As in Prometheus, the newest half block range is always open.
    pub(crate) fn oldest_allowed(&self) -> TimeMs {
        let floor = self.floor.load(Ordering::Acquire);
        match self.time_range() {
            Some((_, max)) => floor.max(max.saturating_sub(self.rules.range / 2)),
            None => floor,
        }
    }

    pub(crate) fn floor(&self) -> TimeMs {
        self.floor.load(Ordering::Acquire)
    }

    /// Refuses samples before a time from now on.
    pub(crate) fn raise_floor(&self, to: TimeMs) {
        self.floor.fetch_max(to, Ordering::AcqRel);
    }

    /// Takes note of samples between two times.
    pub(crate) fn saw_times(&self, min: TimeMs, max: TimeMs) {
        self.min_time.fetch_min(min, Ordering::AcqRel);
        self.max_time.fetch_max(max, Ordering::AcqRel);
    }

    /// First and last time; `None` without samples.
    pub(crate) fn time_range(&self) -> Option<(TimeMs, TimeMs)> {
        let (min, max) = (self.min_time.load(Ordering::Acquire), self.max_time.load(Ordering::Acquire));
        (min <= max).then_some((min, max))
    }

    /// Drops chunks that end before a time, and series that are empty then. Returns the references of those.
    ///
    /// No append that could still bring samples from before that time may be on its way: the caller has raised the floor and waited.
    pub(crate) fn truncate(&self, before: TimeMs) -> Vec<u64> {
        let (mut chunks, mut oldest) = (0, i64::MAX);
        let mut gone = Vec::new();
        for series in self.all() {
            let mut state = series.lock();
            chunks += state.truncate(before);
            match state.first_time() {
                Some(first) => oldest = oldest.min(first),
                None if state.pending == 0 => {
                    state.dead = true;
                    gone.push(series.reference);
                    drop(state);
                    write(self.shard(&series.labels)).remove(&series.labels);
                }
                None => {}
            }
        }
        // Without samples there is no range; what is appended meanwhile says so itself.
        self.min_time.store(oldest, Ordering::Release);
        self.counters.chunks_removed.fetch_add(chunks as u64, Ordering::Relaxed);
        self.counters.series_removed.fetch_add(gone.len() as u64, Ordering::Relaxed);
        self.series_count.fetch_sub(gone.len(), Ordering::Relaxed);
        if !gone.is_empty() {
            self.forget_dead();
        }
        gone
    }

    /// Gives the living series new slots, in the old order.
    fn forget_dead(&self) {
        let mut index = write(&self.index);
        let mut new = Vec::with_capacity(index.slots.len());
        let mut living = Vec::new();
        for series in std::mem::take(&mut index.slots) {
            if series.lock().dead {
                new.push(u32::MAX);
            } else {
                new.push(living.len() as u32);
                living.push(series);
            }
        }
        living.shrink_to_fit();
        index.slots = living;
        index.postings.rename(&new);
    }

    /// The oldest sample's time, from the series themselves; `None` without samples.
    pub(crate) fn oldest_sample(&self) -> Option<TimeMs> {
        self.all().iter().filter_map(|series| series.lock().first_time()).min()
    }

    /// Moves the full chunks that are in memory to disk. Returns how many.
    pub(crate) fn spill(&self) -> Result<usize, StoreError> {
        /// Chunks written at once.
        const BATCH: usize = 4096;
        let (mut series, mut chunks, mut moved) = (Vec::new(), Vec::new(), 0);
        let all = self.all();
        for (i, one) in all.iter().enumerate() {
            for copy in one.lock().full_in_memory() {
                series.push(one);
                chunks.push((one.reference, copy.min, copy.max, copy.encoding, copy.data));
            }
            if chunks.len() < BATCH && i + 1 < all.len() {
                continue;
            }
            let places = self.disk.write(&chunks)?;
            for ((one, chunk), place) in series.drain(..).zip(chunks.drain(..)).zip(places) {
                one.lock().moved_to_disk(chunk.1, place);
                moved += 1;
            }
        }
        Ok(moved)
    }

    /// Chunks and their bytes in memory.
    pub(crate) fn chunk_totals(&self) -> (u64, u64) {
        read(&self.index).slots.iter().fold((0, 0), |(chunks, bytes), series| {
            let state = series.lock();
            (chunks + state.chunk_count() as u64, bytes + state.chunk_bytes() as u64)
        })
    }

    /// What makes the head large.
    pub(crate) fn cardinality(&self, limit: usize) -> Cardinality {
        let index = read(&self.index);
        let (mut pairs, mut values_by_label, mut bytes_by_label, mut series_by_pair) =
            (0, Vec::new(), Vec::new(), Vec::new());
        for name in index.postings.names() {
            let (mut values, mut bytes) = (0, 0);
            for (value, series) in index.postings.values(name) {
                values += 1;
                bytes += value.len() * series;
                series_by_pair.push((series, name, value));
            }
            pairs += values;
            values_by_label.push(Count { name: name.to_owned(), value: values });
            bytes_by_label.push(Count { name: name.to_owned(), value: bytes as u64 });
        }
        let metrics = index.postings.values(watchglass_model::METRIC_NAME);
        let by_metric = metrics.map(|(v, n)| Count { name: v.to_owned(), value: n as u64 }).collect();
        series_by_pair.sort_unstable_by(|a, b| b.cmp(a));
        series_by_pair.truncate(limit);
        let named = |(n, name, value): (usize, &str, &str)| Count { name: format!("{name}={value}"), value: n as u64 };
        Cardinality {
            label_pairs: pairs,
            series_by_metric: largest(by_metric, limit),
            values_by_label: largest(values_by_label, limit),
            bytes_by_label: largest(bytes_by_label, limit),
            series_by_pair: series_by_pair.into_iter().map(named).collect(),
        }
    }
}

fn largest(mut counts: Vec<Count>, limit: usize) -> Vec<Count> {
    counts.sort_unstable_by(|a, b| b.value.cmp(&a.value).then_with(|| a.name.cmp(&b.name)));
    counts.truncate(limit);
    counts
}
