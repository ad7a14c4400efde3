//! What network devices are (/sys/class/net).

use crate::machine::{Machine, Memory};
use crate::text::integer;
use watchglass_sdk::files::EntryKind;
use watchglass_sdk::prelude::*;

/// File, metric, kind, help.
const NUMBERS: [(&str, &str, Kind, &str); 16] = [
    ("addr_assign_type", "address_assign_type", Kind::Gauge, "Network device property: address_assign_type"),
    ("carrier", "carrier", Kind::Gauge, "Network device property: carrier"),
    ("carrier_changes", "carrier_changes_total", Kind::Counter, "Network device property: carrier_changes_total"),
    ("carrier_up_count", "carrier_up_changes_total", Kind::Counter, "Network device property: carrier_up_changes_total"),
    ("carrier_down_count", "carrier_down_changes_total", Kind::Counter, "Network device property: carrier_down_changes_total"),
    ("dev_id", "device_id", Kind::Gauge, "Network device property: device_id"),
    ("dormant", "dormant", Kind::Gauge, "Network device property: dormant"),
    ("flags", "flags", Kind::Gauge, "Network device property: flags"),
    ("ifindex", "iface_id", Kind::Gauge, "Network device property: iface_id"),
    ("iflink", "iface_link", Kind::Gauge, "Network device property: iface_link"),
    ("link_mode", "iface_link_mode", Kind::Gauge, "Network device property: iface_link_mode"),
    ("mtu", "mtu_bytes", Kind::Gauge, "Network device property: mtu_bytes"),
    ("name_assign_type", "name_assign_type", Kind::Gauge, "Network device property: name_assign_type"),
    ("netdev_group", "net_dev_group", Kind::Gauge, "Network device property: net_dev_group"),
    ("tx_queue_len", "transmit_queue_length", Kind::Gauge, "Network device property: transmit_queue_length"),
    ("type", "protocol_type", Kind::Gauge, "Network device property: protocol_type"),
];

/// After the numbers: what becomes labels, and the speed.
const TEXTS: [&str; 6] = ["operstate", "address", "broadcast", "duplex", "ifalias", "speed"];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let ignored = m.options.pattern("netclass", "ignored-devices");
    let devices: Vec<String> = m
        .files
        .list_dir(&m.sys("class/net"))?
        .into_iter()
        // `bonding_masters` lies there too, a plain file.
        .filter(|e| e.kind != EntryKind::File && ignored.is_none_or(|p| !p.is_match(&e.name)))
        .map(|e| e.name)
        .collect();
    let dirs: Vec<String> = devices.iter().map(|d| format!("class/net/{d}")).collect();
    let names: Vec<&str> = NUMBERS.iter().map(|n| n.0).chain(TEXTS).collect();
    for (device, texts) in devices.iter().zip(m.attributes(&dirs, &names)) {
        let labels = [("device", device.as_str())];
        for ((_, name, kind, help), text) in NUMBERS.iter().zip(&texts) {
            // Some can't be read while the device is down.
            if let Some(v) = text.as_deref().and_then(integer) {
                b.family(&format!("node_network_{name}"), *kind, help).sample(&labels, v);
            }
        }
        let rest = texts.get(NUMBERS.len()..).unwrap_or(&[]);
        let [operstate, address, broadcast, duplex, ifalias, speed] = rest else { continue };
        let of = |t: &'_ Option<String>| t.clone().unwrap_or_default();
        b.gauge("node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.").sample(&labels, f64::from(operstate.as_deref() == Some("up")));
        // The first bit of the flags is IFF_UP.
        let flags = texts.get(7).and_then(|t| t.as_deref()).and_then(integer).unwrap_or(0.0) as u64;
        let admin = if flags & 1 == 1 { "up" } else { "down" };
        b.gauge("node_network_info", "Non-numeric data from /sys/class/net/<iface>, value is always 1.").sample(
            &[
                ("device", device),
                ("address", &of(address)),
                ("broadcast", &of(broadcast)),
                ("duplex", &of(duplex)),
                ("operstate", &of(operstate)),
                ("adminstate", admin),
                ("ifalias", &of(ifalias)),
            ],
            1.0,
        );
        if let Some(mbit) = speed.as_deref().and_then(integer)
            && !(mbit < 0.0 && m.options.on("netclass", "ignore-invalid-speed"))
        {
            b.gauge("node_network_speed_bytes", "Network device property: speed_bytes").sample(&labels, mbit * 1e6 / 8.0);
        }
    }
    Ok(())
}
