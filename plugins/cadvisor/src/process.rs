//! What /proc tells of a container's processes: descriptors, sockets, limits, and tasks by state.

use crate::families as f;
use crate::options::Options;
use crate::stats::{Stats, limit};
use watchglass_sdk::files::Files;
use watchglass_sdk::{Batch, Shared};

/// Most processes of one container that are looked at.
const MAX_PROCESSES: usize = 1_024;

/// Most descriptors in one collection whose kind is asked: each is a call.
const MAX_LINKS: usize = 5_000;

/// Most tasks of one cgroup that are counted.
const MAX_TASKS: usize = 20_000;

/// Adds what `enable = ["process"]` asks for. `links`: descriptors whose kind may still be asked.
pub(crate) fn put(
    files: &dyn Files,
    options: &Options,
    stats: &Stats,
    links: &mut usize,
    batch: &mut Batch,
    base: &Shared,
) {
    let seen: Vec<u32> = stats.procs.iter().copied().filter(|p| *p != 0).take(MAX_PROCESSES).collect();
    f::PROCESSES.put(batch, base, &[], stats.procs.len() as f64);
    if let Some(pids) = stats.pids {
        f::THREADS.put(batch, base, &[], pids as f64);
    }
    if let Some(max) = stats.pids_max {
        f::THREADS_MAX.put(batch, base, &[], limit(Some(max)) as f64);
    }
    let folders: Vec<String> = seen.iter().map(|p| options.proc(&format!("{p}/fd"))).collect();
    let (mut descriptors, mut sockets) = (0u64, 0u64);
    for (folder, listed) in folders.iter().zip(files.list_many(&folders)) {
        let entries = listed.unwrap_or_default();
        descriptors += entries.len() as u64;
        for e in entries {
            if *links == 0 {
                break;
            }
            *links -= 1;
            let link = files.read_link(&format!("{folder}/{}", e.name));
            sockets += u64::from(link.is_ok_and(|l| l.starts_with("socket:")));
        }
    }
    f::FILE_DESCRIPTORS.put(batch, base, &[], descriptors as f64);
    f::SOCKETS.put(batch, base, &[], sockets as f64);
    let first = seen.first().and_then(|p| files.text(&options.proc(&format!("{p}/limits"))).ok());
    if let Some(soft) = first.as_deref().and_then(open_files) {
        f::ULIMITS.put(batch, base, &["max_open_files"], soft);
    }
}

/// Gives how many links a collection may ask for.
pub(crate) fn links() -> usize {
    MAX_LINKS
}

/// Reads the soft limit of open files out of /proc/PID/limits; -1 where there is none.
pub(crate) fn open_files(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|l| l.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(-1.0),
        number => number.parse::<u64>().ok().map(|n| n as f64),
    }
}

/// Tasks of a cgroup by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tasks {
    pub(crate) sleeping: u64,
    pub(crate) running: u64,
    pub(crate) stopped: u64,
    pub(crate) uninterruptible: u64,
}

/// Counts the tasks whose numbers stand in `list`.
pub(crate) fn tasks(files: &dyn Files, options: &Options, list: &str) -> Tasks {
    let numbers = list.lines().filter_map(|l| l.trim().parse::<u32>().ok()).filter(|n| *n != 0).take(MAX_TASKS);
    let paths: Vec<String> = numbers.map(|n| options.proc(&format!("{n}/stat"))).collect();
    let mut tasks = Tasks::default();
    for text in files.texts(&paths).into_iter().flatten() {
        // `17 (a name) S 1 ...`: the name may have anything in it, brackets too.
        let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        match state {
            Some('R') => tasks.running += 1,
            Some('S' | 'I') => tasks.sleeping += 1,
            Some('D') => tasks.uninterruptible += 1,
            Some('T' | 't') => tasks.stopped += 1,
            _ => {}
        }
    }
    tasks
}

/// The decaying averages of tasks that want to run, and of those that can't be woken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// Thousandths of a task.
    pub(crate) wanting: f64,
    /// Thousandths of a task.
    pub(crate) uninterruptible: f64,
    at_ms: Option<i64>,
}

impl Load {
    /// Takes the tasks as they are now. What was before counts by how long ago it was: e^(-t/10s).
    pub(crate) fn step(&mut self, tasks: Tasks, now_ms: i64) {
        let old = match self.at_ms {
            Some(at) => (-(now_ms.saturating_sub(at).max(0) as f64) / 10_000.0).exp(),
            None => 0.0,
        };
        self.at_ms = Some(now_ms);
        let mix = |before: f64, now: u64| before * old + now as f64 * 1e3 * (1.0 - old);
        self.wanting = mix(self.wanting, tasks.running + tasks.uninterruptible);
        self.uninterruptible = mix(self.uninterruptible, tasks.uninterruptible);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   4096  files\n";
        assert_eq!(open_files(text), Some(1_024.0));
        assert_eq!(open_files("Max open files  unlimited  unlimited files"), Some(-1.0));
        assert_eq!(open_files("Max open files"), None);
    }

    #[test]
    fn load_decays() {
        let mut load = Load::default();
        load.step(Tasks { running: 2, uninterruptible: 1, ..Tasks::default() }, 0);
        assert_eq!((load.wanting, load.uninterruptible), (3_000.0, 1_000.0));
        load.step(Tasks::default(), 10_000);
        assert!((load.wanting - 3_000.0 / std::f64::consts::E).abs() < 1e-6);
    }
}
