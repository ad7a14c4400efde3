//! `/api/v1/plugins`: every file of the plugin folder, what it is, what it may do, what runs of it, and what would start it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::respond::success;
use crate::daemon::Daemon;

pub(crate) async fn plugins(State(daemon): State<Arc<Daemon>>) -> Response {
    let plugins: Vec<Value> = daemon.collection.plugins(&daemon.rule_plugins);
    success(json!({ "plugins": plugins }))
}
