//! Free blocks of memory by size (/proc/buddyinfo).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("buddyinfo")?.lines() {
        // `Node 0, zone   Normal   4381 1093 ...`, one number for each power of two.
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["Node", node, "zone", zone, counts @ ..] = words.as_slice() else { return Err(junk(line, "buddyinfo")) };
        for (size, count) in counts.iter().enumerate() {
            let count = count.parse().map_err(|_| junk(line, "buddyinfo"))?;
            let labels = [("node", node.trim_end_matches(',')), ("zone", zone), ("size", &size.to_string())];
            b.gauge("node_buddyinfo_blocks", "Count of free blocks according to size.").sample(&labels, count);
        }
    }
    Ok(())
}
