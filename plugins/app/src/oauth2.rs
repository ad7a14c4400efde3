//! Tokens by OAuth 2's client credentials grant (RFC 6749, section 4.4).

use crate::client::OAuth2;
use crate::request::{base64, escape};
use serde::Deserialize;
use watchglass_sdk::http::Request;
use watchglass_sdk::prelude::*;

/// A token is taken for ended so many milliseconds before its end: it has to last for the request it is fetched for.
const MARGIN_MS: i64 = 10_000;
/// Longest answer of a server of tokens.
const MAX_ANSWER: u32 = 64 << 10;

/// A token, and until when it is good.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    kind: String,
    value: String,
    /// Milliseconds since 1970; none: it does not end.
    until: Option<i64>,
}

impl Token {
    /// What stands in the Authorization header.
    pub(crate) fn header(&self) -> String {
        format!("{} {}", self.kind, self.value)
    }

    /// Tells whether it is good at `now`.
    pub(crate) fn is_good(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until - MARGIN_MS)
    }
}

/// Fetches a token. The server is told who we are by a header first and, where it refuses that, in the form, as Go's client does.
pub(crate) fn fetch(config: &OAuth2, proxy: Option<&str>, now: i64, timeout_ms: u32) -> Result<Token, Error> {
    let secret = config.secret().reveal()?;
    let mut last = Error::Unavailable(format!("oauth2: {}: no answer", config.token_url));
    for in_header in [true, false] {
        let mut request =
            Request::post_form(&config.token_url, form(config, (!in_header).then_some(&secret)), timeout_ms);
        if in_header {
            let pair = format!("{}:{}", query_escape(&config.client_id), query_escape(&secret));
            request = request.header("Authorization", format!("Basic {}", base64(pair.as_bytes())));
        }
        request.tls = config.tls_config.options();
        request.proxy = config.proxy_url.clone().or_else(|| proxy.map(str::to_owned));
        request.max_body = MAX_ANSWER;
        let response = request.send()?;
        let body = response.body.read_to_end(MAX_ANSWER)?;
        if (200..300).contains(&response.status) {
            return token(&body, now).map_err(|e| Error::Protocol(format!("oauth2: {}: {e}", config.token_url)));
        }
        last = Error::Denied(format!("oauth2: {}: server returned HTTP status {}", config.token_url, response.status));
    }
    Err(last)
}

fn form(config: &OAuth2, secret: Option<&String>) -> String {
    let mut pairs = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    if !config.scopes.is_empty() {
        pairs.push(("scope".to_owned(), config.scopes.join(" ")));
    }
    if let Some(secret) = secret {
        pairs.push(("client_id".to_owned(), config.client_id.clone()));
        pairs.push(("client_secret".to_owned(), secret.clone()));
    }
    pairs.extend(config.endpoint_params.iter().map(|(n, v)| (n.clone(), v.clone())));
    pairs.iter().map(|(n, v)| format!("{}={}", query_escape(n), query_escape(v))).collect::<Vec<_>>().join("&")
}

fn query_escape(text: &str) -> String {
    escape(text, b"-_.~ ").replace(' ', "+")
}

/// Reads the answer (RFC 6749, section 5.1).
fn token(body: &[u8], now: i64) -> Result<Token, String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        #[serde(default)]
        token_type: String,
        #[serde(default)]
        expires_in: Option<serde_json::Value>,
    }
    // The answer is not shown: a token may stand in what could not be read.
    let answer: Answer = serde_json::from_slice(body).map_err(|_| "the answer is no token in JSON".to_owned())?;
    if answer.access_token.is_empty() {
        return Err("the answer has no access_token".to_owned());
    }
    // Some servers write the number as text.
    let seconds = answer.expires_in.and_then(|v| v.as_f64().or_else(|| v.as_str()?.parse().ok())).filter(|s| *s > 0.0);
    let kind = match answer.token_type.to_ascii_lowercase().as_str() {
        "" | "bearer" => "Bearer".to_owned(),
        _ => answer.token_type,
    };
    Ok(Token { kind, value: answer.access_token, until: seconds.map(|s| now.saturating_add((s * 1_000.0) as i64)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_tokens_with_an_end() {
        let t = token(br#"{"access_token":"x","token_type":"bearer","expires_in":60}"#, 1_000).unwrap();
        assert_eq!(t.header(), "Bearer x");
        assert!(t.is_good(50_999) && !t.is_good(51_000));
        assert!(token(br#"{"access_token":"x","expires_in":"60"}"#, 0).unwrap().until == Some(60_000));
        assert!(token(br#"{"access_token":"x"}"#, 0).unwrap().is_good(i64::MAX));
        assert_eq!(token(br#"{"access_token":"x","token_type":"MAC"}"#, 0).unwrap().header(), "MAC x");
        let e = token(br#"{"access_token":"hunter2""#, 0).unwrap_err();
        assert!(!e.contains("hunter2"), "{e}");
        assert!(token(b"{\"access_token\":\"\"}", 0).is_err());
    }

    #[test]
    fn the_form_names_scopes_and_more() {
        let config = OAuth2 {
            client_id: "a b".into(),
            scopes: vec!["x".into(), "y&z".into()],
            endpoint_params: [("audience".to_owned(), "m/1".to_owned())].into(),
            ..OAuth2::default()
        };
        assert_eq!(form(&config, None), "grant_type=client_credentials&scope=x+y%26z&audience=m%2F1");
        assert_eq!(
            form(&config, Some(&"s".to_owned())),
            "grant_type=client_credentials&scope=x+y%26z&client_id=a+b&client_secret=s&audience=m%2F1"
        );
    }
}
