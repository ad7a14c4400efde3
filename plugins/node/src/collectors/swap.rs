//! Swap spaces (/proc/swaps).

use crate::machine::{Machine, Memory};
use crate::mounts::unescape;
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("swaps")?.lines().skip(1) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [device, kind, size, used, priority] = words.as_slice() else { return Err(junk(line, "swaps")) };
        let number = |w: &str| w.parse::<f64>().map_err(|_| junk(line, "swaps"));
        let device = unescape(device);
        let labels = [("device", device.as_str()), ("swap_type", kind)];
        b.gauge("node_swap_size_bytes", "Size of the swap device in bytes.").sample(&labels, number(size)? * 1024.0);
        b.gauge("node_swap_used_bytes", "Used bytes of the swap device.").sample(&labels, number(used)? * 1024.0);
        b.gauge("node_swap_priority", "Priority of the swap device.").sample(&labels, number(priority)?);
    }
    Ok(())
}
