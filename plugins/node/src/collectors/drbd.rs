//! DRBD devices (/proc/drbd; users guide of version 8.4, "Status information in /proc/drbd").

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Key, metric, kind, factor, help.
const NUMBERS: [(&str, &str, Kind, f64, &str); 12] = [
    ("ns", "network_sent_bytes_total", Kind::Counter, 1024.0, "Total number of bytes sent via the network."),
    ("nr", "network_received_bytes_total", Kind::Counter, 1.0, "Total number of bytes received via the network."),
    ("dw", "disk_written_bytes_total", Kind::Counter, 1024.0, "Net data written on local hard disk; in bytes."),
    ("dr", "disk_read_bytes_total", Kind::Counter, 1024.0, "Net data read from local hard disk; in bytes."),
    ("al", "activitylog_writes_total", Kind::Counter, 1.0, "Number of updates of the activity log area of the meta data."),
    ("bm", "bitmap_writes_total", Kind::Counter, 1.0, "Number of updates of the bitmap area of the meta data."),
    ("lo", "local_pending", Kind::Gauge, 1.0, "Number of open requests to the local I/O sub-system."),
    ("pe", "remote_pending", Kind::Gauge, 1.0, "Number of requests sent to the peer, but that have not yet been answered by the latter."),
    ("ua", "remote_unacknowledged", Kind::Gauge, 1.0, "Number of requests received by the peer via the network connection, but that have not yet been answered."),
    ("ap", "application_pending", Kind::Gauge, 1.0, "Number of block I/O requests forwarded to DRBD, but not yet answered by DRBD."),
    ("ep", "epochs", Kind::Gauge, 1.0, "Number of Epochs currently on the fly."),
    ("oos", "out_of_sync_bytes", Kind::Gauge, 1024.0, "Amount of data known to be out of sync; in bytes."),
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("drbd")?;
    let mut device = String::new();
    for word in text.split_ascii_whitespace() {
        let Some((key, value)) = word.split_once(':') else { continue };
        if value.is_empty() && !key.is_empty() && key.bytes().all(|c| c.is_ascii_digit()) {
            device = format!("drbd{key}");
            continue;
        }
        if device.is_empty() {
            continue;
        }
        let labels = [("device", device.as_str())];
        match (key, value.split_once('/')) {
            ("cs", _) => {
                b.gauge("node_drbd_connected", "Whether DRBD is connected to the peer.").sample(&labels, f64::from(value == "Connected"));
            }
            ("ro" | "ds", Some((local, remote))) => {
                let (name, help, good) = if key == "ro" {
                    ("node_drbd_node_role_is_primary", "Whether the role of the node is in the primary state.", "Primary")
                } else {
                    ("node_drbd_disk_state_is_up_to_date", "Whether the disk of the node is up to date.", "UpToDate")
                };
                for (node, state) in [("local", local), ("remote", remote)] {
                    b.gauge(name, help).sample(&[labels[0], ("node", node)], f64::from(state == good));
                }
            }
            _ => {
                if let (Some((_, name, kind, factor, help)), Ok(v)) = (NUMBERS.iter().find(|n| n.0 == key), value.parse::<f64>()) {
                    b.family(&format!("node_drbd_{name}"), *kind, help).sample(&labels, v * factor);
                }
            }
        }
    }
    Ok(())
}
