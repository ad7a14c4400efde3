//! Which cgroups are reported, and what is known of each beside its own files: its container, its processes, its network.

use crate::World;
use crate::engine::{Asking, Engine, Known};
use crate::hierarchy::{self, Cgroup, Hierarchy, Kind, Walk};
use crate::naming::{self, Identity, Runtime};
use crate::network::{self, Device};
use crate::options::Options;
use std::collections::BTreeMap;
use watchglass_sdk::files::into_text;
use watchglass_sdk::{Error, clock};

/// Longest list of a cgroup's processes, bytes.
const MAX_PROCS: u32 = 1 << 20;

/// Most cgroups within one container whose processes are read.
const MAX_BELOW: usize = 64;

/// Longest table of network devices, bytes.
const MAX_NET_DEV: u32 = 256 << 10;

/// What stays of a collection's time when engines are no longer asked about single containers: the rest of the work comes after.
const RESERVE: u64 = 2;

/// Both engines: Docker, Podman.
pub(crate) type Engines = [Engine; 2];

/// One cgroup that is reported.
#[derive(Debug)]
pub(crate) struct Subject<'w> {
    pub(crate) path: &'w str,
    pub(crate) group: &'w Cgroup,
    /// What its name says.
    pub(crate) identity: Option<Identity<'w>>,
    /// Which engine knows it.
    pub(crate) engine: Option<usize>,
    /// Its processes.
    pub(crate) procs: Vec<u32>,
    /// Its network devices.
    pub(crate) devices: Vec<Device>,
}

impl<'w> Subject<'w> {
    /// Gives what an engine knows of it.
    pub(crate) fn known<'e>(&self, engines: &'e Engines) -> Option<&'e Known> {
        engines.get(self.engine?)?.containers.get(self.identity?.id)
    }
}

/// Picks what is reported.
pub(crate) fn select<'w>(walk: &'w Walk, engines: &Engines, options: &Options) -> Vec<Subject<'w>> {
    let mut out = Vec::new();
    for (path, group) in &walk.cgroups {
        let identity = naming::identify(path);
        let engine = identity.and_then(|i| engines.iter().position(|e| e.containers.contains_key(i.id)));
        let wanted = match path.as_str() {
            "/" => !options.disable_root_cgroup_stats,
            _ if options.docker_only => {
                let listed = |p: &String| !p.is_empty() && path.starts_with(p.as_str());
                identity.is_some() || options.raw_cgroup_prefix_whitelist.iter().any(listed)
            }
            _ => true,
        };
        if wanted {
            out.push(Subject { path, group, identity, engine, procs: Vec::new(), devices: Vec::new() });
        }
    }
    out
}

/// Reads the processes of containers (of every cgroup where `all`), in one go.
pub(crate) fn read_processes(
    world: &World,
    walk: &Walk,
    hierarchies: &[Hierarchy],
    subjects: &mut [Subject],
    all: bool,
) {
    let Some((at, dir)) =
        hierarchies.iter().enumerate().find(|(_, h)| h.kind != Kind::Beside).map(|(at, h)| (at, h.dir.as_str()))
    else {
        return;
    };
    let there = |s: &Subject| s.group.present & (1 << at.min(31)) != 0;
    let mut chosen: Vec<&mut Subject> =
        subjects.iter_mut().filter(|s| (all || s.identity.is_some()) && there(s)).collect();
    let list = |path: &str| format!("{}/cgroup.procs", hierarchy::dir_of(dir, path));
    let numbers = |read: Result<Vec<u8>, Error>| -> Vec<u32> {
        read.map(into_text).unwrap_or_default().lines().filter_map(|l| l.trim().parse().ok()).collect()
    };
    let paths: Vec<String> = chosen.iter().map(|s| list(s.path)).collect();
    for (subject, read) in chosen.iter_mut().zip(world.files.read_many(&paths, MAX_PROCS)) {
        subject.procs = numbers(read);
    }
    // Where a container divides its cgroup (systemd in it; Podman), its processes are in the ones below.
    let mut below: Vec<(usize, String)> = Vec::new();
    for (at, s) in chosen.iter().enumerate().filter(|(_, s)| s.identity.is_some() && s.procs.is_empty()) {
        let prefix = format!("{}/", s.path);
        let names = walk.cgroups.range(prefix.clone()..).map(|(path, _)| path);
        below.extend(names.take_while(|p| p.starts_with(&prefix)).take(MAX_BELOW).map(|p| (at, list(p))));
    }
    let paths: Vec<String> = below.iter().map(|(_, p)| p.clone()).collect();
    for ((at, _), read) in below.iter().zip(world.files.read_many(&paths, MAX_PROCS)) {
        if let Some(subject) = chosen.get_mut(*at) {
            subject.procs.extend(numbers(read));
        }
    }
}

/// Looks at containers that are new or changed, while there is time; gives the first thing that went wrong.
pub(crate) fn inspect(engines: &mut Engines, world: &World, subjects: &[Subject]) -> Option<Error> {
    let sockets = [&world.options.docker, &world.options.podman];
    let running: BTreeMap<&str, &Subject> = subjects.iter().filter_map(|s| Some((s.identity?.id, s))).collect();
    let start_ns = clock::monotonic_ns();
    let until_ns = start_ns + world.deadline_ns.saturating_sub(start_ns) / RESERVE;
    let mut wrong = None;
    for (engine, socket) in engines.iter_mut().zip(sockets) {
        let Some(socket) = crate::options::socket_path(socket) else { continue };
        let asking = Asking { api: world.api, socket, now_ms: world.now_ms, deadline_ns: until_ns };
        let mut stale = Vec::new();
        for (id, known) in &mut engine.containers {
            let subject = running.get(id.as_str());
            if let Some(s) = subject {
                known.cgroup = Some(s.path.to_owned());
            }
            let procs = subject.map_or(&[][..], |s| &s.procs);
            if known.is_stale(procs, world.now_ms) {
                stale.push((id.clone(), procs));
            }
        }
        for (id, procs) in stale {
            match engine.inspect(asking, &id, procs) {
                // Removed since it was listed.
                Ok(()) | Err(Error::NotFound(_)) => {}
                Err(e) => {
                    let hangs = matches!(e, Error::TimedOut | Error::Unavailable(_) | Error::Denied(_));
                    wrong.get_or_insert(e);
                    if hangs {
                        break;
                    }
                }
            }
        }
    }
    wrong
}

/// Reads the network devices of the root and of each container, in its own namespace.
pub(crate) fn read_networks(world: &World, subjects: &mut [Subject], engines: &Engines) {
    let mut pids = Vec::with_capacity(subjects.len());
    let mut others = Vec::new();
    for (at, s) in subjects.iter().enumerate() {
        let first = s.procs.iter().copied().find(|p| *p != 0);
        pids.push(match (s.path, s.identity, s.known(engines)) {
            ("/", ..) => Some(1),
            (_, Some(_), Some(known)) => {
                let inspected = known.inspected.as_ref();
                // One that shares another container's network would count it a second time.
                let shares = inspected.is_some_and(|i| i.network_mode.starts_with("container:"));
                let pid = inspected.filter(|i| i.pid != 0 && s.procs.contains(&i.pid)).map(|i| i.pid);
                if shares { None } else { pid.or(first) }
            }
            // Nobody tells whether it shares the host's network, or another container's: its namespace does.
            (_, Some(i), None) if i.runtime != Runtime::Docker || first.is_some() => {
                others.push(at);
                first
            }
            _ => None,
        });
    }
    drop_shared(world, subjects, &mut pids, &others);
    let asked: Vec<(usize, String)> = pids
        .iter()
        .enumerate()
        .filter_map(|(at, pid)| Some((at, world.options.proc(&format!("{}/net/dev", (*pid)?)))))
        .collect();
    let paths: Vec<String> = asked.iter().map(|(_, p)| p.clone()).collect();
    for ((at, _), read) in asked.iter().zip(world.files.read_many(&paths, MAX_NET_DEV)) {
        if let (Some(subject), Ok(bytes)) = (subjects.get_mut(*at), read) {
            subject.devices = network::parse(&into_text(bytes));
        }
    }
}

/// Of containers that share a network namespace keeps one (a pod's first), and none of those in the host's.
fn drop_shared(world: &World, subjects: &[Subject], pids: &mut [Option<u32>], others: &[usize]) {
    if others.is_empty() {
        return;
    }
    let namespace = |pid: u32| world.files.read_link(&world.options.proc(&format!("{pid}/ns/net"))).ok();
    let mut seen: Vec<String> = namespace(1).into_iter().collect();
    // In order of their first processes: a pod's sandbox is started before what shares its network.
    let mut order: Vec<usize> = others.to_vec();
    order.sort_by_key(|at| (pids.get(*at).copied().flatten(), subjects.get(*at).map(|s| s.path)));
    for at in order {
        let Some(slot) = pids.get_mut(at) else { continue };
        let Some(space) = slot.and_then(namespace) else { continue };
        if seen.contains(&space) {
            *slot = None;
        } else {
            seen.push(space);
        }
    }
}
