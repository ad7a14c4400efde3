//! Putting together what head and blocks have.

use watchglass_model::{FloatPoint, HistogramPoint, MatchOp, Matcher, SeriesData};

use crate::codec::chunk::Points;

/// The words of a matcher like `a|b|c`, where looking each one up beats running the expression over all values.
pub(crate) fn alternatives(matcher: &Matcher) -> Option<Vec<&str>> {
    const SPECIAL: &[char] = &['.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$', '\\'];
    if matcher.op() != MatchOp::Regex || matcher.value().contains(SPECIAL) {
        return None;
    }
    let mut words: Vec<&str> = matcher.value().split('|').collect();
    words.sort_unstable();
    words.dedup();
    Some(words)
}

/// Puts points that came from several places in order, each time once. Where two places have the same time, the one that came last wins.
pub(crate) fn in_order(points: &mut Points) {
    let floats_sorted = points.floats.is_sorted_by(|a, b| a.t < b.t);
    if !floats_sorted {
        points.floats.sort_by_key(|p| p.t);
        points.floats.reverse();
        points.floats.dedup_by_key(|p: &mut FloatPoint| p.t);
        points.floats.reverse();
    }
    let histograms_sorted = points.histograms.is_sorted_by(|a, b| a.t < b.t);
    if !histograms_sorted {
        points.histograms.sort_by_key(|p| p.t);
        points.histograms.reverse();
        points.histograms.dedup_by_key(|p: &mut HistogramPoint| p.t);
        points.histograms.reverse();
    }
    if !points.floats.is_empty() && !points.histograms.is_empty() {
        let histograms = &points.histograms;
        points.floats.retain(|p| histograms.binary_search_by_key(&p.t, |h| h.t).is_err());
    }
}

/// Two lists, each sorted by what `key` gives and with every key once, as one such list. Of two with the same key the second goes into the first.
pub(crate) fn merged<T, K: Ord + ?Sized>(
    a: Vec<T>,
    b: Vec<T>,
    key: impl Fn(&T) -> &K,
    join: impl Fn(&mut T, T),
) -> Vec<T> {
    if a.is_empty() {
        return b;
    }
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    let mut b = b.into_iter().peekable();
    for mut item in a {
        while let Some(before) = b.next_if(|other| key(other) < key(&item)) {
            out.push(before);
        }
        if let Some(same) = b.next_if(|other| key(other) == key(&item)) {
            join(&mut item, same);
        }
        out.push(item);
    }
    out.extend(b);
    out
}

/// A series of the answer.
pub(crate) fn series_data(labels: watchglass_model::Labels, points: Points) -> SeriesData {
    SeriesData { labels, floats: points.floats, histograms: points.histograms, starts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_looked_up() {
        let words = |pattern: &str| {
            alternatives(&Matcher::new("a", MatchOp::Regex, pattern).unwrap())
                .map(|w| w.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(words("b|a|b"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(words("a|b.*"), None);
        assert_eq!(words("a(b)"), None);
    }

    #[test]
    fn lists_merge_in_order() {
        let list = |text: &str| text.chars().map(|c| (c, 1)).collect::<Vec<_>>();
        let both = merged(list("bdf"), list("abcfg"), |p| &p.0, |a, b| a.1 += b.1);
        assert_eq!(both, [('a', 1), ('b', 2), ('c', 1), ('d', 1), ('f', 2), ('g', 1)]);
        assert_eq!(merged(Vec::new(), list("ab"), |p| &p.0, |a, b| a.1 += b.1), list("ab"));
    }

    #[test]
    fn the_last_place_wins() {
        let at = |t, v| FloatPoint { t, v };
        let mut points = Points { floats: vec![at(1, 1.0), at(2, 2.0), at(2, 20.0), at(1, 10.0)], ..Points::default() };
        in_order(&mut points);
        assert_eq!(points.floats, [at(1, 10.0), at(2, 20.0)]);
    }
}
