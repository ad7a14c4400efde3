//! Sockets in use (/proc/net/sockstat, sockstat6).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    for file in ["net/sockstat", "net/sockstat6"] {
        let text = match m.proc_text(file) {
            Err(Error::NotFound(_)) => continue,
            other => other?,
        };
        for line in text.lines() {
            let Some((protocol, rest)) = line.split_once(':') else { continue };
            let words: Vec<&str> = rest.split_ascii_whitespace().collect();
            for pair in words.chunks_exact(2) {
                let value: f64 = pair[1].parse().map_err(|_| junk(line, file))?;
                let mut put = |name: &str, value| {
                    let help = match protocol {
                        "sockets" => "Number of IPv4 sockets in use.".to_owned(),
                        _ => format!("Number of {protocol} sockets in state {name}."),
                    };
                    b.gauge(&format!("node_sockstat_{protocol}_{name}"), &help).value(value);
                };
                put(pair[0], value);
                // The kernel counts this memory in pages.
                if pair[0] == "mem" {
                    put("mem_bytes", value * f64::from(m.system.page_size()));
                }
            }
        }
    }
    Ok(())
}
