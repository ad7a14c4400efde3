//! What a collector says of HTTP, of secrets and of limits reaches the target, the plugin and the store.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use watchglass_tests::{Daemon, Endpoint, Redis, eventually, free_port, plugins_dir, skip};

const METRICS: &str = "# TYPE hits counter\nhits_total{path=\"/a\"} 1\nhits_total{path=\"/b\"} 2\n\
    # TYPE took histogram\ntook_bucket{le=\"1\"} 2\ntook_bucket{le=\"+Inf\"} 3\ntook_count 3\ntook_sum 4\n";

/// Answers with metrics to who has a right header.
fn guarded(seen: Arc<Mutex<Vec<String>>>) -> Router {
    let metrics = move |headers: HeaderMap| async move {
        let header = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("").to_owned()).unwrap_or_default();
        let authorization = header("authorization");
        seen.lock().unwrap().push(format!("{authorization} {}", header("x-scope-orgid")));
        // `user:watchglass-tests`, the token of the file, the token of the server of tokens.
        let known = ["Basic dXNlcjp3YXRjaGdsYXNzLXRlc3Rz", "Bearer from-the-file", "Bearer fetched"];
        let status = if known.contains(&authorization.as_str()) { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        (status, [("content-type", "text/plain")], METRICS)
    };
    let token = |headers: HeaderMap, body: String| async move {
        // `id:s%2Fcret` in base64.
        let ours = headers.get("authorization").is_some_and(|v| v == "Basic aWQ6cyUyRmNyZXQ=");
        let asks = body == "grant_type=client_credentials&scope=metrics";
        let status = if ours && asks { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        (status, r#"{"access_token": "fetched", "token_type": "bearer", "expires_in": 3600}"#)
    };
    Router::new().route("/metrics", get(metrics)).route("/token", post(token))
}

fn config(jobs: &str) -> String {
    let plugins = plugins_dir().display().to_string();
    format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[plugins]\ndir = \"{plugins}\"\n[global]\nscrape_interval = \"1s\"\nscrape_timeout = \"900ms\"\n{jobs}"
    )
}

fn run(dir: &std::path::Path, jobs: &str) -> Daemon {
    fs::write(dir.join("watchglass.toml"), config(jobs)).unwrap();
    Daemon::start(dir, &["--config", "watchglass.toml"])
}

fn up(daemon: &Daemon, job: &str) {
    eventually(&format!("{job} is up"), || match daemon.number(&format!("up{{job=\"{job}\"}}"))? {
        1.0 => Ok(()),
        other => Err(format!("up is {other}: {}", daemon.get("/api/v1/targets")?)),
    });
}

#[test]
fn who_we_are_is_told_by_header_file_variable_and_token() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let app = Endpoint::start(guarded(Arc::clone(&seen)));
    let address = app.address();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "from-the-file\n").unwrap();
    fs::write(dir.path().join("client"), "s/cret").unwrap();
    // cargo sets the variable for every test; its value is this crate's name.
    let jobs = format!(
        r#"
[secrets]
tenant = "file:token"
[[collector]]
name = "variable"
plugin = "app"
targets = ["{address}"]
basic_auth = {{ username = "user", password = "env:CARGO_PKG_NAME" }}
[[collector]]
name = "file"
plugin = "app"
targets = ["{address}"]
authorization = {{ credentials_file = "token" }}
[collector.http_headers.X-Scope-OrgID]
secrets = ["secret:tenant"]
[[collector]]
name = "fetched"
plugin = "app"
targets = ["{address}"]
oauth2 = {{ client_id = "id", client_secret = "file:client", scopes = ["metrics"], token_url = "http://{address}/token" }}
[[collector]]
name = "nobody"
plugin = "app"
targets = ["{address}"]
"#
    );
    let daemon = run(dir.path(), &jobs);
    for job in ["variable", "file", "fetched"] {
        up(&daemon, job);
    }
    assert!(seen.lock().unwrap().contains(&"Bearer from-the-file from-the-file".to_owned()), "the header's secret");
    eventually("the one without a name is refused", || {
        let targets = daemon.get("/api/v1/targets")?;
        if targets.contains("server returned HTTP status 401") { Ok(()) } else { Err(targets) }
    });
    let told = [daemon.log().join("\n"), daemon.get("/api/v1/status/config").unwrap(), daemon.get("/metrics").unwrap()];
    for secret in ["from-the-file", "s/cret", "fetched\"}"] {
        assert!(!told.iter().any(|t| t.contains(secret)), "`{secret}` is told");
    }
}

#[test]
fn limits_and_histograms_are_prometheus_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let app = Endpoint::start(guarded(seen));
    let (address, auth) = (app.address(), "basic_auth = { username = \"user\", password = \"env:CARGO_PKG_NAME\" }");
    let dir = tempfile::tempdir().unwrap();
    let job = |name: &str, more: &str| {
        format!("[[collector]]\nname = \"{name}\"\nplugin = \"app\"\ntargets = [\"{address}\"]\n{auth}\n{more}\n")
    };
    let jobs = [
        job("samples", "sample_limit = 5"),
        job("body", "body_size_limit = \"10B\""),
        job("targets", "target_limit = 1\nstatic_configs = [{ targets = [\"127.0.0.1:1\"] }]"),
        job("series", "limits = { series = 2 }"),
        job("native", "convert_classic_histograms_to_nhcb = true"),
        job("both", "convert_classic_histograms_to_nhcb = true\nalways_scrape_classic_histograms = true"),
    ];
    let daemon = run(dir.path(), &jobs.concat());
    for job in ["series", "native", "both"] {
        up(&daemon, job);
    }
    for (job, why) in [
        ("samples", "sample limit exceeded (limit: 5, samples: 6)"),
        ("body", "10 bytes"),
        ("targets", "target_limit exceeded (number of targets: 2, limit: 1)"),
    ] {
        eventually(&format!("{job} is down, and says why"), || {
            let targets = daemon.get("/api/v1/targets")?;
            let down = daemon.query(&format!("up{{job=\"{job}\"}} == 0"))?;
            if targets.contains(why) && !down.is_empty() { Ok(()) } else { Err(targets) }
        });
    }
    for (expr, value) in [
        ("count({job=\"series\",__name__!~\"up|scrape_.*\"})", 2.0),
        ("histogram_count(took{job=\"native\"})", 3.0),
        ("count({job=\"native\",__name__=~\"took_.*\"}) or vector(0)", 0.0),
        ("histogram_count(took{job=\"both\"})", 3.0),
        ("count({job=\"both\",__name__=~\"took_.*\"})", 4.0),
        ("scrape_samples_scraped{job=\"samples\"}", 6.0),
    ] {
        assert_eq!(daemon.number(expr), Ok(value), "{expr}");
    }
}

#[test]
fn a_redis_behind_a_password_that_stands_in_a_file() {
    let Some(redis) = Redis::start() else {
        return skip("a_redis_behind_a_password_that_stands_in_a_file", "redis-server");
    };
    redis.command("CONFIG SET requirepass hunter2").unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pw"), "hunter2\n").unwrap();
    let job = |name: &str, config: &str| {
        format!("[[collector]]\nname = \"{name}\"\nplugin = \"redis\"\ntargets = [\"{}\"]\n{config}\n", redis.address())
    };
    let jobs = [job("right", "config = { password = \"file:pw\" }"), job("none", "")].concat();
    let daemon = run(dir.path(), &jobs);
    up(&daemon, "right");
    eventually("the one without a password is down", || match daemon.number("redis_up{job=\"none\"}")? {
        0.0 => Ok(()),
        other => Err(other.to_string()),
    });
    assert!(!daemon.log().join("\n").contains("hunter2"));
}

#[test]
fn tls_with_certificates_of_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let openssl = |args: &[&str]| {
        Command::new("openssl")
            .args(args)
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    let make = |name: &str, subject: &str| {
        let (key, request, cert) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        openssl(&["req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request, "-subj", subject])
            && openssl(&[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "2",
                "-extfile",
                "names",
                "-out",
                &cert,
            ])
    };
    fs::write(dir.path().join("names"), "subjectAltName=DNS:app.internal\n").unwrap();
    let ca = [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj",
        "/CN=ca",
    ];
    if !(openssl(&ca) && make("server", "/CN=app.internal") && make("client", "/CN=watchglass")) {
        return skip("tls_with_certificates_of_both_sides", "openssl");
    }
    fs::write(dir.path().join("metrics"), "HTTP/1.0 200 ok\r\nContent-Type: text/plain\r\n\r\nhits_total 7\n").unwrap();
    let port = free_port().to_string();
    let accept = format!("127.0.0.1:{port}");
    let mut server = Command::new("openssl")
        .args([
            "s_server",
            "-accept",
            &accept,
            "-cert",
            "server.pem",
            "-key",
            "server.key",
            "-CAfile",
            "ca.pem",
            "-Verify",
            "1",
        ])
        .args(["-verify_return_error", "-HTTP", "-quiet"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let job = |name: &str, tls: &str| {
        format!(
            "[[collector]]\nname = \"{name}\"\nplugin = \"app\"\nscheme = \"https\"\ntargets = [\"{accept}\"]\nenable_http2 = false\n\
             tls_config = {{ server_name = \"app.internal\", {tls} }}\n"
        )
    };
    let jobs = [
        job("both", "ca_file = \"ca.pem\", cert_file = \"client.pem\", key_file = \"client.key\""),
        job("stranger", "ca_file = \"ca.pem\""),
        job("doubtful", "cert_file = \"client.pem\", key_file = \"client.key\""),
    ];
    let daemon = run(dir.path(), &jobs.concat());
    up(&daemon, "both");
    assert_eq!(daemon.number("hits_total{job=\"both\"}"), Ok(7.0));
    eventually("who has no certificate, or does not trust, is down", || {
        let down = daemon.query("up{job=~\"stranger|doubtful\"} == 0")?;
        let targets = daemon.get("/api/v1/targets")?;
        if down.len() == 2 && targets.contains("signed by an unknown authority") { Ok(()) } else { Err(targets) }
    });
    let _ = server.kill();
    let _ = server.wait();
}
