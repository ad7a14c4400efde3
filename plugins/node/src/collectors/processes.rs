//! Processes and threads by state (/proc/PID/stat).

use crate::machine::{Machine, Memory};
use crate::text::number;
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// Collects. A process that ends meanwhile is not counted.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let pids: Vec<String> =
        m.files.list_dir(&m.proc(""))?.into_iter().map(|e| e.name).filter(|n| n.bytes().all(|c| c.is_ascii_digit())).collect();
    let mut states: BTreeMap<String, f64> = BTreeMap::new();
    let mut thread_states: BTreeMap<String, f64> = BTreeMap::new();
    let (mut processes, mut threads) = (0.0, 0.0);
    let mut tasks = Vec::new();
    let paths: Vec<String> = pids.iter().map(|p| m.proc(&format!("{p}/stat"))).collect();
    for (pid, text) in pids.iter().zip(m.files.texts(&paths)) {
        let Some((state, count)) = text.as_deref().and_then(parse) else { continue };
        *states.entry(state).or_default() += 1.0;
        processes += 1.0;
        threads += count;
        tasks.push(pid.as_str());
    }
    // A thread's directory lists its process' threads; the first is the process itself.
    let dirs: Vec<String> = tasks.iter().map(|p| m.proc(&format!("{p}/task"))).collect();
    let listed = m.files.list_many(&dirs);
    let paths: Vec<String> = dirs.iter().zip(listed).flat_map(|(d, l)| l.unwrap_or_default().into_iter().map(move |e| format!("{d}/{}/stat", e.name))).collect();
    for (state, _) in m.files.texts(&paths).iter().filter_map(|t| parse(t.as_deref()?)) {
        *thread_states.entry(state).or_default() += 1.0;
    }
    b.gauge("node_processes_threads", "Allocated threads in system").value(threads);
    b.gauge("node_processes_pids", "Number of PIDs").value(processes);
    for (state, count) in &states {
        b.gauge("node_processes_state", "Number of processes in each state.").sample(&[("state", state)], *count);
    }
    for (state, count) in &thread_states {
        b.gauge("node_processes_threads_state", "Number of threads in each state.").sample(&[("thread_state", state)], *count);
    }
    for (path, name, help) in [
        ("sys/kernel/threads-max", "node_processes_max_threads", "Limit of threads in the system"),
        ("sys/kernel/pid_max", "node_processes_max_processes", "Number of max PIDs limit"),
    ] {
        b.gauge(name, help).value(number(&m.proc_text(path)?, path)?);
    }
    Ok(())
}

/// State and number of threads of a stat line; a process' name stands in brackets and may hold anything, brackets too.
fn parse(text: &str) -> Option<(String, f64)> {
    let words: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(((*words.first()?).to_owned(), words.get(17)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_brackets() {
        let line = "7 (a) R (b) S 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 31 0 99";
        assert_eq!(parse(line), Some(("S".to_owned(), 31.0)));
        assert_eq!(parse("7 (a"), None);
    }
}
