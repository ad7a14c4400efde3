//! Scrapes a Prometheus endpoint: what `scrape_configs` do in Prometheus, with its names for the options.
//!
//! The answer's body is handed back unread; it stays with the host, whose own parser reads it. So an app with 100,000 series costs the
//! plugin no more than one with ten.

mod config;
mod request;

use watchglass_sdk::prelude::*;

pub use config::{Authorization, BasicAuth, Config, Protocol, TlsConfig};
pub use request::{accept, content_type, url};

/// The collector.
#[derive(Debug)]
pub struct App {
    config: Config,
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
        Ok(App { config: Config::decode(config)? })
    }

    fn collect(&mut self, ctx: &Context) -> Result<Collection, Error> {
        let response = request::build(&self.config, ctx)?.send()?;
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
