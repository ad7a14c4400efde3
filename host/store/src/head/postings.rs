//! Which series has which label: the head's inverted index.

use std::collections::HashMap;

use watchglass_model::{Labels, MatchOp, Matcher};

use super::list::{SlotList, intersect, union, without};

/// Series by label pair. A series is a slot, a number that grows in the order of creation, so every list is sorted.
#[derive(Default)]
pub(crate) struct Postings {
    names: HashMap<Box<str>, HashMap<Box<str>, SlotList>>,
}

/// What a matcher alone says, as a list that is either all it lets through or all it keeps out.
enum Side {
    Only(Vec<u32>),
    Without(Vec<u32>),
}

impl Postings {
    /// Adds a series in a slot larger than all before.
    pub(crate) fn add(&mut self, slot: u32, labels: &Labels) {
        for (name, value) in labels {
            // Looked up before it is inserted: nearly always it is there, and a key for nothing is dear.
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), HashMap::new());
            }
            let Some(values) = self.names.get_mut(name) else { continue };
            match values.get_mut(value) {
                Some(list) => list.push(slot),
                None => drop(values.insert(value.into(), SlotList::One([slot]))),
            }
        }
    }

    /// Renames all slots (`new[slot]`, `u32::MAX` for those that are gone). The new names keep the order.
    pub(crate) fn rename(&mut self, new: &[u32]) {
        for values in self.names.values_mut() {
            *values = std::mem::take(values)
                .into_iter()
                .filter_map(|(value, list)| list.renamed(new).map(|list| (value, list)))
                .collect();
        }
        self.names.retain(|_, values| !values.is_empty());
    }

    /// Label names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|n| &**n)
    }

    /// Values of a label with the number of their series.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        self.names.get(name).into_iter().flatten().map(|(v, list)| (&**v, list.as_slice().len()))
    }

    fn list(&self, name: &str, value: &str) -> &[u32] {
        self.names.get(name).and_then(|values| values.get(value)).map_or(&[], SlotList::as_slice)
    }

    /// The slots of the series that all matchers let through. `all` gives every slot, where no matcher names any; `labels` the labels of one, where
    /// it is cheaper to look at the few series that are left than at all values of a label.
    pub(crate) fn select<'a>(
        &self,
        matchers: &[Matcher],
        all: impl FnOnce() -> Vec<u32>,
        labels: impl Fn(u32) -> Option<&'a Labels>,
    ) -> Vec<u32> {
        // Those that say most for least come first.
        let mut equal: Vec<&[u32]> = Vec::new();
        let mut others: Vec<&Matcher> = Vec::new();
        for matcher in matchers {
            match matcher.op() {
                MatchOp::Equal if !matcher.value().is_empty() => equal.push(self.list(matcher.name(), matcher.value())),
                _ => others.push(matcher),
            }
        }
        equal.sort_by_key(|list| list.len());
        let mut found: Option<Vec<u32>> = None;
        for list in equal {
            found = Some(match found {
                None => list.to_vec(),
                Some(before) => intersect(&before, list),
            });
        }
        // A matcher that lets the empty value through names no series by itself.
        others.sort_by_key(|m| (m.matches_empty(), self.names.get(m.name()).map_or(0, HashMap::len)));
        let mut all = Some(all);
        for matcher in others {
            if let Some(before) = &mut found {
                let values = self.names.get(matcher.name()).map_or(0, HashMap::len);
                if before.len() <= values.max(64) {
                    before.retain(|&slot| labels(slot).is_some_and(|l| matcher.matches(l.value(matcher.name()))));
                    continue;
                }
            }
            found = Some(match (self.side(matcher), found) {
                (Side::Only(list), None) => list,
                (Side::Only(list), Some(before)) => intersect(&before, &list),
                (Side::Without(list), Some(before)) => without(&before, &list),
                (Side::Without(list), None) => without(&all.take().map_or_else(Vec::new, |all| all()), &list),
            });
        }
        found.unwrap_or_else(|| all.take().map_or_else(Vec::new, |all| all()))
    }

    fn side(&self, matcher: &Matcher) -> Side {
        let empty = matcher.matches_empty();
        if !empty && let Some(words) = crate::select::alternatives(matcher) {
            return Side::Only(union(words.into_iter().map(|value| self.list(matcher.name(), value))));
        }
        let values = self.names.get(matcher.name()).into_iter().flatten();
        let lists = values.filter(|(value, _)| matcher.matches(value) != empty).map(|(_, list)| list.as_slice());
        if empty { Side::Without(union(lists)) } else { Side::Only(union(lists)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_op() -> impl Strategy<Value = MatchOp> {
        prop_oneof![Just(MatchOp::Equal), Just(MatchOp::NotEqual), Just(MatchOp::Regex), Just(MatchOp::NotRegex)]
    }

    fn any_value() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just(""),
            Just("a"),
            Just("b"),
            Just("a|b"),
            Just("a|"),
            Just(".*"),
            Just(".+"),
            Just("[ab]c?"),
            Just("ac")
        ]
    }

    proptest! {
        /// The index gives what asking every series one by one gives.
        #[test]
        fn selecting_agrees_with_asking_each(
            series in prop::collection::vec(prop::collection::vec((0usize..3, prop_oneof![Just("a"), Just("b"), Just("ac"), Just("d")]), 0..4), 0..100),
            matchers in prop::collection::vec((0usize..4, any_op(), any_value()), 0..4),
        ) {
            const NAMES: [&str; 4] = ["x", "y", "z", "nobody"];
            let series: Vec<Labels> =
                series.iter().map(|pairs| Labels::from_pairs(pairs.iter().map(|(n, v)| (NAMES[*n], *v)))).collect();
            let matchers: Vec<Matcher> =
                matchers.into_iter().map(|(n, op, v)| Matcher::new(NAMES[n], op, v).unwrap()).collect();
            let mut postings = Postings::default();
            for (slot, labels) in series.iter().enumerate() {
                postings.add(slot as u32, labels);
            }
            let all = || (0..series.len() as u32).collect();
            let got = postings.select(&matchers, all, |slot| series.get(slot as usize));
            let passes = |l: &Labels| matchers.iter().all(|m| m.matches(l.value(m.name())));
            let expected: Vec<u32> =
                (0..series.len() as u32).filter(|&slot| passes(&series[slot as usize])).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
