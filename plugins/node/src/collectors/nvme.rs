//! NVMe drives (/sys/class/nvme).

use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

/// `size` is in sectors of 512 bytes; `nuse` in the namespace's own blocks.
const SECTOR: f64 = 512.0;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let devices = m.sys_names("class/nvme")?;
    let dirs: Vec<String> = devices.iter().map(|d| format!("class/nvme/{d}")).collect();
    for ((device, dir), texts) in devices.iter().zip(&dirs).zip(m.attributes(&dirs, &["firmware_rev", "model", "serial", "state", "cntlid"])) {
        let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
        let labels =
            [("device", device.as_str()), ("firmware_revision", of(0)), ("model", of(1)), ("serial", of(2)), ("state", of(3)), ("cntlid", of(4))];
        b.gauge("node_nvme_info", "Non-numeric data from /sys/class/nvme/<device>, value is always 1.").sample(&labels, 1.0);
        let names = m.sys_names(dir).unwrap_or_default();
        // `nvme0n1`, and with several controllers `nvme0c0n1`: what follows the last n is the namespace.
        let spaces: Vec<(&String, &str)> = names
            .iter()
            .filter_map(|n| Some((n, n.strip_prefix(device.as_str())?.rsplit_once('n')?.1)))
            .filter(|(_, id)| !id.is_empty() && id.bytes().all(|c| c.is_ascii_digit()))
            .collect();
        let space_dirs: Vec<String> = spaces.iter().map(|(n, _)| format!("{dir}/{n}")).collect();
        for ((_, id), texts) in spaces.iter().zip(m.attributes(&space_dirs, &["ana_state", "nuse", "size", "queue/logical_block_size"])) {
            let labels = [("device", device.as_str()), ("nsid", *id)];
            let number = |i: usize| texts.get(i).and_then(|t| t.as_deref()).and_then(integer);
            let ana = texts[0].as_deref().unwrap_or("unknown");
            b.gauge("node_nvme_namespace_info", "Information about NVMe namespaces. Value is always 1").sample(&[labels[0], labels[1], ("ana_state", ana)], 1.0);
            let block = number(3);
            for (name, help, value) in [
                ("size_bytes", "Size of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/size", scaled(number(2), block)),
                ("capacity_bytes", "Capacity of the NVMe namespace in bytes. Computed as namespace_size * namespace_logical_block_size", scaled(number(2), block)),
                ("used_bytes", "Used space of the NVMe namespace in bytes. Available in /sys/class/nvme/<device>/<namespace>/nuse", scaled(number(1), block)),
                ("logical_block_size_bytes", "Logical block size of the NVMe namespace in bytes. Usually 4Kb. Available in /sys/class/nvme/<device>/<namespace>/queue/logical_block_size", block),
            ] {
                if let Some(v) = value {
                    b.gauge(&format!("node_nvme_namespace_{name}"), help).sample(&labels, v);
                }
            }
        }
    }
    Ok(())
}

/// node_exporter multiplies sizes, which the kernel gives in sectors, by the logical block size; so do we, for the same series.
fn scaled(blocks: Option<f64>, block: Option<f64>) -> Option<f64> {
    Some(blocks? * block.unwrap_or(SECTOR))
}
