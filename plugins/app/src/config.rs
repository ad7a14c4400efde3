//! The options, by the names that Prometheus gives them in a scrape_config.

use serde::Deserialize;
use std::collections::BTreeMap;
use watchglass_sdk::config::Secret;
use watchglass_sdk::prelude::*;

/// What an operator may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `http` or `https`; a target's `__scheme__` label wins.
    pub scheme: String,
    /// Path of the endpoint; a target's `__metrics_path__` label wins.
    pub metrics_path: String,
    /// Query parameters; a target's `__param_NAME` label replaces the first value of one.
    pub params: BTreeMap<String, OneOrMany>,
    /// More headers.
    pub headers: BTreeMap<String, Secret>,
    /// Name and password.
    pub basic_auth: Option<BasicAuth>,
    /// A token.
    pub authorization: Option<Authorization>,
    /// A token, the older way.
    pub bearer_token: Option<Secret>,
    /// How to speak TLS.
    pub tls_config: TlsConfig,
    /// Whether to follow redirects.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be used.
    pub enable_http2: bool,
    /// Whether to ask for a compressed answer.
    pub enable_compression: bool,
    /// An HTTP proxy.
    pub proxy_url: Option<String>,
    /// Formats to ask for, the best first; empty: Prometheus' own order.
    pub scrape_protocols: Vec<Protocol>,
    /// Ask for protobuf first, which carries native histograms.
    pub scrape_native_histograms: bool,
    /// What to take an answer for whose Content-Type says nothing we know.
    pub fallback_scrape_protocol: Option<Protocol>,
    /// The longest answer in bytes after decompression; 0: the host's own limit.
    pub body_size_limit: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            scheme: "http".to_owned(),
            metrics_path: "/metrics".to_owned(),
            params: BTreeMap::new(),
            headers: BTreeMap::new(),
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            enable_compression: true,
            proxy_url: None,
            scrape_protocols: Vec::new(),
            scrape_native_histograms: false,
            fallback_scrape_protocol: None,
            body_size_limit: 0,
        }
    }
}

/// A value, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Gives the values.
    pub fn values(&self) -> &[String] {
        match self {
            OneOrMany::One(v) => std::slice::from_ref(v),
            OneOrMany::Many(vs) => vs,
        }
    }
}

/// Name and password.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    #[serde(default)]
    pub username: String,
    /// The password, usually `env:NAME` or `file:PATH`.
    #[serde(default)]
    pub password: Secret,
}

/// A token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// The scheme in front of it.
    #[serde(rename = "type", default = "bearer")]
    pub kind: String,
    /// The token, usually `env:NAME` or `file:PATH`.
    pub credentials: Secret,
}

fn bearer() -> String {
    "Bearer".to_owned()
}

/// How to speak TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Name of the secret with the trusted certificates (PEM); none: the machine's.
    pub ca: Option<String>,
    /// Name of the secret with our own certificate and its key (PEM).
    pub client_identity: Option<String>,
    /// The name that the certificate must have.
    pub server_name: Option<String>,
    /// Whether to take any certificate.
    pub insecure_skip_verify: bool,
    /// The oldest TLS to speak: `TLS12` or `TLS13`.
    pub min_version: Option<String>,
    /// The newest TLS to speak.
    pub max_version: Option<String>,
}

/// An exposition format, by the name it has in a scrape_config.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf.
    PrometheusProto,
    /// Text 0.0.4.
    #[serde(rename = "PrometheusText0.0.4")]
    PrometheusText004,
    /// Text 1.0.0: names may be any UTF-8.
    #[serde(rename = "PrometheusText1.0.0")]
    PrometheusText100,
    /// OpenMetrics 0.0.1.
    #[serde(rename = "OpenMetricsText0.0.1")]
    OpenMetricsText001,
    /// OpenMetrics 1.0.0.
    #[serde(rename = "OpenMetricsText1.0.0")]
    OpenMetricsText100,
}

impl Config {
    /// Reads the config; all that is wrong at once.
    pub fn decode(json: &Json) -> Result<Config, Vec<Problem>> {
        let c: Config = config::decode(json)?;
        let mut problems = Vec::new();
        if !matches!(c.scheme.as_str(), "http" | "https") {
            problems.push(Problem::at("scheme", format!("`{}` is no scheme; allowed are http and https", c.scheme)));
        }
        if [c.basic_auth.is_some(), c.authorization.is_some(), c.bearer_token.is_some()].iter().filter(|b| **b).count()
            > 1
        {
            problems.push(Problem::at("", "at most one of basic_auth, authorization and bearer_token may be set"));
        }
        if c.authorization.as_ref().is_some_and(|a| a.kind.eq_ignore_ascii_case("basic")) {
            problems.push(Problem::at("authorization.type", "`Basic` is not for here; hint: use basic_auth"));
        }
        for (place, version) in [("min_version", &c.tls_config.min_version), ("max_version", &c.tls_config.max_version)]
        {
            if let Some(v) = version.as_ref().filter(|v| tls_version(v).is_none()) {
                problems.push(Problem::at(
                    format!("tls_config.{place}"),
                    format!("`{v}` is not known; allowed are TLS12 and TLS13"),
                ));
            }
        }
        if problems.is_empty() { Ok(c) } else { Err(problems) }
    }
}

/// Prometheus writes `TLS12`, the contract `1.2`.
pub(crate) fn tls_version(prometheus: &str) -> Option<String> {
    match prometheus {
        "TLS12" => Some("1.2".to_owned()),
        "TLS13" => Some("1.3".to_owned()),
        _ => None,
    }
}

/// The JSON schema of [`Config`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "scheme": {"enum": ["http", "https"], "default": "http"},
    "metrics_path": {"type": "string", "default": "/metrics"},
    "params": {"type": "object", "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}}},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "basic_auth": {"type": "object", "additionalProperties": false,
      "properties": {"username": {"type": "string"}, "password": {"type": "string", "description": "env:NAME or file:PATH"}}},
    "authorization": {"type": "object", "additionalProperties": false, "required": ["credentials"],
      "properties": {"type": {"type": "string", "default": "Bearer"}, "credentials": {"type": "string", "description": "env:NAME or file:PATH"}}},
    "bearer_token": {"type": "string", "description": "env:NAME or file:PATH"},
    "tls_config": {"type": "object", "additionalProperties": false, "properties": {
      "ca": {"type": "string", "description": "name of a secret (PEM)"}, "client_identity": {"type": "string", "description": "name of a secret (PEM)"},
      "server_name": {"type": "string"}, "insecure_skip_verify": {"type": "boolean"},
      "min_version": {"enum": ["TLS12", "TLS13"]}, "max_version": {"enum": ["TLS12", "TLS13"]}}},
    "follow_redirects": {"type": "boolean", "default": true},
    "enable_http2": {"type": "boolean", "default": true},
    "enable_compression": {"type": "boolean", "default": true},
    "proxy_url": {"type": "string"},
    "scrape_protocols": {"type": "array", "items": {"enum": ["PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0"]}},
    "scrape_native_histograms": {"type": "boolean", "default": false},
    "fallback_scrape_protocol": {"enum": ["PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0"]},
    "body_size_limit": {"type": "integer", "minimum": 0, "maximum": 4294967295}
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_name_their_place() {
        for (config, path, part) in [
            (json!({"scheme": "ftp"}), "scheme", "allowed are http and https"),
            (json!({"metrics_pat": "/m"}), "metrics_pat", "unknown field"),
            (json!({"basic_auth": {}, "bearer_token": "x"}), "", "at most one of"),
            (json!({"authorization": {"type": "Basic", "credentials": "x"}}), "authorization.type", "use basic_auth"),
            (json!({"tls_config": {"min_version": "SSL3"}}), "tls_config.min_version", "TLS12 and TLS13"),
            (json!({"scrape_protocols": ["Nonsense"]}), "scrape_protocols[0]", "unknown variant"),
        ] {
            let problems = Config::decode(&config).unwrap_err();
            assert!(problems.iter().any(|p| p.path == path && p.message.contains(part)), "{config}: {problems:?}");
        }
    }

    #[test]
    fn the_schema_is_json_and_names_every_option() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        for (name, _) in properties {
            // An option that the type does not know would be refused as unknown, not as having a wrong type.
            let problems = Config::decode(&json!({name: {"wrong": 1}}));
            if let Err(p) = problems {
                assert!(!p[0].message.contains("unknown field") || p[0].path.contains('.'), "{name}: {p:?}");
            }
        }
        assert_eq!(properties.len(), 16);
    }
}
