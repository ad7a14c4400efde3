//! File systems: how full they are.

use crate::machine::{Machine, Memory};
use crate::mounts;
use std::collections::BTreeSet;
use watchglass_sdk::prelude::*;

/// What stays of a collection's deadline for the other collectors while mounts hang, in nanoseconds.
const RESERVE_NS: u64 = 1_000_000_000;

/// Collects. A mount that hangs has `device_error`, and the others come through.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let points = m.options.filter("filesystem", "mount-points-include", "mount-points-exclude");
    let kinds = m.options.filter("filesystem", "fs-types-include", "fs-types-exclude");
    let rootfs = m.options.text("path", "rootfs").trim_end_matches('/').to_owned();
    let timeout_ms = (m.options.number("filesystem", "mount-timeout") * 1e3).clamp(1.0, 60e3) as u64;
    let mut seen = BTreeSet::new();
    for mount in mounts::read(m)? {
        // With the machine's root mounted elsewhere its mounts stand below that; they are shown as the machine sees them.
        let point = match mount.point.strip_prefix(rootfs.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => mount.point.as_str(),
        };
        if points.ignores(point) || kinds.ignores(&mount.kind) || !seen.insert((mount.device.clone(), point.to_owned(), mount.kind.clone())) {
            continue;
        }
        let left_ms = m.deadline_ns.saturating_sub(clock::monotonic_ns()).saturating_sub(RESERVE_NS) / 1_000_000;
        let read_only = mount.options.split(',').chain(mount.super_options.split(',')).any(|o| o == "ro");
        let usage = m.files.disk_usage(&m.root(point), timeout_ms.min(left_ms).max(1) as u32);
        let error = match &usage {
            Ok(_) => "",
            // Nothing of it may be shown; that is no fault of the mount's.
            Err(Error::Denied(_)) => continue,
            Err(Error::TimedOut) => "mountpoint timeout",
            Err(e) => reason(e),
        };
        let labels = [("device", mount.device.as_str()), ("mountpoint", point), ("fstype", &mount.kind), ("device_error", error)];
        let device_error = f64::from(usage.is_err());
        b.gauge("node_filesystem_device_error", "Whether an error occurred while getting statistics for the given device.").sample(&labels, device_error);
        b.gauge("node_filesystem_readonly", "Filesystem read-only status.").sample(&labels, f64::from(read_only));
        let Ok(u) = usage else { continue };
        for (name, help, value) in [
            ("node_filesystem_size_bytes", "Filesystem size in bytes.", u.size),
            ("node_filesystem_free_bytes", "Filesystem free space in bytes.", u.free),
            ("node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.", u.available),
            ("node_filesystem_files", "Filesystem total file nodes.", u.files),
            ("node_filesystem_files_free", "Filesystem total free file nodes.", u.files_free),
            ("node_filesystem_purgeable_bytes", "Filesystem space available including purgeable space (MacOS specific).", 0),
        ] {
            b.gauge(name, help).sample(&labels, value as f64);
        }
        let info = [("device", mount.device.as_str()), ("major", &mount.major), ("minor", &mount.minor), ("mountpoint", point)];
        b.gauge("node_filesystem_mount_info", "Filesystem mount information.").sample(&info, 1.0);
    }
    Ok(())
}

/// The reason as the C library words it; the host's own words name the path, which would be one more series each.
fn reason(e: &Error) -> &'static str {
    match e {
        Error::Forbidden(_) => "permission denied",
        Error::NotFound(_) => "no such file or directory",
        Error::Unsupported(_) => "function not implemented",
        _ => "input/output error",
    }
}
