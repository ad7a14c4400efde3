//! The real node_exporter as a process, where this machine has one.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running node_exporter on a port of its own. Stopped when dropped.
pub(crate) struct Exporter {
    child: Child,
    address: String,
    /// Its version: `1.11.1`.
    pub(crate) version: String,
}

/// Finds the program: in `WATCHGLASS_PEERS`, else on PATH.
pub(crate) fn find() -> Option<PathBuf> {
    let peers = std::env::var_os("WATCHGLASS_PEERS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = peers.into_iter().chain(std::env::split_paths(&path)).collect();
    let names = ["prometheus-node-exporter", "node_exporter"];
    dirs.iter().flat_map(|d| names.iter().map(move |n| d.join(n))).find(|p| p.is_file())
}

impl Exporter {
    /// Starts it with these flags and variables.
    pub(crate) fn start(program: &Path, flags: &[String], variables: &[(&str, &str)]) -> Exporter {
        let told = Command::new(program).arg("--version").output().expect("node_exporter --version");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.split_whitespace().nth(2).unwrap_or_default().to_owned();
        let mut command = Command::new(program);
        command.args(flags).arg("--web.listen-address=127.0.0.1:0").envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("node_exporter starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut seen = Vec::new();
        let address = log.by_ref().map_while(Result::ok).find_map(|line| {
            let address =
                line.split_once("Listening on").and_then(|l| l.1.split_once("address=")).map(|a| a.1.to_owned());
            seen.push(line);
            address
        });
        let address = address.unwrap_or_else(|| panic!("node_exporter did not start:\n{}", seen.join("\n")));
        // Whatever it writes later is read, or it would stop when the pipe is full.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        Exporter { child, address: address.trim().to_owned(), version }
    }

    /// Scrapes it once.
    pub(crate) fn scrape(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("node_exporter listens");
        // HTTP/1.0: the answer ends with the connection.
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}\n{body}");
        body.to_owned()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Processor time that it took so far, in hundredths of a second.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its stat");
        let words: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        words[11].parse::<u64>().unwrap_or(0) + words[12].parse::<u64>().unwrap_or(0)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
