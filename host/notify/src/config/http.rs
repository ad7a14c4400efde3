//! `http_config`: how requests are made.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::{HttpUrl, Secret, at_most_one};

/// How requests are made: `http_config`, with all keys of Prometheus' HTTP client.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// User and password.
    pub basic_auth: Option<BasicAuth>,
    /// An `Authorization` header.
    pub authorization: Option<Authorization>,
    /// OAuth 2 client credentials.
    pub oauth2: Option<OAuth2>,
    /// Older way to write an `Authorization: Bearer` header.
    pub bearer_token: Secret,
    /// A file that holds it.
    pub bearer_token_file: String,
    /// TLS.
    pub tls_config: TlsConfig,
    /// Whether to follow redirects; default yes.
    pub follow_redirects: bool,
    /// Whether to offer HTTP/2; default yes.
    pub enable_http2: bool,
    /// Proxy; empty: none.
    pub proxy_url: String,
    /// Hosts that need none, as in the variable `NO_PROXY`.
    pub no_proxy: String,
    /// Whether to take the proxy from `HTTP_PROXY` and its kin.
    pub proxy_from_environment: bool,
    /// Headers for the proxy itself.
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
    /// Further headers.
    pub http_headers: BTreeMap<String, HeaderValues>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            bearer_token: Secret::default(),
            bearer_token_file: String::new(),
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy_url: String::new(),
            no_proxy: String::new(),
            proxy_from_environment: false,
            proxy_connect_header: BTreeMap::new(),
            http_headers: BTreeMap::new(),
        }
    }
}

/// `basic_auth`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// User.
    pub username: String,
    /// A file that holds it.
    pub username_file: String,
    /// A name in a secret manager; parsed only.
    pub username_ref: String,
    /// Password.
    pub password: Secret,
    /// A file that holds it.
    pub password_file: String,
    /// A name in a secret manager; parsed only.
    pub password_ref: String,
}

/// `authorization`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// Scheme; empty: `Bearer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What follows it.
    pub credentials: Secret,
    /// A file that holds that.
    pub credentials_file: String,
    /// A name in a secret manager; parsed only.
    pub credentials_ref: String,
}

/// `oauth2`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth2 {
    /// Client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// A file that holds it.
    pub client_secret_file: String,
    /// A name in a secret manager; parsed only.
    pub client_secret_ref: String,
    /// Key to sign an assertion with, for the grant type `urn:ietf:params:oauth:grant-type:jwt-bearer`.
    pub client_certificate_key: Secret,
    /// A file that holds it.
    pub client_certificate_key_file: String,
    /// A name in a secret manager; parsed only.
    pub client_certificate_key_ref: String,
    /// The key's id.
    pub client_certificate_key_id: String,
    /// How the assertion is signed.
    pub signature_algorithm: String,
    /// The assertion's issuer.
    pub iss: String,
    /// The assertion's audience.
    pub audience: String,
    /// The assertion's further claims.
    pub claims: BTreeMap<String, serde_json::Value>,
    /// Grant type; empty: `client_credentials`.
    pub grant_type: String,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Where tokens are asked for.
    pub token_url: String,
    /// Further parameters of that request.
    pub endpoint_params: BTreeMap<String, String>,
    /// TLS of that request.
    pub tls_config: TlsConfig,
    /// Proxy of that request.
    pub proxy_url: String,
    /// Hosts that need none.
    pub no_proxy: String,
    /// Whether to take the proxy from the environment.
    pub proxy_from_environment: bool,
    /// Headers for the proxy itself.
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

/// `tls_config`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Authorities to trust in place of the system's, PEM.
    pub ca: String,
    /// A file that holds them.
    pub ca_file: String,
    /// A name in a secret manager; parsed only.
    pub ca_ref: String,
    /// Client certificate, PEM.
    pub cert: String,
    /// A file that holds it.
    pub cert_file: String,
    /// A name in a secret manager; parsed only.
    pub cert_ref: String,
    /// Its key, PEM.
    pub key: Secret,
    /// A file that holds it.
    pub key_file: String,
    /// A name in a secret manager; parsed only.
    pub key_ref: String,
    /// Name to check the server's certificate against, in place of the host's.
    pub server_name: String,
    /// Whether to trust any certificate.
    pub insecure_skip_verify: bool,
    /// Least TLS version: `TLS10` to `TLS13`; empty: the library's default.
    pub min_version: String,
    /// Greatest TLS version.
    pub max_version: String,
}

/// Values of one header: all of the three together.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderValues {
    /// Values.
    pub values: Vec<String>,
    /// Values that must not show up.
    pub secrets: Vec<Secret>,
    /// Files that hold values.
    pub files: Vec<String>,
}

/// Headers that the client itself sets.
const RESERVED_HEADERS: [&str; 13] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Scrape-Timeout-Seconds",
];

impl HttpConfig {
    /// Whether requests carry an `Authorization` header of another kind than user and password.
    pub fn has_authorization(&self) -> bool {
        self.authorization.is_some() || !self.bearer_token.is_empty() || !self.bearer_token_file.is_empty()
    }

    /// Checks what amtool checks, in its words; and turns `bearer_token` into `authorization`.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        let bearer = !self.bearer_token.is_empty() || !self.bearer_token_file.is_empty();
        at_most_one(
            "bearer_token & bearer_token_file",
            &[!self.bearer_token.is_empty(), !self.bearer_token_file.is_empty()],
        )?;
        if bearer && (self.basic_auth.is_some() || self.oauth2.is_some()) {
            return Err(
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured".to_owned()
            );
        }
        if let Some(basic) = &self.basic_auth {
            basic.check()?;
        }
        if let Some(authorization) = &mut self.authorization {
            if bearer {
                return Err("authorization is not compatible with bearer_token & bearer_token_file".to_owned());
            }
            authorization.check()?;
        }
        let ways = [self.basic_auth.is_some(), self.oauth2.is_some(), self.authorization.is_some()];
        at_most_one("basic_auth, oauth2 & authorization", &ways)?;
        if let Some(oauth2) = &self.oauth2 {
            oauth2.check()?;
        }
        self.tls_config.check()?;
        check_proxy(
            &self.proxy_url,
            &self.no_proxy,
            self.proxy_from_environment,
            !self.proxy_connect_header.is_empty(),
        )?;
        for name in self.http_headers.keys() {
            if RESERVED_HEADERS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
                return Err(format!("setting header \"{name}\" is not allowed"));
            }
        }
        if bearer {
            self.authorization = Some(Authorization {
                kind: "Bearer".to_owned(),
                credentials: std::mem::take(&mut self.bearer_token),
                credentials_file: std::mem::take(&mut self.bearer_token_file),
                credentials_ref: String::new(),
            });
        }
        Ok(())
    }

    /// Files that the configuration names, for whoever watches for changes.
    pub fn files(&self) -> Vec<&str> {
        let tls = &self.tls_config;
        let mut files = vec![tls.ca_file.as_str(), &tls.cert_file, &tls.key_file, &self.bearer_token_file];
        if let Some(basic) = &self.basic_auth {
            files.extend([basic.username_file.as_str(), &basic.password_file]);
        }
        files.extend(self.authorization.iter().map(|a| a.credentials_file.as_str()));
        files.extend(self.oauth2.iter().map(|o| o.client_secret_file.as_str()));
        files.extend(self.http_headers.values().flat_map(|h| h.files.iter().map(String::as_str)));
        files.retain(|f| !f.is_empty());
        files
    }
}

impl BasicAuth {
    fn check(&self) -> Result<(), String> {
        let users = [!self.username.is_empty(), !self.username_file.is_empty(), !self.username_ref.is_empty()];
        at_most_one("basic_auth username, username_file & username_ref", &users)?;
        let passwords = [!self.password.is_empty(), !self.password_file.is_empty(), !self.password_ref.is_empty()];
        at_most_one("basic_auth password, password_file & password_ref", &passwords)
    }
}

impl Authorization {
    fn check(&mut self) -> Result<(), String> {
        let ways = [!self.credentials.is_empty(), !self.credentials_file.is_empty(), !self.credentials_ref.is_empty()];
        at_most_one("authorization credentials & credentials_file", &ways)?;
        self.kind = self.kind.trim().to_owned();
        if self.kind.is_empty() {
            self.kind = "Bearer".to_owned();
        }
        if self.kind.eq_ignore_ascii_case("basic") {
            return Err("authorization type cannot be set to \"basic\", use \"basic_auth\" instead".to_owned());
        }
        Ok(())
    }
}

impl OAuth2 {
    fn check(&self) -> Result<(), String> {
        if self.client_id.is_empty() {
            return Err("oauth2 client_id must be configured".to_owned());
        }
        if self.token_url.is_empty() {
            return Err("oauth2 token_url must be configured".to_owned());
        }
        let set = |text: &str| !text.is_empty();
        if self.grant_type == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            let keys = [
                !self.client_certificate_key.is_empty(),
                set(&self.client_certificate_key_file),
                set(&self.client_certificate_key_ref),
            ];
            let names = "oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref";
            at_most_one(names, &keys)?;
        } else {
            let secrets = [!self.client_secret.is_empty(), set(&self.client_secret_file), set(&self.client_secret_ref)];
            if secrets.iter().filter(|s| **s).count() > 1 {
                return Err("at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be \
                            configured using grant-type=client_credentials"
                    .to_owned());
            }
        }
        self.tls_config.check()?;
        check_proxy(&self.proxy_url, &self.no_proxy, self.proxy_from_environment, !self.proxy_connect_header.is_empty())
    }
}

impl TlsConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        let set = |text: &str| !text.is_empty();
        let ca = [set(&self.ca), set(&self.ca_file), set(&self.ca_ref)];
        let cert = [set(&self.cert), set(&self.cert_file), set(&self.cert_ref)];
        let key = [!self.key.is_empty(), set(&self.key_file), set(&self.key_ref)];
        at_most_one("ca, ca_file & ca_ref", &ca)?;
        at_most_one("cert, cert_file & cert_ref", &cert)?;
        at_most_one("key and key_file", &key)?;
        match (cert.contains(&true), key.contains(&true)) {
            (true, false) => {
                return Err(
                    "exactly one of key or key_file must be configured when a client certificate is configured"
                        .to_owned(),
                );
            }
            (false, true) => {
                return Err(
                    "exactly one of cert or cert_file must be configured when a client key is configured".to_owned()
                );
            }
            _ => {}
        }
        for version in [&self.min_version, &self.max_version] {
            if !matches!(version.as_str(), "" | "TLS10" | "TLS11" | "TLS12" | "TLS13") {
                return Err(format!("unknown TLS version: {version}"));
            }
        }
        Ok(())
    }
}

fn check_proxy(url: &str, no_proxy: &str, from_environment: bool, connect_header: bool) -> Result<(), String> {
    if url.starts_with(':') {
        return Err("parse proxy_url: missing protocol scheme".to_owned());
    }
    let words = match (url.is_empty(), no_proxy.is_empty(), from_environment) {
        (false, _, true) => "if proxy_from_environment is configured, proxy_url must not be configured",
        (_, false, true) => "if proxy_from_environment is configured, no_proxy must not be configured",
        (true, false, _) => "if no_proxy is configured, proxy_url must also be configured",
        (true, _, false) if connect_header => {
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"
        }
        _ => return Ok(()),
    };
    Err(words.to_owned())
}

/// The URL of an API with `/` at its end, as those that get a path appended need it.
pub(crate) fn with_slash(url: HttpUrl) -> HttpUrl {
    if url.as_str().ends_with('/') { url } else { HttpUrl::parse(&format!("{}/", url.as_str())).unwrap_or(url) }
}
