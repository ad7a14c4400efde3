//! What INFO does not tell: configuration, slow log, latencies, cluster, single keys.

use crate::config::{Config, split_db};
use crate::info::{Out, Seen, database, plain};
use crate::resp::{Client, Value};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use watchglass_sdk::prelude::*;

/// How many rounds of SCAN one pattern may take: a million keys at a thousand a round.
const SCAN_ROUNDS: u32 = 1_000;

/// The part of CONFIG that is shown without being asked for: our names' last words, theirs with dashes.
const SHOWN: [&str; 4] = ["io-threads", "maxclients", "maxmemory", "repl-backlog-size"];

/// Asks for everything after INFO. What a server refuses (an old one, an access rule) is left out; what breaks the connection is an error.
pub(crate) fn collect<S: Read + Write>(
    client: &mut Client<S>,
    config: &Config,
    seen: &Seen,
    out: &mut Out,
) -> Result<(), Error> {
    let mut databases = 0;
    if config.config_command != "-" {
        let answer = client.call(&[&config.config_command, "GET", "*"])?;
        databases = configuration(out, &answer, config.include_config_metrics);
    }
    // Databases without keys are absent from INFO; a rule wants to see them become empty, not vanish. A cluster has only one.
    for db in (0..if seen.cluster { 1 } else { databases }).map(|n| format!("db{n}")) {
        if !seen.databases.contains(&db) {
            database(out, &db, 0.0, 0.0);
        }
    }
    slow_log(client, out)?;
    latency(client, config, seen, out)?;
    if seen.cluster
        && let Value::Text(text) = client.call(&["CLUSTER", "INFO"])?
    {
        for (field, value) in text.lines().filter_map(|l| l.trim_end().split_once(':')) {
            plain(out, field, value);
        }
    }
    keys(client, config, out)
}

/// Reads CONFIG GET's list of names and values; gives the number of databases.
fn configuration(out: &mut Out, answer: &Value, all: bool) -> u32 {
    let mut databases = 0;
    for pair in answer.items().chunks_exact(2) {
        let (Some(key), Some(value)) = (pair[0].text(), pair[1].text()) else { continue };
        match key {
            // More than Redis could be asked to have; 16 is the default.
            "databases" => databases = value.parse().unwrap_or(0).min(10_000),
            "client-output-buffer-limit" => buffer_limits(out, value),
            _ => {}
        }
        let number: Option<f64> = value.parse().ok();
        if let (true, Some(v)) = (SHOWN.contains(&key), number) {
            let name = format!("config_{}", key.replace('-', "_"));
            out.gauge(&name, &format!("{name} metric"), &[], v);
        }
        if all {
            // A password would be a secret in a label.
            if !key.contains("pass") && !key.contains("auth") && !key.contains("requirepass") {
                out.gauge("config_key_value", "Config key and value", &[("key", key), ("value", value)], 1.0);
            }
            if let Some(v) = number {
                out.gauge("config_value", "Config key and value as metric", &[("key", key)], v);
            }
        }
    }
    databases
}

/// `normal 0 0 0 slave 268435456 67108864 60 ...`: class, hard limit, soft limit, seconds over the soft one.
fn buffer_limits(out: &mut Out, value: &str) {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    for group in words.chunks_exact(4) {
        let class = if group[0] == "replica" { "slave" } else { group[0] };
        let number = |i: usize| group.get(i).and_then(|w| w.parse::<f64>().ok()).unwrap_or(0.0);
        let help = "The configured buffer limits per class";
        out.gauge("config_client_output_buffer_limit_bytes", help, &[("class", class), ("limit", "hard")], number(1));
        out.gauge("config_client_output_buffer_limit_bytes", help, &[("class", class), ("limit", "soft")], number(2));
        let help = "How long a class may be over its soft limit before the client is dropped";
        out.gauge(
            "config_client_output_buffer_limit_overcome_seconds",
            help,
            &[("class", class), ("limit", "soft")],
            number(3),
        );
    }
}

fn slow_log<S: Read + Write>(client: &mut Client<S>, out: &mut Out) -> Result<(), Error> {
    if let Value::Number(n) = client.call(&["SLOWLOG", "LEN"])? {
        out.gauge("slowlog_length", "Total slowlog", &[], n as f64);
    }
    let answer = client.call(&["SLOWLOG", "GET", "1"])?;
    if matches!(answer, Value::Error(_)) {
        return Ok(());
    }
    // An entry is id, time, microseconds, the command ...; an empty log counts as zero.
    let field = |i: usize| answer.items().first().and_then(|e| e.items().get(i)).and_then(Value::number).unwrap_or(0.0);
    out.gauge("slowlog_last_id", "Last id of slowlog", &[], field(0));
    let help = "The amount of time needed for last slow execution, in seconds";
    out.gauge("last_slow_execution_duration_seconds", help, &[], field(2) / 1e6);
    Ok(())
}

fn latency<S: Read + Write>(client: &mut Client<S>, config: &Config, seen: &Seen, out: &mut Out) -> Result<(), Error> {
    // Entries are name, time, last and longest duration in milliseconds.
    for event in client.call(&["LATENCY", "LATEST"])?.items() {
        if let [name, at, last, ..] = event.items()
            && let (Some(name), Some(at), Some(last)) = (name.text(), at.number(), last.number())
        {
            out.gauge("latency_spike_last", "When the latency spike last occurred", &[("event_name", name)], at);
            let help = "Length of the last latency spike in seconds";
            out.gauge("latency_spike_duration_seconds", help, &[("event_name", name)], last / 1e3);
        }
    }
    if config.exclude_latency_histogram_metrics {
        return Ok(());
    }
    // A map as a flat list: command, then [calls, N, histogram_usec, [bound, cumulative count ...]]. Since Redis 7.
    for entry in client.call(&["LATENCY", "HISTOGRAM"])?.items().chunks_exact(2) {
        let Some(cmd) = entry[0].text() else { continue };
        let details: BTreeMap<&str, &Value> =
            entry[1].items().chunks_exact(2).filter_map(|p| Some((p[0].text()?, &p[1]))).collect();
        let Some(calls) = details.get("calls").and_then(|v| v.number()) else { continue };
        let flat = details.get("histogram_usec").map(|v| v.items()).unwrap_or(&[]);
        let buckets: Vec<(f64, f64)> =
            flat.chunks_exact(2).filter_map(|p| Some((p[0].number()?, p[1].number()?))).collect();
        let sum = seen.commands.get(cmd).map_or(0.0, |c| c.1);
        let name = out.full("commands_latencies_usec");
        out.batch.histogram(&name, "A histogram of latencies per command", &[("cmd", cmd)], sum, calls, &buckets);
    }
    Ok(())
}

/// The keys that the operator named.
fn keys<S: Read + Write>(client: &mut Client<S>, config: &Config, out: &mut Out) -> Result<(), Error> {
    for (db, key) in config.check_single_keys.iter().filter_map(|k| split_db(k)) {
        let database = format!("db{db}");
        let labels = [("db", database.as_str()), ("key", key)];
        client.call(&["SELECT", &db.to_string()])?;
        let Some(kind) = client.call(&["TYPE", key])?.text().map(str::to_owned) else { continue };
        let size = match kind.as_str() {
            "string" => client.call(&["STRLEN", key])?,
            "list" => client.call(&["LLEN", key])?,
            "set" => client.call(&["SCARD", key])?,
            "zset" => client.call(&["ZCARD", key])?,
            "hash" => client.call(&["HLEN", key])?,
            "stream" => client.call(&["XLEN", key])?,
            _ => continue,
        };
        if let Some(v) = size.number() {
            out.gauge("key_size", "The length or size of \"key\"", &labels, v);
        }
        if kind == "string"
            && let Some(v) = client.call(&["GET", key])?.number()
        {
            out.gauge("key_value", "The value of \"key\"", &labels, v);
        }
    }
    for (db, pattern) in config.count_keys.iter().filter_map(|k| split_db(k)) {
        client.call(&["SELECT", &db.to_string()])?;
        if let Some(count) = count(client, pattern)? {
            let database = format!("db{db}");
            out.gauge("keys_count", "Count of keys", &[("db", &database), ("key", pattern)], count);
        }
    }
    if !config.check_single_keys.is_empty() || !config.count_keys.is_empty() {
        client.call(&["SELECT", "0"])?;
    }
    Ok(())
}

/// Counts the keys of a pattern with SCAN; `None` where there are more than the rounds allow.
fn count<S: Read + Write>(client: &mut Client<S>, pattern: &str) -> Result<Option<f64>, Error> {
    let mut cursor = "0".to_owned();
    let mut total = 0.0;
    for _ in 0..SCAN_ROUNDS {
        let answer = client.call(&["SCAN", &cursor, "MATCH", pattern, "COUNT", "1000"])?;
        let [next, found] = answer.items() else { return Ok(None) };
        total += found.items().len() as f64;
        match next.text() {
            Some("0") => return Ok(Some(total)),
            Some(next) => cursor = next.to_owned(),
            None => return Ok(None),
        }
    }
    Ok(None)
}
