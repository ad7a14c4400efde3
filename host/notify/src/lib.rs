//! alertmanager.yml and the receivers: Slack, generic webhooks, the console, an external Alertmanager.
//!
//! [`config`] reads and checks the file. [`Notifier`] sends what `watchglass-alerts` says is due and gives back what became of it:
//!
//! ```no_run
//! # async fn example(machine: &mut watchglass_alerts::Alerts, now: i64) -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use watchglass_notify::{Notifier, config::AlertmanagerConfig};
//!
//! let text = std::fs::read_to_string("alertmanager.yml")?;
//! let config = AlertmanagerConfig::parse(&text, "alertmanager.yml")?;
//! let notifier = Notifier::new(&config, "http://watchglass:9666", Path::new("."))?;
//! for notification in machine.step(now) {
//!     let outcome = notifier.send(&notification, now).await;
//!     machine.outcome(notification.id, outcome, now);
//! }
//! # Ok(())
//! # }
//! ```

pub mod config;
pub mod console;
mod failure;
pub mod forward;
mod http;
mod notifier;
mod oauth;
pub mod render;
mod retry;
pub mod slack;
pub mod webhook;

pub use failure::{Failure, FailureReason};
pub use notifier::{Delivery, Notifier, NotifierError};
