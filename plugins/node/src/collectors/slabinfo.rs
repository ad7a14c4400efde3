//! The kernel's slabs (/proc/slabinfo; root alone may read it).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

const COLUMNS: [(&str, &str); 5] = [
    ("active_objects", "The number of objects that are currently active (i.e., in use)."),
    ("objects", "The total number of allocated objects (i.e., objects that are both in use and not in use)."),
    ("object_size_bytes", "The size of objects in this slab, in bytes."),
    ("objects_per_slab", "The number of objects stored in each slab."),
    ("pages_per_slab", "The number of pages allocated for each slab."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let filter = m.options.filter("slabinfo", "slabs-include", "slabs-exclude");
    for line in m.proc_text("slabinfo")?.lines().filter(|l| !l.starts_with("slabinfo -") && !l.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let Some(slab) = words.next().filter(|s| !filter.ignores(s)) else { continue };
        for ((name, help), word) in COLUMNS.iter().zip(words) {
            let value = word.parse().map_err(|_| junk(line, "slabinfo"))?;
            b.gauge(&format!("node_slabinfo_{name}"), help).sample(&[("slab", slab)], value);
        }
    }
    Ok(())
}
