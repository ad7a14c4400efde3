//! What the tests of a store share.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use watchglass_model::{Labels, Matcher, Sample, SampleBatch, SeriesData, TimeMs, Value};
use watchglass_store::{Options, Store};

/// A time on a two-hour boundary.
pub(crate) const T0: TimeMs = 1_699_999_200_000;

/// Opens a store with defaults.
pub(crate) fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default(), T0).expect("the store opens").0
}

/// A batch of floats.
pub(crate) fn floats(samples: &[(&str, &str, TimeMs, f64)]) -> SampleBatch {
    let sample = |&(name, instance, t, v): &(&str, &str, TimeMs, f64)| Sample {
        labels: Labels::from_pairs([("__name__", name), ("instance", instance)]),
        t,
        value: Value::Float(v),
    };
    SampleBatch { samples: samples.iter().map(sample).collect(), metadata: Vec::new() }
}

/// All of a metric.
pub(crate) fn all(store: &Store, name: &str) -> Vec<SeriesData> {
    store.select(&[Matcher::equal("__name__", name)], TimeMs::MIN, TimeMs::MAX, usize::MAX, &|| false).expect("select")
}

/// Everything in the store.
pub(crate) fn everything(store: &Store) -> Vec<SeriesData> {
    store.select(&[], TimeMs::MIN, TimeMs::MAX, usize::MAX, &|| false).expect("select")
}

/// A real tool of Prometheus' house: in `WATCHGLASS_PEERS`, in the user's cache of them, or on PATH. `None` is told loudly, and
/// fails where CI is set.
pub(crate) fn peer(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(std::env::var_os("WATCHGLASS_PEERS").map(PathBuf::from));
    folders.extend(std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/watchglass-peers/usr/bin")));
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let found = folders.into_iter().map(|f| f.join(name)).find(|p| p.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no `{name}` on PATH, in WATCHGLASS_PEERS or in ~/.cache/watchglass-peers/usr/bin");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "with CI=true `{name}` has to be there");
    }
    found
}

/// Runs a tool and gives its standard output; its failure is the test's.
pub(crate) fn run(command: &mut Command) -> String {
    let out = command.output().expect("the tool starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

/// Whether what takes long runs in full.
pub(crate) fn long() -> bool {
    std::env::var("WATCHGLASS_LONG").as_deref() == Ok("1")
}
