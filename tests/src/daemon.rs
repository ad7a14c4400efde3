//! The daemon as a process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::{eventually, root};

/// The built binary: `WATCHGLASS_BIN`, else the one beside this test.
pub fn watchglass() -> PathBuf {
    if let Some(path) = std::env::var_os("WATCHGLASS_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of this test");
    let built = test.ancestors().nth(2).map(|dir| dir.join("watchglass")).unwrap_or_default();
    assert!(
        built.is_file(),
        "no binary at {}\nhint: `cargo xtask test` builds it, so does `cargo build -p watchglass`",
        built.display()
    );
    built
}

/// The folder of the built plugins: `WATCHGLASS_PLUGINS`, else `plugins` in the workspace.
pub fn plugins_dir() -> PathBuf {
    let dir = std::env::var_os("WATCHGLASS_PLUGINS").map_or_else(|| root().join("plugins"), PathBuf::from);
    assert!(
        dir.join("node.wasm").is_file(),
        "no node.wasm in {}\nhint: `cargo xtask plugins` builds it",
        dir.display()
    );
    dir
}

/// A running daemon. Stopped when dropped.
pub struct Daemon {
    child: Option<Child>,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Starts `watchglass run` with these arguments in a folder, waits until it is ready.
    #[track_caller]
    pub fn start(dir: &Path, args: &[&str]) -> Daemon {
        let mut daemon = Daemon::spawn(dir, args);
        let url = eventually("the daemon prints its address", || {
            if let Some(status) = daemon.exited() {
                panic!("the daemon ended ({status}):\n{}", daemon.log().join("\n"));
            }
            let log = daemon.log();
            log.iter()
                .find_map(|line| line.split_once("http://").map(|(_, rest)| rest.to_owned()))
                .map(|rest| {
                    format!("http://{}", rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default())
                })
                .ok_or_else(|| log.join("\n"))
        });
        daemon.url = url.trim_end_matches('/').to_owned();
        eventually("the daemon is ready", || {
            let response = reqwest::blocking::get(format!("{}/-/ready", daemon.url)).map_err(|e| e.to_string())?;
            if response.status().is_success() { Ok(()) } else { Err(response.status().to_string()) }
        });
        daemon
    }

    /// Starts it and waits for nothing.
    pub fn spawn(dir: &Path, args: &[&str]) -> Daemon {
        let mut child = Command::new(watchglass())
            .arg("run")
            .args(args)
            .current_dir(dir)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for stream in streams {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    log.lock().expect("no reader panicked").push(line);
                }
            });
        }
        Daemon { child: Some(child), url: String::new(), log }
    }

    /// What it printed so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no reader panicked").clone()
    }

    /// Its exit status, if it has ended.
    pub fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut().and_then(|c| c.try_wait().ok().flatten())
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.as_mut().expect("a daemon that was not stopped").wait().expect("its exit status")
    }

    /// GETs a path.
    pub fn get(&self, path: &str) -> Result<String, String> {
        let response = reqwest::blocking::get(format!("{}{path}", self.url)).map_err(|e| e.to_string())?;
        response.text().map_err(|e| e.to_string())
    }

    /// GETs a path that answers in Prometheus' form, gives its data.
    pub fn api(&self, path: &str) -> Result<Value, String> {
        let text = self.get(path)?;
        let answer: Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(text) }
    }

    /// Evaluates an expression now; the result.
    pub fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let url = format!("{}/api/v1/query", self.url);
        let response =
            reqwest::blocking::Client::new().get(url).query(&[("query", expr)]).send().map_err(|e| e.to_string())?;
        let answer: Value = response.json().map_err(|e| e.to_string())?;
        answer["data"]["result"].as_array().cloned().ok_or_else(|| answer.to_string())
    }

    /// The one number that an expression gives.
    pub fn number(&self, expr: &str) -> Result<f64, String> {
        let result = self.query(expr)?;
        match result.as_slice() {
            // A scalar is its point alone.
            [time, Value::String(v)] if time.is_number() => v.parse().map_err(|_| v.clone()),
            [one] => one["value"][1].as_str().and_then(|v| v.parse().ok()).ok_or_else(|| one.to_string()),
            _ => Err(format!("{expr} gives {} series", result.len())),
        }
    }

    /// Ends it as a service manager would.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
