//! Cutting observations off at a value: PromQL's `</` and `>/`.

use super::cells::{self, Cell};
use super::estimate::middle;
use super::{Bucket, Histogram, Span};
use crate::kahan::Kahan;

/// Which part is cut off.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Above,
    Below,
}

impl Histogram {
    /// Without the observations above a value (`</`). Where anything was cut off, count and sum are estimated anew from the
    /// buckets that remain; else they stay what they are.
    pub fn without_above(&self, value: f64) -> Histogram {
        self.trimmed(value, Cut::Above)
    }

    /// Without the observations below a value (`>/`). Count and sum as in [`Histogram::without_above`].
    pub fn without_below(&self, value: f64) -> Histogram {
        self.trimmed(value, Cut::Below)
    }

    fn trimmed(&self, value: f64, cut: Cut) -> Histogram {
        let mut trim =
            Trim { histogram: self, value, cut, trimmed: false, count: Kahan::default(), sum: Kahan::default() };
        let (negative_spans, negative_buckets) = trim.side(self.negative_iter());
        let zero_count = if self.zero_count == 0.0 { self.zero_count } else { trim.keep(self.zero_bucket()) };
        let (positive_spans, positive_buckets) = trim.side(self.positive_iter());
        if !trim.trimmed {
            return self.clone();
        }
        Histogram {
            zero_count,
            count: trim.count.total(),
            sum: trim.sum.total(),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            ..self.clone()
        }
    }
}

struct Trim<'a> {
    histogram: &'a Histogram,
    value: f64,
    cut: Cut,
    trimmed: bool,
    count: Kahan,
    sum: Kahan,
}

impl Trim<'_> {
    fn side(&mut self, buckets: impl Iterator<Item = Bucket>) -> (Vec<Span>, Vec<f64>) {
        let mut kept = Vec::new();
        for bucket in buckets.filter(|b| b.count != 0.0) {
            let index = bucket.index;
            let count = self.keep(bucket);
            if count != 0.0 {
                kept.push(Cell { index, count: Kahan::new(count) });
            }
        }
        cells::to_spans(&kept, 1.0, 0)
    }

    /// How many of a bucket's observations remain; adds them to count and sum.
    fn keep(&mut self, original: Bucket) -> f64 {
        let bucket = self.histogram.with_known_side(original);
        let linear = self.histogram.is_linear(&bucket);
        let rest = if bucket.upper <= self.value {
            (self.cut == Cut::Above).then_some(bucket)
        } else if bucket.lower >= self.value {
            // Below the bound that an unbounded bucket was drawn in to there is nothing known: Prometheus gives it up there too.
            let inside_unbounded = original.lower < self.value && bucket.lower > self.value && linear;
            (self.cut == Cut::Below && !(inside_unbounded && original.lower == f64::NEG_INFINITY)).then_some(bucket)
        } else if original.lower == f64::NEG_INFINITY && original.upper == f64::INFINITY {
            // The only bucket of a histogram without bounds: where its observations lie isn't known at all.
            None
        } else {
            self.split(bucket, linear)
        };
        let rest = rest.unwrap_or(Bucket { count: 0.0, ..bucket });
        self.trimmed |= rest.count != bucket.count;
        if rest.count != 0.0 {
            self.count.add(rest.count);
            self.sum.add(rest.count * representative(&rest, linear));
        }
        rest.count
    }

    /// The part that remains of a bucket with the value inside it. What lies in a bucket without an end is taken to lie at
    /// the value where that end is kept, and is given up where the other one is.
    fn split(&self, bucket: Bucket, linear: bool) -> Option<Bucket> {
        let Bucket { lower, upper, count, .. } = bucket;
        let value = self.value;
        match self.cut {
            Cut::Above if lower == f64::NEG_INFINITY => Some(Bucket { upper: value, ..bucket }),
            Cut::Below if upper == f64::INFINITY => Some(Bucket { lower: value, ..bucket }),
            _ if lower == f64::NEG_INFINITY || upper == f64::INFINITY || value.is_nan() => None,
            Cut::Above => {
                let below = fraction(self.histogram, &bucket, value, linear);
                Some(Bucket { upper: value, count: count * below, ..bucket })
            }
            Cut::Below => {
                let below = fraction(self.histogram, &bucket, value, linear);
                Some(Bucket { lower: value, count: count * (1.0 - below), ..bucket })
            }
        }
    }
}

fn fraction(histogram: &Histogram, bucket: &Bucket, value: f64, linear: bool) -> f64 {
    if linear {
        return (value - bucket.lower) / (bucket.upper - bucket.lower);
    }
    histogram.fraction_below(bucket, value)
}

/// The value that stands for a bucket's observations.
fn representative(bucket: &Bucket, linear: bool) -> f64 {
    match (bucket.lower.is_finite(), bucket.upper.is_finite()) {
        (true, true) => middle(bucket, linear),
        (true, false) => bucket.lower,
        (false, true) => bucket.upper,
        (false, false) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::HistogramLiteral;
    use super::*;

    fn h(text: &str) -> Histogram {
        HistogramLiteral::parse(text).unwrap().histogram
    }

    /// One line each: histogram, cut, value, what remains.
    #[test]
    fn table() {
        let custom = "{{schema:-53 sum:50 count:10 custom_values:[4 8] buckets:[4 4 2]}}";
        let from_minus = "{{schema:-53 sum:50 count:10 custom_values:[-8 -4] buckets:[4 4 2]}}";
        let exponential = "{{schema:0 sum:12 count:12 z_bucket:4 z_bucket_w:0.5 buckets:[0 4] n_buckets:[0 4]}}";
        let cases = [
            (custom, "</", 6.0, "{{schema:-53 count:6 sum:18 custom_values:[4 8] buckets:[4 2]}}"),
            (custom, ">/", 6.0, "{{schema:-53 count:4 sum:30 custom_values:[4 8] offset:1 buckets:[2 2]}}"),
            (custom, "</", 9.0, "{{schema:-53 count:8 sum:32 custom_values:[4 8] buckets:[4 4]}}"),
            (custom, ">/", 9.0, "{{schema:-53 count:2 sum:18 custom_values:[4 8] offset:2 buckets:[2]}}"),
            (custom, ">/", 0.0, custom),
            (custom, "</", -1.0, "{{schema:-53 custom_values:[4 8]}}"),
            (custom, "</", f64::INFINITY, custom),
            (custom, ">/", f64::INFINITY, "{{schema:-53 custom_values:[4 8]}}"),
            (from_minus, "</", -9.0, "{{schema:-53 count:4 sum:-36 custom_values:[-8 -4] buckets:[4]}}"),
            (from_minus, ">/", -2.0, "{{schema:-53 count:2 sum:-4 custom_values:[-8 -4] offset:2 buckets:[2]}}"),
            (
                exponential,
                ">/",
                -0.25,
                "{{schema:0 count:7 sum:6.03185424949238 z_bucket:3 z_bucket_w:0.5 offset:1 buckets:[4]}}",
            ),
            (
                exponential,
                "</",
                -1.0,
                "{{schema:0 count:4 sum:-5.65685424949238 z_bucket_w:0.5 n_offset:1 n_buckets:[4]}}",
            ),
            (exponential, ">/", f64::NEG_INFINITY, exponential),
            ("{{}}", "</", 1.0, "{{}}"),
        ];
        for (histogram, operator, value, expected) in cases {
            let h = h(histogram);
            let mut got = if operator == "</" { h.without_above(value) } else { h.without_below(value) };
            let mut want = self::h(expected);
            got.compact(0);
            want.compact(0);
            assert!(got.almost_equals(&want, 1e-9), "{histogram} {operator} {value}: {got} instead of {want}");
        }
    }
}
