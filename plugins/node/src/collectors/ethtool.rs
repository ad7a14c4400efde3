//! Counters and settings of network drivers (ethtool).

use crate::machine::{Machine, Memory};
use crate::text::sanitize;
use watchglass_sdk::prelude::*;
use watchglass_sdk::system::EthtoolLinkInfo;

/// Bits of link modes: bit, megabits in a second, duplex, mode (linux/ethtool.h, enum ethtool_link_mode_bit_indices).
const MODES: [(u32, u32, &str, &str); 24] = [
    (0, 10, "half", "10baseT"),
    (1, 10, "full", "10baseT"),
    (2, 100, "half", "100baseT"),
    (3, 100, "full", "100baseT"),
    (4, 1_000, "half", "1000baseT"),
    (5, 1_000, "full", "1000baseT"),
    (12, 10_000, "full", "10000baseT"),
    (15, 2_500, "full", "2500baseX"),
    (17, 1_000, "full", "1000baseKX"),
    (18, 10_000, "full", "10000baseKX4"),
    (19, 10_000, "full", "10000baseKR"),
    (23, 40_000, "full", "40000baseKR4"),
    (24, 40_000, "full", "40000baseCR4"),
    (25, 40_000, "full", "40000baseSR4"),
    (26, 40_000, "full", "40000baseLR4"),
    (31, 25_000, "full", "25000baseCR"),
    (32, 25_000, "full", "25000baseKR"),
    (33, 25_000, "full", "25000baseSR"),
    (36, 100_000, "full", "100000baseKR4"),
    (37, 100_000, "full", "100000baseSR4"),
    (38, 100_000, "full", "100000baseCR4"),
    (39, 100_000, "full", "100000baseLR4_ER4"),
    (47, 2_500, "full", "2500baseT"),
    (48, 5_000, "full", "5000baseT"),
];

/// Bits of ports and of pause frames.
const PORTS: [(u32, &str); 5] = [(7, "TP"), (8, "AUI"), (9, "MII"), (10, "FIBRE"), (11, "BNC")];
const AUTONEGOTIATION: u32 = 6;
const PAUSE: u32 = 13;
const ASYMMETRIC_PAUSE: u32 = 14;

/// Collects. A device whose driver knows nothing of ethtool is left out.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let devices = m.options.filter("ethtool", "device-include", "device-exclude");
    let wanted = m.options.pattern("ethtool", "metrics-include");
    let mut found = false;
    for device in m.sys_names("class/net")?.iter().filter(|d| !devices.ignores(d)) {
        let label = ("device", device.as_str());
        match m.system.ethtool_link(device) {
            Ok(link) => {
                found = true;
                self::link(b, label, &link);
            }
            Err(e @ Error::Denied(_)) => return Err(e),
            Err(_) => {}
        }
        if let Ok(d) = m.system.ethtool_driver(device) {
            found = true;
            let labels = [
                label,
                ("bus_info", &d.bus_info),
                ("driver", &d.driver),
                ("expansion_rom_version", &d.expansion_rom_version),
                ("firmware_version", &d.firmware_version),
                ("version", &d.version),
            ];
            b.gauge("node_ethtool_info", "A metric with a constant '1' value labeled by the device's driver.").sample(&labels, 1.0);
        }
        let Ok(stats) = m.system.ethtool_stats(device) else { continue };
        let mut put: Vec<String> = Vec::new();
        for (name, value) in stats.iter().filter(|(n, _)| wanted.is_none_or(|w| w.is_match(n))) {
            let metric = metric(name);
            // Names that differ only in what a metric name can't hold would be one series twice.
            if !put.contains(&metric) {
                b.untyped(&metric, &format!("Network interface {name}")).sample(&[label], *value as f64);
                put.push(metric);
            }
        }
    }
    if found { Ok(()) } else { Err(Error::NotFound("no device that ethtool knows".to_owned())) }
}

/// `rx_queue_0_packets` is node_ethtool_received_queue_0_packets.
fn metric(name: &str) -> String {
    let clean = sanitize(name.trim()).to_ascii_lowercase();
    let mut words: Vec<&str> = clean.split('_').filter(|w| !w.is_empty()).collect();
    for (short, long) in [("rx", "received"), ("tx", "transmitted")] {
        // Of two in a row node_exporter replaces the first alone: tx_tx_timeouts is transmitted_tx_timeouts.
        let mut replaced = false;
        for word in &mut words {
            replaced = *word == short && !replaced;
            if replaced {
                *word = long;
            }
        }
    }
    let joined = words.join("_");
    let total = matches!(name, "rx_bytes" | "rx_dropped" | "rx_errors" | "rx_packets" | "tx_bytes" | "tx_errors" | "tx_packets");
    format!("node_ethtool_{joined}{}", if total { "_total" } else { "" })
}

fn link(b: &mut Batch, device: (&str, &str), link: &EthtoolLinkInfo) {
    let has = |mask: &[u32], bit: u32| mask.get(bit as usize / 32).is_some_and(|w| w >> (bit % 32) & 1 == 1);
    b.gauge("node_network_autonegotiate", "If this port uses autonegotiate").sample(&[device], f64::from(link.autonegotiation));
    for (which, mask) in [("supported", &link.supported), ("advertised", &link.advertised)] {
        for (_, mbit, duplex, mode) in MODES.iter().filter(|mode| has(mask, mode.0)) {
            b.gauge(&format!("node_network_{which}_speed_bytes"), &format!("Combination of speeds and features {which} by network device"))
                .sample(&[device, ("duplex", duplex), ("mode", mode)], f64::from(*mbit) * 1e6 / 8.0);
        }
        let does = if which == "supported" { "supports" } else { "offers" };
        for (bit, name, what) in [
            (PAUSE, "pause", "pause frames"),
            (ASYMMETRIC_PAUSE, "asymmetricpause", "asymmetric pause frames"),
            (AUTONEGOTIATION, "autonegotiate", "autonegotiate"),
        ] {
            b.gauge(&format!("node_network_{name}_{which}"), &format!("If this port device {does} {what}"))
                .sample(&[device], f64::from(has(mask, bit)));
        }
    }
    for (_, port) in PORTS.iter().filter(|p| has(&link.supported, p.0)) {
        b.gauge("node_network_supported_port_info", "Type of ports or PHYs supported by network device").sample(&[device, ("type", port)], 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::metric;

    #[test]
    fn names_of_counters() {
        for (name, wanted) in [
            ("rx_queue_0_packets", "node_ethtool_received_queue_0_packets"),
            ("rx_bytes", "node_ethtool_received_bytes_total"),
            ("tx_tx_timeouts", "node_ethtool_transmitted_tx_timeouts"),
            ("[3]: tx_bytes", "node_ethtool_3_transmitted_bytes"),
            ("port.VF_requests", "node_ethtool_port_vf_requests"),
            ("  err", "node_ethtool_err"),
        ] {
            assert_eq!(metric(name), wanted);
        }
    }
}
