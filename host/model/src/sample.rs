//! Samples, points, series, batches.

use std::sync::Arc;

use crate::{Histogram, Labels, TimeMs};

/// The bits of the NaN that marks a series as stale: not a value, but the end of the series until its next sample.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker.
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether a value is the staleness marker (an ordinary NaN is not).
pub fn is_stale_nan(v: f64) -> bool {
    v.to_bits() == STALE_NAN_BITS
}

/// A float at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatPoint {
    /// Time.
    pub t: TimeMs,
    /// Value.
    pub v: f64,
}

/// A native histogram at a time. A histogram whose sum is the staleness marker is one itself.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramPoint {
    /// Time.
    pub t: TimeMs,
    /// Value.
    pub h: Arc<Histogram>,
}

/// What a sample holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A float: counters, gauges, and the series of classic histograms and summaries.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

/// One value of one series at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The series, metric name included.
    pub labels: Labels,
    /// Time.
    pub t: TimeMs,
    /// Value.
    pub value: Value,
}

/// What crosses a crate border on the way in: the samples of one collection, rule or request, with what is known of their metrics.
#[derive(Clone, Debug, Default)]
pub struct SampleBatch {
    /// Samples, of one series in the order of time.
    pub samples: Vec<Sample>,
    /// Metadata of the families in it.
    pub metadata: Vec<MetricMetadata>,
}

/// A series with its points in a range: what a selector gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesData {
    /// The series, metric name included.
    pub labels: Labels,
    /// Float points by time, staleness markers included.
    pub floats: Vec<FloatPoint>,
    /// Histogram points by time. Of one time there is a float or a histogram, never both.
    pub histograms: Vec<HistogramPoint>,
    /// Start timestamps by time of the sample, `(t, start)`; only where a sample has one.
    pub starts: Vec<(TimeMs, TimeMs)>,
}

/// A metric's type, in OpenMetrics' words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Not known (`untyped` in the classic text format).
    #[default]
    Unknown,
    /// A value that only grows, or starts anew.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Counted observations in buckets.
    Histogram,
    /// A histogram whose counts may go down.
    GaugeHistogram,
    /// Precomputed quantiles.
    Summary,
    /// Labels that describe; the value is 1.
    Info,
    /// Of several states those that are on.
    StateSet,
}

impl MetricType {
    /// The name in `# TYPE` lines of OpenMetrics and in the API's metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Unknown => "unknown",
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Summary => "summary",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
        }
    }
}

/// What is known of a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Family name, as in `# TYPE`.
    pub name: String,
    /// Type.
    pub kind: MetricType,
    /// Help text.
    pub help: String,
    /// Unit, empty where none is given.
    pub unit: String,
}
