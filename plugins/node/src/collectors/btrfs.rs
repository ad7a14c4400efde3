//! Btrfs file systems (/sys/fs/btrfs), and their devices' errors.

use crate::machine::{Machine, Memory};
use crate::mounts;
use crate::text::integer;
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;
use watchglass_sdk::system::BtrfsVolume;

/// How many bytes of disk one byte of data takes: `raid1` keeps two copies. Parity depends on the number of devices.
fn ratio(profile: &str, devices: f64) -> f64 {
    match profile {
        "dup" | "raid1" | "raid10" => 2.0,
        "raid1c3" => 3.0,
        "raid1c4" => 4.0,
        "raid5" if devices > 1.0 => devices / (devices - 1.0),
        "raid6" if devices > 2.0 => devices / (devices - 2.0),
        _ => 1.0,
    }
}

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let uuids: Vec<String> = m.sys_names_if_any("fs/btrfs")?.into_iter().filter(|n| n.len() == 36 && n.contains('-')).collect();
    let volumes = if m.options.on("btrfs", "ioctl") { volumes(m) } else { BTreeMap::new() };
    for uuid in &uuids {
        volume(m, b, uuid, volumes.get(uuid))?;
    }
    Ok(())
}

/// Asks each mounted Btrfs once.
fn volumes(m: &Machine) -> BTreeMap<String, BtrfsVolume> {
    let mut found = BTreeMap::new();
    let mut devices = Vec::new();
    for mount in mounts::read(m).unwrap_or_default().iter().filter(|mount| mount.kind == "btrfs") {
        if devices.contains(&mount.device) {
            continue;
        }
        devices.push(mount.device.clone());
        if let Ok(volume) = m.system.btrfs(&mount.point) {
            found.insert(volume.uuid.clone(), volume);
        }
    }
    found
}

fn volume(m: &Machine, b: &mut Batch, uuid: &str, asked: Option<&BtrfsVolume>) -> Result<(), Error> {
    let dir = format!("fs/btrfs/{uuid}");
    let set = ("uuid", uuid);
    let texts = m.attributes(&[&dir], &["label", "allocation/global_rsv_size", "commit_stats"]);
    let text = |i: usize| texts.first().and_then(|t| t.get(i)?.as_deref());
    b.gauge("node_btrfs_info", "Filesystem information").sample(&[set, ("label", text(0).unwrap_or(""))], 1.0);
    if let Some(v) = text(1).and_then(integer) {
        b.gauge("node_btrfs_global_rsv_size_bytes", "Size of global reserve.").sample(&[set], v);
    }
    commits(b, set, text(2).unwrap_or(""));
    let devices = m.sys_names(&format!("{dir}/devices")).unwrap_or_default();
    let size = "Size of a device that is part of the filesystem.";
    // What the file system itself tells of its devices has their identity too.
    if asked.is_none() {
        let dirs: Vec<String> = devices.iter().map(|d| format!("{dir}/devices/{d}")).collect();
        for (device, texts) in devices.iter().zip(m.attributes(&dirs, &["size"])) {
            if let Some(sectors) = texts[0].as_deref().and_then(integer) {
                b.gauge("node_btrfs_device_size_bytes", size).sample(&[set, ("device", device)], sectors * 512.0);
            }
        }
    }
    for d in asked.iter().flat_map(|v| &v.devices) {
        let device = d.path.strip_prefix("/dev/").unwrap_or(&d.path);
        let labels = [set, ("device", device), ("btrfs_dev_uuid", d.uuid.as_str())];
        b.gauge("node_btrfs_device_size_bytes", size).sample(&labels, d.total_bytes as f64);
        b.gauge("node_btrfs_device_unused_bytes", "Unused bytes unused on a device that is part of the filesystem.")
            .sample(&labels, d.total_bytes.saturating_sub(d.used_bytes) as f64);
        for (kind, value) in [
            ("write", d.write_errors),
            ("read", d.read_errors),
            ("flush", d.flush_errors),
            ("corruption", d.corruption_errors),
            ("generation", d.generation_errors),
        ] {
            b.counter("node_btrfs_device_errors_total", "Errors reported for the device").sample(&[set, labels[1], labels[2], ("type", kind)], value as f64);
        }
    }
    for kind in ["data", "metadata", "system"] {
        allocation(m, b, &format!("{dir}/allocation/{kind}"), uuid, kind, devices.len() as f64);
    }
    Ok(())
}

/// A kernel before 6.0 does not count commits; then they are zero, as node_exporter has them.
fn commits(b: &mut Batch, set: (&str, &str), text: &str) {
    for (line, name, kind, help) in [
        ("commits", "commits_total", Kind::Counter, "The total number of commits that have occurred."),
        ("last_commit_ms", "last_commit_seconds", Kind::Gauge, "Duration of the most recent commit, in seconds."),
        ("max_commit_ms", "max_commit_seconds", Kind::Gauge, "Duration of the slowest commit, in seconds."),
        ("total_commit_ms", "commit_seconds_total", Kind::Counter, "Sum of the duration of all commits, in seconds."),
    ] {
        let value = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse::<f64>().ok());
        let divisor = if line == "commits" { 1.0 } else { 1e3 };
        b.family(&format!("node_btrfs_{name}"), kind, help).sample(&[set], value.unwrap_or(0.0) / divisor);
    }
}

fn allocation(m: &Machine, b: &mut Batch, dir: &str, uuid: &str, kind: &str, devices: f64) {
    let Ok(names) = m.sys_names(dir) else { return };
    let reserved = m.attributes(&[dir], &["bytes_reserved"]).into_iter().flatten().next().flatten();
    let labels = [("uuid", uuid), ("block_group_type", kind)];
    if let Some(v) = reserved.as_deref().and_then(integer) {
        b.gauge("node_btrfs_reserved_bytes", "Amount of space reserved for a data type").sample(&labels, v);
    }
    // Of the entries only the profiles in use are folders with both files.
    let dirs: Vec<String> = names.iter().map(|n| format!("{dir}/{n}")).collect();
    for (profile, texts) in names.iter().zip(m.attributes(&dirs, &["used_bytes", "total_bytes"])) {
        let (Some(used), Some(total)) = (texts[0].as_deref().and_then(integer), texts[1].as_deref().and_then(integer)) else { continue };
        let labels = [labels[0], labels[1], ("mode", profile.as_str())];
        b.gauge("node_btrfs_used_bytes", "Amount of used space by a layout/data type").sample(&labels, used);
        b.gauge("node_btrfs_size_bytes", "Amount of space allocated for a layout/data type").sample(&labels, total);
        b.gauge("node_btrfs_allocation_ratio", "Data allocation ratio for a layout/data type").sample(&labels, ratio(profile, devices));
    }
}
