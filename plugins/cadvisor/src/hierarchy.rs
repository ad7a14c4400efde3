//! Where the cgroups are, and which there are: found by walking.

use crate::mounts::Mount;
use crate::naming;
use std::collections::BTreeMap;
use watchglass_sdk::Error;
use watchglass_sdk::files::{EntryKind, Files};

/// Most cgroups that are looked at: far more than a machine runs well with.
const MAX_CGROUPS: usize = 20_000;

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 40;

/// Files of a cgroup that may be read at most, over one hierarchy: one bit each.
const MAX_FILES: usize = 64;

/// Controllers of cgroup v1 that tell something here.
const CONTROLLERS: [&str; 7] = ["memory", "cpu", "cpuacct", "blkio", "pids", "cpuset", "hugetlb"];

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Where it is mounted, as we reach it.
    pub(crate) dir: String,
    /// What it is.
    pub(crate) kind: Kind,
}

/// Kinds of hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// cgroup v2 with all controllers.
    Unified,
    /// cgroup v2 beside v1 (hybrid): no controllers, but pressure.
    Beside,
    /// cgroup v1 with these controllers.
    Legacy(Vec<&'static str>),
}

/// Where the machine's files stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roots<'r> {
    /// sysfs, `/sys`.
    pub(crate) sysfs: &'r str,
    /// The root folder, `/`.
    pub(crate) rootfs: &'r str,
    /// The folder of the hierarchies where the operator named it; else empty.
    pub(crate) cgroup: &'r str,
}

/// Finds the hierarchies: in the mount table, else in the usual folder.
pub(crate) fn find(files: &dyn Files, mounts: &[Mount], roots: Roots) -> Result<Vec<Hierarchy>, Error> {
    let mut found = if roots.cgroup.is_empty() { mounted(mounts, roots) } else { Vec::new() };
    if found.is_empty() {
        let usual = format!("{}/fs/cgroup", roots.sysfs.trim_end_matches('/'));
        found = in_folder(files, if roots.cgroup.is_empty() { &usual } else { roots.cgroup })?;
    }
    let legacy = found.iter().any(|h| matches!(h.kind, Kind::Legacy(_)));
    for h in &mut found {
        if legacy && h.kind == Kind::Unified {
            h.kind = Kind::Beside;
        }
    }
    Ok(found)
}

fn mounted(mounts: &[Mount], roots: Roots) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for m in mounts {
        let kind = match m.kind.as_str() {
            "cgroup2" => Kind::Unified,
            "cgroup" => {
                let of = |c: &&&str| m.super_options.split(',').any(|o| o == **c);
                Kind::Legacy(CONTROLLERS.iter().filter(of).copied().collect())
            }
            _ => continue,
        };
        // One that is mounted twice is the same; so are those that have none of ours (systemd's own, freezer).
        if kind == Kind::Legacy(Vec::new()) || found.iter().any(|h| h.kind == kind) {
            continue;
        }
        let dir = match m.point.strip_prefix("/sys/") {
            Some(rest) => format!("{}/{rest}", roots.sysfs.trim_end_matches('/')),
            None => format!("{}{}", roots.rootfs.trim_end_matches('/'), m.point),
        };
        found.push(Hierarchy { dir, kind });
    }
    found
}

fn in_folder(files: &dyn Files, dir: &str) -> Result<Vec<Hierarchy>, Error> {
    let dir = dir.trim_end_matches('/');
    let entries = files.list_dir(dir)?;
    if entries.iter().any(|e| e.name == "cgroup.controllers" || e.name == "cgroup.procs") {
        return Ok(vec![Hierarchy { dir: dir.to_owned(), kind: Kind::Unified }]);
    }
    let mut found: Vec<Hierarchy> = Vec::new();
    // `cpu` may be a link to `cpu,cpuacct`: folders alone count.
    for e in entries.iter().filter(|e| e.kind == EntryKind::Directory) {
        let kind = if e.name == "unified" {
            Kind::Unified
        } else {
            Kind::Legacy(CONTROLLERS.iter().filter(|c| e.name.split(',').any(|n| n == **c)).copied().collect())
        };
        if kind != Kind::Legacy(Vec::new()) {
            found.push(Hierarchy { dir: format!("{dir}/{}", e.name), kind });
        }
    }
    Ok(found)
}

/// One cgroup, over all hierarchies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cgroup {
    /// For each hierarchy which of the wanted files are there: a bit each. 0: it is not in this hierarchy, or has none of them.
    pub(crate) files: Vec<u64>,
    /// For each hierarchy whether it is there.
    pub(crate) present: u32,
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Cgroups by path; the root is `/`.
    pub(crate) cgroups: BTreeMap<String, Cgroup>,
    /// Whether there were more than are looked at.
    pub(crate) cut: bool,
}

/// Walks all hierarchies, level by level. `wanted`: for each hierarchy the files to look for, at most 64.
/// A cgroup that goes away meanwhile is left out, and so is a hierarchy that can't be listed; it is an error where none can.
pub(crate) fn walk(files: &dyn Files, hierarchies: &[Hierarchy], wanted: &[Vec<&str>]) -> Result<Walk, Error> {
    let mut out = Walk::default();
    let mut failed = None;
    for (at, h) in hierarchies.iter().enumerate() {
        let names = wanted.get(at).map_or(&[][..], |w| w.get(..w.len().min(MAX_FILES)).unwrap_or(w));
        let mut level = vec![String::from("/")];
        for depth in 0..MAX_DEPTH {
            let dirs: Vec<String> = level.iter().map(|p| dir_of(&h.dir, p)).collect();
            let mut next = Vec::new();
            for (path, listed) in level.iter().zip(files.list_many(&dirs)) {
                let entries = match listed {
                    Ok(entries) => entries,
                    Err(e) => {
                        if depth == 0 {
                            failed.get_or_insert(e);
                        }
                        continue;
                    }
                };
                if !out.cgroups.contains_key(path) && out.cgroups.len() >= MAX_CGROUPS {
                    out.cut = true;
                    continue;
                }
                let group = out.cgroups.entry(path.clone()).or_default();
                group.files.resize(hierarchies.len(), 0);
                group.present |= 1 << (at.min(31));
                let mut mask = 0u64;
                for e in entries {
                    match e.kind {
                        EntryKind::Directory if !naming::is_ignored(&e.name) => {
                            next.push(format!("{}/{}", path.trim_end_matches('/'), e.name));
                        }
                        EntryKind::File => {
                            if let Some(bit) = names.iter().position(|n| *n == e.name) {
                                mask |= 1 << bit;
                            }
                        }
                        _ => {}
                    }
                }
                if let Some(m) = group.files.get_mut(at) {
                    *m = mask;
                }
            }
            if next.is_empty() {
                break;
            }
            out.cut |= next.len() > MAX_CGROUPS || depth + 1 == MAX_DEPTH;
            next.truncate(MAX_CGROUPS);
            level = next;
        }
    }
    match failed {
        Some(e) if out.cgroups.is_empty() => Err(e),
        _ => Ok(out),
    }
}

/// Gives the folder of a cgroup in a hierarchy.
pub(crate) fn dir_of(hierarchy: &str, path: &str) -> String {
    if path == "/" { hierarchy.to_owned() } else { format!("{hierarchy}{path}") }
}
