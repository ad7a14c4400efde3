//! Against scripted servers, a real one where there is one, and the names that redis_exporter uses.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use watchglass_plugin_redis::resp::Client;
use watchglass_plugin_redis::{Config, collect, greet};
use watchglass_sdk::prelude::*;

/// Answers each command by its words; bytes go out whole.
struct Fake<F> {
    answer: F,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl<F: Fn(&[String]) -> String> Write for Fake<F> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.input.extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8(std::mem::take(&mut self.input)).unwrap();
        let words: Vec<String> = text.split("\r\n").skip(2).step_by(2).map(str::to_owned).collect();
        self.output.extend_from_slice((self.answer)(&words).as_bytes());
        Ok(())
    }
}

impl<F> Read for Fake<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.output.len().min(buf.len());
        buf[..n].copy_from_slice(&self.output[..n]);
        self.output.drain(..n);
        Ok(n)
    }
}

fn bulk(s: &str) -> String {
    format!("${}\r\n{s}\r\n", s.len())
}

const INFO: &str = "# Server\r\nredis_version:7.2.1\r\nredis_mode:cluster\r\nos:Linux\r\nuptime_in_seconds:100\r\ntcp_port:6379\r\n\
# Memory\r\nused_memory:1024\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\ntotal_system_memory:4096\r\n\
# Persistence\r\nloading:0\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\n\
# Stats\r\ntotal_commands_processed:17\r\nkeyspace_hits:3\r\nlatest_fork_usec:2500\r\nunheard_of:1\r\n\
# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:4\r\n\
slave_read_only:1\r\nslave_repl_offset:12\r\nslave_priority:100\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=9,lag=1\r\n\
# Commandstats\r\ncmdstat_get:calls=4,usec=200,usec_per_call=50.00,rejected_calls=1,failed_calls=2\r\ncmdstat_config|get:calls=1,usec=9\r\n\
# Errorstats\r\nerrorstat_ERR:count=4\r\n\
# Latencystats\r\nlatency_percentiles_usec_get:p50=5.023,p99.9=6.015\r\n\
# Cluster\r\ncluster_enabled:1\r\n\
# Keyspace\r\ndb0:keys=5,expires=2,avg_ttl=1500\r\n";

fn answers(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["INFO", "ALL"] => bulk(INFO),
        ["CONFIG", "GET", "*"] => {
            let pairs = [
                "databases",
                "16",
                "maxmemory",
                "0",
                "requirepass",
                "hunter2",
                "client-output-buffer-limit",
                "normal 0 0 0 replica 10 5 60",
            ];
            format!("*{}\r\n{}", pairs.len(), pairs.map(bulk).concat())
        }
        ["SLOWLOG", "LEN"] => ":2\r\n".to_owned(),
        ["SLOWLOG", "GET", "1"] => format!("*1\r\n*4\r\n:41\r\n:1700000000\r\n:1500\r\n*1\r\n{}", bulk("KEYS")),
        ["LATENCY", "LATEST"] => format!("*1\r\n*4\r\n{}:1700000001\r\n:250\r\n:300\r\n", bulk("fork")),
        ["LATENCY", "HISTOGRAM"] => {
            format!(
                "*2\r\n{}*4\r\n{}:4\r\n{}*4\r\n:1\r\n:1\r\n:33\r\n:4\r\n",
                bulk("get"),
                bulk("calls"),
                bulk("histogram_usec")
            )
        }
        ["CLUSTER", "INFO"] => bulk("cluster_state:ok\r\ncluster_slots_fail:3\r\ncluster_stats_messages_sent:8\r\n"),
        ["SELECT", _] => "+OK\r\n".to_owned(),
        ["TYPE", _] => "+string\r\n".to_owned(),
        ["STRLEN", _] => ":2\r\n".to_owned(),
        ["GET", _] => bulk("42"),
        ["SCAN", "0", ..] => format!("*2\r\n{}*2\r\n{}{}", bulk("9"), bulk("a"), bulk("b")),
        ["SCAN", "9", ..] => format!("*2\r\n{}*1\r\n{}", bulk("0"), bulk("c")),
        other => format!("-ERR unknown command {other:?}\r\n"),
    }
}

fn gather(config: serde_json::Value) -> Batch {
    let config = Config::decode(&config).unwrap();
    let mut client = Client::new(Fake { answer: answers, input: Vec::new(), output: Vec::new() });
    let mut batch = Batch::new();
    collect(&mut client, &config, 1_000_000, &mut batch).unwrap();
    batch
}

#[test]
fn every_part_of_a_server_becomes_samples() {
    let batch = gather(json!({"check-single-keys": ["db2=counter"], "count-keys": ["db1=user:*"]}));
    let text = batch.to_text();
    for line in [
        "redis_start_time_seconds 900",
        "redis_memory_used_bytes 1024",
        "redis_memory_max_bytes 0",
        "redis_total_system_memory_bytes 4096",
        "redis_rdb_last_bgsave_status 1",
        "redis_aof_last_write_status 0",
        "redis_commands_processed_total 17",
        "redis_latest_fork_seconds 0.0025",
        "redis_slave_info{master_host=\"10.0.0.1\",master_port=\"6379\",read_only=\"1\"} 1",
        "redis_master_link_up{master_host=\"10.0.0.1\",master_port=\"6379\"} 0",
        "redis_master_last_io_seconds_ago{master_host=\"10.0.0.1\",master_port=\"6379\"} 4",
        "redis_slave_repl_offset{master_host=\"10.0.0.1\",master_port=\"6379\"} 12",
        "redis_connected_slave_offset_bytes{slave_ip=\"10.0.0.2\",slave_port=\"6379\",slave_state=\"online\"} 9",
        "redis_connected_slave_lag_seconds{slave_ip=\"10.0.0.2\",slave_port=\"6379\",slave_state=\"online\"} 1",
        "redis_commands_total{cmd=\"get\"} 4",
        "redis_commands_total{cmd=\"config|get\"} 1",
        "redis_commands_duration_seconds_total{cmd=\"get\"} 0.0002",
        "redis_commands_rejected_calls_total{cmd=\"get\"} 1",
        "redis_commands_failed_calls_total{cmd=\"get\"} 2",
        "redis_errors_total{err=\"ERR\"} 4",
        "redis_latency_percentiles_usec{cmd=\"get\",quantile=\"99.9\"} 6.015",
        "redis_latency_percentiles_usec_sum{cmd=\"get\"} 200",
        "redis_db_keys{db=\"db0\"} 5",
        "redis_db_avg_ttl_seconds{db=\"db0\"} 1.5",
        "redis_config_maxmemory 0",
        "redis_config_client_output_buffer_limit_bytes{class=\"slave\",limit=\"hard\"} 10",
        "redis_config_client_output_buffer_limit_overcome_seconds{class=\"slave\",limit=\"soft\"} 60",
        "redis_slowlog_length 2",
        "redis_slowlog_last_id 41",
        "redis_last_slow_execution_duration_seconds 0.0015",
        "redis_latency_spike_duration_seconds{event_name=\"fork\"} 0.25",
        "redis_commands_latencies_usec_bucket{cmd=\"get\",le=\"33\"} 4",
        "redis_commands_latencies_usec_sum{cmd=\"get\"} 200",
        "redis_cluster_state 1",
        "redis_cluster_slots_fail 3",
        "redis_key_size{db=\"db2\",key=\"counter\"} 2",
        "redis_key_value{db=\"db2\",key=\"counter\"} 42",
        "redis_keys_count{db=\"db1\",key=\"user:*\"} 3",
    ] {
        assert!(text.contains(&format!("{line}\n")), "`{line}` is missing in\n{text}");
    }
    assert!(!text.contains("unheard_of") && !text.contains("hunter2"), "{text}");
    assert!(text.contains("role=\"slave\",redis_version=\"7.2.1\""), "{text}");
}

#[test]
fn options_change_what_is_shown() {
    let text = gather(
        json!({"include-config-metrics": true, "namespace": "valkey", "exclude-latency-histogram-metrics": true}),
    )
    .to_text();
    assert!(text.contains("valkey_config_key_value{key=\"databases\",value=\"16\"} 1\n"), "{text}");
    assert!(text.contains("valkey_config_value{key=\"databases\"} 16\n"));
    assert!(!text.contains("hunter2") && !text.contains("latencies_usec") && !text.contains("redis_db"), "{text}");
    let text = gather(json!({"config-command": "-", "include-system-metrics": false})).to_text();
    assert!(!text.contains("redis_config_") && !text.contains("total_system_memory"), "{text}");
}

#[test]
fn a_password_that_is_wrong_or_missing_is_said() {
    let refusing = |_: &[String]| "-NOAUTH Authentication required.\r\n".to_owned();
    let mut client = Client::new(Fake { answer: refusing, input: Vec::new(), output: Vec::new() });
    let e = collect(&mut client, &Config::default(), 0, &mut Batch::new()).unwrap_err();
    assert!(e.message().contains("set `password`"), "{e:?}");
    let config = Config::decode(&json!({"password": "wrong"})).unwrap();
    let e = greet(client, &config).err().unwrap();
    assert!(matches!(&e, Error::Denied(m) if m.contains("NOAUTH") && !m.contains("wrong")), "{e:?}");
}

/// A real server on a port of its own, ended when the test ends.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start() -> Option<Server> {
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let mut command = Command::new("redis-server");
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--maxmemory",
        "64mb",
        "--requirepass",
        "pw",
    ]);
    let child = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(e) => {
            eprintln!("SKIPPED: the test against a real Redis (redis-server: {e})");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true forbids skipping: install redis-server");
            return None;
        }
    };
    Some(Server(child, port))
}

#[test]
fn a_real_server_answers() {
    let Some(server) = start() else { return };
    let mut tries = 0;
    let stream = loop {
        match TcpStream::connect(("127.0.0.1", server.1)) {
            Ok(s) => break s,
            Err(e) => assert!(tries < 1_000, "the server never listens: {e}"),
        }
        tries += 1;
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let config = Config::decode(&json!({"password": "pw"})).unwrap();
    let mut client = greet(Client::new(stream), &config).unwrap();
    for i in 0..5 {
        client.call(&["SET", &format!("k{i}"), "v"]).unwrap();
    }
    let mut batch = Batch::new();
    collect(&mut client, &config, 0, &mut batch).unwrap();
    assert_eq!(batch.get("redis_memory_max_bytes", &[]), Some(67_108_864.0));
    assert_eq!(batch.get("redis_db_keys", &[("db", "db0")]), Some(5.0));
    assert_eq!(batch.get("redis_db_keys", &[("db", "db15")]), Some(0.0));
    assert_eq!(batch.get("redis_commands_total", &[("cmd", "set")]), Some(5.0));
    golden(&batch.to_text());
}

/// Every family that redis_exporter showed of Redis 7 must be there with its type and label names.
fn golden(text: &str) {
    let Some(dir) = conformance() else { return };
    let golden = std::fs::read_to_string(dir.join("exporter-golden/redis.txt")).unwrap();
    let types = |t: &str| -> std::collections::BTreeMap<String, String> {
        t.lines()
            .filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' '))
            .map(|(n, k)| (n.to_owned(), k.to_owned()))
            .collect()
    };
    let ours = types(text);
    // The exporter's own state, or absent from a server without traffic of that kind.
    let own = ["redis_exporter_", "redis_target_", "redis_last_key_groups_scrape_duration", "redis_up"];
    let missing: Vec<_> = types(&golden)
        .into_iter()
        .filter(|(n, _)| n.starts_with("redis_") && !own.iter().any(|p| n.starts_with(p)))
        .filter(|(n, k)| ours.get(n) != Some(k) && n != "redis_db_avg_ttl_seconds")
        .collect();
    assert!(missing.is_empty(), "missing or of another type: {missing:?}");
}

#[test]
fn fields_have_the_exporters_names() {
    let Some(dir) = conformance() else { return };
    let text = std::fs::read_to_string(dir.join("redis_exporter/info_fields.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let wrong: Vec<_> = cases
        .iter()
        .filter(|c| {
            let kind = if c["type"] == "counter" { Kind::Counter } else { Kind::Gauge };
            let ours = watchglass_plugin_redis::fields::metric(c["info_field"].as_str().unwrap());
            ours.map(|(n, k)| (format!("redis_{n}"), k)) != Some((c["metric"].as_str().unwrap().to_owned(), kind))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), cases.len());
}

fn conformance() -> Option<PathBuf> {
    let dir = std::env::var_os("WATCHGLASS_CONFORMANCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from);
    if dir.join("redis_exporter").is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no conformance data in {}", dir.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true forbids skipping: set WATCHGLASS_CONFORMANCE");
    None
}
