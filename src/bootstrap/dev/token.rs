//! A token that the server gets from itself, over HTTP like anybody else: if this works, the demo works.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::demo::DemoMachineClient;
use super::seed::{API, API_SCOPES};
use crate::oauth::paths;

#[derive(Deserialize)]
struct Answer {
    access_token: String,
}

/// A client credentials grant (RFC 6749 section 4.4).
pub async fn get(issuer: &str, client: &DemoMachineClient) -> anyhow::Result<String> {
    // Not the outbound client: that one talks to the outside, and refuses this machine.
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("scope", API_SCOPES.first().copied().unwrap_or_default())
        .append_pair("resource", API)
        .finish();
    let response = http
        .post(format!("{issuer}{}", paths::TOKEN))
        .basic_auth(&client.client_id, Some(&client.client_secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await?;
    let status = response.status();
    let body = response.bytes().await?;
    if !status.is_success() {
        // An error answer holds a code and our own words, never a secret.
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(serde_json::from_slice::<Answer>(&body).context("the answer of the token endpoint")?.access_token)
}
