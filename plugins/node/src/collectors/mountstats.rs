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
const EVENTS: [(&str, &str); 27] = [
    ("inode_revalidate", "Number of times cached inode attributes are re-validated from the server."),
    ("dnode_revalidate", "Number of times cached dentry nodes are re-validated from the server."),
    ("data_invalidate", "Number of times an inode cache is cleared."),
    ("attribute_invalidate", "Number of times cached inode attributes are invalidated."),
    ("vfs_open", "Number of times files or directories have been opened."),
    ("vfs_lookup", "Number of times a directory lookup has occurred."),
    ("vfs_access", "Number of times permissions have been checked."),
    ("vfs_update_page", "Number of updates (and potential writes) to pages."),
    ("vfs_read_page", "Number of pages read directly via mmap()'d files."),
    ("vfs_read_pages", "Number of times a group of pages have been read."),
    ("vfs_write_page", "Number of pages written directly via mmap()'d files."),
    ("vfs_write_pages", "Number of times a group of pages have been written."),
    ("vfs_getdents", "Number of times directory entries have been read with getdents()."),
    ("vfs_setattr", "Number of times attributes have been set."),
    ("vfs_flush", "Number of pending writes that have been forcefully flushed to the server."),
    ("vfs_fsync", "Number of times fsync() has been called on directories and files."),
    ("vfs_lock", "Number of times locking has been attempted on a file."),
    ("vfs_file_release", "Number of times files have been closed and released."),
    ("", ""),
    ("truncation", "Number of times files have been truncated."),
    ("write_extension", "Number of times a file has been grown due to writes beyond its existing end."),
    ("silly_rename", "Number of times a file was removed while still open by another process."),
    ("short_read", "Number of times the NFS server gave less data than expected while reading."),
    ("short_write", "Number of times the NFS server wrote less data than expected while writing."),
    ("jukebox_delay", "Number of times the NFS server indicated EJUKEBOX; retrieving data from offline storage."),
    ("pnfs_read", "Number of NFS v4.1+ pNFS reads."),
    ("pnfs_write", "Number of NFS v4.1+ pNFS writes."),
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
        b.gauge("node_mountstats_nfs_mountpoint_info", "Info metric for an NFS mountpoint.")
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
    for ((name, help), v) in EVENTS.iter().zip(numbers(events)).filter(|e| !e.0.0.is_empty()) {
        b.counter(&format!("node_mountstats_nfs_event_{name}_total"), help).sample(labels, v);
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
