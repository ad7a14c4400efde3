//! Counters of the network protocols (/proc/net/netstat, snmp, snmp6).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut put = |protocol: &str, name: &str, value: &str| -> Result<(), Error> {
        let field = format!("{protocol}_{name}");
        if m.options.pattern("netstat", "fields").is_some_and(|f| !f.is_match(&field)) {
            return Ok(());
        }
        let v = value.parse().map_err(|_| junk(value, "net/snmp"))?;
        b.untyped(&format!("node_netstat_{field}"), &format!("Statistic {protocol}{name}.")).value(v);
        Ok(())
    };
    for file in ["net/netstat", "net/snmp"] {
        let text = m.proc_text(file)?;
        let mut lines = text.lines();
        // A line of names, then a line of values, both with the protocol in front.
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            let (Some((protocol, names)), Some((again, values))) = (names.split_once(':'), values.split_once(':')) else {
                return Err(junk(names, file));
            };
            if protocol != again {
                return Err(junk(again, file));
            }
            for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
                put(protocol, name, value)?;
            }
        }
    }
    // A kernel without IPv6 has no such file.
    match m.proc_text("net/snmp6") {
        Ok(text) => {
            for line in text.lines() {
                let mut words = line.split_ascii_whitespace();
                let (Some(field), Some(value)) = (words.next(), words.next()) else { continue };
                // `Udp6InErrors`, `UdpLite6InErrors`: the protocol ends with its 6.
                if let Some(at) = field.find('6') {
                    put(&field[..=at], &field[at + 1..], value)?;
                }
            }
            Ok(())
        }
        Err(Error::NotFound(_)) => Ok(()),
        Err(e) => Err(e),
    }
}
