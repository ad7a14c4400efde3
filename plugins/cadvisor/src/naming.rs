//! What a cgroup's path says about what runs in it.
//!
//! | path | what |
//! |---|---|
//! | `/docker/ID`, `/system.slice/docker-ID.scope` | Docker, by its cgroupfs and systemd drivers |
//! | `/libpod_parent/libpod-ID`, `/machine.slice/libpod-ID.scope` | Podman |
//! | `/kubepods/burstable/podUID/ID`, `/kubepods.slice/.../cri-containerd-ID.scope`, `...:cri-containerd:ID` | containerd under Kubernetes |
//! | `.../crio-ID.scope` | CRI-O |
//! | `/default/ID`, `.../nerdctl-ID.scope` | containerd alone |
//!
//! A conmon's scope (`libpod-conmon-ID.scope`, `crio-conmon-ID.scope`) is the container's monitor, not the container.

/// What made a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// containerd, under Kubernetes or alone.
    Containerd,
    /// CRI-O.
    Crio,
    /// Something that names its cgroups by bare identifiers.
    Unknown,
}

/// A container, as its cgroup's name has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'p> {
    /// What made it.
    pub runtime: Runtime,
    /// Its identifier: 64 hexadecimal digits.
    pub id: &'p str,
}

const PREFIXES: [(&str, Runtime); 6] = [
    ("docker-", Runtime::Docker),
    ("libpod-", Runtime::Podman),
    ("cri-containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Containerd),
    ("crio-", Runtime::Crio),
    ("containerd-", Runtime::Containerd),
];

/// Reads a cgroup's path; none where it is no container: a slice, a service, a scope, a cgroup within a container.
pub fn identify(path: &str) -> Option<Identity<'_>> {
    let (parents, last) = path.rsplit_once('/')?;
    let name = last.strip_suffix(".scope").unwrap_or(last);
    // systemd's driver in Kubernetes writes `SLICE:RUNTIME:ID` where systemd itself does not run.
    if let Some((before, id)) = name.rsplit_once(':') {
        let runtime = match before.rsplit_once(':').map_or(before, |b| b.1) {
            "cri-containerd" | "containerd" | "nerdctl" => Runtime::Containerd,
            "docker" => Runtime::Docker,
            "libpod" => Runtime::Podman,
            "crio" => Runtime::Crio,
            _ => Runtime::Unknown,
        };
        return is_id(id).then_some(Identity { runtime, id });
    }
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = name.strip_prefix(prefix).filter(|id| is_id(id)) {
            return Some(Identity { runtime, id });
        }
    }
    if last.len() != name.len() || !is_id(name) {
        return None;
    }
    let parent = parents.rsplit_once('/').map_or(parents, |p| p.1);
    let runtime = match parent {
        "docker" => Runtime::Docker,
        "libpod_parent" => Runtime::Podman,
        "default" | "moby" | "k8s.io" => Runtime::Containerd,
        _ => Runtime::Unknown,
    };
    Some(Identity { runtime, id: name })
}

/// Tells whether a cgroup is not worth a look: systemd keeps one for every mount.
pub(crate) fn is_ignored(name: &str) -> bool {
    name.ends_with(".mount")
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_s_way_of_naming() {
        let id = "0123456789abcdef".repeat(4);
        for (path, expected) in [
            ("/docker/ID", Some(Runtime::Docker)),
            ("/system.slice/docker-ID.scope", Some(Runtime::Docker)),
            ("/my.slice/ID", Some(Runtime::Unknown)),
            ("/machine.slice/libpod-ID.scope", Some(Runtime::Podman)),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", Some(Runtime::Podman)),
            ("/libpod_parent/libpod-ID", Some(Runtime::Podman)),
            ("/libpod_parent/ID", Some(Runtime::Podman)),
            ("/libpod_parent/conmon", None),
            ("/machine.slice/libpod-conmon-ID.scope", None),
            ("/machine.slice/libpod-ID.scope/container", None),
            ("/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/ID", Some(Runtime::Unknown)),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podX.slice/cri-containerd-ID.scope",
                Some(Runtime::Containerd),
            ),
            (
                "/system.slice/containerd.service/kubepods-besteffort-podX.slice:cri-containerd:ID",
                Some(Runtime::Containerd),
            ),
            ("/kubepods.slice/crio-ID.scope", Some(Runtime::Crio)),
            ("/kubepods.slice/crio-conmon-ID.scope", None),
            ("/default/ID", Some(Runtime::Containerd)),
            ("/docker", None),
            ("/", None),
            ("", None),
            ("/system.slice/docker.service", None),
            ("/docker/buildx/ID.scope", None),
            ("/docker/IDff", None),
            ("/docker/\u{fffd}:é:", None),
        ] {
            let path = path.replace("ID", &id);
            let found = identify(&path);
            assert_eq!(found.map(|f| f.runtime), expected, "{path}");
            assert!(found.is_none_or(|f| f.id == id), "{path}");
        }
    }
}
