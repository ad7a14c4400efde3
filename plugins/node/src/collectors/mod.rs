//! Every collector: one file each, and one line in the table.

use crate::machine::{Machine, Memory};
use watchglass_sdk::{Batch, Error};

/// A collector as the table knows it.
#[derive(Clone, Copy)]
pub struct Known {
    /// Its name, as in node_exporter's flags.
    pub name: &'static str,
    /// Whether it runs unless disabled.
    pub default_on: bool,
    pub(crate) collect: fn(&Machine, &mut Memory, &mut Batch) -> Result<(), Error>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("name", &self.name).field("default_on", &self.default_on).finish_non_exhaustive()
    }
}

/// Declares the collectors' modules and the table of them.
macro_rules! collectors {
    ($($name:ident $on:literal,)*) => {
        $(pub(crate) mod $name;)*

        const KNOWN: &[Known] = &[$(Known { name: stringify!($name), default_on: $on, collect: $name::collect }),*];
    };
}

collectors! {
    arp true,
    bcache true,
    bcachefs false,
    bonding true,
    btrfs true,
    buddyinfo false,
    cgroups false,
    conntrack true,
    cpu true,
    cpu_vulnerabilities false,
    cpufreq true,
    diskstats true,
    dmi true,
    dmmultipath true,
    drbd false,
    drm false,
    edac true,
    entropy true,
    ethtool false,
    fibrechannel true,
    filefd true,
    filesystem true,
    hwmon true,
    infiniband true,
    interrupts false,
    ipvs true,
    kernel_hung true,
    ksmd false,
    lnstat false,
    loadavg true,
    logind false,
    mdadm true,
    meminfo true,
    meminfo_numa false,
    mountstats false,
    netclass true,
    netdev true,
    netstat true,
    network_route false,
    nfs true,
    nfsd true,
    nvme true,
    nvmesubsystem false,
    os true,
    pcidevice false,
    powersupplyclass true,
    pressure true,
    processes false,
    qdisc false,
    rapl true,
    schedstat true,
    selinux true,
    slabinfo false,
    sockstat true,
    softirqs false,
    softnet true,
    stat true,
    swap false,
    sysctl false,
    systemd false,
    tapestats true,
    tcpstat false,
    textfile true,
    thermal_zone true,
    time true,
    timex true,
    udp_queues true,
    uname true,
    vmstat true,
    watchdog true,
    wifi false,
    xfrm false,
    xfs true,
    zfs true,
    zoneinfo false,
}

/// Gives every collector there is, by name.
pub fn known() -> &'static [Known] {
    KNOWN
}
