//! What the tests share: recorded machines as text, an engine with answers in memory, comparable expositions.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use watchglass_plugin_cadvisor::{Api, Memory, Options, Outcome, World, run};
use watchglass_sdk::files::{Entry, Files, Stat, StdFiles, Tree, Usage};
use watchglass_sdk::{Error, Json};

/// Finds a folder of conformance data; without it the test is skipped, loudly.
pub(crate) fn conformance(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("WATCHGLASS_CONFORMANCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from)
        .join(name);
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no conformance data in {}", dir.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true forbids skipping: set WATCHGLASS_CONFORMANCE");
    None
}

/// Splits a text with lines `== NAME` into its parts.
pub(crate) fn parts(text: &str) -> Vec<(&str, String)> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("== "), parts.last_mut()) {
            (Some(name), _) => parts.push((name, String::new())),
            (None, Some((_, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    parts
}

/// Writes a recorded machine into a folder: `== PATH` with the file's text, or `== PATH -> TARGET` for a link.
pub(crate) fn unpack(text: &str, into: &Path) {
    for (name, body) in parts(text) {
        let (path, target) = name.split_once(" -> ").map_or((name, None), |(p, t)| (p, Some(t)));
        let path = into.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            Some(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            None => std::fs::write(&path, body).unwrap(),
        }
    }
}

/// Files of a folder, with what would differ from run to run made fixed: times, sizes of file systems and of folders.
pub(crate) struct Fixed;

impl Files for Fixed {
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        StdFiles.read(path, max)
    }
    fn read_many(&self, paths: &[String], max_each: u32) -> Vec<Result<Vec<u8>, Error>> {
        StdFiles.read_many(paths, max_each)
    }
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        StdFiles.list_dir(path)
    }
    fn read_link(&self, path: &str) -> Result<String, Error> {
        StdFiles.read_link(path)
    }
    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        Ok(Stat {
            modified: if path.contains("clone_children") { 1_700_000_001_000 } else { 1_700_000_002_999 },
            ..StdFiles.metadata(path)?
        })
    }
    fn disk_usage(&self, mount_point: &str, _timeout_ms: u32) -> Result<Usage, Error> {
        if mount_point.ends_with("/nfs") {
            return Err(Error::TimedOut);
        }
        Ok(Usage {
            size: 1_000_000,
            free: 400_000,
            available: 300_000,
            files: 1_000,
            files_free: 900,
            read_only: false,
        })
    }
    fn tree_usage(&self, path: &str, after: &[u8], _max_entries: u32, _timeout_ms: u32) -> Result<Tree, Error> {
        // In two parts, as a large one would come.
        match (path.contains("/containers/"), after.is_empty()) {
            (true, _) => Ok(Tree { bytes: 36_864, entries: 9, complete: true, next: Vec::new() }),
            (false, true) => Ok(Tree { bytes: 4_096, entries: 1, complete: false, next: b"a".to_vec() }),
            (false, false) => Ok(Tree { bytes: 8_192, entries: 2, complete: true, next: Vec::new() }),
        }
    }
}

/// An engine whose answers stand in memory; what it was asked is kept.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) by_path: BTreeMap<String, Result<Vec<u8>, Error>>,
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Answers {
    /// Reads `== PATH` with the body behind it.
    pub(crate) fn parse(text: &str) -> Answers {
        let by_path = parts(text).into_iter().map(|(p, body)| (p.to_owned(), Ok(body.into_bytes()))).collect();
        Answers { by_path, asked: RefCell::default() }
    }

    /// Sets one answer.
    pub(crate) fn set(&mut self, path: &str, body: impl Into<Vec<u8>>) {
        self.by_path.insert(path.to_owned(), Ok(body.into()));
    }
}

impl Api for Answers {
    fn get(&self, socket: &str, path: &str, _timeout_ms: u32, max: u32) -> Result<Vec<u8>, Error> {
        if !socket.contains("docker") {
            return Err(Error::NotFound(format!("{socket}: no such socket")));
        }
        self.asked.borrow_mut().push(path.to_owned());
        let key = path.split('?').next().filter(|p| *p == "/events").unwrap_or(path);
        match self.by_path.get(key) {
            Some(Ok(body)) if body.len() > max as usize => {
                Err(Error::TooLarge(format!("{path}: longer than {max} bytes")))
            }
            Some(answer) => answer.clone(),
            None if self.by_path.is_empty() => Err(Error::Denied(format!("unix:{socket}"))),
            None => Err(Error::NotFound(format!("{path}: status 404"))),
        }
    }
}

/// The config of a machine in a folder.
pub(crate) fn config(root: &Path, more: Json) -> Json {
    let at = |p: &str| root.join(p).to_string_lossy().into_owned();
    let mut config = more;
    config["path"] = serde_json::json!({"procfs": at("proc"), "sysfs": at("sys"), "rootfs": root});
    config
}

/// Collects once.
pub(crate) fn collect(files: &dyn Files, api: &dyn Api, config: &Json, memory: &mut Memory, now_ms: i64) -> Outcome {
    let options = Options::decode(config).unwrap();
    let deadline_ns = watchglass_sdk::clock::monotonic_ns() + 60_000_000_000;
    run(&World { files, api, options: &options, now_ms, deadline_ns }, memory)
}

/// A family as it is compared: its type, and for each cgroup the names of its series' labels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: String,
    pub(crate) labels_by_id: BTreeMap<String, BTreeSet<Vec<String>>>,
}

/// Reads an exposition's shapes; `rename` gives a cgroup's path the name it is compared under.
pub(crate) fn shapes(text: &str, rename: &dyn Fn(&str, &str) -> String) -> BTreeMap<String, Shape> {
    let mut out: BTreeMap<String, Shape> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            out.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') && !line.is_empty() {
            let name = line.split(['{', ' ']).next().unwrap();
            let labels = labels(line);
            let of = |n: &str| labels.iter().find(|l| l.0 == n).map_or("", |l| l.1.as_str());
            let id = rename(of("id"), of("name"));
            let mut names: Vec<String> = labels.iter().map(|l| l.0.clone()).collect();
            names.sort_unstable();
            out.entry(name.to_owned()).or_default().labels_by_id.entry(id).or_default().insert(names);
        }
    }
    out
}

/// The labels of a line of an exposition.
pub(crate) fn labels(line: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = line.split_once('{') else { return Vec::new() };
    let inner = rest.rsplit_once('}').map_or(rest, |r| r.0);
    let mut out = Vec::new();
    let mut left = inner;
    while let Some((name, rest)) = left.split_once("=\"") {
        let mut escaped = false;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                let quote = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                quote
            })
            .map_or(rest.len(), |(i, _)| i);
        out.push((name.trim_start_matches(',').to_owned(), rest[..end].to_owned()));
        left = rest.get(end + 1..).unwrap_or("");
    }
    out
}
