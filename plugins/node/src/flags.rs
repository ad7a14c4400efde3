//! Every flag that node_exporter has for its Linux collectors, under its name: `--collector.netdev.device-exclude` is
//! `device-exclude` in the table `netdev`, `--path.procfs` is `procfs` in `path`.

/// A flag's kind and its value where nobody sets it.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// On or off.
    Switch(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'static str),
    /// A regular expression; empty: none.
    Pattern(&'static str),
    /// A flag that repeats.
    List,
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The table it stands in: its collector, or `path`.
    pub table: &'static str,
    /// Its name in that table.
    pub name: &'static str,
    /// Kind and default.
    pub default: Preset,
    /// What it does.
    pub help: &'static str,
}

const fn flag(table: &'static str, name: &'static str, default: Preset, help: &'static str) -> Flag {
    Flag { table, name, default, help }
}

use Preset::{List, Number, Pattern, Switch, Text};

/// All flags.
pub const FLAGS: &[Flag] = &[
    flag("path", "procfs", Text("/proc"), "where procfs is mounted"),
    flag("path", "sysfs", Text("/sys"), "where sysfs is mounted"),
    flag("path", "rootfs", Text("/"), "where the machine's root is mounted"),
    flag("path", "udev.data", Text("/run/udev/data"), "where udev keeps its database"),
    flag("arp", "device-include", Pattern(""), "devices to show"),
    flag("arp", "device-exclude", Pattern(""), "devices to leave out"),
    flag("arp", "netlink", Switch(true), "ask the kernel's neighbour table instead of reading /proc/net/arp"),
    flag("bcache", "priorityStats", Switch(false), "show priority stats, which cost time"),
    flag("btrfs", "ioctl", Switch(true), "ask each file system for its devices' error counters"),
    flag("cpu", "guest", Switch(true), "show node_cpu_guest_seconds_total"),
    flag("cpu", "info", Switch(false), "show node_cpu_info"),
    flag("cpu", "info.flags-include", Pattern(""), "flags of cpuinfo to show"),
    flag("cpu", "info.bugs-include", Pattern(""), "bugs of cpuinfo to show"),
    flag("diskstats", "device-include", Pattern(""), "devices to show"),
    flag(
        "diskstats",
        "device-exclude",
        Pattern(r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$"),
        "devices to leave out",
    ),
    flag("ethtool", "device-include", Pattern(""), "devices to show"),
    flag("ethtool", "device-exclude", Pattern(""), "devices to leave out"),
    flag("ethtool", "metrics-include", Pattern(".*"), "statistics to show"),
    flag(
        "filesystem",
        "mount-points-exclude",
        Pattern(r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"),
        "mount points to leave out",
    ),
    flag("filesystem", "mount-points-include", Pattern(""), "mount points to show"),
    flag(
        "filesystem",
        "fs-types-exclude",
        Pattern(
            "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$",
        ),
        "file system types to leave out",
    ),
    flag("filesystem", "fs-types-include", Pattern(""), "file system types to show"),
    flag("filesystem", "mount-timeout", Number(5.0), "seconds to wait for a mount that hangs"),
    flag("filesystem", "stat-workers", Number(4.0), "taken for compatibility: the host bounds what hangs"),
    flag("hwmon", "chip-include", Pattern(""), "chips to show"),
    flag("hwmon", "chip-exclude", Pattern(""), "chips to leave out"),
    flag("hwmon", "sensor-include", Pattern(""), "sensors to show, as CHIP;SENSOR"),
    flag("hwmon", "sensor-exclude", Pattern(""), "sensors to leave out, as CHIP;SENSOR"),
    flag("interrupts", "name-include", Pattern(""), "interrupts to show"),
    flag("interrupts", "name-exclude", Pattern(""), "interrupts to leave out"),
    flag("interrupts", "include-zeros", Switch(true), "show interrupts that never came"),
    flag(
        "ipvs",
        "backend-labels",
        Text("local_address,local_port,remote_address,remote_port,proto,local_mark"),
        "labels of the backends",
    ),
    flag("netclass", "ignored-devices", Pattern("^$"), "devices to leave out"),
    flag("netclass", "ignore-invalid-speed", Switch(false), "leave out speeds that the kernel does not know"),
    flag("netclass", "netlink", Switch(false), "ask the kernel instead of reading /sys/class/net"),
    flag("netclass_rtnl", "with-stats", Switch(false), "taken for compatibility"),
    flag("netdev", "device-include", Pattern(""), "devices to show"),
    flag("netdev", "device-exclude", Pattern(""), "devices to leave out"),
    flag("netdev", "address-info", Switch(false), "show the devices' addresses"),
    flag("netdev", "enable-detailed-metrics", Switch(false), "show every counter of the kernel under its own name"),
    flag("netdev", "label-ifalias", Switch(false), "show the alias as a label"),
    flag("netdev", "netlink", Switch(true), "ask the kernel instead of reading /proc/net/dev"),
    flag(
        "netstat",
        "fields",
        Pattern(
            "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
        ),
        "fields to show",
    ),
    flag("pcidevice", "idsfile", Text(""), "the file of names; empty: where distributions keep it"),
    flag("pcidevice", "names", Switch(false), "show names of classes, vendors and devices as labels"),
    flag("powersupply", "ignored-supplies", Pattern("^$"), "power supplies to leave out"),
    flag("qdisc", "device-include", Pattern(""), "devices to show"),
    flag("qdisc", "device-exclude", Pattern(""), "devices to leave out"),
    flag("qdisc", "fixtures", Text(""), "a folder of recorded answers, for tests"),
    flag("rapl", "enable-zone-label", Switch(false), "one family with the zone as a label"),
    flag("slabinfo", "slabs-include", Pattern(".*"), "slabs to show"),
    flag("slabinfo", "slabs-exclude", Pattern(""), "slabs to leave out"),
    flag("stat", "softirq", Switch(false), "show node_softirqs_total"),
    flag("sysctl", "include", List, "numbers to show: NAME or NAME:FIELD,FIELD"),
    flag("sysctl", "include-info", List, "texts to show"),
    flag("systemd", "unit-include", Pattern(".+"), "units to show"),
    flag("systemd", "unit-exclude", Pattern(r".+\.(automount|device|mount|scope|slice)"), "units to leave out"),
    flag("systemd", "private", Switch(false), "taken for compatibility: the bus is used"),
    flag("systemd", "enable-task-metrics", Switch(false), "show tasks of each service"),
    flag("systemd", "enable-restarts-metrics", Switch(false), "show restarts of each service"),
    flag("systemd", "enable-start-time-metrics", Switch(false), "show the start time of each unit"),
    flag("tapestats", "ignored-devices", Pattern("^$"), "tapes to leave out"),
    flag("textfile", "directory", List, "folders of *.prom files"),
    flag("vmstat", "fields", Pattern("^(oom_kill|pgpg|pswp|pg.*fault).*"), "fields to show"),
    flag("wifi", "fixtures", Text(""), "a folder of recorded answers, for tests"),
];
