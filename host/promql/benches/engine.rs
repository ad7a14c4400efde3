//! The evaluator's speed over samples in memory.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use watchglass_model::{FloatPoint, Histogram, HistogramPoint, Labels, SeriesData, Span, TimeMs};
use watchglass_promql::{
    Cancel, Options, ParserOptions, QueryResult, Select, Source, SourceError, parse, query_instant, query_range,
};

const SCRAPE: TimeMs = 15_000;
const HOUR: TimeMs = 3_600_000;

/// Series in memory, sorted; selecting one costs copying its points, as reading them from a store would.
struct Fixed(Vec<SeriesData>);

impl Source for Fixed {
    fn select(&self, what: &Select<'_>, _: &Cancel) -> Result<Vec<SeriesData>, SourceError> {
        let matching = self.0.iter().filter(|s| what.matchers.iter().all(|m| m.matches(s.labels.value(m.name()))));
        let cut = |s: &SeriesData| {
            let first = s.floats.partition_point(|p| p.t < what.start);
            let end = s.floats.partition_point(|p| p.t <= what.end);
            let within = s.histograms.iter().filter(|p| (what.start..=what.end).contains(&p.t));
            SeriesData {
                labels: s.labels.clone(),
                floats: s.floats[first..end].to_vec(),
                histograms: within.cloned().collect(),
                starts: Vec::new(),
            }
        };
        Ok(matching.map(cut).filter(|s| !s.floats.is_empty() || !s.histograms.is_empty()).collect())
    }
}

fn floats(labels: Labels, samples: i64, value: impl Fn(i64) -> f64) -> SeriesData {
    let floats = (0..samples).map(|i| FloatPoint { t: i * SCRAPE, v: value(i) }).collect();
    SeriesData { labels, floats, ..SeriesData::default() }
}

fn sorted(mut series: Vec<SeriesData>) -> Fixed {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Fixed(series)
}

fn counters(count: usize, samples: i64) -> Fixed {
    let series = |i: usize| {
        let labels = Labels::from_pairs([
            ("__name__", "requests_total".to_owned()),
            ("instance", format!("10.0.{}.{}:9100", i / 250, i % 250)),
            ("job", format!("job-{}", i % 20)),
            ("zone", format!("zone-{}", i % 3)),
        ]);
        // Counters start anew now and then.
        floats(labels, samples, |n| ((n + i as i64) % 200) as f64 * 1.5)
    };
    sorted((0..count).map(series).collect())
}

fn classic_histograms(count: usize, samples: i64) -> Fixed {
    let bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
    let mut series = Vec::new();
    for i in 0..count {
        for (b, le) in bounds.iter().enumerate() {
            let labels = Labels::from_pairs([
                ("__name__", "latency_seconds_bucket".to_owned()),
                ("instance", format!("host-{i}")),
                ("le", (*le).to_owned()),
            ]);
            series.push(floats(labels, samples, |n| (n * (b as i64 + 1)) as f64));
        }
    }
    sorted(series)
}

fn native_histograms(count: usize, samples: i64) -> Fixed {
    let point = |n: i64| HistogramPoint {
        t: n * SCRAPE,
        h: Arc::new(Histogram {
            schema: 3,
            zero_threshold: 1e-9,
            count: (n * 20) as f64,
            sum: (n * 30) as f64,
            positive_spans: vec![Span { offset: -8, length: 20 }],
            positive_buckets: vec![n as f64; 20],
            ..Histogram::default()
        }),
    };
    let series = |i: usize| SeriesData {
        labels: Labels::from_pairs([("__name__", "latency_seconds".to_owned()), ("instance", format!("host-{i}"))]),
        histograms: (0..samples).map(point).collect(),
        ..SeriesData::default()
    };
    sorted((0..count).map(series).collect())
}

fn range(source: &Fixed, text: &str, start: TimeMs, end: TimeMs, step: i64) -> QueryResult {
    let expr = parse(text, ParserOptions::default()).expect("a query");
    query_range(source, text, &expr, start, end, step, &Options::default(), &Cancel::default()).expect("an answer")
}

fn instant(source: &Fixed, text: &str, at: TimeMs) -> QueryResult {
    let expr = parse(text, ParserOptions::default()).expect("a query");
    query_instant(source, text, &expr, at, &Options::default(), &Cancel::default()).expect("an answer")
}

fn engine(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine");
    group.sample_size(10);

    let many = counters(10_000, HOUR / SCRAPE + 21);
    group.bench_function("sum by(rate), 10,000 series, 1 h at 15 s, step 15 s", |b| {
        b.iter(|| {
            black_box(range(&many, "sum by (job) (rate(requests_total[5m]))", 5 * 60_000, 5 * 60_000 + HOUR, SCRAPE))
        })
    });
    group.bench_function("sum by(rate), 10,000 series, instant", |b| {
        b.iter(|| black_box(instant(&many, "sum by (job) (rate(requests_total[5m]))", HOUR)))
    });
    group.bench_function("topk(5), 10,000 series, 1 h, step 60 s", |b| {
        b.iter(|| black_box(range(&many, "topk(5, requests_total)", 5 * 60_000, 5 * 60_000 + HOUR, 60_000)))
    });
    group.bench_function("a / on b, 10,000 series, 1 h, step 60 s", |b| {
        b.iter(|| black_box(range(&many, "requests_total / requests_total", 5 * 60_000, 5 * 60_000 + HOUR, 60_000)))
    });
    drop(many);

    let classic = classic_histograms(1_000, HOUR / SCRAPE + 21);
    group.bench_function("histogram_quantile, 1,000 classic histograms, 1 h, step 60 s", |b| {
        let query = "histogram_quantile(0.9, rate(latency_seconds_bucket[5m]))";
        b.iter(|| black_box(range(&classic, query, 5 * 60_000, 5 * 60_000 + HOUR, 60_000)))
    });
    drop(classic);

    let native = native_histograms(1_000, HOUR / SCRAPE + 21);
    group.bench_function("histogram_quantile, 1,000 native histograms, 1 h, step 60 s", |b| {
        let query = "histogram_quantile(0.9, rate(latency_seconds[5m]))";
        b.iter(|| black_box(range(&native, query, 5 * 60_000, 5 * 60_000 + HOUR, 60_000)))
    });
    drop(native);

    let hundred = counters(100, 2_000);
    group.bench_function("500 points, 100 series", |b| {
        b.iter(|| black_box(range(&hundred, "requests_total", 5 * 60_000, 5 * 60_000 + 499 * 50_000, 50_000)))
    });
    drop(hundred);

    let wide = counters(100_000, 2);
    group.bench_function("a regex over 100,000 series", |b| {
        b.iter(|| black_box(instant(&wide, r#"count(requests_total{instance=~"10\\.0\\.1.*:9100"})"#, 20_000)))
    });
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
