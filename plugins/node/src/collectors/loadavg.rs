//! Load (/proc/loadavg).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("loadavg")?;
    let values: Vec<f64> = text.split_ascii_whitespace().take(3).filter_map(|w| w.parse().ok()).collect();
    let [one, five, fifteen] = values[..] else { return Err(junk(&text, "loadavg")) };
    b.gauge("node_load1", "1m load average.").value(one);
    b.gauge("node_load5", "5m load average.").value(five);
    b.gauge("node_load15", "15m load average.").value(fifteen);
    Ok(())
}
