//! A machine that lies: files cut short, junk, files that vanish, mounts that hang, counters that go back.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use serde_json::json;
use std::collections::BTreeMap;
use support::FixtureSystem;
use watchglass_plugin_node::{Machine, Memory, Options, known, run};
use watchglass_sdk::Error;
use watchglass_sdk::files::{Entry, EntryKind, Files, Stat, Usage};

/// A machine out of a table of files; mounts below /hung hang.
#[derive(Clone, Default)]
struct Made(BTreeMap<String, Vec<u8>>);

impl Made {
    fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Made {
        self.0.insert(path.to_owned(), content.into());
        self
    }
}

impl Files for Made {
    fn read(&self, path: &str, _max: u32) -> Result<Vec<u8>, Error> {
        self.0.get(path).cloned().ok_or_else(|| Error::NotFound(path.to_owned()))
    }
    fn read_many(&self, paths: &[String], max: u32) -> Vec<Result<Vec<u8>, Error>> {
        paths.iter().map(|p| self.read(p, max)).collect()
    }
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut names: Vec<(String, bool)> = self
            .0
            .keys()
            .filter_map(|k| k.strip_prefix(&prefix))
            .map(|rest| rest.split_once('/').map_or((rest.to_owned(), true), |(dir, _)| (dir.to_owned(), false)))
            .collect();
        names.dedup();
        if names.is_empty() {
            return Err(Error::NotFound(path.to_owned()));
        }
        let kind = |file| if file { EntryKind::File } else { EntryKind::Directory };
        Ok(names.into_iter().map(|(name, file)| Entry { name, kind: kind(file) }).collect())
    }
    fn read_link(&self, path: &str) -> Result<String, Error> {
        Err(Error::NotFound(path.to_owned()))
    }
    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        Err(Error::NotFound(path.to_owned()))
    }
    fn disk_usage(&self, mount_point: &str, _timeout_ms: u32) -> Result<Usage, Error> {
        match mount_point {
            "/hung" => Err(Error::TimedOut),
            "/secret" => Err(Error::Denied("files:/secret".to_owned())),
            _ => Ok(Usage { size: 1_000, free: 500, available: 400, files: 10, files_free: 5, read_only: false }),
        }
    }
}

fn everything() -> Options {
    let all: Vec<&str> = known().iter().map(|c| c.name).collect();
    Options::decode(&json!({"enable": all, "textfile": {"directory": "/text"}})).unwrap()
}

fn collect(files: &dyn Files, memory: &mut Memory) -> (watchglass_sdk::Batch, Vec<&'static str>) {
    let (options, system) = (everything(), FixtureSystem { dir: std::path::PathBuf::new() });
    let machine = Machine::new(files, &system, &options, 0, u64::MAX);
    let (batch, failures) = run(&machine, memory);
    (batch, failures.into_iter().map(|f| f.0).collect())
}

#[test]
fn an_empty_machine_has_little_to_tell_and_no_fault() {
    let (batch, _) = collect(&Made::default(), &mut Memory::default());
    assert_eq!(batch.get("node_scrape_collector_success", &[("collector", "cpu")]), Some(0.0));
    assert_eq!(batch.get("node_scrape_collector_success", &[("collector", "time")]), Some(1.0));
}

#[test]
fn hung_and_withheld_mounts_leave_the_others() {
    let mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /hung rw - nfs srv:/x rw\n3 1 8:2 / /secret rw - ext4 /dev/sda2 rw\n4 1 8:3 / /ro ro - ext4 /dev/sda3 rw\n5 1 0:5 / /proc/x rw - tmpfs tmpfs rw\n";
    let (batch, failures) = collect(&Made::default().with("/proc/1/mountinfo", mounts), &mut Memory::default());
    let labels = |device: &'static str, point: &'static str, kind: &'static str, error: &'static str| {
        [("device", device), ("mountpoint", point), ("fstype", kind), ("device_error", error)]
    };
    assert_eq!(batch.get("node_filesystem_avail_bytes", &labels("/dev/sda1", "/", "ext4", "")), Some(400.0));
    assert_eq!(
        batch.get("node_filesystem_device_error", &labels("srv:/x", "/hung", "nfs", "mountpoint timeout")),
        Some(1.0)
    );
    assert_eq!(batch.get("node_filesystem_readonly", &labels("/dev/sda3", "/ro", "ext4", "")), Some(1.0));
    let text = batch.to_text();
    assert!(!text.contains("/secret") && !text.contains("/proc/x"), "{text}");
    assert!(!failures.contains(&"filesystem"));
}

#[test]
fn counters_of_processors_do_not_go_back() {
    let stat = |idle: u32, user: u32| {
        Made::default().with("/proc/stat", format!("cpu 1\ncpu0 {user} 0 0 {idle} 0 0 0 0 0 0\n"))
    };
    let value = |batch: &watchglass_sdk::Batch, mode: &str| {
        batch.get("node_cpu_seconds_total", &[("cpu", "0"), ("mode", mode)])
    };
    let mut memory = Memory::default();
    collect(&stat(1_000, 500), &mut memory);
    // A little back: held. Three seconds back: the processor was away and began anew.
    let (batch, _) = collect(&stat(990, 490), &mut memory);
    assert_eq!((value(&batch, "idle"), value(&batch, "user")), (Some(10.0), Some(5.0)));
    let (batch, _) = collect(&stat(100, 50), &mut memory);
    assert_eq!((value(&batch, "idle"), value(&batch, "user")), (Some(1.0), Some(0.5)));
}

/// Contents as they are, as they may be cut, and as they must never be.
#[test]
fn junk_in_any_file_is_a_fault_of_its_collector_alone() {
    let good: &[(&str, &str)] = &[
        (
            "/proc/stat",
            "cpu0 1 2 3 4 5 6 7 8 9 10\nintr 7\nctxt 8\nbtime 9\nprocesses 10\nprocs_running 1\nprocs_blocked 0\nsoftirq 1 2 3\n",
        ),
        ("/proc/meminfo", "MemTotal: 10 kB\nHugePages_Total: 3\n"),
        ("/proc/loadavg", "0.1 0.2 0.3 1/2 3\n"),
        ("/proc/vmstat", "pgpgin 3\n"),
        ("/proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"),
        ("/proc/net/dev", "a\nb\neth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
        ("/proc/net/netstat", "TcpExt: ListenDrops\nTcpExt: 4\n"),
        ("/proc/net/snmp", "Tcp: InSegs\nTcp: 4\n"),
        ("/proc/net/snmp6", "Udp6InErrors 3\n"),
        ("/proc/net/sockstat", "sockets: used 3\nTCP: inuse 1 mem 2\n"),
        ("/proc/net/softnet_stat", "0a 0b 0c 00 00 00 00 00 00 00 00\n"),
        ("/proc/net/udp", "h\n 0: 0:1 0:0 07 00000001:00000002 x\n"),
        ("/proc/net/tcp", "h\n 0: 0:1 0:0 0A 00000001:00000002 x\n"),
        ("/proc/net/arp", "h\n1.2.3.4 0x1 0x2 a b eth0\n"),
        ("/proc/net/ip_vs", "a\nb\nc\nTCP C0A80016:0CEA wlc\n -> C0A85216:0CEA Tunnel 100 248 2\n"),
        ("/proc/net/ip_vs_stats", "a\nb\n1 2 3 4 5\n"),
        ("/proc/net/rpc/nfs", "net 1 2 3 4\nrpc 1 2 3\nproc2 1 2\n"),
        ("/proc/net/rpc/nfsd", "rc 1 2 3\nproc4ops 5 0 0 0 1 2\n"),
        ("/proc/net/xfrm_stat", "XfrmInError 1\n"),
        ("/proc/net/stat/arp_cache", "a b\n1 2\n"),
        (
            "/proc/mdstat",
            "Personalities : [raid1]\nmd0 : active raid1 a[0] b[1]\n 9 blocks [2/2] [UU]\n resync = 1% (1/9)\n",
        ),
        ("/proc/interrupts", "  CPU0 CPU1\n 0: 1 2 chip dev\nNMI: 1 2 text\nERR: 0\n"),
        ("/proc/softirqs", " CPU0\n HI: 1\n"),
        ("/proc/slabinfo", "slabinfo - 2\n# x\na 1 2 3 4 5 : x\n"),
        ("/proc/buddyinfo", "Node 0, zone DMA 1 2\n"),
        ("/proc/zoneinfo", "Node 0, zone DMA\n pages free 3\n protection: (0, 1)\n"),
        ("/proc/cgroups", "#h\ncpu 1 2 1\n"),
        ("/proc/swaps", "h\n/dev/a partition 10 5 -2\n"),
        ("/proc/drbd", " 1: cs:Connected ro:Primary/Secondary ds:UpToDate/x C r\n ns:1 oos:2\n"),
        ("/proc/schedstat", "cpu0 1 2 3 4 5 6 7 8 9\n"),
        ("/proc/pressure/cpu", "some avg10=0 total=5\n"),
        (
            "/proc/self/mountstats",
            "device a:/b mounted on /c with fstype nfs4 statvers=1.1\n age: 1\n bytes: 1\n events: 1\n xprt: tcp 1\n per-op statistics\n READ: 1 2\n",
        ),
        ("/proc/7/stat", "7 (x) S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 3 0 9\n"),
        ("/proc/spl/kstat/zfs/arcstats", "h\nname type data\nhits 4 8\n"),
        ("/proc/cpuinfo", "processor : 0\nflags : a b\n"),
        ("/sys/class/hwmon/hwmon0/temp1_input", "1000"),
        ("/sys/class/net/eth0/flags", "0x1003"),
        ("/sys/class/thermal/thermal_zone0/temp", "1000"),
        ("/sys/fs/xfs/sda/stats/stats", "abt 1 2 3 4\n"),
        ("/sys/fs/bcachefs/a-b/errors", "x 1 2\n"),
        ("/sys/fs/bcache/a-b/bdev0/writeback_rate_debug", "rate: 1.1M/sec\n"),
        ("/text/a.prom", "a 1\n"),
    ];
    let whole = good.iter().fold(Made::default(), |m, (p, c)| m.with(p, *c));
    let (batch, _) = collect(&whole, &mut Memory::default());
    assert!(batch.len() > 200, "{}", batch.len());
    let junk: [&[u8]; 6] = [
        b"",
        b"\0\xff\xfe\x01",
        b"-1 : ] [ ( \n\n:\n",
        b"99999999999999999999999999 x\n",
        "\u{fffd}: \u{fffd}[\n".as_bytes(),
        b"cpu \ncpu0\nNode\n ->\n( ) (\n",
    ];
    for (path, content) in good {
        for bad in junk.iter().copied().chain((1..content.len()).step_by(3).map(|n| &content.as_bytes()[..n])) {
            let (batch, _) = collect(&whole.clone().with(path, bad), &mut Memory::default());
            // Whatever it was: the others tell what they told.
            let other = if path.contains("loadavg") { "node_forks_total" } else { "node_load1" };
            assert!(batch.get(other, &[]).is_some(), "{path} took {other} with it");
        }
    }
}

/// A machine on which one file is listed, and gone when it is read.
struct Vanishing<'m> {
    made: &'m Made,
    gone: &'m str,
}

impl Files for Vanishing<'_> {
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        if path == self.gone { Err(Error::NotFound(path.to_owned())) } else { self.made.read(path, max) }
    }
    fn read_many(&self, paths: &[String], max: u32) -> Vec<Result<Vec<u8>, Error>> {
        paths.iter().map(|p| self.read(p, max)).collect()
    }
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        self.made.list_dir(path)
    }
    fn read_link(&self, path: &str) -> Result<String, Error> {
        self.made.read_link(path)
    }
    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        self.made.metadata(path)
    }
    fn disk_usage(&self, mount_point: &str, timeout_ms: u32) -> Result<Usage, Error> {
        self.made.disk_usage(mount_point, timeout_ms)
    }
}

#[test]
fn what_vanishes_between_listing_and_reading_leaves_its_neighbours() {
    // Of each pair one goes; the other must still be told, and the collector must not have failed.
    let pairs = [
        (
            "processes",
            "/proc/7/stat",
            "7 (x) S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 3 0 9\n",
            "/proc/8/stat",
            "node_processes_pids",
            1.0,
        ),
        (
            "hwmon",
            "/sys/class/hwmon/hwmon0/temp1_input",
            "1000",
            "/sys/class/hwmon/hwmon0/temp2_input",
            "node_hwmon_temp_celsius",
            1.0,
        ),
        ("netclass", "/sys/class/net/eth0/mtu", "1500", "/sys/class/net/eth1/mtu", "node_network_mtu_bytes", 1_500.0),
        (
            "thermal_zone",
            "/sys/class/thermal/thermal_zone0/temp",
            "1000",
            "/sys/class/thermal/thermal_zone1/temp",
            "node_thermal_zone_temp",
            1.0,
        ),
        (
            "powersupplyclass",
            "/sys/class/power_supply/A/capacity",
            "9",
            "/sys/class/power_supply/B/capacity",
            "node_power_supply_capacity",
            9.0,
        ),
        ("textfile", "/text/a.prom", "a 1\n", "/text/b.prom", "a", 1.0),
    ];
    for (collector, gone, content, kept, family, value) in pairs {
        let made = Made::default()
            .with("/proc/sys/kernel/threads-max", "1\n")
            .with("/proc/sys/kernel/pid_max", "1\n")
            .with("/sys/class/thermal/thermal_zone1/type", "x\n")
            .with(gone, content)
            .with(kept, content);
        let (batch, failures) = collect(&Vanishing { made: &made, gone }, &mut Memory::default());
        let text = batch.to_text();
        let told: Vec<&str> = text.lines().filter(|l| l.split(['{', ' ']).next() == Some(family)).collect();
        let values: Vec<f64> = told.iter().filter_map(|l| l.rsplit(' ').next()?.parse().ok()).collect();
        assert_eq!(values, [value], "{collector} without {gone}: {told:?}");
        assert!(!failures.contains(&collector), "{collector} failed for {gone}");
    }
}

#[test]
fn counters_that_wrap_are_told_as_they_are() {
    let machine = |received: u64, sectors: u64| {
        Made::default()
            .with("/proc/net/dev", format!("a\nb\neth0: {received} 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"))
            .with("/proc/diskstats", format!("8 0 sda 1 2 {sectors} 4 5 6 7 8 9 10 11\n"))
    };
    let options = Options::decode(&json!({"netdev": {"netlink": false}})).unwrap();
    let system = FixtureSystem { dir: std::path::PathBuf::new() };
    let mut memory = Memory::default();
    // A counter of 32 bits at its end, then behind it; one of 64 bits at its end, and the biggest that sectors can be.
    for (received, sectors) in [(u64::from(u32::MAX), 7), (5, u64::from(u32::MAX) + 1), (u64::MAX, u64::MAX)] {
        let made = machine(received, sectors);
        let (batch, _) = run(&Machine::new(&made, &system, &options, 0, u64::MAX), &mut memory);
        assert_eq!(batch.get("node_network_receive_bytes_total", &[("device", "eth0")]), Some(received as f64));
        assert_eq!(batch.get("node_disk_read_bytes_total", &[("device", "sda")]), Some(sectors as f64 * 512.0));
    }
}
