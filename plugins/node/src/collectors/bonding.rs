//! Bonded network devices (/sys/class/net/BOND/bonding).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for master in m.sys_text("class/net/bonding_masters")?.split_ascii_whitespace() {
        let dir = format!("class/net/{master}");
        let slaves = m.sys_text(&format!("{dir}/bonding/slaves"))?;
        let slaves: Vec<&str> = slaves.split_ascii_whitespace().collect();
        // Older kernels call the link slave_NAME.
        let dirs: Vec<String> =
            slaves.iter().flat_map(|s| [format!("{dir}/lower_{s}/bonding_slave"), format!("{dir}/slave_{s}/bonding_slave")]).collect();
        let states = m.attributes(&dirs, &["mii_status"]);
        let up = states.chunks(2).filter(|pair| pair.iter().flatten().flatten().next().is_some_and(|s| s == "up")).count();
        let labels = [("master", master)];
        b.gauge("node_bonding_slaves", "Number of configured slaves per bonding interface.").sample(&labels, slaves.len() as f64);
        b.gauge("node_bonding_active", "Number of active slaves per bonding interface.").sample(&labels, up as f64);
    }
    Ok(())
}
