//! Received packets by processor (/proc/net/softnet_stat).

use crate::machine::{Machine, Memory};
use crate::text::{hex, junk};
use watchglass_sdk::prelude::*;

/// Column, name, kind, help. Newer kernels have more columns.
const COLUMNS: [(usize, &str, Kind, &str); 7] = [
    (0, "processed_total", Kind::Counter, "Number of processed packets"),
    (1, "dropped_total", Kind::Counter, "Number of dropped packets"),
    (2, "times_squeezed_total", Kind::Counter, "Number of times processing packets ran out of quota"),
    (8, "cpu_collision_total", Kind::Counter, "Number of collision occur while obtaining device lock while transmitting"),
    (9, "received_rps_total", Kind::Counter, "Number of times cpu woken up received_rps"),
    (10, "flow_limit_count_total", Kind::Counter, "Number of times flow limit has been reached"),
    (11, "backlog_len", Kind::Gauge, "Softnet backlog status"),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for (number, line) in m.proc_text("net/softnet_stat")?.lines().enumerate() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // Processors may be missing in between; the last column says which one it is.
        let cpu = words.get(12).and_then(|w| hex(w)).unwrap_or(number as f64).to_string();
        for (column, name, kind, help) in COLUMNS {
            let value = match words.get(column) {
                Some(word) => hex(word).ok_or_else(|| junk(line, "net/softnet_stat"))?,
                None => 0.0,
            };
            b.family(&format!("node_softnet_{name}"), kind, help).sample(&[("cpu", &cpu)], value);
        }
    }
    Ok(())
}
