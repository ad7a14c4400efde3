//! Network devices: /proc/PID/net/dev, as a process' own network namespace has them.

use crate::families::{self as f, Family};
use watchglass_sdk::{Batch, Shared};

/// Beginnings of devices' names that are left out: the loopback, and the host's ends of containers' pairs and their bridges.
const IGNORED: [&str; 4] = ["lo", "veth", "docker", "nerdctl"];

/// Most devices of one namespace.
const MAX_DEVICES: usize = 512;

/// A device's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) name: String,
    /// Bytes, packets, errors, dropped.
    pub(crate) received: [u64; 4],
    pub(crate) sent: [u64; 4],
}

/// Reads the table; the two lines above it and what is cut short are left out.
pub(crate) fn parse(text: &str) -> Vec<Device> {
    let mut devices = Vec::new();
    for line in text.lines() {
        let Some((name, counters)) = line.split_once(':') else { continue };
        let name = name.trim();
        let numbers: Vec<u64> = counters.split_ascii_whitespace().map_while(|n| n.parse().ok()).collect();
        let (Some(received), Some(sent)) = (numbers.get(..4), numbers.get(8..12)) else { continue };
        if name.is_empty() || IGNORED.iter().any(|p| name.starts_with(p)) || devices.len() >= MAX_DEVICES {
            continue;
        }
        let four = |n: &[u64]| [n[0], n[1], n[2], n[3]];
        devices.push(Device { name: name.to_owned(), received: four(received), sent: four(sent) });
    }
    devices
}

const RECEIVED: [Family; 4] = [f::NETWORK_RX_BYTES, f::NETWORK_RX_PACKETS, f::NETWORK_RX_ERRORS, f::NETWORK_RX_DROPPED];
const SENT: [Family; 4] = [f::NETWORK_TX_BYTES, f::NETWORK_TX_PACKETS, f::NETWORK_TX_ERRORS, f::NETWORK_TX_DROPPED];

/// Adds a container's devices.
pub(crate) fn put(devices: &[Device], batch: &mut Batch, base: &Shared) {
    for d in devices {
        for (families, values) in [(RECEIVED, d.received), (SENT, d.sent)] {
            for (family, value) in families.iter().zip(values) {
                family.put(batch, base, &[&d.name], value as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_devices() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\neth1:9 8 7 6 0 0 0 0 1 2 3 4 0 0 0 0\n  eth2: 1 2 3\nveth1: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n";
        let d = parse(text);
        assert_eq!(d.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["eth0", "eth1"]);
        assert_eq!((d[0].received, d[0].sent), ([1, 2, 3, 4], [5, 6, 7, 8]));
    }
}
