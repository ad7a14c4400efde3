//! Queueing disciplines of network devices (rtnetlink).

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;
use watchglass_sdk::system::Queue;

/// The parent of what sits directly on a device (linux/pkt_sched.h, TC_H_ROOT).
const ROOT: u32 = u32::MAX;

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let filter = m.options.filter("qdisc", "device-include", "device-exclude");
    let fixtures = m.options.text("qdisc", "fixtures");
    let queues = if fixtures.is_empty() { m.system.network_queues()? } else { recorded(m, fixtures)? };
    for q in queues.iter().filter(|q| !filter.ignores(&q.device) && (q.parent == ROOT || q.parent == 0)) {
        let labels = [("device", q.device.as_str()), ("kind", q.kind.as_str())];
        for (name, kind, help, value) in [
            ("bytes_total", Kind::Counter, "Number of bytes sent.", q.bytes as f64),
            ("packets_total", Kind::Counter, "Number of packets sent.", q.packets as f64),
            ("drops_total", Kind::Counter, "Number of packets dropped.", f64::from(q.drops)),
            ("requeues_total", Kind::Counter, "Number of packets dequeued, not transmitted, and requeued.", f64::from(q.requeues)),
            ("overlimits_total", Kind::Counter, "Number of overlimit packets.", f64::from(q.overlimits)),
            ("current_queue_length", Kind::Gauge, "Number of packets currently in queue to be sent.", f64::from(q.queue_length)),
            ("backlog", Kind::Gauge, "Number of bytes currently in queue to be sent.", f64::from(q.backlog)),
        ] {
            b.family(&format!("node_qdisc_{name}"), kind, help).sample(&labels, value);
        }
    }
    Ok(())
}

/// Reads a recorded answer instead of asking the kernel.
fn recorded(m: &Machine, dir: &str) -> Result<Vec<Queue>, Error> {
    let text = m.files.text(&format!("{}/results.json", dir.trim_end_matches('/')))?;
    let all: Vec<Json> = serde_json::from_str(&text).map_err(|e| Error::protocol(format!("results.json: {e}")))?;
    let number = |q: &Json, name: &str| q[name].as_u64().unwrap_or(0);
    let small = |q: &Json, name: &str| u32::try_from(number(q, name)).unwrap_or(u32::MAX);
    Ok(all
        .iter()
        .map(|q| Queue {
            index: 0,
            device: q["IfaceName"].as_str().unwrap_or("").to_owned(),
            kind: q["Kind"].as_str().unwrap_or("").to_owned(),
            handle: 0,
            parent: ROOT,
            bytes: number(q, "Bytes"),
            packets: number(q, "Packets"),
            drops: small(q, "Drops"),
            requeues: small(q, "Requeues"),
            overlimits: small(q, "Overlimits"),
            queue_length: small(q, "Qlen"),
            backlog: small(q, "Backlog"),
        })
        .collect())
}
