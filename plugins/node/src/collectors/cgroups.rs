//! Numbers of control groups (/proc/cgroups).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for line in m.proc_text("cgroups")?.lines().filter(|l| !l.starts_with('#')) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, _, count, enabled] = words.as_slice() else { return Err(junk(line, "cgroups")) };
        let number = |w: &str| w.parse::<f64>().map_err(|_| junk(line, "cgroups"));
        let labels = [("subsys_name", *name)];
        b.gauge("node_cgroups_cgroups", "Current cgroup number of the subsystem.").sample(&labels, number(count)?);
        b.gauge("node_cgroups_enabled", "Current cgroup number of the subsystem.").sample(&labels, number(enabled)?);
    }
    Ok(())
}
