//! What a Watchglass plugin author depends on.
//!
//! A collector is a type with three functions ([`Collector`]) and one line, [`export_collector!`]:
//!
//! ```
//! use watchglass_sdk::prelude::*;
//!
//! struct Hello;
//!
//! impl Collector for Hello {
//!     fn describe() -> Manifest {
//!         Manifest::new("hello", "0.1.0", "says hello").declares("hello_greetings", Kind::Gauge, "Greetings said.", &["to"])
//!     }
//!     fn configure(_config: &Json) -> Result<Self, Vec<Problem>> {
//!         Ok(Hello)
//!     }
//!     fn collect(&mut self, _ctx: &Context) -> Result<Collection, Error> {
//!         let mut batch = Batch::new();
//!         batch.family("hello_greetings", Kind::Gauge, "Greetings said.").sample(&[("to", "world")], 1.0);
//!         Ok(batch.into())
//!     }
//! }
//!
//! watchglass_sdk::export_collector!(Hello);
//! ```
//!
//! A rule is the same with [`Rule`] and [`export_rule!`]. Everything outside the plugin is reached through the modules here, each
//! behind a grant of the operator: [`files`], [`net`], [`http`], [`secrets`]; [`log`], [`clock`] and [`random`] need none.
//!
//! Natively (in `cargo test`) the crate compiles too, so that a plugin's parsing is tested without wasm: [`Batch::to_text`] prints what
//! was collected, [`files::StdFiles`] reads a folder of fixtures, and a [`std::io::Read`] stands in for a connection. Calls that only a
//! host can answer (`net`, `http`, `secrets`, `random`) panic there.

pub mod bindings;

mod batch;
pub mod clock;
mod collection;
mod collector;
pub mod config;
mod duration;
mod error;
pub mod files;
pub mod http;
mod intern;
pub mod log;
mod manifest;
pub mod net;
pub mod random;
mod rule;
pub mod secrets;
pub mod system;

pub use batch::{Batch, Family, Shared};
pub use bindings::collector::watchglass::plugin::meta::{
    Capability, DeclaredFamily, Instance, Manifest, Problem, Want,
};
pub use bindings::collector::watchglass::plugin::types::{Error, Kind};
pub use collection::{Collection, Context, Target};
pub use collector::Collector;
pub use duration::Duration;
pub use rule::{Alert, Input, Point, Rule, Series};
/// A plugin's config as it comes from `[collector.config]`.
pub use serde_json::Value as Json;

/// What a plugin usually needs: `use watchglass_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Alert, Batch, Capability, Collection, Collector, Context, Error, Input, Instance, Json, Kind, Manifest,
        Problem, Rule, Series, clock, config, files, http, log, net, secrets,
    };
}

/// What the export macros expand to; not for direct use.
#[doc(hidden)]
pub mod private {
    pub use crate::bindings;
    pub use crate::collector::{collect, configure as configure_collector};
    pub use crate::rule::{configure as configure_rule, evaluate};
}
