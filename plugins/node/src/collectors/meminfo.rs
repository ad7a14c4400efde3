//! Memory (/proc/meminfo).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("meminfo")?.lines() {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let mut words = rest.split_ascii_whitespace();
        let value: f64 = words.next().and_then(|w| w.parse().ok()).ok_or_else(|| junk(line, "meminfo"))?;
        // `Active(anon)` is Active_anon; what has no unit is a number of pages.
        let name = name.trim().replace('(', "_").replace(')', "");
        match words.next() {
            Some("kB") => b.gauge(&format!("node_memory_{name}_bytes"), &format!("Memory information field {name}_bytes.")).value(value * 1024.0),
            _ => b.gauge(&format!("node_memory_{name}"), &format!("Memory information field {name}.")).value(value),
        };
    }
    Ok(())
}
