//! Answers that travel otherwise than in a query.

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, TestApp, parameters};

#[tokio::test]
async fn form_post_is_posted_by_script() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client).with("response_mode", "form_post");
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.click("consent-allow").await;
    chromium.leaves_for(&client.client.redirect_uri).await;
    let received = client.arrival("/callback").await;
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/callback"));
    assert_eq!(received.content_type, "application/x-www-form-urlencoded");
    let answer = parameters(&received.body);
    assert_eq!(answer["state"], request.value("state"));
    assert_eq!(answer["iss"], app.issuer());
    client.redeem(&app, &request, &answer["code"]).await;
    chromium.close().await;
}

#[tokio::test]
async fn fragment_reaches_the_page_and_not_the_server() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client).with("response_mode", "fragment");
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.leaves_for(&client.client.redirect_uri).await;
    assert_eq!(client.arrival("/callback").await.path, "/callback");
    let answer = parameters(chromium.url().await.fragment().unwrap());
    assert_eq!(answer["state"], request.value("state"));
    client.redeem(&app, &request, &answer["code"]).await;
    chromium.close().await;
}
