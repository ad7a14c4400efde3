//! The surface that users know: node_exporter's own flags, and the names that dashboards and rules stand on.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use support::{conformance, exporter, skip};
use watchglass_plugin_node::{FLAGS, Node, known};
use watchglass_sdk::Collector;

/// Collectors of node_exporter that are not ours, and why.
const NOT_OURS: &[(&str, &str)] = &[
    ("ntp", "deprecated there; the timex collector has the clock's state"),
    ("perf", "needs perf_event_open, which no plugin may have"),
    ("runit", "deprecated there"),
    ("supervisord", "deprecated there"),
];

/// Names that no collector of ours makes, and why.
const NEVER: &[(&str, &str)] = &[
    ("node_exporter", "no metric, the name of the program"),
    ("node_kernel_hung_tasks", "a dead panel: node_exporter says node_kernel_hung_tasks_total"),
    ("node_memory_available_bytes", "of another system"),
    ("node_memory_compressed_bytes", "of another system"),
    ("node_memory_internal_bytes", "of another system"),
    ("node_memory_purgeable_bytes", "of another system"),
    ("node_memory_total_bytes", "of another system"),
    ("node_memory_wired_bytes", "of another system"),
];

#[test]
fn every_flag_of_a_collector_is_a_key_of_the_config() {
    let Some(program) = exporter::find() else { return skip("no node_exporter in WATCHGLASS_PEERS or on PATH") };
    let help = Command::new(program).arg("--help").output().unwrap();
    let help = String::from_utf8([help.stdout, help.stderr].concat()).unwrap();
    let left_out = |name: &str| NOT_OURS.iter().any(|n| n.0 == name);
    let (mut flags, mut wrong) = (0, Vec::new());
    for flag in help.lines().filter_map(|l| l.strip_prefix("      --")) {
        let flag = flag.split([' ', '=']).next().unwrap();
        let name = flag.strip_prefix("collector.").or_else(|| Some(flag).filter(|f| f.starts_with("path.")));
        let Some(name) = name.filter(|n| *n != "disable-defaults") else { continue };
        flags += 1;
        let fine = match name.split_once('.') {
            None => known().iter().any(|c| c.name == name) || left_out(name),
            Some((table, key)) => FLAGS.iter().any(|f| f.table == table && f.name == key) || left_out(table),
        };
        if !fine {
            wrong.push(flag);
        }
    }
    assert!(flags > 120, "only {flags} flags in the help");
    assert!(wrong.is_empty(), "these flags have no key: {wrong:?}");
}

/// Words that may be metric names: `node_` and what follows, not those with a colon, which are recording rules.
fn names(text: &str, into: &mut BTreeSet<String>) {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c| !part(c)).filter(|w| w.starts_with("node_") && !w.contains(':'));
    into.extend(words.map(str::to_owned));
}

#[test]
fn dashboards_and_rules_stand_on_declared_families() {
    let Some(dashboards) = conformance("dashboards") else { return };
    let Some(alerts) = conformance("awesome-alerts") else { return };
    let Some(mixin) = conformance("node_exporter") else { return };
    let mut used = BTreeSet::new();
    for file in [
        dashboards.join("node-exporter-full.exprs.json"),
        alerts.join("host-and-hardware__node-exporter.yml"),
        mixin.join("node-mixin-rules.yml"),
    ] {
        names(&std::fs::read_to_string(file).unwrap(), &mut used);
    }
    assert!(used.len() > 170, "only {} names found", used.len());
    // What is declared by its beginning alone proves nothing here.
    let declared: BTreeSet<String> =
        Node::describe().families.into_iter().map(|f| f.name).filter(|n| !n.ends_with('*')).collect();
    let missing: Vec<&String> =
        used.iter().filter(|n| !declared.contains(*n) && !NEVER.iter().any(|e| e.0 == n.as_str())).collect();
    assert!(missing.is_empty(), "used, and declared by nobody: {missing:?}");
}
