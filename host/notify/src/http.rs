//! Requests to receivers, by `http_config`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, NoProxy, Proxy, StatusCode, tls};
use watchglass_model::TimeMs;

use crate::config::{HttpConfig, Secret, TlsConfig};
use crate::failure::{Failure, FailureReason, retry_after};

/// How much of an answer is read. What receivers say is short; the rest is of no use.
const MAX_ANSWER: usize = 64 << 10;
/// The largest file with a secret.
const MAX_SECRET_FILE: u64 = 1 << 20;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a receiver answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
    /// How long it asked to be left alone, ms.
    pub(crate) retry_after: Option<i64>,
}

/// Sends requests as one `http_config` says. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    config: HttpConfig,
    dir: PathBuf,
    renamed: Option<Renamed>,
}

/// A request.
pub(crate) struct Post<'a> {
    /// Where to; a secret.
    pub(crate) url: &'a str,
    /// JSON.
    pub(crate) body: String,
    /// A token that stands in for the configured credentials.
    pub(crate) token: Option<&'a str>,
    pub(crate) timeout: Duration,
    pub(crate) now: TimeMs,
}

impl Http {
    /// Prepares a client; relative paths of files are below `dir`. Certificates are read now, credentials with each request.
    pub(crate) fn new(config: &HttpConfig, dir: &Path) -> Result<Http, String> {
        if config.oauth2.is_some() {
            crate::oauth::check(config)?;
        }
        let renamed = Renamed::new(&config.tls_config);
        let client = client(config, renamed.as_ref(), dir)?;
        Ok(Http { client, config: config.clone(), dir: dir.to_owned(), renamed })
    }

    /// Posts JSON. Errors never contain the address.
    pub(crate) async fn post(&self, post: Post<'_>) -> Result<Answer, Failure> {
        let mut headers = self.headers().await?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = post.token {
            headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
        } else if let Some(oauth2) = &self.config.oauth2 {
            let token = crate::oauth::token(&self.client, oauth2, &self.dir, post.timeout).await?;
            headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {}", token.expose()))?);
        }
        let url = match &self.renamed {
            Some(renamed) => renamed.apply(post.url, &mut headers)?,
            None => post.url.to_owned(),
        };
        let request = self.client.post(url).headers(headers).body(post.body).timeout(post.timeout);
        let mut response = request.send().await.map_err(|e| network(e, post.url))?;
        let header = |name: HeaderName| {
            response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let content_type = header(CONTENT_TYPE);
        let retry_after = Some(header(RETRY_AFTER)).filter(|h| !h.is_empty()).and_then(|h| retry_after(&h, post.now));
        let status: StatusCode = response.status();
        let mut bytes = Vec::new();
        while bytes.len() < MAX_ANSWER {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - bytes.len())]),
                Ok(None) => break,
                // The status alone says enough, unless the body had to be looked at.
                Err(_) if !status.is_success() => break,
                Err(e) => return Err(network(e, post.url)),
            }
        }
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: status.as_u16(), content_type, body, retry_after })
    }

    /// Headers with credentials as they are now.
    async fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        let config = &self.config;
        if let Some(basic) = &config.basic_auth {
            let user = self.value(&basic.username, &basic.username_file).await?;
            let password = self.value(basic.password.expose(), &basic.password_file).await?;
            let encoded = crate::render::functions::base64(format!("{user}:{password}").as_bytes());
            headers.insert(AUTHORIZATION, sensitive(&format!("Basic {encoded}"))?);
        }
        if let Some(authorization) = &config.authorization {
            let credentials = self.value(authorization.credentials.expose(), &authorization.credentials_file).await?;
            let kind = if authorization.kind.is_empty() { "Bearer" } else { &authorization.kind };
            headers.insert(AUTHORIZATION, sensitive(&format!("{kind} {credentials}"))?);
        }
        if !config.bearer_token.is_empty() || !config.bearer_token_file.is_empty() {
            let token = self.value(config.bearer_token.expose(), &config.bearer_token_file).await?;
            headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
        }
        for (name, values) in &config.http_headers {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| Failure::lasting(format!("`{name}` is no name of a header"), FailureReason::Other))?;
            let plain = values.values.iter().map(String::as_str);
            for value in plain.chain(values.secrets.iter().map(Secret::expose)) {
                headers.append(name.clone(), sensitive(value)?);
            }
            for file in &values.files {
                headers.append(name.clone(), sensitive(&self.value("", file).await?)?);
            }
        }
        Ok(headers)
    }

    /// A value that is given or lies in a file.
    pub(crate) async fn value(&self, inline: &str, file: &str) -> Result<String, Failure> {
        if file.is_empty() {
            return Ok(inline.to_owned());
        }
        read_secret(&self.dir.join(file)).await
    }
}

/// Reads a file with a secret, without spaces around it. A file that can't be read may be there the next time.
pub(crate) async fn read_secret(path: &Path) -> Result<String, Failure> {
    let wrong = |what: String| Failure::passing(format!("{}: {what}", path.display()), FailureReason::Other);
    let large = tokio::fs::metadata(path).await.map_err(|e| wrong(e.to_string()))?.len() > MAX_SECRET_FILE;
    if large {
        return Err(wrong(format!("larger than {MAX_SECRET_FILE} bytes")));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|e| wrong(e.to_string()))?;
    Ok(text.trim().to_owned())
}

fn sensitive(value: &str) -> Result<HeaderValue, Failure> {
    // The value itself is not shown: it is a secret.
    let mut header = HeaderValue::try_from(value).map_err(|_| {
        Failure::lasting("credentials or a header value can't be sent: control characters", FailureReason::Other)
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// A failure below HTTP. All may pass, save what is wrong with the request itself.
pub(crate) fn network(e: reqwest::Error, url: &str) -> Failure {
    if e.is_timeout() {
        return Failure::passing("no answer in time", FailureReason::Timeout);
    }
    let retry = !(e.is_builder() || e.is_redirect());
    let e = e.without_url();
    let mut text = e.to_string();
    let mut source = std::error::Error::source(&e);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    Failure { error: text, retry, retry_after: None, reason: FailureReason::Other }.without_url(url)
}

/// Another name in the server's certificate than the address has (`server_name`): requests are made to that name, which stands for
/// the address's host when names are looked up.
#[derive(Clone)]
struct Renamed {
    name: String,
    host: Arc<Mutex<String>>,
}

impl Renamed {
    fn new(config: &TlsConfig) -> Option<Renamed> {
        let name = config.server_name.clone();
        (!name.is_empty() && !config.insecure_skip_verify).then(|| Renamed { name, host: Arc::default() })
    }

    /// The address with the name in place of its host, which goes into a header.
    fn apply(&self, url: &str, headers: &mut HeaderMap) -> Result<String, Failure> {
        let wrong =
            || Failure::lasting("the address can't be combined with tls_config's server_name", FailureReason::Other);
        let mut url = url::Url::parse(url).map_err(|_| wrong())?;
        if url.scheme() != "https" {
            return Ok(url.into());
        }
        let host = url.host_str().ok_or_else(wrong)?.to_owned();
        let shown = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        headers.insert(HOST, HeaderValue::try_from(shown).map_err(|_| wrong())?);
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = host.trim_matches(['[', ']']).to_owned();
        url.set_host(Some(&self.name)).map_err(|_| wrong())?;
        Ok(url.into())
    }
}

impl Resolve for Renamed {
    fn resolve(&self, name: Name) -> Resolving {
        let renamed = name.as_str() == self.name;
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let host = if renamed { host } else { name.as_str().to_owned() };
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn client(config: &HttpConfig, renamed: Option<&Renamed>, dir: &Path) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("Watchglass/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(if config.follow_redirects { Policy::limited(10) } else { Policy::none() });
    // HTTP/2 has no place for a host beside the address's own.
    if !config.enable_http2 || renamed.is_some() {
        builder = builder.http1_only();
    }
    if let Some(renamed) = renamed {
        builder = builder.dns_resolver(renamed.clone());
    }
    builder = match proxy(config)? {
        Some(proxies) => proxies.into_iter().fold(builder, reqwest::ClientBuilder::proxy),
        None => builder.no_proxy(),
    };
    tls(builder, &config.tls_config, dir)?.build().map_err(|e| format!("http_config: {e}"))
}

/// The proxies to use; `None`: none.
fn proxy(config: &HttpConfig) -> Result<Option<Vec<Proxy>>, String> {
    let mut headers = HeaderMap::new();
    for (name, values) in &config.proxy_connect_header {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is no name of a header"))?;
        for value in values {
            let value = HeaderValue::try_from(value.expose())
                .map_err(|_| format!("proxy_connect_header {name}: a value can't be sent: control characters"))?;
            headers.append(name.clone(), value);
        }
    }
    let variable = |name: &str| {
        let set = |name: String| std::env::var(name).ok().filter(|v| !v.is_empty());
        set(name.to_owned()).or_else(|| set(name.to_lowercase()))
    };
    let wrong = |e: reqwest::Error| format!("proxy_url: {}", e.without_url());
    let found = if config.proxy_from_environment {
        let except = NoProxy::from_env();
        let mut proxies = Vec::new();
        if let Some(url) = variable("HTTP_PROXY") {
            proxies.push(Proxy::http(url).map_err(wrong)?.no_proxy(except.clone()));
        }
        if let Some(url) = variable("HTTPS_PROXY") {
            proxies.push(Proxy::https(url).map_err(wrong)?.no_proxy(except.clone()));
        }
        proxies
    } else if !config.proxy_url.is_empty() {
        vec![Proxy::all(&config.proxy_url).map_err(wrong)?.no_proxy(NoProxy::from_string(&config.no_proxy))]
    } else {
        return Ok(None);
    };
    Ok(Some(found.into_iter().map(|p| if headers.is_empty() { p } else { p.headers(headers.clone()) }).collect()))
}

pub(crate) fn tls(
    mut builder: reqwest::ClientBuilder,
    config: &TlsConfig,
    dir: &Path,
) -> Result<reqwest::ClientBuilder, String> {
    let read = |inline: &str, file: &str| -> Result<Option<Vec<u8>>, String> {
        if !inline.is_empty() {
            return Ok(Some(inline.as_bytes().to_vec()));
        }
        if file.is_empty() {
            return Ok(None);
        }
        let path = dir.join(file);
        std::fs::read(&path).map(Some).map_err(|e| format!("tls_config: {}: {e}", path.display()))
    };
    if let Some(pem) = read(&config.ca, &config.ca_file)? {
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| format!("tls_config: ca: {e}"))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(mut pem) = read(&config.cert, &config.cert_file)? {
        let key = read(config.key.expose(), &config.key_file)?.ok_or("tls_config: a certificate needs a key")?;
        pem.push(b'\n');
        pem.extend(key);
        builder = builder.identity(Identity::from_pem(&pem).map_err(|_| "tls_config: certificate and key don't fit")?);
    }
    let version = |name: &str| -> Result<Option<tls::Version>, String> {
        Ok(Some(match name {
            "" => return Ok(None),
            "TLS10" => tls::Version::TLS_1_0,
            "TLS11" => tls::Version::TLS_1_1,
            "TLS12" => tls::Version::TLS_1_2,
            "TLS13" => tls::Version::TLS_1_3,
            other => {
                return Err(format!(
                    "tls_config: unknown TLS version `{other}`; TLS10, TLS11, TLS12 and TLS13 are allowed"
                ));
            }
        }))
    };
    // The TLS library has nothing older than 1.2: a lower floor means that one.
    if let Some(min) = version(&config.min_version)?.filter(|v| *v >= tls::Version::TLS_1_2) {
        builder = builder.tls_version_min(min);
    }
    if let Some(max) = version(&config.max_version)? {
        builder = builder.tls_version_max(max);
    }
    if config.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true).tls_danger_accept_invalid_hostnames(true);
    } else if !config.server_name.is_empty() {
        return Err(
            "tls_config: server_name is not supported for receivers\nhint: use an address by that name".to_owned()
        );
    }
    Ok(builder)
}
