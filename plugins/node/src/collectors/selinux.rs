//! SELinux: whether it is on, and whether it enforces.

use crate::machine::{Machine, Memory};
use crate::text::number;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let enforce = m.sys_text("fs/selinux/enforce");
    b.gauge("node_selinux_enabled", "SELinux is enabled, 1 is true, 0 is false").value(f64::from(enforce.is_ok()));
    let Ok(enforce) = enforce else { return Ok(()) };
    // Without leave to read the configuration the mode that holds is told alone.
    if let Ok(config) = m.files.text(&m.root("etc/selinux/config")) {
        let mode = match config.lines().find_map(|l| l.trim().strip_prefix("SELINUX=")).map(str::trim) {
            Some("enforcing") => 1.0,
            Some("permissive") => 0.0,
            _ => -1.0,
        };
        b.gauge("node_selinux_config_mode", "Configured SELinux enforcement mode").value(mode);
    }
    b.gauge("node_selinux_current_mode", "Current SELinux enforcement mode").value(number(&enforce, "fs/selinux/enforce")?);
    Ok(())
}
