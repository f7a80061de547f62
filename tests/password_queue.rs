//! No thread is free to look at a password: whoever brings one is told to come again, and nothing is held against them.
//! The JSON of a frontend says so too (`frontend.rs`).

use serde_json::json;

use crate::harness::{Answer, Authorization, PASSWORD, Page, TestApp};

const NEW: &str = "four brown foxes jump";
/// More often than a wrong password may be tried.
const OFTEN: usize = 5;

/// A server that allows few attempts, and an instance of it that has no thread to spare.
async fn servers() -> (TestApp, TestApp) {
    let app = TestApp::with_config(|config| {
        config.throttle.per_account_and_network = 2;
        config.throttle.per_network = 2;
        config.throttle.per_device = 2;
    })
    .await;
    let busy = app.busy_instance().await;
    (app, busy)
}

#[track_caller]
fn assert_busy(page: &Page, path: &str, error: &str) {
    assert!(!page.has_left && page.url.path() == path, "{page:?}");
    assert_eq!(page.answer.status, 503, "{page:?}");
    assert_eq!(page.answer.header("retry-after"), Some("5"), "{page:?}");
    assert!(!page.text(error).is_empty(), "{page:?}");
    page.assert_page_headers();
}

#[track_caller]
fn assert_problem(answer: &Answer) {
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"), "{answer:?}");
}

#[tokio::test]
async fn the_sign_in_page_keeps_the_name_and_counts_nothing() {
    let (app, busy) = servers().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let mut page = browser.open(&Authorization::of(&client).path()).await;
    browser.use_instance(&busy.base);
    for username in [["alice"; OFTEN], ["nobody"; OFTEN]].concat() {
        page = browser.submit(&page, "login-submit", &[("username", username), ("password", PASSWORD)]).await;
        assert_busy(&page, "/login", "login-error");
        assert_eq!(page.attribute("username", "value").as_deref(), Some(username));
    }
    browser.use_instance(&app.base);
    browser.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn a_change_of_password_changes_nothing_and_counts_nothing() {
    let (app, busy) = servers().await;
    let alice = app.alice().await;
    let (mut browser, _) = app.signed_in(&alice).await;
    let mut page = browser.open("/account/password").await;
    let change = [("current", PASSWORD), ("password", NEW), ("repeat", NEW)];
    browser.use_instance(&busy.base);
    for _ in 0..OFTEN {
        page = browser.submit(&page, "password-submit", &change).await;
        assert_busy(&page, "/account/password", "password-error");
    }
    browser.use_instance(&app.base);
    // The password is still the one before.
    browser.submit(&page, "password-submit", &change).await.assert_shown("/account/password", &["password-done"]);
}

#[tokio::test]
async fn a_link_to_choose_a_password_is_not_used_up() {
    let (app, busy) = servers().await;
    let (admin, alice) = (app.admin(&["admin:users"]).await, app.alice().await);
    let made = admin.post(&format!("/admin/users/{}/password-ticket", alice.sub()), &json!({})).await.document(201);
    let mut browser = app.browser();
    let mut page = browser.open(made["url"].as_str().expect("a link")).await;
    let chosen = [("password", NEW), ("repeat", NEW)];
    browser.use_instance(&busy.base);
    for _ in 0..OFTEN {
        page = browser.submit(&page, "password-submit", &chosen).await;
        assert_busy(&page, "/account/password", "password-error");
    }
    browser.use_instance(&app.base);
    browser.submit(&page, "password-submit", &chosen).await.assert_shown("/account/password", &["password-done"]);
}

#[tokio::test]
async fn an_administrator_is_told_so_and_nobody_is_made_or_changed() {
    let (app, busy) = servers().await;
    let (admin, there, alice) =
        (app.admin(&["admin:users"]).await, busy.admin(&["admin:users"]).await, app.alice().await);
    let carol = json!({ "username": "carol", "password": NEW });
    let path = format!("/admin/users/{}/password", alice.sub());
    let password = json!({ "password": NEW });
    for _ in 0..2 {
        assert_problem(&there.post("/admin/users", &carol).await);
        assert_problem(&there.put(&path, &password).await);
    }
    let mut browser = app.browser();
    let page = browser.open("/login").await;
    assert_eq!(browser.log_in(&page, &alice).await.url.path(), "/account/consents", "with the password from before");
    admin.post("/admin/users", &carol).await.document(201);
    assert_eq!(admin.put(&path, &password).await.status, 204);
}
