//! The scheduler's counters by processor (/proc/schedstat; kernel documentation, scheduler/sched-stats).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("schedstat")?.lines().filter(|l| l.starts_with("cpu")) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |i: usize| words.get(i).and_then(|w| w.parse::<f64>().ok()).ok_or_else(|| junk(line, "schedstat"));
        let labels = [("cpu", words[0].trim_start_matches("cpu"))];
        b.counter("node_schedstat_running_seconds_total", "Number of seconds CPU spent running a process.").sample(&labels, number(7)? / 1e9);
        b.counter("node_schedstat_waiting_seconds_total", "Number of seconds spent by processing waiting for this CPU.")
            .sample(&labels, number(8)? / 1e9);
        b.counter("node_schedstat_timeslices_total", "Number of timeslices executed by CPU.").sample(&labels, number(9)?);
    }
    Ok(())
}
