//! What the tests share: where the data is, archives, comparable expositions, a recorded system.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use watchglass_plugin_node::System;
use watchglass_sdk::{Error, system};

/// Finds a folder of conformance data; without it the test is skipped, loudly.
pub(crate) fn conformance(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("WATCHGLASS_CONFORMANCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from)
        .join(name);
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no conformance data in {}", dir.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true forbids skipping: set WATCHGLASS_CONFORMANCE");
    None
}

/// Unpacks a text archive of a folder: `Path:`, then `SymlinkTo:`, `Directory:` or `Lines: N` with the lines.
pub(crate) fn unpack(archive: &Path, into: &Path) {
    let text = std::fs::read_to_string(archive).unwrap();
    let mut lines = text.lines();
    let mut path = into.to_path_buf();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("Path: ") {
            path = into.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        } else if let Some(name) = line.strip_prefix("Directory: ") {
            std::fs::create_dir_all(into.join(name)).unwrap();
        } else if let Some(target) = line.strip_prefix("SymlinkTo: ") {
            symlink(target, &path).unwrap();
        } else if let Some(count) = line.strip_prefix("Lines: ") {
            let body: Vec<&str> = lines.by_ref().take(count.parse().unwrap()).collect();
            let mut content = body.iter().map(|l| format!("{l}\n")).collect::<String>();
            content = content.replace("\\NULLBYTE", "\u{1}NB").replace("NULLBYTE", "\0").replace("\u{1}NB", "NULLBYTE");
            if let Some(cut) = content.strip_suffix("EOF\n").filter(|c| !c.ends_with('\\')) {
                content = cut.to_owned();
            }
            std::fs::write(&path, content.replace("\\EOF", "EOF")).unwrap();
        }
    }
}

/// By family: its type and its series with values; what changes from run to run is left out.
pub(crate) fn comparable(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let skipped = |name: &str| {
        [
            "go_",
            "node_exporter_build_info",
            "node_scrape_collector_duration_seconds",
            "process_",
            "promhttp_",
            "node_textfile_mtime_seconds",
            "node_time_zone",
            "node_time_seconds",
        ]
        .iter()
        .any(|p| name.starts_with(p))
            || (name.starts_with("node_network_")
                && (name.ends_with("_bytes_total") || name.ends_with("_packets_total"))
                && !name.contains("drop"))
    };
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut families: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            types.insert(name, kind);
            continue;
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        if skipped(name) {
            continue;
        }
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|s| name.strip_suffix(s).filter(|n| types.contains_key(n)))
            .unwrap_or(name);
        let value: f64 = value.replace("+Inf", "inf").parse().unwrap();
        let entry = families.entry(family.to_owned()).or_default();
        entry.insert("# TYPE".to_owned(), types.get(family).unwrap_or(&"untyped").to_string());
        entry.insert(sorted(series), format!("{value:?}"));
    }
    families
}

/// Puts labels in order and leaves out the empty ones, which are none.
fn sorted(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
    let labels = labels.strip_suffix('}').unwrap();
    let mut pairs = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (i, c) in labels.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pairs.push(&labels[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    pairs.push(&labels[start..]);
    pairs.retain(|p| !p.ends_with("=\"\"") && !p.is_empty());
    pairs.sort_unstable();
    format!("{name}{{{}}}", pairs.join(","))
}

/// The families in which the two differ, with the lines: `-` expected and missing, `+` ours alone.
pub(crate) fn diff(
    ours: &BTreeMap<String, BTreeMap<String, String>>,
    theirs: &BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, Vec<String>> {
    let empty = BTreeMap::new();
    let mut out = BTreeMap::new();
    for name in ours.keys().chain(theirs.keys()) {
        let (a, b) = (ours.get(name).unwrap_or(&empty), theirs.get(name).unwrap_or(&empty));
        let mut lines = Vec::new();
        for (series, value) in b {
            match a.get(series) {
                Some(v) if v == value => {}
                Some(v) => lines.push(format!("! {series}: ours {v}, expected {value}")),
                None => lines.push(format!("- {series} {value}")),
            }
        }
        lines.extend(a.iter().filter(|(s, _)| !b.contains_key(*s)).map(|(s, v)| format!("+ {s} {v}")));
        if !lines.is_empty() {
            out.insert(name.clone(), lines);
        }
    }
    out
}

/// System calls as the recording's machine would answer them.
pub(crate) struct FixtureSystem {
    pub(crate) dir: PathBuf,
}

impl System for FixtureSystem {
    fn network_links(&self) -> Result<Vec<system::Link>, Error> {
        let zero = system::LinkCounters {
            rx_packets: 0,
            tx_packets: 0,
            rx_bytes: 0,
            tx_bytes: 0,
            rx_errors: 0,
            tx_errors: 0,
            rx_dropped: 0,
            tx_dropped: 0,
            multicast: 0,
            collisions: 0,
            rx_length_errors: 0,
            rx_over_errors: 0,
            rx_crc_errors: 0,
            rx_frame_errors: 0,
            rx_fifo_errors: 0,
            rx_missed_errors: 0,
            tx_aborted_errors: 0,
            tx_carrier_errors: 0,
            tx_fifo_errors: 0,
            tx_heartbeat_errors: 0,
            tx_window_errors: 0,
            rx_compressed: 0,
            tx_compressed: 0,
            rx_nohandler: 0,
        };
        Ok(vec![system::Link {
            index: 1,
            name: "lo".into(),
            hardware_type: 772,
            address: String::new(),
            broadcast: String::new(),
            alias: String::new(),
            flags: 9,
            mtu: 65_536,
            operational_state: "unknown".into(),
            carrier: None,
            carrier_changes: None,
            carrier_ups: None,
            carrier_downs: None,
            transmit_queue_length: 1_000,
            master: None,
            lower: None,
            virtual_kind: String::new(),
            counters: Some(zero),
        }])
    }
}
