//! Validity and equality.

use super::{Histogram, MAX_EXPONENTIAL_SCHEMA, MIN_EXPONENTIAL_SCHEMA, Span};

/// What makes a histogram unfit to be stored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidHistogram {
    /// No such schema.
    #[error("histogram has schema {0}; allowed are -4 to 8, and -53 for custom buckets")]
    Schema(i32),
    /// Spans promise another number of buckets than there are.
    #[error("histogram's {side} spans cover {spans} buckets, but it has {buckets}")]
    SpansAndBuckets {
        /// `positive` or `negative`.
        side: &'static str,
        /// Buckets by its spans.
        spans: u64,
        /// Buckets by its counts.
        buckets: usize,
    },
    /// A span after the first begins before the end of the one before it.
    #[error("histogram's {side} span {index} has the negative offset {offset}")]
    NegativeOffset {
        /// `positive` or `negative`.
        side: &'static str,
        /// Which span.
        index: usize,
        /// Its offset.
        offset: i32,
    },
    /// A count below zero or NaN.
    #[error("histogram's {field} is {value}; counts are at least 0")]
    NegativeCount {
        /// Which count.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// The buckets hold more than the histogram says.
    #[error("histogram has {buckets} observations in its buckets, but a count of {count}")]
    CountMismatch {
        /// In the buckets.
        buckets: f64,
        /// The count.
        count: f64,
    },
    /// Custom bounds must ascend strictly, be finite, and stand only in schema -53, where there is no zero bucket and no
    /// negative side.
    #[error("histogram's custom buckets are invalid: {0}")]
    Custom(&'static str),
}

impl Histogram {
    /// Checks what must hold of a histogram that comes from outside.
    ///
    /// With NaN observations (the sum is NaN) the buckets may hold fewer than the count, else exactly as many, up to the
    /// rounding of float histograms.
    pub fn validate(&self) -> Result<(), InvalidHistogram> {
        if self.uses_custom_buckets() {
            self.validate_custom()?;
        } else if !(MIN_EXPONENTIAL_SCHEMA..=MAX_EXPONENTIAL_SCHEMA).contains(&self.schema) {
            return Err(InvalidHistogram::Schema(self.schema));
        } else if !self.custom_values.is_empty() {
            return Err(InvalidHistogram::Custom("bounds are given, but the schema is exponential"));
        }
        validate_side("positive", &self.positive_spans, &self.positive_buckets)?;
        validate_side("negative", &self.negative_spans, &self.negative_buckets)?;
        let counts = self.positive_buckets.iter().chain(&self.negative_buckets).map(|c| ("bucket", *c));
        for (field, value) in counts.chain([("count", self.count), ("zero bucket", self.zero_count)]) {
            if value < 0.0 || value.is_nan() {
                return Err(InvalidHistogram::NegativeCount { field, value });
            }
        }
        if self.zero_threshold < 0.0 || self.zero_threshold.is_nan() {
            return Err(InvalidHistogram::NegativeCount { field: "zero threshold", value: self.zero_threshold });
        }
        let buckets = self.zero_count + self.positive_buckets.iter().chain(&self.negative_buckets).sum::<f64>();
        let tolerance = 1e-9 * buckets.max(self.count);
        let fits = if self.sum.is_nan() {
            buckets <= self.count + tolerance
        } else {
            (buckets - self.count).abs() <= tolerance
        };
        if !fits && buckets.is_finite() && self.count.is_finite() {
            return Err(InvalidHistogram::CountMismatch { buckets, count: self.count });
        }
        Ok(())
    }

    fn validate_custom(&self) -> Result<(), InvalidHistogram> {
        let error = |reason| Err(InvalidHistogram::Custom(reason));
        if self.custom_values.windows(2).any(|pair| pair[0] >= pair[1]) {
            return error("bounds don't ascend");
        }
        if self.custom_values.iter().any(|bound| !bound.is_finite()) {
            return error("a bound is infinite or NaN");
        }
        if self.zero_count != 0.0 || self.zero_threshold != 0.0 {
            return error("there is a zero bucket");
        }
        if !self.negative_spans.is_empty() || !self.negative_buckets.is_empty() {
            return error("there are negative buckets");
        }
        let mut end = 0i64;
        for span in &self.positive_spans {
            end += i64::from(span.offset) + i64::from(span.length);
        }
        if end > self.custom_values.len() as i64 + 1 {
            return error("there are more buckets than bounds");
        }
        Ok(())
    }

    /// Equality as PromQL's `==` has it: floats by their bits (a NaN equals itself), buckets in use by place and count, spans
    /// whichever way they are cut. The hint doesn't count.
    pub fn equals(&self, other: &Histogram) -> bool {
        self.compare(other, |a, b| a.to_bits() == b.to_bits())
    }

    /// Equality up to a relative difference of floats, NaN equal to NaN, for tests of results.
    pub fn almost_equals(&self, other: &Histogram, tolerance: f64) -> bool {
        self.compare(other, |a, b| {
            a == b
                || (a.is_nan() && b.is_nan())
                || (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(f64::MIN_POSITIVE)
        })
    }

    fn compare(&self, other: &Histogram, same: impl Fn(f64, f64) -> bool + Copy) -> bool {
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && (self.uses_custom_buckets()
                || (same(self.zero_threshold, other.zero_threshold) && same(self.zero_count, other.zero_count)))
            && self.custom_values.len() == other.custom_values.len()
            && self.custom_values.iter().zip(&other.custom_values).all(|(a, b)| same(*a, *b))
            && same_side(self.positive_iter(), other.positive_iter(), same)
            && same_side(self.negative_iter(), other.negative_iter(), same)
    }
}

fn same_side(mut a: super::BucketIter<'_>, mut b: super::BucketIter<'_>, same: impl Fn(f64, f64) -> bool) -> bool {
    loop {
        match (a.next_cell(), b.next_cell()) {
            (None, None) => return true,
            (Some((i, x)), Some((j, y))) if i == j && same(x, y) => {}
            _ => return false,
        }
    }
}

fn validate_side(side: &'static str, spans: &[Span], buckets: &[f64]) -> Result<(), InvalidHistogram> {
    let covered: u64 = spans.iter().map(|s| u64::from(s.length)).sum();
    if covered != buckets.len() as u64 {
        return Err(InvalidHistogram::SpansAndBuckets { side, spans: covered, buckets: buckets.len() });
    }
    match spans.iter().enumerate().skip(1).find(|(_, span)| span.offset < 0) {
        Some((index, span)) => Err(InvalidHistogram::NegativeOffset { side, index, offset: span.offset }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::HistogramLiteral;
    use super::*;

    #[test]
    fn validation() {
        let check = |text: &str| HistogramLiteral::parse(text).unwrap().histogram.validate();
        assert_eq!(check("{{count:3 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[1] n_buckets:[1]}}"), Ok(()));
        assert_eq!(check("{{schema:9}}"), Err(InvalidHistogram::Schema(9)));
        assert_eq!(check("{{count:4 buckets:[1]}}"), Err(InvalidHistogram::CountMismatch { buckets: 1.0, count: 4.0 }));
        assert_eq!(check("{{count:4 sum:NaN buckets:[1]}}"), Ok(()));
        assert!(matches!(check("{{count:0 buckets:[-1 1]}}"), Err(InvalidHistogram::NegativeCount { .. })));
        assert!(matches!(check("{{schema:-53 custom_values:[2 1]}}"), Err(InvalidHistogram::Custom(_))));
        assert!(matches!(
            check("{{schema:-53 count:3 custom_values:[1] buckets:[1 1 1]}}"),
            Err(InvalidHistogram::Custom(_))
        ));
        let mut h = HistogramLiteral::parse("{{count:1 buckets:[1]}}").unwrap().histogram;
        h.positive_spans[0].length = 2;
        assert!(matches!(h.validate(), Err(InvalidHistogram::SpansAndBuckets { .. })));
    }

    #[test]
    fn equality_is_of_buckets_not_of_spans() {
        let mut a = HistogramLiteral::parse("{{count:2 buckets:[1 1]}}").unwrap().histogram;
        let b = a.clone();
        a.positive_spans =
            vec![Span { offset: 0, length: 1 }, Span { offset: 0, length: 0 }, Span { offset: 0, length: 1 }];
        assert!(a.equals(&b));
        a.sum = f64::NAN;
        assert!(!a.equals(&b) && a.equals(&a.clone()));
    }
}
