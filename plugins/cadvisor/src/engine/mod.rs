//! What Docker or Podman knows of the containers: names, images, labels, health, restarts, kills. Asked over its socket, by GET alone.

mod answers;
mod bounded;
mod time;

pub(crate) use answers::{Inspected, Listed};

use answers::{Event, Info, Version};
use std::collections::BTreeMap;
use watchglass_sdk::http::{Request, Version as Http};
use watchglass_sdk::prelude::*;

/// Longest list of containers, bytes: some thousand of them.
const MAX_LIST: u32 = 8 << 20;

/// Longest answer about one container, or of events, bytes.
const MAX_ANSWER: u32 = 1 << 20;

/// How long one answer may take, milliseconds: an engine that hangs must not take the collection with it.
const ANSWER_MS: u32 = 2_000;

/// A container that does not run is looked at again after this time, milliseconds, and so is one whose processes we can't see.
const LOOK_AGAIN_MS: i64 = 60_000;

/// How long what the engine says of itself is kept, milliseconds.
const INFO_MS: i64 = 10 * 60_000;

/// Asks an engine: the host's connection in a plugin, answers in memory in a test.
pub trait Api {
    /// Gets `path` (with its query) over a unix socket; the body, where the status is 200. At most `max` bytes in `timeout_ms`.
    fn get(&self, socket: &str, path: &str, timeout_ms: u32, max: u32) -> Result<Vec<u8>, Error>;
}

/// The host's connections.
#[derive(Clone, Copy, Debug)]
pub struct HostApi;

impl Api for HostApi {
    fn get(&self, socket: &str, path: &str, timeout_ms: u32, max: u32) -> Result<Vec<u8>, Error> {
        let mut request = Request::get(format!("http://engine{path}"), timeout_ms);
        request.unix_socket = Some(socket.to_owned());
        request.version = Http::Http1;
        request.follow_redirects = 0;
        request.max_body = max;
        let response = request.send()?;
        match response.status {
            200 => response.body.read_to_end(max),
            404 => Err(Error::NotFound(format!("{socket}: {path}: status 404"))),
            other => Err(Error::Other(format!("{socket}: {path}: status {other}"))),
        }
    }
}

/// A container that the engine knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// As the list has it.
    pub(crate) listed: Listed,
    /// As it was when it was last looked at.
    pub(crate) inspected: Option<Inspected>,
    /// When that was, milliseconds of Unix time.
    inspected_at: i64,
    /// What the list said then.
    inspected_state: String,
    /// Its cgroup, as last seen.
    pub(crate) cgroup: Option<String>,
    /// Kills for want of memory.
    pub(crate) oom: Oom,
}

/// Kills for want of memory over a container's life, from two sources that each miss some.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Oom {
    /// Those that the cgroups before this one had counted.
    before: u64,
    /// Those of this cgroup.
    current: u64,
    /// Those that the engine told of.
    events: u64,
}

impl Oom {
    /// Takes a cgroup's counter; one that went down is a new cgroup's.
    pub(crate) fn count(&mut self, kills: u64) {
        if kills < self.current {
            self.before = self.before.saturating_add(self.current);
        }
        self.current = kills;
    }

    /// Gives how many there were. A cgroup counts those that leave something running; of a container that died of it the engine tells.
    pub(crate) fn total(&self) -> u64 {
        self.before.saturating_add(self.current).max(self.events)
    }
}

impl Known {
    /// Gives its name, without the slash that the engine puts before it.
    pub(crate) fn name(&self) -> &str {
        let listed = self.listed.names.first().map(String::as_str);
        listed.or(self.inspected.as_ref().map(|i| i.name.as_str())).unwrap_or("").trim_start_matches('/')
    }

    /// Gives the image as it was asked for; the list has its number only once the name went to a newer one.
    pub(crate) fn image(&self) -> &str {
        match &self.inspected {
            Some(i) if !i.image.is_empty() => &i.image,
            _ => &self.listed.image,
        }
    }

    /// Gives the health check's word, 1 healthy, 0 unhealthy, -1 none.
    pub(crate) fn health(&self) -> f64 {
        let word = self.listed.health().or(self.inspected.as_ref().and_then(|i| i.health.as_deref()));
        match word {
            Some("healthy") => 1.0,
            Some("unhealthy") => 0.0,
            _ => -1.0,
        }
    }

    /// Tells whether it must be looked at: never was, changed since, or can't be told from here. `processes`: those of its cgroup.
    pub(crate) fn is_stale(&self, processes: &[u32], now_ms: i64) -> bool {
        let Some(i) = &self.inspected else { return true };
        let old = now_ms.saturating_sub(self.inspected_at) >= LOOK_AGAIN_MS;
        if !self.listed.runs() {
            return old || self.inspected_state != self.listed.state || self.listed.changed_lately();
        }
        // The list does not tell of health where it is Podman's.
        if i.health.is_some() && self.listed.health().is_none() {
            return true;
        }
        let seen = |pid: &u32| *pid != 0;
        let other_run = processes.iter().any(seen) && !processes.contains(&i.pid);
        self.inspected_state != self.listed.state || (other_run && (old || !i.unseen))
    }
}

/// One engine.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    /// Its containers by identifier.
    pub(crate) containers: BTreeMap<String, Known>,
    /// Where it keeps layers.
    pub(crate) root: Option<String>,
    /// Whether systemd makes its cgroups.
    pub(crate) systemd: bool,
    /// Its version.
    pub(crate) version: String,
    info_at: Option<i64>,
    /// Until when its events were read, milliseconds of Unix time.
    events_until: i64,
    /// When it is next asked for events, after it let us wait for them.
    events_not_before: i64,
    /// The last event that was counted, nanoseconds of Unix time.
    last_event_ns: u64,
}

/// How to ask: over what, which socket, until when.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) api: &'a dyn Api,
    pub(crate) socket: &'a str,
    pub(crate) now_ms: i64,
    /// On the monotonic clock.
    pub(crate) deadline_ns: u64,
}

impl Asking<'_> {
    fn get(&self, path: &str, max: u32) -> Result<Vec<u8>, Error> {
        let left_ms = self.deadline_ns.saturating_sub(clock::monotonic_ns()) / 1_000_000;
        if left_ms == 0 {
            return Err(Error::TimedOut);
        }
        self.api.get(self.socket, path, ANSWER_MS.min(left_ms as u32), max)
    }
}

impl Engine {
    /// Lists the containers and reads the events since the last time. Where that fails, what was known stays.
    pub(crate) fn refresh(&mut self, ask: Asking) -> Result<(), Error> {
        let listed = answers::list(&ask.get("/containers/json?all=1", MAX_LIST)?)?;
        let mut before = std::mem::take(&mut self.containers);
        for one in listed {
            let mut known = before.remove(&one.id).unwrap_or_default();
            let id = one.id.clone();
            known.listed = one;
            self.containers.insert(id, known);
        }
        if self.info_at.is_none_or(|at| ask.now_ms.saturating_sub(at) >= INFO_MS) {
            self.info_at = Some(ask.now_ms);
            if let Ok(Info { root, cgroup_driver }) = ask.get("/info", MAX_ANSWER).and_then(|b| answers::info(&b)) {
                self.root = root.or(self.root.take());
                self.systemd = cgroup_driver.as_deref() == Some("systemd");
            }
            if let Ok(Version { version }) = ask.get("/version", MAX_ANSWER).and_then(|b| answers::version(&b)) {
                self.version = version;
            }
        }
        // An engine without events still told of its containers.
        let _ = self.read_events(ask);
        Ok(())
    }

    /// Reads which containers lost a process to the kernel for want of memory.
    fn read_events(&mut self, ask: Asking) -> Result<(), Error> {
        // `until` must be past, or the engine would wait for it. What it keeps is short, so that the first time all of it is asked for.
        let until = ask.now_ms;
        if until <= self.events_until || until < self.events_not_before {
            return Ok(());
        }
        let query = format!(
            "/events?since={}&until={}&filters=%7B%22event%22%3A%5B%22oom%22%5D%2C%22type%22%3A%5B%22container%22%5D%7D",
            seconds(self.events_until),
            seconds(until)
        );
        let answer = ask.get(&query, MAX_ANSWER);
        if matches!(answer, Err(Error::TimedOut)) {
            self.events_not_before = until.saturating_add(INFO_MS);
        }
        let body = answer?;
        self.events_until = until;
        let mut latest = self.last_event_ns;
        for Event { id, time_ns } in answers::events(&body) {
            if time_ns <= self.last_event_ns {
                continue;
            }
            latest = latest.max(time_ns);
            if let Some(known) = self.containers.get_mut(&id) {
                known.oom.events = known.oom.events.saturating_add(1);
            }
        }
        self.last_event_ns = latest;
        Ok(())
    }

    /// Looks at one container. `processes`: those of its cgroup.
    pub(crate) fn inspect(&mut self, ask: Asking, id: &str, processes: &[u32]) -> Result<(), Error> {
        let Some(known) = self.containers.get_mut(id) else { return Ok(()) };
        known.inspected_at = ask.now_ms;
        known.inspected_state = known.listed.state.clone();
        let mut inspected = answers::inspect(&ask.get(&format!("/containers/{id}/json"), MAX_ANSWER)?)?;
        inspected.unseen = !processes.contains(&inspected.pid);
        known.inspected = Some(inspected);
        Ok(())
    }
}

/// Milliseconds as seconds with a fraction, as the engine takes them.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}000000", ms.max(0) / 1_000, ms.max(0) % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_over_a_container_s_life() {
        let mut oom = Oom::default();
        oom.count(1);
        assert_eq!(oom.total(), 1);
        oom.count(0);
        assert_eq!(oom.total(), 1, "restarted");
        oom.count(2);
        assert_eq!(oom.total(), 3);
        oom.events = 5;
        assert_eq!(oom.total(), 5, "two took the container with them, and its cgroup");
    }

    #[test]
    fn when_to_look_again() {
        let running = |pid, health: Option<&str>| Known {
            listed: Listed { state: "running".into(), status: "Up 3 seconds".into(), ..Listed::default() },
            inspected: Some(Inspected { pid, health: health.map(str::to_owned), ..Inspected::default() }),
            inspected_state: "running".into(),
            ..Known::default()
        };
        assert!(Known::default().is_stale(&[], 0));
        assert!(!running(7, None).is_stale(&[7, 8], 0));
        assert!(running(7, None).is_stale(&[9], 0), "another run");
        assert!(!running(7, None).is_stale(&[0, 0], 0), "of another pid namespace: nothing to compare");
        assert!(running(7, Some("healthy")).is_stale(&[7], 0), "health that the list does not tell");
        let mut unseen = running(7, None);
        unseen.inspected.as_mut().unwrap().unseen = true;
        assert!(!unseen.is_stale(&[9], LOOK_AGAIN_MS - 1) && unseen.is_stale(&[9], LOOK_AGAIN_MS));
        let mut gone = running(0, None);
        gone.listed.state = "exited".into();
        gone.listed.status = "Exited (1) 5 minutes ago".into();
        assert!(gone.is_stale(&[], 0), "its state changed");
        gone.inspected_state = "exited".into();
        assert!(!gone.is_stale(&[], 0));
        gone.listed.status = "Exited (1) 2 seconds ago".into();
        assert!(gone.is_stale(&[], 0));
    }
}
