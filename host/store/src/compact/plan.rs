//! Which blocks to merge next. Prometheus' rules: see "leveled compaction" in its storage documentation.

use watchglass_model::TimeMs;

use crate::block::meta::BlockMeta;

/// Each range is so many times the one before.
const FACTOR: TimeMs = 3;
/// Most ranges: two hours times 3^9 is more than four years.
const LEVELS: usize = 10;

/// The spans that blocks grow through, smallest first: `min`, three times that, and so on up to `max`.
pub(crate) fn ranges(min: TimeMs, max: TimeMs) -> Vec<TimeMs> {
    let mut out = vec![min];
    let mut next = min.saturating_mul(FACTOR);
    while next <= max && out.len() < LEVELS {
        out.push(next);
        next = next.saturating_mul(FACTOR);
    }
    out
}

/// The largest span: a tenth of the retention, at most 31 days, at least the smallest.
pub(crate) fn max_range(min: TimeMs, retention: TimeMs, configured: TimeMs) -> TimeMs {
    const MONTH: TimeMs = 31 * 24 * 3_600_000;
    let max = match (configured, retention) {
        (0, 0) => MONTH,
        (0, retention) => (retention / 10).min(MONTH),
        (configured, _) => configured,
    };
    max.max(min)
}

/// Which of the blocks (sorted by their first time) to merge into one next; none where all is well.
pub(crate) fn next(blocks: &[&BlockMeta], ranges: &[TimeMs]) -> Vec<usize> {
    let overlapping = overlapping(blocks);
    if !overlapping.is_empty() {
        return overlapping;
    }
    // The newest is left alone, so that there is time to back it up, and a group is not merged before it is whole.
    let Some((_, older)) = blocks.split_last() else { return Vec::new() };
    let newest_start = older.last().map_or(0, |b| b.min_time);
    for &range in ranges.iter().skip(1) {
        for group in groups(older, range) {
            if group.len() < 2 || group.iter().any(|&i| older[i].compaction.failed) {
                continue;
            }
            let (first, last) = (older[group[0]], older[group[group.len() - 1]]);
            if last.max_time - first.min_time == range || last.max_time <= newest_start {
                return group;
            }
        }
    }
    mostly_deleted(older, ranges)
}

/// The first run of blocks that overlap in time.
fn overlapping(blocks: &[&BlockMeta]) -> Vec<usize> {
    let mut run: Vec<usize> = Vec::new();
    let mut end = TimeMs::MIN;
    for (i, block) in blocks.iter().enumerate() {
        if block.min_time < end {
            if run.is_empty() {
                run.push(i - 1);
            }
            run.push(i);
        } else if !run.is_empty() {
            break;
        }
        end = end.max(block.max_time);
    }
    run
}

/// Blocks by the multiple of a range that they lie in; those that cross one belong nowhere.
fn groups(blocks: &[&BlockMeta], range: TimeMs) -> Vec<Vec<usize>> {
    let mut out: Vec<(TimeMs, Vec<usize>)> = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let start = block.min_time.div_euclid(range).saturating_mul(range);
        if block.max_time > start.saturating_add(range) {
            continue;
        }
        match out.last_mut() {
            Some((at, group)) if *at == start => group.push(i),
            _ => out.push((start, vec![i])),
        }
    }
    out.into_iter().map(|(_, group)| group).collect()
}

/// A large block with so many tombstones that writing it anew pays.
fn mostly_deleted(blocks: &[&BlockMeta], ranges: &[TimeMs]) -> Vec<usize> {
    for (i, block) in blocks.iter().enumerate().rev() {
        let (stones, series) = (block.stats.num_tombstones, block.stats.num_series);
        if block.max_time - block.min_time < ranges[ranges.len() / 2] {
            if stones > 0 && stones >= series {
                return vec![i];
            }
            break;
        }
        if stones as f64 / (series + 1) as f64 > 0.05 {
            return vec![i];
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(min: TimeMs, max: TimeMs) -> BlockMeta {
        BlockMeta { min_time: min, max_time: max, version: 1, ..BlockMeta::default() }
    }

    fn plan(blocks: &[(TimeMs, TimeMs)]) -> Vec<usize> {
        let metas: Vec<BlockMeta> = blocks.iter().map(|&(min, max)| block(min, max)).collect();
        next(&metas.iter().collect::<Vec<_>>(), &ranges(20, 540))
    }

    #[test]
    fn three_become_one_when_they_are_whole() {
        assert_eq!(ranges(20, 540), [20, 60, 180, 540]);
        assert!(plan(&[(0, 20)]).is_empty());
        assert!(plan(&[(0, 20), (20, 40), (40, 60)]).is_empty(), "the newest is left alone");
        assert_eq!(plan(&[(0, 20), (20, 40), (40, 60), (60, 80)]), [0, 1, 2]);
        assert_eq!(plan(&[(0, 20), (20, 40), (60, 80), (80, 100)]), [0, 1], "a gap does not hold it up");
        assert_eq!(plan(&[(0, 60), (60, 120), (120, 180), (180, 200), (200, 220)]), [0, 1, 2]);
        assert!(plan(&[(20, 40), (40, 60), (60, 80)]).is_empty(), "not before the range is over");
    }

    #[test]
    fn what_overlaps_goes_first() {
        assert_eq!(plan(&[(0, 20), (10, 30), (25, 40), (40, 60)]), [0, 1, 2]);
    }

    #[test]
    fn deleted_ones_are_written_anew() {
        let mut empty = block(0, 20);
        (empty.stats.num_tombstones, empty.stats.num_series) = (5, 5);
        let newest = block(200, 220);
        assert_eq!(next(&[&empty, &newest], &ranges(20, 540)), [0]);
    }

    #[test]
    fn the_largest_range_follows_retention() {
        const DAY: TimeMs = 24 * 3_600_000;
        assert_eq!(max_range(7_200_000, 15 * DAY, 0), 15 * DAY / 10);
        assert_eq!(max_range(7_200_000, 0, 0), 31 * DAY);
        assert_eq!(max_range(7_200_000, DAY / 10, 0), 7_200_000);
    }
}
