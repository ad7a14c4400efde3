//! The files of a cgroup that are read, and how their texts become [`Stats`].

use crate::hierarchy::{Hierarchy, Kind};
use crate::stats::Stats;
use crate::{v1, v2};

/// What was read of one cgroup: names of files and their texts. One that could not be read is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts<'n> {
    texts: Vec<(&'n str, String)>,
}

impl<'n> Texts<'n> {
    /// Adds what was read.
    pub(crate) fn push(&mut self, name: &'n str, text: String) {
        self.texts.push((name, text));
    }

    /// Gives a file's text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(n, _)| *n == name).map(|(_, t)| t.as_str())
    }

    /// Gives a file's number; `max` is `u64::MAX`.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        crate::text::number(self.get(name)?)
    }
}

/// Names the files that are wanted of each cgroup in a hierarchy.
pub(crate) fn wanted(h: &Hierarchy, kinds: Kinds) -> Vec<&'static str> {
    let mut names = match &h.kind {
        Kind::Unified => v2::wanted(kinds),
        Kind::Beside => Vec::new(),
        Kind::Legacy(controllers) => controllers.iter().flat_map(|c| v1::wanted(c, kinds)).collect(),
    };
    if matches!(h.kind, Kind::Unified | Kind::Beside) && kinds.pressure {
        names.extend(["cpu.pressure", "memory.pressure", "io.pressure"]);
    }
    names
}

/// Which kinds of metrics are wanted, as far as it matters for what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) cpu: bool,
    pub(crate) memory: bool,
    pub(crate) io: bool,
    pub(crate) pressure: bool,
    pub(crate) oom: bool,
    pub(crate) cpuset: bool,
    pub(crate) pids: bool,
}

/// Makes the texts of a cgroup's files its stats. `unified`: all of it is cgroup v2.
pub(crate) fn parse(t: &Texts, unified: bool) -> Stats {
    let mut stats = if unified { v2::parse(t) } else { v1::parse(t) };
    stats.pressure.cpu = t.get("cpu.pressure").and_then(crate::stats::Stall::parse);
    stats.pressure.memory = t.get("memory.pressure").and_then(crate::stats::Stall::parse);
    stats.pressure.io = t.get("io.pressure").and_then(crate::stats::Stall::parse);
    stats
}
