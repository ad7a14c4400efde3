//! A dictionary of strings in one text, as packed payloads carry them.

/// Every distinct string once, numbered in order of arrival; string `i` is `text[ends[i-1]..ends[i]]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interner {
    text: String,
    ends: Vec<u32>,
    /// Open addressing, a power of two long, at most half full; 0 is empty, else the string's number plus one.
    slots: Vec<u32>,
}

impl Interner {
    /// Gives the number of `s`, adding it if it is new.
    pub(crate) fn id(&mut self, s: &str) -> u32 {
        if self.ends.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(s) as usize & mask;
        loop {
            match self.slots[at] {
                0 => break,
                slot if self.get(slot - 1) == s => return slot - 1,
                _ => at = (at + 1) & mask,
            }
        }
        self.text.push_str(s);
        // A component's memory ends at 4 GiB, and so does what a u32 counts.
        self.ends.push(self.text.len() as u32);
        let id = self.ends.len() as u32 - 1;
        self.slots[at] = id + 1;
        id
    }

    /// Gives back string `id`; empty for a number that was never given out.
    pub(crate) fn get(&self, id: u32) -> &str {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends.get(id - 1).copied().unwrap_or(0) as usize };
        let end = self.ends.get(id).copied().unwrap_or(start as u32) as usize;
        self.text.get(start..end).unwrap_or("")
    }

    /// Takes the dictionary apart: the text and where each string ends.
    pub(crate) fn into_parts(self) -> (String, Vec<u32>) {
        (self.text, self.ends)
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(64);
        let mut slots = vec![0u32; len];
        for id in 0..self.ends.len() as u32 {
            let mut at = hash(self.get(id)) as usize & (len - 1);
            while slots[at] != 0 {
                at = (at + 1) & (len - 1);
            }
            slots[at] = id + 1;
        }
        self.slots = slots;
    }
}

/// Mixes eight bytes at a step (multiply and rotate); strings here are short and come from a plugin's own input, so collisions cost it alone.
fn hash(s: &str) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = s.len() as u64;
    let mut chunks = s.as_bytes().chunks_exact(8);
    for c in &mut chunks {
        let word = c.iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b));
        h = (h.rotate_left(5) ^ word).wrapping_mul(K);
    }
    for b in chunks.remainder() {
        h = (h.rotate_left(5) ^ u64::from(*b)).wrapping_mul(K);
    }
    (h >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_strings_come_back() {
        let mut d = Interner::default();
        let words: Vec<String> = (0..5_000).map(|i| format!("word-{}", i % 1_700)).collect();
        let ids: Vec<u32> = words.iter().map(|w| d.id(w)).collect();
        for (w, id) in words.iter().zip(&ids) {
            assert_eq!(d.get(*id), w);
            assert_eq!(d.id(w), *id);
        }
        assert_eq!(d.id(""), 1_700);
        assert_eq!(d.get(1_700), "");
        let (text, ends) = d.into_parts();
        assert_eq!(ends.len(), 1_701);
        assert_eq!(*ends.last().unwrap() as usize, text.len());
    }
}
