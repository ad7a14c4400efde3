//! A plugin that is loaded.

use std::path::PathBuf;
use std::sync::Arc;

use crate::grant::{Grants, MissingGrant};
use crate::manifest::Manifest;

/// Which world a plugin is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It collects samples.
    Collector,
    /// It makes alerts.
    Rule,
}

/// A plugin that is compiled, described and checked, ready to make collectors or rules of. It holds no instance.
pub struct Plugin {
    /// Name: its manifest's.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub hash: String,
    /// Size of the file, bytes.
    pub size: u64,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its world.
    pub kind: Kind,
    /// The interfaces that it imports, sorted: an upper bound of what it can do.
    pub imports: Vec<String>,
    /// Whether its code came out of the cache.
    pub from_cache: bool,
    pub(crate) code: Arc<crate::load::Code>,
}

impl Plugin {
    /// What has to be granted before it is run.
    pub fn missing_grants(&self, grants: &Grants, has_targets: bool) -> Vec<MissingGrant> {
        grants.missing(&self.manifest, has_targets)
    }

    /// The config entry that would start it, with everything that it wants granted: exact lines of watchglass.toml. What only the operator can know
    /// stands in capitals.
    pub fn suggested_toml(&self) -> String {
        crate::toml::entry(&self.manifest, self.kind, &self.file_stem())
    }

    /// The file's name without `.wasm`: what `plugin = ...` names.
    pub fn file_stem(&self) -> String {
        self.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_else(|| self.name.clone())
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "plugin {} {} ({})", self.name, self.manifest.version, self.path.display())
    }
}
