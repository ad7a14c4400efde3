//! Who we are and how to speak TLS, by the names of Prometheus' HTTP client configuration.

use serde::Deserialize;
use std::collections::BTreeMap;
use watchglass_sdk::config::{Secret, file_secret};
use watchglass_sdk::net;
use watchglass_sdk::prelude::*;

/// Name and password.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub username: String,
    /// A file with the user's name.
    pub username_file: Option<String>,
    /// The password: `env:NAME`, `file:PATH` or `secret:NAME`.
    pub password: Secret,
    /// A file with the password.
    pub password_file: Option<String>,
}

/// A token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// The scheme in front of it; empty: `Bearer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The token: `env:NAME`, `file:PATH` or `secret:NAME`.
    pub credentials: Secret,
    /// A file with the token.
    pub credentials_file: Option<String>,
}

/// A token that is fetched from a server of tokens by the client credentials grant (RFC 6749, section 4.4).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth2 {
    /// Our name there.
    pub client_id: String,
    /// Our password there: `env:NAME`, `file:PATH` or `secret:NAME`.
    pub client_secret: Secret,
    /// A file with our password there.
    pub client_secret_file: Option<String>,
    /// What the token is to be good for.
    pub scopes: Vec<String>,
    /// Where tokens are fetched.
    pub token_url: String,
    /// More parameters of that request.
    pub endpoint_params: BTreeMap<String, String>,
    /// How to speak TLS there.
    pub tls_config: TlsConfig,
    /// A proxy on the way there.
    pub proxy_url: Option<String>,
}

/// The values of one header.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// As they are.
    pub values: Vec<String>,
    /// Secrets: `env:NAME`, `file:PATH` or `secret:NAME`.
    pub secrets: Vec<Secret>,
    /// Files with values.
    pub files: Vec<String>,
}

/// How to speak TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The trusted certificates (PEM), named as a secret; none: the machine's.
    pub ca: Option<String>,
    /// A file with the trusted certificates.
    pub ca_file: Option<String>,
    /// Our own certificate (PEM), named as a secret.
    pub cert: Option<String>,
    /// A file with our own certificate.
    pub cert_file: Option<String>,
    /// Its key (PEM), named as a secret.
    pub key: Option<String>,
    /// A file with its key.
    pub key_file: Option<String>,
    /// The name that the certificate must have.
    pub server_name: Option<String>,
    /// Whether to take any certificate.
    pub insecure_skip_verify: bool,
    /// The oldest TLS to speak: `TLS12` or `TLS13`.
    pub min_version: Option<String>,
    /// The newest TLS to speak.
    pub max_version: Option<String>,
}

/// A secret that one of two options names: its value, or the file it is in.
pub(crate) fn one_of(value: &Secret, file: &Option<String>) -> Secret {
    file.as_deref().map_or_else(|| value.clone(), |f| Secret::new(file_secret(f)))
}

impl BasicAuth {
    /// The user's name, as it stands or out of its file.
    pub(crate) fn user(&self) -> Result<String, Error> {
        match &self.username_file {
            Some(file) => Secret::new(file_secret(file)).reveal(),
            None => Ok(self.username.clone()),
        }
    }

    pub(crate) fn secret(&self) -> Secret {
        one_of(&self.password, &self.password_file)
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        both(problems, "basic_auth.password", !self.password.is_empty(), &self.password_file);
        both(problems, "basic_auth.username", !self.username.is_empty(), &self.username_file);
    }
}

impl Authorization {
    pub(crate) fn kind(&self) -> &str {
        if self.kind.is_empty() { "Bearer" } else { &self.kind }
    }

    pub(crate) fn secret(&self) -> Secret {
        one_of(&self.credentials, &self.credentials_file)
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        both(problems, "authorization.credentials", !self.credentials.is_empty(), &self.credentials_file);
        if self.kind.eq_ignore_ascii_case("basic") {
            problems.push(Problem::at("authorization.type", "`Basic` is not for here; hint: use basic_auth"));
        }
    }
}

impl OAuth2 {
    pub(crate) fn secret(&self) -> Secret {
        one_of(&self.client_secret, &self.client_secret_file)
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        both(problems, "oauth2.client_secret", !self.client_secret.is_empty(), &self.client_secret_file);
        for (name, value) in [("client_id", &self.client_id), ("token_url", &self.token_url)] {
            if value.is_empty() {
                problems.push(Problem::at(format!("oauth2.{name}"), "must be set"));
            }
        }
        self.tls_config.check("oauth2.tls_config", problems);
    }
}

impl TlsConfig {
    /// What the host is asked for; none where nothing is set.
    pub(crate) fn options(&self) -> Option<net::TlsOptions> {
        let named = |value: &Option<String>, file: &Option<String>| {
            file.as_deref().map(file_secret).or_else(|| value.as_deref().map(file_secret))
        };
        let options = net::TlsOptions {
            server_name: self.server_name.clone(),
            verify: !self.insecure_skip_verify,
            ca: named(&self.ca, &self.ca_file),
            client_identity: named(&self.cert, &self.cert_file),
            client_key: named(&self.key, &self.key_file),
            min_version: self.min_version.as_deref().and_then(tls_version),
            max_version: self.max_version.as_deref().and_then(tls_version),
            ..net::tls_options()
        };
        let set = options.server_name.is_some()
            || !options.verify
            || options.ca.is_some()
            || options.client_identity.is_some()
            || options.min_version.is_some()
            || options.max_version.is_some();
        set.then_some(options)
    }

    pub(crate) fn check(&self, place: &str, problems: &mut Vec<Problem>) {
        for (name, value, file) in
            [("ca", &self.ca, &self.ca_file), ("cert", &self.cert, &self.cert_file), ("key", &self.key, &self.key_file)]
        {
            both(problems, &format!("{place}.{name}"), value.is_some(), file);
        }
        let cert = self.cert.is_some() || self.cert_file.is_some();
        if !cert && (self.key.is_some() || self.key_file.is_some()) {
            problems.push(Problem::at(place, "a key without its certificate; hint: set cert_file too"));
        }
        for (name, version) in [("min_version", &self.min_version), ("max_version", &self.max_version)] {
            if let Some(v) = version.as_ref().filter(|v| tls_version(v).is_none()) {
                problems.push(Problem::at(
                    format!("{place}.{name}"),
                    format!("`{v}` is not known; allowed are TLS12 and TLS13"),
                ));
            }
        }
    }
}

fn both(problems: &mut Vec<Problem>, place: &str, value: bool, file: &Option<String>) {
    if value && file.is_some() {
        let name = place.rsplit('.').next().unwrap_or(place);
        problems.push(Problem::at(place, format!("at most one of {name} and {name}_file may be set")));
    }
}

/// Checks all that says who we are.
pub(crate) fn check(config: &crate::Config, problems: &mut Vec<Problem>) {
    let ways = [
        config.basic_auth.is_some(),
        config.authorization.is_some(),
        config.oauth2.is_some(),
        config.bearer_token.is_some() || config.bearer_token_file.is_some(),
    ];
    if ways.iter().filter(|set| **set).count() > 1 {
        problems.push(Problem::at(
            "",
            "at most one of basic_auth, authorization, oauth2, bearer_token and bearer_token_file may be set",
        ));
    }
    if let Some(basic) = &config.basic_auth {
        basic.check(problems);
    }
    if let Some(authorization) = &config.authorization {
        authorization.check(problems);
    }
    if let Some(oauth2) = &config.oauth2 {
        oauth2.check(problems);
    }
    config.tls_config.check("tls_config", problems);
}

/// Prometheus writes `TLS12`, the contract `1.2`.
pub(crate) fn tls_version(prometheus: &str) -> Option<String> {
    match prometheus {
        "TLS12" => Some("1.2".to_owned()),
        "TLS13" => Some("1.3".to_owned()),
        _ => None,
    }
}
