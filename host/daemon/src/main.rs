//! The Watchglass daemon: plugins are collected from, samples stored, rules evaluated, alerts routed and sent.
//!
//! `daemon.rs` is where all parts meet; `scrape.rs`, `evaluation.rs` and `alerting.rs` are the three loops that a sample passes on its way from a
//! plugin to a Slack message.

mod alerting;
mod alerting_metrics;
mod cli;
mod collection;
mod collector_plan;
mod config;
mod daemon;
mod evaluation;
mod group_turn;
mod http;
mod metrics;
mod query_service;
mod rule_plugins;
mod rule_threads;
mod scrape;
mod state;
mod time;

use std::process::ExitCode;

pub(crate) use time::now;

/// This machine's name: the `instance` of what is collected from it.
pub(crate) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn main() -> ExitCode {
    cli::main()
}
