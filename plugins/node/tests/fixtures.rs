//! Against a whole recorded machine, family by family, where the conformance data is there: its recorded lines, and what a real
//! node_exporter tells of the same files.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use support::exporter::{self, Exporter};
use support::exposition::{Families, comparable, diff};
use support::flags::config;
use support::recorded::recorded;
use support::{FixtureSystem, conformance, skip};
use watchglass_plugin_node::{Machine, Memory, Options, run};
use watchglass_sdk::files::StdFiles;

/// Families that may differ from the recording, each with its reason. One that does not differ any more fails the test.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

/// What the recording leaves out.
const HELD_OUT: &[&str] = &[
    "node_arp_",
    "node_bonding_",
    "node_btrfs_",
    "node_nf_conntrack_",
    "node_cpu_frequency_",
    "node_cpu_scaling_",
    "node_cooling_",
    "node_edac_",
    "node_entropy_",
    "node_hwmon_",
    "node_infiniband_",
    "node_ipvs_",
    "node_md_",
    "node_memory_numa_",
    "node_netstat_",
    "node_nfsd_",
    "node_power_supply_",
    "node_pressure_",
    "node_processes_",
    "node_schedstat_",
    "node_sockstat_",
    "node_textfile_",
    "node_thermal_",
    "node_udp_queues",
    "node_vmstat_",
    "node_watchdog_",
    "node_xfs_",
    "node_zoneinfo_",
    "testmetric",
];

/// What node_exporter 1.11.1 tells otherwise than 1.12, which we follow.
const NEWER: &[(&str, &str)] = &[
    ("node_dmmultipath_", "new in 1.12"),
    ("node_edac_channel_", "new in 1.12: errors by channel"),
    ("node_ksmd_general_profit_bytes", "new in 1.12"),
    ("node_mountstats_nfs_mountpoint_info", "new in 1.12"),
    ("node_hwmon_chip_names", "1.11 gives several monitors of one device the same name"),
    ("node_hwmon_pwm_enable", "the same: one series of two is left"),
    ("node_hwmon_temp_celsius", "the same: one series of three is left"),
];

/// Flags to set beside the recording's, a set for each run, so that more of the collectors is seen.
const VARIANTS: &[&[&str]] = &[
    &[],
    &[
        "--collector.pcidevice.names",
        "--collector.pcidevice.idsfile=TEMP/pci.ids",
        "--collector.rapl.enable-zone-label",
    ],
    &[
        "--collector.pcidevice.names",
        "--collector.pcidevice.idsfile=TEMP/none",
        "--no-collector.cpufreq",
        "--no-collector.cpu.guest",
    ],
    &[
        "--collector.ipvs.backend-labels=local_port,proto",
        "--collector.interrupts.name-exclude=^(NMI|LOC|1;)",
        "--no-collector.interrupts.include-zeros",
    ],
    &[
        "--collector.ipvs.backend-labels=",
        "--collector.netstat.fields=.*",
        "--collector.vmstat.fields=.*",
        "--collector.slabinfo.slabs-include=^tcp",
    ],
    &[
        "--collector.swap",
        "--collector.drm",
        "--collector.diskstats.device-exclude=^$",
        "--collector.hwmon.sensor-exclude=;temp1",
    ],
    &[
        "--collector.slabinfo.slabs-exclude=tcp",
        "--collector.powersupply.ignored-supplies=^BAT",
        "--collector.tapestats.ignored-devices=.*",
    ],
    &["--collector.textfile.directory=TEMP/textfile/client_side_timestamp"],
    &["--collector.textfile.directory=TEMP/textfile/different_metric_types"],
    &["--collector.textfile.directory=TEMP/textfile/*_extra_dimension"],
    &["--collector.textfile.directory=TEMP/textfile/histogram"],
    &["--collector.textfile.directory=TEMP/textfile/inconsistent_metrics"],
    &["--collector.textfile.directory=TEMP/textfile/metrics_merge_different_help"],
    &["--collector.textfile.directory=TEMP/textfile/metrics_merge_empty_help"],
    &["--collector.textfile.directory=TEMP/textfile/metrics_merge_no_help"],
    &["--collector.textfile.directory=TEMP/textfile/metrics_merge_same_help"],
    &["--collector.textfile.directory=TEMP/textfile/no_metric_files"],
    &["--collector.textfile.directory=TEMP/textfile/nonexistent_path"],
    &["--collector.textfile.directory=TEMP/textfile/summary"],
];

fn not_compared(name: &str) -> bool {
    let changing =
        ["go_", "process_", "promhttp_", "node_exporter_build_info", "node_scrape_collector_duration_seconds"];
    let times = ["node_textfile_mtime_seconds", "node_time_zone", "node_time_seconds"];
    changing.iter().chain(&times).any(|p| name.starts_with(p))
        || (name.starts_with("node_network_")
            && (name.ends_with("_bytes_total") || name.ends_with("_packets_total"))
            && !name.contains("drop"))
}

/// A flag's name, without its value and its `no-`.
fn name(flag: &str) -> &str {
    let name = flag.split('=').next().unwrap_or(flag).trim_start_matches("--");
    name.strip_prefix("no-").unwrap_or(name)
}

/// What we tell of the recorded machine.
fn ours(flags: &[String], temp: &Path) -> Families {
    let options = Options::decode(&config(flags)).unwrap();
    let system = FixtureSystem { dir: temp.to_path_buf() };
    let machine = Machine::new(&StdFiles, &system, &options, 1_700_000_000_000, u64::MAX);
    let (batch, failures) = run(&machine, &mut Memory::default());
    if std::env::var_os("WATCHGLASS_SHOW").is_some() {
        eprintln!("failures: {failures:#?}");
    }
    comparable(&batch.to_text(), not_compared)
}

/// Fails where families differ that may not, or may and do not.
fn judge(what: &str, differing: &BTreeMap<String, Vec<String>>, known: &[(&str, &str)], heal: bool) {
    if std::env::var_os("WATCHGLASS_SHOW").is_some() {
        differing.iter().for_each(|(name, lines)| eprintln!("{name}: {:#?}", lines.iter().take(8).collect::<Vec<_>>()));
    }
    let unknown: Vec<_> = differing.iter().filter(|(n, _)| !known.iter().any(|k| n.starts_with(k.0))).collect();
    let first: Vec<_> =
        unknown.iter().map(|(n, lines)| (n, lines.iter().take(8).collect::<Vec<_>>())).take(5).collect();
    assert!(unknown.is_empty(), "{what}: {} families differ, the first: {first:#?}", unknown.len());
    let healed: Vec<_> = known.iter().filter(|k| heal && !differing.keys().any(|n| n.starts_with(k.0))).collect();
    assert!(healed.is_empty(), "{what}: these agree now, take them off the list: {healed:?}");
}

#[test]
fn the_recorded_machine_gives_the_recorded_lines() {
    let Some(dir) = conformance("node_exporter") else { return };
    let temp = tempfile::tempdir().unwrap();
    let flags = recorded(&dir, temp.path());
    let expected = std::fs::read_to_string(dir.join("expected.txt")).unwrap();
    let expected = expected.replace("collector/fixtures", &temp.path().to_string_lossy());
    let (mut ours, theirs) = (ours(&flags, temp.path()), comparable(&expected, not_compared));
    // The recording has the lines of two thirds of the collectors.
    ours.retain(|name, _| theirs.contains_key(name) || !HELD_OUT.iter().any(|p| name.starts_with(p)));
    let differing = diff(&ours, &theirs);
    let agree = theirs.len() - differing.keys().filter(|n| theirs.contains_key(*n)).count();
    eprintln!("{agree} of {} families agree", theirs.len());
    judge("the recording", &differing, KNOWN_DIFFERENCES, true);
}

#[test]
fn a_real_node_exporter_tells_the_same_of_the_recorded_machine() {
    let Some(dir) = conformance("node_exporter") else { return };
    let Some(program) = exporter::find() else { return skip("no node_exporter in WATCHGLASS_PEERS or on PATH") };
    let temp = tempfile::tempdir().unwrap();
    let recorded = recorded(&dir, temp.path());
    for variant in VARIANTS {
        let variant: Vec<String> = variant.iter().map(|f| f.replace("TEMP", &temp.path().to_string_lossy())).collect();
        let mut flags = recorded.clone();
        // node_exporter takes no flag twice.
        flags.retain(|f| !variant.iter().any(|v| name(v) == name(f)));
        flags.extend(variant.iter().cloned());
        let ours = ours(&flags, temp.path());
        // Debian's build has systemd on by default.
        flags.push("--no-collector.systemd".to_owned());
        let exporter = Exporter::start(&program, &flags, &[]);
        let theirs = comparable(&exporter.scrape(), not_compared);
        let mut differing = diff(&ours, &theirs);
        // A collector that it does not know yet.
        differing.retain(|name, lines| {
            lines.retain(|l| name != "node_scrape_collector_success" || !l.contains("\"dmmultipath\""));
            !lines.is_empty()
        });
        eprintln!("{variant:?}: {} families, {} of them differ", theirs.len(), differing.len());
        assert!(theirs.len() > 800, "{variant:?}: node_exporter told {} families only", theirs.len());
        judge(&format!("{variant:?}"), &differing, NEWER, exporter.version == "1.11.1" && variant.is_empty());
    }
}
