//! Known faults of processors (/sys/devices/system/cpu/vulnerabilities).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for (name, text) in m.all_attributes(&["devices/system/cpu/vulnerabilities".to_owned()]).into_iter().flatten() {
        let lower = text.to_ascii_lowercase();
        // `Mitigation: PTI`, `Vulnerable: Safe RET, no microcode`, `Not affected`.
        let detail = text.split_once(": ").map_or("", |t| t.1);
        let (state, mitigation) = match lower.as_str() {
            l if l.starts_with("not affected") => ("not affected", ""),
            l if l.starts_with("mitigation") => ("mitigation", detail),
            l if l.starts_with("vulnerable") => ("vulnerable", detail),
            _ => ("unknown", ""),
        };
        b.gauge("node_cpu_vulnerabilities_info", "Details of each CPU vulnerability reported by sysfs, its state and what is done about it.")
            .sample(&[("codename", &name), ("state", state), ("mitigation", mitigation)], 1.0);
    }
    Ok(())
}
