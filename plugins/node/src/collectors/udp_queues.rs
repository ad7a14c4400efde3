//! What waits in the queues of UDP sockets (/proc/net/udp, udp6).

use crate::machine::{Machine, Memory};
use crate::text::{hex, junk};
use watchglass_sdk::prelude::*;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut found = false;
    for (file, ip) in [("net/udp", "v4"), ("net/udp6", "v6")] {
        let text = match m.proc_text(file) {
            Err(Error::NotFound(_)) => continue,
            other => other?,
        };
        found = true;
        let (mut tx, mut rx) = (0.0, 0.0);
        for line in text.lines().skip(1) {
            // The fifth column is `tx_queue:rx_queue`.
            let queues = line.split_ascii_whitespace().nth(4).and_then(|w| w.split_once(':'));
            let Some((t, r)) = queues.and_then(|(t, r)| Some((hex(t)?, hex(r)?))) else { return Err(junk(line, file)) };
            (tx, rx) = (tx + t, rx + r);
        }
        b.gauge("node_udp_queues", "Number of allocated memory in the kernel for UDP datagrams in bytes.")
            .sample(&[("queue", "tx"), ("ip", ip)], tx)
            .sample(&[("queue", "rx"), ("ip", ip)], rx);
    }
    if found { Ok(()) } else { Err(Error::NotFound("net/udp".to_owned())) }
}
