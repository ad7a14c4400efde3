//! How much containers' writable layers hold on disk. Walking a layer is the one thing here that may take long: it has a budget of its own in
//! each collection, goes on in the next one where it stopped, and each container is measured at most once a minute.

use crate::options::Options;
use std::collections::BTreeMap;
use watchglass_sdk::files::Files;
use watchglass_sdk::prelude::*;

/// A layer's measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Bytes of the layer, and of the container's log and settings.
    pub(crate) bytes: u64,
    /// Files and folders in the layer.
    pub(crate) inodes: u64,
    /// When the walk was over, milliseconds of Unix time.
    pub(crate) at_ms: i64,
}

/// What to measure of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its identifier.
    pub(crate) id: String,
    /// The writable layer.
    pub(crate) upper: String,
    /// Where its log and settings are.
    pub(crate) own: Option<String>,
}

/// A walk that is not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Walk {
    bytes: u64,
    inodes: u64,
    /// Whether the layer is done and the container's own folder is next.
    at_own: bool,
    after: Vec<u8>,
}

/// All measures, and the walk that is under way.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    measures: BTreeMap<String, Measure>,
    under_way: Option<(String, Walk)>,
    /// When the next try is due for those that could not be walked.
    not_before: BTreeMap<String, i64>,
    /// When the next try is due after the host withheld a folder; another is most likely withheld too.
    denied_until: Option<i64>,
}

/// How long nothing is tried after the host withheld a folder, milliseconds. A grant that is added later makes a new instance anyway.
const DENIED_MS: i64 = 10 * 60_000;

impl Layers {
    /// Gives a container's last measure.
    pub(crate) fn get(&self, id: &str) -> Option<Measure> {
        self.measures.get(id).copied()
    }

    /// Measures what is due, the longest waiting first, as far as the budget goes. Gives the first thing that went wrong.
    pub(crate) fn measure(
        &mut self,
        files: &dyn Files,
        layers: &[Layer],
        options: &Options,
        now_ms: i64,
        deadline_ns: u64,
    ) -> Option<Error> {
        let ids: std::collections::BTreeSet<&str> = layers.iter().map(|l| l.id.as_str()).collect();
        self.measures.retain(|id, _| ids.contains(id.as_str()));
        self.not_before.retain(|id, _| ids.contains(id.as_str()));
        if self.under_way.as_ref().is_some_and(|(id, _)| !ids.contains(id.as_str())) {
            self.under_way = None;
        }
        if self.denied_until.is_some_and(|at| at > now_ms) {
            return None;
        }
        let interval_ms = (options.disk_usage_interval * 1e3) as i64;
        let age = |l: &Layer| self.measures.get(&l.id).map_or(i64::MIN, |m| m.at_ms);
        let mut due: Vec<&Layer> = layers
            .iter()
            .filter(|l| age(l).saturating_add(interval_ms) <= now_ms)
            .filter(|l| self.not_before.get(&l.id).is_none_or(|at| *at <= now_ms))
            .collect();
        // The one that is under way goes on; then those never measured; then by age.
        let first = self.under_way.as_ref().map(|(id, _)| id.clone());
        due.sort_by_key(|l| (first.as_deref() != Some(&l.id), age(l)));
        let until_ns =
            clock::monotonic_ns().saturating_add(u64::from(options.disk_usage_budget_ms) * 1_000_000).min(deadline_ns);
        let mut entries = u64::from(options.disk_usage_budget_files);
        let mut wrong = None;
        for layer in due {
            let left_ms = until_ns.saturating_sub(clock::monotonic_ns()) / 1_000_000;
            if left_ms == 0 || entries == 0 {
                break;
            }
            let mut walk = match self.under_way.take() {
                Some((id, walk)) if id == layer.id => walk,
                _ => Walk::default(),
            };
            match walk.go_on(files, layer, options, &mut entries, until_ns) {
                Ok(true) => {
                    let measure = Measure { bytes: walk.bytes, inodes: walk.inodes, at_ms: now_ms };
                    self.measures.insert(layer.id.clone(), measure);
                }
                Ok(false) => {
                    self.under_way = Some((layer.id.clone(), walk));
                    break;
                }
                // Not wanted, then.
                Err(Error::Denied(_)) => {
                    self.denied_until = Some(now_ms.saturating_add(DENIED_MS));
                    break;
                }
                // Without the folder: not tried again at each collection.
                Err(e) => {
                    self.not_before.insert(layer.id.clone(), now_ms.saturating_add(interval_ms));
                    wrong.get_or_insert(e);
                }
            }
        }
        wrong
    }
}

impl Walk {
    /// Walks on. True: it is over.
    fn go_on(
        &mut self,
        files: &dyn Files,
        layer: &Layer,
        options: &Options,
        entries: &mut u64,
        until_ns: u64,
    ) -> Result<bool, Error> {
        loop {
            let dir = if self.at_own { layer.own.as_deref() } else { Some(layer.upper.as_str()) };
            let Some(dir) = dir else { return Ok(true) };
            let left_ms = until_ns.saturating_sub(clock::monotonic_ns()) / 1_000_000;
            if left_ms == 0 || *entries == 0 {
                return Ok(false);
            }
            let (max, ms) = (u32::try_from(*entries).unwrap_or(u32::MAX), left_ms.min(60_000) as u32);
            let tree = match files.tree_usage(&options.root(dir), &self.after, max, ms) {
                // A container without a log has no folder for it.
                Err(Error::NotFound(_)) if self.at_own => return Ok(true),
                other => other?,
            };
            *entries = entries.saturating_sub(tree.entries.max(1));
            self.bytes = self.bytes.saturating_add(tree.bytes);
            if !self.at_own {
                self.inodes = self.inodes.saturating_add(tree.entries);
            }
            self.after = tree.next;
            if !self.after.is_empty() {
                continue;
            }
            if self.at_own {
                return Ok(true);
            }
            self.at_own = true;
        }
    }
}

/// Finds a Docker container's layer without asking Docker: by the number that its overlay2 driver wrote down.
pub(crate) fn find(files: &dyn Files, options: &Options, id: &str) -> Option<Layer> {
    let root = options.path.docker_root.trim_end_matches('/');
    let path = options.root(&format!("{root}/image/overlay2/layerdb/mounts/{id}/mount-id"));
    let number = watchglass_sdk::files::into_text(files.read(&path, 256).ok()?);
    let number = number.trim();
    let sound = !number.is_empty() && number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    sound.then(|| Layer {
        id: id.to_owned(),
        upper: format!("{root}/overlay2/{number}/diff"),
        own: Some(format!("{root}/containers/{id}")),
    })
}
