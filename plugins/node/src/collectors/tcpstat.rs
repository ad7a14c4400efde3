//! TCP connections by state (/proc/net/tcp, tcp6).

use crate::machine::{Machine, Memory};
use crate::text::hex;
use watchglass_sdk::prelude::*;

/// The kernel's numbers of states, from 1 (net/tcp_states.h).
const STATES: [&str; 12] = [
    "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait", "last_ack", "listen", "closing", "new_syn_recv",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut counts = [0.0; STATES.len()];
    let (mut tx, mut rx) = (0.0, 0.0);
    for file in ["net/tcp", "net/tcp6"] {
        let text = match m.proc_text(file) {
            Err(Error::NotFound(_)) if file == "net/tcp6" => continue,
            other => other?,
        };
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let Some(state) = words.get(3).and_then(|w| hex(w)) else { continue };
            if let Some(count) = (state as usize).checked_sub(1).and_then(|i| counts.get_mut(i)) {
                *count += 1.0;
            }
            if let Some((t, r)) = words.get(4).and_then(|w| w.split_once(':')) {
                (tx, rx) = (tx + hex(t).unwrap_or(0.0), rx + hex(r).unwrap_or(0.0));
            }
        }
    }
    let mut family = b.gauge("node_tcp_connection_states", "Number of connection states.");
    for (state, count) in STATES.iter().zip(counts).filter(|(_, c)| *c > 0.0) {
        family.sample(&[("state", state)], count);
    }
    family.sample(&[("state", "rx_queued_bytes")], rx).sample(&[("state", "tx_queued_bytes")], tx);
    Ok(())
}
