//! A client's own picture on our pages.

use ostiary::config::OutboundPurpose;
use serde_json::json;

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, TestApp, TlsPeer};

/// Two pixels by one.
const PNG: &[u8] = include_bytes!("logo.png");

const PICTURE: &str = "
    const picture = document.querySelector('img');
    return picture.decode().then(() => [picture.naturalWidth, picture.naturalHeight, new URL(picture.src).origin]);";

#[tokio::test]
async fn the_logo_of_a_client_is_shown_and_comes_from_the_issuer() {
    let peer = TlsPeer::start();
    peer.serve("image/png", PNG);
    let logos = |config: &mut ostiary::config::Config| {
        peer.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientLogo);
    };
    let app = TestApp::with_config(logos).await;
    let logo_uri = peer.url("/logo.png");
    let client = RelyingParty::with(&app, |settings, _| settings.logo_uri = Some(logo_uri.clone())).await;
    let chromium = Chromium::start(&app).await;
    for _ in 0..2 {
        chromium.open(&Authorization::of(&client.client).path()).await;
        chromium.shows("/login").await;
        assert_eq!(chromium.run(PICTURE).await, json!([2, 1, app.issuer()]));
    }
    assert_eq!(peer.calls(), 1, "the person's browser never calls the client's host");
    chromium.close().await;
}
