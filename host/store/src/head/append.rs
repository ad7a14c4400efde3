//! A batch on its way into the head: looked at, written to the log, then stored.

use std::sync::Arc;

use watchglass_model::{MetricMetadata, Sample, SampleBatch, TimeMs, Value};

use super::index::Head;
use super::metadata::belongs;
use super::series::{MemSeries, Verdict};
use crate::codec::histogram::is_valid;
use crate::wal::record::{
    HistogramKind, RefHistogram, RefSample, put_histograms, put_metadata, put_samples, put_series,
};
use crate::wal::segment::SegmentWriter;
use crate::{Appended, Rejection, StoreError};

/// Samples in one WAL record at most: a record of these stays well below a segment.
const RECORD_SAMPLES: usize = 20_000;
/// Histograms in one WAL record at most.
const RECORD_HISTOGRAMS: usize = 1_000;
/// Series in one WAL record at most.
const RECORD_SERIES: usize = 5_000;

/// The samples of a batch that the head takes, before they are stored. Dropping it without [`Staged::store`] takes none.
pub(crate) struct Staged<'a> {
    head: &'a Head,
    batch: &'a SampleBatch,
    /// Series and index in the batch. Each holds its series' `pending`.
    samples: Vec<(Arc<MemSeries>, u32)>,
    /// Series that had no record in the log when they were looked at.
    unlogged: Vec<Arc<MemSeries>>,
    metadata: Vec<(u64, &'a MetricMetadata)>,
    pub(crate) outcome: Appended,
}

impl Head {
    /// Looks at every sample of a batch: finds or makes its series, and tells which samples can be taken.
    pub(crate) fn stage<'a>(&'a self, batch: &'a SampleBatch) -> Staged<'a> {
        let mut staged = Staged {
            head: self,
            batch,
            samples: Vec::with_capacity(batch.samples.len()),
            unlogged: Vec::new(),
            metadata: Vec::new(),
            outcome: Appended::default(),
        };
        let floor = self.oldest_allowed();
        for (i, sample) in batch.samples.iter().enumerate() {
            match staged.look(sample, floor) {
                Ok(Some(series)) => staged.samples.push((series, i as u32)),
                Ok(None) => staged.outcome.duplicates += 1,
                Err(why) => staged.outcome.reject(i, why),
            }
        }
        staged.find_carriers();
        staged
    }
}

impl<'a> Staged<'a> {
    /// The series that a sample goes into, `None` where it is there already.
    fn look(&mut self, sample: &Sample, floor: TimeMs) -> Result<Option<Arc<MemSeries>>, Rejection> {
        if sample.labels.is_empty() {
            return Err(Rejection::Invalid);
        }
        if let Value::Histogram(h) = &sample.value
            && !is_valid(h)
        {
            return Err(Rejection::Invalid);
        }
        if sample.t < floor {
            // Before a series is made for nothing.
            return Err(Rejection::OutOfBounds);
        }
        loop {
            let (series, new) = self.head.get_or_create(&sample.labels).ok_or(Rejection::TooManySeries)?;
            let mut state = series.lock();
            if state.dead {
                // It is being removed at this moment; the next look finds it gone.
                drop(state);
                std::thread::yield_now();
                continue;
            }
            self.outcome.new_series += u64::from(new);
            let verdict = state.check(sample.t, &sample.value, floor)?;
            if verdict == Verdict::Duplicate {
                return Ok(None);
            }
            state.pending += 1;
            drop(state);
            if !series.is_logged() {
                self.unlogged.push(series.clone());
            }
            return Ok(Some(series));
        }
    }

    /// Finds, for each family whose metadata is news, a series of the batch that can carry its record.
    fn find_carriers(&mut self) {
        let news: Vec<&MetricMetadata> = self.batch.metadata.iter().filter(|m| self.head.families.is_news(m)).collect();
        if news.is_empty() {
            return;
        }
        // Sorted by metric name, so that each family looks at its own few series and not at all.
        let mut by_name: Vec<(&str, u64)> = self
            .samples
            .iter()
            .map(|(s, i)| (self.batch.samples[*i as usize].labels.metric_name(), s.reference))
            .collect();
        by_name.sort_unstable();
        by_name.dedup_by_key(|(name, _)| *name);
        for metadata in news {
            let from = by_name.partition_point(|(name, _)| *name < metadata.name.as_str());
            let own = by_name[from..].iter().take_while(|(name, _)| name.starts_with(metadata.name.as_str()));
            match own.into_iter().find(|(name, _)| belongs(metadata, name)) {
                Some((_, reference)) => self.metadata.push((*reference, metadata)),
                None => self.head.families.set(metadata.clone(), None),
            }
        }
    }

    /// Whether there is nothing to write or store.
    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.metadata.is_empty()
    }

    /// The batch's sample records, which need no lock to make.
    pub(crate) fn encode(&self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut histograms: Vec<(HistogramKind, RefHistogram)> = Vec::new();
        for part in self.samples.chunks(RECORD_SAMPLES) {
            let mut record = Vec::with_capacity(part.len() * 12 + 32);
            let floats = part.iter().filter_map(|(series, i)| {
                let sample = &self.batch.samples[*i as usize];
                match &sample.value {
                    Value::Float(v) => Some(RefSample { reference: series.reference, t: sample.t, v: *v }),
                    Value::Histogram(h) => {
                        let kind = HistogramKind::of(h);
                        let h = h.clone();
                        histograms.push((kind, RefHistogram { reference: series.reference, t: sample.t, h }));
                        None
                    }
                }
            });
            put_samples(&mut record, floats);
            if !record.is_empty() {
                records.push(record);
            }
        }
        for kind in HistogramKind::ALL {
            let own: Vec<&RefHistogram> = histograms.iter().filter(|(k, _)| *k == kind).map(|(_, h)| h).collect();
            for part in own.chunks(RECORD_HISTOGRAMS) {
                let mut record = Vec::new();
                put_histograms(&mut record, kind, part.iter().map(|h| (*h).clone()));
                records.push(record);
            }
        }
        records
    }

    /// Frames the batch: series that the log doesn't have, metadata, then the records made before. Runs while the log is held, so a
    /// series' record always lies before its samples, whichever batch brings it.
    pub(crate) fn write(&self, writer: &mut SegmentWriter, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let unlogged: Vec<&Arc<MemSeries>> = self.unlogged.iter().filter(|s| !s.is_logged()).collect();
        let mut record = Vec::new();
        for part in unlogged.chunks(RECORD_SERIES) {
            record.clear();
            put_series(&mut record, part.iter().map(|s| (s.reference, &s.labels)));
            writer.push(&record)?;
        }
        if !self.metadata.is_empty() {
            record.clear();
            put_metadata(&mut record, self.metadata.iter().copied());
            writer.push(&record)?;
        }
        for record in records {
            writer.push(record)?;
        }
        // Before the log is let go of, so that nobody writes these series' records twice.
        writer.commit()?;
        unlogged.iter().for_each(|s| s.set_logged());
        Ok(())
    }

    /// Stores the samples, which the log has. Looks at each again: another batch may have brought a later one meanwhile.
    pub(crate) fn store(mut self) -> Appended {
        let head = self.head;
        let mut outcome = std::mem::take(&mut self.outcome);
        let (mut chunks, mut floats, mut histograms) = (0, 0, 0);
        let (mut min, mut max) = (TimeMs::MAX, TimeMs::MIN);
        for (series, i) in self.samples.drain(..) {
            let sample = &self.batch.samples[i as usize];
            let mut state = series.lock();
            state.pending -= 1;
            match state.check(sample.t, &sample.value, TimeMs::MIN) {
                Ok(Verdict::New) => {
                    chunks += u64::from(state.push(sample.t, &sample.value, head.rules));
                    (min, max) = (min.min(sample.t), max.max(sample.t));
                    match sample.value {
                        Value::Float(_) => floats += 1,
                        Value::Histogram(_) => histograms += 1,
                    }
                }
                Ok(Verdict::Duplicate) => outcome.duplicates += 1,
                Err(why) => outcome.reject(i as usize, why),
            }
        }
        for (reference, metadata) in &self.metadata {
            head.families.set((*metadata).clone(), Some(*reference));
        }
        if min <= max {
            head.saw_times(min, max);
        }
        outcome.appended = floats + histograms;
        head.count(&outcome, chunks, floats, histograms);
        outcome
    }
}

impl Drop for Staged<'_> {
    /// Lets go of the series of samples that were not stored.
    fn drop(&mut self) {
        for (series, _) in &self.samples {
            series.lock().pending -= 1;
        }
    }
}

impl Head {
    fn count(&self, outcome: &Appended, chunks: u64, floats: u64, histograms: u64) {
        use std::sync::atomic::Ordering::Relaxed;
        let counters = &self.counters;
        counters.chunks_created.fetch_add(chunks, Relaxed);
        counters.floats.fetch_add(floats, Relaxed);
        counters.histograms.fetch_add(histograms, Relaxed);
        counters.out_of_order.fetch_add(outcome.out_of_order, Relaxed);
        counters.out_of_bounds.fetch_add(outcome.out_of_bounds, Relaxed);
        counters.conflicts.fetch_add(outcome.conflicts, Relaxed);
    }
}
