//! The request, as Prometheus would make it.

use crate::config::{Config, Escaping, Protocol};
use crate::{client, proxy};
use std::collections::BTreeMap;
use watchglass_sdk::config::{Secret, file_secret};
use watchglass_sdk::http::{Credentials, Request, Version};
use watchglass_sdk::net;
use watchglass_sdk::prelude::*;

/// What is left of the deadline for the way back through the host.
const MARGIN_MS: u32 = 50;

/// Makes the request for one collection.
pub(crate) fn build(config: &Config, ctx: &Context) -> Result<Request, Error> {
    let timeout_ms = ctx.deadline_ms.saturating_sub(MARGIN_MS).max(1);
    let mut request = Request::get(url(config, ctx)?, timeout_ms)
        .header("Accept", accept(config))
        .header("User-Agent", concat!("Watchglass/", env!("CARGO_PKG_VERSION")))
        .header("X-Prometheus-Scrape-Timeout-Seconds", format!("{}", f64::from(ctx.deadline_ms) / 1_000.0));
    for (name, header) in &config.http_headers {
        for value in &header.values {
            request = request.header(name.as_str(), value.as_str());
        }
        let files = header.files.iter().map(|f| Secret::new(file_secret(f)));
        for secret in header.secrets.iter().cloned().chain(files) {
            request = request.header(name.as_str(), secret.reveal()?);
        }
    }
    request.version = if config.enable_http2 { Version::Any } else { Version::Http1 };
    request.follow_redirects = if config.follow_redirects { 10 } else { 0 };
    request.decompress = config.enable_compression;
    request.proxy = proxy_for(config, ctx)?;
    if request.proxy.is_some() {
        for (name, values) in &config.proxy_connect_header {
            for value in values {
                request.proxy_headers.push((name.clone(), value.reveal()?));
            }
        }
    }
    if config.body_size_limit.0 > 0 {
        request.max_body = config.body_size_limit.0;
    }
    request.tls = config.tls_config.options();
    authenticate(config, request)
}

/// The proxy, unless the target is one of those that are asked directly.
fn proxy_for(config: &Config, ctx: &Context) -> Result<Option<String>, Error> {
    if config.proxy_url.is_none() || config.no_proxy.is_empty() {
        return Ok(config.proxy_url.clone());
    }
    let port = if scheme(config, ctx) == "https" { 443 } else { 80 };
    let (host, port) = net::split_host_port(ctx.address()?, port)?;
    Ok(config.proxy_url.clone().filter(|_| !proxy::is_direct(&config.no_proxy, &host, port)))
}

fn scheme<'a>(config: &'a Config, ctx: &'a Context) -> &'a str {
    ctx.param("__scheme__").filter(|s| !s.is_empty()).unwrap_or(&config.scheme)
}

/// Adds who we are. A secret that the config only names goes in on the host's side, unseen here.
fn authenticate(config: &Config, request: Request) -> Result<Request, Error> {
    let with = |mut r: Request, c: Credentials| {
        r.credentials = Some(c);
        r
    };
    if let Some(basic) = &config.basic_auth {
        let (user, secret) = (basic.user()?, basic.secret());
        return match secret.name() {
            Some(name) => Ok(with(request, Credentials::Basic((user, name.to_owned())))),
            None => {
                let pair = format!("{user}:{}", secret.reveal()?);
                Ok(request.header("Authorization", format!("Basic {}", base64(pair.as_bytes()))))
            }
        };
    }
    let (kind, token) = match (&config.authorization, &config.bearer_token, &config.bearer_token_file) {
        (Some(a), _, _) => (a.kind(), a.secret()),
        (None, None, None) => return Ok(request),
        (None, token, file) => ("Bearer", client::one_of(&token.clone().unwrap_or_default(), file)),
    };
    match token.name() {
        Some(name) if kind == "Bearer" => Ok(with(request, Credentials::Bearer(name.to_owned()))),
        _ => Ok(request.header("Authorization", format!("{kind} {}", token.reveal()?))),
    }
}

/// Gives the URL to ask: the target's labels win over the config.
pub fn url(config: &Config, ctx: &Context) -> Result<String, Error> {
    let address = ctx.address()?;
    if address.contains('/') || address.contains(char::is_whitespace) {
        return Err(Error::BadConfig(format!(
            "target `{address}`: a target is host:port\nhint: the path belongs into metrics_path"
        )));
    }
    let scheme = scheme(config, ctx);
    let path = ctx.param("__metrics_path__").filter(|s| !s.is_empty()).unwrap_or(&config.metrics_path);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = format!("{scheme}://{address}{slash}{}", escape(path, b"/-_.~$&+,:;=@!*'()%"));
    let mut params: BTreeMap<&str, Vec<&str>> =
        config.params.iter().map(|(n, v)| (n.as_str(), v.values().iter().map(String::as_str).collect())).collect();
    for (name, value) in ctx.target.iter().flat_map(|t| &t.params) {
        let Some(name) = name.strip_prefix("__param_") else { continue };
        let values = params.entry(name).or_default();
        match values.first_mut() {
            Some(first) => *first = value,
            None => values.push(value),
        }
    }
    let mut separator = '?';
    for (name, values) in params {
        for value in values {
            url.push(separator);
            url.push_str(&escape(name, b"-_.~"));
            url.push('=');
            url.push_str(&escape(value, b"-_.~"));
            separator = '&';
        }
    }
    Ok(url)
}

/// Gives the Accept header: the formats with falling weights, then anything.
pub fn accept(config: &Config) -> String {
    use Protocol::{OpenMetricsText001, OpenMetricsText100, PrometheusProto, PrometheusText004, PrometheusText100};
    let usual = [OpenMetricsText100, OpenMetricsText001, PrometheusText100, PrometheusText004];
    let mut protocols =
        if config.scrape_protocols.is_empty() { usual.to_vec() } else { config.scrape_protocols.clone() };
    if config.scrape_native_histograms && config.scrape_protocols.is_empty() {
        protocols.insert(0, PrometheusProto);
    }
    let escaping = config.metric_name_escaping_scheme.unwrap_or(Escaping::AllowUtf8);
    let mut weight = protocols.len() + 1;
    let mut header = String::new();
    for p in protocols {
        let what = match p {
            PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            PrometheusText004 => "text/plain;version=0.0.4",
            PrometheusText100 => "text/plain;version=1.0.0",
            OpenMetricsText001 => "application/openmetrics-text;version=0.0.1",
            OpenMetricsText100 => "application/openmetrics-text;version=1.0.0",
        };
        header.push_str(what);
        if matches!(p, PrometheusText100 | OpenMetricsText100) {
            header.push_str(&format!(";escaping={}", escaping.as_str()));
        }
        header.push_str(&format!(";q=0.{weight},"));
        weight -= 1;
    }
    header.push_str(&format!("*/*;q=0.{weight}"));
    header
}

/// Gives the content type to read the answer as. Prometheus 3 refuses what it does not know unless there is a fallback; so do we.
pub fn content_type(sent: &str, fallback: Option<Protocol>) -> Result<String, Error> {
    let media = sent.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if matches!(media.as_str(), "text/plain" | "application/openmetrics-text" | "application/vnd.google.protobuf") {
        return Ok(sent.to_owned());
    }
    let what = match fallback {
        None if sent.is_empty() => {
            return Err(Error::Protocol(
                "the answer has no Content-Type\nhint: set fallback_scrape_protocol = \"PrometheusText0.0.4\""
                    .to_owned(),
            ));
        }
        None => {
            return Err(Error::Protocol(format!(
                "the answer's Content-Type `{sent}` is no metrics format\nhint: is metrics_path right? else set fallback_scrape_protocol = \"PrometheusText0.0.4\""
            )));
        }
        Some(Protocol::PrometheusProto) => {
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        }
        Some(Protocol::PrometheusText004) => "text/plain;version=0.0.4",
        Some(Protocol::PrometheusText100) => "text/plain;version=1.0.0;escaping=allow-utf-8",
        Some(Protocol::OpenMetricsText001) => "application/openmetrics-text;version=0.0.1",
        Some(Protocol::OpenMetricsText100) => "application/openmetrics-text;version=1.0.0",
    };
    Ok(what.to_owned())
}

/// Percent-encodes all but letters, digits and `keep` (RFC 3986).
pub(crate) fn escape(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || keep.contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// Encodes bytes as base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |w, (i, b)| w | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use watchglass_sdk::prelude::Context;

    fn ctx(address: &str, params: &[(&str, &str)]) -> Context {
        let params = params.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        let target = watchglass_sdk::Target { address: address.to_owned(), params };
        Context { target: Some(target), scheduled_at: 0, deadline_ms: 10_000, sequence: 0 }
    }

    fn config(json: serde_json::Value) -> Config {
        Config::decode(&json).unwrap()
    }

    #[test]
    fn urls_take_the_targets_labels_first() {
        for (c, labels, expected) in [
            (json!({}), &[][..], "http://app:8080/metrics"),
            (json!({"scheme": "https", "metrics_path": "m/x y"}), &[], "https://app:8080/m/x%20y"),
            (json!({"params": {"a": ["1", "2"], "b": "ü&"}}), &[], "http://app:8080/metrics?a=1&a=2&b=%C3%BC%26"),
            (
                json!({"params": {"a": ["1", "2"]}}),
                &[
                    ("__param_a", "9"),
                    ("__param_target", "http://x/"),
                    ("__scheme__", "https"),
                    ("__metrics_path__", "/probe"),
                ],
                "https://app:8080/probe?a=9&a=2&target=http%3A%2F%2Fx%2F",
            ),
        ] {
            assert_eq!(url(&config(c), &ctx("app:8080", labels)).unwrap(), expected);
        }
        assert!(url(&config(json!({})), &ctx("http://app/metrics", &[])).is_err());
        assert!(
            url(&config(json!({})), &Context { target: None, ..ctx("", &[]) })
                .unwrap_err()
                .message()
                .contains("targets = [")
        );
    }

    #[test]
    fn the_accept_header_is_prometheus_own() {
        assert_eq!(
            accept(&config(json!({}))),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        );
        assert_eq!(
            accept(&config(json!({"scrape_protocols": ["PrometheusText0.0.4"]}))),
            "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        );
        assert!(
            accept(&config(json!({"metric_name_escaping_scheme": "dots"})))
                .starts_with("application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,")
        );
        assert!(
            accept(&config(json!({"scrape_native_histograms": true}))).starts_with("application/vnd.google.protobuf;")
        );
    }

    #[test]
    fn content_types_that_nobody_knows_need_a_fallback() {
        assert_eq!(content_type("text/plain; version=0.0.4", None).unwrap(), "text/plain; version=0.0.4");
        assert!(content_type("text/html", None).unwrap_err().message().contains("fallback_scrape_protocol"));
        assert!(content_type("", None).is_err());
        assert_eq!(content_type("text/html", Some(Protocol::PrometheusText004)).unwrap(), "text/plain;version=0.0.4");
    }

    #[test]
    fn requests_say_who_we_are() {
        let header = |c: serde_json::Value| {
            let r = build(&config(c), &ctx("a:1", &[])).unwrap();
            (r.headers.iter().find(|h| h.0 == "Authorization").map(|h| h.1.clone()), r.credentials)
        };
        assert_eq!(
            header(json!({"basic_auth": {"username": "Aladdin", "password": "open sesame"}})),
            (Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()), None)
        );
        assert_eq!(
            header(json!({"basic_auth": {"username": "u", "password": "env:PW"}})),
            (None, Some(Credentials::Basic(("u".to_owned(), "env:PW".to_owned()))))
        );
        assert_eq!(header(json!({"bearer_token": "file:/t"})), (None, Some(Credentials::Bearer("file:/t".to_owned()))));
        assert_eq!(
            header(json!({"authorization": {"type": "Token", "credentials": "x"}})).0.as_deref(),
            Some("Token x")
        );
    }

    #[test]
    fn requests_carry_the_options() {
        let r = build(
            &config(json!({"follow_redirects": false, "enable_http2": false, "body_size_limit": 7, "http_headers": {"X-Scope": {"values": ["t1"]}},
                           "tls_config": {"insecure_skip_verify": true, "min_version": "TLS13"}})),
            &ctx("a:1", &[]),
        )
        .unwrap();
        assert_eq!((r.follow_redirects, r.version, r.max_body, r.timeout_ms), (0, Version::Http1, 7, 9_950));
        assert!(r.headers.contains(&("X-Scope".to_owned(), "t1".to_owned())));
        assert!(r.headers.contains(&("X-Prometheus-Scrape-Timeout-Seconds".to_owned(), "10".to_owned())));
        let tls = r.tls.unwrap();
        assert_eq!((tls.verify, tls.min_version.as_deref()), (false, Some("1.3")));
    }

    #[test]
    fn files_are_secrets_and_a_proxy_has_exceptions() {
        let all = json!({"proxy_url": "http://p:3128", "no_proxy": "b,10.0.0.0/8", "proxy_connect_header": {"X-P": ["1"]},
            "basic_auth": {"username": "u", "password_file": "/run/pw"},
            "tls_config": {"ca_file": "/ca.pem", "cert": "env:CERT", "key_file": "/key.pem"}});
        let r = build(&config(all.clone()), &ctx("a:1", &[])).unwrap();
        assert_eq!(r.credentials, Some(Credentials::Basic(("u".to_owned(), "file:/run/pw".to_owned()))));
        assert_eq!(r.proxy.as_deref(), Some("http://p:3128"));
        assert_eq!(r.proxy_headers, [("X-P".to_owned(), "1".to_owned())]);
        let tls = r.tls.unwrap();
        let named = [tls.ca.as_deref(), tls.client_identity.as_deref(), tls.client_key.as_deref()];
        assert_eq!(named, [Some("file:/ca.pem"), Some("env:CERT"), Some("file:/key.pem")]);
        for direct in ["b:1", "10.2.3.4"] {
            let r = build(&config(all.clone()), &ctx(direct, &[])).unwrap();
            assert_eq!((r.proxy, r.proxy_headers.len()), (None, 0), "{direct}");
        }
    }

    #[test]
    fn base64_pads() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
