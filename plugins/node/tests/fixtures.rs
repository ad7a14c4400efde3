//! Against a whole recorded machine, family by family, where the conformance data is there.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use support::{FixtureSystem, comparable, conformance, diff, unpack};
use watchglass_plugin_node::{Machine, Memory, Options, known, run};
use watchglass_sdk::files::StdFiles;

/// Families that may differ, each with its reason. One that does not differ any more fails the test.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

/// Families that the recording leaves out.
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

#[test]
fn the_recorded_machine_gives_the_recorded_lines() {
    let Some(dir) = conformance("node_exporter") else { return };
    let temp = tempfile::tempdir().unwrap();
    let config = config(&dir, temp.path());
    let options = Options::decode(&config).unwrap();
    let fixtures = dir.join("fixtures");
    let system = FixtureSystem { dir: fixtures };
    let machine = Machine::new(&StdFiles, &system, &options, 1_700_000_000_000, u64::MAX);
    let (batch, failures) = run(&machine, &mut Memory::default());
    let expected = std::fs::read_to_string(dir.join("expected.txt")).unwrap();
    let expected = expected.replace("collector/fixtures/sys", &temp.path().join("sys").to_string_lossy());
    let (mut ours, theirs) = (comparable(&batch.to_text()), comparable(&expected));
    // The recording has the lines of two thirds of the collectors.
    ours.retain(|name, _| theirs.contains_key(name) || !HELD_OUT.iter().any(|p| name.starts_with(p)));
    let differing = diff(&ours, &theirs);
    if std::env::var_os("WATCHGLASS_SHOW").is_some() {
        for (name, lines) in &differing {
            for l in lines.iter().take(8) {
                eprintln!("{name}: {l}");
            }
        }
        eprintln!("failures: {failures:#?}");
    }
    let known: BTreeMap<&str, &str> = KNOWN_DIFFERENCES.iter().copied().collect();
    let unknown: Vec<_> = differing.iter().filter(|(n, _)| !known.contains_key(n.as_str())).collect();
    let healed: Vec<_> = known.keys().filter(|n| !differing.contains_key(**n)).collect();
    eprintln!(
        "{} of {} families agree",
        theirs.len() - differing.keys().filter(|n| theirs.contains_key(*n)).count(),
        theirs.len()
    );
    assert!(
        unknown.is_empty(),
        "{} families differ, the first: {:#?}",
        unknown.len(),
        unknown.iter().take(3).collect::<Vec<_>>()
    );
    assert!(healed.is_empty(), "these agree now, take them off the list: {healed:?}");
}

/// The flags of the recording's own run, as this plugin's config.
fn config(dir: &Path, temp: &Path) -> serde_json::Value {
    let flags = std::fs::read_to_string(dir.join("e2e-flags.txt")).unwrap();
    let wanted: Vec<&str> = flags
        .lines()
        .skip_while(|l| !l.starts_with("collectors enabled"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .map(str::trim)
        .collect();
    let fixtures = dir.join("fixtures");
    let path = |p: &str| fixtures.join(p).to_string_lossy().into_owned();
    // Git keeps neither empty folders nor every link: the archives have the whole trees.
    unpack(&dir.join("sys.ttar"), temp);
    unpack(&dir.join("udev.ttar"), temp);
    let enable: Vec<&str> = wanted.iter().copied().filter(|n| known().iter().any(|c| c.name == *n)).collect();
    let mut config = json!({
        "enable": enable,
        "disable": ["filesystem", "timex", "uname", "netstat", "selinux"],
        "path": {"procfs": linked_proc(&fixtures.join("proc"), temp), "sysfs": temp.join("sys"), "rootfs": fixtures, "udev.data": temp.join("udev/data")},
        "arp": {"device-exclude": "nope", "netlink": false},
        "bcache": {"priorityStats": true},
        "cpu": {"info": true, "info.flags-include": "^(aes|avx.?|constant_tsc)$", "info.bugs-include": "^(cpu_meltdown|spectre_.*|mds)$"},
        "hwmon": {"chip-include": "(applesmc|asus_nb_wmi|coretemp|hwmon4|ieee80211|nct6779)"},
        "netclass": {"ignore-invalid-speed": true, "ignored-devices": "(dmz|int)"},
        "netdev": {"device-include": "lo"},
        "qdisc": {"device-include": "(wlan0|eth0)", "fixtures": path("qdisc/")},
        "stat": {"softirq": true},
        "sysctl": {"include": ["fs.file-nr", "fs.file-nr:total,current,max", "kernel.threads-max"], "include-info": "kernel.seccomp.actions_avail"},
        "textfile": {"directory": path("textfile/two_metric_files/")},
        "wifi": {"fixtures": path("wifi")},
    });
    // What the flags name is set; what is set and has no collector yet would be refused as unknown, which is what the test is for.
    let enabled = config["enable"].as_array().unwrap().len();
    assert_eq!(
        enabled,
        wanted.len(),
        "collectors that do not exist: {:?}",
        wanted.iter().filter(|n| !enable.contains(n)).collect::<Vec<_>>()
    );
    config["disable"].as_array_mut().unwrap().retain(|n| !wanted.contains(&n.as_str().unwrap()));
    config
}

/// procfs with the link that git did not keep: `self`.
fn linked_proc(proc: &Path, temp: &Path) -> std::path::PathBuf {
    let to = temp.join("proc");
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(proc).unwrap() {
        let entry = entry.unwrap();
        let from = if entry.file_name() == "self" { proc.join("10") } else { entry.path() };
        std::os::unix::fs::symlink(from, to.join(entry.file_name())).unwrap();
    }
    to
}
