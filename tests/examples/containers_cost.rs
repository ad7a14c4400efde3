//! What collecting 100 containers costs: the daemon with the cadvisor collector alone on a machine made of files, a collection a second.
//!
//!     cargo xtask plugins cadvisor && cargo build --release -p watchglass
//!     WATCHGLASS_BIN=target/release/watchglass cargo run -p watchglass-tests --example containers_cost -- [CONTAINERS] [SECONDS]

use std::fs;
use std::path::Path;
use std::time::Duration;

use watchglass_tests::{Daemon, plugins_dir};

/// Files of a container's cgroup in cgroup v2, as long as real ones are.
const V2: [(&str, &str); 15] = [
    (
        "cpu.stat",
        "usage_usec 4453854\nuser_usec 4400000\nsystem_usec 53854\nnr_periods 305\nnr_throttled 301\nthrottled_usec 18000957\nnr_bursts 0\nburst_usec 0\n",
    ),
    ("cpu.max", "20000 100000\n"),
    ("cpu.weight", "100\n"),
    ("memory.current", "33554432\n"),
    ("memory.peak", "33600000\n"),
    ("memory.max", "67108864\n"),
    ("memory.min", "0\n"),
    ("memory.swap.current", "0\n"),
    ("memory.swap.max", "max\n"),
    ("memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n"),
    ("io.stat", "8:0 rbytes=90112 wbytes=8192 rios=22 wios=2 dbytes=0 dios=0\n"),
    (
        "cpu.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=27121000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=27121000\n",
    ),
    (
        "memory.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    ),
    ("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
    ("cgroup.events", "populated 1\nfrozen 0\n"),
];

/// Lines of memory.stat that matter, among others that do not.
const MEMORY_STAT: [&str; 12] = [
    "anon",
    "file",
    "kernel",
    "file_mapped",
    "file_dirty",
    "file_writeback",
    "inactive_file",
    "active_file",
    "pgscan",
    "pgsteal",
    "pgfault",
    "pgmajfault",
];

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn make_machine(root: &Path, containers: usize) {
    let cgroups = root.join("sys/fs/cgroup");
    write(&cgroups.join("cgroup.controllers"), "cpu memory io pids\n");
    write(&cgroups.join("system.slice/cgroup.controllers"), "cpu memory io pids\n");
    let mut stat: String = MEMORY_STAT.iter().map(|k| format!("{k} 4096000\n")).collect();
    for i in 0..30 {
        stat.push_str(&format!("other_statistic_{i} 123456\n"));
    }
    let net = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n  eth0: 930 11 0 0 0 0 0 0 500 6 0 0 0 0 0 0\n";
    for i in 0..containers {
        let dir = cgroups.join(format!("system.slice/docker-{i:064x}.scope"));
        for (name, text) in V2 {
            write(&dir.join(name), text);
        }
        // Those that a kernel has beside them: they are listed, and not read.
        for other in 0..40 {
            write(&dir.join(format!("other.file.{other}")), "0\n");
        }
        write(&dir.join("memory.stat"), &stat);
        let pid = 1_000 + i;
        write(&dir.join("cgroup.procs"), &format!("{pid}\n"));
        write(&root.join(format!("proc/{pid}/net/dev")), net);
    }
    write(&root.join("proc/1/net/dev"), net);
    write(
        &root.join("proc/1/mountinfo"),
        "24 1 8:0 / / rw - ext4 /dev/sda rw\n25 24 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    );
    write(&root.join("proc/meminfo"), "MemTotal: 8053064 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    write(&root.join("proc/cpuinfo"), "processor : 0\nprocessor : 1\n");
    write(&root.join("proc/diskstats"), "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n");
}

/// Seconds of processor time that a process took so far.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit_once(") ").map_or("", |s| s.1).split(' ').map(|f| f.parse().unwrap_or(0.0)).collect();
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<usize>().expect("a number"));
    let (containers, seconds) = (args.next().unwrap_or(100), args.next().unwrap_or(30));
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("machine");
    make_machine(&root, containers);
    let at = |p: &str| root.join(p).to_string_lossy().into_owned();
    let toml = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = {plugins:?}\n[[collector]]\nname = \"cadvisor\"\nplugin = \"cadvisor\"\nscrape_interval = \"1s\"\n\
         grants = [{files:?}]\n[collector.config.path]\nprocfs = {proc:?}\nsysfs = {sys:?}\nrootfs = {root:?}\n",
        plugins = plugins_dir(),
        files = format!("files:{}", root.display()),
        proc = at("proc"),
        sys = at("sys"),
        root = root.to_string_lossy(),
    );
    let config = dir.path().join("watchglass.toml");
    fs::write(&config, toml).expect("a config");
    let daemon = Daemon::start(dir.path(), &["--config", &config.to_string_lossy()]);
    let collections = || daemon.number("count_over_time(up{job=\"cadvisor\"}[1h])").unwrap_or(0.0);
    while collections() < 3.0 {
        std::thread::sleep(Duration::from_millis(200));
    }
    let (count, cpu) = (collections(), cpu_seconds(daemon.pid()));
    std::thread::sleep(Duration::from_secs(seconds as u64));
    let (count, cpu) = (collections() - count, cpu_seconds(daemon.pid()) - cpu);
    let samples = daemon.number("scrape_samples_scraped{job=\"cadvisor\"}").unwrap_or(0.0);
    println!(
        "{containers} containers, {samples} samples: {:.1} ms of CPU a collection (of the whole daemon, over {count} collections)",
        cpu * 1e3 / count
    );
}
