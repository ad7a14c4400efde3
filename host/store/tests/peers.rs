//! Real Prometheus tools as judges: they read what we wrote, we read what they wrote, and both see the same.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{T0, everything, floats, open, peer, run};
use watchglass_model::{Histogram, Labels, MetricMetadata, MetricType, Sample, Span, TimeMs, Value, stale_nan};
use watchglass_store::{Options, Store};

/// Samples by series in `promtool tsdb dump`'s words: floats by their bits, histograms by count and sum.
type Dump = BTreeMap<String, Vec<(TimeMs, String)>>;

fn promtool_dump(dir: &Path) -> Option<Dump> {
    let text = run(Command::new(peer("promtool")?).args(["tsdb", "dump"]).arg(dir));
    let mut dump = Dump::new();
    for line in text.lines() {
        let (rest, t) = line.rsplit_once(' ').unwrap();
        let (labels, value) = match rest.split_once(" {count:") {
            Some((labels, histogram)) => {
                // Count and sum come first: `5, sum:18.4, (0.25,0.5]:1 ...}`.
                let number = |i: usize| histogram.split([',', '}']).nth(i).unwrap().trim_start_matches(" sum:");
                let text = |i: usize| bits(number(i).parse().unwrap());
                (labels, format!("count:{} sum:{}", text(0), text(1)))
            }
            None => {
                let (labels, value) = rest.rsplit_once(' ').unwrap();
                (labels, bits(value.parse().unwrap()))
            }
        };
        dump.entry(labels.to_owned()).or_default().push((t.parse().unwrap(), value));
    }
    Some(dump)
}

fn bits(v: f64) -> String {
    // The text form of any NaN is the same.
    if v.is_nan() { "NaN".to_owned() } else { v.to_string() }
}

fn our_dump(store: &Store) -> Dump {
    let mut dump = Dump::new();
    for series in everything(store) {
        let pairs: Vec<String> = series.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
        let mut points: Vec<(TimeMs, String)> = series.floats.iter().map(|p| (p.t, bits(p.v))).collect();
        for p in &series.histograms {
            points.push((p.t, format!("count:{} sum:{}", bits(p.h.count), bits(p.h.sum))));
        }
        points.sort();
        dump.insert(format!("{{{}}}", pairs.join(", ")), points);
    }
    dump
}

/// Whether both readers saw the same. `promtool tsdb dump` walks a series once for each kind of sample and loses the one that ends each
/// walk: of a series of float histograms the first, of integer ones the first two.
#[track_caller]
fn assert_same(theirs: &Dump, ours: &Dump) {
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "the same series");
    for (series, points) in theirs {
        let own = &ours[series];
        let histograms = own.iter().all(|(_, v)| v.starts_with("count:"));
        let lost = if histograms { own.len().saturating_sub(points.len()).min(2) } else { 0 };
        let own = &own[lost..];
        let first = points.iter().zip(own).position(|(a, b)| a != b);
        let both = first.map(|i| (&points[i], &own[i]));
        assert!(points == own, "{series}: {} and {} points, first difference {both:?}", points.len(), own.len());
    }
}

fn histogram(n: f64) -> Histogram {
    Histogram {
        schema: 1,
        count: 4.0 * n + 1.0,
        sum: n * 1.5,
        zero_threshold: 0.001,
        zero_count: n + 1.0,
        positive_spans: vec![Span { offset: -2, length: 1 }, Span { offset: 3, length: 1 }],
        positive_buckets: vec![n, n],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        negative_buckets: vec![n],
        ..Histogram::default()
    }
}

fn custom(n: f64) -> Histogram {
    Histogram {
        schema: -53,
        count: 2.0 * n,
        sum: n,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![n, n],
        custom_values: vec![0.005, 1.0 / 3.0],
        ..Histogram::default()
    }
}

/// Some of everything, a sample every 15 s.
fn fill(store: &Store, from: TimeMs, to: TimeMs) {
    let mut t = from;
    while t < to {
        let n = ((t - T0) / 15_000) as f64;
        let odd = [f64::NAN, f64::INFINITY, -0.0, 1e-300, stale_nan(), n.sin()][(n as usize / 3) % 6];
        let mut batch =
            floats(&[("counter_total", "a", t, n), ("gauge", "ü \"q\" \\", t, n.sin()), ("odd", "b", t, odd)]);
        let mut push = |name: &str, h: Histogram| {
            let labels = Labels::from_pairs([("__name__", name), ("job", "h")]);
            batch.samples.push(Sample { labels, t, value: Value::Histogram(Arc::new(h)) });
        };
        // Resets, and a form that changes.
        push("whole", histogram(n % 500.0));
        push("broken", Histogram { count: 4.0 * n + 1.5, zero_count: n + 1.5, ..histogram(n) });
        push("bounds", custom(n));
        if n % 100.0 == 50.0 {
            push("gone", Histogram { sum: stale_nan(), ..Histogram::default() });
        } else {
            push("gone", histogram(n));
        }
        batch.metadata.push(MetricMetadata {
            name: "counter_total".into(),
            kind: MetricType::Counter,
            help: "Counts.".into(),
            unit: String::new(),
        });
        let done = store.append(&batch, t).unwrap();
        assert_eq!(done.rejected(), 0, "{done:?}");
        if n % 40.0 == 0.0 {
            assert_eq!(store.maintain(t).failures, Vec::<String>::new());
        }
        t += 15_000;
    }
}

const HOUR: TimeMs = 3_600_000;

#[test]
fn promtool_reads_our_log_and_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, T0, T0 + 2 * HOUR);
    drop(store);
    let Some(theirs) = promtool_dump(dir.path()) else { return };
    let store = open(dir.path());
    assert_eq!(theirs.len(), 7);
    assert_same(&theirs, &our_dump(&store));
    fill(&store, T0 + 2 * HOUR, T0 + 13 * HOUR);
    assert!(store.blocks().iter().any(|b| b.level > 1), "merged blocks are judged too: {:?}", store.blocks());
    assert!(store.stats().checkpoint_creations > 0, "and a checkpoint");
    let ours = our_dump(&store);
    let blocks = store.blocks();
    drop(store);
    assert_same(&promtool_dump(dir.path()).unwrap(), &ours);
    let list = run(Command::new(peer("promtool").unwrap()).args(["tsdb", "list"]).arg(dir.path()));
    for block in &blocks {
        let line = list.lines().find(|l| l.starts_with(&block.ulid)).expect("every block is listed");
        assert!(line.contains(&block.samples.to_string()) && line.contains(&block.series.to_string()), "{line}");
        let mut analyze = Command::new(peer("promtool").unwrap());
        let text = run(analyze.args(["tsdb", "analyze", "--extended"]).arg(dir.path()).arg(&block.ulid));
        assert!(text.contains(&format!("Total Series: {}", block.series)), "{text}");
    }
}

#[test]
fn we_read_blocks_that_promtool_made() {
    let Some(promtool) = peer("promtool") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for name in ["first", "second"] {
        text.push_str(&format!("# TYPE {name} gauge\n"));
        for instance in 0..40 {
            for i in 0..300 {
                let (t, v) = (T0 / 1000 + i * 60, f64::from(instance) * 0.1 + i as f64);
                text.push_str(&format!("{name}{{instance=\"i{instance}\"}} {v} {t}\n"));
            }
        }
    }
    text.push_str("# EOF\n");
    let input = dir.path().join("input.om");
    fs::write(&input, text).unwrap();
    let data = dir.path().join("data");
    run(Command::new(promtool).args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&input).arg(&data));
    let (store, report) = Store::open(&data, Options::default(), T0).unwrap();
    assert!(report.blocks > 1 && report.failed_blocks.is_empty(), "{report:?}");
    let ours = our_dump(&store);
    assert_eq!(ours.len(), 80);
    assert_same(&promtool_dump(&data).unwrap(), &ours);
    // Merged by us, they are still the same to promtool.
    while !store.maintain(T0).compacted.is_empty() {}
    assert_same(&promtool_dump(&data).unwrap(), &ours);
    assert_same(&our_dump(&store), &ours);
}

/// A Prometheus over a data directory, ended with the test.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn start(folder: &Path, data: &Path, config: &str) -> Option<Prometheus> {
        let program = peer("prometheus")?;
        // Bound and let go of: there is no way to have Prometheus choose a port and say which.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let file = folder.join("prometheus.yml");
        fs::write(&file, config.replace("ADDRESS", &address)).unwrap();
        let log = fs::File::create(folder.join("prometheus.log")).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--storage.tsdb.retention.time=30y", "--enable-feature=native-histograms,metadata-wal-records"])
            .args(["--web.enable-admin-api", "--query.max-samples=100000000"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut out = Prometheus { child, address };
        let until = Instant::now() + Duration::from_secs(60);
        while out.get("/-/ready").is_none_or(|r| !r.starts_with("HTTP/1.1 200") && !r.starts_with("HTTP/1.0 200")) {
            let log = || fs::read_to_string(folder.join("prometheus.log")).unwrap_or_default();
            assert!(out.child.try_wait().unwrap().is_none(), "prometheus ended: {}", log());
            assert!(Instant::now() < until, "prometheus is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(out)
    }

    fn request(&self, method: &str, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn get(&self, path: &str) -> Option<String> {
        self.request("GET", path)
    }

    /// The one number that a query gives.
    fn number(&self, query: &str, at: TimeMs) -> f64 {
        let text = self.get(&format!("/api/v1/query?query={query}&time={}", at / 1000)).unwrap();
        let value = text.split("\"value\":[").nth(1).and_then(|v| v.split('"').nth(1));
        value.unwrap_or_else(|| panic!("{query}: {text}")).parse().unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const QUIET: &str = "scrape_configs: []\n";
const SELF: &str = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n- job_name: self\n  static_configs: [{targets: [ADDRESS]}]\n";

#[test]
fn prometheus_goes_on_where_we_stopped_and_we_where_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = open(&data);
    fill(&store, T0, T0 + 9 * HOUR);
    let ours = our_dump(&store);
    drop(store);
    let end = T0 + 9 * HOUR;
    let Some(prometheus) = Prometheus::start(folder.path(), &data, QUIET) else { return };
    assert_eq!(prometheus.number("sum(count_over_time(counter_total[10h]))", end), 9.0 * 240.0);
    assert_eq!(prometheus.number("max_over_time(counter_total[10h])", end), 9.0 * 240.0 - 1.0);
    assert_eq!(prometheus.number("sum(count_over_time(bounds[10h]))", end), 9.0 * 240.0);
    let corruptions = prometheus.get("/metrics").unwrap();
    for metric in ["wal_corruptions_total", "reloads_failures_total", "mmap_chunk_corruptions_total"] {
        assert!(corruptions.contains(&format!("\nprometheus_tsdb_{metric} 0\n")), "{metric}");
    }
    let log = fs::read_to_string(folder.path().join("prometheus.log")).unwrap();
    assert!(!log.contains("level=ERROR") && !log.contains("nknown series references"), "{log}");
    assert!(Store::open(&data, Options::default(), T0).is_err(), "the lock is the same");
    drop(prometheus);
    // It was killed; what it left is ours again.
    let store = open(&data);
    assert_same(&ours, &our_dump(&store));
    fill(&store, end, end + HOUR);
    let ours = our_dump(&store);
    drop(store);
    assert_same(&promtool_dump(&data).unwrap(), &ours);
}

#[test]
fn we_read_the_log_of_a_running_prometheus_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let Some(prometheus) = Prometheus::start(folder.path(), &data, SELF) else { return };
    let until = Instant::now() + Duration::from_secs(60);
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as TimeMs;
    while prometheus
        .get("/metrics")
        .unwrap()
        .lines()
        .find_map(|l| {
            l.strip_prefix("prometheus_tsdb_head_samples_appended_total{type=\"float\"} ")?.parse::<f64>().ok()
        })
        .unwrap_or(0.0)
        < 5000.0
    {
        assert!(Instant::now() < until, "prometheus does not scrape itself");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Tombstones in the log.
    let deleted = prometheus.request("POST", "/api/v1/admin/tsdb/delete_series?match[]=go_goroutines").unwrap();
    assert!(deleted.contains(" 204 "), "{deleted}");
    drop(prometheus);
    // What a reader of theirs sees of it, then what we see.
    let theirs = promtool_dump(&data).unwrap();
    let (store, report) = Store::open(&data, Options::default(), now()).unwrap();
    assert_eq!((report.unknown_records, report.unknown_series_samples), (0, 0), "{report:?}");
    assert!(!report.clean_start);
    assert!(store.metadata().iter().any(|m| m.name == "go_goroutines" && m.kind == MetricType::Gauge));
    let mut ours = our_dump(&store);
    let mut without = theirs.clone();
    // Read only, promtool leaves the head's tombstones out of account in some versions.
    for dump in [&mut ours, &mut without] {
        dump.retain(|series, _| !series.contains("go_goroutines"));
    }
    assert_same(&without, &ours);
    // And it takes the directory back after us.
    let t = now();
    assert_eq!(store.append(&floats(&[("ours", "a", t, 42.0)]), t).unwrap().appended, 1);
    drop(store);
    let prometheus = Prometheus::start(folder.path(), &data, QUIET).unwrap();
    assert_eq!(prometheus.number("ours", t + 1000), 42.0);
}
