//! Disks with several paths (/sys/block/dm-*).

use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

/// States of a path's device that carry traffic.
const ACTIVE: [&str; 2] = ["running", "live"];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names: Vec<String> = m.sys_names("block")?.into_iter().filter(|n| n.starts_with("dm-")).collect();
    let dirs: Vec<String> = names.iter().map(|n| format!("block/{n}")).collect();
    let mut found = false;
    for ((sysfs_name, dir), texts) in names.iter().zip(&dirs).zip(m.attributes(&dirs, &["dm/name", "dm/uuid", "dm/suspended", "size"])) {
        let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
        let (device, uuid) = (of(0), of(1));
        if !uuid.starts_with("mpath-") {
            continue;
        }
        found = true;
        let labels = [("device", device), ("sysfs_name", sysfs_name.as_str())];
        b.gauge("node_dmmultipath_device_info", "Non-numeric information about a DM-multipath device.")
            .sample(&[labels[0], labels[1], ("uuid", uuid)], 1.0);
        b.gauge("node_dmmultipath_device_active", "Whether the multipath device-mapper device is active (1) or suspended (0).")
            .sample(&labels, f64::from(of(2) == "0"));
        if let Some(sectors) = integer(of(3)) {
            b.gauge("node_dmmultipath_device_size_bytes", "Size of the multipath device in bytes.").sample(&labels, sectors * 512.0);
        }
        let paths = m.sys_names(&format!("{dir}/slaves")).unwrap_or_default();
        let path_dirs: Vec<String> = paths.iter().map(|p| format!("block/{p}/device")).collect();
        let states = m.attributes(&path_dirs, &["state"]);
        let state = |i: usize| states.get(i).and_then(|t| t.first()?.as_deref()).unwrap_or("unknown");
        let active = (0..paths.len()).filter(|i| ACTIVE.contains(&state(*i))).count();
        b.gauge("node_dmmultipath_device_paths", "Number of paths for a multipath device.").sample(&labels, paths.len() as f64);
        b.gauge("node_dmmultipath_device_paths_active", "Number of active paths (SCSI running or NVMe live) for a multipath device.")
            .sample(&labels, active as f64);
        b.gauge("node_dmmultipath_device_paths_failed", "Number of non-active paths for a multipath device.")
            .sample(&labels, (paths.len() - active) as f64);
        for (i, path) in paths.iter().enumerate() {
            b.gauge("node_dmmultipath_path_state", "Reports the underlying device state for a multipath path, as read from sysfs.")
                .sample(&[labels[0], ("path", path), ("state", state(i))], 1.0);
        }
    }
    if found { Ok(()) } else { Err(Error::NotFound("no multipath device".to_owned())) }
}
