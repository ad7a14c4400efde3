//! The node collector beside a real node_exporter: on this machine as it is, and in a small world that has more in it.
//!
//! node_exporter is scraped before and after each of our collections. Nothing that it tells may be missing, and a value may differ only if
//! it changed meanwhile, and then lies between. Chance is ruled out by repeating: a series is at fault when it fails every time.

#[path = "../../plugins/node/tests/support/exporter.rs"]
mod exporter;
#[path = "../../plugins/node/tests/support/exposition.rs"]
mod exposition;
#[path = "../../plugins/node/tests/support/flags.rs"]
mod flags;

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use exporter::Exporter;
use exposition::comparable;
use watchglass_model::exposition::{Family, write_text};
use watchglass_plugin::{Call, Collector, CollectorSpec, Compiler, Grants, Host, HostOptions};
use watchglass_plugin_node::known;
use watchglass_tests::{Units, plugins_dir, root, skip};

/// How often the two are compared at most.
const ROUNDS: usize = 20;

/// What we grant: everything that any of the collectors may want.
const GRANTS: [&str; 4] = ["files:/", "unix:/run/dbus/system_bus_socket", "system:*", "dns:*"];

/// What both are told beside the collectors to run.
const FLAGS: &[&str] = &[
    "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "--collector.netdev.address-info",
    "--collector.netdev.label-ifalias",
    "--collector.cpu.info",
    "--collector.stat.softirq",
    "--collector.netstat.fields=.*",
    "--collector.vmstat.fields=.*",
    "--collector.diskstats.device-exclude=^$",
    "--collector.textfile.directory=/nonexistent",
    "--collector.sysctl.include=kernel.threads-max",
    "--collector.sysctl.include-info=kernel.ostype",
    "--collector.systemd.unit-exclude=.+\\.(automount|device|mount|scope|slice)",
    "--collector.systemd.enable-task-metrics",
    "--collector.systemd.enable-restarts-metrics",
    "--collector.systemd.enable-start-time-metrics",
];

/// What may differ: the beginning of a series, how (`-` missing, `+` ours alone, `!` another value), and why. 1.11 is what is compared
/// with; we follow 1.12.
const KNOWN: &[(&str, &str, &str)] = &[
    ("node_arp_states", "+", "new in 1.12"),
    ("node_edac_channel_", "+", "new in 1.12"),
    ("node_ksmd_general_profit_bytes", "+", "new in 1.12"),
    ("node_mountstats_nfs_mountpoint_info", "+", "new in 1.12"),
    ("node_memory_", "+", "fields of newer kernels that 1.11 does not know"),
    ("node_disk_info", "+-", "1.11 says rotational 0 where it can't read another of the queue's files"),
    ("node_filesystem_readonly", "!", "1.11 tells a read-only file system that has other options too as writable"),
    ("node_processes_", "!+-", "counts the processes and threads of whoever asks"),
    ("node_sockstat_sockets_used", "!", "counts the sockets of whoever asks"),
    ("node_tcp_connection_states", "!+-", "counts the connection of the scrape itself, which is idle while we ask"),
];

/// What is of node_exporter itself.
fn not_compared(name: &str) -> bool {
    let own = ["go_", "process_", "promhttp_", "node_exporter_build_info", "node_scrape_collector_duration_seconds"];
    own.iter().any(|p| name.starts_with(p))
}

/// The collectors that both have, as flags for node_exporter and for us.
fn all_flags(program: &Path) -> (Vec<String>, Vec<String>) {
    let help = Command::new(program).arg("--help").output().expect("node_exporter --help");
    let help = String::from_utf8_lossy(&[help.stdout, help.stderr].concat()).into_owned();
    let (both, ours): (Vec<&str>, Vec<&str>) =
        known().iter().map(|c| c.name).partition(|n| help.split_whitespace().any(|w| w == format!("--collector.{n}")));
    let given = FLAGS.iter().map(|f| (*f).to_owned());
    let mut flags: Vec<String> = both.iter().map(|n| format!("--collector.{n}")).chain(given).collect();
    let mut theirs = flags.clone();
    theirs.push("--collector.disable-defaults".to_owned());
    flags.extend(ours.iter().map(|n| format!("--no-collector.{n}")));
    (theirs, flags)
}

struct Ours {
    collector: Collector,
    runtime: tokio::runtime::Runtime,
    _host: Host,
    _cache: tempfile::TempDir,
}

impl Ours {
    fn new(config: &serde_json::Value) -> Ours {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let options = HostOptions { compiler: Compiler::InProcess, ..HostOptions::new(cache.path().join("cache")) };
        let (host, collector) = runtime.block_on(async {
            let host = Host::new(options).unwrap();
            let plugin = host.load(&plugins_dir().join("node.wasm")).await.unwrap();
            let spec = CollectorSpec {
                name: "node".to_owned(),
                config_json: config.to_string(),
                grants: Grants::parse(&GRANTS).unwrap(),
                ..CollectorSpec::default()
            };
            let collector = host.collector(plugin, spec).await.unwrap();
            (host, collector)
        });
        Ours { collector, runtime, _host: host, _cache: cache }
    }

    /// Collects once: the exposition, and what the collectors say went wrong.
    fn collect(&self) -> (String, Vec<String>) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let call = Call { target: None, scheduled_at: now, deadline: Duration::from_secs(20), sequence: 0 };
        let collection = self.runtime.block_on(self.collector.collect(call)).outcome.expect("a collection");
        let evidence = collection.evidence.iter().map(|e| e.text.clone()).collect();
        (write_text(&Family::from_batch(&collection.samples, now)), evidence)
    }
}

/// All series with their values, and families with their types.
fn series(text: &str) -> BTreeMap<String, String> {
    let families = comparable(text, not_compared);
    families
        .into_iter()
        .flat_map(|(name, f)| f.into_iter().map(move |(s, v)| (s.replace("# TYPE", &format!("# TYPE {name}")), v)))
        .collect()
}

/// What is wrong with ours, by series.
fn faults(
    before: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut faults = BTreeMap::new();
    for (name, first) in before {
        let Some(last) = after.get(name) else { continue };
        match ours.get(name) {
            None => {
                faults.insert(name.clone(), format!("- {first}"));
            }
            Some(value) => {
                let fits = match [first, value, last].map(|v| v.parse::<f64>()) {
                    [Ok(a), Ok(v), Ok(b)] => (a.min(b)..=a.max(b)).contains(&v) || v.is_nan() && a.is_nan(),
                    _ => value == first,
                };
                if !fits {
                    faults.insert(name.clone(), format!("! before {first}, ours {value}, after {last}"));
                }
            }
        }
    }
    let extra = ours.iter().filter(|(name, _)| !before.contains_key(*name) && !after.contains_key(*name));
    faults.extend(extra.map(|(name, value)| (name.clone(), format!("+ {value}"))));
    faults
}

fn is_known(name: &str, fault: &str) -> bool {
    let name = name.strip_prefix("# TYPE ").unwrap_or(name);
    KNOWN.iter().any(|(prefix, how, _)| name.starts_with(prefix) && how.contains(&fault[..1]))
}

/// Compares until no series is left at fault, or the rounds are over; prints and gives what is left, the known apart.
fn compare(exporter: &Exporter, ours: &Ours) -> BTreeMap<String, String> {
    let mut left: Option<BTreeMap<String, String>> = None;
    let mut rounds = 0;
    while rounds < ROUNDS && left.as_ref().is_none_or(|l| l.iter().any(|(n, f)| !is_known(n, f))) {
        rounds += 1;
        let before = series(&exporter.scrape());
        // As while it is scraped itself: one connection more.
        let connection = TcpStream::connect(exporter.address()).unwrap();
        let (text, evidence) = ours.collect();
        drop(connection);
        let (own, after) = (series(&text), series(&exporter.scrape()));
        if rounds == 1 {
            eprintln!(
                "node_exporter {}: {} series, ours {}; evidence: {evidence:#?}",
                exporter.version,
                before.len(),
                own.len()
            );
        }
        let faults = faults(&before, &own, &after);
        left = Some(match left {
            None => faults,
            Some(mut left) => {
                left.retain(|name, fault| faults.get(name).map(|f| *fault = f.clone()).is_some());
                left
            }
        });
    }
    let (known, wrong): (BTreeMap<_, _>, BTreeMap<_, _>) =
        left.unwrap_or_default().into_iter().partition(|(n, f)| is_known(n, f));
    eprintln!("after {rounds} rounds: {} series differ for a known reason, {} for none", known.len(), wrong.len());
    known.iter().for_each(|(name, fault)| eprintln!("  known: {fault:.1} {name}"));
    wrong.iter().for_each(|(name, fault)| eprintln!("  {name}: {fault}"));
    wrong
}

#[test]
fn on_this_machine() {
    let Some(program) = exporter::find() else { return skip("on_this_machine", "node_exporter") };
    let (theirs, flags) = all_flags(&program);
    let exporter = Exporter::start(&program, &theirs, &[]);
    let ours = Ours::new(&flags::config(&flags));
    let wrong = compare(&exporter, &ours);
    assert!(wrong.is_empty(), "{} series differ: {wrong:#?}", wrong.len());
}

#[test]
fn in_a_world_of_its_own() {
    if std::env::var_os("WATCHGLASS_WORLD").is_some() {
        return inside();
    }
    let Some(_) = exporter::find() else { return skip("in_a_world_of_its_own", "node_exporter") };
    let allowed = Command::new("unshare").args(["--net", "--mount", "--pid", "--fork", "true"]).status();
    if !allowed.is_ok_and(|s| s.success()) {
        return skip("in_a_world_of_its_own", "leave to make namespaces (root)");
    }
    let done = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "sh"])
        .arg(root().join("tests/tests/node_world.sh"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_world_of_its_own", "--nocapture"])
        .env("WATCHGLASS_WORLD", "1")
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "the comparison inside failed: {}", String::from_utf8_lossy(&done.stdout));
}

/// The comparison in the world that `node_world.sh` has made.
fn inside() {
    let temp = tempfile::tempdir().unwrap();
    let program = exporter::find().unwrap();
    let units = Units::start(Path::new("/run/dbus/system_bus_socket"), temp.path());
    if units.is_none() {
        skip("systemd and logind", "dbus-daemon");
    }
    let (theirs, flags) = all_flags(&program);
    let bus = [("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/system_bus_socket")];
    let exporter = Exporter::start(&program, &theirs, &bus);
    let ours = Ours::new(&flags::config(&flags));
    let wrong = compare(&exporter, &ours);
    let (text, _) = ours.collect();
    // The world has something in it.
    for wanted in ["node_network_routes{", "node_qdisc_packets_total{", "node_arp_entries{", "node_ethtool_info{"] {
        assert!(text.contains(wanted), "no {wanted}");
    }
    assert!(
        units.is_none() || text.contains("node_systemd_socket_accepted_connections_total{name=\"web.socket\"} 77"),
        "no units"
    );
    assert!(wrong.is_empty(), "{} series differ: {wrong:#?}", wrong.len());
    drop(exporter);
    a_hung_mount();
}

/// A FUSE mount that nobody serves: statfs(2) on it does not come back.
fn a_hung_mount() {
    let dir = Path::new("/run/hung");
    std::fs::create_dir_all(dir).unwrap();
    let mount = "exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 hung /run/hung && echo up && exec sleep 600";
    let child = Command::new("bash").args(["-c", mount]).stdout(std::process::Stdio::piped()).spawn();
    let mut child = child.expect("bash");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    if line.trim() != "up" {
        child.wait().unwrap();
        return skip("a mount that hangs", "FUSE");
    }
    let config =
        serde_json::json!({"filesystem": {"mount-timeout": 1, "mount-points-exclude": "^/(dev|proc|sys)($|/)"}});
    let ours = Ours::new(&config);
    let error = "node_filesystem_device_error{device=\"hung\",device_error=\"mountpoint timeout\",fstype=\"fuse\",mountpoint=\"/run/hung\"} 1";
    let took = |what: &str| {
        let start = Instant::now();
        let (text, evidence) = ours.collect();
        let took = start.elapsed();
        eprintln!("{what}: {took:?} {evidence:?}");
        assert!(
            text.contains("mountpoint=\"/run/with space\"") && text.contains("node_load1 "),
            "{what}: the others are gone"
        );
        (took, text)
    };
    let (first, text) = took("while it hangs");
    assert!(text.contains(error) && first >= Duration::from_millis(900), "{first:?}\n{text}");
    let (second, text) = took("while it still hangs");
    assert!(text.contains(error) && second < Duration::from_millis(900), "it waited again: {second:?}");
    // Nobody is left to serve it: the kernel gives up, and the thread that asked comes back.
    child.kill().unwrap();
    child.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while took("when it is back").1.contains("mountpoint timeout") {
        assert!(Instant::now() < end, "it answers as hung for ever");
    }
}
