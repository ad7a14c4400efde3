//! Native histograms.

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

/// A native histogram with float counts: exponential buckets (schema -4 to 8), or custom bounds (schema -53).
///
/// One type for integer and float histograms: a count below 2^53 is exact as a double, and PromQL computes in doubles.
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
