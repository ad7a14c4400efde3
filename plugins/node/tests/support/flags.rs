//! node_exporter's flags as this plugin's config.
#![allow(dead_code, reason = "each test uses its part")]

use serde_json::{Map, Value, json};
use watchglass_plugin_node::{FLAGS, Preset, known};

/// Writes flags as an operator would: `enable`, `disable`, and a table for each collector.
pub(crate) fn config(flags: &[String]) -> Value {
    let (mut enable, mut disable, mut tables) = (Vec::new(), Vec::new(), Map::new());
    for flag in flags {
        let (name, value) = flag.split_once('=').map_or((flag.as_str(), None), |(n, v)| (n, Some(v)));
        let (name, on) = match name.strip_prefix("--no-") {
            Some(name) => (name, false),
            None => (name.trim_start_matches("--"), true),
        };
        let name = name.strip_prefix("collector.").unwrap_or(name);
        let Some((table, key)) = name.split_once('.') else {
            assert!(known().iter().any(|c| c.name == name), "there is no collector {name}");
            if on {
                enable.push(name)
            } else {
                disable.push(name)
            }
            continue;
        };
        let known = FLAGS.iter().find(|f| f.table == table && f.name == key);
        let known = known.unwrap_or_else(|| panic!("{flag}: there is no key {key} in {table}"));
        let table = tables.entry(table).or_insert_with(|| json!({}));
        match (known.default, value) {
            (Preset::Switch(_), None) => table[key] = json!(on),
            (Preset::List, Some(v)) => match table[key].as_array_mut() {
                Some(list) => list.push(json!(v)),
                None => table[key] = json!([v]),
            },
            (Preset::Number(_), Some(v)) => table[key] = json!(v.parse::<f64>().unwrap()),
            (_, v) => table[key] = json!(v.unwrap_or_default()),
        }
    }
    let mut config = json!({"enable": enable, "disable": disable});
    config.as_object_mut().unwrap().extend(tables);
    config
}
