//! Collects a Redis or Valkey server: what redis_exporter shows, under its names.
//!
//! One connection a target stays open between collections. Where the server is down there is `redis_up 0`, and the target's `up` is 0 too.

mod config;
pub mod fields;
mod info;
mod more;
pub mod resp;

pub use config::Config;
pub use info::Seen;

use info::Out;
use resp::{Client, Value};
use std::io::{Read, Write};
use watchglass_sdk::config::file_secret;
use watchglass_sdk::net::{self, Connection};
use watchglass_sdk::prelude::*;

/// What a connection's opening may take at most, in milliseconds; the collection's own deadline may be nearer.
const CONNECT_MS: u32 = 15_000;

/// The collector, one for each target.
#[derive(Debug)]
pub struct Redis {
    config: Config,
    client: Option<Client<Connection>>,
    collections: u64,
}

impl Collector for Redis {
    fn describe() -> Manifest {
        let mut m = Manifest::new("redis", env!("CARGO_PKG_VERSION"), "collects a Redis or Valkey server")
            .per_target()
            .schema(config::SCHEMA)
            .wants(Capability::Tcp, "", "to ask the targets")
            .may_want(Capability::Secret, "", "where the config names a password or certificates")
            .declares("redis_up", Kind::Gauge, "Whether the server answers", &[])
            .declares(
                "redis_instance_info",
                Kind::Gauge,
                "Information about the Redis instance",
                &["role", "redis_version", "redis_mode", "os", "maxmemory_policy"],
            )
            .declares("redis_db_keys", Kind::Gauge, "Total number of keys by DB", &["db"])
            .declares("redis_db_keys_expiring", Kind::Gauge, "Total number of expiring keys by DB", &["db"])
            .declares("redis_db_avg_ttl_seconds", Kind::Gauge, "Avg TTL in seconds", &["db"])
            .declares("redis_commands_total", Kind::Counter, "Total number of calls per command", &["cmd"])
            .declares(
                "redis_commands_duration_seconds_total",
                Kind::Counter,
                "Total amount of time in seconds spent per command",
                &["cmd"],
            )
            .declares("redis_errors_total", Kind::Counter, "Total number of errors per error type", &["err"])
            .declares_more();
        for (name, kind) in fields::all() {
            m = m.declares(&format!("redis_{name}"), kind, &format!("{name} metric"), &[]);
        }
        m
    }

    fn configure(config: &Json) -> Result<Self, Vec<Problem>> {
        Ok(Redis { config: Config::decode(config)?, client: None, collections: 0 })
    }

    fn collect(&mut self, ctx: &Context) -> Result<Collection, Error> {
        let watch = clock::Stopwatch::start();
        self.collections += 1;
        let mut batch = Batch::new();
        let result = self.ask(ctx, &mut batch);
        let message = result.as_ref().err().map(Error::message);
        // A server that went away in the middle leaves half a picture: only `up` is told then.
        if result.is_err() {
            batch = Batch::new();
            self.client = None;
        }
        let mut out = Out { batch: &mut batch, namespace: &self.config.namespace };
        out.gauge("up", "Whether the server answers", &[], f64::from(result.is_ok()));
        out.counter("exporter_scrapes_total", "Collections so far", &[], self.collections as f64);
        let text = message.clone().unwrap_or_default();
        out.gauge(
            "exporter_last_scrape_error",
            "Whether the last collection failed, and why",
            &[("err", &text)],
            f64::from(result.is_err()),
        );
        out.gauge("exporter_last_scrape_duration_seconds", "How long the last collection took", &[], watch.seconds());
        let collection = Collection::from(batch);
        Ok(match (result, message) {
            (Err(e), Some(text)) => collection.evidence(&[], text).down(e),
            _ => collection,
        })
    }
}

impl Redis {
    fn ask(&mut self, ctx: &Context, batch: &mut Batch) -> Result<(), Error> {
        let timeout = ctx.deadline_ms.saturating_sub(100).clamp(1, CONNECT_MS);
        if let Some(client) = &mut self.client {
            client.stream().set_timeout(timeout);
            // A connection that idled may have been closed meanwhile (a restart, `timeout` in the server's config).
            match collect(client, &self.config, ctx.scheduled_at, batch) {
                Err(Error::Unavailable(_)) => *batch = Batch::new(),
                other => return other,
            }
        }
        self.client = None;
        let client = self.client.insert(connect(&self.config, ctx.address()?, timeout)?);
        collect(client, &self.config, ctx.scheduled_at, batch)
    }
}

/// Opens a connection and says who we are.
fn connect(config: &Config, address: &str, timeout_ms: u32) -> Result<Client<Connection>, Error> {
    let (tls, address) = match address.split_once("://") {
        Some(("redis" | "valkey", rest)) => (config.tls, rest),
        Some(("rediss" | "valkeys", rest)) => (true, rest),
        Some(("unix", path)) => return greet(Client::new(Connection::unix(path, timeout_ms)?), config),
        Some((other, _)) => {
            return Err(Error::BadConfig(format!(
                "target `{address}`: scheme `{other}` is not known; allowed are redis, rediss, unix"
            )));
        }
        None if address.starts_with('/') => return greet(Client::new(Connection::unix(address, timeout_ms)?), config),
        None => (config.tls, address),
    };
    let (host, port) = net::split_host_port(address.trim_end_matches('/'), 6379)?;
    let connection = if tls {
        let options = net::TlsOptions {
            server_name: config.tls_server_name.clone(),
            verify: !config.skip_tls_verification,
            ca: config.tls_ca_cert_file.as_deref().map(file_secret),
            client_identity: config.tls_client_cert_file.as_deref().map(file_secret),
            client_key: config.tls_client_key_file.as_deref().map(file_secret),
            ..net::tls_options()
        };
        Connection::tls(&host, port, timeout_ms, options)?
    } else {
        Connection::tcp(&host, port, timeout_ms)?
    };
    greet(Client::new(connection), config)
}

/// Authenticates and names the connection.
pub fn greet<S: Read + Write>(mut client: Client<S>, config: &Config) -> Result<Client<S>, Error> {
    if !config.password.is_empty() {
        let password = config.password.reveal()?;
        let words =
            if config.user.is_empty() { vec!["AUTH", &password] } else { vec!["AUTH", &config.user, &password] };
        if let Value::Error(e) = client.call(&words)? {
            return Err(Error::Denied(format!("redis refuses the password: {e}")));
        }
    }
    if config.set_client_name {
        // Only a courtesy in CLIENT LIST; a server that refuses it is fine.
        client.call(&["CLIENT", "SETNAME", "watchglass"])?;
    }
    if config.ping_on_connect
        && let Value::Error(e) = client.call(&["PING"])?
    {
        return Err(Error::Unavailable(format!("redis answers PING with {e}")));
    }
    Ok(client)
}

/// Collects over an open connection into `batch`; `now_ms` is the collection's time.
pub fn collect<S: Read + Write>(
    client: &mut Client<S>,
    config: &Config,
    now_ms: i64,
    batch: &mut Batch,
) -> Result<(), Error> {
    let text = match client.call(&["INFO", "ALL"])? {
        Value::Text(text) => text,
        Value::Error(e) => return Err(refusal(&e)),
        _ => return Err(Error::protocol("redis: INFO gave no text")),
    };
    let mut out = Out { batch, namespace: &config.namespace };
    let seen = info::read(&mut out, &text, now_ms, config.include_system_metrics);
    more::collect(client, config, &seen, &mut out)
}

/// Turns INFO's refusal into advice.
fn refusal(e: &str) -> Error {
    if e.starts_with("NOAUTH") || e.starts_with("NOPERM") {
        return Error::Denied(format!("redis: {e}\nhint: set `password` (and `user`) in [collector.config]"));
    }
    Error::Unavailable(format!("redis answers INFO with: {e}"))
}

watchglass_sdk::export_collector!(Redis);
