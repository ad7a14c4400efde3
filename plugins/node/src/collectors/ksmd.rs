//! Kernel samepage merging (/sys/kernel/mm/ksm).

use crate::columns::{self, Column};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const COLUMNS: [Column; 10] = [
    ("full_scans", "ksmd_full_scans_total", Kind::Counter, 1.0, "ksmd 'full_scans' file."),
    ("general_profit", "ksmd_general_profit_bytes", Kind::Gauge, 1.0, "ksmd 'general_profit' file."),
    ("merge_across_nodes", "ksmd_merge_across_nodes", Kind::Gauge, 1.0, "ksmd 'merge_across_nodes' file."),
    ("pages_shared", "ksmd_pages_shared", Kind::Gauge, 1.0, "ksmd 'pages_shared' file."),
    ("pages_sharing", "ksmd_pages_sharing", Kind::Gauge, 1.0, "ksmd 'pages_sharing' file."),
    ("pages_to_scan", "ksmd_pages_to_scan", Kind::Gauge, 1.0, "ksmd 'pages_to_scan' file."),
    ("pages_unshared", "ksmd_pages_unshared", Kind::Gauge, 1.0, "ksmd 'pages_unshared' file."),
    ("pages_volatile", "ksmd_pages_volatile", Kind::Gauge, 1.0, "ksmd 'pages_volatile' file."),
    ("run", "ksmd_run", Kind::Gauge, 1.0, "ksmd 'run' file."),
    ("sleep_millisecs", "ksmd_sleep_seconds", Kind::Gauge, 1e-3, "ksmd 'sleep_millisecs' file."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    m.sys_names("kernel/mm/ksm")?;
    for texts in m.attributes(&["kernel/mm/ksm"], &columns::files(&COLUMNS)) {
        columns::put(b, &COLUMNS, &texts, &[]);
    }
    Ok(())
}
