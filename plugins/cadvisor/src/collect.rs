//! One collection, from the mount table to the samples.

use crate::cgroup::{self, Texts};
use crate::disks::{self, Disks, FileSystem};
use crate::engine::{Asking, Known};
use crate::families as f;
use crate::hierarchy::{self, Hierarchy, Kind, Roots};
use crate::labels::Names;
use crate::layers::{self, Layer};
use crate::machine::{self, Facts};
use crate::mounts;
use crate::options::socket_path;
use crate::process::{self, Load, Tasks};
use crate::stats::{Stall, Stats};
use crate::subject::{self, Subject};
use crate::{Memory, World, container, network};
use std::collections::{BTreeMap, BTreeSet};
use watchglass_sdk::Shared;
use watchglass_sdk::files::into_text;
use watchglass_sdk::prelude::*;

/// Longest file of a cgroup, bytes.
const MAX_FILE: u32 = 256 << 10;

/// Cgroups whose files are read at once: what is read stands in memory until it was looked at.
const AT_ONCE: usize = 256;

/// What is remembered of a cgroup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// When it was made, seconds of Unix time.
    made: i64,
    /// Its processor time then; less now is another cgroup.
    cpu_ns: u64,
    load: Load,
}

/// What a collection gave: samples, and what went wrong.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Samples.
    pub batch: Batch,
    /// What went wrong without ending it: where, and what.
    pub problems: Vec<(&'static str, Error)>,
}

/// Collects once.
pub fn run(world: &World, memory: &mut Memory) -> Outcome {
    let mut out = Outcome::default();
    let amounts = world.files.text(&world.options.proc("meminfo")).ok().and_then(|t| machine::amounts(&t));
    for (at, (engine, socket)) in
        memory.engines.iter_mut().zip([&world.options.docker, &world.options.podman]).enumerate()
    {
        let Some(socket) = socket_path(socket) else { continue };
        let asking = Asking { api: world.api, socket, now_ms: world.now_ms, deadline_ns: world.deadline_ns };
        match engine.refresh(asking) {
            // Not granted, or not on this machine: cgroups are reported by their paths.
            Ok(()) | Err(Error::Denied(_) | Error::NotFound(_)) => {}
            Err(e) => out.problems.push((["docker", "podman"][at.min(1)], e)),
        }
    }
    let failed = match containers(world, memory, amounts, &mut out) {
        Ok(()) => false,
        Err(e) => {
            out.problems.push(("cgroup", e));
            true
        }
    };
    f::SCRAPE_ERROR.put(&mut out.batch, &Shared::default(), &[], f64::from(failed));
    if world.options.collects("machine") {
        let facts = memory.facts.get_or_insert_with(|| Facts::read(world.files, world.options));
        let version = memory.engines.iter().map(|e| e.version.as_str()).find(|v| !v.is_empty()).unwrap_or("");
        facts.put(amounts, version, &mut out.batch);
    }
    out
}

fn containers(
    world: &World,
    memory: &mut Memory,
    amounts: Option<machine::Amounts>,
    out: &mut Outcome,
) -> Result<(), Error> {
    let options = world.options;
    let table = match world.files.text(&options.proc("1/mountinfo")) {
        Err(e) if e.is_not_found() || e.is_refused() => {
            world.files.text(&options.proc("self/mountinfo")).unwrap_or_default()
        }
        other => other.unwrap_or_default(),
    };
    let mounts = mounts::parse(&table);
    let roots = Roots { sysfs: &options.path.sysfs, rootfs: &options.path.rootfs, cgroup: &options.path.cgroup };
    let mut hierarchies = hierarchy::find(world.files, &mounts, roots)?;
    // Those that nothing is wanted of are not walked.
    hierarchies.retain(|h| !cgroup::wanted(h, options.kinds()).is_empty());
    if hierarchies.is_empty() {
        return Err(Error::NotFound("no cgroup hierarchy is mounted; hint: path.cgroup names its folder".into()));
    }
    let wanted: Vec<Vec<&str>> = hierarchies.iter().map(|h| cgroup::wanted(h, options.kinds())).collect();
    let walk = hierarchy::walk(world.files, &hierarchies, &wanted)?;
    if walk.cut {
        out.problems.push(("cgroup", Error::TooLarge("more cgroups than are looked at".into())));
    }
    let mut subjects = subject::select(&walk, &memory.engines, options);
    subject::read_processes(world, &walk, &hierarchies, &mut subjects, options.collects("process"));
    if let Some(e) = subject::inspect(&mut memory.engines, world, &subjects) {
        out.problems.push(("engine", e));
    }
    if options.collects("network") {
        subject::read_networks(world, &mut subjects, &memory.engines);
    }
    let layers = layers_of(world, memory, &subjects);
    if let Some(e) = memory.layers.measure(world.files, &layers, options, world.now_ms, world.deadline_ns) {
        out.problems.push(("disk", e));
    }
    let scene = Scene {
        world,
        names: Names::new(options),
        unified: hierarchies.iter().any(|h| h.kind == Kind::Unified),
        hierarchies: &hierarchies,
        wanted: &wanted,
        layers: layers.iter().map(|l| (l.id.as_str(), l.upper.as_str())).collect(),
        amounts,
    };
    let mut disks = Disks::read(world.files, options, &mounts, world.deadline_ns);
    let mut before = std::mem::take(&mut memory.seen);
    let mut links = process::links();
    for part in subjects.chunks(AT_ONCE) {
        let stats = scene.read(part);
        for (subject, stats) in part.iter().zip(stats) {
            let seen = before.remove(subject.path);
            let seen = scene.put(subject, &stats, seen, memory, &mut disks, &mut links, &mut out.batch);
            memory.seen.insert(subject.path.to_owned(), seen);
        }
    }
    scene.put_stopped(&subjects, memory, &mut out.batch);
    Ok(())
}

/// The layers of containers, where anybody tells where they are.
fn layers_of(world: &World, memory: &mut Memory, subjects: &[Subject]) -> Vec<Layer> {
    if !world.options.collects("disk") {
        return Vec::new();
    }
    let mut layers: Vec<Layer> = Vec::new();
    let (mut found, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for s in subjects {
        let Some(identity) = s.identity else { continue };
        let told = s.known(&memory.engines).and_then(|k| k.inspected.as_ref()).and_then(|i| {
            Some(Layer { id: identity.id.to_owned(), upper: i.upper_dir.clone()?, own: i.own_dir.clone() })
        });
        let layer = match (told, s.engine, memory.found_layers.remove(identity.id)) {
            (Some(layer), ..) => Some(layer),
            // Docker is not asked: its folder may tell. What it told, or did not, is kept.
            (None, None, Some(kept)) => {
                found.insert(identity.id.to_owned(), kept.clone());
                kept
            }
            (None, None, None) => {
                let layer = layers::find(world.files, world.options, identity.id);
                found.insert(identity.id.to_owned(), layer.clone());
                layer
            }
            _ => None,
        };
        layers.extend(layer.filter(|_| taken.insert(identity.id)));
    }
    memory.found_layers = found;
    layers
}

/// What all cgroups of a collection share.
struct Scene<'s> {
    world: &'s World<'s>,
    names: Names,
    unified: bool,
    hierarchies: &'s [Hierarchy],
    wanted: &'s [Vec<&'static str>],
    /// Containers' layers by identifier.
    layers: BTreeMap<&'s str, &'s str>,
    amounts: Option<machine::Amounts>,
}

impl Scene<'_> {
    /// Reads the files of some cgroups in one go.
    fn read(&self, subjects: &[Subject]) -> Vec<Stats> {
        let mut paths = Vec::new();
        let mut places: Vec<(usize, &'static str)> = Vec::new();
        for (at, s) in subjects.iter().enumerate() {
            for ((h, names), mask) in self.hierarchies.iter().zip(self.wanted).zip(&s.group.files) {
                let dir = hierarchy::dir_of(&h.dir, s.path);
                for (_, name) in names.iter().enumerate().filter(|(bit, _)| mask & (1u64 << (bit & 63)) != 0) {
                    paths.push(format!("{dir}/{name}"));
                    places.push((at, name));
                }
            }
        }
        let mut texts: Vec<Texts> = subjects.iter().map(|_| Texts::default()).collect();
        for ((at, name), read) in places.into_iter().zip(self.world.files.read_many(&paths, MAX_FILE)) {
            // A cgroup that went away, or a controller that was taken from it: what is left is told.
            if let (Some(t), Ok(bytes)) = (texts.get_mut(at), read) {
                t.push(name, into_text(bytes));
            }
        }
        let parse = |(s, t): (&Subject, &Texts)| {
            let mut stats = cgroup::parse(t, self.unified);
            stats.procs.clone_from(&s.procs);
            if s.path == "/" {
                self.complete_root(&mut stats);
            }
            stats
        };
        subjects.iter().zip(&texts).map(parse).collect()
    }

    /// The root has no limits but the machine's, and on cgroup v2 no swap or pressure of its own.
    fn complete_root(&self, stats: &mut Stats) {
        if let Some(a) = self.amounts {
            let spec = stats.memory_spec.get_or_insert_default();
            (spec.limit, spec.swap_limit) = (a.memory, a.swap);
            if let Some(m) = stats.memory.as_mut().filter(|_| self.unified) {
                m.swap = a.swap.saturating_sub(a.swap_free);
            }
        }
        // Of cgroup v2 the root has no events: the whole machine's are its.
        if stats.oom_kills.is_none() && self.world.options.collects("oom_event") {
            let events = self.world.files.text(&self.world.options.proc("vmstat"));
            stats.oom_kills = events.ok().and_then(|t| crate::text::value_of(&t, "oom_kill"));
        }
        let machine = |kind: &str| {
            let text = self.world.files.text(&self.world.options.proc(&format!("pressure/{kind}"))).ok()?;
            Stall::parse(&text)
        };
        if self.world.options.collects("pressure") {
            let p = &mut stats.pressure;
            p.cpu = p.cpu.or_else(|| machine("cpu"));
            p.memory = p.memory.or_else(|| machine("memory"));
            p.io = p.io.or_else(|| machine("io"));
        }
    }

    /// Adds all of a cgroup's samples; gives what to remember of it.
    #[expect(clippy::too_many_arguments, reason = "what is read, what is remembered, and where it goes")]
    fn put(
        &self,
        s: &Subject,
        stats: &Stats,
        seen: Option<Seen>,
        memory: &mut Memory,
        disks: &mut Disks,
        links: &mut usize,
        batch: &mut Batch,
    ) -> Seen {
        let options = self.world.options;
        let seen = self.seen(s, stats, seen);
        let id = s.identity.map(|i| i.id);
        let oom = match (s.engine.and_then(|e| memory.engines.get_mut(e)), id) {
            (Some(engine), Some(id)) => engine.containers.get_mut(id).map(|k| {
                k.oom.count(stats.oom_kills.unwrap_or(0));
                k.oom.total()
            }),
            _ => None,
        };
        let known = s.known(&memory.engines);
        let base = batch.labels(&self.names.of(s.path, known));
        container::put(stats, options, batch, &base);
        if options.collects("oom_event")
            && let Some(kills) = oom.or(stats.oom_kills)
        {
            f::OOM_EVENTS.put(batch, &base, &[], kills as f64);
        }
        if options.collects("cpuLoad") {
            let mut load = seen.load;
            let tasks = if options.enable_load_reader { self.tasks(s) } else { Tasks::default() };
            if options.enable_load_reader {
                load.step(tasks, self.world.now_ms);
            }
            container::put_load(tasks, load, batch, &base);
            return Seen { load, ..self.put_rest(s, stats, seen, memory, disks, links, batch, &base) };
        }
        self.put_rest(s, stats, seen, memory, disks, links, batch, &base)
    }

    /// Adds what is not out of the cgroup's own files.
    #[expect(clippy::too_many_arguments, reason = "what is read, what is remembered, and where it goes")]
    fn put_rest(
        &self,
        s: &Subject,
        stats: &Stats,
        seen: Seen,
        memory: &Memory,
        disks: &mut Disks,
        links: &mut usize,
        batch: &mut Batch,
        base: &Shared,
    ) -> Seen {
        let (options, known) = (self.world.options, s.known(&memory.engines));
        let inspected = known.and_then(|k| k.inspected.as_ref());
        network::put(&s.devices, batch, base);
        let filesystems = if options.collects("disk") { self.filesystems(s, memory, disks) } else { Vec::new() };
        disks::put(&filesystems, &stats.io, disks, batch, base);
        if let Some(measure) = s.identity.and_then(|i| memory.layers.get(i.id)).filter(|_| !filesystems.is_empty()) {
            let age = self.world.now_ms.saturating_sub(measure.at_ms).max(0) as f64 / 1e3;
            f::FS_USAGE_AGE.put(batch, base, &[], age);
        }
        if options.collects("process") {
            process::put(self.world.files, options, stats, links, batch, base);
        }
        let made = seen.made as f64;
        f::CREATED.put(batch, base, &[], inspected.and_then(|i| i.created).map_or(made, |t| t as f64));
        f::STARTED.put(batch, base, &[], inspected.and_then(|i| i.started).map_or(made, |t| t as f64));
        f::LAST_SEEN.put(batch, base, &[], self.world.now_ms.div_euclid(1_000) as f64);
        f::HEALTH.put(batch, base, &[], known.map_or(-1.0, Known::health));
        if let Some(i) = inspected {
            f::RESTARTS.put(batch, base, &[], i.restarts as f64);
        }
        seen
    }

    /// What is remembered of the cgroup; a new one, or one made anew under its old name, is looked at.
    fn seen(&self, s: &Subject, stats: &Stats, seen: Option<Seen>) -> Seen {
        let cpu_ns = stats.cpu.as_ref().map_or(0, |c| c.usage_ns);
        match seen {
            Some(seen) if cpu_ns >= seen.cpu_ns => Seen { cpu_ns, ..seen },
            _ => Seen { made: self.made(s), cpu_ns, load: Load::default() },
        }
    }

    /// When the cgroup was made, seconds of Unix time: its folder's time moves with what is made in it, that of these files does not.
    fn made(&self, s: &Subject) -> i64 {
        let present = |at: &usize| s.group.present & (1 << (*at).min(31)) != 0;
        let Some(h) = (0..self.hierarchies.len()).find(present).and_then(|at| self.hierarchies.get(at)) else {
            return 0;
        };
        let dir = hierarchy::dir_of(&h.dir, s.path);
        let still = if self.unified { "cgroup.events" } else { "cgroup.clone_children" };
        let times =
            [dir.clone(), format!("{dir}/{still}")].map(|p| self.world.files.metadata(&p).map(|m| m.modified).ok());
        times.into_iter().flatten().min().unwrap_or(0).div_euclid(1_000)
    }

    fn tasks(&self, s: &Subject) -> Tasks {
        let Some(h) = self.hierarchies.iter().find(|h| h.kind != Kind::Beside) else { return Tasks::default() };
        let file = if self.unified { "cgroup.threads" } else { "tasks" };
        let list = self.world.files.text(&format!("{}/{file}", hierarchy::dir_of(&h.dir, s.path)));
        process::tasks(self.world.files, self.world.options, &list.unwrap_or_default())
    }

    fn filesystems(&self, s: &Subject, memory: &Memory, disks: &mut Disks) -> Vec<FileSystem> {
        if s.path == "/" {
            return disks.of_machine();
        }
        let Some(id) = s.identity.map(|i| i.id) else { return Vec::new() };
        let root = s.engine.and_then(|e| memory.engines.get(e)).and_then(|e| e.root.as_deref());
        let Some(dir) = self.layers.get(id).copied().or(root) else { return Vec::new() };
        let Some(mut fs) = disks.of_layer(dir) else { return Vec::new() };
        if let Some(measure) = memory.layers.get(id) {
            (fs.usage, fs.inodes) = (Some(measure.bytes), Some(measure.inodes));
        }
        vec![fs]
    }

    /// Adds what engines count over the life of containers that do not run now: one that fails again and again is seldom seen running.
    fn put_stopped(&self, subjects: &[Subject], memory: &Memory, batch: &mut Batch) {
        let running: BTreeSet<&str> = subjects.iter().filter_map(|s| Some(s.identity?.id)).collect();
        for (at, engine) in memory.engines.iter().enumerate() {
            for (id, known) in &engine.containers {
                let Some(inspected) = &known.inspected else { continue };
                if running.contains(id.as_str()) {
                    continue;
                }
                // Where its cgroup was, or will be; of Podman's nobody knows beforehand.
                let usual = match (at, engine.systemd) {
                    (0, false) => Some(format!("/docker/{id}")),
                    (0, true) => Some(format!("/system.slice/docker-{id}.scope")),
                    _ => None,
                };
                let Some(path) = known.cgroup.clone().or(usual) else { continue };
                let base = batch.labels(&self.names.of(&path, Some(known)));
                f::RESTARTS.put(batch, &base, &[], inspected.restarts as f64);
                if known.oom.total() > 0 && self.world.options.collects("oom_event") {
                    f::OOM_EVENTS.put(batch, &base, &[], known.oom.total() as f64);
                }
            }
        }
    }
}
