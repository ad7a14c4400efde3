//! Ours beside a real Prometheus: the same samples in both by remote write, the same questions to both, the answers compared.
//!
//! The queries are those of the shipped example, of public dashboards and alerting rules (where `WATCHGLASS_CONFORMANCE` is), and
//! ones that a grammar makes up; with `WATCHGLASS_LONG=1` many more of these. What each is compared in is said by `compare`.
//! Counts are printed, and the queries that this Prometheus does not know.

mod compare;
mod corpus;
mod data;
mod grammar;
mod shape;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use compare::{Answer, difference, is_ordered};
use corpus::Query;
use data::{END, START};
use serde_json::Value;
use watchglass_model::{Labels, SampleBatch, remote_write};
use watchglass_promql::{ParserOptions, parse};
use watchglass_tests::{Daemon, Prometheus, skip};

/// Queries with an answer, below which the test says nothing.
const LEAST_WITH_VALUES: usize = 300;
/// Samples of a request.
const BATCH: usize = 5000;
/// Queries made up by the grammar.
const GENERATED: usize = 600;
const GENERATED_LONG: usize = 20_000;

const CONFIG: &str = "\
[plugins]
dir = \"none\"
[query]
experimental_functions = true
";

/// Where 3.5.3 is known to say something else: part of a query, and why ours is right. Each must be needed.
const KNOWN: &[(&str, &str)] = &[];

/// Says something that a passing test shows too.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Both servers, with the same samples.
struct Pair {
    ours: String,
    theirs: String,
    client: reqwest::blocking::Client,
}

impl Pair {
    fn ask_one(&self, base: &str, path: &str, params: &[(&str, String)]) -> Answer {
        let url = format!("{base}/api/v1/{path}");
        let response = self.client.get(url).query(params).send().unwrap_or_else(|e| panic!("{path} {params:?}: {e}"));
        Answer { status: response.status().as_u16(), body: response.json().unwrap_or(Value::Null) }
    }

    /// Theirs and ours.
    fn ask(&self, path: &str, params: &[(&str, String)]) -> (Answer, Answer) {
        std::thread::scope(|scope| {
            let theirs = scope.spawn(|| self.ask_one(&self.theirs, path, params));
            let ours = self.ask_one(&self.ours, path, params);
            (theirs.join().expect("a thread that asks"), ours)
        })
    }

    fn write(&self, series: &BTreeSet<Labels>) -> usize {
        let mut batch = SampleBatch::default();
        let (mut written, mut last) = (0, series.iter().peekable());
        while let Some(labels) = last.next() {
            batch.samples.extend(data::samples(labels));
            if batch.samples.len() >= BATCH || last.peek().is_none() {
                written += batch.samples.len();
                let body = snap::raw::Encoder::new().compress_vec(&remote_write::encode(&batch)).expect("snappy");
                for base in [&self.ours, &self.theirs] {
                    let request = self.client.post(format!("{base}/api/v1/write")).body(body.clone());
                    let request = request
                        .header("content-type", "application/x-protobuf")
                        .header("content-encoding", "snappy")
                        .header("x-prometheus-remote-write-version", "0.1.0");
                    let response = request.send().expect("an answer to a write");
                    let status = response.status();
                    assert!(status.is_success(), "{base}: {status}: {}", response.text().unwrap_or_default());
                }
                batch.samples.clear();
            }
        }
        written
    }
}

/// What was seen on the way.
#[derive(Default)]
struct Tally {
    compared: usize,
    with_values: BTreeSet<String>,
    both_refuse: usize,
    not_known: BTreeSet<String>,
    differences: Vec<String>,
    excused: BTreeSet<&'static str>,
}

impl Tally {
    fn compare(&mut self, query: &Query, kind: &str, ordered: bool, theirs: &Answer, ours: &Answer) {
        // A newer language is what it can't know; whatever else it refuses, ours has to refuse.
        if theirs.body["errorType"] == "bad_data" && ours.body["errorType"] != "bad_data" {
            let error = theirs.body["error"].as_str().unwrap_or_default();
            self.not_known.insert(format!("{}: {}: {error}", query.name, query.text));
            return;
        }
        self.compared += 1;
        self.both_refuse += usize::from(!theirs.is_success());
        if theirs.is_success() && theirs.has_values() {
            self.with_values.insert(query.text.clone());
        }
        if let Some(what) = difference(theirs, ours, ordered) {
            match KNOWN.iter().find(|(part, _)| query.text.contains(part)) {
                Some((part, _)) => drop(self.excused.insert(part)),
                None => self.differences.push(format!("{kind} {}\n    {}\n    {what}", query.name, query.text)),
            }
        }
    }

    fn report(&self) {
        say(&format!(
            "beside Prometheus: {} answers compared, {} queries with values, {} answers refused by both, {} queries not known to it",
            self.compared,
            self.with_values.len(),
            self.both_refuse,
            self.not_known.len()
        ));
        self.not_known.iter().for_each(|line| say(&format!("  not known to it: {line}")));
    }
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn compare_queries(pair: &Pair, queries: &[Query], tally: &mut Tally) {
    for query in queries {
        let ordered = parse(&query.text, ParserOptions::all()).is_ok_and(|e| is_ordered(&e));
        let params = [("query", query.text.clone()), ("time", seconds(END - 60_000))];
        let (theirs, ours) = pair.ask("query", &params);
        tally.compare(query, "instant", ordered, &theirs, &ours);
        let range = [
            ("query", query.text.clone()),
            ("start", seconds(START + 15 * 60_000)),
            ("end", seconds(END + 60_000)),
            ("step", "77".to_owned()),
        ];
        let (theirs, ours) = pair.ask("query_range", &range);
        tally.compare(query, "range", false, &theirs, &ours);
    }
}

/// What is known of series, and what is said of a query's text.
fn compare_meta(pair: &Pair, queries: &[Query], tally: &mut Tally) {
    let mut check = |path: &str, params: &[(&str, String)]| {
        let (theirs, ours) = pair.ask(path, params);
        tally.compared += 1;
        if theirs.status != ours.status || theirs.body["data"] != ours.body["data"] {
            tally.differences.push(format!("{path} {params:?}\n    theirs {}\n    ours   {}", theirs.body, ours.body));
        }
    };
    let selectors = [
        "lab_requests_total",
        "{job=~\"api|db\"}",
        "{__name__=~\"lab_.*\",room!=\"\"}",
        "{instance=\"host-1:9100\",job!=\"job-2\"}",
        "lab_latency_seconds_bucket{le=\"+Inf\"}",
        "nothing_like_it",
        "{job=\"\"}",
        "{",
    ];
    let times = [
        Vec::new(),
        vec![("start", seconds(START)), ("end", seconds(START + 600_000))],
        vec![("end", seconds(START - 1))],
    ];
    for selector in selectors {
        for times in &times {
            let mut params = vec![("match[]", selector.to_owned())];
            params.extend(times.iter().cloned());
            for path in ["series", "labels", "label/job/values", "label/__name__/values", "label/room/values"] {
                check(path, &params);
            }
        }
    }
    for path in ["labels", "label/job/values", "label/__name__/values", "label/no_such/values", "series"] {
        times.iter().for_each(|times| check(path, times));
    }
    for query in queries {
        for path in ["format_query", "parse_query"] {
            let (theirs, ours) = pair.ask(path, &[("query", query.text.clone())]);
            if theirs.status != 200 && ours.status == 200 {
                continue;
            }
            tally.compared += 1;
            if theirs.status != ours.status || !contains(&ours.body["data"], &theirs.body["data"]) {
                tally.differences.push(format!(
                    "{path} {}\n    {}\n    theirs {}\n    ours   {}",
                    query.name, query.text, theirs.body, ours.body
                ));
            }
        }
    }
}

/// Whether one value has all that the other has; a newer server's trees have more.
fn contains(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(a), Value::Object(b)) => b.iter().all(|(k, v)| a.get(k).is_some_and(|a| contains(a, v))),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| contains(a, b)),
        (a, b) => a == b,
    }
}

fn start(dir: &Path) -> Option<(Prometheus, Daemon)> {
    let flags = [
        "--enable-feature=native-histograms,promql-experimental-functions",
        // The samples are of a past that would have left long ago.
        "--storage.tsdb.retention.time=100y",
    ];
    let theirs = Prometheus::start(dir, &flags)?;
    std::fs::create_dir(dir.join("none")).expect("a folder");
    std::fs::write(dir.join("watchglass.toml"), CONFIG).expect("a file");
    let arguments = ["--config", "watchglass.toml", "--listen", "127.0.0.1:0", "--data", "data"];
    Some((theirs, Daemon::start(dir, &arguments)))
}

#[test]
fn answers_are_those_of_prometheus() {
    let dir = tempfile::tempdir().expect("a folder");
    let Some((theirs, ours)) = start(dir.path()) else {
        return skip("the comparison with Prometheus", "a program `prometheus` in WATCHGLASS_PEERS or on the PATH");
    };
    let mut queries = corpus::example();
    match corpus::conformance() {
        Some(folder) => queries.extend(corpus::public(&folder)),
        None => skip("comparing the queries of dashboards", "the folder WATCHGLASS_CONFORMANCE"),
    }
    let mut seen = BTreeSet::new();
    queries.retain(|q| seen.insert(q.text.clone()));
    let mut series = data::laboratory();
    for query in &queries {
        let expr = parse(&query.text, ParserOptions::all()).unwrap_or_else(|e| panic!("{}: {e}", query.text));
        series.extend(shape::series_of(&expr));
    }
    let long = std::env::var("WATCHGLASS_LONG").is_ok_and(|v| v == "1");
    queries.extend(grammar::queries(if long { GENERATED_LONG } else { GENERATED }));

    let client = reqwest::blocking::Client::new();
    let pair = Pair { ours: ours.url().to_owned(), theirs: theirs.url().to_owned(), client };
    let began = std::time::Instant::now();
    let samples = pair.write(&series);
    say(&format!("beside Prometheus: {} series, {samples} samples written in {:.1?}", series.len(), began.elapsed()));

    let mut tally = Tally::default();
    let began = std::time::Instant::now();
    compare_queries(&pair, &queries, &mut tally);
    compare_meta(&pair, &queries[..queries.len().min(400)], &mut tally);
    tally.report();
    say(&format!("beside Prometheus: asked for {:.1?}", began.elapsed()));
    let shown: Vec<String> = tally.differences.iter().take(40).cloned().collect();
    assert!(tally.differences.is_empty(), "{} differences, the first:\n{}", tally.differences.len(), shown.join("\n"));
    for (part, why) in KNOWN {
        assert!(tally.excused.contains(part), "`{part}` is listed as known to differ ({why}) and does not");
    }
    assert!(tally.with_values.len() >= LEAST_WITH_VALUES, "only {} queries have values", tally.with_values.len());
}
