//! Data directories that rot: nothing that lies in them makes the store panic, hang or take memory without bound.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{T0, floats, open};
use proptest::prelude::*;
use watchglass_model::{Histogram, Labels, Sample, Span, TimeMs, Value};
use watchglass_store::{Options, Store};

const MINUTE: TimeMs = 60_000;

/// A directory with blocks, head chunks, a checkpoint and a log, made once and copied for each case.
fn made() -> &'static Vec<(PathBuf, Vec<u8>)> {
    static FILES: std::sync::OnceLock<Vec<(PathBuf, Vec<u8>)>> = std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { min_block_ms: 30 * MINUTE, wal_segment_bytes: 32 << 10, ..Options::default() };
        let (store, _) = Store::open(dir.path(), options, T0).unwrap();
        for i in 0..400 {
            let t = T0 + i * MINUTE;
            let mut batch = floats(&[("m", "a", t, i as f64), ("m", "b", t, (i as f64).sin())]);
            let h = Histogram {
                count: 2.0 * i as f64,
                positive_spans: vec![Span { offset: 0, length: 2 }],
                positive_buckets: vec![i as f64, i as f64],
                ..Histogram::default()
            };
            let labels = Labels::from_pairs([("__name__", "h")]);
            batch.samples.push(Sample { labels, t, value: Value::Histogram(h.into()) });
            store.append(&batch, t).unwrap();
            store.maintain(t);
        }
        drop(store);
        let mut files = Vec::new();
        collect(dir.path(), dir.path(), &mut files);
        files
    })
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            collect(root, &entry.path(), files);
        } else {
            files.push((entry.path().strip_prefix(root).unwrap().to_owned(), fs::read(entry.path()).unwrap()));
        }
    }
}

#[derive(Clone, Debug)]
enum Rot {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Junk(Vec<u8>),
    Gone,
}

fn rot() -> impl Strategy<Value = Rot> {
    prop_oneof![
        6 => (any::<prop::sample::Index>(), 1u8..=255).prop_map(|(at, x)| Rot::Flip(at, x)),
        2 => any::<prop::sample::Index>().prop_map(Rot::Cut),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Rot::Junk),
        1 => Just(Rot::Gone),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn a_rotten_directory_never_panics(rots in prop::collection::vec((any::<prop::sample::Index>(), rot()), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let mut files = made().clone();
        for (which, rot) in rots {
            let which = which.index(files.len());
            match rot {
                Rot::Flip(at, x) if !files[which].1.is_empty() => {
                    let at = at.index(files[which].1.len());
                    files[which].1[at] ^= x;
                }
                Rot::Cut(at) => { let at = at.index(files[which].1.len() + 1); files[which].1.truncate(at) }
                Rot::Junk(junk) => files[which].1 = junk,
                Rot::Gone => drop(files.remove(which)),
                Rot::Flip(..) => {}
            }
        }
        for (path, bytes) in &files {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), bytes).unwrap();
        }
        let store = open(dir.path());
        let _ = store.select(&[], TimeMs::MIN, TimeMs::MAX, 1_000_000, &|| false);
        let _ = store.series(&[], TimeMs::MIN, TimeMs::MAX, 0);
        let _ = store.label_values("instance", &[], TimeMs::MIN, TimeMs::MAX, 0);
        store.maintain(T0);
        // It takes samples all the same.
        let t = T0 + 100_000 * MINUTE;
        prop_assert_eq!(store.append(&floats(&[("new", "a", t, 1.0)]), t).unwrap().appended, 1);
        drop(store);
        drop(open(dir.path()));
    }
}
