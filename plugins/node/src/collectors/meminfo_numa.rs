//! Memory by node (/sys/devices/system/node).

use crate::collectors::edac::numbered;
use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

const BASE: &str = "devices/system/node";

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = m.sys_names(BASE)?;
    let nodes: Vec<&str> = names.iter().filter_map(|n| numbered(n, "node")).collect();
    let dirs: Vec<String> = nodes.iter().map(|n| format!("{BASE}/node{n}")).collect();
    for (node, texts) in nodes.iter().zip(m.attributes(&dirs, &["meminfo", "numastat"])) {
        for line in texts[0].iter().flat_map(|t| t.lines()) {
            // `Node 0 Active(anon): 707915776 kB`.
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, _, name, value, unit @ ..] = words.as_slice() else { continue };
            let value: f64 = value.parse().map_err(|_| junk(line, "meminfo"))?;
            let name = name.trim_end_matches(':').replace('(', "_").replace(')', "");
            // Bytes, but unlike those of meminfo the names do not say so.
            let value = if unit == ["kB"] { value * 1024.0 } else { value };
            b.gauge(&format!("node_memory_numa_{name}"), &format!("Memory information field {name}.")).sample(&[("node", node)], value);
        }
        for line in texts[1].iter().flat_map(|t| t.lines()) {
            let Some((name, value)) = line.split_once(' ') else { continue };
            let value = value.trim().parse().map_err(|_| junk(line, "numastat"))?;
            b.counter(&format!("node_memory_numa_{name}_total"), &format!("Memory information field {name}_total."))
                .sample(&[("node", node)], value);
        }
    }
    Ok(())
}
