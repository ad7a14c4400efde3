//! What a histogram says of the observations in it: quantiles, fractions, variance.
//!
//! Inside a bucket observations are taken as evenly spread: on a logarithmic scale in exponential buckets, on a linear one in
//! the zero bucket and in custom buckets. A zero bucket beside buckets of one sign only is taken as lying on that side of zero,
//! and a lowest custom bucket with a positive bound as beginning at zero.

use super::{Bucket, Histogram};
use crate::kahan::Kahan;

/// Whether observations of the value NaN (their sum is NaN then) bore on a quantile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NanObservations {
    /// There are none, or the quantile needn't know.
    #[default]
    None,
    /// They count as greater than all others: the quantile is skewed upwards.
    Skewed,
    /// The quantile falls among them and is NaN.
    ResultIsNan,
}

/// A quantile, with what is worth an annotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileEstimate {
    /// The estimate.
    pub value: f64,
    /// Whether NaN observations bore on it.
    pub nan: NanObservations,
}

impl Histogram {
    /// The q-quantile: -Inf below 0, +Inf above 1, NaN without observations.
    pub fn quantile(&self, q: f64) -> QuantileEstimate {
        let plain = |value| QuantileEstimate { value, nan: NanObservations::None };
        if q < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return plain(f64::NAN);
        }
        // From the nearer end, for accuracy. NaN observations lie in no bucket, so that with them only the lower end is firm.
        let has_nan = self.sum.is_nan();
        let from_below = has_nan || q < 0.5;
        let rank = if from_below { q * self.count } else { (1.0 - q) * self.count };
        let (bucket, seen) =
            if from_below { find_rank(self.buckets(), rank) } else { find_rank(self.buckets().rev(), rank) };
        let Some(bucket) = bucket else {
            return QuantileEstimate {
                value: f64::NAN,
                nan: if has_nan { NanObservations::ResultIsNan } else { NanObservations::None },
            };
        };
        let nan = if has_nan { NanObservations::Skewed } else { NanObservations::None };
        let bucket = self.with_known_side(bucket);
        if self.uses_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY {
                return QuantileEstimate { value: bucket.upper, nan };
            }
            if bucket.upper == f64::INFINITY && seen >= rank {
                return QuantileEstimate { value: bucket.lower, nan };
            }
        }
        let seen = seen.min(self.count);
        if seen < rank {
            // No bucket reaches the rank: the rest are NaN observations, or the counts don't add up.
            return match has_nan {
                true => QuantileEstimate { value: f64::NAN, nan: NanObservations::ResultIsNan },
                false => plain(if from_below { bucket.upper } else { bucket.lower }),
            };
        }
        let into = if from_below { rank - (seen - bucket.count) } else { seen - rank };
        let fraction = into / bucket.count;
        let value = if self.is_linear(&bucket) {
            bucket.lower + (bucket.upper - bucket.lower) * fraction
        } else {
            let (log_lower, log_upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
            if bucket.lower > 0.0 {
                (log_lower + (log_upper - log_lower) * fraction).exp2()
            } else {
                -(log_upper + (log_lower - log_upper) * (1.0 - fraction)).exp2()
            }
        };
        QuantileEstimate { value, nan }
    }

    /// The fraction of observations between two values; NaN without observations, 0 where `lower >= upper`.
    ///
    /// Observations of NaN lie between no two values, but count as observations.
    pub fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        let in_buckets = if self.sum.is_nan() { self.buckets().map(|b| b.count).sum() } else { self.count };
        let (mut rank, mut lower_rank, mut upper_rank) = (0.0, None, None);
        for bucket in self.buckets() {
            let bucket = self.with_known_side(bucket);
            let rank_of = |value: f64| {
                if bucket.lower >= value {
                    Some(rank)
                } else if bucket.upper > value {
                    Some(rank + bucket.count * self.fraction_below(&bucket, value))
                } else {
                    None
                }
            };
            lower_rank = lower_rank.or_else(|| rank_of(lower));
            upper_rank = upper_rank.or_else(|| rank_of(upper));
            if lower_rank.is_some() && upper_rank.is_some() {
                break;
            }
            rank += bucket.count;
        }
        let known = |rank: Option<f64>| rank.map_or(in_buckets, |r| if r > in_buckets { in_buckets } else { r });
        (known(upper_rank) - known(lower_rank)) / self.count
    }

    /// The estimated variance of the observations (population): each counts as its bucket's middle, geometric in exponential
    /// buckets. NaN without observations.
    pub fn variance(&self) -> f64 {
        let mean = self.avg();
        let mut sum = Kahan::default();
        for bucket in self.buckets().filter(|b| b.count != 0.0) {
            let value = if self.uses_custom_buckets() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                middle(&bucket, false)
            };
            let delta = value - mean;
            sum.add(bucket.count * delta * delta);
        }
        sum.total() / self.count
    }

    /// The estimated standard deviation: the root of [`Histogram::variance`].
    pub fn std_dev(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Whether observations in this bucket are taken as spread linearly.
    pub(crate) fn is_linear(&self, bucket: &Bucket) -> bool {
        self.uses_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0)
    }

    /// The bucket with its bounds drawn in to where observations can be, by what the other buckets tell.
    pub(crate) fn with_known_side(&self, mut bucket: Bucket) -> Bucket {
        if self.uses_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                bucket.lower = 0.0;
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            match (self.negative_buckets.is_empty(), self.positive_buckets.is_empty()) {
                (true, false) => bucket.lower = 0.0,
                (false, true) => bucket.upper = 0.0,
                _ => {}
            }
        }
        bucket
    }

    /// Which part of a bucket lies below a value inside it. An unbounded bucket gives all of it to its bounded side.
    pub(crate) fn fraction_below(&self, bucket: &Bucket, value: f64) -> f64 {
        if self.is_linear(bucket) {
            if bucket.lower == f64::NEG_INFINITY {
                return 1.0;
            }
            return (value - bucket.lower) / (bucket.upper - bucket.lower);
        }
        let (log_lower, log_upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        let log_value = value.abs().log2();
        if value > 0.0 {
            (log_value - log_lower) / (log_upper - log_lower)
        } else {
            1.0 - (log_value - log_upper) / (log_lower - log_upper)
        }
    }
}

/// The first bucket in this order by which `rank` observations are seen, else the last populated one; and how many were.
fn find_rank(buckets: impl Iterator<Item = Bucket>, rank: f64) -> (Option<Bucket>, f64) {
    let (mut last, mut seen) = (None, 0.0);
    for bucket in buckets.filter(|b| b.count != 0.0) {
        seen += bucket.count;
        last = Some(bucket);
        if seen >= rank {
            break;
        }
    }
    (last, seen)
}

/// The middle of a bucket: arithmetic where it is linear, geometric else.
pub(crate) fn middle(bucket: &Bucket, linear: bool) -> f64 {
    if linear {
        return (bucket.lower + bucket.upper) / 2.0;
    }
    let middle = (bucket.lower * bucket.upper).sqrt();
    if bucket.upper < 0.0 { -middle } else { middle }
}

#[cfg(test)]
mod tests {
    use super::super::HistogramLiteral;
    use super::*;

    fn h(text: &str) -> Histogram {
        HistogramLiteral::parse(text).unwrap().histogram
    }

    fn near(a: f64, b: f64) {
        assert!(a == b || (a - b).abs() <= 1e-12 * b.abs() || (a.is_nan() && b.is_nan()), "{a} is not {b}");
    }

    #[test]
    fn quantiles_interpolate_logarithmically_save_in_the_zero_bucket() {
        let one = h("{{schema:0 count:8 sum:20 buckets:[4 4]}}");
        near(one.quantile(0.25).value, 0.5f64.sqrt());
        near(one.quantile(0.75).value, 2f64.sqrt());
        near(one.quantile(0.0).value, 0.5);
        near(one.quantile(1.0).value, 2.0);
        let negative = h("{{schema:0 count:4 sum:-6 n_buckets:[0 4]}}");
        near(negative.quantile(0.25).value, -(2f64.powf(0.75)));
        near(negative.quantile(0.75).value, -(2f64.powf(0.25)));
        let zero = h("{{schema:0 count:4 sum:0 z_bucket:4 z_bucket_w:0.5}}");
        near(zero.quantile(0.25).value, -0.25);
        let above = h("{{schema:0 count:8 sum:4 z_bucket:4 z_bucket_w:0.5 buckets:[4]}}");
        near(above.quantile(0.25).value, 0.25);
        assert_eq!(one.quantile(-0.1).value, f64::NEG_INFINITY);
        assert_eq!(one.quantile(1.1).value, f64::INFINITY);
        assert!(one.quantile(f64::NAN).value.is_nan() && Histogram::default().quantile(0.5).value.is_nan());
    }

    #[test]
    fn quantiles_of_custom_buckets_are_linear_and_stay_finite() {
        let custom = h("{{schema:-53 count:4 sum:20 custom_values:[4 8] buckets:[2 1 1]}}");
        near(custom.quantile(0.25).value, 2.0);
        near(custom.quantile(0.75).value, 8.0);
        near(custom.quantile(1.0).value, 8.0);
        let below_zero = h("{{schema:-53 count:4 sum:-20 custom_values:[-4 8] buckets:[2 2]}}");
        near(below_zero.quantile(0.25).value, -4.0);
    }

    #[test]
    fn nan_observations_are_told() {
        let some = h("{{schema:0 count:10 sum:NaN buckets:[8]}}");
        assert_eq!(some.quantile(0.4).nan, NanObservations::Skewed);
        near(some.quantile(0.4).value, 0.5f64.sqrt());
        assert_eq!(some.quantile(0.9).nan, NanObservations::ResultIsNan);
        near(some.fraction(f64::NEG_INFINITY, f64::INFINITY), 0.8);
        let all = h("{{schema:0 count:3 sum:NaN}}");
        assert_eq!(all.quantile(0.1).nan, NanObservations::ResultIsNan);
        near(all.fraction(f64::NEG_INFINITY, f64::INFINITY), 0.0);
    }

    #[test]
    fn fractions_mirror_quantiles() {
        let both = h("{{schema:0 count:20 sum:0 z_bucket:4 z_bucket_w:0.001 buckets:[3 5] n_buckets:[3 5]}}");
        for q in [0.01, 0.1, 0.3, 0.45, 0.5, 0.6, 0.9, 0.99] {
            near(both.fraction(f64::NEG_INFINITY, both.quantile(q).value), q);
        }
        near(both.fraction(0.0, f64::INFINITY), 0.5);
        near(both.fraction(1.0, 1.0), 0.0);
        let custom = h("{{schema:-53 count:4 sum:1 custom_values:[-4 8] buckets:[1 2 1]}}");
        near(custom.fraction(-100.0, 2.0), 0.25);
        near(custom.fraction(-4.0, 2.0), 0.25);
        near(custom.fraction(9.0, 12.0), 0.0);
        near(custom.fraction(9.0, f64::INFINITY), 0.25);
    }

    #[test]
    fn variance_about_bucket_middles() {
        let custom = h("{{schema:-53 count:2 sum:6 custom_values:[0 2 4] buckets:[0 1 1]}}");
        near(custom.variance(), ((1.0 - 3.0) * (1.0 - 3.0) + 0.0) / 2.0);
        near(h("{{schema:0 count:4 sum:0 z_bucket:4 z_bucket_w:0.1}}").std_dev(), 0.0);
        assert!(Histogram::default().variance().is_nan());
    }
}
