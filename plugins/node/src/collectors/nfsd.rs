//! What the NFS server served (/proc/net/rpc/nfsd).

use crate::collectors::nfs::{V2, V3, line};
use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Operations of NFS 4, numbered as in RFC 7530 from 3 on. What has no name here (PutPubFH, PutRootFH) node_exporter does not show.
const V4: [&str; 37] = [
    "Access", "Close", "Commit", "Create", "DelegPurge", "DelegReturn", "GetAttr", "GetFH", "Link", "Lock", "Lockt", "Locku", "Lookup", "LookupRoot", "Nverify",
    "Open", "OpenAttr", "OpenConfirm", "OpenDgrd", "PutFH", "", "", "Read", "ReadDir", "ReadLink", "Remove", "Rename", "Renew", "RestoreFH",
    "SaveFH", "SecInfo", "SetAttr", "SetClientID", "SetClientIDConfirm", "Verify", "Write", "RelLockOwner",
];

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("net/rpc/nfsd")?;
    for (name, index, metric, kind, help) in [
        ("rc", 0, "reply_cache_hits_total", Kind::Counter, "Total number of NFSd Reply Cache hits (client lost server response)."),
        ("rc", 1, "reply_cache_misses_total", Kind::Counter, "Total number of NFSd Reply Cache an operation that requires caching (idempotent)."),
        ("rc", 2, "reply_cache_nocache_total", Kind::Counter, "Total number of NFSd Reply Cache non-idempotent operations (rename/delete/…)."),
        ("fh", 0, "file_handles_stale_total", Kind::Counter, "Total number of NFSd stale file handles"),
        ("io", 0, "disk_bytes_read_total", Kind::Counter, "Total NFSd bytes read."),
        ("io", 1, "disk_bytes_written_total", Kind::Counter, "Total NFSd bytes written."),
        ("th", 0, "server_threads", Kind::Gauge, "Total number of NFSd kernel threads that are running."),
        ("ra", 0, "read_ahead_cache_size_blocks", Kind::Gauge, "How large the read ahead cache is in blocks."),
        ("ra", 11, "read_ahead_cache_not_found_total", Kind::Counter, "Total number of NFSd read ahead cache not found."),
        ("net", 3, "connections_total", Kind::Counter, "Total number of NFSd TCP connections."),
        ("rpc", 0, "server_rpcs_total", Kind::Counter, "Total number of NFSd RPCs."),
    ] {
        if let Some(v) = line(&text, name).get(index) {
            b.family(&format!("node_nfsd_{metric}"), kind, help).value(*v);
        }
    }
    for (index, proto) in [(1, "udp"), (2, "tcp")] {
        if let Some(v) = line(&text, "net").get(index) {
            b.counter("node_nfsd_packets_total", "Total NFSd network packets (sent+received) by protocol type.").sample(&[("proto", proto)], *v);
        }
    }
    for (index, error) in [(2, "fmt"), (3, "auth"), (4, "cInt")] {
        if let Some(v) = line(&text, "rpc").get(index) {
            b.counter("node_nfsd_rpc_errors_total", "Total number of NFSd RPC errors by error type.").sample(&[("error", error)], *v);
        }
    }
    // The line of version 4 begins with its count and the three operations that are none.
    for (name, proto, methods, skip) in [("proc2", "2", &V2[..], 1), ("proc3", "3", &V3[..], 1), ("proc4ops", "4", &V4[..], 4)] {
        let named = methods.iter().zip(line(&text, name).into_iter().skip(skip)).filter(|(m, _)| !matches!(**m, "" | "Null"));
        for (method, value) in named {
            b.counter("node_nfsd_requests_total", "Total number NFSd Requests by method and protocol.")
                .sample(&[("proto", proto), ("method", method)], value);
        }
    }
    if let Some(v) = line(&text, "wdeleg_getattr").first() {
        b.counter("node_nfsd_requests_total", "Total number NFSd Requests by method and protocol.")
            .sample(&[("proto", "4"), ("method", "WdelegGetattr")], *v);
    }
    Ok(())
}
