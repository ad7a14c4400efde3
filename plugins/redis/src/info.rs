//! INFO: the server's own text, turned into samples.

use crate::fields;
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// What later steps need to know of INFO.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls and microseconds of each command.
    pub commands: BTreeMap<String, (f64, f64)>,
    /// Whether the server is part of a cluster.
    pub cluster: bool,
    /// The databases that hold keys.
    pub databases: Vec<String>,
}

/// The labels of `instance_info`, which are fields of INFO.
const INSTANCE: [&str; 10] = [
    "role",
    "redis_version",
    "redis_build_id",
    "redis_mode",
    "os",
    "maxmemory_policy",
    "tcp_port",
    "run_id",
    "process_id",
    "master_replid",
];

/// Where samples go: a batch, and what names begin with.
pub(crate) struct Out<'b> {
    pub(crate) batch: &'b mut Batch,
    pub(crate) namespace: &'b str,
}

impl Out<'_> {
    pub(crate) fn put(&mut self, name: &str, kind: Kind, help: &str, labels: &[(&str, &str)], value: f64) {
        self.batch.family(&self.full(name), kind, help).sample(labels, value);
    }
    pub(crate) fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.put(name, Kind::Gauge, help, labels, value);
    }
    pub(crate) fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.put(name, Kind::Counter, help, labels, value);
    }
    pub(crate) fn full(&self, name: &str) -> String {
        format!("{}_{name}", self.namespace)
    }
}

/// Reads INFO. `now_ms` is the time of the collection, `system` whether to show the machine's memory.
pub(crate) fn read(out: &mut Out, text: &str, now_ms: i64, system: bool) -> Seen {
    let fields: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.trim_end().split_once(':')).collect();
    let get = |name: &str| fields.get(name).copied().unwrap_or("");
    let mut seen = Seen { cluster: get("cluster_enabled") == "1", ..Seen::default() };

    let labels: Vec<(&str, &str)> = INSTANCE.iter().map(|&n| (n, get(n))).collect();
    out.gauge("instance_info", "Information about the Redis instance", &labels, 1.0);
    if let Some(uptime) = number(get("uptime_in_seconds")) {
        let start = (now_ms / 1_000) as f64 - uptime;
        out.gauge("start_time_seconds", "Start time of the Redis instance since unix epoch in seconds.", &[], start);
    }
    if let Some(usec) = number(get("latest_fork_usec")) {
        out.gauge("latest_fork_seconds", "latest_fork_seconds metric", &[], usec / 1e6);
    }
    if get("role") == "slave" {
        replica(out, &get);
    }
    let mut section = "";
    for line in text.lines().map(str::trim_end) {
        if let Some(name) = line.strip_prefix('#') {
            section = name.trim();
            continue;
        }
        let Some((field, value)) = line.split_once(':') else { continue };
        match section {
            "Keyspace" => keyspace(out, &mut seen, field, value),
            "Commandstats" => command(out, &mut seen, field, value),
            "Errorstats" => error(out, field, value),
            "Latencystats" => {}
            "Sentinel" if field.starts_with("master") => sentinel(out, value),
            _ if section == "Replication" && is_replica_line(field) => connected(out, value),
            // Already told with the master's address as labels.
            _ if field == "slave_repl_offset" => {}
            _ if field == "total_system_memory" && !system => {}
            _ => plain(out, field, value),
        }
    }
    // Their counts and sums are in another section, which may come later.
    for line in text.lines().map(str::trim_end) {
        if let Some((name, value)) = line.strip_prefix("latency_percentiles_usec_").and_then(|l| l.split_once(':')) {
            percentiles(out, &seen, name, value);
        }
    }
    seen
}

/// A field that is a metric by itself.
pub(crate) fn plain(out: &mut Out, field: &str, value: &str) {
    let Some((name, kind)) = fields::metric(field) else { return };
    if let Some(v) = number(value) {
        out.put(name, kind, &format!("{name} metric"), &[], v);
    }
}

/// Reads a number, or one of the words that mean one or zero.
fn number(value: &str) -> Option<f64> {
    match value {
        "ok" | "true" | "up" => Some(1.0),
        "err" | "fail" | "false" | "down" => Some(0.0),
        v => v.trim_end_matches('%').parse().ok(),
    }
}

/// Splits `a=1,b=2`. Values of some fields hold commas only at the end of a line, so the first `=` of each part decides.
fn pairs(value: &str) -> BTreeMap<&str, &str> {
    value.split(',').filter_map(|p| p.split_once('=')).collect()
}

fn keyspace(out: &mut Out, seen: &mut Seen, db: &str, value: &str) {
    let p = pairs(value);
    let get = |name: &str| p.get(name).and_then(|v| number(v));
    let (Some(keys), Some(expires)) = (get("keys"), get("expires")) else { return };
    seen.databases.push(db.to_owned());
    database(out, db, keys, expires);
    if let Some(ttl) = get("avg_ttl") {
        out.gauge("db_avg_ttl_seconds", "Avg TTL in seconds", &[("db", db)], ttl / 1_000.0);
    }
    if let Some(cached) = get("cached_keys") {
        out.gauge("db_keys_cached", "Total number of cached keys by DB", &[("db", db)], cached);
    }
}

/// One database's keys.
pub(crate) fn database(out: &mut Out, db: &str, keys: f64, expires: f64) {
    out.gauge("db_keys", "Total number of keys by DB", &[("db", db)], keys);
    out.gauge("db_keys_expiring", "Total number of expiring keys by DB", &[("db", db)], expires);
}

fn command(out: &mut Out, seen: &mut Seen, field: &str, value: &str) {
    let Some(cmd) = field.strip_prefix("cmdstat_") else { return };
    let p = pairs(value);
    let get = |name: &str| p.get(name).and_then(|v| number(v));
    let (Some(calls), Some(usec)) = (get("calls"), get("usec")) else { return };
    let labels = [("cmd", cmd)];
    out.counter("commands_total", "Total number of calls per command", &labels, calls);
    out.counter(
        "commands_duration_seconds_total",
        "Total amount of time in seconds spent per command",
        &labels,
        usec / 1e6,
    );
    if let Some(v) = get("rejected_calls") {
        out.counter(
            "commands_rejected_calls_total",
            "Total number of calls refused before execution per command",
            &labels,
            v,
        );
    }
    if let Some(v) = get("failed_calls") {
        out.counter(
            "commands_failed_calls_total",
            "Total number of calls that failed in execution per command",
            &labels,
            v,
        );
    }
    seen.commands.insert(cmd.to_owned(), (calls, usec));
}

fn error(out: &mut Out, field: &str, value: &str) {
    if let (Some(err), Some(count)) =
        (field.strip_prefix("errorstat_"), pairs(value).get("count").and_then(|v| number(v)))
    {
        out.counter("errors_total", "Total number of errors per error type", &[("err", err)], count);
    }
}

fn percentiles(out: &mut Out, seen: &Seen, cmd: &str, value: &str) {
    let quantiles: Vec<(f64, f64)> =
        pairs(value).iter().filter_map(|(q, v)| Some((q.strip_prefix('p')?.parse().ok()?, number(v)?))).collect();
    let (calls, usec) = seen.commands.get(cmd).copied().unwrap_or_default();
    let name = out.full("latency_percentiles_usec");
    out.batch.summary(
        &name,
        "A summary of latency percentile distribution per command",
        &[("cmd", cmd)],
        usec,
        calls,
        &quantiles,
    );
}

/// `slave0`, `slave1` ... of a master.
fn is_replica_line(field: &str) -> bool {
    field.strip_prefix("slave").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn connected(out: &mut Out, value: &str) {
    let p = pairs(value);
    let get = |name: &str| p.get(name).copied().unwrap_or("");
    let labels = [("slave_ip", get("ip")), ("slave_port", get("port")), ("slave_state", get("state"))];
    if let Some(v) = number(get("offset")) {
        out.gauge("connected_slave_offset_bytes", "Offset of connected slave", &labels, v);
    }
    if let Some(v) = number(get("lag")) {
        out.gauge("connected_slave_lag_seconds", "Lag of connected slave", &labels, v);
    }
}

/// What a replica knows of its master.
fn replica<'a>(out: &mut Out, get: &dyn Fn(&str) -> &'a str) {
    let master = [("master_host", get("master_host")), ("master_port", get("master_port"))];
    let info = [master[0], master[1], ("read_only", get("slave_read_only"))];
    out.gauge("slave_info", "Information about the Redis slave", &info, 1.0);
    for (field, name, help) in [
        ("master_link_status", "master_link_up", "Master link status on Redis slave"),
        ("master_last_io_seconds_ago", "master_last_io_seconds_ago", "Master last io seconds ago"),
        ("master_sync_in_progress", "master_sync_in_progress", "Master sync in progress"),
        ("slave_repl_offset", "slave_repl_offset", "Slave replication offset"),
    ] {
        if let Some(v) = number(get(field)) {
            out.gauge(name, help, &master, v);
        }
    }
}

fn sentinel(out: &mut Out, value: &str) {
    let p = pairs(value);
    let get = |name: &str| p.get(name).copied().unwrap_or("");
    let labels = [("master_name", get("name")), ("master_address", get("address"))];
    let status = [labels[0], labels[1], ("master_status", get("status"))];
    out.gauge("sentinel_master_status", "Master status on Sentinel", &status, f64::from(get("status") == "ok"));
    for (field, name, help) in [
        ("slaves", "sentinel_master_slaves", "The number of slaves of the master"),
        ("sentinels", "sentinel_master_sentinels", "The number of sentinels monitoring this master"),
    ] {
        if let Some(v) = number(get(field)) {
            out.gauge(name, help, &labels, v);
        }
    }
}
