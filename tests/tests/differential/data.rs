//! Samples of made-up series: always the same, and shaped by what a metric's name promises.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchglass_model::{CounterResetHint, Histogram, Labels, METRIC_NAME, Sample, Span, TimeMs, Value, stale_nan};

/// The first sample's time. In the past, so that every run asks for the same.
pub(crate) const START: TimeMs = 1_700_000_000_000;
/// Between two samples of a series.
pub(crate) const STEP: TimeMs = 30_000;
/// Samples of a series.
const SAMPLES: i64 = 100;
/// The last sample's time, up to a step.
pub(crate) const END: TimeMs = START + SAMPLES * STEP;

/// Numbers that look random and are the same in every run (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next number.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.roll() % n.max(1)
    }

    /// One of a list.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// The series that generated queries ask for: of every kind some.
pub(crate) fn laboratory() -> BTreeSet<Labels> {
    let mut out = BTreeSet::new();
    for (job, instance) in [("api", "a:1"), ("api", "b:1"), ("db", "a:1"), ("db", "c:1")] {
        let mut add = |name: &str, more: &[(&str, &str)]| {
            let own = [(METRIC_NAME, name), ("job", job), ("instance", instance)];
            out.insert(Labels::from_pairs(own.into_iter().chain(more.iter().copied())));
        };
        for code in ["200", "404", "500"] {
            for method in ["get", "post"] {
                add("lab_requests_total", &[("code", code), ("method", method)]);
                add("lab_errors_total", &[("code", code), ("method", method)]);
            }
        }
        for room in ["attic", "cellar"] {
            add("lab_temperature_celsius", &[("room", room)]);
            add("lab_wild", &[("room", room)]);
        }
        add("lab_info", &[("version", if instance == "a:1" { "v1.0" } else { "v2.0" })]);
        for le in ["0.1", "0.5", "1", "2.5", "+Inf"] {
            add("lab_latency_seconds_bucket", &[("le", le)]);
        }
        for name in [
            "lab_latency_seconds_sum",
            "lab_latency_seconds_count",
            "lab_native",
            "lab_native_gauge",
            "lab_native_custom",
        ] {
            add(name, &[]);
        }
    }
    out
}

/// All samples of a series.
pub(crate) fn samples(labels: &Labels) -> Vec<Sample> {
    // Buckets of one histogram grow together.
    let mut dice = Dice(labels.filtered(|n, _| n != "le").fingerprint());
    let offset = dice.below(STEP as u64) as i64;
    // Some begin late, end early, miss samples, or go stale for a while.
    let quirk = dice.below(16);
    let (first, last) = match quirk {
        0 => (SAMPLES / 3, SAMPLES),
        1 => (0, SAMPLES / 2),
        _ => (0, SAMPLES),
    };
    let mut values = Values::of(labels, &mut dice);
    let mut out = Vec::new();
    for i in 0..SAMPLES {
        let value = values.next(i, &mut dice);
        if i < first || i >= last || (quirk == 2 && dice.below(3) == 0) || (quirk == 3 && (40..52).contains(&i)) {
            continue;
        }
        // Scrapes come a little early or late.
        let t = START + i * STEP + offset + dice.below(9) as i64;
        let stale = quirk == 4 && i % 30 == 20;
        let value = match (stale, value) {
            (false, value) => value,
            (true, Value::Float(_)) => Value::Float(stale_nan()),
            (true, Value::Histogram(_)) => {
                Value::Histogram(Arc::new(Histogram { sum: stale_nan(), ..Histogram::default() }))
            }
        };
        out.push(Sample { labels: labels.clone(), t, value });
    }
    out
}

/// What a native histogram's buckets begin with. Far from zero, up to which 3.5.3 extends a rate that newer ones end there.
const MANY: f64 = 1000.0;

enum Kind {
    Counter {
        whole: bool,
    },
    Gauge {
        whole: bool,
        size: f64,
    },
    Flag,
    Constant(f64),
    /// How many of a histogram's observations lie below a bound.
    Bucket {
        share: f64,
    },
    /// NaN, infinities, very large and very small numbers.
    Wild,
    Native {
        gauge: bool,
        custom: bool,
    },
}

struct Values {
    kind: Kind,
    now: f64,
    histogram: Histogram,
}

impl Values {
    fn of(labels: &Labels, dice: &mut Dice) -> Values {
        let name = labels.metric_name();
        let has = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let kind = if name.starts_with("lab_native") {
            Kind::Native { gauge: has(&["_gauge"]), custom: has(&["_custom"]) }
        } else if name == "lab_wild" {
            Kind::Wild
        } else if has(&["_bucket"]) {
            let bound: f64 = labels.value("le").parse().unwrap_or(f64::INFINITY);
            Kind::Bucket { share: if bound.is_finite() { bound / (bound + 1.0) } else { 1.0 } }
        } else if has(&["_info", "_labels"]) {
            Kind::Constant(1.0)
        } else if has(&["_total", "_count", "_sum"]) {
            Kind::Counter { whole: !has(&["_sum", "seconds_total"]) }
        } else if has(&["_time_seconds", "_timestamp_seconds", "_timestamp", "_expiry", "_time"]) {
            Kind::Constant((START / 1000 - dice.below(100_000) as i64) as f64)
        } else if has(&["up", "_status", "_state", "_condition", "_success", "_healthy", "_enabled"]) {
            Kind::Flag
        } else if name.starts_with("lab_") {
            // Ranked, so that no two are ever the same.
            Kind::Gauge { whole: false, size: 100.0 }
        } else {
            Kind::Gauge { whole: dice.below(2) == 0, size: [1.0, 100.0, 1e9][dice.below(3) as usize] }
        };
        let now = match &kind {
            Kind::Gauge { size, .. } => dice.below(1000) as f64 / 1000.0 * size,
            _ => dice.below(100_000) as f64,
        };
        Values { kind, now, histogram: Histogram::default() }
    }

    fn next(&mut self, i: i64, dice: &mut Dice) -> Value {
        Value::Float(match self.kind {
            Kind::Constant(v) => v,
            Kind::Flag => f64::from(u8::from(dice.below(4) > 0)),
            Kind::Counter { whole } => {
                let more = dice.below(200) as f64;
                self.now = if dice.below(40) == 0 { more } else { self.now + more };
                if whole { self.now } else { self.now / 7.0 }
            }
            Kind::Gauge { whole, size } => {
                self.now += (dice.below(2_000_001) as f64 / 1e6 - 1.0) * size / 10.0;
                if whole { self.now.round() } else { self.now }
            }
            Kind::Bucket { share } => {
                self.now += dice.below(200) as f64;
                (self.now * share).floor()
            }
            Kind::Wild => match dice.below(8) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => 1e300,
                4 => -1e-300,
                5 => -0.0,
                _ => dice.below(1000) as f64 - 500.0,
            },
            Kind::Native { gauge, custom } => return self.next_histogram(i, gauge, custom, dice),
        })
    }

    fn next_histogram(&mut self, i: i64, gauge: bool, custom: bool, dice: &mut Dice) -> Value {
        let h = &mut self.histogram;
        let anew = i == 0 || gauge || i % 37 == 36;
        if anew {
            let spans = |offset| vec![Span { offset, length: 3 }, Span { offset: 2, length: 2 }];
            *h = Histogram {
                schema: if custom { Histogram::default().schema } else { (i % 3) as i32 },
                positive_spans: spans(-1),
                positive_buckets: vec![MANY; 5],
                ..Histogram::default()
            };
            if custom {
                h.schema = -53;
                h.positive_spans = vec![Span { offset: 0, length: 5 }];
                h.custom_values = vec![0.1, 0.5, 1.0, 2.5];
            } else {
                h.zero_threshold = 0.001;
                h.negative_spans = spans(0);
                h.negative_buckets = vec![MANY; 5];
            }
        }
        h.counter_reset_hint = if gauge { CounterResetHint::Gauge } else { CounterResetHint::Unknown };
        let mut total = 0.0;
        for bucket in h.positive_buckets.iter_mut().chain(&mut h.negative_buckets) {
            *bucket += dice.below(20) as f64;
            total += *bucket;
        }
        if !custom {
            h.zero_count += dice.below(5) as f64;
        }
        h.count = total + h.zero_count;
        h.sum = if anew { 0.0 } else { h.sum } + dice.below(1000) as f64 / 8.0;
        Value::Histogram(Arc::new(h.clone()))
    }
}
