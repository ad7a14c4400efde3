//! From classic buckets to a native histogram with custom buckets.

use super::{CUSTOM_BUCKETS_SCHEMA, Histogram, Span};

/// Why classic buckets make no native histogram.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ClassicBucketsError {
    /// A bound (`le`) that is NaN.
    #[error("a bucket's bound is NaN")]
    NanBound,
    /// A count below zero or NaN.
    #[error("the bucket with the bound {le} has the count {count}; counts are at least 0")]
    InvalidCount {
        /// The bucket's upper bound.
        le: f64,
        /// Its cumulative count.
        count: f64,
    },
    /// Cumulative counts that fall.
    #[error("the bucket with the bound {le} has the count {count}, less than the {before} of the bucket below it")]
    NotCumulative {
        /// The bucket's upper bound.
        le: f64,
        /// Its cumulative count.
        count: f64,
        /// That of the bucket before it.
        before: f64,
    },
    /// A total count below that of a bucket.
    #[error("the count is {count}, less than the {buckets} of the highest bucket")]
    CountTooSmall {
        /// The total.
        count: f64,
        /// The highest bucket's cumulative count.
        buckets: f64,
    },
}

/// Collects the series of one classic histogram at one time (`_bucket` by `le`, `_count`, `_sum`) to convert them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicHistogram {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: Option<f64>,
}

impl ClassicHistogram {
    /// Notes a bucket's cumulative count. Of two with one bound the last stands.
    pub fn set_bucket(&mut self, le: f64, cumulative: f64) {
        match self.buckets.iter_mut().find(|(bound, _)| *bound == le) {
            Some(bucket) => bucket.1 = cumulative,
            None => self.buckets.push((le, cumulative)),
        }
    }

    /// Notes `_count`.
    pub fn set_count(&mut self, count: f64) {
        self.count = Some(count);
    }

    /// Notes `_sum`.
    pub fn set_sum(&mut self, sum: f64) {
        self.sum = Some(sum);
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.count.is_none() && self.sum.is_none()
    }

    /// The native histogram: schema -53, without its empty buckets. Without `_count` the highest bucket is the count, without
    /// `_sum` the sum is 0.
    pub fn convert(&self) -> Result<Histogram, ClassicBucketsError> {
        let mut buckets = self.buckets.clone();
        if buckets.iter().any(|(le, _)| le.is_nan()) {
            return Err(ClassicBucketsError::NanBound);
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut before = 0.0;
        for &(le, count) in &buckets {
            if count < 0.0 || count.is_nan() {
                return Err(ClassicBucketsError::InvalidCount { le, count });
            }
            if count < before {
                return Err(ClassicBucketsError::NotCumulative { le, count, before });
            }
            before = count;
        }
        let count = self.count.unwrap_or(before);
        if count < 0.0 || count.is_nan() {
            return Err(ClassicBucketsError::InvalidCount { le: f64::INFINITY, count });
        }
        if count < before {
            return Err(ClassicBucketsError::CountTooSmall { count, buckets: before });
        }
        if buckets.last().is_none_or(|(le, _)| *le != f64::INFINITY) {
            buckets.push((f64::INFINITY, count));
        } else if let Some(last) = buckets.last_mut() {
            // `_count` may have been raised after the +Inf bucket was written; what came since lies above all bounds known.
            last.1 = count;
        }
        let mut cumulative = 0.0;
        let mut histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum.unwrap_or(0.0),
            custom_values: buckets.iter().map(|(le, _)| *le).filter(|le| *le != f64::INFINITY).collect(),
            positive_spans: vec![Span { offset: 0, length: buckets.len() as u32 }],
            positive_buckets: buckets
                .iter()
                .map(|(_, c)| {
                    let own = c - cumulative;
                    cumulative = *c;
                    own
                })
                .collect(),
            ..Histogram::default()
        };
        histogram.compact(2);
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::super::HistogramLiteral;
    use super::*;

    fn classic(buckets: &[(f64, f64)], count: Option<f64>, sum: Option<f64>) -> ClassicHistogram {
        let mut classic = ClassicHistogram::default();
        buckets.iter().for_each(|(le, c)| classic.set_bucket(*le, *c));
        count.into_iter().for_each(|c| classic.set_count(c));
        sum.into_iter().for_each(|s| classic.set_sum(s));
        classic
    }

    #[test]
    fn converts_what_is_cumulative() {
        let inf = f64::INFINITY;
        let cases = [
            (
                classic(&[(inf, 8.0), (0.5, 2.0), (1.0, 5.0)], Some(8.0), Some(7.0)),
                "{{schema:-53 count:8 sum:7 custom_values:[0.5 1] buckets:[2 3 3]}}",
            ),
            (
                classic(&[(0.5, 2.0), (1.0, 2.0)], None, None),
                "{{schema:-53 count:2 custom_values:[0.5 1] buckets:[2]}}",
            ),
            (classic(&[(0.5, 2.0)], Some(3.0), None), "{{schema:-53 count:3 custom_values:[0.5] buckets:[2 1]}}"),
            (classic(&[], Some(3.0), Some(1.0)), "{{schema:-53 count:3 sum:1 buckets:[3]}}"),
        ];
        for (classic, expected) in cases {
            let want = HistogramLiteral::parse(expected).unwrap().histogram;
            let got = classic.convert().unwrap();
            assert!(got.equals(&want), "{got} instead of {want}");
            assert_eq!(got.validate(), Ok(()));
        }
    }

    #[test]
    fn refuses_what_is_not() {
        let refused = |b: &[(f64, f64)], c| classic(b, c, None).convert().unwrap_err();
        assert!(matches!(refused(&[(1.0, 2.0), (2.0, 1.0)], None), ClassicBucketsError::NotCumulative { .. }));
        assert!(matches!(refused(&[(1.0, -2.0)], None), ClassicBucketsError::InvalidCount { .. }));
        assert!(matches!(refused(&[(1.0, f64::NAN)], None), ClassicBucketsError::InvalidCount { .. }));
        assert!(matches!(refused(&[(f64::NAN, 1.0)], None), ClassicBucketsError::NanBound));
        assert!(matches!(refused(&[(1.0, 5.0)], Some(2.0)), ClassicBucketsError::CountTooSmall { .. }));
    }
}
