//! Memory zones (/proc/zoneinfo).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Field, metric, kind. What is not listed is left out.
const FIELDS: [(&str, &str, Kind); 35] = [
    ("nr_free_pages", "nr_free_pages", Kind::Gauge),
    ("min", "min_pages", Kind::Gauge),
    ("low", "low_pages", Kind::Gauge),
    ("high", "high_pages", Kind::Gauge),
    ("scanned", "scanned_pages", Kind::Gauge),
    ("spanned", "spanned_pages", Kind::Gauge),
    ("present", "present_pages", Kind::Gauge),
    ("managed", "managed_pages", Kind::Gauge),
    ("nr_active_anon", "nr_active_anon_pages", Kind::Gauge),
    ("nr_inactive_anon", "nr_inactive_anon_pages", Kind::Gauge),
    ("nr_isolated_anon", "nr_isolated_anon_pages", Kind::Gauge),
    ("nr_anon_pages", "nr_anon_pages", Kind::Gauge),
    ("nr_anon_transparent_hugepages", "nr_anon_transparent_hugepages", Kind::Gauge),
    ("nr_active_file", "nr_active_file_pages", Kind::Gauge),
    ("nr_inactive_file", "nr_inactive_file_pages", Kind::Gauge),
    ("nr_isolated_file", "nr_isolated_file_pages", Kind::Gauge),
    ("nr_file_pages", "nr_file_pages", Kind::Gauge),
    ("nr_slab_reclaimable", "nr_slab_reclaimable_pages", Kind::Gauge),
    ("nr_slab_unreclaimable", "nr_slab_unreclaimable_pages", Kind::Gauge),
    ("nr_mlock_stack", "nr_mlock_stack_pages", Kind::Gauge),
    ("nr_kernel_stack", "nr_kernel_stacks", Kind::Gauge),
    ("nr_mapped", "nr_mapped_pages", Kind::Gauge),
    ("nr_dirty", "nr_dirty_pages", Kind::Gauge),
    ("nr_writeback", "nr_writeback_pages", Kind::Gauge),
    ("nr_unevictable", "nr_unevictable_pages", Kind::Gauge),
    ("nr_shmem", "nr_shmem_pages", Kind::Gauge),
    ("nr_dirtied", "nr_dirtied_total", Kind::Counter),
    ("nr_written", "nr_written_total", Kind::Counter),
    ("numa_hit", "numa_hit_total", Kind::Counter),
    ("numa_miss", "numa_miss_total", Kind::Counter),
    ("numa_foreign", "numa_foreign_total", Kind::Counter),
    ("numa_interleave", "numa_interleave_total", Kind::Counter),
    ("numa_local", "numa_local_total", Kind::Counter),
    ("numa_other", "numa_other_total", Kind::Counter),
    ("protection", "protection", Kind::Gauge),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let (mut node, mut zone) = (String::new(), String::new());
    for line in m.proc_text("zoneinfo")?.lines() {
        if let Some((n, z)) = line.strip_prefix("Node ").and_then(|l| l.split_once(", zone")) {
            (node, zone) = (n.trim().to_owned(), z.trim().to_owned());
            continue;
        }
        let line = line.trim();
        let labels = [("node", node.as_str()), ("zone", zone.as_str())];
        if let Some(list) = line.strip_prefix("protection: (").and_then(|l| l.strip_suffix(')')) {
            for (index, word) in list.split(',').enumerate() {
                if let Ok(v) = word.trim().parse() {
                    b.gauge("node_zoneinfo_protection", "Protection array field")
                        .sample(&[labels[0], labels[1], ("index", &index.to_string())], v);
                }
            }
            continue;
        }
        // `pages free 3952` is `nr_free_pages` without its own name; per-processor lines have a colon.
        let line = line.strip_prefix("pages free").map_or(line.to_owned(), |v| format!("nr_free_pages {v}"));
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [field, value] = words.as_slice() else { continue };
        if let (Some((_, name, kind)), Ok(v)) = (FIELDS.iter().find(|f| f.0 == *field), value.parse()) {
            let metric = format!("node_zoneinfo_{name}");
            // `nr_free_pages` stands twice; the first is the same number.
            if b.get(&metric, &labels).is_none() {
                b.family(&metric, *kind, &format!("/proc/zoneinfo field {field}")).sample(&labels, v);
            }
        }
    }
    Ok(())
}
