//! What appending, selecting and replaying cost. `cargo bench -p watchglass-store`.
//!
//! Before the timed part it prints, for the same mix of values that `xtask bench` uses, CPU per sample, memory per series and
//! bytes per sample on disk of one larger run; `WATCHGLASS_BENCH_SERIES` (default 50000) and `WATCHGLASS_BENCH_STEPS` (default 240) size it.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use watchglass_model::{Labels, Matcher, Sample, SampleBatch, TimeMs, Value};
use watchglass_store::{Options, Store};

const T0: TimeMs = 1_699_999_200_000;
const STEP: TimeMs = 15_000;
const BATCH: usize = 5000;

fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Of every ten series three stay the same, three count by tens, one counts slowly, two are noisy with three decimals, one counts seconds.
fn value(series: usize, step: i64) -> f64 {
    let (id, k) = (series as u64, step as u64);
    let seed = mix(id);
    match series % 10 {
        0..=2 => (seed % 100_000) as f64,
        3..=5 => (seed % 1_000_000 + (seed % 40 + 1) * k + mix(id ^ k << 20) % (seed % 40 + 2)) as f64,
        6 => (seed % 1000 + k / (8 + seed % 5)) as f64,
        7 | 8 => (seed % 5000) as f64 + (mix(id.wrapping_mul(31) ^ k) % 2000) as f64 / 1000.0,
        _ => (((seed % 1500 * k) as f64 / 100.0 + (seed % 10_000) as f64) * 100.0).round() / 100.0,
    }
}

/// 500 series a host: 50 metrics, each with ten devices.
fn labels(series: usize) -> Labels {
    let (host, metric, device) = (series / 500, series % 50, series % 500 / 50);
    Labels::from_pairs([
        ("__name__", format!("bench_metric_{metric:02}_total").as_str()),
        ("instance", format!("host-{host:04}:9100").as_str()),
        ("job", "bench"),
        ("device", format!("dev{device}").as_str()),
        ("mode", ["user", "system", "idle", "iowait"][series % 4]),
    ])
}

fn batch(all: &[Labels], from: usize, step: i64) -> SampleBatch {
    let samples = (from..(from + BATCH).min(all.len())).map(|i| Sample {
        labels: all[i].clone(),
        t: T0 + step * STEP,
        value: Value::Float(value(i, step)),
    });
    SampleBatch { samples: samples.collect(), metadata: Vec::new() }
}

fn append_step(store: &Store, all: &[Labels], step: i64) {
    for from in (0..all.len()).step_by(BATCH) {
        let done = store.append(&batch(all, from, step), T0 + step * STEP).expect("append");
        assert_eq!(done.rejected(), 0);
    }
}

fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Resident memory that is not a mapped file, in bytes.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn env(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn block_bytes(store: &Store) -> (u64, u64) {
    store.blocks().iter().fold((0, 0), |(bytes, samples), b| (bytes + b.bytes, samples + b.samples))
}

/// One larger run, told in numbers.
fn report(dir: &Path) {
    let (n, steps) = (env("WATCHGLASS_BENCH_SERIES", 50_000), env("WATCHGLASS_BENCH_STEPS", 1440) as i64);
    let all: Vec<Labels> = (0..n).map(labels).collect();
    let before = anonymous();
    // What making the batches costs is measured alone and taken off.
    let began = cpu();
    for step in 0..4 {
        for from in (0..n).step_by(BATCH) {
            black_box(batch(&all, from, step));
        }
    }
    let making = (cpu() - began).as_secs_f64() / (4 * n) as f64;
    let (store, _) = Store::open(dir, Options::default(), T0).expect("open");
    let (began, wall) = (cpu(), Instant::now());
    append_step(&store, &all, 0);
    let creating = (cpu() - began).as_secs_f64() / n as f64 - making;
    let (began, mut at_20) = (cpu(), 0);
    for step in 1..steps {
        append_step(&store, &all, step);
        if step == 19 {
            at_20 = anonymous() - before;
        }
        if store.wants_maintenance() {
            let maintained = store.maintain(T0 + step * STEP);
            assert!(maintained.failures.is_empty(), "{maintained:?}");
        }
    }
    let appending = (cpu() - began).as_secs_f64() / (n as f64 * (steps - 1) as f64) - making;
    println!("{n} series, {steps} steps, {:.1} s", wall.elapsed().as_secs_f64());
    println!("creating a series and its first sample: {:.2} us CPU", creating * 1e6);
    println!("appending a sample, compaction included: {:.3} us CPU (making it: {:.3})", appending * 1e6, making * 1e6);
    println!(
        "memory a series after 20 samples: {} bytes; at the end: {}",
        at_20 / n as u64,
        (anonymous() - before) / n as u64
    );
    let stats = store.stats();
    println!(
        "head chunks: {} bytes a series; WAL written: {:.2} bytes a sample",
        stats.head_chunk_bytes / n as u64,
        stats.wal_bytes_written as f64 / (n as f64 * steps as f64)
    );
    let (bytes, samples) = block_bytes(&store);
    if samples > 0 {
        println!("blocks: {:.2} bytes a sample", bytes as f64 / samples as f64);
    }
    drop(store);
    let began = Instant::now();
    let (store, opened) = Store::open(dir, Options::default(), T0).expect("open");
    println!(
        "opening: {:.2} s for {} samples in the log ({} blocks)",
        began.elapsed().as_secs_f64(),
        opened.samples,
        opened.blocks
    );
    drop(store);
}

fn benches(c: &mut Criterion) {
    let all: Vec<Labels> = (0..50_000).map(labels).collect();

    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(dir.path(), Options::default(), T0).expect("open");
    append_step(&store, &all, 0);
    let (mut step, mut from) = (0, all.len());
    let mut group = c.benchmark_group("append");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("5000 samples of 50000 series", |b| {
        b.iter_batched(
            || {
                if from >= all.len() {
                    (from, step) = (0, step + 1);
                }
                from += BATCH;
                batch(&all, from - BATCH, step)
            },
            |batch| store.append(&batch, T0).expect("append"),
            BatchSize::LargeInput,
        );
    });
    group.finish();
    drop(store);

    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(dir.path(), Options::default(), T0).expect("open");
    for step in 0..960 {
        append_step(&store, &all[..5000], step);
        if store.wants_maintenance() {
            store.maintain(T0);
        }
    }
    let select = |name: &str, start: TimeMs, end: TimeMs| {
        let matchers = [Matcher::equal("__name__", name)];
        store.select(&matchers, T0 + start, T0 + end, usize::MAX, &|| false).expect("select").len()
    };
    // 100 series a metric here, 50 metrics: ten metrics are 1000 series.
    let mut group = c.benchmark_group("select");
    group.throughput(Throughput::Elements(1000 * 240));
    for (place, end) in [("head", 960 * STEP), ("block", 3_600_000)] {
        group.bench_function(format!("1000 series x 1 h from the {place}"), |b| {
            b.iter(|| {
                (0..10).map(|m| select(&format!("bench_metric_{m:02}_total"), end - 3_600_000, end)).sum::<usize>()
            });
        });
    }
    group.finish();
    drop(store);

    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(folder.path(), Options::default(), T0).expect("open");
    for step in 0..40 {
        append_step(&store, &all, step);
    }
    drop(store);
    let mut group = c.benchmark_group("replay");
    group.sample_size(10).throughput(Throughput::Elements(40 * 50_000));
    group.bench_function("2 million samples of 50000 series", |b| {
        b.iter(|| Store::open(folder.path(), Options::default(), T0).expect("open").1.samples);
    });
    group.finish();
}

fn main() {
    if !std::env::args().any(|a| a == "--test") {
        let dir = tempfile::tempdir().expect("a folder");
        report(dir.path());
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    benches(&mut criterion);
    criterion.final_summary();
}
