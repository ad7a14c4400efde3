//! Resources of the host that a plugin has handles of.

use std::collections::HashMap;

/// A bounded table whose numbers are never used again: a plugin may keep a handle of what the host already let go of, and must not find
/// something else behind it.
pub(crate) struct Slots<T> {
    next: u32,
    capacity: usize,
    live: HashMap<u32, T>,
}

impl<T> Slots<T> {
    /// An empty table for at most this many.
    pub(crate) fn new(capacity: usize) -> Slots<T> {
        Slots { next: 1, capacity, live: HashMap::new() }
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.live.len() < self.capacity && self.next < u32::MAX
    }

    /// Puts one in. `None`: there is no room.
    pub(crate) fn put(&mut self, value: T) -> Option<u32> {
        if !self.has_room() {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.live.insert(number, value);
        Some(number)
    }

    /// Looks one up.
    pub(crate) fn get(&mut self, number: u32) -> Option<&mut T> {
        self.live.get_mut(&number)
    }

    /// Takes one out.
    pub(crate) fn take(&mut self, number: u32) -> Option<T> {
        self.live.remove(&number)
    }

    /// Lets go of all.
    pub(crate) fn clear(&mut self) {
        self.live.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_come_back_and_room_does() {
        let mut slots = Slots::new(2);
        let (a, b) = (slots.put('a'), slots.put('b'));
        assert_eq!(slots.put('c'), None);
        slots.clear();
        let c = slots.put('c');
        assert!(c.is_some() && c != a && c != b && slots.live.len() == 1);
    }
}
