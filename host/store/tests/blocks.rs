//! Blocks: cut, merged, deleted, and read together with the head.

mod common;

use std::fs;

use common::{T0, all, everything, floats, open};
use watchglass_model::{Histogram, Labels, MatchOp, Matcher, Sample, SampleBatch, Span, TimeMs, Value};
use watchglass_store::{Options, Store};

const MINUTE: TimeMs = 60_000;
const HOUR: TimeMs = 60 * MINUTE;

/// A sample a minute of some series, with maintenance every ten, as a daemon would.
fn fill(store: &Store, from: TimeMs, to: TimeMs) {
    let mut t = from;
    while t < to {
        let v = (t / MINUTE) as f64;
        let done = store.append(&floats(&[("filled", "a", t, v), ("filled", "b", t, -v)]), t).unwrap();
        assert_eq!(done.appended, 2);
        if t % (10 * MINUTE) == 0 {
            assert_eq!(store.maintain(t).failures, Vec::<String>::new());
        }
        t += MINUTE;
    }
}

fn check(store: &Store, from: TimeMs, to: TimeMs) {
    let found = all(store, "filled");
    assert_eq!(found.len(), 2);
    for (series, sign) in found.iter().zip([1.0, -1.0]) {
        let expected: Vec<(TimeMs, f64)> =
            (0..(to - from) / MINUTE).map(|i| from + i * MINUTE).map(|t| (t, sign * (t / MINUTE) as f64)).collect();
        assert_eq!(series.floats.iter().map(|p| (p.t, p.v)).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn blocks_are_cut_and_merged_and_nothing_is_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // A gap, and a start off the boundary.
    let start = T0 + 17 * MINUTE;
    fill(&store, start, T0 + 30 * HOUR);
    check(&store, start, T0 + 30 * HOUR);
    let stats = store.stats();
    assert!(stats.head_min_time.unwrap() >= T0 + 26 * HOUR, "the head was truncated: {stats:?}");
    assert!(stats.checkpoint_creations > 0 && stats.compactions > 14, "{stats:?}");
    let blocks = store.blocks();
    let spans: Vec<_> = blocks.iter().map(|b| ((b.min_time - T0) / HOUR, (b.max_time - T0) / HOUR, b.level)).collect();
    assert!(spans.iter().any(|(_, _, level)| *level == 3), "eighteen hours in one: {spans:?}");
    assert!(blocks.len() < 8, "{spans:?}");
    drop(store);
    let (store, report) = Store::open(dir.path(), Options::default(), T0).unwrap();
    assert!(report.repairs.is_empty() && report.failed_blocks.is_empty(), "{report:?}");
    assert_eq!(report.unknown_series_samples, 0);
    check(&store, start, T0 + 30 * HOUR);
    fill(&store, T0 + 30 * HOUR, T0 + 34 * HOUR);
    check(&store, start, T0 + 34 * HOUR);
    // A part of it, over the border between blocks and head.
    let some =
        store.select(&[Matcher::equal("instance", "a")], T0 + 5 * HOUR, T0 + 33 * HOUR, usize::MAX, &|| false).unwrap();
    assert_eq!(some[0].floats.len(), 28 * 60 + 1);
}

#[test]
fn series_and_labels_come_from_head_and_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append(&floats(&[("old", "gone", T0, 1.0)]), T0).unwrap();
    fill(&store, T0 + MINUTE, T0 + 8 * HOUR);
    store.append(&floats(&[("new", "here", T0 + 8 * HOUR, 1.0)]), T0).unwrap();
    assert_eq!(store.stats().head_series, 3, "the old series has left the head");
    let names = |labels: Vec<Labels>| labels.iter().map(|l| l.metric_name().to_owned()).collect::<Vec<_>>();
    let sets = [vec![Matcher::new("__name__", MatchOp::Regex, "old|new").unwrap()]];
    assert_eq!(names(store.series(&sets, TimeMs::MIN, TimeMs::MAX, 0).unwrap()), ["new", "old"]);
    assert_eq!(names(store.series(&sets, TimeMs::MIN, TimeMs::MAX, 1).unwrap()), ["new"]);
    assert_eq!(names(store.series(&sets, T0 + 8 * HOUR, TimeMs::MAX, 0).unwrap()), ["new"]);
    let values = |name, sets: &[Vec<Matcher>], start| store.label_values(name, sets, start, TimeMs::MAX, 0).unwrap();
    assert_eq!(values("__name__", &[], T0), ["filled", "new", "old"]);
    assert_eq!(values("instance", &sets, T0), ["gone", "here"]);
    assert_eq!(store.label_names(&[], TimeMs::MIN, TimeMs::MAX, 0).unwrap(), ["__name__", "instance"]);
    assert_eq!(store.label_names(&sets, T0, TimeMs::MAX, 1).unwrap(), ["__name__"]);
}

#[test]
fn retention_deletes_by_time_and_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { retention_ms: 10 * HOUR, ..Options::default() };
    let (store, _) = Store::open(dir.path(), options, T0).unwrap();
    fill(&store, T0, T0 + 40 * HOUR);
    assert!(store.stats().time_retentions > 0);
    let oldest = store.blocks()[0].max_time;
    let newest = store.blocks().last().unwrap().max_time;
    assert!(newest - oldest < 10 * HOUR, "{:?}", store.blocks());
    assert_eq!(all(&store, "filled")[0].floats.first().unwrap().t, store.blocks()[0].min_time);
    drop(store);
    let options = Options { retention_ms: 0, retention_bytes: 1, ..Options::default() };
    let (store, _) = Store::open(dir.path(), options, T0).unwrap();
    let before = store.blocks().len() as u64;
    assert!(before > 0);
    assert_eq!(store.maintain(T0 + 40 * HOUR).deleted.len() as u64, before);
    assert_eq!((store.blocks().len(), store.stats().size_retentions), (0, before));
}

#[test]
fn what_is_deleted_is_gone_at_once_and_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, T0, T0 + 12 * HOUR);
    let b = [Matcher::equal("instance", "b")];
    assert!(store.delete(&b, T0 + HOUR, T0 + 11 * HOUR, T0).unwrap() > 1);
    let count = |store: &Store| all(store, "filled").iter().map(|s| s.floats.len()).collect::<Vec<_>>();
    let left = vec![12 * 60, 60 + 59];
    assert_eq!(count(&store), left);
    drop(store);
    let store = open(dir.path());
    assert_eq!(count(&store), left, "from the log and the tombstones");
    fill(&store, T0 + 12 * HOUR, T0 + 40 * HOUR);
    assert_eq!(count(&store), [40 * 60, 60 + 59 + 28 * 60]);
    assert!(store.blocks().iter().filter(|b| b.level > 1).all(|b| b.tombstones == 0), "compaction has made it true");
    assert!(store.delete(&[Matcher::equal("instance", "nobody")], T0, TimeMs::MAX, T0).unwrap() == 0);
}

#[test]
fn histograms_live_in_blocks_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let histogram = |n: f64, kind: f64| Histogram {
        schema: 1,
        count: 3.0 * n + kind,
        sum: n,
        zero_threshold: 0.001,
        zero_count: n + kind,
        positive_spans: vec![Span { offset: -2, length: 1 }, Span { offset: 3, length: 1 }],
        positive_buckets: vec![n, n],
        ..Histogram::default()
    };
    let mut t = T0;
    let mut n = 0.0;
    while t < T0 + 5 * HOUR {
        let sample = |name: &str, h: Histogram| Sample {
            labels: Labels::from_pairs([("__name__", name)]),
            t,
            value: Value::Histogram(h.into()),
        };
        let samples = vec![sample("whole", histogram(n, 0.0)), sample("broken", histogram(n, 0.5))];
        store.append(&SampleBatch { samples, metadata: Vec::new() }, t).unwrap();
        n += 1.0;
        t += MINUTE;
    }
    assert_eq!(store.maintain(t).cut.len(), 1);
    let check = |store: &Store| {
        for (name, kind) in [("whole", 0.0), ("broken", 0.5)] {
            let found = all(store, name);
            assert_eq!(found[0].histograms.len(), 300);
            for (i, point) in found[0].histograms.iter().enumerate() {
                let expected = histogram(i as f64, kind);
                let got = Histogram { counter_reset_hint: expected.counter_reset_hint, ..(*point.h).clone() };
                assert_eq!(got, expected);
            }
        }
    };
    check(&store);
    drop(store);
    check(&open(dir.path()));
    assert_eq!(open(dir.path()).stats().block_samples, 240);
}

#[test]
fn a_broken_block_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, T0, T0 + 8 * HOUR);
    drop(store);
    let block =
        fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.path()).find(|p| p.join("index").exists()).unwrap();
    fs::write(block.join("index"), b"not an index").unwrap();
    let (store, report) = Store::open(dir.path(), Options::default(), T0).unwrap();
    assert_eq!((report.failed_blocks.len(), store.stats().blocks_failed), (1, 1));
    assert!(report.failed_blocks[0].1.contains("index"), "{report:?}");
    assert!(!everything(&store).is_empty() && block.exists());
}

#[test]
fn queries_are_bounded_and_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, T0, T0 + 6 * HOUR);
    let select = |max, stop: bool| store.select(&[], TimeMs::MIN, TimeMs::MAX, max, &|| stop);
    assert!(select(720, false).is_ok());
    assert_eq!(
        select(719, false).unwrap_err().to_string(),
        "query processing would load too many samples into memory: more than 719"
    );
    assert_eq!(select(720, true).unwrap_err().to_string(), "query was cancelled");
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = Store::open(dir.path(), Options::default(), T0);
    assert!(second.err().unwrap().to_string().contains("in use by another process"));
    store.close().unwrap();
    assert!(store.append(&floats(&[("a", "a", T0, 1.0)]), T0).is_err());
    let (_again, report) = Store::open(dir.path(), Options::default(), T0).unwrap();
    assert!(report.clean_start);
}
