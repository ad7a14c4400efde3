//! PCI devices (/sys/bus/pci/devices).

pub(crate) mod ids;

use self::ids::Ids;
use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::prelude::*;

const FILES: [&str; 17] = [
    "class", "vendor", "device", "subsystem_vendor", "subsystem_device", "revision", "max_link_speed", "max_link_width", "current_link_speed",
    "current_link_width", "power_state", "d3cold_allowed", "numa_node", "sriov_drivers_autoprobe", "sriov_numvfs", "sriov_totalvfs", "sriov_vf_total_msix",
];

const POWER: [&str; 7] = ["D0", "D1", "D2", "D3hot", "D3cold", "unknown", "error"];

/// Index of a file, metric, what it is where the device does not say, help.
const NUMBERS: [(usize, &str, Option<f64>, &str); 7] = [
    (7, "max_link_width", Some(-1.0), "Value of maximum link's width (number of lanes)"),
    (9, "current_link_width", Some(-1.0), "Value of current link's width (number of lanes)"),
    (11, "d3cold_allowed", None, "Whether the PCIe device supports D3cold power state (0/1)."),
    (13, "sriov_drivers_autoprobe", Some(0.0), "Whether SR-IOV drivers autoprobe is enabled for the device (0/1)."),
    (14, "sriov_numvfs", Some(0.0), "Number of Virtual Functions (VFs) currently enabled for SR-IOV."),
    (15, "sriov_totalvfs", Some(0.0), "Total number of Virtual Functions (VFs) supported by the device."),
    (16, "sriov_vf_total_msix", Some(0.0), "Total number of MSI-X vectors for Virtual Functions."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, memory: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let base = "bus/pci/devices";
    let names = m.sys_names(base)?;
    let dirs: Vec<String> = names.iter().map(|n| format!("{base}/{n}")).collect();
    let all = m.attributes(&dirs, &FILES);
    if m.options.on("pcidevice", "names") {
        let wanted: Vec<Ids> = all.iter().map(|texts| numbers(texts)).collect();
        ids::look_up(m, &wanted, &mut memory.pci_names);
    }
    for ((name, dir), texts) in names.iter().zip(&dirs).zip(&all) {
        let Some([segment, bus, device, function]) = address(name) else { continue };
        let of = |i: usize| texts.get(i).and_then(|t| t.as_deref()).unwrap_or("");
        let labels = [("segment", segment), ("bus", bus), ("device", device), ("function", function)];
        // The link names the way through the bridges; the last but one of it is the parent.
        let link = m.files.read_link(&m.sys(dir)).unwrap_or_default();
        let parent = link.rsplit('/').nth(1).and_then(address).unwrap_or(["*"; 4]);
        let mut info = labels.to_vec();
        info.extend(["parent_segment", "parent_bus", "parent_device", "parent_function"].into_iter().zip(parent));
        info.extend(["class_id", "vendor_id", "device_id", "subsystem_vendor_id", "subsystem_device_id", "revision"].into_iter().zip((0..6).map(of)));
        if let Some(names) = memory.pci_names.get(&numbers(texts)) {
            let labels = ["class_name", "vendor_name", "device_name", "subsystem_vendor_name", "subsystem_device_name"];
            info.extend(labels.into_iter().zip(names.iter().map(String::as_str)));
        }
        b.gauge("node_pcidevice_info", "Non-numeric data from /sys/bus/pci/devices/<location>, value is always 1.").sample(&info, 1.0);
        for (i, name, help) in [
            (6, "max_link_transfers_per_second", "Value of maximum link's transfers per second (T/s)"),
            (8, "current_link_transfers_per_second", "Value of current link's transfers per second (T/s)"),
        ] {
            // `16.0 GT/s PCIe`, or `Unknown`; what is no PCIe device has neither.
            let speed = of(i).split(' ').next().and_then(|w| w.parse::<f64>().ok()).map_or(-1.0, |giga| giga * 1e9);
            b.gauge(&format!("node_pcidevice_{name}"), help).sample(&labels, speed);
        }
        for (i, name, missing, help) in NUMBERS {
            if let Some(v) = integer(of(i)).or(missing) {
                b.gauge(&format!("node_pcidevice_{name}"), help).sample(&labels, v);
            }
        }
        // -1: it belongs to no node.
        if let Some(v) = integer(of(12)).filter(|v| *v >= 0.0) {
            b.gauge("node_pcidevice_numa_node", "NUMA node number for the PCI device. -1 indicates unknown or not available.").sample(&labels, v);
        }
        if !of(10).is_empty() {
            for state in POWER {
                let labels = [labels[0], labels[1], labels[2], labels[3], ("state", state)];
                b.gauge("node_pcidevice_power_state", "PCIe device power state, one of: D0, D1, D2, D3hot, D3cold, unknown or error.")
                    .sample(&labels, f64::from(state == of(10)));
            }
        }
    }
    Ok(())
}

/// The numbers that pci.ids has names for: the first five files, without their 0x.
fn numbers(texts: &[Option<String>]) -> Ids {
    std::array::from_fn(|i| texts.get(i).and_then(|t| t.as_deref()).map_or("", |t| t.strip_prefix("0x").unwrap_or(t)).to_owned())
}

/// `0000:01:00.0`: segment, bus, device, function.
fn address(name: &str) -> Option<[&str; 4]> {
    let (rest, function) = name.rsplit_once('.')?;
    let mut parts = rest.split(':');
    let (segment, bus, device) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some([segment, bus, device, function])
}
