//! Classic histograms: cumulative counts by upper bound.

use super::super::annotations::Monotonicity;

/// A bucket of a classic histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    /// Upper bound, inclusive.
    pub(crate) upper: f64,
    /// Observations up to it.
    pub(crate) count: f64,
}

// Relative differences of counts up to this come from rounding, not from the data.
const TOLERANCE: f64 = 1e-12;

/// The q-quantile, interpolated linearly within its bucket, and what had to be bent for it. Buckets ascend by bound; they are
/// changed in place.
pub(crate) fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Monotonicity>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|b| b.upper != f64::INFINITY) {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let forced = make_monotonic(buckets);
    if buckets.len() < 2 {
        return (f64::NAN, None);
    }
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if observations == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = q * observations;
    let found = buckets[..last].partition_point(|b| b.count < rank || b.count.is_nan());
    if found == last {
        return (buckets[last - 1].upper, forced);
    }
    if found == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, forced);
    }
    let (mut start, mut count) = (0.0, buckets[found].count);
    if found > 0 {
        start = buckets[found - 1].upper;
        count -= buckets[found - 1].count;
        rank -= buckets[found - 1].count;
    }
    (start + (buckets[found].upper - start) * (rank / count), forced)
}

/// The fraction of observations between two values, interpolated linearly. Buckets ascend by bound.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|b| b.upper != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let capped = |rank: Option<f64>| rank.filter(|r| *r <= count).unwrap_or(count);
    (capped(rank_of(upper, buckets)) - capped(rank_of(lower, buckets))) / count
}

/// How many observations lie below a value; none if it lies above all bounds.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    let mut rank = 0.0;
    // The lowest bucket begins at 0 if nothing in it can be negative for sure; else where it begins isn't known.
    let mut lower = if buckets.first().is_some_and(|b| b.upper > 0.0) { 0.0 } else { f64::NEG_INFINITY };
    for bucket in buckets {
        if lower >= value {
            return Some(rank);
        }
        if bucket.upper > value {
            // In a bucket without a finite end observations can't be spread; they are taken to lie at its finite end.
            let share = match (lower.is_finite(), bucket.upper.is_finite()) {
                (true, true) => (value - lower) / (bucket.upper - lower),
                (false, _) => 1.0,
                (true, false) => 0.0,
            };
            return Some(rank + (bucket.count - rank) * share);
        }
        rank = bucket.count;
        lower = bucket.upper;
    }
    None
}

// Adds up buckets of one bound, which differ in the spelling of it.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
}

fn make_monotonic(buckets: &mut [Bucket]) -> Option<Monotonicity> {
    let mut forced: Option<Monotonicity> = None;
    let mut before = buckets.first()?.count;
    for bucket in &mut buckets[1..] {
        if bucket.count == before {
            continue;
        }
        if almost_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            let diff = before - bucket.count;
            forced = Some(match forced {
                None => Monotonicity { min_bucket: bucket.upper, max_bucket: bucket.upper, max_diff: diff },
                Some(f) => Monotonicity { max_bucket: bucket.upper, max_diff: f.max_diff.max(diff), ..f },
            });
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn almost_equal(a: f64, b: f64) -> bool {
    let (sum, diff) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < TOLERANCE * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(of: &[(f64, f64)]) -> Vec<Bucket> {
        of.iter().map(|(upper, count)| Bucket { upper: *upper, count: *count }).collect()
    }

    #[test]
    fn quantiles_are_interpolated() {
        let all = buckets(&[(1.0, 2.0), (2.0, 4.0), (f64::INFINITY, 4.0)]);
        assert_eq!(quantile(0.25, &mut all.clone()).0, 0.5);
        assert_eq!(quantile(0.75, &mut all.clone()).0, 1.5);
        assert_eq!(quantile(1.0, &mut all.clone()).0, 2.0);
        assert!(quantile(0.5, &mut buckets(&[(1.0, 2.0)])).0.is_nan(), "no +Inf bucket");
    }

    #[test]
    fn falling_counts_are_raised_and_told() {
        let mut falling =
            buckets(&[(0.1, 2.0), (1.0, 1.0), (10.0, 5.0), (100.0, 4.0), (1000.0, 9.0), (f64::INFINITY, 8.0)]);
        let (value, forced) = quantile(0.5, &mut falling);
        assert_eq!(value, 8.5);
        let forced = forced.expect("three buckets were raised");
        assert_eq!((forced.min_bucket, forced.max_bucket, forced.max_diff), (1.0, f64::INFINITY, 1.0));
    }

    #[test]
    fn fractions() {
        let all = buckets(&[(1.0, 2.0), (2.0, 4.0), (f64::INFINITY, 8.0)]);
        assert_eq!(fraction(0.0, 1.0, &mut all.clone()), 0.25);
        assert_eq!(fraction(0.5, 1.5, &mut all.clone()), 0.25);
        assert_eq!(fraction(f64::NEG_INFINITY, f64::INFINITY, &mut all.clone()), 1.0);
    }
}
