//! Soft interrupts by processor (/proc/softirqs).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("softirqs")?;
    let mut lines = text.lines();
    let cpus: Vec<&str> = lines.next().unwrap_or("").split_ascii_whitespace().map(|c| c.trim_start_matches("CPU")).collect();
    for line in lines {
        let Some((kind, counts)) = line.split_once(':') else { return Err(junk(line, "softirqs")) };
        for (cpu, count) in cpus.iter().zip(counts.split_ascii_whitespace()) {
            let count = count.parse().map_err(|_| junk(line, "softirqs"))?;
            b.counter("node_softirqs_functions_total", "Softirq counts per CPU.").sample(&[("cpu", cpu), ("type", kind.trim())], count);
        }
    }
    Ok(())
}
