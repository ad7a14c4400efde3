//! What one collection of the node collector costs in processor time, beside one scrape of a real node_exporter with the same collectors.
//!
//!     cargo run --release -p watchglass-tests --example node_cost -- 200

#[path = "../../plugins/node/tests/support/exporter.rs"]
mod exporter;
#[path = "../../plugins/node/tests/support/flags.rs"]
mod flags;

use std::time::Duration;

use watchglass_plugin::{Call, CollectorSpec, Compiler, Grants, Host, HostOptions};
use watchglass_plugin_node::known;
use watchglass_tests::plugins_dir;

/// Collections in a block; ours and theirs take turns, so that other work on the machine falls on both.
const BLOCK: u32 = 20;

/// Processor time of this process so far, in hundredths of a second.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("our stat");
    let words: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    words[11].parse::<u64>().unwrap_or(0) + words[12].parse::<u64>().unwrap_or(0)
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(200);
    let Some(program) = exporter::find() else {
        eprintln!("no node_exporter in WATCHGLASS_PEERS or on PATH");
        return;
    };
    // The collectors that are on by default, here and there; one thread there as well.
    let mut theirs: Vec<String> = known()
        .iter()
        .filter(|c| c.default_on && c.name != "dmmultipath")
        .map(|c| format!("--collector.{}", c.name))
        .collect();
    let ours = theirs.clone();
    theirs.extend(["--collector.disable-defaults".to_owned(), "--web.disable-exporter-metrics".to_owned()]);
    let exporter = exporter::Exporter::start(&program, &theirs, &[]);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let cache = tempfile::tempdir().expect("a folder");
    let (_host, collector) = runtime.block_on(async {
        let options = HostOptions { compiler: Compiler::InProcess, ..HostOptions::new(cache.path().join("cache")) };
        let host = Host::new(options).expect("a host");
        let plugin = host.load(&plugins_dir().join("node.wasm")).await.expect("node.wasm");
        let grants = [
            "files:/proc",
            "files:/sys",
            "files:/run/udev/data",
            "files:/usr/lib",
            "files:/etc/os-release",
            "system:*",
        ];
        let spec = CollectorSpec {
            name: "node".to_owned(),
            config_json: flags::config(&ours).to_string(),
            grants: Grants::parse(&grants).expect("grants"),
            ..CollectorSpec::default()
        };
        let collector = host.collector(plugin, spec).await.expect("a collector");
        (host, collector)
    });
    let collect = |sequence| {
        let call = Call { target: None, scheduled_at: 1_700_000_000_000, deadline: Duration::from_secs(20), sequence };
        runtime.block_on(collector.collect(call)).outcome.expect("a collection").samples.samples.len()
    };
    // The first of each is another matter: caches are cold.
    let (samples, series) = (collect(0), exporter.scrape().lines().filter(|l| !l.starts_with('#')).count());
    let (mut own, mut other, mut done) = (0, 0, 0);
    while done < rounds {
        let start = ticks();
        for i in 0..BLOCK {
            collect(done + i);
        }
        own += ticks() - start;
        let start = exporter.ticks();
        (0..BLOCK).for_each(|_| drop(exporter.scrape()));
        other += exporter.ticks() - start;
        done += BLOCK;
    }
    let each = |ticks: u64| ticks as f64 * 10.0 / f64::from(done);
    println!("{done} collections each; watchglass {samples} samples, node_exporter {} {series}", exporter.version);
    println!("watchglass     {:6.2} ms CPU a collection", each(own));
    println!("node_exporter  {:6.2} ms CPU a scrape", each(other));
    println!("ratio          {:6.2}", each(own) / each(other));
}
