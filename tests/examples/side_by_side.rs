//! Beside the processes that are replaced, on the same targets and rules in one run: memory and CPU over so many seconds, or (`fault`) the
//! time from stopping a service to the request at Slack. Prints a table.
//!
//!     cargo xtask plugins && cargo build --release -p watchglass
//!     WATCHGLASS_BIN=target/release/watchglass cargo run -p watchglass-tests --example side_by_side -- 300
//!     WATCHGLASS_BIN=target/release/watchglass cargo run -p watchglass-tests --example side_by_side -- fault
//!
//! Needs redis-server, and prometheus, prometheus-alertmanager, prometheus-node-exporter and prometheus-redis-exporter in `WATCHGLASS_PEERS` or on the PATH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use watchglass_tests::{App, Daemon, Redis, Sink, free_port, now_ms, plugins_dir, root};

/// Time for every process to collect a first time before the clock starts.
const WARM_UP: Duration = Duration::from_secs(30);

struct Process {
    name: String,
    pid: u32,
    cpu_before: f64,
    _child: Option<Stopped>,
}

/// A child that ends with us.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the seed's rules lack for a fault of either: a scrape that fails, and an exporter whose server is gone.
const FAULT_RULES: &str = "groups:
- name: faults
  rules:
  - {alert: InstanceDown, expr: up == 0, for: 1m, labels: {severity: critical}}
  - {alert: RedisUnreachable, expr: redis_up == 0, for: 1m, labels: {severity: critical}}
";
const RULE_FILES: [&str; 3] = ["alerts.yml", "recording_rules.yml", "faults.yml"];

fn main() {
    let argument = std::env::args().nth(1);
    let dir = tempfile::tempdir().expect("a folder");
    let redis = Redis::start().expect("redis-server is installed");
    let (app, sink) = (App::start(), Sink::start());
    if argument.as_deref() == Some("fault") {
        faults(dir.path(), redis, app, &sink);
    } else {
        measure(dir.path(), &redis, &app, &sink, argument.and_then(|a| a.parse().ok()).unwrap_or(300));
    }
}

/// The seed's rules and routing in a folder, sending to a path of the sink.
fn write_seed(dir: &Path, sink: &str, rules: &str) {
    let seed = root().join("examples/seed");
    fs::create_dir_all(dir).expect("a folder");
    for name in ["alerts.yml", "recording_rules.yml"] {
        fs::copy(seed.join(name), dir.join(name)).expect("the seed's files");
    }
    fs::write(dir.join("faults.yml"), rules).expect("a file");
    let routing = fs::read_to_string(seed.join("alertmanager.yml")).expect("the seed's files");
    let routing = routing.replace("https://hooks.slack.com/services/YOUR/SLACK/WEBHOOK", sink);
    fs::write(dir.join("alertmanager.yml"), routing).expect("a file");
}

/// Stops the app, then Redis, and tells when each stack's Slack heard of it.
fn faults(dir: &Path, mut redis: Redis, mut app: App, sink: &Sink) {
    const STACKS: [(&str, &str); 3] = [
        ("theirs", "Prometheus and Alertmanager"),
        ("ours", "watchglass"),
        ("after", "watchglass, `evaluate_after_scrape`"),
    ];
    let folder = |name: &str| dir.join(name);
    for (name, _) in STACKS {
        write_seed(&folder(name), &sink.url(name), FAULT_RULES);
    }
    let _ours = (start_ours(&folder("ours"), &redis, &app, false), start_ours(&folder("after"), &redis, &app, true));
    let _theirs = start_theirs(&folder("theirs"), &redis, &app);
    sleep(WARM_UP);
    println!("| stack | app stopped, s | redis stopped, s |\n|---|---|---|");
    app.stop();
    let first = time_to_slack(sink, STACKS.map(|(name, _)| name), &["InstanceDown"]);
    app.resume();
    redis.stop();
    let second = time_to_slack(sink, STACKS.map(|(name, _)| name), &["RedisUnreachable", "RedisDown"]);
    for (number, (_, what)) in STACKS.iter().enumerate() {
        println!("| {what} | {:.1} | {:.1} |", first[number], second[number]);
    }
    println!("\nload average {}", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
}

/// Seconds from now until each stack's first message with one of these titles.
fn time_to_slack(sink: &Sink, stacks: [&str; 3], titles: &[&str]) -> [f64; 3] {
    let began = now_ms();
    loop {
        let received = sink.received();
        let times = stacks.map(|stack| {
            let told = |m: &&watchglass_tests::Received| {
                m.path == stack && m.at >= began && titles.iter().any(|t| m.body["attachments"][0]["title"] == *t)
            };
            received.iter().find(told).map(|m| (m.at - began) as f64 / 1000.0)
        });
        if let [Some(a), Some(b), Some(c)] = times {
            return [a, b, c];
        }
        assert!(now_ms() - began < 300_000, "not told within five minutes: {times:?}");
        sleep(Duration::from_millis(100));
    }
}

fn measure(dir: &Path, redis: &Redis, app: &App, sink: &Sink, seconds: u64) {
    write_seed(dir, &sink.url("slack"), "groups: []\n");
    let mut ours = start_ours(dir, redis, app, false);
    let mut theirs = start_theirs(dir, redis, app);
    sleep(WARM_UP);
    for process in ours.1.iter_mut().chain(&mut theirs) {
        process.cpu_before = cpu_seconds(process.pid);
    }
    let began = Instant::now();
    eprintln!("measuring for {seconds} s");
    sleep(Duration::from_secs(seconds));
    let elapsed = began.elapsed().as_secs_f64();
    println!("Over {elapsed:.0} s; load average {}:\n", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    println!("| process | PSS MiB | RSS MiB | CPU s |\n|---|---|---|---|");
    let a = table("watchglass (node, app, redis in it)", &ours.1);
    let b = table("sum of the others", &theirs);
    println!("\nratio ours / theirs: PSS {:.2}, CPU {:.2}", a.0 / b.0, a.1 / b.1);
}

fn table(sum: &str, processes: &[Process]) -> (f64, f64) {
    let (mut pss, mut rss, mut cpu) = (0.0, 0.0, 0.0);
    for p in processes {
        let (p_pss, p_rss, p_cpu) = (memory(p.pid, "Pss:"), memory(p.pid, "Rss:"), cpu_seconds(p.pid) - p.cpu_before);
        println!("| {} | {p_pss:.1} | {p_rss:.1} | {p_cpu:.2} |", p.name);
        (pss, rss, cpu) = (pss + p_pss, rss + p_rss, cpu + p_cpu);
    }
    if processes.len() > 1 {
        println!("| **{sum}** | **{pss:.1}** | **{rss:.1}** | **{cpu:.2}** |");
    }
    (pss, cpu)
}

fn start_ours(dir: &Path, redis: &Redis, app: &App, after_scrape: bool) -> (Daemon, Vec<Process>) {
    let toml = format!(
        "[global]\nscrape_interval = \"15s\"\n[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = {:?}\n[storage]\npath = \"ours\"\n\
         [rules]\nfiles = {RULE_FILES:?}\nevaluate_after_scrape = {after_scrape}\n[alerting]\nconfig = \"alertmanager.yml\"\n\
         [[collector]]\nname = \"node_exporter\"\nplugin = \"node\"\nscrape_interval = \"15s\"\ngrants = [\"files:/proc\", \"files:/sys\", \"files:/etc\", \"files:/run\", \"system:*\"]\n\
         [[collector]]\nname = \"redis\"\nplugin = \"redis\"\nscrape_interval = \"15s\"\ntargets = [{:?}]\n\
         [[collector]]\nname = \"custom_app\"\nplugin = \"app\"\nscrape_interval = \"15s\"\ntargets = [{:?}]\n",
        plugins_dir(),
        redis.address(),
        app.address()
    );
    let config = dir.join("watchglass.toml");
    fs::write(&config, toml).expect("a file");
    let daemon = Daemon::start(dir, &["--config", config.to_str().expect("a plain path")]);
    let process = Process { name: "watchglass".into(), pid: daemon.pid(), cpu_before: 0.0, _child: None };
    (daemon, vec![process])
}

fn start_theirs(dir: &Path, redis: &Redis, app: &App) -> Vec<Process> {
    let [prometheus, alertmanager, node, redis_exporter] = [0; 4].map(|_| free_port());
    let config = format!(
        "global: {{scrape_interval: 15s, evaluation_interval: 15s}}\nrule_files: [{dir}/alerts.yml, {dir}/recording_rules.yml, {dir}/faults.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\nscrape_configs:\n\
         - job_name: node_exporter\n  static_configs: [{{targets: ['127.0.0.1:{node}']}}]\n\
         - job_name: redis\n  static_configs: [{{targets: ['127.0.0.1:{redis_exporter}']}}]\n\
         - job_name: custom_app\n  static_configs: [{{targets: ['{}']}}]\n",
        app.address(),
        dir = dir.display()
    );
    fs::write(dir.join("prometheus.yml"), config).expect("a file");
    let d = dir.display();
    vec![
        start(
            "prometheus",
            &["prometheus"],
            &[
                format!("--config.file={d}/prometheus.yml"),
                format!("--storage.tsdb.path={d}/theirs"),
                format!("--web.listen-address=127.0.0.1:{prometheus}"),
                "--log.level=warn".into(),
            ],
        ),
        start(
            "alertmanager",
            &["prometheus-alertmanager", "alertmanager"],
            &[
                format!("--config.file={d}/alertmanager.yml"),
                format!("--storage.path={d}/alertmanager"),
                format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                "--cluster.listen-address=".into(),
                "--log.level=warn".into(),
            ],
        ),
        start(
            "node_exporter",
            &["prometheus-node-exporter", "node_exporter"],
            &[format!("--web.listen-address=127.0.0.1:{node}"), "--log.level=warn".into()],
        ),
        start(
            "redis_exporter",
            &["prometheus-redis-exporter", "redis_exporter"],
            &[
                format!("--web.listen-address=127.0.0.1:{redis_exporter}"),
                format!("--redis.addr=redis://{}", redis.address()),
            ],
        ),
    ]
}

fn start(name: &str, programs: &[&str], args: &[String]) -> Process {
    let peers = std::env::var_os("WATCHGLASS_PEERS").map(PathBuf::from);
    for program in programs {
        let path =
            peers.as_ref().map(|dir| dir.join(program)).filter(|p| p.is_file()).unwrap_or_else(|| program.into());
        if let Ok(child) = Command::new(path).args(args).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn() {
            return Process { name: name.into(), pid: child.id(), cpu_before: 0.0, _child: Some(Stopped(child)) };
        }
    }
    panic!("none of {programs:?} is in WATCHGLASS_PEERS or on the PATH")
}

/// User and system time of a process, seconds.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(f64::NAN);
    // utime and stime are the 14th and 15th field; a tick is 10 ms on every Linux that we know.
    (ticks(11) + ticks(12)) / 100.0
}

/// A line of `smaps_rollup` in MiB.
fn memory(pid: u32, line: &str) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kib = rollup.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}
