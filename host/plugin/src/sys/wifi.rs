//! Wireless devices, by nl80211 over generic netlink.

use std::io;

use super::netlink::{GENERIC, Message, ask, attribute, attributes, hardware, text, u16_at, u32_at, u64_at};
use crate::bindings::wit::system::{WifiBss, WifiInterface, WifiStation};

const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const GET_INTERFACE: u8 = 5;
const GET_STATION: u8 = 17;
const GET_SCAN: u8 = 32;

/// A generic message: command, version, two bytes unused, attributes.
fn body(command: u8, attributes: &[u8]) -> Vec<u8> {
    let mut out = vec![command, 1, 0, 0];
    out.extend_from_slice(attributes);
    out
}

/// nl80211's number; `None` on a machine without.
fn family() -> io::Result<Option<u16>> {
    let question = body(GET_FAMILY, &attribute(2, b"nl80211\0"));
    match ask(GENERIC, CONTROL, false, &question) {
        Ok(messages) => {
            Ok(messages.iter().find_map(|(_, m)| attributes(m, 4).find(|(n, _)| *n == 1).map(|(_, id)| u16_at(id, 0))))
        }
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        // A kernel without generic netlink.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The wireless devices. Error `NotFound`: the kernel knows no wireless devices at all.
pub(crate) fn interfaces() -> io::Result<Vec<WifiInterface>> {
    let Some(family) = family()? else { return Err(io::ErrorKind::NotFound.into()) };
    let mut found: Vec<WifiInterface> =
        ask(GENERIC, family, true, &body(GET_INTERFACE, &[]))?.iter().map(interface).collect();
    for one in found.iter_mut().filter(|i| !i.name.is_empty()) {
        let question = body(GET_SCAN, &attribute(3, &one.index.to_ne_bytes()));
        // A device that is down has no scan results.
        one.bss = ask(GENERIC, family, true, &question).unwrap_or_default().iter().find_map(bss);
    }
    Ok(found)
}

fn interface((_, message): &Message) -> WifiInterface {
    let mut found = WifiInterface {
        index: 0,
        name: String::new(),
        address: String::new(),
        interface_type: 0,
        phy: 0,
        frequency_mhz: 0,
        bss: None,
    };
    for (number, content) in attributes(message, 4) {
        match number {
            1 => found.phy = u32_at(content, 0),
            3 => found.index = u32_at(content, 0),
            4 => found.name = text(content),
            5 => found.interface_type = u32_at(content, 0),
            6 => found.address = hardware(content),
            38 => found.frequency_mhz = u32_at(content, 0),
            _ => {}
        }
    }
    found
}

/// The access point of a scan's result, if it is the one that we are associated with.
fn bss((_, message): &Message) -> Option<WifiBss> {
    let (_, content) = attributes(message, 4).find(|(n, _)| *n == 47)?;
    let mut found = WifiBss { bssid: String::new(), ssid: String::new(), beacon_interval_ms: 0.0 };
    let mut associated = false;
    for (number, content) in attributes(content, 0) {
        match number {
            1 => found.bssid = hardware(content),
            // In time units of 1,024 microseconds.
            4 => found.beacon_interval_ms = f64::from(u16_at(content, 0)) * 1.024,
            6 => found.ssid = ssid(content),
            9 => associated = u32_at(content, 0) == 1,
            _ => {}
        }
    }
    associated.then_some(found)
}

/// The network's name among the information elements: number 0.
fn ssid(mut elements: &[u8]) -> String {
    while let [number, length, rest @ ..] = elements {
        let Some(content) = rest.get(..usize::from(*length)) else { break };
        if *number == 0 {
            return String::from_utf8_lossy(content).into_owned();
        }
        elements = &rest[usize::from(*length)..];
    }
    String::new()
}

/// The stations of a device.
pub(crate) fn stations(index: u32) -> io::Result<Vec<WifiStation>> {
    let Some(family) = family()? else { return Err(io::Error::from_raw_os_error(libc::ENODEV)) };
    let question = body(GET_STATION, &attribute(3, &index.to_ne_bytes()));
    Ok(ask(GENERIC, family, true, &question)?.iter().map(station).collect())
}

fn station((_, message): &Message) -> WifiStation {
    let mut found = WifiStation {
        address: String::new(),
        connected_seconds: 0.0,
        inactive_seconds: 0.0,
        rx_bytes: 0,
        tx_bytes: 0,
        rx_packets: 0,
        tx_packets: 0,
        rx_bitrate: 0,
        tx_bitrate: 0,
        signal_dbm: 0,
        tx_retries: 0,
        tx_failed: 0,
        beacon_loss: 0,
    };
    for (number, content) in attributes(message, 4) {
        match number {
            6 => found.address = hardware(content),
            21 => attributes(content, 0).for_each(|(n, c)| station_fact(&mut found, n, c)),
            _ => {}
        }
    }
    found
}

fn station_fact(found: &mut WifiStation, number: u16, content: &[u8]) {
    let number32 = u32_at(content, 0);
    match number {
        1 => found.inactive_seconds = f64::from(number32) / 1000.0,
        // In 32 bits, from kernels that have no more.
        2 => found.rx_bytes = found.rx_bytes.max(u64::from(number32)),
        3 => found.tx_bytes = found.tx_bytes.max(u64::from(number32)),
        7 => found.signal_dbm = content.first().map_or(0, |b| i32::from(*b as i8)),
        8 => found.tx_bitrate = bitrate(content),
        9 => found.rx_packets = number32,
        10 => found.tx_packets = number32,
        11 => found.tx_retries = number32,
        12 => found.tx_failed = number32,
        14 => found.rx_bitrate = bitrate(content),
        16 => found.connected_seconds = f64::from(number32),
        18 => found.beacon_loss = number32,
        23 => found.rx_bytes = u64_at(content, 0),
        24 => found.tx_bytes = u64_at(content, 0),
        _ => {}
    }
}

/// Bits in a second; the kernel counts in 100 kbit, in 16 bits and where it can in 32.
fn bitrate(content: &[u8]) -> u64 {
    let mut rate = 0;
    for (number, content) in attributes(content, 0) {
        match number {
            1 if rate == 0 => rate = u64::from(u16_at(content, 0)),
            5 => rate = u64::from(u32_at(content, 0)),
            _ => {}
        }
    }
    rate * 100_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read() {
        let rate = [attribute(1, &540u16.to_ne_bytes()), attribute(5, &8_660u32.to_ne_bytes())].concat();
        let facts = [
            attribute(7, &[0xc4]),
            attribute(8, &rate),
            attribute(23, &5_000_000_000u64.to_ne_bytes()),
            attribute(2, &7u32.to_ne_bytes()),
        ];
        let message = body(0, &[attribute(6, &[1, 2, 3, 4, 5, 6]), attribute(21, &facts.concat())].concat());
        let found = station(&(0, message));
        assert_eq!((found.signal_dbm, found.tx_bitrate, found.rx_bytes), (-60, 866_000_000, 5_000_000_000));
        assert_eq!(found.address, "01:02:03:04:05:06");
        assert_eq!(ssid(&[1, 1, 9, 0, 4, b'h', b'o', b'm', b'e']), "home");
        assert_eq!(ssid(&[1, 200, 9]), "");
    }

    #[test]
    fn a_machine_without_has_none() -> io::Result<()> {
        if !std::path::Path::new("/sys/class/ieee80211").exists() {
            assert_eq!(interfaces().map_err(|e| e.kind()).err(), Some(io::ErrorKind::NotFound));
            assert!(stations(1).is_err());
        }
        Ok(())
    }
}
