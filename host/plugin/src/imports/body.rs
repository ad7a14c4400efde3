//! Response bodies, which stay on the host until they are read.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::AbortHandle;
use wasmtime::component::Resource;

use super::dial::{nanos, until};
use super::errors::Error;
use crate::bindings::wit::http::HostBody;
use crate::state::State;

/// What a plugin's handle of a body stands for.
#[allow(unreachable_pub, reason = "the generated bindings export it again")]
pub enum Body {}

/// Bytes that one read may give.
const MAX_READ: u32 = 16 << 20;

/// What is handed to the decompressor at once: a hostile body grows a thousandfold, and the limit is looked at after each piece.
const PIECE: usize = 4 << 10;

/// The task that moves a connection's bytes; it ends with the body.
pub(super) struct Driver(pub(super) AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A response's body.
pub(crate) struct BodySlot {
    url: String,
    incoming: Option<Incoming>,
    _driver: Driver,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// Decoded, not read as yet.
    ready: BytesMut,
    /// As sent.
    received: u64,
    decoded: u64,
    max: u64,
    trailers: Vec<(String, String)>,
    began: Instant,
    transfer: Duration,
    timeout: Duration,
}

impl BodySlot {
    pub(super) fn new(
        url: String,
        incoming: Incoming,
        driver: Driver,
        gzip: bool,
        max: u32,
        timeout: Duration,
    ) -> BodySlot {
        BodySlot {
            url,
            incoming: Some(incoming),
            _driver: driver,
            gzip: gzip.then(|| MultiGzDecoder::new(Vec::new())),
            ready: BytesMut::new(),
            received: 0,
            decoded: 0,
            max: u64::from(max),
            trailers: Vec::new(),
            began: Instant::now(),
            transfer: Duration::ZERO,
            timeout,
        }
    }

    /// Gets more into `ready`. False: the end.
    async fn fill(&mut self) -> Result<bool, Error> {
        let Some(incoming) = &mut self.incoming else { return Ok(false) };
        let frame = match incoming.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(e)) => {
                self.incoming = None;
                return Err(Error::Unavailable(format!("{}: reading the body: {}", self.url, super::http::chain(&e))));
            }
            None => {
                self.incoming = None;
                self.transfer = self.began.elapsed();
                self.finish_gzip()?;
                return Ok(!self.ready.is_empty());
            }
        };
        self.transfer = self.began.elapsed();
        match frame.into_data() {
            Ok(data) => {
                self.received += data.len() as u64;
                self.take(&data)?;
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    self.trailers = super::http::header_list(&trailers);
                }
            }
        }
        Ok(true)
    }

    fn take(&mut self, data: &Bytes) -> Result<(), Error> {
        let Some(mut gzip) = self.gzip.take() else {
            self.ready.extend_from_slice(data);
            self.decoded += data.len() as u64;
            return self.check();
        };
        for piece in data.chunks(PIECE) {
            if let Err(e) = gzip.write_all(piece) {
                self.incoming = None;
                return Err(Error::Protocol(format!("{}: gzip: {e}", self.url)));
            }
            self.drain(gzip.get_mut())?;
        }
        self.gzip = Some(gzip);
        Ok(())
    }

    fn finish_gzip(&mut self) -> Result<(), Error> {
        let Some(gzip) = self.gzip.take() else { return Ok(()) };
        // An empty body is no broken gzip: HEAD and 304 have none whatever their headers say.
        if self.received == 0 {
            return Ok(());
        }
        let mut rest = gzip.finish().map_err(|e| Error::Protocol(format!("{}: gzip: {e}", self.url)))?;
        self.drain(&mut rest)
    }

    fn drain(&mut self, decoded: &mut Vec<u8>) -> Result<(), Error> {
        self.ready.extend_from_slice(decoded);
        self.decoded += decoded.len() as u64;
        decoded.clear();
        self.check()
    }

    fn check(&mut self) -> Result<(), Error> {
        if self.decoded <= self.max {
            return Ok(());
        }
        self.incoming = None;
        self.ready.clear();
        Err(Error::TooLarge(format!("{}: the body is longer than {} bytes", self.url, self.max)))
    }

    async fn read(&mut self, max: usize, at: Instant) -> Result<Bytes, Error> {
        until(at, async {
            while self.ready.is_empty() {
                if !self.fill().await? {
                    return Ok(Bytes::new());
                }
            }
            let n = self.ready.len().min(max);
            Ok(self.ready.split_to(n).freeze())
        })
        .await
    }

    /// As `read`, ending between two characters where there is more to come.
    async fn read_text(&mut self, max: usize, at: Instant) -> Result<String, Error> {
        until(at, async {
            loop {
                let n = self.ready.len().min(max);
                let begun = unfinished(&self.ready[..n]);
                // A whole character more than what is only begun, or nothing more to come.
                if n > begun || (n > 0 && (self.incoming.is_none() || n == max)) {
                    let take = if n > begun { n - begun } else { n };
                    let bytes = self.ready.split_to(take);
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                if !self.fill().await? && self.ready.is_empty() {
                    return Ok(String::new());
                }
            }
        })
        .await
    }

    /// What is left of it.
    pub(crate) async fn into_bytes(mut self, left: Duration) -> Result<Bytes, Error> {
        let at = Instant::now() + left;
        until(at, async {
            while self.fill().await? {}
            Ok(std::mem::take(&mut self.ready).freeze())
        })
        .await
    }

    fn at(&self, asked: Duration) -> Instant {
        Instant::now() + asked.min(self.timeout)
    }
}

/// Bytes at the end that begin a character of UTF-8 and don't finish it.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        if byte & 0xc0 == 0x80 {
            continue;
        }
        let needed = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

impl State {
    fn body(&mut self, handle: &Resource<Body>) -> Result<&mut BodySlot, Error> {
        let gone = || Error::Other("this body is gone: one lives as long as the call that asked for it".into());
        self.bodies.get(handle.rep()).ok_or_else(gone)
    }
}

impl HostBody for State {
    async fn read(&mut self, handle: Resource<Body>, max: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let (time, max) = (self.time(u32::MAX), (max.min(MAX_READ) as usize).min(self.room()).max(1));
        let read = match self.body(&handle) {
            Ok(body) => body.read(max, body.at(time)).await,
            Err(e) => Err(e),
        };
        self.given += read.as_ref().map_or(0, |b| b.len() as u64);
        Ok(read.map(|b| b.to_vec()))
    }

    async fn read_text(&mut self, handle: Resource<Body>, max: u32) -> wasmtime::Result<Result<String, Error>> {
        let (time, max) = (self.time(u32::MAX), (max.min(MAX_READ) as usize).min(self.room()).max(4));
        let read = match self.body(&handle) {
            Ok(body) => body.read_text(max, body.at(time)).await,
            Err(e) => Err(e),
        };
        self.given += read.as_ref().map_or(0, |b| b.len() as u64);
        Ok(read)
    }

    async fn trailers(&mut self, handle: Resource<Body>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.body(&handle).map(|b| b.trailers.clone()).unwrap_or_default())
    }

    async fn received(&mut self, handle: Resource<Body>) -> wasmtime::Result<u64> {
        Ok(self.body(&handle).map(|b| b.received).unwrap_or_default())
    }

    async fn transfer_ns(&mut self, handle: Resource<Body>) -> wasmtime::Result<u64> {
        Ok(self.body(&handle).map(|b| nanos(b.transfer)).unwrap_or_default())
    }

    async fn drop(&mut self, handle: Resource<Body>) -> wasmtime::Result<()> {
        self.bodies.take(handle.rep());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_not_split() {
        for (bytes, expected) in [
            (&b"abc"[..], 0),
            ("é".as_bytes(), 0),
            (&"é".as_bytes()[..1], 1),
            (&"a€".as_bytes()[..3], 2),
            (&"😀".as_bytes()[..3], 3),
            ("😀".as_bytes(), 0),
            (&[0x80, 0x80], 0),
            (&[0xff], 0),
            (&[], 0),
        ] {
            assert_eq!(unfinished(bytes), expected, "{bytes:?}");
        }
    }
}
