//! Counters of NFS mounts (/proc/self/mountstats).

use crate::machine::{Machine, Memory};
use crate::mounts::unescape;
use std::collections::BTreeSet;
use watchglass_sdk::prelude::*;

const BYTES: [(&str, &str); 8] = [
    ("read_bytes_total", "Number of bytes read using the read() syscall."),
    ("write_bytes_total", "Number of bytes written using the write() syscall."),
    ("direct_read_bytes_total", "Number of bytes read using the read() syscall in O_DIRECT mode."),
    ("direct_write_bytes_total", "Number of bytes written using the write() syscall in O_DIRECT mode."),
    ("total_read_bytes_total", "Number of bytes read from the NFS server, in total."),
    ("total_write_bytes_total", "Number of bytes written to the NFS server, in total."),
    ("read_pages_total", "Number of pages read directly via mmap()'d files."),
    ("write_pages_total", "Number of pages written directly via mmap()'d files."),
];

/// In the kernel's order (linux/nfs_iostat.h); the empty one is no longer counted.
const EVENTS: [&str; 27] = [
    "inode_revalidate", "dnode_revalidate", "data_invalidate", "attribute_invalidate", "vfs_open", "vfs_lookup", "vfs_access", "vfs_update_page",
    "vfs_read_page", "vfs_read_pages", "vfs_write_page", "vfs_write_pages", "vfs_getdents", "vfs_setattr", "vfs_flush", "vfs_fsync", "vfs_lock",
    "vfs_file_release", "", "truncation", "write_extension", "silly_rename", "short_read", "short_write", "jukebox_delay", "pnfs_read", "pnfs_write",
];

/// The whole numbers that a double holds exactly.
const MANTISSA: u64 = (1 << 53) - 1;

const OPERATIONS: [(&str, f64, &str); 8] = [
    ("requests_total", 1.0, "Number of requests performed for a given operation."),
    ("transmissions_total", 1.0, "Number of times an actual RPC request has been transmitted for a given operation."),
    ("major_timeouts_total", 1.0, "Number of times a request has had a major timeout for a given operation."),
    ("sent_bytes_total", 1.0, "Number of bytes sent for a given operation, including RPC headers and payload."),
    ("received_bytes_total", 1.0, "Number of bytes received for a given operation, including RPC headers and payload."),
    ("queue_time_seconds_total", 1e-3, "Duration all requests spent queued for transmission for a given operation before they were sent, in seconds."),
    ("response_time_seconds_total", 1e-3, "Duration all requests took to get a reply back after a request for a given operation was transmitted, in seconds."),
    ("request_time_seconds_total", 1e-3, "Duration all requests took from when a request was enqueued to when it was completely handled for a given operation, in seconds."),
];

/// Metric, kind, column over TCP and over UDP, where it has one.
const TRANSPORT: [(&str, Kind, usize, Option<usize>, &str); 10] = [
    ("bind_total", Kind::Counter, 1, Some(1), "Number of times the client has had to establish a connection from scratch to the NFS server."),
    ("connect_total", Kind::Counter, 2, None, "Number of times the client has made a TCP connection to the NFS server."),
    ("idle_time_seconds", Kind::Gauge, 4, None, "Duration since the NFS mount last saw any RPC traffic, in seconds."),
    ("sends_total", Kind::Counter, 5, Some(2), "Number of RPC requests for this mount sent to the NFS server."),
    ("receives_total", Kind::Counter, 6, Some(3), "Number of RPC responses for this mount received from the NFS server."),
    ("bad_transaction_ids_total", Kind::Counter, 7, Some(4), "Number of times the NFS server sent a response with a transaction ID unknown to this client."),
    ("backlog_queue_total", Kind::Counter, 9, Some(6), "Total number of items added to the RPC backlog queue."),
    ("maximum_rpc_slots", Kind::Gauge, 10, Some(7), "Maximum number of simultaneously active RPC requests ever used."),
    ("sending_queue_total", Kind::Counter, 11, Some(8), "Total number of items added to the RPC transmission sending queue."),
    ("pending_queue_total", Kind::Counter, 12, Some(9), "Total number of items added to the RPC transmission pending queue."),
];

/// Collects. Mounts of the same export share their counters; they are told once, the mount points each.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("self/mountstats")?;
    let mut seen = BTreeSet::new();
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("device ") {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    for block in &blocks {
        let Some((head, rest)) = block.split_first() else { continue };
        let words: Vec<&str> = head.split(' ').collect();
        let ["device", export, "mounted", "on", point, "with", "fstype", "nfs" | "nfs4", ..] = words.as_slice() else { continue };
        let find = |name: &str| rest.iter().find_map(|l| l.trim().strip_prefix(name)).unwrap_or("").trim();
        let options = find("opts:");
        let option = |name: &str| options.split(',').find_map(|o| o.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
        let address = match option("mountaddr") {
            "" => export.split(':').next().unwrap_or(""),
            address => address,
        };
        let protocol = find("xprt:").split_ascii_whitespace().next().unwrap_or("");
        let labels = [("export", *export), ("protocol", protocol), ("mountaddr", address)];
        let mount = unescape(point);
        b.gauge("node_mountstats_nfs_mountpoint_info", "Labels an NFS mount's mountpoint.")
            .sample(&[labels[0], labels[1], labels[2], ("mountpoint", &mount)], 1.0);
        if seen.insert(labels) {
            put(b, &labels, rest, find("age:"), find("bytes:"), find("events:"));
        }
    }
    Ok(())
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_ascii_whitespace().filter_map(|w| w.parse().ok()).collect()
}

fn put(b: &mut Batch, labels: &[(&str, &str); 3], rest: &[&str], age: &str, bytes: &str, events: &str) {
    if let Ok(v) = age.parse() {
        b.counter("node_mountstats_nfs_age_seconds_total", "The age of the NFS mount in seconds.").sample(labels, v);
    }
    for ((name, help), v) in BYTES.iter().zip(numbers(bytes)) {
        b.counter(&format!("node_mountstats_nfs_{name}"), help).sample(labels, v);
    }
    for (name, v) in EVENTS.iter().zip(numbers(events)).filter(|e| !e.0.is_empty()) {
        b.counter(&format!("node_mountstats_nfs_event_{name}_total"), &format!("Number of times the event {name} came.")).sample(labels, v);
    }
    let transports = rest.iter().filter_map(|l| l.trim().strip_prefix("xprt:"));
    for (index, line) in transports.enumerate() {
        let tcp = line.trim_start().starts_with("tcp");
        let values = numbers(line.trim_start().split_once(' ').map_or("", |l| l.1));
        let index = index.to_string();
        for (name, kind, over_tcp, over_udp, help) in TRANSPORT {
            let column = if tcp { Some(over_tcp) } else { over_udp };
            // Older kernels have fewer columns; what is not counted is zero.
            let v = column.and_then(|c| values.get(c)).copied().unwrap_or(0.0);
            b.family(&format!("node_mountstats_nfs_transport_{name}"), kind, help).sample(&[labels[0], labels[1], labels[2], ("transport", &index)], v);
        }
    }
    let operations = rest.iter().skip_while(|l| l.trim() != "per-op statistics").skip(1);
    for (operation, values) in operations.filter_map(|l| l.trim().split_once(':')) {
        for ((name, factor, help), word) in OPERATIONS.iter().zip(values.split_ascii_whitespace()) {
            let Ok(v) = word.parse::<u64>() else { continue };
            // The kernel's times may have gone below zero and round; what a double can't hold exactly is cut, as node_exporter does.
            let v = if *factor < 1.0 { v & MANTISSA } else { v } as f64;
            b.counter(&format!("node_mountstats_nfs_operations_{name}"), help)
                .sample(&[labels[0], labels[1], labels[2], ("operation", operation)], v * factor);
        }
    }
}
