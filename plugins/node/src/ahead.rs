//! What collectors will ask for in any case, asked for in two calls at the beginning: crossing the border costs more than reading a file of procfs.

use crate::machine::Machine;
use std::collections::BTreeMap;
use watchglass_sdk::Error;
use watchglass_sdk::files::{Entry, Files, MAX_TEXT, Stat, Usage};

/// By collector: files of procfs, and folders of sysfs.
const WANTED: &[(&str, &[&str], &[&str])] = &[
    ("bcache", &[], &["fs/bcache"]),
    ("btrfs", &["1/mountinfo"], &["fs/btrfs"]),
    (
        "conntrack",
        &["sys/net/netfilter/nf_conntrack_count", "sys/net/netfilter/nf_conntrack_max", "net/stat/nf_conntrack"],
        &[],
    ),
    ("cpu", &["stat"], &["devices/system/cpu"]),
    ("cpufreq", &[], &["devices/system/cpu"]),
    ("diskstats", &["diskstats"], &[]),
    ("dmi", &[], &["class/dmi/id"]),
    ("dmmultipath", &[], &["block"]),
    ("edac", &[], &["devices/system/edac/mc"]),
    ("entropy", &["sys/kernel/random/entropy_avail", "sys/kernel/random/poolsize"], &[]),
    ("fibrechannel", &[], &["class/fc_host"]),
    ("filefd", &["sys/fs/file-nr"], &[]),
    ("filesystem", &["1/mountinfo"], &[]),
    ("hwmon", &[], &["class/hwmon"]),
    ("infiniband", &[], &["class/infiniband"]),
    ("interrupts", &["interrupts"], &[]),
    ("ipvs", &["net/ip_vs_stats", "net/ip_vs"], &[]),
    ("kernel_hung", &["sys/kernel/hung_task_detect_count"], &[]),
    ("loadavg", &["loadavg"], &[]),
    ("mdadm", &["mdstat"], &["block"]),
    ("meminfo", &["meminfo"], &[]),
    ("netclass", &[], &["class/net"]),
    ("netstat", &["net/netstat", "net/snmp", "net/snmp6"], &[]),
    ("nfs", &["net/rpc/nfs"], &[]),
    ("nfsd", &["net/rpc/nfsd"], &[]),
    ("nvme", &[], &["class/nvme"]),
    ("powersupplyclass", &[], &["class/power_supply"]),
    ("pressure", &["pressure/cpu", "pressure/io", "pressure/memory", "pressure/irq"], &[]),
    ("rapl", &[], &["class/powercap"]),
    ("schedstat", &["schedstat"], &[]),
    ("sockstat", &["net/sockstat", "net/sockstat6"], &[]),
    ("softnet", &["net/softnet_stat"], &[]),
    ("stat", &["stat"], &[]),
    ("tapestats", &[], &["class/scsi_tape"]),
    ("thermal_zone", &[], &["class/thermal"]),
    ("udp_queues", &["net/udp", "net/udp6"], &[]),
    ("vmstat", &["vmstat"], &[]),
    ("watchdog", &[], &["class/watchdog"]),
    ("xfs", &[], &["fs/xfs"]),
];

/// The machine's files, some of them read already.
pub(crate) struct Ahead<'m> {
    files: &'m dyn Files,
    read: BTreeMap<String, Result<Vec<u8>, Error>>,
    listed: BTreeMap<String, Result<Vec<Entry>, Error>>,
}

impl<'m> Ahead<'m> {
    /// Reads what the enabled collectors want.
    pub(crate) fn new(m: &Machine<'m>, enabled: impl Fn(&str) -> bool) -> Ahead<'m> {
        let wanted = || WANTED.iter().filter(|w| enabled(w.0));
        let unique = |mut paths: Vec<String>| {
            paths.sort_unstable();
            paths.dedup();
            paths
        };
        let paths = unique(wanted().flat_map(|w| w.1).map(|p| m.proc(p)).collect());
        let dirs = unique(wanted().flat_map(|w| w.2).map(|p| m.sys(p)).collect());
        let read = m.files.read_many(&paths, MAX_TEXT);
        let listed = m.files.list_many(&dirs);
        Ahead {
            files: m.files,
            read: paths.into_iter().zip(read).collect(),
            listed: dirs.into_iter().zip(listed).collect(),
        }
    }
}

impl Files for Ahead<'_> {
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        match self.read.get(path) {
            Some(read) => read.clone(),
            None => self.files.read(path, max),
        }
    }
    fn read_many(&self, paths: &[String], max_each: u32) -> Vec<Result<Vec<u8>, Error>> {
        self.files.read_many(paths, max_each)
    }
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        match self.listed.get(path) {
            Some(listed) => listed.clone(),
            None => self.files.list_dir(path),
        }
    }
    fn list_many(&self, paths: &[String]) -> Vec<Result<Vec<Entry>, Error>> {
        self.files.list_many(paths)
    }
    fn read_link(&self, path: &str) -> Result<String, Error> {
        self.files.read_link(path)
    }
    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        self.files.metadata(path)
    }
    fn disk_usage(&self, mount_point: &str, timeout_ms: u32) -> Result<Usage, Error> {
        self.files.disk_usage(mount_point, timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::WANTED;

    #[test]
    fn collectors_exist_and_stand_once() {
        let known: Vec<&str> = crate::known().iter().map(|c| c.name).collect();
        assert!(WANTED.iter().all(|w| known.contains(&w.0)));
        assert!(WANTED.is_sorted_by(|a, b| a.0 < b.0));
    }
}
