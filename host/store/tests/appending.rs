//! What an append answers, on one thread and on many.

mod common;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use common::{T0, all, floats, open};
use watchglass_model::{Histogram, Labels, Sample, Span, TimeMs, Value};
use watchglass_store::{FsyncPolicy, Options, Rejection, Store};

const MINUTE: TimeMs = 60_000;

#[test]
fn a_bad_sample_never_hinders_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), Options { max_series: 3, ..Options::default() }, T0).unwrap();
    store.append(&floats(&[("m", "a", T0, 1.0), ("m", "b", T0 + 2 * 60 * MINUTE, 1.0)]), T0).unwrap();
    let mut batch = floats(&[
        ("m", "b", T0 + 121 * MINUTE, 2.0),
        ("m", "b", T0 + 119 * MINUTE, 2.0),
        ("m", "b", T0 + 120 * MINUTE, 1.0),
        ("m", "b", T0 + 120 * MINUTE, 5.0),
        ("m", "a", T0 + 30 * MINUTE, 2.0),
        ("m", "c", T0 + 120 * MINUTE, 1.0),
        ("m", "d", T0 + 120 * MINUTE, 1.0),
    ]);
    batch.samples.push(Sample { labels: Labels::empty(), t: T0 + 120 * MINUTE, value: Value::Float(1.0) });
    let contradiction = Histogram { positive_spans: vec![Span { offset: 0, length: 3 }], ..Histogram::default() };
    let labels = Labels::from_pairs([("__name__", "h")]);
    batch.samples.push(Sample { labels, t: T0 + 120 * MINUTE, value: Value::Histogram(contradiction.into()) });
    let done = store.append(&batch, T0).unwrap();
    assert_eq!((done.appended, done.duplicates, done.out_of_order, done.conflicts), (2, 1, 1, 1), "{done:?}");
    assert_eq!((done.out_of_bounds, done.too_many_series, done.invalid, done.new_series), (1, 1, 2, 1), "{done:?}");
    assert_eq!((done.rejected(), done.first_rejected), (6, Some((1, Rejection::OutOfOrder))));
    let stats = store.stats();
    assert_eq!((stats.head_series, stats.head_series_refused, stats.head_floats_appended), (3, 1, 4));
    assert_eq!((stats.out_of_order_samples, stats.out_of_bound_samples, stats.conflicting_samples), (1, 1, 1));
    let cardinality = store.cardinality(1);
    assert_eq!((cardinality.label_pairs, cardinality.series_by_metric[0].value), (4, 3), "{cardinality:?}");
    assert_eq!(cardinality.series_by_pair[0].name, "__name__=m");
}

#[test]
fn what_a_batch_brings_out_of_order_within_itself_is_sorted_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch =
        floats(&[("m", "a", T0 + 2, 2.0), ("m", "a", T0 + 1, 1.0), ("m", "a", T0 + 2, 3.0), ("m", "a", T0 + 3, 3.0)]);
    let done = store.append(&batch, T0).unwrap();
    assert_eq!((done.appended, done.out_of_order, done.conflicts), (2, 1, 1), "{done:?}");
    drop(store);
    assert_eq!(all(&open(dir.path()), "m")[0].floats.len(), 2, "the log says the same");
}

#[test]
fn syncing_follows_the_policy() {
    let fsyncs = |fsync, step: TimeMs| {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path(), Options { fsync, ..Options::default() }, T0).unwrap();
        for i in 0..10 {
            store.append(&floats(&[("m", "a", T0 + i, 1.0)]), T0 + i * step).unwrap();
        }
        store.stats().wal_fsyncs
    };
    assert_eq!(fsyncs(FsyncPolicy::Segment, 1000), 0);
    assert_eq!(fsyncs(FsyncPolicy::Always, 1000), 10);
    assert_eq!(fsyncs(FsyncPolicy::EveryMs(5000), 1000), 2);
}

/// Appends, reads, deletions of whole ranges into blocks and merges, all at once: a reader never sees a gap, and nothing is missing at the end.
#[test]
fn threads_do_not_lose_or_hide_samples() {
    const WRITERS: i64 = 3;
    const STEPS: i64 = 1500;
    let dir = tempfile::tempdir().unwrap();
    let options = Options { min_block_ms: 60 * MINUTE, wal_segment_bytes: 256 << 10, ..Options::default() };
    let (store, _) = Store::open(dir.path(), options, T0).unwrap();
    let (stop, slowest) = (AtomicBool::new(false), [const { AtomicI64::new(-1) }; WRITERS as usize]);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| {
                let (store, slowest) = (&store, &slowest);
                scope.spawn(move || {
                    let name = format!("w{w}");
                    for i in 0..STEPS {
                        // Nobody runs so far ahead that the others come too late for the head.
                        while slowest.iter().any(|s| s.load(Ordering::Acquire) < i - 20) {
                            std::thread::yield_now();
                        }
                        let t = T0 + i * MINUTE;
                        // One series that stays, and one that is new every hour.
                        let churn = format!("{w}-{}", i / 60);
                        let done =
                            store.append(&floats(&[("stays", &name, t, i as f64), ("churns", &churn, t, 1.0)]), t);
                        assert_eq!(done.unwrap().appended, 2);
                        slowest[w as usize].store(i, Ordering::Release);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !stop.load(Ordering::Acquire) {
                let maintained = store.maintain(T0);
                assert!(maintained.failures.is_empty(), "{maintained:?}");
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Acquire) {
                let acknowledged: Vec<i64> = slowest.iter().map(|s| s.load(Ordering::Acquire)).collect();
                for series in all(&store, "stays") {
                    let w: usize = series.labels.value("instance")[1..].parse().unwrap();
                    let values: Vec<i64> = series.floats.iter().map(|p| p.v as i64).collect();
                    let gap = values.iter().enumerate().find(|(i, v)| *i as i64 != **v);
                    assert!(
                        gap.is_none() && values.len() as i64 > acknowledged[w],
                        "gap {gap:?} in {} of {acknowledged:?}",
                        values.len()
                    );
                }
            }
        });
        let results: Vec<_> = writers.into_iter().map(|w| w.join()).collect();
        stop.store(true, Ordering::Release);
        assert!(results.iter().all(Result::is_ok));
    });
    let count = |store: &Store, name| all(store, name).iter().map(|s| s.floats.len() as i64).sum::<i64>();
    assert_eq!((count(&store, "stays"), count(&store, "churns")), (WRITERS * STEPS, WRITERS * STEPS));
    assert!(store.stats().head_series < 20, "series that ended have left the head: {}", store.stats().head_series);
    drop(store);
    let store = open(dir.path());
    assert_eq!((count(&store, "stays"), count(&store, "churns")), (WRITERS * STEPS, WRITERS * STEPS));
}
