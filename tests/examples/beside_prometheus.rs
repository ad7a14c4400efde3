//! Queries, ingest and disk beside a Prometheus: the same samples by remote write into both, the same questions in turn; prints tables.
//!
//!     cargo xtask bench [--series N] [--steps N] [--reps N]
//!
//! which is, by hand,
//!
//!     cargo build --release -p watchglass
//!     WATCHGLASS_BIN=target/release/watchglass cargo run -p watchglass-tests --example beside_prometheus -- --steps 960
//!
//! Needs `prometheus` in `WATCHGLASS_PEERS` or on the PATH. Latencies are medians on one connection that is kept open, the two servers
//! asked alternately, so that both have the same noise.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use watchglass_model::{Labels, Sample, SampleBatch, Value as SampleValue, remote_write};
use watchglass_tests::{Daemon, Prometheus};

/// Between two samples of a series.
const STEP_MS: i64 = 15_000;
/// Samples of a request, all of one time, as scraping makes them.
const BATCH: usize = 5000;
/// Series of one host.
const PER_HOST: usize = 100;
/// How long to wait for a block to be written. Prometheus looks once a minute.
const BLOCK_PATIENCE: Duration = Duration::from_secs(180);

/// Name and query.
const QUERIES: &[(&str, &str)] = &[
    ("one series", "load_03_total{host=\"h0007\",device=\"d1\",mode=\"user\"}"),
    ("rate of one host", "rate(load_03_total{host=\"h0007\"}[5m])"),
    ("sum by(rate)", "sum by (mode) (rate(load_04_total[5m]))"),
    ("avg by host of rates", "avg by (host) (rate(load_03_total{mode!=\"idle\"}[5m]))"),
    ("topk of sums", "topk(10, sum by (host) (rate(load_05_total[5m])))"),
    ("ratio of sums", "sum(rate(load_03_total[5m])) / sum(rate(load_04_total[5m])) * 100"),
    ("match by label", "load_03_total / on (host, device, mode) load_04_total"),
    ("regex over names and hosts", "count({__name__=~\"load_0.+\",host=~\"h00[0-4].+\"})"),
    ("avg_over_time", "avg by (host) (avg_over_time(load_07[30m]))"),
    ("histogram_quantile", "histogram_quantile(0.95, sum by (le, host) (rate(wait_seconds_bucket[5m])))"),
    ("quantile", "quantile(0.95, load_08)"),
    ("subquery", "max_over_time(sum(rate(load_03_total[5m]))[30m:1m])"),
    ("all of a metric", "load_08"),
];

struct Options {
    series: usize,
    steps: i64,
    reps: usize,
}

fn options() -> Options {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: usize| {
        let at = arguments.iter().position(|a| a == name);
        let text = at.and_then(|i| arguments.get(i + 1));
        text.map_or(default, |t| t.parse().unwrap_or_else(|_| panic!("{name} takes a number, got `{t}`")))
    };
    Options { series: value("--series", 10_000), steps: value("--steps", 960) as i64, reps: value("--reps", 9) }
}

/// A server that is measured.
struct Server {
    name: &'static str,
    address: String,
    pid: u32,
    data: PathBuf,
}

fn main() {
    let options = options();
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("none")).expect("a folder");
    fs::write(dir.path().join("watchglass.toml"), "[plugins]\ndir = \"none\"\n").expect("a file");
    let arguments = ["--config", "watchglass.toml", "--listen", "127.0.0.1:0", "--data", "data"];
    let ours = Daemon::start(dir.path(), &arguments);
    let theirs = Prometheus::start(dir.path(), &["--log.level=info"]).expect("a program `prometheus`");
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let servers = [
        Server { name: "watchglass", address: address(ours.url()), pid: ours.pid(), data: dir.path().join("data") },
        Server {
            name: "prometheus",
            address: address(theirs.url()),
            pid: theirs.pid(),
            data: dir.path().join("prometheus-data"),
        },
    ];

    let series = series(options.series);
    let samples = series.len() as i64 * options.steps;
    println!("{} series, {} samples each, {STEP_MS} ms apart; {}\n", series.len(), options.steps, load());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let start = now - options.steps * STEP_MS;
    let cpu: Vec<f64> = servers.iter().map(|s| cpu_seconds(s.pid)).collect();
    write(&servers, &series, start, options.steps);
    let end = start + (options.steps - 1) * STEP_MS;
    let ingest: Vec<f64> = servers.iter().zip(cpu).map(|(s, before)| cpu_seconds(s.pid) - before).collect();
    let memory: Vec<f64> = servers.iter().map(|s| rss_bytes(s.pid) / series.len() as f64).collect();

    println!("| query | kind | watchglass ms | prometheus ms | ratio |\n|---|---|---|---|---|");
    let mut worst: f64 = 0.0;
    for (name, query) in QUERIES {
        for kind in ["instant", "range"] {
            let [a, b] = latencies(&servers, kind, query, end, options.reps);
            worst = worst.max(a / b);
            println!("| {name} | {kind} | {a:.2} | {b:.2} | {:.2} |", a / b);
        }
    }
    println!("\nworst ratio {worst:.2}; {}\n", load());

    println!("| | watchglass | prometheus | ratio |\n|---|---|---|---|");
    let per_sample = |seconds: f64| seconds * 1e6 / samples as f64;
    row("ingest, us CPU a sample", per_sample(ingest[0]), per_sample(ingest[1]));
    row("RSS after it, bytes a series", memory[0], memory[1]);
    let blocks: Vec<Option<f64>> = servers.iter().map(bytes_a_sample).collect();
    if let [Some(a), Some(b)] = blocks[..] {
        row("blocks on disk, bytes a sample", a, b);
    }
}

fn row(what: &str, ours: f64, theirs: f64) {
    println!("| {what} | {ours:.2} | {theirs:.2} | {:.2} |", ours / theirs);
}

fn load() -> String {
    format!("load average {}", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim())
}

/// A host has counters by device and mode, gauges, and a histogram.
fn series(n: usize) -> Vec<Labels> {
    let mut out = Vec::with_capacity(n);
    for host in 0..n.div_ceil(PER_HOST) {
        let host = format!("h{host:04}");
        let mut add = |name: &str, more: &[(&str, &str)]| {
            let own = [("__name__", name), ("host", host.as_str()), ("job", "bench")];
            out.push(Labels::from_pairs(own.into_iter().chain(more.iter().copied())));
        };
        for metric in 1..=8 {
            for device in ["d0", "d1"] {
                for mode in ["user", "system", "idle", "wait"] {
                    add(&format!("load_{metric:02}_total"), &[("device", device), ("mode", mode)]);
                }
            }
        }
        for metric in 1..=12 {
            for device in ["d0", "d1"] {
                add(&format!("load_{metric:02}"), &[("device", device)]);
            }
        }
        for le in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"] {
            add("wait_seconds_bucket", &[("le", le)]);
        }
    }
    out.truncate(n);
    out
}

/// A multiplicative hash: numbers that look random.
fn noise(series: usize, step: i64) -> u64 {
    let x = (series as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (step as u64).wrapping_mul(0xd134_2543_de82_ef95);
    (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn value(labels: &Labels, series: usize, step: i64) -> f64 {
    let name = labels.metric_name();
    let whole = noise(series, 0) % 1000;
    if name.ends_with("_bucket") {
        // The higher the bound, the more lie below it.
        let bound: f64 = labels.value("le").parse().unwrap_or(f64::INFINITY);
        return (step as f64 * 50.0 * if bound.is_finite() { bound / (bound + 0.5) } else { 1.0 }).floor();
    }
    if name.ends_with("_total") {
        // A third stands still, most count events, some count seconds.
        return match series % 8 {
            0..=2 => whole as f64,
            3..=6 => (whole + step as u64 * (whole % 40 + 1) + noise(series, step) % 10) as f64,
            _ => (whole as f64 + step as f64 * 7.5) + (noise(series, step) % 1000) as f64 / 1000.0,
        };
    }
    match series % 4 {
        0 => whole as f64,
        1 | 2 => (whole + noise(series, step) % 50) as f64,
        _ => whole as f64 + (noise(series, step) % 10_000) as f64 / 1000.0,
    }
}

fn write(servers: &[Server; 2], series: &[Labels], start: i64, steps: i64) {
    let mut connections: Vec<Connection> = servers.iter().map(|s| Connection::open(&s.address)).collect();
    let mut batch = SampleBatch::default();
    for step in 0..steps {
        for (chunk, labels) in series.chunks(BATCH).enumerate() {
            batch.samples.clear();
            batch.samples.extend(labels.iter().enumerate().map(|(i, labels)| Sample {
                labels: labels.clone(),
                t: start + step * STEP_MS,
                value: SampleValue::Float(value(labels, chunk * BATCH + i, step)),
            }));
            let body = snap::raw::Encoder::new().compress_vec(&remote_write::encode(&batch)).expect("snappy");
            // Sent to both before either is waited for.
            connections.iter_mut().for_each(|c| c.send("POST", "/api/v1/write", &body));
            for c in &mut connections {
                let (status, answer) = c.receive();
                assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(&answer));
            }
        }
    }
}

/// The medians in milliseconds, ours first. Both have to give as many series.
fn latencies(servers: &[Server; 2], kind: &str, query: &str, end: i64, reps: usize) -> [f64; 2] {
    let encoded: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
    let end = end / 1000;
    let path = match kind {
        "instant" => format!("/api/v1/query?query={encoded}&time={end}"),
        _ => format!("/api/v1/query_range?query={encoded}&start={}&end={end}&step=60", end - 3600),
    };
    let mut connections: Vec<Connection> = servers.iter().map(|s| Connection::open(&s.address)).collect();
    let mut times: [Vec<f64>; 2] = Default::default();
    let mut counts = [0, 0];
    // The first of each only warms up.
    for rep in 0..=reps {
        for (i, c) in connections.iter_mut().enumerate() {
            let began = Instant::now();
            c.send("GET", &path, &[]);
            let (status, body) = c.receive();
            let took = began.elapsed().as_secs_f64() * 1e3;
            assert_eq!(status, 200, "{}: {query}: {}", servers[i].name, String::from_utf8_lossy(&body));
            if rep > 0 {
                times[i].push(took);
            } else {
                let answer: Value = serde_json::from_slice(&body).expect("JSON");
                counts[i] = answer["data"]["result"].as_array().map_or(0, Vec::len);
            }
        }
    }
    assert_eq!(counts[0], counts[1], "series of `{query}`, {kind}");
    times.map(|mut t| {
        t.sort_by(f64::total_cmp);
        t[t.len() / 2]
    })
}

/// Bytes on disk of a sample in the blocks that were cut; none where none was in time.
fn bytes_a_sample(server: &Server) -> Option<f64> {
    let end = Instant::now() + BLOCK_PATIENCE;
    loop {
        let (mut samples, mut bytes) = (0.0, 0.0);
        for entry in fs::read_dir(&server.data).into_iter().flatten().flatten() {
            let Ok(meta) = fs::read_to_string(entry.path().join("meta.json")) else { continue };
            let meta: Value = serde_json::from_str(&meta).unwrap_or_default();
            samples += meta["stats"]["numSamples"].as_f64().unwrap_or(0.0);
            bytes += folder_bytes(&entry.path());
        }
        if samples > 0.0 {
            return Some(bytes / samples);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn folder_bytes(dir: &Path) -> f64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => folder_bytes(&e.path()),
            Ok(m) => m.len() as f64,
            Err(_) => 0.0,
        })
        .sum()
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may have spaces: fields 14 and 15 of all, in hundredths.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn rss_bytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

/// A connection that is kept open, without a client library's own work between the two ends.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).expect("a server that listens");
        stream.set_nodelay(true).expect("a socket option");
        Connection { stream: BufReader::with_capacity(1 << 18, stream) }
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n\
             content-encoding: snappy\r\nx-prometheus-remote-write-version: 0.1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request).expect("a request is sent");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line of an answer");
        line.trim_end().to_owned()
    }

    /// Status and body.
    fn receive(&mut self) -> (u16, Vec<u8>) {
        let status = self.line().split_whitespace().nth(1).and_then(|s| s.parse().ok()).expect("a status line");
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line().to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                Some(("transfer-encoding", value)) => chunked = value.contains("chunked"),
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if !chunked {
            body.resize(length, 0);
            self.stream.read_exact(&mut body).expect("a body");
            return (status, body);
        }
        loop {
            let size = usize::from_str_radix(&self.line(), 16).expect("a chunk's size");
            let from = body.len();
            body.resize(from + size, 0);
            self.stream.read_exact(&mut body[from..]).expect("a chunk");
            self.line();
            if size == 0 {
                return (status, body);
            }
        }
    }
}
