//! A process that is killed while it appends loses nothing that it was told is safe.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{T0, all, floats, long};
use watchglass_model::SampleBatch;
use watchglass_store::{Options, Store};

const SERIES: usize = 20;
const STEP_MS: i64 = 60_000;

fn batch(n: i64) -> SampleBatch {
    let names: Vec<String> = (0..SERIES).map(|i| format!("i{i}")).collect();
    let samples: Vec<_> = names.iter().map(|i| ("killed", i.as_str(), T0 + n * STEP_MS, n as f64)).collect();
    floats(&samples)
}

fn options() -> Options {
    // Small segments and blocks, so that kills fall into rotation, cutting, checkpoints and merging too.
    Options { wal_segment_bytes: 64 << 10, min_block_ms: 20 * STEP_MS, ..Options::default() }
}

/// The child: not a test by itself, but what `nothing_acknowledged_is_lost` starts and kills.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("WATCHGLASS_KILL_CHILD") else { return };
    let first: i64 = std::env::var("WATCHGLASS_KILL_FIRST").unwrap().parse().unwrap();
    let (store, _) = Store::open(Path::new(&dir), options(), T0).unwrap();
    let mut out = std::io::stdout().lock();
    for n in first..first + 100_000 {
        let done = store.append(&batch(n), T0 + n * STEP_MS).unwrap();
        assert_eq!(done.appended + done.duplicates, SERIES as u64, "{done:?}");
        writeln!(out, "acknowledged {n}").unwrap();
        out.flush().unwrap();
        if n % 7 == 0 {
            let maintained = store.maintain(T0 + n * STEP_MS);
            assert_eq!(maintained.failures, Vec::<String>::new());
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    if std::env::var_os("WATCHGLASS_KILL_CHILD").is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let kills = if long() { 200 } else { 30 };
    let (mut last, mut seed) = (-1i64, 12345u64);
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env("WATCHGLASS_KILL_CHILD", dir.path())
            .env("WATCHGLASS_KILL_FIRST", (last + 1).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let after = last + 1 + (seed >> 33) as i64 % 60;
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (mut line, mut killed) = (String::new(), false);
        // Reads on behind the kill: what is still in the pipe was acknowledged as well.
        while lines.read_line(&mut line).unwrap() > 0 {
            if let Some(n) = line.trim_end().strip_prefix("acknowledged ") {
                last = n.parse().unwrap();
            }
            if last >= after && !killed {
                child.kill().unwrap();
                killed = true;
            }
            line.clear();
        }
        child.wait().unwrap();
        assert!(killed, "kill {kill}: the child ended by itself after {last}");
        let (store, report) = Store::open(dir.path(), options(), T0).unwrap();
        assert_eq!(store.stats().wal_corruptions, 0, "{report:?}");
        let found = all(&store, "killed");
        assert_eq!(found.len(), SERIES, "kill {kill} after {last}: {report:?}");
        for series in found {
            let points: Vec<i64> = series.floats.iter().map(|p| p.v as i64).collect();
            assert!(
                points.iter().enumerate().all(|(i, v)| *v == i as i64),
                "kill {kill}: a gap in {}: {points:?}",
                series.labels
            );
            assert!(points.len() as i64 > last, "kill {kill}: {} ends at {} of {last}", series.labels, points.len());
        }
    }
}
