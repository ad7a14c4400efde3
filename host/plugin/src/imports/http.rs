//! HTTP requests: each hop of a redirect dialled, checked and timed by itself.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request as HyperRequest, Response as HyperResponse, StatusCode, Uri, Version as HyperVersion};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;
use wasmtime::component::Resource;

use super::basic::read_secret;
use super::body::{BodySlot, Driver};
use super::dial::{Way, nanos, until};
use super::errors::{Error, of_io};
use super::tls::{Duplex, handshake};
use crate::bindings::wit::http::{Credentials, Hop, Host, Request, Response, Timings, Version};
use crate::bindings::wit::net::{TlsInfo, TlsOptions};
use crate::manifest::Capability;
use crate::state::State;

/// Longest URL, bytes.
const MAX_URL: usize = 16 << 10;

/// Headers of a request.
const MAX_HEADERS: usize = 200;

/// Bytes of a response's headers.
const MAX_HEADER_BYTES: usize = 256 << 10;

/// Longest answer of a proxy to CONNECT.
const MAX_CONNECT_ANSWER: usize = 16 << 10;

/// What we call ourselves where the plugin says nothing.
const AGENT: &str = concat!("Watchglass/", env!("CARGO_PKG_VERSION"));

/// A connection that requests can be sent over, and what it took to get there.
struct Line {
    stream: Box<dyn Duplex>,
    tls: Option<TlsInfo>,
    peer: String,
    timings: Timings,
    /// The request names the whole URL: the other side is a proxy.
    absolute: bool,
}

/// The parts of a URL that a connection is made of.
struct Place {
    https: bool,
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &Url) -> Result<Place, Error> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(Error::Unsupported(format!("{url}: scheme {other}: http and https are known"))),
        };
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if !host.is_empty() => Ok(Place { https, host: host.to_owned(), port }),
            _ => Err(Error::BadConfig(format!("{url}: no host"))),
        }
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

fn parse(url: &str) -> Result<Url, Error> {
    let shown = || url.chars().take(200).collect::<String>();
    if url.len() > MAX_URL {
        return Err(Error::BadConfig(format!("url {}...: longer than {MAX_URL} bytes", shown())));
    }
    Url::parse(url).map_err(|e| Error::BadConfig(format!("url \"{}\": {e}", shown())))
}

impl State {
    async fn send_request(&mut self, r: Request) -> Result<Response, Error> {
        if !self.bodies.has_room() {
            return Err(Error::TooLarge(format!("more than {} open bodies", self.shared.limits.connections)));
        }
        let timeout = Duration::from_millis(u64::from(r.timeout_ms));
        let at = Instant::now() + self.time(r.timeout_ms);
        let mut headers = headers(&r)?;
        let credentials = self.credentials(&r).await?;
        let mut method = Method::from_bytes(r.method.as_bytes())
            .map_err(|_| Error::BadConfig(format!("method \"{}\"", r.method.chars().take(50).collect::<String>())))?;
        let mut body = Bytes::from(r.body.clone());
        let mut url = parse(&r.url)?;
        let origin = (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        let mut hops = Vec::new();
        loop {
            let mut sent = headers.clone();
            let here = (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
            if here == origin {
                sent.extend(credentials.iter().map(|(n, v)| (n.clone(), v.clone())));
            } else {
                // What the plugin itself sent for the first host alone.
                for name in [AUTHORIZATION, hyper::header::COOKIE, hyper::header::PROXY_AUTHORIZATION] {
                    sent.remove(name);
                }
            }
            let (hop, response, driver) = until(at, self.hop(&r, &url, &method, sent, body.clone(), at)).await?;
            let status = response.status();
            let next = redirect(&url, &response);
            hops.push(hop);
            match next {
                Some(to) if hops.len() <= usize::from(r.follow_redirects) => {
                    let to = to?;
                    let to_get = status == StatusCode::SEE_OTHER && method != Method::HEAD
                        || matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND)
                            && method == Method::POST;
                    if to_get {
                        method = Method::GET;
                        body = Bytes::new();
                        headers.remove(hyper::header::CONTENT_TYPE);
                    }
                    url = to;
                }
                Some(_) if r.follow_redirects > 0 => {
                    return Err(Error::Protocol(format!("{}: more than {} redirects", r.url, r.follow_redirects)));
                }
                _ => return self.answer(&r, url, response, driver, hops, timeout),
            }
        }
    }

    fn answer(
        &mut self,
        r: &Request,
        url: Url,
        response: HyperResponse<Incoming>,
        driver: Driver,
        hops: Vec<Hop>,
        timeout: Duration,
    ) -> Result<Response, Error> {
        let (parts, incoming) = response.into_parts();
        let encoding = parts.headers.get(hyper::header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
        let gzip = r.decompress
            && encoding.is_some_and(|e| e.eq_ignore_ascii_case(b"gzip") || e.eq_ignore_ascii_case(b"x-gzip"));
        let slot = BodySlot::new(url.to_string(), incoming, driver, gzip, r.max_body, timeout);
        let full = || Error::TooLarge("too many open bodies".into());
        let number = self.bodies.put(slot).ok_or_else(full)?;
        Ok(Response {
            status: parts.status.as_u16(),
            version: version_text(parts.version).into(),
            headers: header_list(&parts.headers),
            body: Resource::new_own(number),
            hops,
        })
    }

    /// The header with who we are; a secret's value, marked so that it shows in no log.
    async fn credentials(&mut self, r: &Request) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let Some(credentials) = &r.credentials else { return Ok(Vec::new()) };
        let (Credentials::Bearer(secret) | Credentials::Basic((_, secret)) | Credentials::Header((_, secret))) =
            credentials;
        self.allow(|g| g.secret(secret))?;
        let value = read_secret(self.shared.clone(), secret).await?;
        let (name, text) = match credentials {
            Credentials::Bearer(_) => (AUTHORIZATION, format!("Bearer {value}")),
            Credentials::Basic((user, _)) => {
                (AUTHORIZATION, format!("Basic {}", base64(format!("{user}:{value}").as_bytes())))
            }
            Credentials::Header((name, _)) => {
                let wrong = |_| Error::BadConfig(format!("header name {name:?}"));
                (HeaderName::from_bytes(name.as_bytes()).map_err(wrong)?, value)
            }
        };
        let wrong = |_| Error::BadConfig(format!("secret \"{secret}\" can't stand in a header"));
        let mut header = HeaderValue::from_str(&text).map_err(wrong)?;
        header.set_sensitive(true);
        Ok(vec![(name, header)])
    }

    /// One request and its answer's headers.
    async fn hop(
        &mut self,
        r: &Request,
        url: &Url,
        method: &Method,
        mut headers: HeaderMap,
        body: Bytes,
        at: Instant,
    ) -> Result<(Hop, HyperResponse<Incoming>, Driver), Error> {
        let place = Place::of(url)?;
        let line = self.line(r, &place, at).await?;
        let alpn = line.tls.as_ref().and_then(|t| t.alpn.as_deref());
        let http2 = match r.version {
            Version::Http1 => false,
            Version::Http2 => true,
            Version::Any => alpn == Some("h2"),
        };
        if r.version == Version::Http2 && place.https && alpn != Some("h2") {
            return Err(Error::Protocol(format!("{url}: HTTP/2 was not agreed on")));
        }
        let target = if http2 || line.absolute {
            url.as_str()
        } else {
            &url[url::Position::BeforePath..url::Position::AfterQuery]
        };
        let uri: Uri = target.parse().map_err(|e| Error::BadConfig(format!("url {url}: {e}")))?;
        if !http2 && !headers.contains_key(HOST) {
            let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
            let wrong = |_| Error::BadConfig(format!("url {url}: host"));
            headers.insert(HOST, HeaderValue::from_str(host).map_err(wrong)?);
        } else if http2 {
            headers.remove(HOST);
        }
        let mut request = HyperRequest::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let began = Instant::now();
        let about = |e: hyper::Error| of_hyper(url, &e);
        let io = TokioIo::new(line.stream);
        let (response, driver) = if http2 {
            let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(MAX_HEADER_BYTES as u32)
                .handshake(io)
                .await
                .map_err(about)?;
            let driver = drive(connection);
            (sender.send_request(request).await.map_err(about)?, driver)
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
                .max_buf_size(MAX_HEADER_BYTES)
                .handshake(io)
                .await
                .map_err(about)?;
            let driver = drive(connection);
            (sender.send_request(request).await.map_err(about)?, driver)
        };
        let timings = Timings { processing_ns: nanos(began.elapsed()), ..line.timings };
        let hop = Hop {
            url: url.to_string(),
            status: response.status().as_u16(),
            version: version_text(response.version()).into(),
            peer: line.peer,
            timings,
            tls: line.tls,
        };
        Ok((hop, response, driver))
    }

    /// A connection to where a URL leads.
    async fn line(&mut self, r: &Request, place: &Place, at: Instant) -> Result<Line, Error> {
        let no_time = Timings { resolve_ns: 0, connect_ns: 0, tls_ns: 0, processing_ns: 0, transfer_ns: 0 };
        let mut line = if let Some(path) = &r.unix_socket {
            let (stream, took) = self.dial_unix(path, at).await?;
            let timings = Timings { connect_ns: nanos(took), ..no_time };
            Line { stream: Box::new(stream), tls: None, peer: path.clone(), timings, absolute: false }
        } else {
            self.allow(|g| g.http(place.scheme(), &place.host, place.port))?;
            match &r.proxy {
                None => self.direct(r, place, at).await?,
                Some(proxy) => {
                    let proxy = Place::of(&parse(proxy)?)?;
                    self.allow(|g| g.http(proxy.scheme(), &proxy.host, proxy.port))?;
                    if proxy.https {
                        return Err(Error::Unsupported("a proxy that is spoken to by https".into()));
                    }
                    let mut line = self.direct(r, &proxy, at).await?;
                    if place.https {
                        tunnel(&mut line.stream, place, &header_map(&r.proxy_headers)?).await?;
                    } else {
                        line.absolute = true;
                    }
                    line
                }
            }
        };
        if place.https {
            let usual = TlsOptions {
                server_name: None,
                verify: true,
                ca: None,
                client_identity: None,
                client_key: None,
                alpn: Vec::new(),
                min_version: None,
                max_version: None,
            };
            let alpn: &[&str] = match r.version {
                Version::Any => &["h2", "http/1.1"],
                Version::Http1 => &["http/1.1"],
                Version::Http2 => &["h2"],
            };
            let prepared = self.prepare_tls(r.tls.as_ref().unwrap_or(&usual), &place.host, alpn).await?;
            let began = Instant::now();
            let (stream, info) = handshake(&prepared, line.stream).await.map_err(|e| match e {
                Error::Protocol(text) => Error::Protocol(format!("{}: {text}", place.host)),
                other => other,
            })?;
            line.timings.tls_ns = nanos(began.elapsed());
            return Ok(Line { stream: Box::new(stream), tls: Some(info), ..line });
        }
        Ok(line)
    }

    async fn direct(&mut self, r: &Request, place: &Place, at: Instant) -> Result<Line, Error> {
        let source = r.source_address.as_deref();
        let way = Way { kind: Capability::Http, host: &place.host, port: place.port, ip: r.ip, source, until: at };
        let made = self.dial_tcp(&way).await?;
        let timings = Timings {
            resolve_ns: nanos(made.resolve),
            connect_ns: nanos(made.connect),
            tls_ns: 0,
            processing_ns: 0,
            transfer_ns: 0,
        };
        Ok(Line { stream: Box::new(made.socket), tls: None, peer: made.peer.to_string(), timings, absolute: false })
    }
}

/// Asks a proxy for a tunnel (RFC 9110, 9.3.6).
async fn tunnel(stream: &mut Box<dyn Duplex>, place: &Place, headers: &HeaderMap) -> Result<(), Error> {
    let to = format!("{}:{}", place.host, place.port);
    let fail = |e: std::io::Error| of_io(format_args!("proxy, for {to}"), &e);
    let mut ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {AGENT}\r\n").into_bytes();
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            ask.extend_from_slice(part);
        }
    }
    ask.extend_from_slice(b"\r\n");
    stream.write_all(&ask).await.map_err(fail)?;
    let mut answer = Vec::new();
    // Byte by byte: what comes behind the empty line is the tunnel's.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_CONNECT_ANSWER {
            return Err(Error::Protocol(format!("proxy, for {to}: an answer without an end")));
        }
        answer.push(stream.read_u8().await.map_err(fail)?);
    }
    let first = String::from_utf8_lossy(&answer).lines().next().unwrap_or("").to_owned();
    match first.split(' ').nth(1).map(|s| s.starts_with('2')) {
        Some(true) => Ok(()),
        _ => Err(Error::Unavailable(format!("proxy, for {to}: {}", first.chars().take(100).collect::<String>()))),
    }
}

fn drive<F: Future<Output = Result<(), hyper::Error>> + Send + 'static>(connection: F) -> Driver {
    // Its errors come out of the request or the body too.
    Driver(tokio::spawn(async move { drop(connection.await) }).abort_handle())
}

fn headers(r: &Request) -> Result<HeaderMap, Error> {
    let mut map = header_map(&r.headers)?;
    map.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    if r.decompress {
        map.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
    }
    Ok(map)
}

fn header_map(list: &[(String, String)]) -> Result<HeaderMap, Error> {
    if list.len() > MAX_HEADERS {
        return Err(Error::TooLarge(format!("{} headers, allowed are {MAX_HEADERS}", list.len())));
    }
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let wrong =
            |what: &str| Error::BadConfig(format!("header {}: {what}", name.chars().take(100).collect::<String>()));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("its name"))?;
        // Length and framing are the body's and the connection's: what the plugin says of them could only be wrong, or smuggle a request.
        if [hyper::header::CONTENT_LENGTH, hyper::header::TRANSFER_ENCODING, hyper::header::CONNECTION]
            .contains(&parsed)
        {
            continue;
        }
        map.append(parsed, HeaderValue::from_str(value).map_err(|_| wrong("its value"))?);
    }
    Ok(map)
}

/// Where a response leads, if it is a redirect.
fn redirect(url: &Url, response: &HyperResponse<Incoming>) -> Option<Result<Url, Error>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(hyper::header::LOCATION)?;
    let joined = location.to_str().ok().filter(|l| l.len() <= MAX_URL).and_then(|l| url.join(l).ok());
    Some(joined.ok_or_else(|| Error::Protocol(format!("{url}: a redirect to what is no URL"))))
}

/// Headers as a list, names in lower case; bytes that are no UTF-8 become U+FFFD.
pub(super) fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
}

fn version_text(version: HyperVersion) -> &'static str {
    match version {
        HyperVersion::HTTP_09 => "HTTP/0.9",
        HyperVersion::HTTP_10 => "HTTP/1.0",
        HyperVersion::HTTP_11 => "HTTP/1.1",
        HyperVersion::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/3.0",
    }
}

fn of_hyper(url: &Url, error: &hyper::Error) -> Error {
    let text = format!("{url}: {}", chain(error));
    if error.is_parse() || error.is_user() { Error::Protocol(text) } else { Error::Unavailable(text) }
}

/// An error with its causes.
pub(super) fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// Base 64 (RFC 4648, 4) with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * i) & 63) as usize]);
            out.push(if i <= group.len() { digit } else { '=' });
        }
    }
    out
}

impl Host for State {
    async fn send(&mut self, r: Request) -> wasmtime::Result<Result<Response, Error>> {
        Ok(self.send_request(r).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_the_rfc_has_it() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
