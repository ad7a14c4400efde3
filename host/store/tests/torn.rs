//! Logs that break off or rot.

mod common;

use std::fs;
use std::path::Path;

use common::{T0, all, floats, open};
use proptest::prelude::*;
use watchglass_model::{MetricMetadata, MetricType};
use watchglass_store::{Options, Store};

/// A small log: `n` batches, one sample of each of two series.
fn small_log(dir: &Path, n: i64) {
    let store = open(dir);
    for i in 0..n {
        let t = T0 + i * 1000;
        let mut batch = floats(&[("torn", "a", t, i as f64 + 0.1), ("torn", "b", t, i as f64 - 0.1)]);
        batch.metadata.push(MetricMetadata { name: "torn".into(), kind: MetricType::Gauge, ..Default::default() });
        assert_eq!(store.append(&batch, t).unwrap().appended, 2);
    }
}

fn segment(dir: &Path) -> std::path::PathBuf {
    dir.join("wal/00000000")
}

/// Copies only the log's one segment, cut or changed.
fn with_segment(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("wal")).unwrap();
    fs::write(segment(dir.path()), bytes).unwrap();
    dir
}

/// The log after a kill: without the padding of a clean stop.
fn log_bytes(n: i64) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), n);
    let mut bytes = fs::read(segment(dir.path())).unwrap();
    let end = bytes.iter().rposition(|&b| b != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}

#[test]
fn a_log_cut_anywhere_gives_all_whole_records_before_the_cut() {
    let whole = log_bytes(8);
    let mut most = 0;
    for cut in 0..=whole.len() {
        let dir = with_segment(&whole[..cut]);
        let (store, report) = Store::open(dir.path(), Options::default(), T0).unwrap();
        assert_eq!(store.stats().wal_corruptions, 0, "cut at {cut} is no corruption: {report:?}");
        let found = all(&store, "torn");
        let points = found.first().map_or(0, |s| s.floats.len());
        for series in &found {
            assert_eq!(series.floats.len(), points);
            assert!(series.floats.iter().enumerate().all(|(i, p)| p.t == T0 + i as i64 * 1000));
        }
        assert!(points >= most, "more of the log gave less: {points} at {cut}");
        most = points;
        if cut % 5 != 0 {
            continue;
        }
        // And it goes on.
        let t = T0 + 100_000;
        assert_eq!(store.append(&floats(&[("torn", "a", t, 1.0)]), t).unwrap().appended, 1);
        drop(store);
        let again = all(&open(dir.path()), "torn");
        assert_eq!(again[0].floats.len(), points + 1, "cut at {cut}");
    }
    assert_eq!(most, 8);
}

#[test]
fn damage_is_counted_and_set_aside_and_later_segments_are_read() {
    let whole = log_bytes(30);
    let mut rotten = whole.clone();
    rotten[whole.len() / 2] ^= 0x40;
    let dir = with_segment(&rotten);
    // A later segment, by a store that starts behind it.
    let (store, report) = Store::open(dir.path(), Options::default(), T0).unwrap();
    assert_eq!((store.stats().wal_corruptions, report.repairs.len()), (1, 1));
    let copies: Vec<_> = fs::read_dir(dir.path().join("corrupt")).unwrap().collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(fs::read(copies[0].as_ref().unwrap().path()).unwrap(), rotten);
    let kept = all(&store, "torn")[0].floats.len();
    assert!(kept > 5 && kept < 30, "{kept}");
    drop(store);
    let (store, report) = Store::open(dir.path(), Options::default(), T0).unwrap();
    assert_eq!((store.stats().wal_corruptions, report.repairs), (0, vec![]), "repaired once and for all");
    assert_eq!(all(&store, "torn")[0].floats.len(), kept);
}

#[test]
fn metadata_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    small_log(dir.path(), 3);
    let known = open(dir.path()).metadata();
    assert_eq!(known, [MetricMetadata { name: "torn".into(), kind: MetricType::Gauge, ..Default::default() }]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6)) {
        let mut bytes = log_bytes(20);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let dir = with_segment(&bytes);
        let (store, _) = Store::open(dir.path(), Options::default(), T0).unwrap();
        for series in all(&store, "torn") {
            prop_assert!(series.floats.len() <= 20);
        }
    }

    #[test]
    fn junk_for_a_log_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let dir = with_segment(&bytes);
        let (store, _) = Store::open(dir.path(), Options::default(), T0).unwrap();
        prop_assert_eq!(store.append(&floats(&[("torn", "a", T0, 1.0)]), T0).unwrap().appended, 1);
    }
}
