//! Routes (rtnetlink).

use crate::machine::{Machine, Memory};
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// Routes to other machines, of every table; not those to ourselves, broadcasts and what is refused (linux/rtnetlink.h).
const UNICAST: u8 = 1;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for r in m.system.network_routes()?.iter().filter(|r| r.route_type == UNICAST) {
        let destination = if r.destination.is_empty() { "default".to_owned() } else { format!("{}/{}", r.destination, r.prefix_length) };
        for hop in &r.hops {
            *counts.entry(hop.device.clone()).or_default() += 1.0;
            let labels = [
                ("device", hop.device.clone()),
                ("src", r.source.clone()),
                ("dest", destination.clone()),
                ("gw", hop.gateway.clone()),
                ("priority", r.priority.to_string()),
                ("proto", protocol(r.protocol)),
                ("weight", if r.hops.len() > 1 { hop.weight.to_string() } else { String::new() }),
            ];
            let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, v.as_str())).collect();
            b.gauge("node_network_route_info", "network routing table information").sample(&labels, 1.0);
        }
    }
    for (device, count) in &counts {
        b.gauge("node_network_routes", "network routes by interface").sample(&[("device", device)], *count);
    }
    Ok(())
}

/// Who made a route, as iproute2 names it (/etc/iproute2/rt_protos).
fn protocol(number: u8) -> String {
    let name = match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        17 => "mrouted",
        18 => "keepalived",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        other => return other.to_string(),
    };
    name.to_owned()
}
