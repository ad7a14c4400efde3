//! Reading a plugin's config.

use crate::{Error, Json, Problem, secrets};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Turns the config into a type; a fault names the place in it.
///
/// ```
/// #[derive(serde::Deserialize)]
/// #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
/// struct Config { max_keys: u32 }
/// impl Default for Config { fn default() -> Self { Config { max_keys: 100 } } }
///
/// let json = serde_json::json!({ "max-keys": "many" });
/// let problems = watchglass_sdk::config::decode::<Config>(&json).err().unwrap();
/// assert_eq!(problems[0].path, "max-keys");
/// ```
pub fn decode<T: DeserializeOwned>(config: &Json) -> Result<T, Vec<Problem>> {
    serde_path_to_error::deserialize(config).map_err(|e| {
        let path = e.path().to_string();
        let path = if path == "." { String::new() } else { path };
        vec![Problem::at(path, e.into_inner().to_string())]
    })
}

/// Reads the config's text; an empty one is an empty table.
pub(crate) fn parse(text: &str) -> Result<Json, Vec<Problem>> {
    if text.trim().is_empty() {
        return Ok(Json::Object(serde_json::Map::new()));
    }
    serde_json::from_str(text).map_err(|e| vec![Problem::at("", format!("the config is not valid JSON: {e}"))])
}

/// A value of the config that must not be seen: `env:NAME` or `file:PATH` (asked of the host, granted by `secret:...`) or the text itself.
///
/// It prints as `<secret>`, so that it can't slip into a log.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Makes a secret from a value as the config has it.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// Tells whether nothing was configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the name to ask the host for, where the config only names the secret: the host can then use it unseen by the plugin.
    pub fn name(&self) -> Option<&str> {
        match self.0.strip_prefix("secret:") {
            None if self.0.starts_with("env:") || self.0.starts_with("file:") => Some(&self.0),
            name => name,
        }
    }

    /// Gives the secret's text, asking the host where the config only names it.
    pub fn reveal(&self) -> Result<String, Error> {
        match self.name() {
            Some(name) => secrets::get(name),
            None => Ok(self.0.clone()),
        }
    }
}

/// Gives the name to ask the host for where an option is a file by its exporter's name (`ca_file`, `tls-ca-cert-file`): a path stands for
/// `file:PATH`, which the host registers for such options; a value that names a secret already stays what it is.
pub fn file_secret(value: &str) -> String {
    match Secret::new(value).name() {
        Some(name) => name.to_owned(),
        None => format!("file:{value}"),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its decoding is looked at")]
        inner: Inner,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its decoding is looked at")]
        list: Vec<u8>,
    }

    #[test]
    fn a_fault_names_its_place() {
        let e = decode::<Outer>(&serde_json::json!({"inner": {"list": [1, 300]}})).unwrap_err();
        assert_eq!(e[0].path, "inner.list[1]");
        let e = decode::<Outer>(&serde_json::json!({"inner": {"lisd": []}})).unwrap_err();
        assert!(e[0].message.contains("unknown field `lisd`"), "{e:?}");
    }

    #[test]
    fn an_empty_config_is_an_empty_table_and_junk_a_problem() {
        assert_eq!(parse(" ").unwrap(), serde_json::json!({}));
        assert!(parse("{").unwrap_err()[0].message.contains("not valid JSON"));
    }

    #[test]
    fn a_file_is_a_secret_under_its_path() {
        for (value, name) in [("/etc/ca.pem", "file:/etc/ca.pem"), ("file:ca.pem", "file:ca.pem"), ("secret:ca", "ca")]
        {
            assert_eq!(file_secret(value), name);
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "<secret>");
        assert_eq!(Secret::new("hunter2").reveal().unwrap(), "hunter2");
    }
}
