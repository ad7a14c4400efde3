//! HTTP, against a real server on the loopback.

mod common;

use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use common::{Lab, ask, call, spec};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use watchglass_plugin::{Secret, Secrets};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).expect("written");
    encoder.finish().expect("finished")
}

/// A server; `other` is where `/away` leads.
async fn server(other: String) -> String {
    let echo = |headers: HeaderMap, body: String| async move {
        let show = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("-").to_owned();
        format!("{} {} {} {body}", show("x-test"), show("authorization"), show("user-agent"))
    };
    let away = other.clone();
    let packed = |bytes: Vec<u8>| ([(header::CONTENT_ENCODING, "gzip")], bytes).into_response();
    let app = Router::new()
        .route("/metrics", get(|| async { "m 1\n" }))
        .route("/echo", any(echo))
        .route("/gzip", get(move || async move { packed(gzip(b"m 1\n")) }))
        .route(
            "/bomb",
            get(|| async { ([(header::CONTENT_ENCODING, "gzip")], gzip(&vec![0; 50 << 20])).into_response() }),
        )
        .route(
            "/bad-gzip",
            get(|| async { ([(header::CONTENT_ENCODING, "gzip")], b"no gzip".to_vec()).into_response() }),
        )
        .route("/text", get(|| async { "é€😀".repeat(300) }))
        .route("/long", get(|| async { "x".repeat(100_000) }))
        .route("/error", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "busy") }))
        .route("/here", get(|| async { Redirect::temporary("/metrics") }))
        .route("/post", any(|| async { Redirect::to("/echo") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/away", get(move || async move { Redirect::temporary(&format!("http://{away}/echo")) }))
        .route("/metadata", get(|| async { Redirect::temporary("http://169.254.169.254/latest") }))
        .route("/file", get(|| async { Redirect::temporary("file:///etc/passwd") }))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_secs(600)).await }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("its address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let app = TowerToHyperService::new(app.clone());
            // HTTP/1.1, or HTTP/2 where the client begins so.
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), app).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_made_and_redirects_checked() {
    let lab = Lab::new();
    let other = server("nowhere".into()).await;
    let shut = server("nowhere".into()).await;
    let (here, away_shut) = (server(other.clone()).await, server(shut.clone()).await);
    let grants = [
        format!("http:http://{here}"),
        format!("http:http://{other}"),
        format!("http:http://{away_shut}"),
        "secret:token".to_owned(),
    ];
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let mut spec = spec(&grants);
    spec.secrets = Secrets([("token".to_owned(), Secret::Value("t0ken".into()))].into());
    let Some(collector) = lab.collector_of("good", spec).await else { return };
    let agent = concat!("Watchglass/", env!("CARGO_PKG_VERSION"));
    for (what, expected) in [
        (format!("http http://{here}/metrics"), "ok 200 [200 HTTP/1.1] m 1\n".to_owned()),
        (format!("http http://{here}/metrics h2=1"), "ok 200 [200 HTTP/2.0] m 1\n".into()),
        (format!("http http://{here}/error"), "ok 503 [503 HTTP/1.1] busy".into()),
        (
            format!("http http://{here}/echo header=X-Test:1 method=POST body=hi"),
            format!("ok 200 [200 HTTP/1.1] 1 - {agent} hi"),
        ),
        (format!("http http://{here}/echo bearer=token"), format!("ok 200 [200 HTTP/1.1] - Bearer t0ken {agent} ")),
        (format!("http http://{here}/echo bearer=other"), "no grant \\\"secret:other\\\"".into()),
        (format!("http http://{here}/here"), "ok 307 [307 HTTP/1.1] ".into()),
        (format!("http http://{here}/here follow=3"), "ok 200 [307 HTTP/1.1, 200 HTTP/1.1] m 1\n".into()),
        (
            format!("http http://{here}/post follow=3 method=POST body=hi"),
            format!("[303 HTTP/1.1, 200 HTTP/1.1] - - {agent} "),
        ),
        (format!("http http://{here}/round follow=3"), "more than 3 redirects".into()),
        // Credentials stay where they were meant for.
        (
            format!("http http://{here}/away follow=3 bearer=token"),
            format!("[307 HTTP/1.1, 200 HTTP/1.1] - - {agent} "),
        ),
        (
            format!("http http://{here}/away follow=3 header=Authorization:mine"),
            format!("[307 HTTP/1.1, 200 HTTP/1.1] - - {agent} "),
        ),
        (format!("http http://{away_shut}/away follow=3"), format!("no grant \\\"http:http://{shut}\\\"")),
        (format!("http http://{here}/metadata follow=3"), "no grant \\\"http:http://169.254.169.254\\\"".into()),
        (format!("http http://{here}/file follow=3"), "scheme file".into()),
        (format!("http http://{shut}/metrics"), format!("no grant \\\"http:http://{shut}\\\"")),
        (format!("http http://{here}/metrics proxy=http://{shut}"), format!("no grant \\\"http:http://{shut}\\\"")),
        (format!("http http://{here}/metrics unix=/run/docker.sock"), "no grant \\\"unix:".into()),
        (format!("http http://{here}/gzip gzip=1"), "ok 200 [200 HTTP/1.1] m 1\n".into()),
        (format!("http http://{here}/bomb gzip=1"), "Error::TooLarge(".into()),
        (format!("http http://{here}/bad-gzip gzip=1"), "Error::Protocol(".into()),
        (format!("http http://{here}/long max=1000"), "Error::TooLarge(".into()),
        (format!("http http://{here}/text"), format!("ok 200 [200 HTTP/1.1] {}", "é€😀".repeat(300))),
        ("http nonsense".into(), "Error::BadConfig(".into()),
        (format!("http http://{here}/metrics method=G(ET"), "Error::BadConfig(".into()),
        (format!("http http://{here}/slow"), "Error::TimedOut".into()),
    ] {
        let told = ask(&collector, &what).await;
        assert!(told.contains(&expected), "{what}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_handed_back_unread_and_dies_with_the_call() {
    let lab = Lab::new();
    let here = server("nowhere".into()).await;
    let grant = format!("http:http://{here}");
    let Some(collector) = lab.collector("good", &[&grant]).await else { return };
    for path in ["metrics", "gzip gzip=1"] {
        let report = collector.collect(call(&format!("scrape http://{here}/{path}"))).await;
        let collection = report.outcome.unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(&collection.expositions[0].body[..], b"m 1\n");
        assert_eq!(report.stats.hostcall_bytes, 0, "it was never copied into the plugin");
    }
    let bomb = collector.collect(call(&format!("scrape http://{here}/bomb gzip=1"))).await;
    assert!(bomb.outcome.is_err_and(|f| f.message.contains("longer than 1048576 bytes")));
    assert_eq!(ask(&collector, &format!("keep-body http://{here}/metrics")).await, "kept");
    let kept = ask(&collector, "read-kept").await;
    assert!(kept.contains("this body is gone"), "{kept}");
    let many = ask(&collector, &format!("many-bodies http://{here}/metrics")).await;
    assert!(many.starts_with("64 Error::TooLarge("), "{many}");
    assert_eq!(ask(&collector, &format!("http http://{here}/metrics")).await, "ok 200 [200 HTTP/1.1] m 1\n");
}
