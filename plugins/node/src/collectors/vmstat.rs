//! Virtual memory (/proc/vmstat).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let fields = m.options.pattern("vmstat", "fields");
    for line in m.proc_text("vmstat")?.lines() {
        let Some((name, value)) = line.split_once(' ') else { continue };
        if fields.is_none_or(|f| f.is_match(name)) {
            let value = value.trim().parse().map_err(|_| junk(line, "vmstat"))?;
            b.untyped(&format!("node_vmstat_{name}"), &format!("/proc/vmstat information field {name}.")).value(value);
        }
    }
    Ok(())
}
