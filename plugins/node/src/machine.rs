//! The machine as collectors see it: files below its roots, system calls, options, the time.

use crate::collectors::{cpu, pcidevice};
use crate::dbus::Stream;
use crate::options::Options;
use watchglass_sdk::files::Files;
use watchglass_sdk::net::Connection;
use watchglass_sdk::{Error, system};

/// Where the system's bus listens.
const BUS: &str = "/run/dbus/system_bus_socket";

/// How long the bus may take for one answer.
const BUS_TIMEOUT_MS: u32 = 2_000;

/// What needs a system call. A method that is not there for a test answers `unsupported`.
pub trait System {
    /// Names of the kernel and the machine.
    fn uname(&self) -> Result<system::KernelNames, Error> {
        unsupported()
    }
    /// Bytes in a page of memory.
    fn page_size(&self) -> u32 {
        4_096
    }
    /// The state of the clock's discipline.
    fn clock_adjustment(&self) -> Result<system::ClockState, Error> {
        unsupported()
    }
    /// The time zone now.
    fn time_zone(&self) -> Result<system::TimeZoneState, Error> {
        unsupported()
    }
    /// Network devices.
    fn network_links(&self) -> Result<Vec<system::Link>, Error> {
        unsupported()
    }
    /// Their addresses.
    fn network_addresses(&self) -> Result<Vec<system::InterfaceAddress>, Error> {
        unsupported()
    }
    /// Routes.
    fn network_routes(&self) -> Result<Vec<system::Route>, Error> {
        unsupported()
    }
    /// Neighbours.
    fn network_neighbours(&self) -> Result<Vec<system::Neighbour>, Error> {
        unsupported()
    }
    /// Queueing disciplines.
    fn network_queues(&self) -> Result<Vec<system::Queue>, Error> {
        unsupported()
    }
    /// A device's driver.
    fn ethtool_driver(&self, _device: &str) -> Result<system::EthtoolDriverInfo, Error> {
        unsupported()
    }
    /// A device's link settings.
    fn ethtool_link(&self, _device: &str) -> Result<system::EthtoolLinkInfo, Error> {
        unsupported()
    }
    /// A driver's counters.
    fn ethtool_stats(&self, _device: &str) -> Result<Vec<(String, u64)>, Error> {
        unsupported()
    }
    /// Wireless devices.
    fn wifi_interfaces(&self) -> Result<Vec<system::WifiInterface>, Error> {
        unsupported()
    }
    /// Stations of a wireless device.
    fn wifi_stations(&self, _index: u32) -> Result<Vec<system::WifiStation>, Error> {
        unsupported()
    }
    /// A new connection to the machine's D-Bus.
    fn bus(&self) -> Result<Box<dyn Stream + '_>, Error> {
        unsupported()
    }
    /// The Btrfs file system mounted there.
    fn btrfs(&self, _mount_point: &str) -> Result<system::BtrfsVolume, Error> {
        unsupported()
    }
}

fn unsupported<T>() -> Result<T, Error> {
    Err(Error::Unsupported("no such call here".to_owned()))
}

/// The host's system calls.
#[derive(Clone, Copy, Debug)]
pub struct HostSystem;

impl System for HostSystem {
    fn uname(&self) -> Result<system::KernelNames, Error> {
        system::uname()
    }
    fn page_size(&self) -> u32 {
        // Without the grant: what nearly every machine has.
        system::constants().map_or(4_096, |c| c.page_size)
    }
    fn clock_adjustment(&self) -> Result<system::ClockState, Error> {
        system::clock_adjustment()
    }
    fn time_zone(&self) -> Result<system::TimeZoneState, Error> {
        system::time_zone()
    }
    fn network_links(&self) -> Result<Vec<system::Link>, Error> {
        system::network_links()
    }
    fn network_addresses(&self) -> Result<Vec<system::InterfaceAddress>, Error> {
        system::network_addresses()
    }
    fn network_routes(&self) -> Result<Vec<system::Route>, Error> {
        system::network_routes()
    }
    fn network_neighbours(&self) -> Result<Vec<system::Neighbour>, Error> {
        system::network_neighbours()
    }
    fn network_queues(&self) -> Result<Vec<system::Queue>, Error> {
        system::network_queues()
    }
    fn ethtool_driver(&self, device: &str) -> Result<system::EthtoolDriverInfo, Error> {
        system::ethtool_driver(device)
    }
    fn ethtool_link(&self, device: &str) -> Result<system::EthtoolLinkInfo, Error> {
        system::ethtool_link(device)
    }
    fn ethtool_stats(&self, device: &str) -> Result<Vec<(String, u64)>, Error> {
        system::ethtool_stats(device)
    }
    fn wifi_interfaces(&self) -> Result<Vec<system::WifiInterface>, Error> {
        system::wifi_interfaces()
    }
    fn wifi_stations(&self, index: u32) -> Result<Vec<system::WifiStation>, Error> {
        system::wifi_stations(index)
    }
    fn bus(&self) -> Result<Box<dyn Stream + '_>, Error> {
        Ok(Box::new(Connection::unix(BUS, BUS_TIMEOUT_MS)?))
    }
    fn btrfs(&self, mount_point: &str) -> Result<system::BtrfsVolume, Error> {
        system::btrfs(mount_point)
    }
}

/// What collectors remember between collections.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) cpu: cpu::Seen,
    pub(crate) pci_names: pcidevice::ids::Found,
}

/// The machine during one collection.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) system: &'a dyn System,
    pub(crate) options: &'a Options,
    /// The collection's time in milliseconds of Unix time.
    pub(crate) now_ms: i64,
    /// When the collection must be over, on the monotonic clock.
    pub(crate) deadline_ns: u64,
}

impl std::fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

impl<'a> Machine<'a> {
    /// Makes the machine for a collection at `now_ms` (milliseconds of Unix time) that must be over at `deadline_ns` (monotonic clock).
    pub fn new(
        files: &'a dyn Files,
        system: &'a dyn System,
        options: &'a Options,
        now_ms: i64,
        deadline_ns: u64,
    ) -> Machine<'a> {
        Machine { files, system, options, now_ms, deadline_ns }
    }

    /// Gives the path of a file in procfs.
    pub(crate) fn proc(&self, path: &str) -> String {
        join(self.options.text("path", "procfs"), path)
    }

    /// Gives the path of a file in sysfs.
    pub(crate) fn sys(&self, path: &str) -> String {
        join(self.options.text("path", "sysfs"), path)
    }

    /// Gives the path of a file of the machine.
    pub(crate) fn root(&self, path: &str) -> String {
        join(self.options.text("path", "rootfs"), path)
    }

    /// Reads a file of procfs.
    pub(crate) fn proc_text(&self, path: &str) -> Result<String, Error> {
        self.files.text(&self.proc(path))
    }

    /// Reads a file of sysfs, trimmed.
    pub(crate) fn sys_text(&self, path: &str) -> Result<String, Error> {
        Ok(self.files.text(&self.sys(path))?.trim().to_owned())
    }

    /// Lists a folder of sysfs, sorted; one that is not there is `not-found`.
    pub(crate) fn sys_names(&self, path: &str) -> Result<Vec<String>, Error> {
        Ok(self.files.list_dir(&self.sys(path))?.into_iter().map(|e| e.name).collect())
    }

    /// Lists a folder of sysfs that is there only while there is something in it.
    pub(crate) fn sys_names_if_any(&self, path: &str) -> Result<Vec<String>, Error> {
        self.files.names(&self.sys(path))
    }

    /// Reads the files `names` in each of `dirs` (below sysfs) in one go: for each folder the texts in the names' order.
    pub(crate) fn attributes<D: AsRef<str>>(&self, dirs: &[D], names: &[&str]) -> Vec<Vec<Option<String>>> {
        let dirs: Vec<String> = dirs.iter().map(|d| self.sys(d.as_ref())).collect();
        let paths: Vec<String> = dirs.iter().flat_map(|d| names.iter().map(move |n| format!("{d}/{n}"))).collect();
        let mut texts = self.files.texts(&paths).into_iter();
        dirs.iter().map(|_| texts.by_ref().take(names.len()).collect()).collect()
    }

    /// Reads every plain file in each of `dirs` (below sysfs): for each folder the names and trimmed texts.
    pub(crate) fn all_attributes(&self, dirs: &[String]) -> Vec<Vec<(String, String)>> {
        use watchglass_sdk::files::EntryKind;
        let dirs: Vec<String> = dirs.iter().map(|d| self.sys(d)).collect();
        let listed = self.files.list_many(&dirs);
        let names: Vec<Vec<String>> = listed
            .into_iter()
            .map(|l| l.unwrap_or_default().into_iter().filter(|e| e.kind == EntryKind::File).map(|e| e.name).collect())
            .collect();
        let paths: Vec<String> =
            dirs.iter().zip(&names).flat_map(|(d, ns)| ns.iter().map(move |n| format!("{d}/{n}"))).collect();
        let mut texts = self.files.texts(&paths).into_iter();
        names
            .into_iter()
            .map(|ns| {
                let n = ns.len();
                let texts: Vec<Option<String>> = texts.by_ref().take(n).collect();
                ns.into_iter().zip(texts).filter_map(|(name, text)| Some((name, text?))).collect()
            })
            .collect()
    }
}

fn join(root: &str, path: &str) -> String {
    format!("{}/{}", root.trim_end_matches('/'), path.trim_start_matches('/'))
}
