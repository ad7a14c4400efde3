//! Wireless devices and their stations (nl80211).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;
use watchglass_sdk::system::{WifiBss, WifiInterface, WifiStation};

/// Types of interfaces as nl80211 numbers them.
const MODES: [&str; 12] = [
    "unspecified", "ad-hoc", "client", "access point", "wireless distribution system", "monitor", "mesh point", "P2P client", "P2P group owner", "P2P device",
    "unknown", "unknown",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let fixtures = m.options.text("wifi", "fixtures").trim_end_matches('/');
    let interfaces = if fixtures.is_empty() { m.system.wifi_interfaces()? } else { recorded_interfaces(m, fixtures)? };
    for i in interfaces.iter().filter(|i| !i.name.is_empty()) {
        let device = ("device", i.name.as_str());
        b.gauge("node_wifi_interface_frequency_hertz", "The current frequency a WiFi interface is operating at, in hertz.")
            .sample(&[device], f64::from(i.frequency_mhz) * 1e6);
        // Only a client is associated with an access point.
        if let (2, Some(bss)) = (i.interface_type, &i.bss) {
            let mode = MODES.get(i.interface_type as usize).copied().unwrap_or("unknown");
            b.gauge("node_wifi_station_info", "Labeled WiFi interface station information as provided by the operating system.")
                .sample(&[device, ("bssid", &bss.bssid), ("ssid", &bss.ssid), ("mode", mode)], 1.0);
        }
        let stations = if fixtures.is_empty() { m.system.wifi_stations(i.index) } else { recorded_stations(m, fixtures, &i.name) };
        let stations = match stations {
            Err(Error::NotFound(_)) => continue,
            other => other?,
        };
        for s in stations {
            station(b, &[device, ("mac_address", &s.address)], &s);
        }
    }
    Ok(())
}

fn station(b: &mut Batch, labels: &[(&str, &str)], s: &WifiStation) {
    for (name, kind, help, value) in [
        ("connected_seconds_total", Kind::Counter, "The total number of seconds a station has been connected to an access point.", s.connected_seconds),
        ("inactive_seconds", Kind::Gauge, "The number of seconds since any wireless activity has occurred on a station.", s.inactive_seconds),
        ("receive_bits_per_second", Kind::Gauge, "The current WiFi receive bitrate of a station, in bits per second.", s.rx_bitrate as f64),
        ("transmit_bits_per_second", Kind::Gauge, "The current WiFi transmit bitrate of a station, in bits per second.", s.tx_bitrate as f64),
        ("receive_bytes_total", Kind::Counter, "The total number of bytes received by a WiFi station.", s.rx_bytes as f64),
        ("transmit_bytes_total", Kind::Counter, "The total number of bytes transmitted by a WiFi station.", s.tx_bytes as f64),
        ("received_packets_total", Kind::Counter, "The total number of packets received by a station.", f64::from(s.rx_packets)),
        ("transmitted_packets_total", Kind::Counter, "The total number of packets transmitted by a station.", f64::from(s.tx_packets)),
        ("signal_dbm", Kind::Gauge, "The current WiFi signal strength, in decibel-milliwatts (dBm).", f64::from(s.signal_dbm)),
        ("transmit_retries_total", Kind::Counter, "The total number of times a station has had to retry while sending a packet.", f64::from(s.tx_retries)),
        ("transmit_failed_total", Kind::Counter, "The total number of times a station has failed to send a packet.", f64::from(s.tx_failed)),
        ("beacon_loss_total", Kind::Counter, "The total number of times a station has detected a beacon loss.", f64::from(s.beacon_loss)),
    ] {
        b.family(&format!("node_wifi_station_{name}"), kind, help).sample(labels, value);
    }
}

fn recorded(m: &Machine, path: &str) -> Result<Json, Error> {
    serde_json::from_str(&m.files.text(path)?).map_err(|e| Error::protocol(format!("{path}: {e}")))
}

fn recorded_interfaces(m: &Machine, dir: &str) -> Result<Vec<WifiInterface>, Error> {
    let all = recorded(m, &format!("{dir}/interfaces.json"))?;
    let number = |v: &Json| u32::try_from(v.as_u64().unwrap_or(0)).unwrap_or(0);
    let mut interfaces = Vec::new();
    for i in all.as_array().into_iter().flatten() {
        let name = i["name"].as_str().unwrap_or("").to_owned();
        let bss = recorded(m, &format!("{dir}/{name}/bss.json")).ok().map(|v| WifiBss {
            bssid: mac(&v["bssid"]),
            ssid: v["ssid"].as_str().unwrap_or("").to_owned(),
            beacon_interval_ms: 0.0,
        });
        interfaces.push(WifiInterface {
            index: 0,
            name,
            address: String::new(),
            interface_type: number(&i["type"]),
            phy: 0,
            frequency_mhz: number(&i["frequency"]),
            bss,
        });
    }
    Ok(interfaces)
}

fn recorded_stations(m: &Machine, dir: &str, name: &str) -> Result<Vec<WifiStation>, Error> {
    let all = recorded(m, &format!("{dir}/{name}/stationinfo.json"))?;
    let number = |v: &Json| v.as_u64().unwrap_or(0);
    let small = |v: &Json| u32::try_from(number(v)).unwrap_or(0);
    let station = |s: &Json| WifiStation {
        address: mac(&s["hardwareaddr"]),
        connected_seconds: number(&s["connected"]) as f64 / 1e9,
        inactive_seconds: number(&s["inactive"]) as f64 / 1e9,
        rx_bytes: number(&s["receivedbytes"]),
        tx_bytes: number(&s["transmittedbytes"]),
        rx_packets: small(&s["receivedpackets"]),
        tx_packets: small(&s["transmittedpackets"]),
        rx_bitrate: number(&s["receivebitrate"]),
        tx_bitrate: number(&s["transmitbitrate"]),
        signal_dbm: i32::try_from(s["signal"].as_i64().unwrap_or(0)).unwrap_or(0),
        tx_retries: small(&s["transmitretries"]),
        tx_failed: small(&s["transmitfailed"]),
        beacon_loss: small(&s["beaconloss"]),
    };
    Ok(all.as_array().into_iter().flatten().map(station).collect())
}

/// Hardware addresses are recorded as base64 (RFC 4648).
fn mac(value: &Json) -> String {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let text = value.as_str().unwrap_or("").as_bytes();
    let bytes = text.chunks_exact(4).flat_map(|c| {
        let word = c.iter().fold(0u32, |w, d| w << 6 | digit(*d));
        [(word >> 16) as u8, (word >> 8) as u8, word as u8]
    });
    bytes.map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}
