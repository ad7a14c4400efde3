//! Machines and engines that lie: cut files, junk, cgroups that vanish between listing and reading, sockets that answer anything.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run natively, where std is the world")]

mod support;

use serde_json::json;
use std::cell::Cell;
use std::path::Path;
use support::{Answers, Fixed, collect, config, parts, unpack};
use watchglass_plugin_cadvisor::Memory;
use watchglass_sdk::Error;
use watchglass_sdk::files::{Entry, Files, Stat, Tree, Usage};

const NOW_MS: i64 = 1_700_000_000_000;
const A: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn fixture(name: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).join(file);
    std::fs::read_to_string(path).unwrap()
}

/// Files as they are, but every cgroup that has `gone` in its path vanished after it was listed.
struct Vanishing {
    gone: &'static str,
    reads: Cell<usize>,
}

impl Files for Vanishing {
    fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        if path.contains(self.gone) {
            self.reads.set(self.reads.get() + 1);
            return Err(Error::NotFound(path.to_owned()));
        }
        Fixed.read(path, max)
    }
    fn read_many(&self, paths: &[String], max_each: u32) -> Vec<Result<Vec<u8>, Error>> {
        paths.iter().map(|p| self.read(p, max_each)).collect()
    }
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        Fixed.list_dir(path)
    }
    fn read_link(&self, path: &str) -> Result<String, Error> {
        Fixed.read_link(path)
    }
    fn metadata(&self, path: &str) -> Result<Stat, Error> {
        if path.contains(self.gone) { Err(Error::NotFound(path.to_owned())) } else { Fixed.metadata(path) }
    }
    fn disk_usage(&self, mount_point: &str, timeout_ms: u32) -> Result<Usage, Error> {
        Fixed.disk_usage(mount_point, timeout_ms)
    }
    fn tree_usage(&self, _: &str, _: &[u8], _: u32, _: u32) -> Result<Tree, Error> {
        Err(Error::Denied("files:/var/lib/docker".into()))
    }
}

#[test]
fn cgroups_that_vanish_leave_the_others() {
    let temp = tempfile::tempdir().unwrap();
    unpack(&fixture("systemd-v2", "tree.txt"), temp.path());
    let files = Vanishing { gone: "docker-1111", reads: Cell::default() };
    let outcome = collect(&files, &Answers::default(), &config(temp.path(), json!({})), &mut Memory::default(), NOW_MS);
    let text = outcome.batch.to_text();
    assert!(files.reads.get() > 0);
    assert!(
        !text.lines().any(|l| l.starts_with("container_memory_usage_bytes") && l.contains(A)),
        "nothing was read of it"
    );
    assert!(text.contains("container_memory_usage_bytes{") && text.contains("docker-2222"));
    assert!(text.contains("container_scrape_error 0"));
}

#[test]
fn a_removed_container_has_no_series_at_the_next_collection() {
    let temp = tempfile::tempdir().unwrap();
    unpack(&fixture("docker-v1", "tree.txt"), temp.path());
    let mut answers = Answers::parse(&fixture("docker-v1", "docker.txt"));
    let (config, mut memory) = (config(temp.path(), json!({})), Memory::default());
    let before = collect(&Fixed, &answers, &config, &mut memory, NOW_MS).batch.to_text();
    assert!(before.contains("name=\"web\"") && before.contains("name=\"oom\""));
    for hierarchy in std::fs::read_dir(temp.path().join("sys/fs/cgroup")).unwrap() {
        let _ = std::fs::remove_dir_all(hierarchy.unwrap().path().join("docker").join("aa".repeat(32)));
    }
    let mut list: serde_json::Value =
        serde_json::from_slice(answers.by_path["/containers/json?all=1"].as_ref().unwrap()).unwrap();
    list.as_array_mut().unwrap().retain(|c| c["Names"][0] != "/web" && c["Names"][0] != "/oom");
    answers.set("/containers/json?all=1", list.to_string());
    let after = collect(&Fixed, &answers, &config, &mut memory, NOW_MS + 15_000).batch.to_text();
    assert!(!after.contains("name=\"web\"") && !after.contains("name=\"oom\""));
    assert!(after.contains("name=\"burn\""));
}

#[test]
fn every_file_cut_or_replaced_by_junk_breaks_nothing() {
    for case in ["docker-v1", "systemd-v2", "bare-v1"] {
        let tree = fixture(case, "tree.txt");
        let junk: [fn(&str) -> Vec<u8>; 6] = [
            |t| t.as_bytes()[..t.len() / 2].to_vec(),
            |_| Vec::new(),
            |_| (0..=255).collect(),
            |_| b"-1\n18446744073709551615 18446744073709551616\nmax max max max\n: : : :\n8:0 8:0 =\n".to_vec(),
            |t| t.replace(|c: char| c.is_ascii_digit(), "99999999999999999999").into_bytes(),
            |t| t.replace(' ', "\u{fffd}").replace('\n', "\r\n\0").into_bytes(),
        ];
        for spoil in junk {
            let temp = tempfile::tempdir().unwrap();
            unpack(&tree, temp.path());
            for (name, body) in parts(&tree).into_iter().filter(|(n, _)| !n.contains(" -> ")) {
                // Without its hierarchies there would be nothing to spoil.
                if !name.ends_with("/mountinfo") {
                    std::fs::write(temp.path().join(name.trim_start_matches('/')), spoil(&body)).unwrap();
                }
            }
            let everything = json!({"enable": ["process"], "enable_load_reader": true});
            let mut memory = Memory::default();
            for at in [NOW_MS, NOW_MS + 15_000] {
                let outcome =
                    collect(&Fixed, &Answers::default(), &config(temp.path(), everything.clone()), &mut memory, at);
                let text = outcome.batch.to_text();
                assert!(text.contains("container_last_seen{"), "{case}");
                assert!(!text.contains(" NaN") && !text.contains(" -9"), "{case}");
            }
        }
    }
}

#[test]
fn without_cgroups_the_machine_is_still_told_of() {
    let temp = tempfile::tempdir().unwrap();
    unpack("== /proc/meminfo\nMemTotal: 5 kB\n== /proc/cpuinfo\nprocessor: 0\n", temp.path());
    let outcome = collect(&Fixed, &Answers::default(), &config(temp.path(), json!({})), &mut Memory::default(), NOW_MS);
    assert_eq!(outcome.batch.get("container_scrape_error", &[]), Some(1.0));
    assert!(outcome.batch.to_text().contains("machine_memory_bytes"));
    assert_eq!(outcome.problems.len(), 1, "{:?}", outcome.problems);
}

#[test]
fn an_engine_that_answers_anything_leaves_the_cgroups() {
    let temp = tempfile::tempdir().unwrap();
    unpack(&fixture("docker-v1", "tree.txt"), temp.path());
    let deep = "[".repeat(100_000);
    let wrong_types = format!("[{{\"Id\":\"{}\",\"Names\":{{}}}}]", "aa".repeat(32));
    for list in ["", "null", "<html>", "[1,2]", "{\"message\":\"no\"}", &deep, &wrong_types, "[{\"Id\":\"\\ud800\"}]"] {
        let mut answers = Answers::default();
        answers.set("/containers/json?all=1", list);
        let outcome = collect(&Fixed, &answers, &config(temp.path(), json!({})), &mut Memory::default(), NOW_MS);
        assert!(outcome.batch.to_text().contains("container_memory_usage_bytes{"), "{list:.40}");
        assert!(outcome.problems.iter().any(|(w, e)| *w == "docker" && matches!(e, Error::Protocol(_))), "{list:.40}");
    }
    for e in [
        Error::TimedOut,
        Error::TooLarge("x".into()),
        Error::Unavailable("refused".into()),
        Error::Forbidden("x".into()),
    ] {
        let mut answers = Answers::default();
        answers.by_path.insert("/containers/json?all=1".into(), Err(e));
        let outcome = collect(&Fixed, &answers, &config(temp.path(), json!({})), &mut Memory::default(), NOW_MS);
        assert!(outcome.batch.to_text().contains("container_memory_usage_bytes{"));
        assert_eq!(outcome.problems.len(), 1, "the operator is told why there are no names");
    }
    let outcome = collect(&Fixed, &Answers::default(), &config(temp.path(), json!({})), &mut Memory::default(), NOW_MS);
    assert!(outcome.problems.is_empty(), "a socket that is not granted is no fault: {:?}", outcome.problems);
}

#[test]
fn an_engine_that_goes_away_leaves_the_names_it_gave() {
    let temp = tempfile::tempdir().unwrap();
    unpack(&fixture("docker-v1", "tree.txt"), temp.path());
    let mut answers = Answers::parse(&fixture("docker-v1", "docker.txt"));
    let (config, mut memory) = (config(temp.path(), json!({})), Memory::default());
    collect(&Fixed, &answers, &config, &mut memory, NOW_MS);
    answers.by_path.insert("/containers/json?all=1".into(), Err(Error::Unavailable("refused".into())));
    let text = collect(&Fixed, &answers, &config, &mut memory, NOW_MS + 15_000).batch.to_text();
    assert!(text.contains("name=\"web\""), "or every series would end and begin anew");
}

#[test]
fn a_container_is_looked_at_once_until_it_changes() {
    let temp = tempfile::tempdir().unwrap();
    unpack(&fixture("docker-v1", "tree.txt"), temp.path());
    let mut answers = Answers::parse(&fixture("docker-v1", "docker.txt"));
    answers.set("/events", "");
    let (config, mut memory) = (config(temp.path(), json!({})), Memory::default());
    collect(&Fixed, &answers, &config, &mut memory, NOW_MS);
    let first = answers.asked.take();
    assert_eq!(first.iter().filter(|p| p.starts_with("/containers/") && p.ends_with("/json")).count(), 5, "{first:?}");
    collect(&Fixed, &answers, &config, &mut memory, NOW_MS + 15_000);
    let second = answers.asked.take();
    assert_eq!(second.len(), 2, "the list and the events: {second:?}");
    assert!(second[1].contains("since=1700000000.000000000&until=1700000015.000000000"), "{second:?}");
}

#[test]
fn kills_that_the_engine_told_of_outlive_their_cgroups() {
    let temp = tempfile::tempdir().unwrap();
    unpack(&fixture("docker-v1", "tree.txt"), temp.path());
    let mut answers = Answers::parse(&fixture("docker-v1", "docker.txt"));
    let (config, mut memory) = (config(temp.path(), json!({"whitelisted_container_labels": []})), Memory::default());
    let id = "cc".repeat(32);
    let event = |ns: u64| format!("{{\"Action\":\"oom\",\"Actor\":{{\"ID\":\"{id}\"}},\"timeNano\":{ns}}}\n");
    let labels =
        [("id", &*format!("/docker/{id}")), ("image", "bb:1"), ("name", "oom")].map(|(n, v)| (n, v.to_owned()));
    let mut kills = |answers: &Answers, at: i64| {
        let outcome = collect(&Fixed, answers, &config, &mut memory, at);
        outcome.batch.get("container_oom_events_total", &labels.each_ref().map(|(n, v)| (*n, v.as_str())))
    };
    answers.set("/events", event(5));
    assert_eq!(kills(&answers, NOW_MS), Some(1.0));
    answers.set("/events", format!("{}{}", event(5), event(6)));
    assert_eq!(kills(&answers, NOW_MS + 15_000), Some(2.0), "the same event twice is one");
    answers.set("/events", "");
    assert_eq!(kills(&answers, NOW_MS + 30_000), Some(2.0));
}
