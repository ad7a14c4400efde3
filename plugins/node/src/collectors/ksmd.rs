//! Kernel samepage merging (/sys/kernel/mm/ksm).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const COLUMNS: [Column; 10] = [
    ("full_scans", "ksmd_full_scans_total", Kind::Counter, 1.0, "How many times all mergeable areas have been scanned."),
    ("general_profit", "ksmd_general_profit_bytes", Kind::Gauge, 1.0, "How many bytes merging saves, less what its own bookkeeping takes."),
    ("merge_across_nodes", "ksmd_merge_across_nodes", Kind::Gauge, 1.0, "Specifies if pages from different NUMA nodes can be merged."),
    ("pages_shared", "ksmd_pages_shared", Kind::Gauge, 1.0, "How many shared pages are being used."),
    ("pages_sharing", "ksmd_pages_sharing", Kind::Gauge, 1.0, "How many more sites are sharing them: how much is saved."),
    ("pages_to_scan", "ksmd_pages_to_scan", Kind::Gauge, 1.0, "How many pages to scan before ksmd goes to sleep."),
    ("pages_unshared", "ksmd_pages_unshared", Kind::Gauge, 1.0, "How many pages are unique but repeatedly checked for merging."),
    ("pages_volatile", "ksmd_pages_volatile", Kind::Gauge, 1.0, "How many pages change too fast to be placed in a tree."),
    ("run", "ksmd_run", Kind::Gauge, 1.0, "The status of ksmd: stopped is 0, running 1."),
    ("sleep_millisecs", "ksmd_sleep_seconds", Kind::Gauge, 1e-3, "How many seconds ksmd should sleep before the next scan."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    m.sys_names("kernel/mm/ksm")?;
    for texts in m.attributes(&["kernel/mm/ksm"], &columns::files(&COLUMNS)) {
        columns::put(b, &COLUMNS, &texts, &[]);
    }
    Ok(())
}
