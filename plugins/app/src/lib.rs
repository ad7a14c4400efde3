//! Scrapes a Prometheus endpoint: what `scrape_configs` do in Prometheus, with its names for the options.
//!
//! The answer's body is handed back unread; it stays with the host, whose own parser reads it. So an app with 100,000 series costs the
//! plugin no more than one with ten.

mod client;
mod config;
mod oauth2;
mod proxy;
mod request;

use oauth2::Token;
use watchglass_sdk::clock;
use watchglass_sdk::prelude::*;

pub use client::{Authorization, BasicAuth, Header, OAuth2, TlsConfig};
pub use config::{Config, Escaping, OneOrMany, Protocol, Size};
pub use request::{accept, content_type, url};

/// The collector.
#[derive(Debug)]
pub struct App {
    config: Config,
    /// The token that oauth2 gave last.
    token: Option<Token>,
}

impl Collector for App {
    fn describe() -> Manifest {
        Manifest::new("app", env!("CARGO_PKG_VERSION"), "scrapes a Prometheus metrics endpoint")
            .lives(Instance::Shared, true)
            .schema(config::SCHEMA)
            .wants(Capability::Http, "", "to ask the targets for their metrics")
            .may_want(Capability::Secret, "", "where the config names a password or a token")
            .declares_more()
    }

    fn configure(config: &Json) -> Result<Self, Vec<Problem>> {
        Ok(App { config: Config::decode(config)?, token: None })
    }

    fn collect(&mut self, ctx: &Context) -> Result<Collection, Error> {
        let mut request = request::build(&self.config, ctx)?;
        if let Some(oauth2) = &self.config.oauth2 {
            let now = clock::now();
            let token = match self.token.take().filter(|t| t.is_good(now)) {
                Some(token) => token,
                None => oauth2::fetch(oauth2, self.config.proxy_url.as_deref(), now, request.timeout_ms)?,
            };
            request = request.header("Authorization", self.token.insert(token).header());
        }
        let response = request.send()?;
        // A token may be withdrawn before its end.
        if response.status == 401 {
            self.token = None;
        }
        if response.status != 200 {
            // The same words as Prometheus', which people search for.
            return Err(Error::Unavailable(format!("server returned HTTP status {}", response.status)));
        }
        let content_type =
            request::content_type(response.header("content-type").unwrap_or(""), self.config.fallback_scrape_protocol)?;
        Ok(Collection::new().with_response(&content_type, response.body))
    }
}

watchglass_sdk::export_collector!(App);
