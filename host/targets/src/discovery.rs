//! Where targets are listed: in the configuration, and in files.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `static_configs`, and one entry of a file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct StaticConfig {
    /// Addresses.
    pub targets: Vec<String>,
    /// Labels of all of them.
    pub labels: BTreeMap<String, String>,
}

/// `file_sd_configs`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FileSdConfig {
    /// Files, `.json`, `.yml` or `.yaml`, with `*` in the last part of the path.
    pub files: Vec<String>,
    /// Accepted for Prometheus' sake: changes are seen within seconds anyway.
    pub refresh_interval: Option<String>,
}

/// Targets that share labels, from one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetGroup {
    /// Where it is listed: `static`, or the file's path.
    pub source: String,
    /// Addresses.
    pub targets: Vec<String>,
    /// Labels of all of them, `__meta_filepath` included where it is from a file.
    pub labels: BTreeMap<String, String>,
}

/// Why a file gives no targets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DiscoveryError(pub String);

/// The groups that a file lists, from its text.
pub fn read_file_sd(path: &str, text: &str) -> Result<Vec<TargetGroup>, DiscoveryError> {
    let groups: Vec<StaticConfig> = if path.ends_with(".json") {
        serde_json::from_str(text).map_err(|e| DiscoveryError(format!("{path}:{}:{}: {e}", e.line(), e.column())))?
    } else {
        watchglass_text::yaml::from_str(text, path).map_err(|e| DiscoveryError(e.to_string()))?
    };
    let group = |g: StaticConfig| {
        let mut labels = g.labels;
        labels.insert("__meta_filepath".to_owned(), path.to_owned());
        TargetGroup { source: path.to_owned(), targets: g.targets, labels }
    };
    Ok(groups.into_iter().map(group).collect())
}
