//! A real Alertmanager and our daemon side by side, with the same alertmanager.yml.

use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::{Alertmanager, Daemon, Sink};

/// The address that stands in both's messages.
const EXTERNAL_URL: &str = "http://am.example:9093/x";

/// Both, and one sink for what they send: theirs below `theirs/`, ours below `ours/`.
pub struct Both {
    /// The real one.
    pub theirs: Alertmanager,
    /// Ours.
    pub ours: Daemon,
    /// Where both send to.
    pub sink: Sink,
    dir: tempfile::TempDir,
}

/// An answer to a request: status, and the body as JSON, or as a text where it is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Both {
    /// Starts both. `@` in the configuration stands for the sink; `files` lie beside it. None where no Alertmanager is installed.
    pub fn start(config: &str, files: &[(&str, &str)]) -> Option<Both> {
        let (dir, sink) = (tempfile::tempdir().expect("a folder"), Sink::start());
        for side in ["theirs", "ours"] {
            let folder = dir.path().join(side);
            fs::create_dir(&folder).expect("a folder");
            fs::write(folder.join("alertmanager.yml"), config.replace('@', &sink.url(side))).expect("a file");
            for (name, text) in files {
                fs::write(folder.join(name), text).expect("a file");
            }
        }
        let theirs = Alertmanager::start(&dir.path().join("theirs/alertmanager.yml"), EXTERNAL_URL)?;
        let ours = dir.path().join("ours");
        fs::create_dir(ours.join("plugins")).expect("a folder");
        let toml = format!(
            "[web]\nlisten = \"127.0.0.1:0\"\nexternal_url = \"{EXTERNAL_URL}\"\n[plugins]\ndir = \"plugins\"\n[alerting]\nconfig = \"alertmanager.yml\"\n"
        );
        fs::write(ours.join("watchglass.toml"), toml).expect("a file");
        let daemon = Daemon::start(&ours, &["--config", "watchglass.toml"]);
        Some(Both { theirs, ours: daemon, sink, dir })
    }

    /// The folder that has one for each of them, `theirs` and `ours`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The same request to both: theirs, ours. The body is sent as JSON unless another type is given.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>, content_type: Option<&str>) -> [Answer; 2] {
        [self.theirs.url(), self.ours.url()].map(|base| {
            let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
            let mut request = reqwest::blocking::Client::new().request(method, format!("{base}{path}"));
            if let Some(body) = body {
                request =
                    request.header("content-type", content_type.unwrap_or("application/json")).body(body.to_owned());
            }
            let answer = request.send().unwrap_or_else(|e| panic!("{path} of {base}: {e}"));
            let status = answer.status().as_u16();
            let text = answer.text().unwrap_or_else(|e| panic!("{path} of {base}: {e}"));
            Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
        })
    }

    /// The same alerts to both.
    pub fn post_alerts(&self, alerts: &Value) {
        for answer in self.request("POST", "/api/v2/alerts", Some(&alerts.to_string()), None) {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// What one side (`theirs`, `ours`) sent, by path below its own: the bodies in order, as they came.
    pub fn sent(&self, side: &str) -> std::collections::BTreeMap<String, Vec<String>> {
        let mut sent = std::collections::BTreeMap::<String, Vec<String>>::new();
        for message in self.sink.received() {
            if let Some(path) = message.path.strip_prefix(side) {
                sent.entry(path.to_owned()).or_default().push(message.text);
            }
        }
        sent
    }
}

/// A text with all that differs between two runs made the same: times, ids, ports.
pub fn normalized(text: &str) -> String {
    let rules = [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC|[+-]\d\d:\d\d)", "<time>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"127\.0\.0\.1:\d+/(ours|theirs)", "<sink>"),
        (r"127\.0\.0\.1:\d+", "<address>"),
    ];
    let mut text = text.to_owned();
    for (pattern, instead) in rules {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, instead).into_owned();
    }
    text
}
