//! Pressure stall information (/proc/pressure).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// File, line, metric, help.
const LINES: [(&str, &str, &str, &str); 6] = [
    ("cpu", "some", "cpu_waiting", "Total time in seconds that processes have waited for CPU time"),
    ("io", "some", "io_waiting", "Total time in seconds that processes have waited due to IO congestion"),
    ("io", "full", "io_stalled", "Total time in seconds no process could make progress due to IO congestion"),
    ("memory", "some", "memory_waiting", "Total time in seconds that processes have waited for memory"),
    ("memory", "full", "memory_stalled", "Total time in seconds no process could make progress due to memory congestion"),
    ("irq", "full", "irq_stalled", "Total time in seconds no process could make progress due to IRQ congestion"),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut found = false;
    for (file, kind, name, help) in LINES {
        // A kernel built without it, or told to leave it off (then reading says `unsupported`), has nothing to tell.
        let text = match m.proc_text(&format!("pressure/{file}")) {
            Err(Error::NotFound(_) | Error::Unsupported(_)) => continue,
            other => other?,
        };
        found = true;
        let Some(line) = text.lines().find(|l| l.starts_with(kind)) else { continue };
        let total = line.split_ascii_whitespace().find_map(|w| w.strip_prefix("total=")?.parse::<f64>().ok());
        let micros = total.ok_or_else(|| junk(line, file))?;
        b.counter(&format!("node_pressure_{name}_seconds_total"), help).value(micros / 1e3 / 1e3);
    }
    if found { Ok(()) } else { Err(Error::NotFound("pressure".to_owned())) }
}
