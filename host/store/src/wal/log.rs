//! The open log: one writer behind a mutex, and syncs that waiting appends share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use watchglass_model::TimeMs;

use super::segment::SegmentWriter;
use crate::{FsyncPolicy, StoreError};

/// The write-ahead log of an open store.
pub(crate) struct Wal {
    dir: PathBuf,
    writer: Mutex<Option<SegmentWriter>>,
    policy: FsyncPolicy,
    /// Batches written, and how many of them are on the disk: who waits for a sync looks whether another's has covered it.
    written: AtomicU64,
    synced: Mutex<u64>,
    /// When the last timed sync was, by the appends' own clock.
    last_sync: AtomicI64,
    pub(crate) writes_failed: AtomicU64,
    extra_fsyncs: AtomicU64,
}

/// What the log has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WalStats {
    pub(crate) segment: u64,
    pub(crate) bytes_written: u64,
    pub(crate) fsyncs: u64,
}

impl Wal {
    /// Begins a new segment. Segments that exist already are never written to.
    pub(crate) fn open(
        dir: &Path,
        index: u64,
        segment_bytes: u64,
        compress: bool,
        policy: FsyncPolicy,
    ) -> Result<Wal, StoreError> {
        Ok(Wal {
            dir: dir.to_owned(),
            writer: Mutex::new(Some(SegmentWriter::create(dir, index, segment_bytes, compress)?)),
            policy,
            written: AtomicU64::new(0),
            synced: Mutex::new(0),
            last_sync: AtomicI64::new(i64::MIN),
            writes_failed: AtomicU64::new(0),
            extra_fsyncs: AtomicU64::new(0),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn lock(&self) -> MutexGuard<'_, Option<SegmentWriter>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what `fill` frames as one batch. On success all of it has reached the kernel; on failure none of it is in the log.
    ///
    /// `fill` runs while the log is held, so that the order of records in the log is the order of these calls.
    pub(crate) fn write<T>(
        &self,
        now: TimeMs,
        fill: impl FnOnce(&mut SegmentWriter) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut guard = self.lock();
        let writer = guard.as_mut().ok_or(StoreError::Closed)?;
        let filled = fill(writer).and_then(|out| writer.commit().map(|()| out));
        let out = filled.inspect_err(|_| {
            writer.rollback();
            self.writes_failed.fetch_add(1, Ordering::Relaxed);
        })?;
        let ticket = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        drop(guard);
        match self.policy {
            FsyncPolicy::Segment => {}
            FsyncPolicy::Always => self.sync_up_to(ticket)?,
            FsyncPolicy::EveryMs(_) => self.sync_if_due(now)?,
        }
        Ok(out)
    }

    /// Syncs if the policy is a timed one and its time has come.
    pub(crate) fn sync_if_due(&self, now: TimeMs) -> Result<(), StoreError> {
        let FsyncPolicy::EveryMs(every) = self.policy else { return Ok(()) };
        let last = self.last_sync.load(Ordering::Relaxed);
        let due = last == i64::MIN || now.saturating_sub(last) >= i64::try_from(every).unwrap_or(i64::MAX);
        if !due || self.last_sync.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Ok(());
        }
        self.sync_up_to(self.written.load(Ordering::Relaxed))
    }

    /// Waits until batch number `ticket` is on the disk. Whoever gets here first syncs for all that have been written by then.
    fn sync_up_to(&self, ticket: u64) -> Result<(), StoreError> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced >= ticket {
            return Ok(());
        }
        let (file, covered) = {
            let guard = self.lock();
            let writer = guard.as_ref().ok_or(StoreError::Closed)?;
            // Earlier segments were synced when they were finished.
            (writer.file()?, self.written.load(Ordering::Relaxed))
        };
        file.sync_data().map_err(StoreError::io("sync", &self.dir))?;
        self.extra_fsyncs.fetch_add(1, Ordering::Relaxed);
        *synced = covered;
        Ok(())
    }

    /// Syncs everything written so far.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.sync_up_to(self.written.load(Ordering::Relaxed))
    }

    /// Finishes the current segment, begins the next and gives the finished one's number.
    pub(crate) fn cut(&self) -> Result<u64, StoreError> {
        let mut guard = self.lock();
        let writer = guard.as_mut().ok_or(StoreError::Closed)?;
        let finished = writer.index();
        writer.next_segment()?;
        Ok(finished)
    }

    pub(crate) fn segment(&self) -> u64 {
        self.lock().as_ref().map_or(0, SegmentWriter::index)
    }

    pub(crate) fn stats(&self) -> WalStats {
        let guard = self.lock();
        let extra = self.extra_fsyncs.load(Ordering::Relaxed);
        guard.as_ref().map_or_else(WalStats::default, |w| WalStats {
            segment: w.index(),
            bytes_written: w.bytes_written,
            fsyncs: w.fsyncs + extra,
        })
    }

    /// Syncs and ends the log. Writes fail from then on.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        match self.lock().take() {
            Some(mut writer) => writer.finish(),
            None => Ok(()),
        }
    }
}
