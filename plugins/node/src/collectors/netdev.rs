//! Traffic of network devices: from the kernel's rtnetlink where that is granted, else from /proc/net/dev.

use crate::machine::{Machine, Memory};
use crate::text::junk;
use std::net::IpAddr;
use watchglass_sdk::prelude::*;
use watchglass_sdk::system::LinkCounters;

/// A device's name, its alias, and its counters by name.
struct Device {
    name: String,
    alias: String,
    counters: Vec<(&'static str, f64)>,
}

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let filter = m.options.filter("netdev", "device-include", "device-exclude");
    let detailed = m.options.on("netdev", "enable-detailed-metrics");
    let asked = if m.options.on("netdev", "netlink") { m.system.network_links().ok() } else { None };
    let devices: Vec<Device> = match asked {
        Some(links) => links
            .into_iter()
            .filter_map(|l| Some(Device { name: l.name, alias: l.alias, counters: counters(&l.counters?, detailed) }))
            .collect(),
        None => proc_net_dev(m)?,
    };
    let label_alias = m.options.on("netdev", "label-ifalias");
    for d in devices.iter().filter(|d| !filter.ignores(&d.name)) {
        let labels = [("device", d.name.as_str()), ("ifalias", d.alias.as_str())];
        let labels = if label_alias { &labels[..] } else { &labels[..1] };
        for (name, value) in &d.counters {
            b.counter(&format!("node_network_{name}_total"), &format!("Network device statistic {name}.")).sample(labels, *value);
        }
    }
    if m.options.on("netdev", "address-info") {
        for a in m.system.network_addresses()?.iter().filter(|a| !filter.ignores(&a.device)) {
            let scope = scope(&a.address);
            let labels = [("device", a.device.as_str()), ("address", &a.address), ("netmask", &a.prefix_length.to_string()), ("scope", scope)];
            b.gauge("node_network_address_info", "node network address by device").sample(&labels, 1.0);
        }
    }
    Ok(())
}

/// Sums the kernel's fine counters as /proc/net/dev does, or gives each of them under its own name.
fn counters(c: &LinkCounters, detailed: bool) -> Vec<(&'static str, f64)> {
    let mut all = vec![
        ("receive_packets", c.rx_packets),
        ("transmit_packets", c.tx_packets),
        ("receive_bytes", c.rx_bytes),
        ("transmit_bytes", c.tx_bytes),
        ("receive_compressed", c.rx_compressed),
        ("transmit_compressed", c.tx_compressed),
        ("receive_nohandler", c.rx_nohandler),
    ];
    if detailed {
        all.extend([
            ("receive_errors", c.rx_errors),
            ("transmit_errors", c.tx_errors),
            ("receive_dropped", c.rx_dropped),
            ("transmit_dropped", c.tx_dropped),
            ("multicast", c.multicast),
            ("collisions", c.collisions),
            ("receive_length_errors", c.rx_length_errors),
            ("receive_over_errors", c.rx_over_errors),
            ("receive_crc_errors", c.rx_crc_errors),
            ("receive_frame_errors", c.rx_frame_errors),
            ("receive_fifo_errors", c.rx_fifo_errors),
            ("receive_missed_errors", c.rx_missed_errors),
            ("transmit_aborted_errors", c.tx_aborted_errors),
            ("transmit_carrier_errors", c.tx_carrier_errors),
            ("transmit_fifo_errors", c.tx_fifo_errors),
            ("transmit_heartbeat_errors", c.tx_heartbeat_errors),
            ("transmit_window_errors", c.tx_window_errors),
        ]);
    } else {
        let frame = [c.rx_length_errors, c.rx_over_errors, c.rx_crc_errors, c.rx_frame_errors];
        let carrier = [c.tx_aborted_errors, c.tx_carrier_errors, c.tx_heartbeat_errors, c.tx_window_errors];
        let sum = |parts: [u64; 4]| parts.iter().fold(0u64, |a, p| a.saturating_add(*p));
        all.extend([
            ("receive_errs", c.rx_errors),
            ("transmit_errs", c.tx_errors),
            ("receive_drop", c.rx_dropped.saturating_add(c.rx_missed_errors)),
            ("transmit_drop", c.tx_dropped),
            ("receive_fifo", c.rx_fifo_errors),
            ("transmit_fifo", c.tx_fifo_errors),
            ("receive_frame", sum(frame)),
            ("receive_multicast", c.multicast),
            ("transmit_colls", c.collisions),
            ("transmit_carrier", sum(carrier)),
        ]);
    }
    all.into_iter().map(|(name, value)| (name, value as f64)).collect()
}

/// How far an address reaches, told by the address itself.
fn scope(address: &str) -> &'static str {
    match address.parse() {
        Ok(IpAddr::V4(a)) if a.is_loopback() || a.is_link_local() || a.octets()[..3] == [224, 0, 0] => "link-local",
        // fe80::/10 and multicast of the scopes 1 (the device) and 2 (the link), RFC 4291.
        Ok(IpAddr::V6(a)) if a.is_loopback() || a.segments()[0] & 0xffc0 == 0xfe80 => "link-local",
        Ok(IpAddr::V6(a)) if a.segments()[0] & 0xff0f == 0xff02 => "link-local",
        Ok(IpAddr::V6(a)) if a.segments()[0] & 0xff0f == 0xff01 => "interface-local",
        Ok(a) if !a.is_unspecified() && !a.is_multicast() => "global",
        _ => "",
    }
}

fn proc_net_dev(m: &Machine) -> Result<Vec<Device>, Error> {
    const NAMES: [&str; 16] = [
        "receive_bytes", "receive_packets", "receive_errs", "receive_drop", "receive_fifo", "receive_frame", "receive_compressed", "receive_multicast",
        "transmit_bytes", "transmit_packets", "transmit_errs", "transmit_drop", "transmit_fifo", "transmit_colls", "transmit_carrier", "transmit_compressed",
    ];
    let mut devices = Vec::new();
    for line in m.proc_text("net/dev")?.lines().skip(2) {
        // A device's own name may hold a colon (an alias); the counters never do.
        let Some((name, rest)) = line.rsplit_once(':') else { return Err(junk(line, "net/dev")) };
        let mut counters = Vec::new();
        for (field, word) in NAMES.iter().zip(rest.split_ascii_whitespace()) {
            counters.push((*field, word.parse().map_err(|_| junk(line, "net/dev"))?));
        }
        devices.push(Device { name: name.trim().to_owned(), alias: String::new(), counters });
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_scope() {
        for (address, reaches) in [
            ("127.0.0.1", "link-local"),
            ("::1", "link-local"),
            ("169.254.3.4", "link-local"),
            ("fe80::1", "link-local"),
            ("10.0.0.1", "global"),
            ("2001:db8::1", "global"),
            ("ff01::1", "interface-local"),
            ("0.0.0.0", ""),
            ("junk", ""),
        ] {
            assert_eq!(scope(address), reaches, "{address}");
        }
    }
}
