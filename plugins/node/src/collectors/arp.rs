//! Entries of the ARP table by device.

use crate::machine::{Machine, Memory};
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// Neighbours that never ask: not part of ARP (NUD_NOARP).
const NOARP: u16 = 0x40;

/// The kernel's names of the states (linux/neighbour.h).
const STATES: [(u16, &str); 8] = [
    (0x01, "incomplete"),
    (0x02, "reachable"),
    (0x04, "stale"),
    (0x08, "delay"),
    (0x10, "probe"),
    (0x20, "failed"),
    (0x80, "permanent"),
    (0x00, "none"),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let filter = m.options.filter("arp", "device-include", "device-exclude");
    let mut devices: BTreeMap<String, f64> = BTreeMap::new();
    let mut states: BTreeMap<(String, &str), f64> = BTreeMap::new();
    let asked = if m.options.on("arp", "netlink") { m.system.network_neighbours().ok() } else { None };
    match asked {
        Some(neighbours) => {
            for n in neighbours.iter().filter(|n| n.ip_version == 4 && n.state & NOARP == 0) {
                *devices.entry(n.device.clone()).or_default() += 1.0;
                if let Some((_, state)) = STATES.iter().find(|(bit, _)| *bit == n.state) {
                    *states.entry((n.device.clone(), state)).or_default() += 1.0;
                }
            }
        }
        // Without the call's grant there is the kernel's table as text: address, type, flags, hardware address, mask, device.
        None => {
            for line in m.proc_text("net/arp")?.lines().skip(1) {
                if let Some(device) = line.split_ascii_whitespace().nth(5) {
                    *devices.entry(device.to_owned()).or_default() += 1.0;
                }
            }
        }
    }
    for (device, count) in devices.iter().filter(|(d, _)| !filter.ignores(d)) {
        b.gauge("node_arp_entries", "ARP entries by device").sample(&[("device", device)], *count);
    }
    for ((device, state), count) in states.iter().filter(|((d, _), _)| !filter.ignores(d)) {
        b.gauge("node_arp_states", "ARP states by device").sample(&[("device", device), ("state", state)], *count);
    }
    Ok(())
}
