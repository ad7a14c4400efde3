//! Sorted lists of numbers: of the head's slots, or of a block's series.

/// What both lists have.
pub(crate) fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(short.len());
    if long.len() / 16 > short.len() {
        // Few against many: look each one up, in what is left.
        let mut rest = long;
        for &id in short {
            let at = rest.partition_point(|&other| other < id);
            rest = &rest[at..];
            if rest.first() == Some(&id) {
                out.push(id);
            }
        }
        return out;
    }
    let mut others = long.iter().copied().peekable();
    for &id in short {
        while others.next_if(|&other| other < id).is_some() {}
        if others.peek() == Some(&id) {
            out.push(id);
        }
    }
    out
}

/// What the first list has and the second has not.
pub(crate) fn without(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut others = b.iter().copied().peekable();
    a.iter()
        .copied()
        .filter(|&id| {
            while others.next_if(|&other| other < id).is_some() {}
            others.peek() != Some(&id)
        })
        .collect()
}

/// What any of the lists has.
pub(crate) fn union<'a>(lists: impl IntoIterator<Item = &'a [u32]>) -> Vec<u32> {
    let mut lists = lists.into_iter();
    let mut out = lists.next().map_or_else(Vec::new, <[u32]>::to_vec);
    let mut sorted = true;
    for list in lists {
        sorted &= out.last() < list.first();
        out.extend_from_slice(list);
    }
    if !sorted {
        out.sort_unstable();
        out.dedup();
    }
    out
}

/// A list that is often of one: a label pair that only one series has costs no allocation.
#[derive(Debug)]
pub(crate) enum SlotList {
    One([u32; 1]),
    Many(Vec<u32>),
}

impl SlotList {
    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            SlotList::One(one) => one,
            SlotList::Many(many) => many,
        }
    }

    /// Appends a slot, larger than all in it.
    pub(crate) fn push(&mut self, slot: u32) {
        match self {
            SlotList::One([first]) => *self = SlotList::Many(vec![*first, slot]),
            SlotList::Many(many) => {
                if many.len() == many.capacity() {
                    many.reserve_exact((many.len() / 2).max(4));
                }
                many.push(slot);
            }
        }
    }

    /// Renames every slot, dropping those without a new name. Returns `None` where none is left.
    pub(crate) fn renamed(self, new: &[u32]) -> Option<SlotList> {
        let kept: Vec<u32> = self
            .as_slice()
            .iter()
            .filter_map(|&slot| new.get(slot as usize).copied().filter(|&n| n != u32::MAX))
            .collect();
        match kept.as_slice() {
            [] => None,
            [one] => Some(SlotList::One([*one])),
            _ => Some(SlotList::Many(kept)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn list() -> impl Strategy<Value = BTreeSet<u32>> {
        prop::collection::btree_set(0u32..300, 0..200)
    }

    proptest! {
        #[test]
        fn sets_are_sets(a in list(), b in list(), c in prop::collection::btree_set(0u32..300, 0..5)) {
            let vec = |s: &BTreeSet<u32>| s.iter().copied().collect::<Vec<u32>>();
            for (a, b) in [(&a, &b), (&a, &c), (&c, &a)] {
                let (x, y) = (vec(a), vec(b));
                prop_assert_eq!(intersect(&x, &y), a.intersection(b).copied().collect::<Vec<_>>());
                prop_assert_eq!(without(&x, &y), a.difference(b).copied().collect::<Vec<_>>());
                prop_assert_eq!(union([&x[..], &y[..]]), a.union(b).copied().collect::<Vec<_>>());
            }
        }
    }
}
