//! Iterating over buckets.

use super::bounds::upper_bound;
use super::{Histogram, Span};

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether an observation at the lower bound is in it.
    pub lower_inclusive: bool,
    /// Whether an observation at the upper bound is in it.
    pub upper_inclusive: bool,
    /// Observations in it.
    pub count: f64,
    /// Its index on its side of zero; 0 for the zero bucket.
    pub index: i32,
}

impl Bucket {
    /// The number that Prometheus' HTTP API puts before a bucket: 0 open left `(]`, 1 open right `[)`, 2 open both `()`, 3 closed
    /// both `[]`.
    pub fn boundary_rule(&self) -> u8 {
        match (self.lower_inclusive, self.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        }
    }
}

/// A place in a list of spans.
#[derive(Clone, Copy, Debug)]
struct Place {
    span: usize,
    in_span: u32,
    index: i32,
}

/// The buckets of one side, from zero outwards; `rev()` comes inwards. Ends early where spans and counts disagree.
#[derive(Clone, Debug)]
pub struct BucketIter<'a> {
    histogram: &'a Histogram,
    negative: bool,
    spans: &'a [Span],
    counts: &'a [f64],
    front: Place,
    back: Place,
}

impl<'a> BucketIter<'a> {
    fn new(histogram: &'a Histogram, negative: bool) -> BucketIter<'a> {
        let (spans, counts) = if negative {
            (&histogram.negative_spans, &histogram.negative_buckets)
        } else {
            (&histogram.positive_spans, &histogram.positive_buckets)
        };
        let mut usable = counts.len();
        let mut back = Place { span: 0, in_span: 0, index: 0 };
        let mut end = 0i32;
        let mut seen = 0usize;
        for (i, span) in spans.iter().enumerate() {
            let take = (span.length as usize).min(counts.len() - seen);
            end = end.wrapping_add(span.offset).wrapping_add(take as i32);
            seen += take;
            back = Place { span: i, in_span: take as u32, index: end };
            if take < span.length as usize {
                break;
            }
        }
        usable = usable.min(seen);
        let front = Place { span: 0, in_span: 0, index: spans.first().map_or(0, |s| s.offset) };
        BucketIter { histogram, negative, spans, counts: &counts[..usable], front, back }
    }

    /// Index and count only, without computing bounds.
    pub(crate) fn next_cell(&mut self) -> Option<(i32, f64)> {
        let (count, rest) = self.counts.split_first()?;
        while self.front.in_span >= self.spans.get(self.front.span)?.length {
            self.front.span += 1;
            self.front.in_span = 0;
            self.front.index = self.front.index.wrapping_add(self.spans.get(self.front.span)?.offset);
        }
        let index = self.front.index;
        self.front.index = index.wrapping_add(1);
        self.front.in_span += 1;
        self.counts = rest;
        Some((index, *count))
    }

    fn bucket(&self, index: i32, count: f64) -> Bucket {
        let bound = |i| upper_bound(i, self.histogram.schema, &self.histogram.custom_values);
        let (near, far) = (bound(index.wrapping_sub(1)), bound(index));
        let (lower, upper) = if self.negative { (-far, -near) } else { (near, far) };
        let (lower_inclusive, upper_inclusive) =
            if self.histogram.uses_custom_buckets() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count, index }
    }
}

impl Iterator for BucketIter<'_> {
    type Item = Bucket;

    fn next(&mut self) -> Option<Bucket> {
        let (index, count) = self.next_cell()?;
        Some(self.bucket(index, count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.counts.len(), Some(self.counts.len()))
    }
}

impl DoubleEndedIterator for BucketIter<'_> {
    fn next_back(&mut self) -> Option<Bucket> {
        let (count, rest) = self.counts.split_last()?;
        while self.back.in_span == 0 {
            self.back.index = self.back.index.wrapping_sub(self.spans.get(self.back.span)?.offset);
            self.back.span = self.back.span.checked_sub(1)?;
            self.back.in_span = self.spans.get(self.back.span)?.length;
        }
        self.back.index = self.back.index.wrapping_sub(1);
        self.back.in_span -= 1;
        self.counts = rest;
        Some(self.bucket(self.back.index, *count))
    }
}

impl Histogram {
    /// The positive buckets in use, ascending; those with custom bounds are all here, whatever their sign. `.rev()` descends.
    pub fn positive_iter(&self) -> BucketIter<'_> {
        BucketIter::new(self, false)
    }

    /// The negative buckets in use, from zero outwards, which is descending. `.rev()` ascends.
    pub fn negative_iter(&self) -> BucketIter<'_> {
        BucketIter::new(self, true)
    }

    /// The zero bucket, both bounds inclusive.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
            index: 0,
        }
    }

    /// All buckets in use in ascending order, the zero bucket among them where its count is above 0. `.rev()` descends.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        self.negative_iter().rev().chain(zero).chain(self.positive_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Histogram {
        Histogram {
            zero_threshold: 0.001,
            zero_count: 2.0,
            positive_spans: vec![
                Span { offset: 0, length: 2 },
                Span { offset: 1, length: 0 },
                Span { offset: 1, length: 1 },
            ],
            positive_buckets: vec![1.0, 2.0, 3.0],
            negative_spans: vec![Span { offset: -1, length: 1 }],
            negative_buckets: vec![4.0],
            ..Histogram::default()
        }
    }

    #[test]
    fn all_in_order_and_back() {
        let h = sample();
        let bounds: Vec<_> = h.buckets().map(|b| (b.lower, b.upper, b.count)).collect();
        let expected = [(-0.5, -0.25, 4.0), (-0.001, 0.001, 2.0), (0.5, 1.0, 1.0), (1.0, 2.0, 2.0), (8.0, 16.0, 3.0)];
        assert_eq!(bounds, expected);
        let mut reversed: Vec<_> = h.buckets().rev().map(|b| (b.lower, b.upper, b.count)).collect();
        reversed.reverse();
        assert_eq!(reversed, expected);
        let inclusive: Vec<_> = h.buckets().map(|b| b.boundary_rule()).collect();
        assert_eq!(inclusive, [1, 3, 0, 0, 0]);
    }

    #[test]
    fn spans_that_lie_end_early() {
        let mut h = sample();
        h.positive_spans[0].length = u32::MAX;
        assert_eq!(h.positive_iter().count(), 3);
        assert_eq!(h.positive_iter().rev().count(), 3);
        h.positive_spans = vec![Span { offset: i32::MAX, length: 1 }];
        assert_eq!(h.positive_iter().count(), 1);
        assert_eq!(h.positive_iter().rev().map(|b| b.count).collect::<Vec<_>>(), [1.0]);
        h.positive_spans.clear();
        assert_eq!(h.positive_iter().count() + h.positive_iter().rev().count(), 0);
    }
}
