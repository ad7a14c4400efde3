//! Native histograms: the type, and by noun what can be done with one.
//!
//! - `bounds`: where the buckets lie; `bucket`: iterating over them; `cells`: the sparse form that arithmetic works on
//! - `sum`: adding up many with compensation; `arithmetic`: `+ - * /`, schema, compaction; `reset`: was a counter restarted
//! - `estimate`: quantiles, fractions, variance; `trim`: cutting observations off
//! - `classic`: from classic buckets; `text`: the two text forms; `literal`: reading `{{...}}`; `check`: validity and equality
//!
//! The semantics follow Prometheus' specification of native histograms (prometheus.io/docs/specs/native_histograms).

mod arithmetic;
mod bounds;
mod bucket;
mod cells;
mod check;
mod classic;
mod estimate;
mod literal;
mod reset;
mod sum;
mod text;
mod trim;

pub use arithmetic::{AddNotes, HistogramError};
pub use bucket::{Bucket, BucketIter};
pub use check::InvalidHistogram;
pub use classic::{ClassicBucketsError, ClassicHistogram};
pub use estimate::{NanObservations, QuantileEstimate};
pub use literal::{HistogramLiteral, LiteralError};
pub use sum::HistogramSum;

/// The schema number of custom buckets.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The coarsest exponential schema: bounds grow by 65536.
pub const MIN_EXPONENTIAL_SCHEMA: i32 = -4;

/// The finest exponential schema: bounds grow by 2^(1/256).
pub const MAX_EXPONENTIAL_SCHEMA: i32 = 8;

/// A stretch of buckets in use: how many buckets lie unused before it, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Buckets left out since the end of the span before; for the first one, the index of its first bucket.
    pub offset: i32,
    /// Buckets in it.
    pub length: u32,
}

/// What is known of a counter histogram's resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterResetHint {
    /// Nothing: compare to find out.
    #[default]
    Unknown,
    /// A reset lies between the sample before and this one.
    Reset,
    /// None does.
    NotReset,
    /// Not a counter.
    Gauge,
}

impl CounterResetHint {
    /// The word in test scripts: `unknown`, `reset`, `not_reset`, `gauge`.
    pub fn as_str(self) -> &'static str {
        match self {
            CounterResetHint::Unknown => "unknown",
            CounterResetHint::Reset => "reset",
            CounterResetHint::NotReset => "not_reset",
            CounterResetHint::Gauge => "gauge",
        }
    }
}

/// A native histogram with float counts: exponential buckets (schema -4 to 8), or custom bounds (schema -53).
///
/// One type for integer and float histograms: a count below 2^53 is exact as a double, and PromQL computes in doubles.
/// Derived `==` compares fields, spans as they are written; [`Histogram::equals`] is PromQL's `==`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// What is known of resets.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: bucket bounds grow by 2^(2^-schema); -53: custom bounds.
    pub schema: i32,
    /// Width of the zero bucket, on both sides.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// Which positive buckets are in use.
    pub positive_spans: Vec<Span>,
    /// Which negative buckets are in use.
    pub negative_spans: Vec<Span>,
    /// Counts of the positive buckets in use, absolute.
    pub positive_buckets: Vec<f64>,
    /// Counts of the negative buckets in use, absolute.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds, ascending, without +Inf; only where the schema is -53.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// Whether its buckets have custom bounds (schema -53).
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Whether it is a staleness marker: a histogram whose sum has the marker's bits.
    pub fn is_stale(&self) -> bool {
        crate::is_stale_nan(self.sum)
    }

    /// A histogram that is a staleness marker.
    pub fn stale() -> Histogram {
        Histogram { sum: crate::stale_nan(), ..Histogram::default() }
    }

    /// The mean of the observations: sum / count, NaN where there are none.
    pub fn avg(&self) -> f64 {
        self.sum / self.count
    }
}
