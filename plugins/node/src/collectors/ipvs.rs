//! The kernel's load balancer (/proc/net/ip_vs, ip_vs_stats).

use crate::machine::{Machine, Memory};
use crate::text::{hex, junk};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use watchglass_sdk::prelude::*;

const LABELS: [&str; 6] = ["local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"];

const TOTALS: [(&str, &str); 5] = [
    ("connections", "The total number of connections made."),
    ("incoming_packets", "The total number of incoming packets."),
    ("outgoing_packets", "The total number of outgoing packets."),
    ("incoming_bytes", "The total amount of incoming data."),
    ("outgoing_bytes", "The total amount of outgoing data."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let stats = m.proc_text("net/ip_vs_stats")?;
    let totals: Vec<f64> = stats.lines().nth(2).unwrap_or("").split_ascii_whitespace().filter_map(hex).collect();
    if totals.len() < TOTALS.len() {
        return Err(junk(&stats, "net/ip_vs_stats"));
    }
    for ((name, help), value) in TOTALS.iter().zip(&totals) {
        b.counter(&format!("node_ipvs_{name}_total"), help).value(*value);
    }
    // Backends that the chosen labels can't tell apart are summed.
    let chosen: Vec<&str> = m.options.text("ipvs", "backend-labels").split(',').filter(|l| LABELS.contains(l)).collect();
    let mut sums: BTreeMap<Vec<String>, [f64; 3]> = BTreeMap::new();
    for (backend, values) in backends(&m.proc_text("net/ip_vs")?)? {
        let key = chosen.iter().filter_map(|l| LABELS.iter().position(|n| n == l)).filter_map(|i| backend.get(i).cloned()).collect();
        for (sum, value) in sums.entry(key).or_default().iter_mut().zip(values) {
            *sum += value;
        }
    }
    for (key, [weight, active, inactive]) in &sums {
        let labels: Vec<(&str, &str)> = chosen.iter().copied().zip(key.iter().map(String::as_str)).collect();
        b.gauge("node_ipvs_backend_connections_active", "The current active connections by local and remote address.").sample(&labels, *active);
        b.gauge("node_ipvs_backend_connections_inactive", "The current inactive connections by local and remote address.")
            .sample(&labels, *inactive);
        b.gauge("node_ipvs_backend_weight", "The current backend weight by local and remote address.").sample(&labels, *weight);
    }
    Ok(())
}

/// A backend: values of `LABELS`, then weight, active and inactive connections.
type Backend = ([String; 6], [f64; 3]);

fn backends(text: &str) -> Result<Vec<Backend>, Error> {
    let mut all = Vec::new();
    let mut service = ["", "", "", ""].map(str::to_owned);
    for line in text.lines().skip(3) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [proto @ ("TCP" | "UDP" | "SCTP"), address, ..] => {
                let (address, port) = split(address).ok_or_else(|| junk(line, "net/ip_vs"))?;
                service = [address, port, (*proto).to_owned(), String::new()];
            }
            ["FWM", mark, ..] => service = [String::new(), "0".to_owned(), "FWM".to_owned(), (*mark).to_owned()],
            ["->", address, _, weight, active, inactive] => {
                let Some((remote, port)) = split(address) else { continue };
                let values = [*weight, *active, *inactive].map(|w| w.parse::<f64>().unwrap_or(0.0));
                let [local, local_port, proto, mark] = service.clone();
                all.push(([local, local_port, remote, port, proto, mark], values));
            }
            _ => {}
        }
    }
    Ok(all)
}

/// `C0A80016:0CEA` or `[2620:0:...]:0050`.
fn split(text: &str) -> Option<(String, String)> {
    let (address, port) = text.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?.to_string();
    let address = match address.strip_prefix('[').and_then(|a| a.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok()?.to_string(),
        None => Ipv4Addr::from(u32::from_str_radix(address, 16).ok().filter(|_| address.len() == 8)?).to_string(),
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hexadecimal() {
        assert_eq!(split("C0A80016:0CEA"), Some(("192.168.0.22".into(), "3306".into())));
        assert_eq!(split("[2620:0000:0000:0000:0000:0000:0000:0001]:0050"), Some(("2620::1".into(), "80".into())));
        assert_eq!((split("RemoteAddress:Port"), split("C0:1")), (None, None));
    }
}
