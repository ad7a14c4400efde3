//! Network devices, addresses, routes, neighbours and queues, by rtnetlink(7).

use std::collections::HashMap;
use std::io;

use super::netlink::{ROUTE, address, ask, attributes, hardware, text, u16_at, u32_at, u64_at};
use crate::bindings::wit::system::{InterfaceAddress, Link, LinkCounters, Neighbour, NextHop, Queue, Route};

const GETLINK: u16 = 18;
const GETADDR: u16 = 22;
const GETROUTE: u16 = 26;
const GETNEIGH: u16 = 30;
const GETQDISC: u16 = 38;

/// What the kernel answers a question with: a number two below it.
fn answers(question: u16, fixed: usize) -> io::Result<Vec<Vec<u8>>> {
    let messages = ask(ROUTE, question, true, &vec![0; fixed])?;
    let fitting = messages.into_iter().filter(|(kind, body)| *kind == question - 2 && body.len() >= fixed);
    Ok(fitting.map(|(_, body)| body).collect())
}

/// The network devices.
pub(crate) fn links() -> io::Result<Vec<Link>> {
    Ok(answers(GETLINK, 16)?.iter().map(|m| link(m)).collect())
}

fn link(message: &[u8]) -> Link {
    let mut link = Link {
        index: u32_at(message, 4),
        name: String::new(),
        hardware_type: u16_at(message, 2),
        address: String::new(),
        broadcast: String::new(),
        alias: String::new(),
        flags: u32_at(message, 8),
        mtu: 0,
        operational_state: "unknown".into(),
        carrier: None,
        carrier_changes: None,
        carrier_ups: None,
        carrier_downs: None,
        transmit_queue_length: 0,
        master: None,
        lower: None,
        virtual_kind: String::new(),
        counters: None,
    };
    for (number, content) in attributes(message, 16) {
        match number {
            1 => link.address = hardware(content),
            2 => link.broadcast = hardware(content),
            3 => link.name = text(content),
            4 => link.mtu = u32_at(content, 0),
            5 => link.lower = Some(u32_at(content, 0)),
            10 => link.master = Some(u32_at(content, 0)),
            13 => link.transmit_queue_length = u32_at(content, 0),
            16 => link.operational_state = state(content.first().copied().unwrap_or(0)).into(),
            18 => {
                link.virtual_kind =
                    attributes(content, 0).find(|(n, _)| *n == 1).map(|(_, k)| text(k)).unwrap_or_default()
            }
            20 => link.alias = text(content),
            23 => link.counters = Some(counters(content)),
            33 => link.carrier = content.first().map(|b| *b != 0),
            35 => link.carrier_changes = Some(u32_at(content, 0)),
            47 => link.carrier_ups = Some(u32_at(content, 0)),
            48 => link.carrier_downs = Some(u32_at(content, 0)),
            _ => {}
        }
    }
    link
}

/// The names that sysfs has for them (RFC 2863).
fn state(number: u8) -> &'static str {
    match number {
        1 => "notpresent",
        2 => "down",
        3 => "lowerlayerdown",
        4 => "testing",
        5 => "dormant",
        6 => "up",
        _ => "unknown",
    }
}

/// struct rtnl_link_stats64; older kernels send fewer.
fn counters(content: &[u8]) -> LinkCounters {
    let at = |i: usize| u64_at(content, i * 8);
    LinkCounters {
        rx_packets: at(0),
        tx_packets: at(1),
        rx_bytes: at(2),
        tx_bytes: at(3),
        rx_errors: at(4),
        tx_errors: at(5),
        rx_dropped: at(6),
        tx_dropped: at(7),
        multicast: at(8),
        collisions: at(9),
        rx_length_errors: at(10),
        rx_over_errors: at(11),
        rx_crc_errors: at(12),
        rx_frame_errors: at(13),
        rx_fifo_errors: at(14),
        rx_missed_errors: at(15),
        tx_aborted_errors: at(16),
        tx_carrier_errors: at(17),
        tx_fifo_errors: at(18),
        tx_heartbeat_errors: at(19),
        tx_window_errors: at(20),
        rx_compressed: at(21),
        tx_compressed: at(22),
        rx_nohandler: at(23),
    }
}

/// Names of the devices by their numbers.
fn names() -> io::Result<HashMap<u32, String>> {
    Ok(links()?.into_iter().map(|l| (l.index, l.name)).collect())
}

fn name_of(names: &HashMap<u32, String>, index: u32) -> String {
    names.get(&index).cloned().unwrap_or_default()
}

/// The addresses of the devices.
pub(crate) fn addresses() -> io::Result<Vec<InterfaceAddress>> {
    let names = names()?;
    let one = |message: &Vec<u8>| {
        let (mut far, mut local, mut label) = (String::new(), String::new(), String::new());
        for (number, content) in attributes(message, 8) {
            match number {
                1 => far = address(content),
                2 => local = address(content),
                3 => label = text(content),
                _ => {}
            }
        }
        let index = u32_at(message, 4);
        InterfaceAddress {
            index,
            device: name_of(&names, index),
            // On a point-to-point link the first is the other side's.
            address: if local.is_empty() { far } else { local },
            prefix_length: message[1],
            scope: message[3],
            label,
        }
    };
    Ok(answers(GETADDR, 8)?.iter().map(one).collect())
}

/// The routes.
pub(crate) fn routes() -> io::Result<Vec<Route>> {
    let names = names()?;
    Ok(answers(GETROUTE, 12)?.iter().filter_map(|m| route(m, &names)).collect())
}

fn version(family: u8) -> Option<u8> {
    match i32::from(family) {
        libc::AF_INET => Some(4),
        libc::AF_INET6 => Some(6),
        _ => None,
    }
}

fn route(message: &[u8], names: &HashMap<u32, String>) -> Option<Route> {
    let mut route = Route {
        ip_version: version(message[0])?,
        destination: String::new(),
        prefix_length: message[1],
        source: String::new(),
        table: u32::from(message[4]),
        protocol: message[5],
        scope: message[6],
        route_type: message[7],
        priority: 0,
        hops: Vec::new(),
    };
    let (mut gateway, mut index) = (String::new(), 0);
    for (number, content) in attributes(message, 12) {
        match number {
            1 => route.destination = address(content),
            4 => index = u32_at(content, 0),
            5 => gateway = address(content),
            6 => route.priority = u32_at(content, 0),
            7 => route.source = address(content),
            9 => route.hops = hops(content, names),
            15 => route.table = u32_at(content, 0),
            18 => gateway = address(content.get(2..).unwrap_or(&[])),
            _ => {}
        }
    }
    if route.hops.is_empty() {
        route.hops.push(NextHop { gateway, index, device: name_of(names, index), weight: 1 });
    }
    Some(route)
}

/// The hops of a multipath route: struct rtnexthop, each with attributes of its own.
fn hops(mut content: &[u8], names: &HashMap<u32, String>) -> Vec<NextHop> {
    let mut hops = Vec::new();
    while content.len() >= 8 {
        let length = usize::from(u16_at(content, 0));
        let Some(one) = content.get(..length).filter(|o| o.len() >= 8) else { break };
        let index = u32_at(one, 4);
        let mut gateway = String::new();
        for (number, content) in attributes(one, 8) {
            match number {
                5 => gateway = address(content),
                18 => gateway = address(content.get(2..).unwrap_or(&[])),
                _ => {}
            }
        }
        hops.push(NextHop { gateway, index, device: name_of(names, index), weight: u32::from(one[3]) + 1 });
        content = content.get((length + 3) & !3..).unwrap_or(&[]);
    }
    hops
}

/// The neighbours.
pub(crate) fn neighbours() -> io::Result<Vec<Neighbour>> {
    let names = names()?;
    let one = |message: &Vec<u8>| {
        let index = u32_at(message, 4);
        let mut found = Neighbour {
            ip_version: version(message[0])?,
            index,
            device: name_of(&names, index),
            address: String::new(),
            hardware_address: String::new(),
            state: u16_at(message, 8),
        };
        for (number, content) in attributes(message, 12) {
            match number {
                1 => found.address = address(content),
                2 => found.hardware_address = hardware(content),
                _ => {}
            }
        }
        Some(found)
    };
    Ok(answers(GETNEIGH, 12)?.iter().filter_map(one).collect())
}

/// The queueing disciplines.
pub(crate) fn queues() -> io::Result<Vec<Queue>> {
    let names = names()?;
    let one = |message: &Vec<u8>| {
        let index = u32_at(message, 4);
        let mut queue = Queue {
            index,
            device: name_of(&names, index),
            kind: String::new(),
            handle: u32_at(message, 8),
            parent: u32_at(message, 12),
            bytes: 0,
            packets: 0,
            drops: 0,
            requeues: 0,
            overlimits: 0,
            queue_length: 0,
            backlog: 0,
        };
        for (number, content) in attributes(message, 20) {
            match number {
                1 => queue.kind = text(content),
                7 => queue_counters(&mut queue, content),
                _ => {}
            }
        }
        queue
    };
    Ok(answers(GETQDISC, 20)?.iter().map(one).collect())
}

fn queue_counters(queue: &mut Queue, content: &[u8]) {
    for (number, content) in attributes(content, 0) {
        match number {
            1 => {
                queue.bytes = u64_at(content, 0);
                queue.packets = queue.packets.max(u64::from(u32_at(content, 8)));
            }
            3 => {
                queue.queue_length = u32_at(content, 0);
                queue.backlog = u32_at(content, 4);
                queue.drops = u32_at(content, 8);
                queue.requeues = u32_at(content, 12);
                queue.overlimits = u32_at(content, 16);
            }
            // Packets in 64 bits, where the kernel has them.
            8 => queue.packets = u64_at(content, 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::netlink::attribute;
    use super::*;

    #[test]
    fn this_machine_has_a_loopback() -> io::Result<()> {
        let links = links()?;
        let lo = links.iter().find(|l| l.name == "lo").ok_or_else(|| io::Error::other("no lo"))?;
        assert!(lo.counters.is_some() && lo.mtu > 0 && lo.flags & 8 != 0, "{lo:?}");
        let listed = std::fs::read_dir("/sys/class/net")?.count();
        assert_eq!(links.len(), listed);
        assert!(addresses()?.iter().any(|a| a.address == "127.0.0.1" && a.prefix_length == 8 && a.device == "lo"));
        assert!(routes()?.iter().any(|r| r.hops.iter().any(|h| h.device == "lo")));
        neighbours()?;
        assert!(queues()?.iter().any(|q| q.kind == "noqueue" && q.device == "lo"));
        Ok(())
    }

    #[test]
    fn a_multipath_route_has_its_hops() {
        let names = HashMap::from([(2, "eth0".to_owned()), (3, "eth1".to_owned())]);
        let hop = |index: u32, weight: u8, gateway: [u8; 4]| {
            let gateway = attribute(5, &gateway);
            let mut one = ((8 + gateway.len()) as u16).to_ne_bytes().to_vec();
            one.extend([0, weight - 1]);
            one.extend(index.to_ne_bytes());
            one.extend(gateway);
            one
        };
        let mut message = vec![libc::AF_INET as u8, 24, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        message.extend(attribute(1, &[10, 1, 2, 0]));
        message.extend(attribute(9, &[hop(2, 1, [10, 0, 0, 1]), hop(3, 5, [10, 0, 1, 1])].concat()));
        let route = route(&message, &names);
        let shown: Vec<String> =
            route.iter().flat_map(|r| &r.hops).map(|h| format!("{} {} {}", h.gateway, h.device, h.weight)).collect();
        assert_eq!(shown, ["10.0.0.1 eth0 1", "10.0.1.1 eth1 5"]);
    }
}
