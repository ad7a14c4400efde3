//! What else /proc/stat tells: boot time, switches, forks, interrupts.

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// The vectors of the line `softirq`, after their sum.
const SOFTIRQS: [&str; 10] = ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("stat")?.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(key), Some(first)) = (words.next(), words.next()) else { continue };
        let (name, kind, help) = match key {
            "intr" => ("node_intr_total", Kind::Counter, "Total number of interrupts serviced."),
            "ctxt" => ("node_context_switches_total", Kind::Counter, "Total number of context switches."),
            "processes" => ("node_forks_total", Kind::Counter, "Total number of forks."),
            "btime" => ("node_boot_time_seconds", Kind::Gauge, "Node boot time, in unixtime."),
            "procs_running" => ("node_procs_running", Kind::Gauge, "Number of processes in runnable state."),
            "procs_blocked" => ("node_procs_blocked", Kind::Gauge, "Number of processes blocked waiting for I/O to complete."),
            "softirq" if m.options.on("stat", "softirq") => {
                for (vector, word) in SOFTIRQS.iter().zip(words) {
                    let value = word.parse().map_err(|_| junk(line, "stat"))?;
                    b.counter("node_softirqs_total", "Number of softirq calls.").sample(&[("vector", vector)], value);
                }
                continue;
            }
            _ => continue,
        };
        b.family(name, kind, help).value(first.parse().map_err(|_| junk(line, "stat"))?);
    }
    Ok(())
}
