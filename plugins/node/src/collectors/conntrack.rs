//! Connection tracking (/proc/sys/net/netfilter, /proc/net/stat/nf_conntrack).

use crate::machine::{Machine, Memory};
use crate::text::{hex, number};
use watchglass_sdk::prelude::*;

/// Name and help of each statistic, which the kernel keeps for each processor.
const STATS: [(&str, &str); 8] = [
    ("found", "Number of searched entries which were successful."),
    ("invalid", "Number of packets seen which can not be tracked."),
    ("ignore", "Number of packets seen which are already connected to a conntrack entry."),
    ("insert", "Number of entries inserted into the list."),
    ("insert_failed", "Number of entries for which list insertion was attempted but failed."),
    ("drop", "Number of packets dropped due to conntrack failure."),
    ("early_drop", "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached."),
    ("search_restart", "Number of conntrack table lookups which had to be restarted due to hashtable resizes."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for (file, name, help) in [
        ("nf_conntrack_count", "node_nf_conntrack_entries", "Number of currently allocated flow entries for connection tracking."),
        ("nf_conntrack_max", "node_nf_conntrack_entries_limit", "Maximum size of connection tracking table."),
    ] {
        let path = format!("sys/net/netfilter/{file}");
        b.gauge(name, help).value(number(&m.proc_text(&path)?, &path)?);
    }
    let text = m.proc_text("net/stat/nf_conntrack")?;
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or("").split_ascii_whitespace().collect();
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split_ascii_whitespace().collect()).collect();
    for (name, help) in STATS {
        let column = columns.iter().position(|c| *c == name);
        let sum = |at: usize| rows.iter().filter_map(|r| hex(r.get(at)?)).sum::<f64>();
        b.gauge(&format!("node_nf_conntrack_stat_{name}"), help).value(column.map_or(0.0, sum));
    }
    Ok(())
}
