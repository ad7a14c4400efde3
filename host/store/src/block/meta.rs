//! meta.json: what a block is and where it comes from.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use watchglass_model::TimeMs;

use crate::StoreError;

/// A block's meta.json, in Prometheus' words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockMeta {
    pub(crate) ulid: String,
    /// First time, in ms.
    pub(crate) min_time: TimeMs,
    /// First time behind it.
    pub(crate) max_time: TimeMs,
    #[serde(default)]
    pub(crate) stats: BlockStats,
    pub(crate) compaction: Compaction,
    pub(crate) version: u32,
}

/// How much is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BlockStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_float_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_histogram_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_series: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_chunks: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_tombstones: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compaction {
    /// 1: straight from the head.
    pub(crate) level: u32,
    /// The blocks from the head that it goes back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<String>,
    /// It is empty and may be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deletable: bool,
    /// The blocks that it was made of, which it replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<Parent>,
    /// Compacting it has failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) failed: bool,
    /// Notes of other programs, kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hints: Vec<String>,
}

/// A block that another replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parent {
    pub(crate) ulid: String,
    pub(crate) min_time: TimeMs,
    pub(crate) max_time: TimeMs,
}

/// Reads the meta.json in a block's folder.
pub(crate) fn read(dir: &Path) -> Result<BlockMeta, StoreError> {
    let path = dir.join("meta.json");
    let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
    let corrupt = |reason: String| StoreError::Corrupt { path: path.clone(), what: "meta.json", offset: 0, reason };
    let meta: BlockMeta = serde_json::from_slice(&bytes).map_err(|e| corrupt(e.to_string()))?;
    if meta.version != 1 {
        return Err(corrupt(format!("version {} (known: 1)", meta.version)));
    }
    if meta.min_time > meta.max_time {
        return Err(corrupt(format!("minTime {} lies behind maxTime {}", meta.min_time, meta.max_time)));
    }
    Ok(meta)
}

/// Writes the meta.json of a block, whole or not at all.
pub(crate) fn write(dir: &Path, meta: &BlockMeta) -> Result<(), StoreError> {
    let (path, unfinished) = (dir.join("meta.json"), dir.join("meta.json.tmp"));
    let mut text =
        serde_json::to_vec_pretty(meta).map_err(|e| StoreError::Limit { what: "meta.json", reason: e.to_string() })?;
    text.push(b'\n');
    File::create(&unfinished)
        .and_then(|mut f| {
            f.write_all(&text)?;
            f.sync_all()
        })
        .map_err(StoreError::io("write", &unfinished))?;
    crate::files::rename(&unfinished, &path)
}
