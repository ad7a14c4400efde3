//! Which secrets a plugin's configuration names. Naming one there is the operator's leave to read it.
//!
//! Three texts name a secret: `env:VARIABLE`, `file:PATH` and `secret:NAME`, the last being an entry of `[secrets]`. An option whose name ends in
//! `_file` or `-file`, as exporters' options with secrets do, names `file:PATH` by the path alone; so do the `files` of `http_headers`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use watchglass_plugin::Secret;

use super::schema::Collector;

/// Options that hold a secret in every configuration of Prometheus and its exporters: what stands there in plain is refused.
const SECRET_OPTIONS: [&str; 5] = ["password", "credentials", "client_secret", "bearer_token", "secrets"];

/// The names under which a plugin will ask for the secrets of its configuration.
pub(crate) fn references(config: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(config, "", &mut |option, text| {
        if let Some(name) = name(text) {
            found.insert(name.to_owned());
        } else if option.ends_with("_file") || option.ends_with("-file") || option == "files" {
            found.insert(format!("file:{text}"));
        }
    });
    found
}

/// The first option that has its secret in plain, if there is one.
pub(crate) fn in_plain(config: &Value) -> Option<String> {
    let mut found = None;
    visit(config, "", &mut |option, text| {
        if SECRET_OPTIONS.contains(&option) && !text.is_empty() && name(text).is_none() {
            found.get_or_insert_with(|| option.to_owned());
        }
    });
    found
}

/// What a collector's own options and its plugin's say, in one table.
pub(crate) fn as_json(collector: &Collector) -> Value {
    let own = collector.http_options().map(|(name, value)| (name.to_owned(), value.clone()));
    let all: toml::Table = collector.config.clone().into_iter().chain(own).collect();
    // TOML's values are JSON's but for dates, which become texts.
    serde_json::to_value(all).unwrap_or(Value::Null)
}

/// The secret that `env:VARIABLE` or `file:PATH` stands for; paths begin at `base`.
pub(crate) fn secret(reference: &str, base: &Path) -> Option<Secret> {
    match reference.split_once(':') {
        Some(("env", variable)) => Some(Secret::Env(variable.to_owned())),
        Some(("file", path)) => Some(Secret::File(base.join(path))),
        _ => None,
    }
}

fn name(text: &str) -> Option<&str> {
    match text.strip_prefix("secret:") {
        None if text.starts_with("env:") || text.starts_with("file:") => Some(text),
        name => name,
    }
}

/// Hands every text with the option that it stands under. The depth is bounded by what the TOML and JSON readers take.
fn visit(value: &Value, option: &str, found: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => found(option, text),
        Value::Array(list) => list.iter().for_each(|v| visit(v, option, found)),
        Value::Object(table) => table.iter().for_each(|(name, v)| visit(v, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_and_files_name_secrets() {
        let config = json!({
            "password": "env:PW", "user": "u", "tls-ca-cert-file": "ca.pem", "key_file": "file:k.pem",
            "basic_auth": {"password": "secret:db"}, "http_headers": {"X": {"files": ["/a", "/b"], "values": ["env"]}}, "port": 3,
        });
        let expected = ["db", "env:PW", "file:/a", "file:/b", "file:ca.pem", "file:k.pem"];
        assert_eq!(references(&config).into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(in_plain(&config), None);
    }

    #[test]
    fn a_secret_in_plain_is_found() {
        assert_eq!(in_plain(&json!({"authorization": {"credentials": "hunter2"}})).as_deref(), Some("credentials"));
        assert_eq!(in_plain(&json!({"http_headers": {"X": {"secrets": ["hunter2"]}}})).as_deref(), Some("secrets"));
        assert_eq!(in_plain(&json!({"password": ""})), None);
    }
}
