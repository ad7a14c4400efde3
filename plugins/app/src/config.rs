//! The options, by the names that Prometheus gives them in a scrape_config.

use crate::client::{self, Authorization, BasicAuth, Header, OAuth2, TlsConfig};
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
    pub http_headers: BTreeMap<String, Header>,
    /// Name and password.
    pub basic_auth: Option<BasicAuth>,
    /// A token.
    pub authorization: Option<Authorization>,
    /// A token that is fetched.
    pub oauth2: Option<OAuth2>,
    /// A token, the older way.
    pub bearer_token: Option<Secret>,
    /// A file with a token, the older way.
    pub bearer_token_file: Option<String>,
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
    /// Hosts that are asked without it.
    pub no_proxy: String,
    /// Headers for the proxy.
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
    /// Formats to ask for, the best first; empty: Prometheus' own order.
    pub scrape_protocols: Vec<Protocol>,
    /// Ask for protobuf first, which carries native histograms.
    pub scrape_native_histograms: bool,
    /// What to take an answer for whose Content-Type says nothing we know.
    pub fallback_scrape_protocol: Option<Protocol>,
    /// How names that are not Prometheus' old ones are to be written, in the word of the Accept header.
    pub metric_name_escaping_scheme: Option<Escaping>,
    /// The longest answer after decompression, bytes or a text with a unit (`10MB`); 0: the host's own limit.
    pub body_size_limit: Size,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            scheme: "http".to_owned(),
            metrics_path: "/metrics".to_owned(),
            params: BTreeMap::new(),
            http_headers: BTreeMap::new(),
            basic_auth: None,
            authorization: None,
            oauth2: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            enable_compression: true,
            proxy_url: None,
            no_proxy: String::new(),
            proxy_connect_header: BTreeMap::new(),
            scrape_protocols: Vec::new(),
            scrape_native_histograms: false,
            fallback_scrape_protocol: None,
            metric_name_escaping_scheme: None,
            body_size_limit: Size(0),
        }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(
    /// Bytes.
    pub u32,
);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u32),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(n) => Ok(Size(n)),
            Written::Text(text) => parse_size(&text).map(Size).ok_or_else(|| {
                serde::de::Error::custom(format!("`{text}` is no size up to 4 GiB; write it like 500KB or 10MB"))
            }),
        }
    }
}

/// Reads `10MB`: units are powers of 1,024 whether they are written with an `i` or not, as in Prometheus.
fn parse_size(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "B" => 1u64,
        "KB" | "KiB" | "K" => 1 << 10,
        "MB" | "MiB" | "M" => 1 << 20,
        "GB" | "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes <= f64::from(u32::MAX)).then_some(bytes as u32)
}

/// How names that are not Prometheus' old ones are written: `escaping=` of the content type.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Escaping {
    /// As they are.
    AllowUtf8,
    /// What is not allowed becomes `_`.
    Underscores,
    /// Dots become `_dot_`, underscores double.
    Dots,
    /// `U__` and code points.
    Values,
}

impl Escaping {
    /// The word in the content type.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
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
        client::check(&c, &mut problems);
        if problems.is_empty() { Ok(c) } else { Err(problems) }
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
    "http_headers": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": false, "properties": {
      "values": {"type": "array", "items": {"type": "string"}}, "secrets": {"type": "array", "items": {"type": "string"}},
      "files": {"type": "array", "items": {"type": "string"}}}}},
    "basic_auth": {"type": "object", "additionalProperties": false, "properties": {
      "username": {"type": "string"}, "username_file": {"type": "string"},
      "password": {"type": "string", "description": "env:NAME, file:PATH or secret:NAME"}, "password_file": {"type": "string"}}},
    "authorization": {"type": "object", "additionalProperties": false, "properties": {
      "type": {"type": "string", "default": "Bearer"},
      "credentials": {"type": "string", "description": "env:NAME, file:PATH or secret:NAME"}, "credentials_file": {"type": "string"}}},
    "oauth2": {"type": "object", "additionalProperties": false, "required": ["client_id", "token_url"], "properties": {
      "client_id": {"type": "string"},
      "client_secret": {"type": "string", "description": "env:NAME, file:PATH or secret:NAME"}, "client_secret_file": {"type": "string"},
      "scopes": {"type": "array", "items": {"type": "string"}}, "token_url": {"type": "string"},
      "endpoint_params": {"type": "object", "additionalProperties": {"type": "string"}},
      "tls_config": {"type": "object", "additionalProperties": false, "properties": {
      "ca": {"type": "string"}, "ca_file": {"type": "string"}, "cert": {"type": "string"}, "cert_file": {"type": "string"},
      "key": {"type": "string"}, "key_file": {"type": "string"}, "server_name": {"type": "string"}, "insecure_skip_verify": {"type": "boolean"},
      "min_version": {"enum": ["TLS12", "TLS13"]}, "max_version": {"enum": ["TLS12", "TLS13"]}}}, "proxy_url": {"type": "string"}}},
    "bearer_token": {"type": "string", "description": "env:NAME, file:PATH or secret:NAME"},
    "bearer_token_file": {"type": "string"},
    "tls_config": {"type": "object", "additionalProperties": false, "properties": {
      "ca": {"type": "string"}, "ca_file": {"type": "string"}, "cert": {"type": "string"}, "cert_file": {"type": "string"},
      "key": {"type": "string"}, "key_file": {"type": "string"}, "server_name": {"type": "string"}, "insecure_skip_verify": {"type": "boolean"},
      "min_version": {"enum": ["TLS12", "TLS13"]}, "max_version": {"enum": ["TLS12", "TLS13"]}}},
    "follow_redirects": {"type": "boolean", "default": true},
    "enable_http2": {"type": "boolean", "default": true},
    "enable_compression": {"type": "boolean", "default": true},
    "proxy_url": {"type": "string"},
    "no_proxy": {"type": "string"},
    "proxy_connect_header": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    "scrape_protocols": {"type": "array", "items": {"enum": ["PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0"]}},
    "scrape_native_histograms": {"type": "boolean", "default": false},
    "fallback_scrape_protocol": {"enum": ["PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0"]},
    "metric_name_escaping_scheme": {"enum": ["allow-utf-8", "underscores", "dots", "values"], "default": "allow-utf-8"},
    "body_size_limit": {"type": ["integer", "string"], "minimum": 0, "maximum": 4294967295, "description": "bytes, or like 10MB"}
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
            (json!({"body_size_limit": "10 apples"}), "body_size_limit", "like 500KB"),
            (
                json!({"basic_auth": {"password": "env:A", "password_file": "/p"}}),
                "basic_auth.password",
                "at most one of",
            ),
            (json!({"tls_config": {"key_file": "/k"}}), "tls_config", "without its certificate"),
            (json!({"oauth2": {"client_id": "a"}}), "oauth2.token_url", "must be set"),
        ] {
            let problems = Config::decode(&config).unwrap_err();
            assert!(problems.iter().any(|p| p.path == path && p.message.contains(part)), "{config}: {problems:?}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("10MB", Some(10 << 20)),
            ("1.5KiB", Some(1536)),
            ("3GB", Some(3 << 30)),
            ("9GB", None),
            ("1TB", None),
            ("x", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
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
        assert_eq!(properties.len(), 21);
    }
}
