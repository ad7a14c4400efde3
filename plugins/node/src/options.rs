//! The config: which collectors run, where the machine's files are, and every flag by node_exporter's own name.

use crate::collectors::known;
use crate::flags::{FLAGS, Flag, Preset};
use regex_lite::Regex;
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

/// What an operator set, checked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    enabled: BTreeMap<String, bool>,
    values: BTreeMap<(String, String), Json>,
    patterns: BTreeMap<(String, String), Regex>,
}

/// What a collector looks at of a kind of thing: all but the excluded, or only the included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'o> {
    include: Option<&'o Regex>,
    exclude: Option<&'o Regex>,
}

impl Filter<'_> {
    /// Tells whether `name` is to be left out.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        self.exclude.is_some_and(|p| p.is_match(name)) || self.include.is_some_and(|p| !p.is_match(name))
    }
}

impl Options {
    /// Reads the config; all that is wrong at once.
    pub fn decode(config: &Json) -> Result<Options, Vec<Problem>> {
        let mut options = Options::default();
        let mut problems = Vec::new();
        let empty = serde_json::Map::new();
        let table = match config {
            Json::Object(table) => table,
            Json::Null => &empty,
            _ => return Err(vec![Problem::at("", "the config must be a table")]),
        };
        for (key, value) in table {
            match (key.as_str(), value) {
                ("enable" | "disable", Json::Array(names)) => {
                    for name in names {
                        options.switch(key, name, &mut problems);
                    }
                }
                ("enable" | "disable", _) => problems.push(Problem::at(key, "must be a list of collectors' names")),
                (_, Json::Object(flags)) => {
                    for (flag, value) in flags {
                        options.set(key, flag, value, &mut problems);
                    }
                }
                _ => problems.push(Problem::at(
                    key,
                    format!("unknown key; allowed are enable, disable and one table for each of {}", tables()),
                )),
            }
        }
        for flag in FLAGS {
            options.compile(flag, &mut problems);
        }
        if problems.is_empty() { Ok(options) } else { Err(problems) }
    }

    fn switch(&mut self, key: &str, name: &Json, problems: &mut Vec<Problem>) {
        match name.as_str() {
            Some(name) if known().iter().any(|c| c.name == name) => {
                self.enabled.insert(name.to_owned(), key == "enable");
            }
            _ => problems.push(Problem::at(key, format!("there is no collector {name}; there are: {}", names()))),
        }
    }

    fn set(&mut self, table: &str, name: &str, value: &Json, problems: &mut Vec<Problem>) {
        let path = format!("{table}.{name}");
        let Some(flag) = FLAGS.iter().find(|f| f.table == table && f.name == name) else {
            let allowed: Vec<&str> = FLAGS.iter().filter(|f| f.table == table).map(|f| f.name).collect();
            let allowed = if allowed.is_empty() {
                format!("no table of that name has keys; tables are {}", tables())
            } else {
                format!("allowed are {}", allowed.join(", "))
            };
            problems.push(Problem::at(path, format!("unknown key; {allowed}")));
            return;
        };
        let wanted = match (flag.default, value) {
            (Preset::Switch(_), Json::Bool(_)) | (Preset::Number(_), Json::Number(_)) => None,
            (Preset::Text(_) | Preset::Pattern(_), Json::String(_)) => None,
            (Preset::List, Json::String(_)) => None,
            (Preset::List, Json::Array(items)) if items.iter().all(Json::is_string) => None,
            (Preset::Switch(_), _) => Some("true or false"),
            (Preset::Number(_), _) => Some("a number"),
            (Preset::Text(_), _) => Some("a text"),
            (Preset::Pattern(_), _) => Some("a regular expression"),
            (Preset::List, _) => Some("a text or a list of texts"),
        };
        match wanted {
            Some(wanted) => problems.push(Problem::at(path, format!("is {value}; must be {wanted}"))),
            None => {
                self.values.insert((table.to_owned(), name.to_owned()), value.clone());
            }
        }
    }

    fn compile(&mut self, flag: &Flag, problems: &mut Vec<Problem>) {
        let Preset::Pattern(_) = flag.default else { return };
        let pattern = self.text(flag.table, flag.name).to_owned();
        if pattern.is_empty() {
            return;
        }
        match Regex::new(&pattern) {
            Ok(regex) => {
                self.patterns.insert((flag.table.to_owned(), flag.name.to_owned()), regex);
            }
            Err(e) => problems.push(Problem::at(
                format!("{}.{}", flag.table, flag.name),
                format!("`{pattern}` is no regular expression: {e}"),
            )),
        }
    }

    /// Tells whether a collector runs.
    pub fn enabled(&self, name: &str, default_on: bool) -> bool {
        self.enabled.get(name).copied().unwrap_or(default_on)
    }

    /// Tells whether the operator enabled a collector by name.
    pub(crate) fn asked_for(&self, name: &str) -> bool {
        self.enabled.get(name) == Some(&true)
    }

    fn value(&self, table: &str, name: &str) -> Option<&Json> {
        self.values.get(&(table.to_owned(), name.to_owned()))
    }

    fn preset(table: &str, name: &str) -> Preset {
        FLAGS.iter().find(|f| f.table == table && f.name == name).map_or(Preset::Text(""), |f| f.default)
    }

    /// Gives a text flag's value.
    pub(crate) fn text(&self, table: &str, name: &str) -> &str {
        match (self.value(table, name), Self::preset(table, name)) {
            (Some(Json::String(s)), _) => s,
            (_, Preset::Text(d) | Preset::Pattern(d)) => d,
            _ => "",
        }
    }

    /// Gives a switch's value.
    pub(crate) fn on(&self, table: &str, name: &str) -> bool {
        match (self.value(table, name), Self::preset(table, name)) {
            (Some(Json::Bool(b)), _) => *b,
            (_, Preset::Switch(d)) => d,
            _ => false,
        }
    }

    /// Gives a number flag's value.
    pub(crate) fn number(&self, table: &str, name: &str) -> f64 {
        match (self.value(table, name).and_then(Json::as_f64), Self::preset(table, name)) {
            (Some(v), _) => v,
            (None, Preset::Number(d)) => d,
            _ => 0.0,
        }
    }

    /// Gives the values of a flag that repeats.
    pub(crate) fn list(&self, table: &str, name: &str) -> Vec<&str> {
        match self.value(table, name) {
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(s)) => vec![s],
            _ => Vec::new(),
        }
    }

    /// Gives a pattern flag's expression; none where it is empty.
    pub(crate) fn pattern(&self, table: &str, name: &str) -> Option<&Regex> {
        self.patterns.get(&(table.to_owned(), name.to_owned()))
    }

    /// Gives the filter of two pattern flags.
    pub(crate) fn filter(&self, table: &str, include: &str, exclude: &str) -> Filter<'_> {
        Filter { include: self.pattern(table, include), exclude: self.pattern(table, exclude) }
    }
}

fn names() -> String {
    known().iter().map(|c| c.name).collect::<Vec<_>>().join(", ")
}

fn tables() -> String {
    let mut tables: Vec<&str> = FLAGS.iter().map(|f| f.table).collect();
    tables.sort_unstable();
    tables.dedup();
    tables.join(", ")
}

/// Makes the JSON schema of the config out of the tables of collectors and flags.
pub(crate) fn schema() -> String {
    let names: Vec<&str> = known().iter().map(|c| c.name).collect();
    let switch = |what: &str| serde_json::json!({"type": "array", "items": {"enum": names}, "description": what});
    let mut properties = serde_json::Map::new();
    properties.insert("enable".into(), switch("collectors to run that are off by default"));
    properties.insert("disable".into(), switch("collectors not to run"));
    for flag in FLAGS {
        let mut property = match flag.default {
            Preset::Switch(d) => serde_json::json!({"type": "boolean", "default": d}),
            Preset::Number(d) => serde_json::json!({"type": "number", "default": d}),
            Preset::Text(d) | Preset::Pattern(d) => serde_json::json!({"type": "string", "default": d}),
            Preset::List => serde_json::json!({"type": ["array", "string"], "items": {"type": "string"}}),
        };
        property["description"] = flag.help.into();
        let table = properties
            .entry(flag.table)
            .or_insert_with(|| serde_json::json!({"type": "object", "additionalProperties": false, "properties": {}}));
        table["properties"][flag.name] = property;
    }
    serde_json::json!({"type": "object", "additionalProperties": false, "properties": properties}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_have_their_defaults_and_can_be_set() {
        let o =
            Options::decode(&json!({"enable": ["processes"], "disable": ["arp"], "netdev": {"device-include": "lo"}}))
                .unwrap();
        assert!(o.enabled("processes", false) && !o.enabled("arp", true) && o.enabled("cpu", true));
        let f = o.filter("netdev", "device-include", "device-exclude");
        assert!(f.ignores("eth0") && !f.ignores("lo"));
        assert!(o.filter("diskstats", "device-include", "device-exclude").ignores("loop3"));
        assert_eq!(o.text("path", "procfs"), "/proc");
    }

    #[test]
    fn problems_name_their_place_and_what_is_allowed() {
        for (config, path, part) in [
            (json!({"enable": ["perf"]}), "enable", "there is no collector \"perf\""),
            (json!({"netdev": {"device-exlude": "x"}}), "netdev.device-exlude", "allowed are device-include"),
            (json!({"netdev": {"device-exclude": "("}}), "netdev.device-exclude", "no regular expression"),
            (json!({"netdev": {"netlink": "yes"}}), "netdev.netlink", "true or false"),
            (json!({"colour": 1}), "colour", "unknown key"),
            (json!([]), "", "must be a table"),
        ] {
            let p = Options::decode(&config).unwrap_err();
            assert!(p.iter().any(|p| p.path == path && p.message.contains(part)), "{config}: {p:?}");
        }
    }

    #[test]
    fn the_schema_is_json() {
        let schema: Json = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["properties"]["path"]["properties"]["procfs"]["default"], "/proc");
    }
}
