//! Signing keys at the console: a rotation by hand, and what is drawn of it.

use chrono::TimeDelta;

use crate::harness::{Browser, Page, TestApp, copied_directory};

/// The pages of the keys that are in that state.
async fn keys(browser: &mut Browser, state: &str) -> Vec<String> {
    let page = browser.open("/console/keys").await;
    page.assert_shown("/console/keys", &["ES256-tokens", "RS256-tokens", "key-new"]);
    let (paths, states) = (page.attributes("a.kid", "href"), page.texts("td .badge"));
    paths.into_iter().zip(states).filter(|(_, found)| found == state).map(|(path, _)| path).collect()
}

/// What the drawing says to whoever does not see it.
fn drawn(page: &Page) -> String {
    page.attributes("svg[role=img]", "aria-label").join(" ")
}

#[tokio::test]
async fn a_key_is_made_signs_and_the_one_before_is_retired() {
    let folder = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = folder.path().to_owned()).await;
    let root = app.administrator().await;
    let mut browser = app.at_console(&root).await;
    let before = keys(&mut browser, "signs").await;
    assert!(before.len() >= 2, "{before:?}");
    let form = browser.open("/console/new/key").await;
    let page = browser.submit(&form, "save", &[("alg", "ES256")]).await;
    assert_eq!(page.text("remark"), "The key is made and listed.");
    let next = page.url.path().to_owned();
    assert_eq!(keys(&mut browser, "listed, does not sign yet").await, [next.as_str()]);
    assert!(drawn(&browser.open("/console/keys").await).contains("is listed: listed"));
    // One waits already.
    let again = browser.submit(&form, "save", &[("alg", "ES256")]).await;
    assert_eq!(again.answer.status, 409, "{again:?}");
    browser.submit(&form, "save", &[("alg", "HS256")]).await.assert_refused(400);

    // Before its time the page says what breaks, and does it only for who insists.
    let question = browser.click(&page, "activate").await;
    assert!(question.visible_text().contains("It was not listed for long enough"), "{question:?}");
    assert!(question.has("force"), "{question:?}");
    let refused = browser.submit(&question, "confirm", &[]).await;
    refused.assert_refused(409);
    let said = refused.visible_text();
    assert!(said.contains("or tick the box of the question") && !said.contains("--force"), "{refused:?}");
    app.pass(TimeDelta::hours(24));
    let mut browser = app.at_console(&root).await;
    let question = browser.open(&format!("{next}/activate")).await;
    assert!(!question.has("force"), "{question:?}");
    browser.submit(&question, "confirm", &[]).await.assert_done(&next, "The key signs.");
    assert!(keys(&mut browser, "signs").await.contains(&next));
    let in_grace = keys(&mut browser, "grace: verifies only").await;
    let [first] = &in_grace[..] else { panic!("{in_grace:?}") };
    assert!(before.contains(first));
    assert!(drawn(&browser.open("/console/keys").await).contains("is in its grace: listed"));

    // The one that signs cannot be retired; the one before can, when its time has come or when somebody insists.
    let page = browser.open(&next).await;
    assert!(!page.has("retire") && !page.has("activate"), "{page:?}");
    let question = browser.open(&format!("{next}/retire")).await;
    browser.submit(&question, "confirm", &[]).await.assert_refused(409);
    let question = browser.open(&format!("{first}/retire")).await;
    assert!(question.has("force"), "{question:?}");
    browser.submit(&question, "confirm", &[]).await.assert_refused(409);
    let page = browser.submit(&question, "confirm", &[("force", "true")]).await;
    page.assert_done(first, "The key is retired.");
    let listed = app.get("/jwks.json").send().await.json();
    let kid = first.rsplit('/').next().unwrap();
    assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["kid"] != kid), "{listed}");
    browser.open("/console/keys/nothing").await.assert_refused(404);
}

#[tokio::test]
async fn what_happens_next_is_said() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let page = browser.open("/console/keys").await;
    let steps = page.texts("ol.steps li");
    assert!(steps.iter().any(|step| step.ends_with(": a new key is made and listed.")), "{steps:?}");
    assert!(drawn(&page).contains("next key, planned: listed"), "{page:?}");
    let overview = browser.open("/console").await;
    assert!(overview.text("next-step").starts_with("Next: a new key is made and listed for"), "{overview:?}");
}
