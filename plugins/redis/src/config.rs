//! The options, by the names of redis_exporter's flags.

use serde::Deserialize;
use watchglass_sdk::config::Secret;
use watchglass_sdk::prelude::*;

/// What an operator may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// User of the access control list (Redis 6); empty: the default user.
    pub user: String,
    /// Password, usually `env:NAME` or `file:PATH`; empty: none.
    pub password: Secret,
    /// Whether to speak TLS; a target that begins with `rediss://` does.
    pub tls: bool,
    /// Whether to take any certificate.
    pub skip_tls_verification: bool,
    /// File with the trusted certificates (PEM); none: the machine's.
    pub tls_ca_cert_file: Option<String>,
    /// File with our own certificate (PEM).
    pub tls_client_cert_file: Option<String>,
    /// File with its key (PEM); none: it stands with the certificate.
    pub tls_client_key_file: Option<String>,
    /// The name that the certificate must have; none: the target's host.
    pub tls_server_name: Option<String>,
    /// What metric names begin with.
    pub namespace: String,
    /// What to say instead of CONFIG, where it was renamed; `-`: do not ask.
    pub config_command: String,
    /// Whether every number of CONFIG becomes a metric.
    pub include_config_metrics: bool,
    /// Whether `total_system_memory_bytes` is shown.
    pub include_system_metrics: bool,
    /// Leave out the histograms of command latencies.
    pub exclude_latency_histogram_metrics: bool,
    /// Send PING when a connection is opened.
    pub ping_on_connect: bool,
    /// Name the connection in CLIENT LIST.
    pub set_client_name: bool,
    /// Keys to show, `dbN=KEY` or `KEY`: size, and value where it is a number.
    pub check_single_keys: Vec<String>,
    /// Patterns of keys to count, `dbN=PATTERN` or `PATTERN`.
    pub count_keys: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            user: String::new(),
            password: Secret::default(),
            tls: false,
            skip_tls_verification: false,
            tls_ca_cert_file: None,
            tls_client_cert_file: None,
            tls_client_key_file: None,
            tls_server_name: None,
            namespace: "redis".to_owned(),
            config_command: "CONFIG".to_owned(),
            include_config_metrics: false,
            include_system_metrics: true,
            exclude_latency_histogram_metrics: false,
            ping_on_connect: false,
            set_client_name: true,
            check_single_keys: Vec::new(),
            count_keys: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the config; all that is wrong at once.
    pub fn decode(json: &Json) -> Result<Config, Vec<Problem>> {
        let c: Config = config::decode(json)?;
        let mut problems = Vec::new();
        if !c.namespace.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '_') {
            problems.push(Problem::at("namespace", format!("`{}` may have letters, digits and _ only", c.namespace)));
        }
        for (place, keys) in [("check-single-keys", &c.check_single_keys), ("count-keys", &c.count_keys)] {
            for key in keys.iter().filter(|k| split_db(k).is_none()) {
                problems.push(Problem::at(place, format!("`{key}`: allowed is dbN=KEY or KEY")));
            }
        }
        if problems.is_empty() { Ok(c) } else { Err(problems) }
    }
}

/// Splits `db3=some:key` into 3 and the key; without a number it is database 0.
pub(crate) fn split_db(text: &str) -> Option<(u32, &str)> {
    let Some((db, key)) = text.split_once('=') else { return (!text.is_empty()).then_some((0, text)) };
    let db = db.strip_prefix("db").unwrap_or(db).parse().ok()?;
    (!key.is_empty()).then_some((db, key))
}

/// The JSON schema of [`Config`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "user": {"type": "string"},
    "password": {"type": "string", "description": "env:NAME or file:PATH"},
    "tls": {"type": "boolean", "default": false},
    "skip-tls-verification": {"type": "boolean", "default": false},
    "tls-ca-cert-file": {"type": "string", "description": "PEM"},
    "tls-client-cert-file": {"type": "string", "description": "PEM"},
    "tls-client-key-file": {"type": "string", "description": "PEM"},
    "tls-server-name": {"type": "string"},
    "namespace": {"type": "string", "default": "redis"},
    "config-command": {"type": "string", "default": "CONFIG", "description": "- asks for no config"},
    "include-config-metrics": {"type": "boolean", "default": false},
    "include-system-metrics": {"type": "boolean", "default": true},
    "exclude-latency-histogram-metrics": {"type": "boolean", "default": false},
    "ping-on-connect": {"type": "boolean", "default": false},
    "set-client-name": {"type": "boolean", "default": true},
    "check-single-keys": {"type": "array", "items": {"type": "string"}, "description": "dbN=KEY or KEY"},
    "count-keys": {"type": "array", "items": {"type": "string"}, "description": "dbN=PATTERN or PATTERN"}
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_name_their_place() {
        for (config, path) in [
            (json!({"namespace": "a-b"}), "namespace"),
            (json!({"check-single-keys": ["dbx=k"]}), "check-single-keys"),
            (json!({"passwort": "x"}), "passwort"),
        ] {
            let problems = Config::decode(&config).unwrap_err();
            assert_eq!(problems[0].path, path);
        }
    }

    #[test]
    fn databases_split_off_keys() {
        assert_eq!(split_db("db3=a=b"), Some((3, "a=b")));
        assert_eq!(split_db("3=k"), Some((3, "k")));
        assert_eq!(split_db("k"), Some((0, "k")));
        assert_eq!((split_db(""), split_db("db1="), split_db("dbx=k")), (None, None, None));
    }

    #[test]
    fn the_schema_is_json() {
        serde_json::from_str::<serde_json::Value>(SCHEMA).unwrap();
    }
}
