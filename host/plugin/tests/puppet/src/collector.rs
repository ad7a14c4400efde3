//! The collector plugin.

wit_bindgen::generate!({ path: "../../../../wit", world: "collector-plugin" });

use std::cell::{Cell, RefCell};

use exports::watchglass::plugin::collector::{
    Bucket, Classic, Collection, Context, Error, Evidence, Exposition, ExpositionBody, Family, Guest, Manifest, Packed,
    PackedFamily, Payload, Problem, Sample, Value,
};
use watchglass::plugin::meta::{Capability, Instance, Want};
use watchglass::plugin::net::{Connection, Endpoint, IpVersion, OpenOptions, PingOptions, TlsOptions};
use watchglass::plugin::types::Kind;
use watchglass::plugin::{clock, files, http, log, net, random, secrets, system};

use crate::{eat, mode, recurse, spin};

struct Puppet;
export!(Puppet);

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static KEPT: RefCell<Vec<http::Body>> = const { RefCell::new(Vec::new()) };
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

impl Guest for Puppet {
    fn describe() -> Manifest {
        let mode = mode();
        let mut manifest = Manifest {
            name: "puppet".into(),
            version: "1".into(),
            summary: "does as it is told".into(),
            interval_ms: 0,
            timeout_ms: 0,
            memory_mib: 0,
            needs_targets: false,
            instance: Instance::PerTarget,
            config_schema:
                r#"{"type":"object","properties":{"do":{"type":"string"},"level":{"type":"integer","minimum":1}}}"#
                    .into(),
            wants: wants(),
            families: Vec::new(),
            other_families: true,
        };
        match mode.as_str() {
            "good" => {}
            "fresh" => manifest.instance = Instance::Fresh,
            "shared" => manifest.instance = Instance::Shared,
            "spin" => spin(),
            "eat" => eat(),
            "trap" => core::arch::wasm32::unreachable(),
            "recurse" => manifest.interval_ms = recurse(0) as u32,
            "hang" => loop {
                // Time passes, but hardly any CPU: the wall clock has to end it.
                let _ = files::read("/proc/stat", 10);
            },
            "badname" => manifest.name = "No Name".into(),
            "badschema" => manifest.config_schema = "{".into(),
            "badwant" => manifest.wants[0].suggested = "proc".into(),
            "manywants" => manifest.wants = (0..20_000).map(|_| manifest.wants[0].clone()).collect(),
            "badutf8" => manifest.summary = unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) },
            "nowants" => manifest.wants.clear(),
            "needs" => manifest.wants.iter_mut().for_each(|w| w.optional = false),
            "needsfiles" => {
                manifest.wants.truncate(1);
                manifest.wants[0].optional = false;
            }
            "denied" => {
                let read = files::read("/proc/stat", 1000);
                let secret = secrets::get("x");
                manifest.summary = format!("{:?} {:?} {:?}", read.is_err(), secret.is_err(), system::uname().is_err());
            }
            other => manifest.summary = format!("unknown mode {other}"),
        }
        manifest
    }

    fn configure(config: String) -> Result<(), Vec<Problem>> {
        if config.contains("refuse") {
            return Err(vec![Problem { path: "do".into(), message: "refused".into() }]);
        }
        CONFIG.with(|c| *c.borrow_mut() = config);
        Ok(())
    }

    fn collect(ctx: Context) -> Result<Collection, Error> {
        let calls = CALLS.with(|c| {
            c.set(c.get() + 1);
            c.get()
        });
        let told =
            ctx.target.as_ref().and_then(|t| t.params.iter().find(|(n, _)| n == "__param_do")).map(|(_, v)| v.clone());
        let told = told.unwrap_or_else(|| {
            CONFIG
                .with(|c| c.borrow().split("\"do\":\"").nth(1).unwrap_or("").split('"').next().unwrap_or("").to_owned())
        });
        let (verb, rest) = told.split_once(' ').unwrap_or((told.as_str(), ""));
        act(verb, rest, calls, &ctx)
    }
}

fn wants() -> Vec<Want> {
    use Capability::*;
    let want =
        |what, suggested: &str| Want { what, suggested: suggested.into(), why: "the test".into(), optional: true };
    vec![
        want(Files, "/proc"),
        want(System, "*"),
        want(Tcp, ""),
        want(Udp, ""),
        want(Unix, ""),
        want(Http, ""),
        want(Icmp, ""),
        want(Dns, ""),
        want(Secret, ""),
    ]
}

fn act(verb: &str, rest: &str, calls: u32, ctx: &Context) -> Result<Collection, Error> {
    let words: Vec<&str> = rest.split(' ').collect();
    let number = || rest.parse::<u32>().unwrap_or(10);
    match verb {
        "" | "ok" => payload(Payload::Packed(packed(10))),
        "calls" => told(format!("{calls}")),
        "context" => told(format!("{ctx:?}")),
        "error" => Err(Error::Unavailable("the target is down".into())),
        "down" => {
            Ok(Collection { failure: Some(Error::Unavailable("down".into())), ..payload(Payload::Packed(packed(1)))? })
        }
        "clock" => told(format!(
            "{} {} {}",
            clock::now() > 1_500_000_000_000,
            clock::monotonic_ns() > 0,
            random::bytes(8).len()
        )),
        "packed" => payload(Payload::Packed(packed(number()))),
        "families" => payload(Payload::Families(families(number()))),
        "histogram" => payload(Payload::Families(vec![histogram()])),
        "text" => payload(Payload::Exposition(Exposition {
            content_type: "text/plain".into(),
            body: ExpositionBody::Text(rest.into()),
        })),
        "spin" => spin(),
        "eat" => eat(),
        "leak" => {
            Box::leak(vec![1u8; (number() << 20) as usize].into_boxed_slice());
            told(format!("{calls}"))
        }
        "trap" => core::arch::wasm32::unreachable(),
        "panic" => panic!("told to"),
        "recurse" => told(recurse(0).to_string()),
        "loop-files" => loop {
            let _ = files::metadata("/proc/stat");
        },
        "log" => {
            (0..number()).for_each(|i| log::write(log::Level::Info, &format!("line {i}")));
            told("logged".into())
        }
        "bad-utf8" => payload(Payload::Exposition(Exposition {
            content_type: "text/plain".into(),
            body: ExpositionBody::Text(unsafe { String::from_utf8_unchecked(vec![0xc3, 0x28]) }),
        })),
        "bad-index" => {
            let mut p = packed(3);
            p.label_values[0] = 4_000_000;
            payload(Payload::Packed(p))
        }
        "bad-name" => {
            let mut f = families(1);
            f[0].label_names[0] = String::new();
            payload(Payload::Families(f))
        }
        "bad-length" => {
            // A list that claims to go on beyond all memory.
            let small = vec![0u8; 16];
            let lie =
                unsafe { Vec::from_raw_parts(core::mem::ManuallyDrop::new(small).as_mut_ptr(), 1 << 30, 1 << 30) };
            payload(Payload::Exposition(Exposition {
                content_type: "text/plain".into(),
                body: ExpositionBody::Bytes(lie),
            }))
        }
        "huge-string" => payload(Payload::Exposition(Exposition {
            content_type: "text/plain".into(),
            body: ExpositionBody::Text("x".repeat((number() << 20) as usize)),
        })),
        "many-payloads" => {
            let empty = || Payload::Families(Vec::new());
            Ok(Collection { payloads: (0..number()).map(|_| empty()).collect(), evidence: vec![], failure: None })
        }
        "flood" => {
            // As many samples as asked for, in as little guest memory as possible.
            let n = number() as usize;
            let family =
                PackedFamily { name: 0, help: 1, unit: 1, kind: Kind::Gauge, label_names: vec![], rows: n as u32 };
            payload(Payload::Packed(Packed {
                text: "flood".into(),
                ends: vec![5, 5],
                families: vec![family],
                label_values: vec![],
                values: vec![0.0; n],
                at: vec![],
            }))
        }
        "read" => told(show(files::read_text(rest, 1 << 20))),
        "read-many" => {
            let paths: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            let shown: Vec<String> =
                files::read_many(&paths, 1 << 20).into_iter().map(|r| show(r.map(|b| b.len()))).collect();
            told(shown.join(" | "))
        }
        "read-small" => told(show(files::read(rest, 4).map(|b| b.len()))),
        "list" => told(show(
            files::list_dir(rest)
                .map(|l| l.into_iter().map(|e| format!("{}:{:?}", e.name, e.kind)).collect::<Vec<_>>().join(",")),
        )),
        "link" => told(show(files::read_link(rest))),
        "stat" => told(show(files::metadata(rest).map(|m| format!("{:?} {}", m.kind, m.size)))),
        "usage" => told(show(files::disk_usage(rest, 1000).map(|u| format!("{} {}", u.size > 0, u.free <= u.size)))),
        "tree" => told(show(files::tree_usage(rest, &[], 1000, 1000).map(|t| format!("{} {}", t.entries, t.complete)))),
        "secret" => told(show(secrets::get(rest))),
        "system" => told(system_call(rest)),
        "tcp" | "udp" | "unix" => told(show(talk(verb, &words, None))),
        "tls" => told(show(talk("tcp", &words[..1], Some(tls(words.get(1).copied(), words.get(2).copied()))))),
        "starttls" => told(show(start_tls(&words))),
        "keep" => {
            let opened = open("tcp", rest, None)?;
            CONNECTION.with(|c| *c.borrow_mut() = Some(opened));
            told("kept".into())
        }
        "again" => {
            told(CONNECTION.with(|c| c.borrow().as_ref().map_or("none".into(), |c| show(exchange(c, b"again\n")))))
        }
        "many-connections" => {
            let mut all = Vec::new();
            let failed = loop {
                match open("tcp", rest, None) {
                    Ok(c) => all.push(c),
                    Err(e) => break format!("{e:?}"),
                }
            };
            told(format!("{} {failed}", all.len()))
        }
        "hang" => {
            // Reads for ever from somebody who never says a word.
            let c = open("tcp", rest, None)?;
            loop {
                let _ = c.read(10, u32::MAX);
            }
        }
        "wait" => {
            let c = open("tcp", rest, None)?;
            told(show(c.read(10, u32::MAX).map(|b| b.len())))
        }
        "resolve" => told(show(net::resolve(rest, IpVersion::Any, 2000).map(|a| a.join(",")))),
        "ping" => {
            let options = PingOptions {
                timeout_ms: 2000,
                ip: IpVersion::Any,
                payload_size: 56,
                ttl: None,
                dont_fragment: false,
                source_address: None,
            };
            told(show(net::ping(rest, &options).map(|r| format!("{} {}", r.from_address, r.bytes))))
        }
        "http" => told(show(http::send(&request(&words)).map(|r| {
            let hops: Vec<String> = r.hops.iter().map(|h| format!("{} {}", h.status, h.version)).collect();
            let body = loop_read(&r.body);
            format!("{} [{}] {}", r.status, hops.join(", "), body)
        }))),
        "scrape" => {
            let response = http::send(&request(&words))?;
            let body = ExpositionBody::Response(response.body);
            payload(Payload::Exposition(Exposition { content_type: "text/plain".into(), body }))
        }
        "keep-body" => {
            let response = http::send(&request(&words))?;
            KEPT.with(|k| k.borrow_mut().push(response.body));
            told("kept".into())
        }
        "read-kept" => told(KEPT.with(|k| k.borrow().first().map_or("none".into(), |b| show(b.read_text(100))))),
        "many-bodies" => {
            let mut all = Vec::new();
            let failed = loop {
                match http::send(&request(&words)) {
                    Ok(r) => all.push(r),
                    Err(e) => break format!("{e:?}"),
                }
            };
            told(format!("{} {failed}", all.len()))
        }
        other => Err(Error::Other(format!("unknown verb {other}"))),
    }
}

fn loop_read(body: &http::Body) -> String {
    let mut text = String::new();
    loop {
        match body.read_text(1000) {
            Ok(part) if part.is_empty() => return text,
            Ok(part) => text.push_str(&part),
            Err(e) => return format!("{text} {e:?}"),
        }
    }
}

/// `URL [key=value]...`
fn request(words: &[&str]) -> http::Request {
    let option = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)).map(str::to_owned);
    http::Request {
        method: option("method=").unwrap_or_else(|| "GET".into()),
        url: words.first().map(|w| (*w).to_owned()).unwrap_or_default(),
        headers: option("header=")
            .iter()
            .filter_map(|h| h.split_once(':'))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect(),
        body: option("body=").unwrap_or_default().into_bytes(),
        tls: option("ca=").map(|ca| tls(None, Some(&ca))),
        credentials: option("bearer=").map(http::Credentials::Bearer),
        version: if option("h2=").is_some() { http::Version::Http2 } else { http::Version::Any },
        ip: IpVersion::Any,
        source_address: None,
        proxy: option("proxy="),
        proxy_headers: Vec::new(),
        unix_socket: option("unix="),
        follow_redirects: option("follow=").and_then(|n| n.parse().ok()).unwrap_or(0),
        decompress: option("gzip=").is_some(),
        timeout_ms: 3000,
        max_body: option("max=").and_then(|n| n.parse().ok()).unwrap_or(1 << 20),
    }
}

fn tls(server_name: Option<&str>, ca: Option<&str>) -> TlsOptions {
    TlsOptions {
        server_name: server_name.filter(|n| !n.is_empty() && *n != "-").map(str::to_owned),
        verify: ca != Some("insecure"),
        ca: ca.filter(|c| *c != "insecure").map(str::to_owned),
        client_identity: None,
        client_key: None,
        alpn: vec![],
        min_version: None,
        max_version: None,
    }
}

fn open(kind: &str, to: &str, tls: Option<TlsOptions>) -> Result<Connection, Error> {
    let host_port = || to.rsplit_once(':').map(|(h, p)| (h.to_owned(), p.parse().unwrap_or(0))).unwrap_or_default();
    let endpoint = match kind {
        "tcp" => Endpoint::Tcp(host_port()),
        "udp" => Endpoint::Udp(host_port()),
        _ => Endpoint::Unix(to.to_owned()),
    };
    Connection::open(&endpoint, &OpenOptions { tls, timeout_ms: 2000, ip: IpVersion::Any, source_address: None })
}

fn exchange(c: &Connection, say: &[u8]) -> Result<String, Error> {
    c.write_all(say, 1000)?;
    let heard = c.read(1000, 1000)?;
    let tls =
        c.tls().map_or(String::new(), |t| format!(" {} verified={} chain={}", t.version, t.verified, t.chain.len()));
    Ok(format!("{}{tls}", String::from_utf8_lossy(&heard).trim()))
}

fn talk(kind: &str, words: &[&str], tls: Option<TlsOptions>) -> Result<String, Error> {
    let c = open(kind, words.first().copied().unwrap_or(""), tls)?;
    exchange(&c, b"hello\n")
}

fn start_tls(words: &[&str]) -> Result<String, Error> {
    let c = open("tcp", words.first().copied().unwrap_or(""), None)?;
    c.write_all(b"STARTTLS\n", 1000)?;
    let ready = c.read_exact(3, 1000)?;
    c.start_tls(&tls(words.get(1).copied(), words.get(2).copied()), 1000)?;
    Ok(format!("{} {}", String::from_utf8_lossy(&ready), exchange(&c, b"hello\n")?))
}

fn system_call(name: &str) -> String {
    match name {
        "uname" => show(system::uname().map(|u| u.system)),
        "clock-adjustment" => show(system::clock_adjustment().map(|c| c.tick_us)),
        "constants" => {
            show(system::constants().map(|c| format!("{} {} {}", c.page_size, c.clock_ticks, c.processors_online > 0)))
        }
        "time-zone" => show(system::time_zone().map(|t| !t.name.is_empty())),
        "network-links" => {
            show(system::network_links().map(|l| {
                l.iter().map(|l| format!("{}:{}", l.name, l.counters.is_some())).collect::<Vec<_>>().join(",")
            }))
        }
        "network-addresses" => show(system::network_addresses().map(|l| {
            l.iter().map(|a| format!("{}={}/{}", a.device, a.address, a.prefix_length)).collect::<Vec<_>>().join(",")
        })),
        "network-routes" => show(system::network_routes().map(|r| r.len())),
        "network-neighbours" => show(system::network_neighbours().map(|r| r.len())),
        "network-queues" => show(
            system::network_queues()
                .map(|q| q.iter().map(|q| format!("{}:{}", q.device, q.kind)).collect::<Vec<_>>().join(",")),
        ),
        "ethtool-driver" => show(system::ethtool_driver("lo").map(|d| d.driver)),
        "ethtool-stats" => show(system::ethtool_stats("lo").map(|s| s.len())),
        "ethtool-link" => show(system::ethtool_link("lo").map(|l| l.link_detected)),
        "wifi-interfaces" => show(system::wifi_interfaces().map(|w| w.len())),
        "wifi-stations" => show(system::wifi_stations(1).map(|w| w.len())),
        "btrfs" => show(system::btrfs("/").map(|b| b.devices.len())),
        other => format!("unknown function {other}"),
    }
}

fn show<T: std::fmt::Display>(result: Result<T, Error>) -> String {
    match result {
        Ok(value) => format!("ok {value}"),
        Err(e) => format!("{e:?}"),
    }
}

fn told(text: String) -> Result<Collection, Error> {
    Ok(Collection { payloads: vec![], evidence: vec![Evidence { about: vec![], text }], failure: None })
}

fn payload(payload: Payload) -> Result<Collection, Error> {
    Ok(Collection { payloads: vec![payload], evidence: vec![], failure: None })
}

/// So many samples, fifteen to a family, two labels each.
fn packed(samples: u32) -> Packed {
    let mut text = String::new();
    let mut ends = Vec::new();
    let mut put = |s: &str| {
        text.push_str(s);
        ends.push(text.len() as u32);
        ends.len() as u32 - 1
    };
    let empty = put("");
    let help = put("what it tells");
    let names = vec![put("device"), put("mode")];
    let values: Vec<u32> = (0..15).map(|i| put(&format!("value-{i}"))).collect();
    let mut families = Vec::new();
    let mut label_values = Vec::with_capacity(samples as usize * 2);
    let mut left = samples;
    while left > 0 {
        let rows = left.min(15);
        let name = put(&format!("puppet_family_{}_total", families.len()));
        families.push(PackedFamily { name, help, unit: empty, kind: Kind::Counter, label_names: names.clone(), rows });
        for row in 0..rows {
            label_values.push(values[row as usize]);
            label_values.push(values[14 - row as usize]);
        }
        left -= rows;
    }
    Packed { text, ends, families, label_values, values: (0..samples).map(f64::from).collect(), at: vec![] }
}

fn families(samples: u32) -> Vec<Family> {
    let family = |f: u32| Family {
        name: format!("puppet_family_{f}"),
        help: "what it tells".into(),
        unit: String::new(),
        kind: Kind::Gauge,
        label_names: vec!["device".into(), "mode".into()],
        samples: (f * 15..samples.min((f + 1) * 15))
            .map(|i| Sample {
                label_values: vec![format!("device-{i}"), "x".into()],
                value: Value::Number(f64::from(i)),
                at: None,
            })
            .collect(),
    };
    (0..samples.div_ceil(15)).map(family).collect()
}

fn histogram() -> Family {
    let value = Value::Classic(Classic { count: 2.0, sum: 1.5, buckets: vec![Bucket { le: 1.0, count: 1.0 }] });
    Family {
        name: "h".into(),
        help: String::new(),
        unit: String::new(),
        kind: Kind::Histogram,
        label_names: vec![],
        samples: vec![Sample { label_values: vec![], value, at: None }],
    }
}
