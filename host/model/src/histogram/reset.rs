//! Was a counter histogram restarted?

use super::cells::{self, Cell};
use super::sum::{ZeroBucket, same_bounds, shared_bounds};
use super::{CounterResetHint, Histogram};
use crate::kahan::Kahan;

impl Histogram {
    /// Whether a counter reset lies between `previous` and this histogram.
    ///
    /// By the hint where it tells; else there is one if any count fell, if the resolution rose or the zero bucket shrank (which
    /// nothing but a restart does), or if the zero bucket now ends inside a bucket that was populated. Custom bounds that differ
    /// are brought to those that both have.
    pub fn detect_reset(&self, previous: &Histogram) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count || self.uses_custom_buckets() != previous.uses_custom_buckets() {
            return true;
        }
        let mut now = [cells::from_iter(self.positive_iter(), 1.0), cells::from_iter(self.negative_iter(), 1.0)];
        let mut before =
            [cells::from_iter(previous.positive_iter(), 1.0), cells::from_iter(previous.negative_iter(), 1.0)];
        if self.uses_custom_buckets() {
            if !same_bounds(&self.custom_values, &previous.custom_values) {
                let shared = shared_bounds(&self.custom_values, &previous.custom_values);
                cells::rebound(&mut now[0], &self.custom_values, &shared);
                cells::rebound(&mut before[0], &previous.custom_values, &shared);
            }
        } else {
            if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
                return true;
            }
            if self.zero_threshold > previous.zero_threshold {
                let mut zero =
                    ZeroBucket { threshold: previous.zero_threshold, count: Kahan::new(previous.zero_count) };
                let [positive, negative] = &mut before;
                zero.widen(self.zero_threshold, positive, negative, previous.schema);
                if zero.threshold != self.zero_threshold || self.zero_count < zero.count.total() {
                    return true;
                }
            } else if self.zero_count < previous.zero_count {
                return true;
            }
            if self.schema < previous.schema {
                before.iter_mut().for_each(|side| cells::reduce(side, previous.schema, self.schema));
            }
        }
        now.iter().zip(&before).any(|(now, before)| any_fell(now, before))
    }
}

/// Whether any bucket has less than before; one that isn't there has nothing.
fn any_fell(now: &[Cell], before: &[Cell]) -> bool {
    let mut now = now.iter().peekable();
    before.iter().any(|old| {
        while now.next_if(|new| new.index < old.index).is_some() {}
        match now.peek() {
            Some(new) if new.index == old.index => new.count.total() < old.count.total(),
            _ => old.count.total() != 0.0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::HistogramLiteral;

    /// One line each: before, after, whether that is a reset.
    #[test]
    fn table() {
        let cases = [
            ("{{count:3 buckets:[1 2]}}", "{{count:4 buckets:[2 2]}}", false),
            ("{{count:3 buckets:[1 2]}}", "{{count:4 buckets:[3 1]}}", true),
            ("{{count:3 buckets:[1 2]}}", "{{count:4 buckets:[4]}}", true),
            ("{{count:3 buckets:[1 0]}}", "{{count:4 buckets:[4]}}", false),
            ("{{count:3 buckets:[1 2]}}", "{{count:2 buckets:[1 2]}}", true),
            ("{{count:3 buckets:[1 2]}}", "{{count:9 buckets:[3 1] counter_reset_hint:not_reset}}", false),
            ("{{count:3 buckets:[1 2]}}", "{{count:9 buckets:[3 2] counter_reset_hint:reset}}", true),
            ("{{schema:1 count:3 buckets:[1 2]}}", "{{schema:0 count:4 buckets:[1 2 1]}}", false),
            ("{{schema:0 count:3 buckets:[1 2]}}", "{{schema:1 count:4 buckets:[1 2 1]}}", true),
            (
                "{{count:3 z_bucket:1 z_bucket_w:0.5 buckets:[0 2]}}",
                "{{count:4 z_bucket:1 z_bucket_w:0.25 buckets:[1 2]}}",
                true,
            ),
            ("{{count:3 z_bucket:1 z_bucket_w:0.25 buckets:[2]}}", "{{count:4 z_bucket:3 z_bucket_w:1}}", false),
            ("{{count:3 z_bucket:1 z_bucket_w:0.25 buckets:[2]}}", "{{count:4 z_bucket:2 z_bucket_w:1}}", true),
            ("{{count:3 z_bucket:1 z_bucket_w:0.25 buckets:[2]}}", "{{count:4 z_bucket:4 z_bucket_w:0.7}}", true),
            ("{{count:3}}", "{{schema:-53 count:4 custom_values:[1] buckets:[4]}}", true),
            (
                "{{schema:-53 count:3 custom_values:[1 2 3] buckets:[1 1 1]}}",
                "{{schema:-53 count:4 custom_values:[2 4] buckets:[3 1]}}",
                false,
            ),
            (
                "{{schema:-53 count:3 custom_values:[1 2 3] buckets:[1 1 1]}}",
                "{{schema:-53 count:4 custom_values:[2 4] buckets:[1 3]}}",
                true,
            ),
        ];
        for (before, after, expected) in cases {
            let parse = |text| HistogramLiteral::parse(text).unwrap().histogram;
            assert_eq!(parse(after).detect_reset(&parse(before)), expected, "{before} -> {after}");
        }
    }
}
