//! What the tests of receivers share: notifications, and a receiver that answers as it is told.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use watchglass_alerts::{AlertState, IntegrationSpec, Notification, NotificationId, NotifiedAlert, NotifyReason};
use watchglass_model::{Alert, Labels};
use watchglass_notify::Notifier;
use watchglass_notify::config::AlertmanagerConfig;

/// A folder of the conformance data, `None` where it is absent (which fails where CI is set).
pub(crate) fn conformance(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let base =
        std::env::var_os("WATCHGLASS_CONFORMANCE").map_or_else(|| root.join("../shared/conformance"), PathBuf::from);
    let path = base.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: {folder}: no conformance data at {}", path.display());
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "conformance data is missing in CI");
    None
}

/// A file of the conformance data as JSON.
pub(crate) fn cases(path: &Path) -> Vec<serde_json::Value> {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// An alert that began at 10 s of Unix time.
pub(crate) fn alert(labels: &[(&str, &str)], annotations: &[(&str, &str)], ended: Option<i64>) -> NotifiedAlert {
    NotifiedAlert {
        alert: Alert {
            labels: Labels::from_pairs(labels.iter().copied()),
            annotations: Labels::from_pairs(annotations.iter().copied()),
            starts_at: 10_500,
            ends_at: ended.unwrap_or(500_000),
            generator_url: String::new(),
        },
        state: if ended.is_some() { AlertState::Resolved } else { AlertState::Firing },
    }
}

/// A notification of these alerts, grouped by these labels, issued at 70 s.
pub(crate) fn notification(
    receiver: &str,
    kind: &str,
    group: &[(&str, &str)],
    alerts: Vec<NotifiedAlert>,
) -> Notification {
    let resolved = alerts.iter().all(|a| a.state == AlertState::Resolved);
    Notification {
        id: NotificationId(1),
        receiver: receiver.to_owned(),
        integration: IntegrationSpec::new(kind, 0, true),
        position: 0,
        group_key: "{}:{alertname=\"Down\"}".to_owned(),
        group_labels: Labels::from_pairs(group.iter().copied()),
        route_labels: Labels::empty(),
        alerts,
        reason: if resolved { NotifyReason::AllResolved } else { NotifyReason::FirstNotification },
        repeat: false,
        attempt: 0,
        at: 70_000,
        deadline: 370_000,
        receiver_data: BTreeMap::new(),
    }
}

/// The two alerts that most tests send: one more label in common than the group has.
pub(crate) fn two_alerts() -> Vec<NotifiedAlert> {
    let mut first = alert(
        &[("alertname", "Down"), ("instance", "a:1"), ("severity", "critical")],
        &[("summary", "s <&> \u{2028} \u{1} \"q\" é")],
        None,
    );
    first.alert.generator_url = "http://g/?a=b&c".to_owned();
    let second =
        alert(&[("alertname", "Down"), ("instance", "b:1"), ("severity", "critical")], &[("summary", "two")], None);
    vec![first, second]
}

/// A request that the receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The first one, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }
}

/// An answer to give.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &str) -> Reply {
        Reply { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn json(body: &str) -> Reply {
        Reply::new(200, body).header("content-type", "application/json")
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Shared = Arc<Mutex<(Vec<Got>, VecDeque<Reply>)>>;

/// A receiver: keeps what it gets, answers what it is told and then `ok`.
pub(crate) struct Sink {
    pub(crate) url: String,
    shared: Shared,
}

impl Sink {
    pub(crate) async fn start(replies: Vec<Reply>) -> Sink {
        let shared: Shared = Arc::new(Mutex::new((Vec::new(), replies.into())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kept.clone()));
            }
        });
        Sink { url, shared }
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.lock().unwrap().0.clone()
    }
}

/// Answers the requests of one connection: as much of HTTP/1.1 as the client uses.
async fn serve(stream: TcpStream, shared: Shared) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            lines.read_line(&mut header).await?;
            match header.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => break,
            }
        }
        let mut got = Got { path, headers, body: String::new() };
        let mut body = vec![0; got.header("content-length").parse().unwrap_or(0)];
        lines.read_exact(&mut body).await?;
        got.body = String::from_utf8(body).unwrap();
        let url = format!("http://{}{}", got.header("host"), got.path);
        let reply = {
            let mut shared = shared.lock().unwrap();
            shared.0.push(got);
            shared.1.pop_front().unwrap_or_else(|| Reply::new(200, "ok"))
        };
        // A receiver that shows who asked it for what.
        let body = reply.body.replace("<url>", &url);
        let mut answer = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", reply.status, body.len());
        reply.headers.iter().for_each(|(name, value)| answer.push_str(&format!("{name}: {value}\r\n")));
        write.write_all(format!("{answer}\r\n{body}").as_bytes()).await?;
    }
}

/// A notifier for a configuration; `@` in it stands for the sink's address.
pub(crate) fn notifier(config: &str, sink: &Sink) -> Notifier {
    let text = config.replace('@', &sink.url);
    let config = AlertmanagerConfig::parse(&text, "alertmanager.yml").unwrap_or_else(|e| panic!("{e}"));
    Notifier::new(&config, "http://am.example:9093/x/", Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}
