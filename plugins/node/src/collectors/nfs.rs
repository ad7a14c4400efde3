//! What the NFS client asked for (/proc/net/rpc/nfs).

use crate::machine::{Machine, Memory};
use crate::text::junk;
use watchglass_sdk::prelude::*;

pub(crate) const V2: [&str; 18] = [
    "Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write", "Create", "Remove", "Rename", "Link", "SymLink", "MkDir", "RmDir",
    "ReadDir", "FsStat",
];

pub(crate) const V3: [&str; 22] = [
    "Null", "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read", "Write", "Create", "MkDir", "SymLink", "MkNod", "Remove", "RmDir", "Rename", "Link",
    "ReadDir", "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit",
];

/// The client's procedures, in the kernel's order (linux/nfs4.h, NFSPROC4_CLNT_*); GetDeviceInfo and LayoutGet stand as node_exporter has
/// them, for the same series.
const V4: [&str; 59] = [
    "Null", "Read", "Write", "Commit", "Open", "OpenConfirm", "OpenNoattr", "OpenDowngrade", "Close", "Setattr", "FsInfo", "Renew", "SetClientID",
    "SetClientIDConfirm", "Lock", "Lockt", "Locku", "Access", "Getattr", "Lookup", "LookupRoot", "Remove", "Rename", "Link", "Symlink", "Create", "Pathconf",
    "StatFs", "ReadLink", "ReadDir", "ServerCaps", "DelegReturn", "GetACL", "SetACL", "FsLocations", "ReleaseLockowner", "Secinfo", "FsidPresent",
    "ExchangeID", "CreateSession", "DestroySession", "Sequence", "GetLeaseTime", "ReclaimComplete", "GetDeviceInfo", "LayoutGet", "LayoutCommit",
    "LayoutReturn", "SecinfoNoName", "TestStateID", "FreeStateID", "GetDeviceList", "BindConnToSession", "DestroyClientID", "Seek", "Allocate",
    "DeAllocate", "LayoutStats", "Clone",
];

/// A line's numbers, after its name.
pub(crate) fn line(text: &str, name: &str) -> Vec<f64> {
    let found = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or("").split_ascii_whitespace().filter_map(|w| w.parse().ok()).collect()
}

/// Collects.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let text = m.proc_text("net/rpc/nfs")?;
    let [_, udp, tcp, connections] = line(&text, "net")[..] else { return Err(junk(&text, "net/rpc/nfs")) };
    b.counter("node_nfs_packets_total", "Total NFSd network packets (sent+received) by protocol type.")
        .sample(&[("protocol", "udp")], udp)
        .sample(&[("protocol", "tcp")], tcp);
    b.counter("node_nfs_connections_total", "Total number of NFSd TCP connections.").value(connections);
    let [calls, retransmissions, refreshes] = line(&text, "rpc")[..] else { return Err(junk(&text, "net/rpc/nfs")) };
    b.counter("node_nfs_rpcs_total", "Total number of RPCs performed.").value(calls);
    b.counter("node_nfs_rpc_retransmissions_total", "Number of RPC transmissions performed.").value(retransmissions);
    b.counter("node_nfs_rpc_authentication_refreshes_total", "Number of RPC authentication refreshes performed.").value(refreshes);
    for (name, proto, methods) in [("proc2", "2", &V2[..]), ("proc3", "3", &V3[..]), ("proc4", "4", &V4[..])] {
        // An older kernel counts fewer; what it does not know was never called.
        let values = line(&text, name).into_iter().skip(1).chain(std::iter::repeat(0.0));
        for (method, value) in methods.iter().zip(values) {
            b.counter("node_nfs_requests_total", "Number of NFS procedures invoked.").sample(&[("proto", proto), ("method", method)], value);
        }
    }
    Ok(())
}
