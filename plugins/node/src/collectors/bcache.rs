//! Block caches (/sys/fs/bcache; kernel documentation, admin-guide/bcache).

use crate::columns::Column;
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

const SET: [Column; 10] = [
    ("average_key_size", "bcache_average_key_size_sectors", Kind::Gauge, 1.0, "Average data per key in the btree (sectors)."),
    ("btree_cache_size", "bcache_btree_cache_size_bytes", Kind::Gauge, 1.0, "Amount of memory currently used by the btree cache."),
    ("cache_available_percent", "bcache_cache_available_percent", Kind::Gauge, 1.0, "Percentage of cache device without dirty data, usable for writeback (may contain clean cached data)."),
    ("congested", "bcache_congested", Kind::Gauge, 1.0, "Congestion."),
    ("root_usage_percent", "bcache_root_usage_percent", Kind::Gauge, 1.0, "Percentage of the root btree node in use (tree depth increases if too high)."),
    ("tree_depth", "bcache_tree_depth", Kind::Gauge, 1.0, "Depth of the btree."),
    ("internal/active_journal_entries", "bcache_active_journal_entries", Kind::Gauge, 1.0, "Number of journal entries that are newer than the index."),
    ("internal/btree_nodes", "bcache_btree_nodes", Kind::Gauge, 1.0, "Total nodes in the btree."),
    ("internal/btree_read_average_duration_us", "bcache_btree_read_average_duration_seconds", Kind::Gauge, 1e-9, "Average btree read duration."),
    ("internal/cache_read_races", "bcache_cache_read_races_total", Kind::Counter, 1.0, "Counts instances where while data was being read from the cache, the bucket was reused and invalidated."),
];

const BACKING: [Column; 8] = [
    ("dirty_data", "bcache_dirty_data_bytes", Kind::Gauge, 1.0, "Amount of dirty data for this backing device in the cache."),
    ("stats_total/bypassed", "bcache_bypassed_bytes_total", Kind::Counter, 1.0, "Amount of IO (both reads and writes) that has bypassed the cache."),
    ("stats_total/cache_hits", "bcache_cache_hits_total", Kind::Counter, 1.0, "Hits counted per individual IO as bcache sees them."),
    ("stats_total/cache_misses", "bcache_cache_misses_total", Kind::Counter, 1.0, "Misses counted per individual IO as bcache sees them."),
    ("stats_total/cache_bypass_hits", "bcache_cache_bypass_hits_total", Kind::Counter, 1.0, "Hits for IO intended to skip the cache."),
    ("stats_total/cache_bypass_misses", "bcache_cache_bypass_misses_total", Kind::Counter, 1.0, "Misses for IO intended to skip the cache."),
    ("stats_total/cache_miss_collisions", "bcache_cache_miss_collisions_total", Kind::Counter, 1.0, "Instances where data insertion from cache miss raced with write (data already present)."),
    ("stats_total/cache_readaheads", "bcache_cache_readaheads_total", Kind::Counter, 1.0, "Count of times readahead occurred."),
];

const CACHE: [Column; 3] = [
    ("io_errors", "bcache_io_errors", Kind::Gauge, 1.0, "Number of errors that have occurred, decayed by io_error_halflife."),
    ("metadata_written", "bcache_metadata_written_bytes_total", Kind::Counter, 1.0, "Sum of all non data writes (btree writes and all other metadata)."),
    ("written", "bcache_written_bytes_total", Kind::Counter, 1.0, "Sum of all data that has been written to the cache."),
];

/// Lines of writeback_rate_debug.
const WRITEBACK: [(&str, &str, &str); 5] = [
    ("target", "bcache_dirty_target_bytes", "Current dirty data target threshold for this backing device in bytes."),
    ("rate", "bcache_writeback_rate", "Current writeback rate for this backing device in bytes."),
    ("proportional", "bcache_writeback_rate_proportional_term", "Current result of proportional controller, part of writeback rate"),
    ("integral", "bcache_writeback_rate_integral_term", "Current result of integral controller, part of writeback rate"),
    ("change", "bcache_writeback_change", "Last writeback rate change step for this backing device."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for uuid in m.sys_names_if_any("fs/bcache")?.iter().filter(|n| n.contains('-')) {
        let dir = format!("fs/bcache/{uuid}");
        let set = ("uuid", uuid.as_str());
        table(m, b, &SET, &dir, &[set]);
        let names = m.sys_names(&dir).unwrap_or_default();
        for device in names.iter().filter(|n| n.starts_with("bdev")) {
            let labels = [set, ("backing_device", device.as_str())];
            let dir = format!("{dir}/{device}");
            table(m, b, &BACKING, &dir, &labels);
            let rates = m.sys_text(&format!("{dir}/writeback_rate_debug")).unwrap_or_default();
            for (line, name, help) in WRITEBACK {
                let found = rates.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
                if let Some(v) = found.and_then(|t| human(t.trim().trim_end_matches("/sec"))) {
                    b.gauge(&format!("node_{name}"), help).sample(&labels, v);
                }
            }
        }
        for device in names.iter().filter(|n| n.starts_with("cache") && n.as_str() != "cache_available_percent") {
            let labels = [set, ("cache_device", device.as_str())];
            let dir = format!("{dir}/{device}");
            table(m, b, &CACHE, &dir, &labels);
            if m.options.on("bcache", "priorityStats") {
                let stats = m.sys_text(&format!("{dir}/priority_stats")).unwrap_or_default();
                for (line, name, help) in [
                    ("Unused:", "unused", "The percentage of the cache that doesn't contain any data."),
                    ("Metadata:", "metadata", "Bcache's metadata overhead."),
                ] {
                    let found = stats.lines().find_map(|l| l.strip_prefix(line)?.trim().strip_suffix('%')?.parse().ok());
                    if let Some(v) = found {
                        b.gauge(&format!("node_bcache_priority_stats_{name}_percent"), help).sample(&labels, v);
                    }
                }
            }
        }
    }
    Ok(())
}

fn table(m: &Machine, b: &mut Batch, columns: &[Column], dir: &str, labels: &[(&str, &str)]) {
    let files: Vec<&str> = columns.iter().map(|c| c.0).collect();
    let texts = m.attributes(&[dir], &files).into_iter().flatten();
    for ((_, name, kind, factor, help), text) in columns.iter().zip(texts) {
        if let Some(v) = text.as_deref().and_then(human) {
            b.family(&format!("node_{name}"), *kind, help).sample(labels, v * factor);
        }
    }
}

/// Reads a size as the kernel prints it for people: `20.4G` is 20 GiB and 400 MiB.
pub(crate) fn human(text: &str) -> Option<f64> {
    let text = text.trim();
    let (number, exponent) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1),
        'M' => (&text[..text.len() - 1], 2),
        'G' => (&text[..text.len() - 1], 3),
        'T' => (&text[..text.len() - 1], 4),
        'P' => (&text[..text.len() - 1], 5),
        _ => (text, 0),
    };
    let unit = 1024f64.powi(exponent);
    match number.split_once('.') {
        // The kernel prints thousandths of 1024ths behind the point, cut to one digit (bcache's hprint): 1.1M is 1 MiB and 100 KiB.
        Some((whole, fraction)) => {
            let sign = if whole.starts_with('-') { -1.0 } else { 1.0 };
            let thousandths = format!("0.{fraction}").parse::<f64>().ok()? * 1_000.0;
            Some(whole.parse::<f64>().ok()? * unit + sign * thousandths * unit / 1024.0)
        }
        None => Some(number.parse::<f64>().ok()? * unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        assert_eq!((human("0"), human("12k"), human("1.5M"), human("x")), (Some(0.0), Some(12_288.0), Some(1_560_576.0), None));
    }
}
