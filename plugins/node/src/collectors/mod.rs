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
    conntrack true,
    cpu true,
    cpufreq true,
    diskstats true,
    entropy true,
    filefd true,
    filesystem true,
    kernel_hung true,
    loadavg true,
    meminfo true,
    netclass true,
    netdev true,
    netstat true,
    os true,
    pressure true,
    schedstat true,
    selinux true,
    sockstat true,
    softnet true,
    stat true,
    time true,
    timex true,
    udp_queues true,
    uname true,
    vmstat true,
}

/// Gives every collector there is, by name.
pub fn known() -> &'static [Known] {
    KNOWN
}
