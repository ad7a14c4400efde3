//! Memory zones (/proc/zoneinfo).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Field, metric, kind, help. What is not listed is left out.
const FIELDS: [(&str, &str, Kind, &str); 34] = [
    ("nr_free_pages", "nr_free_pages", Kind::Gauge, "Total number of free pages in the zone"),
    ("min", "min_pages", Kind::Gauge, "Zone watermark pages_min"),
    ("low", "low_pages", Kind::Gauge, "Zone watermark pages_low"),
    ("high", "high_pages", Kind::Gauge, "Zone watermark pages_high"),
    ("scanned", "scanned_pages", Kind::Gauge, "Pages scanned since last reclaim"),
    ("spanned", "spanned_pages", Kind::Gauge, "Total pages spanned by the zone, including holes"),
    ("present", "present_pages", Kind::Gauge, "Physical pages existing within the zone"),
    ("managed", "managed_pages", Kind::Gauge, "Present pages managed by the buddy system"),
    ("nr_active_anon", "nr_active_anon_pages", Kind::Gauge, "Number of anonymous pages recently more used"),
    ("nr_inactive_anon", "nr_inactive_anon_pages", Kind::Gauge, "Number of anonymous pages recently less used"),
    ("nr_isolated_anon", "nr_isolated_anon_pages", Kind::Gauge, "Temporary isolated pages from anon lru"),
    ("nr_anon_pages", "nr_anon_pages", Kind::Gauge, "Number of anonymous pages currently used by the system"),
    ("nr_anon_transparent_hugepages", "nr_anon_transparent_hugepages", Kind::Gauge, "Number of anonymous transparent huge pages currently used by the system"),
    ("nr_active_file", "nr_active_file_pages", Kind::Gauge, "Number of active pages with file-backing"),
    ("nr_inactive_file", "nr_inactive_file_pages", Kind::Gauge, "Number of inactive pages with file-backing"),
    ("nr_isolated_file", "nr_isolated_file_pages", Kind::Gauge, "Temporary isolated pages from file lru"),
    ("nr_file_pages", "nr_file_pages", Kind::Gauge, "Number of file pages"),
    ("nr_slab_reclaimable", "nr_slab_reclaimable_pages", Kind::Gauge, "Number of reclaimable slab pages"),
    ("nr_slab_unreclaimable", "nr_slab_unreclaimable_pages", Kind::Gauge, "Number of unreclaimable slab pages"),
    ("nr_mlock_stack", "nr_mlock_stack_pages", Kind::Gauge, "Number of mlocked stack pages"),
    ("nr_kernel_stack", "nr_kernel_stacks", Kind::Gauge, "Number of kernel stacks"),
    ("nr_mapped", "nr_mapped_pages", Kind::Gauge, "Number of mapped pages"),
    ("nr_dirty", "nr_dirty_pages", Kind::Gauge, "Number of dirty pages"),
    ("nr_writeback", "nr_writeback_pages", Kind::Gauge, "Number of writeback pages"),
    ("nr_unevictable", "nr_unevictable_pages", Kind::Gauge, "Number of unevictable pages"),
    ("nr_shmem", "nr_shmem_pages", Kind::Gauge, "Number of shmem pages (included tmpfs/GEM pages)"),
    ("nr_dirtied", "nr_dirtied_total", Kind::Counter, "Page dirtyings since bootup"),
    ("nr_written", "nr_written_total", Kind::Counter, "Page writings since bootup"),
    ("numa_hit", "numa_hit_total", Kind::Counter, "Allocated in intended node"),
    ("numa_miss", "numa_miss_total", Kind::Counter, "Allocated in non intended node"),
    ("numa_foreign", "numa_foreign_total", Kind::Counter, "Was intended here, hit elsewhere"),
    ("numa_interleave", "numa_interleave_total", Kind::Counter, "Interleaver preferred this zone"),
    ("numa_local", "numa_local_total", Kind::Counter, "Allocation from local node"),
    ("numa_other", "numa_other_total", Kind::Counter, "Allocation from other node"),
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
                    b.gauge(&format!("node_zoneinfo_protection_{index}"), &format!("Protection array {index}. field")).sample(&labels, v);
                }
            }
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [field, value] = words.as_slice() else { continue };
        if let (Some((_, name, kind, help)), Ok(v)) = (FIELDS.iter().find(|f| f.0 == *field), value.parse()) {
            b.family(&format!("node_zoneinfo_{name}"), *kind, help).sample(&labels, v);
        }
    }
    Ok(())
}
