//! Against what cAdvisor itself exposed beside the same containers, and its own fixtures, where the conformance data is there.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use support::{Answers, Fixed, collect, config, conformance, shapes, unpack};
use watchglass_plugin_cadvisor::{Memory, Topology, topology, topology_of_sysfs};
use watchglass_sdk::files::StdFiles;

/// Families of ours alone, each with its reason.
const OURS: &[(&str, &str)] = &[
    ("container_restarts_total", "cAdvisor has a label for it, which changes the series at each restart"),
    ("container_fs_usage_age_seconds", "cAdvisor does not tell how old its measure is"),
    ("cadvisor_version_info", "the golden file leaves out what is the exporter's own"),
];

/// A container's path changes from run to run; its name does not.
fn by_name(id: &str, name: &str) -> String {
    if name.is_empty() { id.to_owned() } else { name.to_owned() }
}

#[test]
fn the_same_families_labels_and_types_as_cadvisor_for_the_same_containers() {
    let Some(dir) = conformance("exporter-golden") else { return };
    let golden = std::fs::read_to_string(dir.join("cadvisor_docker_cgroup1.txt")).unwrap();
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/docker-v1");
    let temp = tempfile::tempdir().unwrap();
    unpack(&std::fs::read_to_string(case.join("tree.txt")).unwrap(), temp.path());
    let answers = Answers::parse(&std::fs::read_to_string(case.join("docker.txt")).unwrap());
    let labels = json!({"whitelisted_container_labels": ["app", "com.docker.compose.service"]});
    let outcome = collect(&Fixed, &answers, &config(temp.path(), labels), &mut Memory::default(), 1_700_000_000_000);
    let (ours, theirs) = (shapes(&outcome.batch.to_text(), &by_name), shapes(&golden, &by_name));
    let mut wrong = Vec::new();
    for (name, shape) in &theirs {
        let Some(mine) = ours.get(name) else {
            wrong.push(format!("{name}: missing"));
            continue;
        };
        if mine.kind != shape.kind {
            wrong.push(format!("{name}: {}, expected {}", mine.kind, shape.kind));
        }
        for (id, labels) in &shape.labels_by_id {
            if mine.labels_by_id.get(id) != Some(labels) {
                wrong.push(format!("{name} of {id}: {:?}, expected {labels:?}", mine.labels_by_id.get(id)));
            }
        }
    }
    for (name, shape) in &ours {
        let other = !OURS.iter().any(|(ours, _)| ours == name);
        if other && !theirs.contains_key(name) {
            wrong.push(format!("{name}: cAdvisor does not have it"));
        }
        for id in shape.labels_by_id.keys().filter(|_| other) {
            if theirs.get(name).is_some_and(|t| !t.labels_by_id.contains_key(id)) {
                wrong.push(format!("{name} of {id}: cAdvisor does not have it"));
            }
        }
    }
    let stale: Vec<&str> = OURS.iter().map(|o| o.0).filter(|n| theirs.contains_key(*n)).collect();
    assert!(stale.is_empty(), "cAdvisor has these, take them off the list: {stale:?}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{} families agree", theirs.len());
}

/// Families of cAdvisor's made-up container that are not on by default there, or that nothing on a machine makes.
const NOT_DEFAULT: &[&str] = &[
    "container_cpu_schedstat_",
    "container_custom_app_metric_",
    "container_hugetlb_",
    "container_llc_",
    "container_memory_bandwidth_",
    "container_memory_migrate",
    "container_memory_numa_",
    "container_network_advance_tcp_",
    "container_network_tcp",
    "container_network_udp",
    "container_perf_",
    "container_referenced_bytes",
    "machine_cpu_cache_capacity_bytes",
    "machine_node_",
    "machine_thread_siblings_count",
];

#[test]
fn every_default_family_of_cadvisor_s_made_up_container_is_known_with_its_type_and_labels() {
    let Some(dir) = conformance("cadvisor") else { return };
    let declared: BTreeMap<String, (String, BTreeSet<String>)> = {
        use watchglass_sdk::Collector as _;
        let manifest = watchglass_plugin_cadvisor::Cadvisor::describe();
        let of = |f: watchglass_sdk::DeclaredFamily| {
            (
                f.name,
                (format!("{:?}", f.kind).to_lowercase().replace("kind::", ""), f.label_names.into_iter().collect()),
            )
        };
        manifest.families.into_iter().map(of).collect()
    };
    let mut wrong = Vec::new();
    let mut known = 0;
    for file in ["prometheus_metrics.txt", "prometheus_machine_metrics.txt"] {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        for (name, shape) in shapes(&text, &|_, _| String::new()) {
            if NOT_DEFAULT.iter().any(|p| name.starts_with(p)) {
                continue;
            }
            let Some((kind, labels)) = declared.get(&name) else {
                wrong.push(format!("{name}: not known"));
                continue;
            };
            known += 1;
            let theirs: BTreeSet<String> = shape
                .labels_by_id
                .values()
                .flatten()
                .flatten()
                // The made-up container's own labels.
                .filter(|l| !["container_env_foo_env", "container_label_foo_label", "zone_name"].contains(&l.as_str()))
                .cloned()
                .collect();
            if *kind != shape.kind || *labels != theirs {
                wrong.push(format!("{name}: {kind} {labels:?}, expected {} {theirs:?}", shape.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(known > 50, "{known}");
}

#[test]
fn cadvisor_s_cgroups_have_the_limits_it_reads_from_them() {
    let Some(dir) = conformance("cadvisor") else { return };
    let cgroups = dir.join("fixtures/container/common/test_resources");
    // Folder, cgroup, and the spec: limit, swap, reservation, period, quota, shares, tasks.
    let cases = [
        ("cgroup_v1/test1", None, [123_456_789.0, 13_579.0, 24_680.0, 100_010.0, 20_000.0, 1_025.0, 1_027.0]),
        ("cgroup_v2", Some("/test1"), [123_456_789.0, 13_579.0, 24_680.0, 100_010.0, 20_000.0, 1_286.0, 1_027.0]),
        ("cgroup_v2", Some("/test2"), [0.0, 0.0, 0.0, 100_010.0, f64::NAN, 1_286.0, 0.0]),
    ];
    for (folder, cgroup, expected) in cases {
        let temp = tempfile::tempdir().unwrap();
        // As if mounted: a v1 hierarchy has its cgroups below it, and a v2 root has a list of controllers.
        let root = temp.path().join("cgroup");
        std::fs::create_dir_all(&root).unwrap();
        for entry in std::fs::read_dir(cgroups.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let to = if cgroup.is_some() { root.join(&name) } else { root.join(&name).join("test1") };
            copy(&entry.path(), &to);
        }
        if cgroup.is_some() {
            std::fs::write(root.join("cgroup.controllers"), "cpu memory pids").unwrap();
        }
        let mut config = config(temp.path(), json!({"enable": ["process"], "disable": ["machine"]}));
        config["path"]["cgroup"] = root.to_string_lossy().into_owned().into();
        let outcome = collect(&StdFiles, &Answers::default(), &config, &mut Memory::default(), 0);
        let id = cgroup.unwrap_or("/test1");
        let empty = |n| (n, "");
        let labels: Vec<(&str, &str)> = [
            empty("container_label_com_docker_compose_project"),
            empty("container_label_com_docker_compose_service"),
            ("id", id),
            empty("image"),
            empty("name"),
        ]
        .to_vec();
        let names = [
            "container_spec_memory_limit_bytes",
            "container_spec_memory_swap_limit_bytes",
            "container_spec_memory_reservation_limit_bytes",
            "container_spec_cpu_period",
            "container_spec_cpu_quota",
            "container_spec_cpu_shares",
            "container_threads_max",
        ];
        for (name, value) in names.iter().zip(expected) {
            let found = outcome.batch.get(name, &labels).unwrap_or(f64::NAN);
            assert!(
                found == value || (found.is_nan() && value.is_nan()),
                "{folder} {id}: {name} is {found}, expected {value}"
            );
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
        return;
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn cadvisor_s_processors_are_counted() {
    let Some(dir) = conformance("cadvisor") else { return };
    let machine = dir.join("fixtures/machine");
    for (file, cores, physical, sockets) in [
        ("cpuinfo", 12, 6, 2),
        ("cpuinfo_upper_case", 8, 8, 1),
        ("cpuinfo_lower_case", 8, 8, 1),
        ("cpuinfo_onesocket_many_NUMAs", 32, 16, 16),
        ("cpuinfo_arm", 4, 4, 1),
        ("cpuinfo_rpi4", 4, 4, 1),
    ] {
        let text = std::fs::read_to_string(machine.join("testdata").join(file)).unwrap();
        assert_eq!(topology(&text), Topology { cores, physical, sockets }, "{file}");
    }
    let of = |p: &str| topology_of_sysfs(&StdFiles, &machine.join(p).to_string_lossy());
    assert_eq!(of("testdata/sysfs_cpus"), Some((1, 1)));
    assert_eq!(of("testdata/wrong_sysfs"), None);
    assert_eq!(of("testdata_rpi4"), Some((4, 1)));
}
