//! The other ends of HTTP: an instrumented app, and a sink that stands for Slack.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::sync::oneshot;

use crate::eventually;

/// A server on its own thread, stopped when dropped.
struct Server {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(port: u16, router: Router) -> Server {
        let listener = eventually("a port to listen on", || {
            std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|e| e.to_string())
        });
        listener.set_nonblocking(true).expect("a listener that does not block");
        let port = listener.local_addr().expect("an address").port();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    _ = axum::serve(listener, router) => {}
                    _ = stopped => {}
                }
            });
            // Connections that a client keeps alive end with the runtime, as they do when a process dies.
        });
        Server { port, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Any HTTP service of a test's own.
pub struct Endpoint(Server);

impl Endpoint {
    /// Starts one.
    pub fn start(router: Router) -> Endpoint {
        Endpoint(Server::start(0, router))
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }
}

/// An HTTP app with the counters and the histogram that the seed's rules and queries ask for, at `/metrics`.
pub struct App {
    port: u16,
    server: Option<Server>,
    state: Arc<Mutex<AppState>>,
}

#[derive(Default)]
struct AppState {
    /// (method, endpoint, status): requests.
    requests: BTreeMap<(&'static str, String, u16), u64>,
    /// (endpoint, type): errors.
    errors: BTreeMap<(String, &'static str), u64>,
}

/// Upper bounds of the duration histogram.
const BOUNDS: [f64; 5] = [0.005, 0.05, 0.5, 1.0, 5.0];

impl AppState {
    fn exposition(&self) -> String {
        let mut out = String::from("# HELP app_requests_total Total app requests\n# TYPE app_requests_total counter\n");
        for ((method, endpoint, status), n) in &self.requests {
            let _ = writeln!(
                out,
                "app_requests_total{{method=\"{method}\",endpoint=\"{endpoint}\",status=\"{status}\"}} {n}"
            );
        }
        out.push_str("# HELP app_errors_total Total app errors\n# TYPE app_errors_total counter\n");
        for ((endpoint, kind), n) in &self.errors {
            let _ = writeln!(out, "app_errors_total{{endpoint=\"{endpoint}\",error_type=\"{kind}\"}} {n}");
        }
        out.push_str("# HELP app_request_duration_seconds Request duration in seconds\n# TYPE app_request_duration_seconds histogram\n");
        for ((method, endpoint, _), n) in &self.requests {
            let labels = format!("method=\"{method}\",endpoint=\"{endpoint}\"");
            // Half of the requests are quick, half take up to half a second.
            for le in BOUNDS {
                let below = if le < 0.5 { n / 2 } else { *n };
                let _ = writeln!(out, "app_request_duration_seconds_bucket{{{labels},le=\"{le}\"}} {below}");
            }
            let _ = writeln!(out, "app_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {n}");
            let _ = writeln!(out, "app_request_duration_seconds_sum{{{labels}}} {}", *n as f64 * 0.15);
            let _ = writeln!(out, "app_request_duration_seconds_count{{{labels}}} {n}");
        }
        out
    }
}

impl App {
    /// Starts one.
    pub fn start() -> App {
        let mut app = App { port: 0, server: None, state: Arc::default() };
        app.resume();
        app
    }

    /// Starts it again on its port, its counters as they were.
    pub fn resume(&mut self) {
        let metrics = |State(state): State<Arc<Mutex<AppState>>>| async move {
            let mut state = state.lock().expect("no test panicked here");
            // Every look at it is a bit of traffic, so that rates are never zero.
            for endpoint in ["/api/users", "/api/orders"] {
                *state.requests.entry(("GET", endpoint.to_owned(), 200)).or_default() += 10;
            }
            *state.errors.entry(("/api/orders".to_owned(), "ValueError")).or_default() += 1;
            ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], state.exposition())
        };
        let router = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&self.state));
        let server = Server::start(self.port, router);
        self.port = server.port;
        self.server = Some(server);
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A page at `/metrics` that a test writes: what it says is made anew at every look.
pub struct Page {
    server: Server,
}

impl Page {
    /// Starts one.
    pub fn start(text: impl Fn() -> String + Send + Sync + 'static) -> Page {
        let text = Arc::new(text);
        let metrics = move || {
            let text = Arc::clone(&text);
            async move { ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text()) }
        };
        Page { server: Server::start(0, Router::new().route("/metrics", get(metrics))) }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port)
    }
}

/// A request that the sink got.
#[derive(Clone, Debug)]
pub struct Received {
    /// The path's last part.
    pub path: String,
    /// The body.
    pub body: serde_json::Value,
    /// The body as it came.
    pub text: String,
    /// When it came, Unix time in ms.
    pub at: i64,
}

/// Stands for Slack: takes every POST, keeps it, answers as it was told.
pub struct Sink {
    server: Server,
    state: Arc<Mutex<SinkState>>,
}

struct SinkState {
    received: Vec<Received>,
    status: StatusCode,
    body: String,
    silent: bool,
}

impl Sink {
    /// Starts one that answers `ok`.
    pub fn start() -> Sink {
        let state = SinkState { received: Vec::new(), status: StatusCode::OK, body: "ok".to_owned(), silent: false };
        let state = Arc::new(Mutex::new(state));
        let take = |State(state): State<Arc<Mutex<SinkState>>>, Path(path): Path<String>, body: String| async move {
            let (status, answer, silent) = {
                let mut state = state.lock().expect("no test panicked here");
                if state.status == StatusCode::OK {
                    let text = body.clone();
                    let body = serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body));
                    state.received.push(Received { path, body, text, at: crate::now_ms() });
                }
                (state.status, state.body.clone(), state.silent)
            };
            if silent {
                std::future::pending::<()>().await;
            }
            let kind = if answer.starts_with('{') { "application/json" } else { "text/plain" };
            (status, [("content-type", kind)], answer)
        };
        let router = Router::new().route("/{*path}", post(take)).with_state(Arc::clone(&state));
        Sink { server: Server::start(0, router), state }
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.server.port)
    }

    /// All that it took.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().expect("no test panicked here").received.clone()
    }

    /// What it answers from now on; what it refuses it does not keep.
    pub fn answer(&self, status: u16) {
        self.state.lock().expect("no test panicked here").status = StatusCode::from_u16(status).expect("a status code");
    }

    /// The body of its answers from now on; one that begins with a brace is JSON.
    pub fn answer_with(&self, body: &str) {
        self.state.lock().expect("no test panicked here").body = body.to_owned();
    }

    /// Whether it takes messages from now on without ever answering.
    pub fn be_silent(&self, silent: bool) {
        self.state.lock().expect("no test panicked here").silent = silent;
    }

    /// Waits for a message that the test accepts.
    #[track_caller]
    pub fn wait_for(&self, what: &str, accept: impl Fn(&Received) -> bool) -> Received {
        eventually(what, || {
            let received = self.received();
            received
                .iter()
                .find(|r| accept(r))
                .cloned()
                .ok_or_else(|| format!("{} messages: {received:#?}", received.len()))
        })
    }
}
