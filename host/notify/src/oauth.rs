//! OAuth 2 client credentials for `http_config`.

use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;

use crate::config::{HttpConfig, OAuth2, Secret};
use crate::failure::{Failure, FailureReason, shown};
use crate::http::{network, read_secret};
use crate::render::functions::{base64, url_escape};

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// Refuses what isn't understood, before anything is sent.
pub(crate) fn check(config: &HttpConfig) -> Result<(), String> {
    match config.oauth2.as_ref().map(|o| o.grant_type.as_str()) {
        None | Some("" | "client_credentials") => Ok(()),
        Some(other) => Err(format!("oauth2: grant type `{other}` is not supported; `client_credentials` is")),
    }
}

/// Asks for a token. One per message: messages are rare, and a stored token would have to be watched.
pub(crate) async fn token(client: &Client, config: &OAuth2, dir: &Path, timeout: Duration) -> Result<Secret, Failure> {
    let secret = match config.client_secret_file.as_str() {
        "" => config.client_secret.expose().to_owned(),
        file => read_secret(&dir.join(file)).await?,
    };
    let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    if !config.scopes.is_empty() {
        form.push(("scope".to_owned(), config.scopes.join(" ")));
    }
    form.extend(config.endpoint_params.iter().map(|(name, value)| (name.clone(), value.clone())));
    let body: Vec<String> = form.iter().map(|(n, v)| format!("{}={}", url_escape(n), url_escape(v))).collect();
    let credentials = base64(format!("{}:{}", url_escape(&config.client_id), url_escape(&secret)).as_bytes());
    let request = client
        .post(&config.token_url)
        .header(AUTHORIZATION, format!("Basic {credentials}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(body.join("&"))
        .timeout(timeout);
    let of = |f: Failure| {
        let error = format!("oauth2: {}", f.error);
        Failure { error, ..f }.without_secrets(&[&secret, &credentials])
    };
    let response = request.send().await.map_err(|e| of(network(e, &config.token_url)))?;
    let status = response.status();
    let text = response.text().await.map_err(|e| of(network(e, &config.token_url)))?;
    if !status.is_success() {
        return Err(of(Failure::status(status.as_u16(), &shown(&text), None)));
    }
    match serde_json::from_str::<Token>(&text) {
        Ok(token) => Ok(Secret::new(token.access_token)),
        // The answer isn't shown: a token may be in it.
        Err(_) => Err(Failure::passing("oauth2: the answer holds no access_token", FailureReason::Other)),
    }
}
