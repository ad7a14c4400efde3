//! HTTP through the host; grants `http:SCHEME://HOST[:PORT]`, checked again at every redirect.

use crate::Error;
use crate::bindings::collector::watchglass::plugin::http as wit;

pub use crate::net::{IpVersion, TlsInfo, TlsOptions};
pub use wit::{Credentials, Hop, Request, Timings, Version};

/// An answer: its status and headers, and a body that has not been read.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The protocol's version as the host names it, `HTTP/1.1` say.
    pub version: String,
    /// The headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body, still on the host.
    pub body: Body,
    /// Every request made, the last one last.
    pub hops: Vec<Hop>,
}

/// A body that stays on the host until it is read.
#[derive(Debug)]
pub struct Body(wit::Body);

impl Request {
    /// Makes a GET request that follows ten redirects and waits `timeout_ms`.
    pub fn get(url: impl Into<String>, timeout_ms: u32) -> Request {
        Request {
            method: "GET".to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            tls: None,
            credentials: None,
            version: Version::Any,
            ip: IpVersion::Any,
            source_address: None,
            proxy: None,
            proxy_headers: Vec::new(),
            unix_socket: None,
            decompress: true,
            follow_redirects: 10,
            timeout_ms,
            max_body: 64 << 20,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Makes a POST request of a form (`application/x-www-form-urlencoded`) that follows no redirect.
    pub fn post_form(url: impl Into<String>, form: String, timeout_ms: u32) -> Request {
        let mut request = Request::get(url, timeout_ms).header("Content-Type", "application/x-www-form-urlencoded");
        request.method = "POST".to_owned();
        request.body = form.into_bytes();
        request.follow_redirects = 0;
        request
    }

    /// Sends it. An answer with an error status is an answer.
    pub fn send(&self) -> Result<Response, Error> {
        let r = wit::send(self)?;
        Ok(Response { status: r.status, version: r.version, headers: r.headers, body: Body(r.body), hops: r.hops })
    }
}

impl Response {
    /// Gives the first header of that name; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|h| h.0.eq_ignore_ascii_case(name)).map(|h| h.1.as_str())
    }
}

impl Body {
    /// Reads on, at most `max` bytes; empty at the end.
    pub fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        self.0.read(max)
    }

    /// Reads the rest, at most `max` bytes; more is an error.
    pub fn read_to_end(&self, max: u32) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        loop {
            let part = self.0.read(64 << 10)?;
            if part.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&part);
            if all.len() > max as usize {
                return Err(Error::Protocol(format!("the body is longer than {max} bytes")));
            }
        }
    }

    /// Gives the trailers, once the body was read.
    pub fn trailers(&self) -> Vec<(String, String)> {
        self.0.trailers()
    }

    /// Gives the bytes that came so far, as they were sent (before decompression).
    pub fn received(&self) -> u64 {
        self.0.received()
    }

    /// Gives the nanoseconds from the headers to the last byte that came so far.
    pub fn transfer_ns(&self) -> u64 {
        self.0.transfer_ns()
    }

    pub(crate) fn into_raw(self) -> wit::Body {
        self.0
    }
}
