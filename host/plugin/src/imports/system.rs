//! The system interface.

use super::errors::Error;
use crate::bindings::wit::system::*;
use crate::state::State;

macro_rules! later { ($($name:ident($($arg:ident: $t:ty),*) -> $r:ty;)*) => { impl Host for State { $(
    async fn $name(&mut self, $($arg: $t),*) -> wasmtime::Result<Result<$r, Error>> { $(let _ = $arg;)* Ok(Err(Error::Unsupported("not yet".into()))) }
)* } } }
later! {
    clock_adjustment() -> ClockState;
    uname() -> KernelNames;
    constants() -> MachineConstants;
    time_zone() -> TimeZoneState;
    network_links() -> Vec<Link>;
    network_addresses() -> Vec<InterfaceAddress>;
    network_routes() -> Vec<Route>;
    network_neighbours() -> Vec<Neighbour>;
    network_queues() -> Vec<Queue>;
    ethtool_driver(a: String) -> EthtoolDriverInfo;
    ethtool_link(a: String) -> EthtoolLinkInfo;
    ethtool_stats(a: String) -> Vec<(String, u64)>;
    wifi_interfaces() -> Vec<WifiInterface>;
    wifi_stations(a: u32) -> Vec<WifiStation>;
    btrfs(a: String) -> BtrfsVolume;
}
