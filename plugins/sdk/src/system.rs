//! What a machine tells only through system calls; grants `system:NAME`.

use crate::Error;
use crate::bindings::collector::watchglass::plugin::system as wit;

pub use wit::{
    BtrfsDevice, BtrfsVolume, ClockState, EthtoolDriverInfo, EthtoolLinkInfo, InterfaceAddress, KernelNames, Link,
    LinkCounters, MachineConstants, Neighbour, NextHop, Queue, Route, TimeZoneState, WifiBss, WifiInterface,
    WifiStation,
};

/// Gives the state of the kernel's clock discipline (adjtimex); grant `system:clock-adjustment`.
pub fn clock_adjustment() -> Result<ClockState, Error> {
    wit::clock_adjustment()
}

/// Gives the names of the kernel and the machine (uname); grant `system:uname`.
pub fn uname() -> Result<KernelNames, Error> {
    wit::uname()
}

/// Gives page size, clock ticks and the number of processors; grant `system:constants`.
pub fn constants() -> Result<MachineConstants, Error> {
    wit::constants()
}

/// Gives the machine's time zone now; grant `system:time-zone`.
pub fn time_zone() -> Result<TimeZoneState, Error> {
    wit::time_zone()
}

/// Lists the network devices with their counters; grant `system:network-links`.
pub fn network_links() -> Result<Vec<Link>, Error> {
    wit::network_links()
}

/// Lists the addresses of all network devices; grant `system:network-addresses`.
pub fn network_addresses() -> Result<Vec<InterfaceAddress>, Error> {
    wit::network_addresses()
}

/// Lists the routes of all tables; grant `system:network-routes`.
pub fn network_routes() -> Result<Vec<Route>, Error> {
    wit::network_routes()
}

/// Lists the neighbours on all links; grant `system:network-neighbours`.
pub fn network_neighbours() -> Result<Vec<Neighbour>, Error> {
    wit::network_neighbours()
}

/// Lists the queueing disciplines of all network devices; grant `system:network-queues`.
pub fn network_queues() -> Result<Vec<Queue>, Error> {
    wit::network_queues()
}

/// Gives a network device's driver; grant `system:ethtool-driver`.
pub fn ethtool_driver(device: &str) -> Result<EthtoolDriverInfo, Error> {
    wit::ethtool_driver(device)
}

/// Gives a network device's link settings; grant `system:ethtool-link`.
pub fn ethtool_link(device: &str) -> Result<EthtoolLinkInfo, Error> {
    wit::ethtool_link(device)
}

/// Gives a network driver's own counters; grant `system:ethtool-stats`.
pub fn ethtool_stats(device: &str) -> Result<Vec<(String, u64)>, Error> {
    wit::ethtool_stats(device)
}

/// Lists the wireless devices; grant `system:wifi-interfaces`.
pub fn wifi_interfaces() -> Result<Vec<WifiInterface>, Error> {
    wit::wifi_interfaces()
}

/// Lists the stations of a wireless device; grant `system:wifi-stations`.
pub fn wifi_stations(index: u32) -> Result<Vec<WifiStation>, Error> {
    wit::wifi_stations(index)
}

/// Gives the Btrfs file system mounted at a path, with its devices' error counters; grant `system:btrfs`.
pub fn btrfs(mount_point: &str) -> Result<BtrfsVolume, Error> {
    wit::btrfs(mount_point)
}
