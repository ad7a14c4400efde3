//! The config: cAdvisor's flags under their own names, and where the machine's files are.

use crate::cgroup::Kinds;
use serde::Deserialize;
use watchglass_sdk::prelude::*;

/// What an operator set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Docker's socket, `unix:///var/run/docker.sock`; empty: it is not asked.
    pub(crate) docker: String,
    /// Podman's socket; empty: it is not asked.
    pub(crate) podman: String,
    /// Only containers, and the root.
    pub(crate) docker_only: bool,
    /// Other cgroups to report all the same when `docker_only` is set: beginnings of their paths.
    pub(crate) raw_cgroup_prefix_whitelist: Vec<String>,
    /// Leaves out the root.
    pub(crate) disable_root_cgroup_stats: bool,
    /// Labels of containers that become labels of their series.
    pub(crate) whitelisted_container_labels: Vec<String>,
    /// Environment variables that become labels.
    pub(crate) env_metadata_whitelist: Vec<String>,
    /// Counts tasks by state, at the price of a file for each.
    pub(crate) enable_load_reader: bool,
    /// Kinds of metrics to collect that are off by default.
    pub(crate) enable: Vec<String>,
    /// Kinds of metrics not to collect.
    pub(crate) disable: Vec<String>,
    /// Files that may hold the machine's identifier, the first that does counts; separated by commas.
    pub(crate) machine_id_file: String,
    /// Files that may hold the boot's identifier.
    pub(crate) boot_id_file: String,
    /// How often a container's layer is measured, seconds; at least 60.
    pub(crate) disk_usage_interval: f64,
    /// How long measuring may take in one collection, milliseconds.
    pub(crate) disk_usage_budget_ms: u32,
    /// How many files may be looked at for it in one collection.
    pub(crate) disk_usage_budget_files: u32,
    /// Where the machine's files are.
    pub(crate) path: Paths,
}

/// Where the machine's files are.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Paths {
    /// procfs.
    pub(crate) procfs: String,
    /// sysfs.
    pub(crate) sysfs: String,
    /// The root folder.
    pub(crate) rootfs: String,
    /// The folder of the cgroup hierarchies; empty: as the mount table says.
    pub(crate) cgroup: String,
    /// Docker's folder, for layers while its socket is not asked.
    pub(crate) docker_root: String,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            docker: "unix:///var/run/docker.sock".into(),
            podman: "unix:///run/podman/podman.sock".into(),
            docker_only: false,
            raw_cgroup_prefix_whitelist: Vec::new(),
            disable_root_cgroup_stats: false,
            whitelisted_container_labels: vec![
                "com.docker.compose.project".into(),
                "com.docker.compose.service".into(),
            ],
            env_metadata_whitelist: Vec::new(),
            enable_load_reader: false,
            enable: Vec::new(),
            disable: Vec::new(),
            machine_id_file: "/etc/machine-id,/var/lib/dbus/machine-id".into(),
            boot_id_file: "/proc/sys/kernel/random/boot_id".into(),
            disk_usage_interval: 60.0,
            disk_usage_budget_ms: 200,
            disk_usage_budget_files: 20_000,
            path: Paths::default(),
        }
    }
}

impl Default for Paths {
    fn default() -> Paths {
        Paths {
            procfs: "/proc".into(),
            sysfs: "/sys".into(),
            rootfs: "/".into(),
            cgroup: String::new(),
            docker_root: "/var/lib/docker".into(),
        }
    }
}

/// Kinds of metrics, by cAdvisor's names, and whether they are on by default.
const KINDS: [(&str, bool); 11] = [
    ("cpu", true),
    ("cpuLoad", true),
    ("percpu", true),
    ("memory", true),
    ("disk", true),
    ("diskIO", true),
    ("network", true),
    ("oom_event", true),
    ("pressure", true),
    ("machine", true),
    ("process", false),
];

/// Least time between two measures of a layer, seconds.
const MIN_DISK_USAGE_INTERVAL: f64 = 60.0;

impl Options {
    /// Reads the config; what is wrong is named with its place.
    pub fn decode(config: &Json) -> Result<Options, Vec<Problem>> {
        let options: Options = if config.is_null() { Options::default() } else { config::decode(config)? };
        let mut problems = Vec::new();
        for (key, names) in [("enable", &options.enable), ("disable", &options.disable)] {
            for name in names.iter().filter(|n| !KINDS.iter().any(|(k, _)| k == n)) {
                let known: Vec<&str> = KINDS.iter().map(|k| k.0).collect();
                problems.push(Problem::at(
                    key,
                    format!("there is no kind of metrics \"{name}\"; there are {}", known.join(", ")),
                ));
            }
        }
        for (key, socket) in [("docker", &options.docker), ("podman", &options.podman)] {
            if !socket.is_empty() && socket_path(socket).is_none() {
                problems.push(Problem::at(
                    key,
                    format!("\"{socket}\" is no unix socket; hint: {key} = \"unix:///run/{key}.sock\", or empty"),
                ));
            }
        }
        if options.disk_usage_interval.is_nan() || options.disk_usage_interval < MIN_DISK_USAGE_INTERVAL {
            problems.push(Problem::at(
                "disk_usage_interval",
                format!("{} is too often: at least {MIN_DISK_USAGE_INTERVAL} seconds", options.disk_usage_interval),
            ));
        }
        if problems.is_empty() { Ok(options) } else { Err(problems) }
    }

    /// Tells whether a kind of metrics is collected.
    pub(crate) fn collects(&self, kind: &str) -> bool {
        let default = KINDS.iter().any(|(k, on)| *k == kind && *on);
        (default || self.enable.iter().any(|k| k == kind)) && !self.disable.iter().any(|k| k == kind)
    }

    /// Gives what matters for reading cgroups.
    pub(crate) fn kinds(&self) -> Kinds {
        Kinds {
            cpu: self.collects("cpu"),
            memory: self.collects("memory"),
            io: self.collects("diskIO"),
            pressure: self.collects("pressure"),
            oom: self.collects("oom_event"),
            cpuset: false,
            pids: self.collects("process"),
        }
    }

    /// Gives the path of a file in procfs.
    pub(crate) fn proc(&self, path: &str) -> String {
        format!("{}/{path}", self.path.procfs.trim_end_matches('/'))
    }

    /// Gives the path of a file in sysfs.
    pub(crate) fn sys(&self, path: &str) -> String {
        format!("{}/{path}", self.path.sysfs.trim_end_matches('/'))
    }

    /// Gives the path of a file of the machine, as we reach it: below its root, procfs and sysfs where those are.
    pub(crate) fn root(&self, path: &str) -> String {
        for (usual, here) in [("/proc/", &self.path.procfs), ("/sys/", &self.path.sysfs)] {
            if let Some(rest) = path.strip_prefix(usual) {
                return format!("{}/{rest}", here.trim_end_matches('/'));
            }
        }
        format!("{}{path}", self.path.rootfs.trim_end_matches('/'))
    }
}

/// Gives the path of a socket written as `unix:///run/x.sock`, `unix:/run/x.sock` or `/run/x.sock`.
pub(crate) fn socket_path(text: &str) -> Option<&str> {
    let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")).unwrap_or(text);
    path.starts_with('/').then_some(path)
}

/// Makes the JSON schema of the config.
pub(crate) fn schema() -> String {
    let d = Options::default();
    let kinds: Vec<&str> = KINDS.iter().map(|k| k.0).collect();
    let text =
        |default: &str, what: &str| serde_json::json!({"type": "string", "default": default, "description": what});
    let switch =
        |default: bool, what: &str| serde_json::json!({"type": "boolean", "default": default, "description": what});
    let list = |default: &[String], what: &str| serde_json::json!({"type": "array", "items": {"type": "string"}, "default": default, "description": what});
    let some =
        |what: &str| serde_json::json!({"type": "array", "items": {"enum": kinds}, "default": [], "description": what});
    serde_json::json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "docker": text(&d.docker, "Docker's socket; empty: it is not asked"),
            "podman": text(&d.podman, "Podman's socket; empty: it is not asked"),
            "docker_only": switch(d.docker_only, "only containers and the root"),
            "raw_cgroup_prefix_whitelist": list(&[], "beginnings of other cgroups' paths to report with docker_only"),
            "disable_root_cgroup_stats": switch(d.disable_root_cgroup_stats, "leaves out the root"),
            "whitelisted_container_labels": list(&d.whitelisted_container_labels, "containers' labels that become labels of series"),
            "env_metadata_whitelist": list(&[], "containers' environment variables that become labels of series"),
            "enable_load_reader": switch(d.enable_load_reader, "counts tasks by state, at the price of a file for each task"),
            "enable": some("kinds of metrics to collect that are off by default"),
            "disable": some("kinds of metrics not to collect"),
            "machine_id_file": text(&d.machine_id_file, "files that may hold the machine's identifier, separated by commas"),
            "boot_id_file": text(&d.boot_id_file, "files that may hold the boot's identifier, separated by commas"),
            "disk_usage_interval": {"type": "number", "minimum": MIN_DISK_USAGE_INTERVAL, "default": d.disk_usage_interval, "description": "seconds between two measures of a container's layer"},
            "disk_usage_budget_ms": {"type": "integer", "minimum": 1, "maximum": 60_000, "default": d.disk_usage_budget_ms, "description": "milliseconds of a collection for measuring layers"},
            "disk_usage_budget_files": {"type": "integer", "minimum": 100, "maximum": 10_000_000, "default": d.disk_usage_budget_files, "description": "files of layers looked at in a collection"},
            "path": {"type": "object", "additionalProperties": false, "properties": {
                "procfs": text(&d.path.procfs, "procfs"),
                "sysfs": text(&d.path.sysfs, "sysfs"),
                "rootfs": text(&d.path.rootfs, "the root folder"),
                "cgroup": text(&d.path.cgroup, "folder of the cgroup hierarchies; empty: as the mount table says"),
                "docker_root": text(&d.path.docker_root, "Docker's folder, for layers while its socket is not asked"),
            }},
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_and_switches() {
        let o = Options::decode(&json!({"enable": ["process"], "disable": ["percpu"]})).unwrap();
        assert!(o.collects("process") && !o.collects("percpu") && o.collects("cpu"));
        assert_eq!(socket_path(&o.docker), Some("/var/run/docker.sock"));
        let schema: Json = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["properties"]["path"]["properties"]["procfs"]["default"], "/proc");
    }

    #[test]
    fn problems_name_their_place() {
        for (config, path, part) in [
            (json!({"enable": ["perf"]}), "enable", "there is no kind of metrics \"perf\""),
            (json!({"docker": "tcp://127.0.0.1:2375"}), "docker", "is no unix socket"),
            (json!({"disk_usage_interval": 1}), "disk_usage_interval", "at least 60"),
            (json!({"path": {"proc": "/p"}}), "path.proc", "unknown field"),
            (json!({"docker_only": "yes"}), "docker_only", "boolean"),
        ] {
            let problems = Options::decode(&config).unwrap_err();
            assert!(problems.iter().any(|p| p.path == path && p.message.contains(part)), "{config}: {problems:?}");
        }
    }

    #[test]
    fn paths_below_other_roots() {
        let mut o = Options::default();
        o.path.rootfs = "/host".into();
        o.path.procfs = "/host/proc".into();
        assert_eq!(o.root("/proc/1/net/dev"), "/host/proc/1/net/dev");
        assert_eq!(o.root("/var/lib/x"), "/host/var/lib/x");
        assert_eq!(Options::default().root("/var"), "/var");
    }
}
