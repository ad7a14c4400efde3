//! From a plugin and a spec to something that runs: the checks that collectors and rules share.

use std::time::Duration;

use serde_json::Value;

use crate::bindings::wit::meta::Problem as WitProblem;
use crate::collector::{ConfigureError, Problem};
use crate::convert::cut;
use crate::grant::{Grants, MissingGrant};
use crate::plugin::{Kind, Plugin};
use crate::schema;

/// Longest configuration, bytes.
const MAX_CONFIG: usize = 1 << 20;

/// Problems that are taken from a plugin.
const MAX_PROBLEMS: usize = 50;

/// Instantiating and configuring take this long at least: a first touch of CPython's pages on a busy machine.
pub(crate) const MIN_START: Duration = Duration::from_millis(100);

/// Checks the plugin's kind.
pub(crate) fn kind(plugin: &Plugin, wanted: Kind) -> Result<(), ConfigureError> {
    let word = |k| match k {
        Kind::Collector => "collector",
        Kind::Rule => "rule",
    };
    if plugin.kind == wanted {
        return Ok(());
    }
    Err(ConfigureError::WrongKind { plugin: plugin.name.clone(), found: word(plugin.kind), wanted: word(wanted) })
}

/// Checks a configuration against the plugin's schema; gives it as the plugin is to get it.
pub(crate) fn config(plugin: &Plugin, text: &str) -> Result<String, ConfigureError> {
    let wrong = |message: String| ConfigureError::Config(vec![Problem { path: String::new(), message }]);
    let text = if text.trim().is_empty() { "{}" } else { text };
    if text.len() > MAX_CONFIG {
        return Err(wrong(format!("the configuration has {} bytes, allowed are {MAX_CONFIG}", text.len())));
    }
    let value: Value = serde_json::from_str(text).map_err(|e| wrong(format!("the configuration is no JSON: {e}")))?;
    // Checked when the plugin was loaded.
    let schema = schema::parse(&plugin.manifest.config_schema).map_err(wrong)?;
    let problems = match schema {
        Some(schema) => schema::check(&schema, &value),
        None if value.as_object().is_some_and(serde_json::Map::is_empty) => Vec::new(),
        None => return Err(wrong(format!("plugin {} takes no configuration", plugin.name))),
    };
    if problems.is_empty() { Ok(text.to_owned()) } else { Err(ConfigureError::Config(problems)) }
}

/// What a plugin found wrong with its configuration.
pub(crate) fn problems(given: Vec<WitProblem>) -> ConfigureError {
    let one =
        |p: WitProblem| Problem { path: cut(&p.path, 200).to_owned(), message: cut(&p.message, 2_000).to_owned() };
    let mut list: Vec<Problem> = given.into_iter().take(MAX_PROBLEMS).map(one).collect();
    if list.is_empty() {
        list.push(Problem { path: String::new(), message: "the plugin does not take it, and says not why".into() });
    }
    ConfigureError::Config(list)
}

/// The error for missing grants, with the exact TOML.
pub(crate) fn missing(name: &str, plugin: &Plugin, grants: &Grants, missing: Vec<MissingGrant>) -> ConfigureError {
    let mut text = format!("collector {name:?} is not run: plugin {} needs what it is not granted:", plugin.name);
    for one in &missing {
        text.push_str(&format!("\n  {}: {}", one.grant, one.want.why));
    }
    text.push_str(&format!("\n  hint: in its [[collector]]:\n{}", grants.toml_line(&missing)));
    ConfigureError::MissingGrants(text, missing)
}
