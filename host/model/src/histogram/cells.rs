//! The sparse form of a side's buckets, which arithmetic works on.

use super::bounds::upper_bound;
use super::bucket::BucketIter;
use super::{CUSTOM_BUCKETS_SCHEMA, Span};
use crate::kahan::Kahan;

/// One bucket: its index and its count with the compensation of the additions so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) index: i32,
    pub(crate) count: Kahan,
}

/// Reads a side, every count times `factor`.
pub(crate) fn from_iter(mut buckets: BucketIter<'_>, factor: f64) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(buckets.size_hint().0);
    while let Some((index, count)) = buckets.next_cell() {
        cells.push(Cell { index, count: Kahan::new(count * factor) });
    }
    cells
}

/// Spans and counts of these cells, times `factor`; gaps of at most `max_gap` buckets are filled with zeros.
pub(crate) fn to_spans(cells: &[Cell], factor: f64, max_gap: usize) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut counts = Vec::with_capacity(cells.len());
    let mut next = 0i32;
    for cell in cells {
        let gap = cell.index.wrapping_sub(next);
        match spans.last_mut() {
            Some(span) if gap == 0 => span.length += 1,
            Some(span) if gap > 0 && gap as usize <= max_gap => {
                counts.extend(std::iter::repeat_n(0.0, gap as usize));
                span.length += gap as u32 + 1;
            }
            _ => spans.push(Span { offset: gap, length: 1 }),
        }
        counts.push(cell.count.total() * factor);
        next = cell.index.wrapping_add(1);
    }
    (spans, counts)
}

/// Merges cells into those of a coarser exponential schema.
pub(crate) fn reduce(cells: &mut Vec<Cell>, from_schema: i32, to_schema: i32) {
    let shift = from_schema.saturating_sub(to_schema).clamp(0, 31);
    map_index(cells, |index| (index.wrapping_sub(1) >> shift).wrapping_add(1));
}

/// Merges cells of custom buckets into those of fewer bounds, each of which is one of theirs.
pub(crate) fn rebound(cells: &mut Vec<Cell>, old: &[f64], new: &[f64]) {
    map_index(cells, |index| {
        let upper = upper_bound(index, CUSTOM_BUCKETS_SCHEMA, old);
        new.partition_point(|bound| *bound < upper) as i32
    });
}

/// Renumbers by a function that never reverses order, and adds up what falls together.
fn map_index(cells: &mut Vec<Cell>, new_index: impl Fn(i32) -> i32) {
    let mut kept = 0usize;
    for i in 0..cells.len() {
        let mut cell = cells[i];
        cell.index = new_index(cell.index);
        if kept > 0 && cells[kept - 1].index == cell.index {
            cells[kept - 1].count.merge(cell.count);
        } else {
            cells[kept] = cell;
            kept += 1;
        }
    }
    cells.truncate(kept);
}

/// Adds `other` to `cells`, both sorted by index.
pub(crate) fn merge(cells: &mut Vec<Cell>, other: &[Cell]) {
    if cells.len() == other.len() && cells.iter().zip(other).all(|(a, b)| a.index == b.index) {
        for (a, b) in cells.iter_mut().zip(other) {
            a.count.merge(b.count);
        }
        return;
    }
    let mut merged = Vec::with_capacity(cells.len() + other.len());
    let (mut a, mut b) = (cells.iter().copied().peekable(), other.iter().copied().peekable());
    loop {
        let cell = match (a.peek().copied(), b.peek().copied()) {
            (Some(x), Some(y)) if x.index == y.index => {
                a.next();
                b.next();
                let mut count = x.count;
                count.merge(y.count);
                Cell { index: x.index, count }
            }
            (Some(x), Some(y)) if y.index < x.index => {
                b.next();
                y
            }
            (Some(x), _) => {
                a.next();
                x
            }
            (None, Some(y)) => {
                b.next();
                y
            }
            (None, None) => break,
        };
        merged.push(cell);
    }
    *cells = merged;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(pairs: &[(i32, f64)]) -> Vec<Cell> {
        pairs.iter().map(|(index, v)| Cell { index: *index, count: Kahan::new(*v) }).collect()
    }

    #[test]
    fn spans_there_and_back() {
        let (spans, counts) = to_spans(&cells(&[(-3, 1.0), (-2, 2.0), (1, 3.0)]), 1.0, 0);
        assert_eq!(spans, [Span { offset: -3, length: 2 }, Span { offset: 2, length: 1 }]);
        assert_eq!(counts, [1.0, 2.0, 3.0]);
        let (spans, counts) = to_spans(&cells(&[(-3, 1.0), (-2, 2.0), (1, 3.0)]), 2.0, 2);
        assert_eq!(spans, [Span { offset: -3, length: 5 }]);
        assert_eq!(counts, [2.0, 4.0, 0.0, 0.0, 6.0]);
    }

    #[test]
    fn reduction_halves_resolution() {
        let mut c = cells(&[(-1, 1.0), (0, 2.0), (1, 4.0), (2, 8.0), (3, 16.0)]);
        reduce(&mut c, 1, 0);
        assert_eq!(c, cells(&[(0, 3.0), (1, 12.0), (2, 16.0)]));
    }

    #[test]
    fn merging_keeps_order() {
        let mut c = cells(&[(1, 1.0), (3, 1.0)]);
        merge(&mut c, &cells(&[(0, 5.0), (3, 2.0), (9, 1.0)]));
        assert_eq!(c, cells(&[(0, 5.0), (1, 1.0), (3, 3.0), (9, 1.0)]));
    }
}
