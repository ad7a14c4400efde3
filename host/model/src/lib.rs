//! Labels, samples, histograms, matchers, durations, and the exposition formats in and out.
//!
//! The vocabulary that every other crate speaks. It knows nothing of storage, queries, plugins or the network, does no I/O and
//! never reads a clock: times come in as arguments, always as milliseconds of Unix time ([`TimeMs`]).

mod alert;
mod duration;
pub mod exposition;
mod histogram;
mod kahan;
mod labels;
mod matcher;
mod number;
pub mod remote_write;
mod sample;

pub use alert::Alert;
pub use duration::{DurationError, DurationMs};
pub use histogram::{
    AddNotes, Bucket, BucketIter, CUSTOM_BUCKETS_SCHEMA, ClassicBucketsError, ClassicHistogram, CounterResetHint,
    Histogram, HistogramError, HistogramLiteral, HistogramSum, InvalidHistogram, LiteralError, MAX_EXPONENTIAL_SCHEMA,
    MIN_EXPONENTIAL_SCHEMA, NanObservations, QuantileEstimate, Span,
};
pub use kahan::Kahan;
pub use labels::{Labels, LabelsBuilder};
pub use matcher::{MatchOp, Matcher, MatcherError, go_regex, go_regex_anchored};
pub use number::{ExponentFloat, GoFloat, OpenMetricsFloat, PlainFloat, parse_exposition_float, parse_go_float};
pub use sample::{
    FloatPoint, HistogramPoint, MetricMetadata, MetricType, STALE_NAN_BITS, Sample, SampleBatch, SeriesData, Value,
    is_stale_nan, stale_nan,
};

/// Milliseconds of Unix time.
pub type TimeMs = i64;

/// The label that holds a series' metric name.
pub const METRIC_NAME: &str = "__name__";
