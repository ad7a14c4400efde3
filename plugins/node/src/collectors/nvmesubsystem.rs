//! NVMe subsystems and the paths to them (/sys/class/nvme-subsystem).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = m.sys_names("class/nvme-subsystem")?;
    let dirs: Vec<String> = names.iter().map(|n| format!("class/nvme-subsystem/{n}")).collect();
    for ((name, dir), texts) in names.iter().zip(&dirs).zip(m.attributes(&dirs, &["subsysnqn", "model", "serial", "iopolicy"])) {
        let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
        let subsystem = ("subsystem", name.as_str());
        let labels = [subsystem, ("nqn", of(0)), ("model", of(1)), ("serial", of(2)), ("iopolicy", of(3))];
        b.gauge("node_nvmesubsystem_info", "Non-numeric information about an NVMe subsystem.").sample(&labels, 1.0);
        let controllers: Vec<String> = m
            .sys_names(dir)
            .unwrap_or_default()
            .into_iter()
            .filter(|n| n.strip_prefix("nvme").is_some_and(|r| !r.is_empty() && r.bytes().all(|c| c.is_ascii_digit())))
            .collect();
        let controller_dirs: Vec<String> = controllers.iter().map(|c| format!("{dir}/{c}")).collect();
        let mut live = 0.0;
        for (controller, texts) in controllers.iter().zip(m.attributes(&controller_dirs, &["state", "transport", "address"])) {
            let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
            live += f64::from(of(0) == "live");
            let labels = [subsystem, ("controller", controller), ("transport", of(1)), ("state", of(0)), ("address", of(2))];
            b.gauge("node_nvmesubsystem_path_state", "Reports the state of a path to an NVMe subsystem.").sample(&labels, 1.0);
        }
        b.gauge("node_nvmesubsystem_paths", "Number of controller paths for an NVMe subsystem.").sample(&[subsystem], controllers.len() as f64);
        b.gauge("node_nvmesubsystem_paths_live", "Number of live controller paths for an NVMe subsystem.").sample(&[subsystem], live);
    }
    Ok(())
}
