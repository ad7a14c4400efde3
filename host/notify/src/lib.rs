//! alertmanager.yml and the receivers.

pub mod config;
