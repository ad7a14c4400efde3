//! The engine's answers (Docker Engine API 1.24 and later, which Podman speaks too). Every field may be missing or null.

use super::bounded;
use super::time::unix_seconds;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use watchglass_sdk::Error;

/// Most containers that are taken from a list.
const MAX_CONTAINERS: usize = 10_000;

/// A container as the list has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    #[serde(rename = "Id", deserialize_with = "or_default")]
    pub(crate) id: String,
    #[serde(rename = "Names", deserialize_with = "bounded::list")]
    pub(crate) names: Vec<String>,
    #[serde(rename = "Image", deserialize_with = "or_default")]
    pub(crate) image: String,
    #[serde(rename = "Labels", deserialize_with = "bounded::map")]
    pub(crate) labels: BTreeMap<String, String>,
    /// `running`, `restarting`, `exited`, `paused`, `created`, `dead`.
    #[serde(rename = "State", deserialize_with = "or_default")]
    pub(crate) state: String,
    /// `Up 3 minutes (healthy)`, `Exited (137) 5 seconds ago`.
    #[serde(rename = "Status", deserialize_with = "or_default")]
    pub(crate) status: String,
}

impl Listed {
    /// Tells whether it has processes.
    pub(crate) fn runs(&self) -> bool {
        self.state == "running" || self.state == "paused"
    }

    /// Gives what the status says of health: `healthy`, `unhealthy`, `starting`.
    pub(crate) fn health(&self) -> Option<&str> {
        let (_, inner) = self.status.strip_suffix(')')?.rsplit_once('(')?;
        match inner.strip_prefix("health: ").unwrap_or(inner) {
            word @ ("healthy" | "unhealthy" | "starting") => Some(word),
            _ => None,
        }
    }

    /// Tells whether its state began less than a minute or so ago, or changes all the time.
    pub(crate) fn changed_lately(&self) -> bool {
        self.state == "restarting" || self.status.contains("second")
    }
}

/// What a look at a container gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inspected {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) env: Vec<String>,
    /// First process; 0: none.
    pub(crate) pid: u32,
    /// Whether that process was not among those of the cgroup: the engine counts processes otherwise than we do.
    pub(crate) unseen: bool,
    /// Seconds of Unix time.
    pub(crate) created: Option<i64>,
    pub(crate) started: Option<i64>,
    pub(crate) restarts: u64,
    /// The health check's word, where there is a check.
    pub(crate) health: Option<String>,
    /// `bridge`, `host`, `none`, `container:ID` ...
    pub(crate) network_mode: String,
    /// The writable layer.
    pub(crate) upper_dir: Option<String>,
    /// Where its log and settings are.
    pub(crate) own_dir: Option<String>,
}

#[derive(Deserialize)]
struct RawInspected {
    #[serde(rename = "Name", default, deserialize_with = "or_default")]
    name: String,
    #[serde(rename = "Created", default, deserialize_with = "or_default")]
    created: String,
    #[serde(rename = "RestartCount", default, deserialize_with = "or_default")]
    restarts: i64,
    #[serde(rename = "LogPath", default, deserialize_with = "or_default")]
    log_path: String,
    #[serde(rename = "HostnamePath", default, deserialize_with = "or_default")]
    hostname_path: String,
    #[serde(rename = "State", default, deserialize_with = "or_default")]
    state: RawState,
    #[serde(rename = "Config", default, deserialize_with = "or_default")]
    config: RawConfig,
    #[serde(rename = "HostConfig", default, deserialize_with = "or_default")]
    host_config: RawHostConfig,
    #[serde(rename = "GraphDriver", default, deserialize_with = "or_default")]
    graph_driver: RawGraphDriver,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawState {
    #[serde(rename = "Pid", deserialize_with = "or_default")]
    pid: i64,
    #[serde(rename = "StartedAt", deserialize_with = "or_default")]
    started: String,
    #[serde(rename = "Health", deserialize_with = "or_default")]
    health: Option<RawHealth>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawHealth {
    #[serde(rename = "Status", deserialize_with = "or_default")]
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawConfig {
    #[serde(rename = "Image", deserialize_with = "or_default")]
    image: String,
    #[serde(rename = "Env", deserialize_with = "bounded::list")]
    env: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawHostConfig {
    #[serde(rename = "NetworkMode", deserialize_with = "or_default")]
    network_mode: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawGraphDriver {
    #[serde(rename = "Data", deserialize_with = "or_default")]
    data: RawLayers,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawLayers {
    #[serde(rename = "UpperDir", deserialize_with = "or_default")]
    upper: String,
}

/// What an engine says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    #[serde(rename = "DockerRootDir")]
    pub(crate) root: Option<String>,
    #[serde(rename = "CgroupDriver")]
    pub(crate) cgroup_driver: Option<String>,
}

/// An engine's version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Version {
    #[serde(rename = "Version", deserialize_with = "or_default")]
    pub(crate) version: String,
}

/// Something happened to a container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) time_ns: u64,
}

#[derive(Deserialize)]
struct RawEvent {
    #[serde(rename = "Action", default, deserialize_with = "or_default")]
    action: String,
    #[serde(rename = "Actor", default, deserialize_with = "or_default")]
    actor: RawActor,
    #[serde(rename = "timeNano", default, deserialize_with = "or_default")]
    time_ns: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawActor {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    id: String,
}

/// Null is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

fn wrong(what: &str, e: &serde_json::Error) -> Error {
    Error::Protocol(format!("the engine's answer to {what}: {e}"))
}

/// Reads the list of containers, the first so many; those without a sound identifier are left out.
pub(crate) fn list(body: &[u8]) -> Result<Vec<Listed>, Error> {
    // The identifier goes into paths of further questions.
    let sound = |l: &Listed| l.id.len() == 64 && l.id.bytes().all(|b| b.is_ascii_hexdigit());
    bounded::filtered(body, MAX_CONTAINERS, sound).map_err(|e| wrong("/containers/json", &e))
}

/// Reads the answer about one container.
pub(crate) fn inspect(body: &[u8]) -> Result<Inspected, Error> {
    let raw: RawInspected = serde_json::from_slice(body).map_err(|e| wrong("/containers/ID/json", &e))?;
    let folder = |path: &str| path.rsplit_once('/').map(|(dir, _)| dir.to_owned()).filter(|d| d.starts_with('/'));
    let upper = raw.graph_driver.data.upper;
    Ok(Inspected {
        name: raw.name,
        image: raw.config.image,
        env: raw.config.env,
        pid: u32::try_from(raw.state.pid).unwrap_or(0),
        unseen: false,
        created: unix_seconds(&raw.created),
        started: unix_seconds(&raw.state.started),
        restarts: u64::try_from(raw.restarts).unwrap_or(0),
        health: raw.state.health.map(|h| h.status).filter(|s| !s.is_empty() && s != "none"),
        network_mode: raw.host_config.network_mode,
        upper_dir: upper.starts_with('/').then_some(upper),
        own_dir: folder(&raw.log_path).or_else(|| folder(&raw.hostname_path)),
    })
}

/// Reads `/info`.
pub(crate) fn info(body: &[u8]) -> Result<Info, Error> {
    serde_json::from_slice(body).map_err(|e| wrong("/info", &e))
}

/// Reads `/version`.
pub(crate) fn version(body: &[u8]) -> Result<Version, Error> {
    serde_json::from_slice(body).map_err(|e| wrong("/version", &e))
}

/// Reads events, one JSON object behind the other; from the first that is none on they are left out.
pub(crate) fn events(body: &[u8]) -> Vec<Event> {
    serde_json::Deserializer::from_slice(body)
        .into_iter::<RawEvent>()
        .map_while(Result::ok)
        .filter(|e| e.action == "oom")
        .map(|e| Event { id: e.actor.id, time_ns: u64::try_from(e.time_ns).unwrap_or(0) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_nulls_and_strangers() {
        let id = "ab".repeat(32);
        let body = format!(
            r#"[{{"Id":"{id}","Names":["/web"],"Labels":null,"State":"running","Status":"Up 2 hours (unhealthy)","Ports":[{{}}]}},{{"Id":"../../x"}},{{}}]"#
        );
        let listed = list(body.as_bytes()).unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].runs() && listed[0].health() == Some("unhealthy") && listed[0].labels.is_empty());
        for junk in ["", "{", "[{\"Id\":1}]", "\u{0}", &"[".repeat(10_000)] {
            assert!(matches!(list(junk.as_bytes()), Err(Error::Protocol(_))), "{:.20}", junk);
        }
    }

    #[test]
    fn health_in_a_status() {
        for (status, expected) in [
            ("Up 2 minutes (healthy)", Some("healthy")),
            ("Up 1 second (health: starting)", Some("starting")),
            ("Up 2 minutes", None),
            ("Up 2 minutes (Paused)", None),
            ("Exited (0)", None),
        ] {
            assert_eq!(Listed { status: status.into(), ..Listed::default() }.health(), expected, "{status}");
        }
    }

    #[test]
    fn a_container_in_detail() {
        let i = inspect(
            br#"{"Name":"/web","Created":"2026-11-23T02:12:41.7Z","RestartCount":3,"LogPath":"/d/containers/x/x-json.log",
            "State":{"Pid":17,"StartedAt":"2026-11-23T02:13:05Z","Health":{"Status":"starting"}},
            "Config":{"Image":"bb:1","Env":null},"HostConfig":{"NetworkMode":"default"},
            "GraphDriver":{"Name":"overlay2","Data":{"UpperDir":"/d/overlay2/y/diff"}}}"#,
        )
        .unwrap();
        assert_eq!((i.pid, i.restarts, i.created, i.started), (17, 3, Some(1_795_399_961), Some(1_795_399_985)));
        assert_eq!(
            (i.upper_dir.as_deref(), i.own_dir.as_deref()),
            (Some("/d/overlay2/y/diff"), Some("/d/containers/x"))
        );
        let empty = inspect(br#"{"State":null,"GraphDriver":{"Data":null},"RestartCount":-1}"#).unwrap();
        assert_eq!(empty, Inspected::default());
    }

    #[test]
    fn events_until_the_junk() {
        let body = b"{\"Action\":\"oom\",\"Actor\":{\"ID\":\"a\"},\"timeNano\":5}\n{\"Action\":\"die\",\"Actor\":{\"ID\":\"a\"}}\n{\"Action\":\"oom\",\"Actor\":{\"ID\":\"b\"},\"timeNano\":-6}{";
        assert_eq!(events(body), [Event { id: "a".into(), time_ns: 5 }, Event { id: "b".into(), time_ns: 0 }]);
    }
}
