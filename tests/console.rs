//! The console: who is let in, and what holds of every page. What each page does is tested beside.

use chrono::TimeDelta;
use http::Method;
use ostiary::admin::{Rule, console};
use ostiary::model::id::SubjectId;
use ostiary::model::session::EndReason;
use ostiary::storage::state::{Kind, StateKey};

use crate::harness::{Answer, Browser, TestApp};

/// The path with something in place of its parameters that no row has.
fn path_of(rule: &Rule) -> String {
    let segments = rule
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "00000000-0000-4000-8000-000000000000" } else { part });
    segments.collect::<Vec<_>>().join("/")
}

async fn visit(app: &TestApp, browser: &Browser, rule: &Rule, form: &[(&str, &str)]) -> Answer {
    let call = app.fetch(browser, rule.method.clone(), &path_of(rule));
    if rule.method == Method::GET { call.send().await } else { call.form(form).send().await }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    for rule in console::rules() {
        let answer = visit(&app, &app.browser(), &rule, &[]).await;
        assert_eq!(answer.status, 303, "{rule:?} {answer:?}");
        let location = answer.header("location").unwrap();
        let back: String = url::form_urlencoded::byte_serialize(path_of(&rule).as_bytes()).collect();
        assert!(location.starts_with(&format!("{}/login?switch=1&", app.issuer())), "{rule:?} {location}");
        assert!(location.ends_with(&format!("&return_to={back}")), "{rule:?} {location}");
    }
    let mut browser = app.browser();
    let page = browser.open("/console/clients?search=photo%20album").await;
    page.assert_shown("/login", &["username", "login-submit"]);
    assert!(page.visible_text().contains("to administer this server"), "{page:?}");
    let page = browser.submit(&page, "login-submit", &[("username", "root"), ("password", "wrong")]).await;
    page.assert_shown("/login", &["login-error"]);
    let page = browser.log_in(&page, &root).await;
    page.assert_shown("/console/clients", &["search"]);
    assert_eq!(page.attribute("search", "value").as_deref(), Some("photo album"));
}

#[tokio::test]
async fn a_sign_in_leads_back_to_nothing_but_the_console() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    for elsewhere in ["https://evil.example/console", "//evil.example/console", "/logout", "/console/../logout"] {
        let mut browser = app.browser();
        let page = browser.open("/console").await;
        let mut form = page.form("login-submit");
        form.set("return_to", elsewhere);
        form.set("username", &root.username);
        form.set("password", crate::harness::PASSWORD);
        let page = browser.send_form(&page, form).await;
        page.assert_shown("/account/consents", &[]);
    }
}

#[tokio::test]
async fn only_administrators_are_let_in() {
    let app = TestApp::start().await;
    let (alice, root) = (app.alice().await, app.administrator().await);
    let (browser, csrf) = app.signed_in(&alice).await;
    for rule in console::rules() {
        let answer = visit(&app, &browser, &rule, &[("csrf", &csrf)]).await;
        assert_eq!(answer.status, 403, "{rule:?} {answer:?}");
        assert!(answer.body.contains("Only for administrators"), "{rule:?} {answer:?}");
    }
    let (browser, csrf) = app.signed_in(&root).await;
    for rule in console::rules() {
        let answer = visit(&app, &browser, &rule, &[("csrf", &csrf)]).await;
        assert!(!matches!(answer.status, 401 | 403) && answer.header("location").is_none_or(|l| !l.contains("/login")));
        assert!(answer.status < 500, "{rule:?} {answer:?}");
    }
    // Who lost the role is out at once.
    let mut page = app.at_console(&root).await;
    let other = app.administrator_called("other").await;
    let admin = app.admin_of_everything().await;
    admin
        .patch(&format!("/admin/users/{}", root.sub()), &serde_json::json!({"is_administrator": false}))
        .await
        .document(200);
    page.open("/console").await.assert_refused(403);
    let door = page.open("/console/clients").await;
    let sign_in = page.click(&door, "closed-sign-in").await;
    page.log_in(&sign_in, &other).await.assert_shown("/console/clients", &["search"]);
}

#[tokio::test]
async fn no_form_counts_without_its_csrf_token() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let (browser, csrf) = app.signed_in(&root).await;
    for rule in console::rules().into_iter().filter(|rule| rule.method != Method::GET) {
        for form in [&[][..], &[("csrf", "AAAA")]] {
            let answer = visit(&app, &browser, &rule, form).await;
            assert_eq!(answer.status, 403, "{rule:?} {answer:?}");
            assert!(answer.body.contains("did not come from here"), "{rule:?} {answer:?}");
        }
        let foreign = app.request(rule.method.clone(), &path_of(&rule)).header("cookie", &browser.cookie_header());
        let foreign = foreign.header("origin", "https://elsewhere.example").form(&[("csrf", &csrf)]).send().await;
        assert_eq!(foreign.status, 403, "{rule:?} {foreign:?}");
    }
}

#[tokio::test]
async fn a_frontend_of_the_operators_own_administers_nothing() {
    let frontend = "http://login.localhost:4000";
    let app = TestApp::with_config(|config| config.server.frontend_base_url = Some(frontend.to_owned())).await;
    let (mut browser, client) = (app.console().await, app.web_client().await);
    let path = format!("/console/clients/{}/standing", client.id);
    let form = browser.open(&path).await.form("confirm");
    let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let send = |origin: &str, site: &str| {
        let call = app.post(&path).header("cookie", &browser.cookie_header());
        call.header("origin", origin).header("sec-fetch-site", site).form(&fields).send()
    };
    assert_eq!(send(frontend, "same-site").await.status, 403);
    assert_eq!(send("null", "same-site").await.status, 403);
    assert_eq!(send(app.issuer(), "same-origin").await.status, 303);
}

#[tokio::test]
async fn after_an_hour_an_administrator_proves_again_who_they_are() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let mut browser = app.at_console(&root).await;
    app.pass(TimeDelta::minutes(60));
    browser.open("/console").await.assert_shown("/console", &[]);
    app.pass_seconds(1);
    let page = browser.open("/console/clients?search=x").await;
    page.assert_shown("/login", &["login-submit"]);
    assert!(page.visible_text().contains("too long ago"), "{page:?}");
    assert_eq!(page.attribute("username", "value").as_deref(), Some("root"));
    browser.log_in(&page, &root).await.assert_shown("/console/clients", &["search"]);
}

#[tokio::test]
async fn what_was_typed_before_a_sign_in_is_not_lost() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let client = app.web_client().await;
    let path = format!("/console/clients/{}", client.id);
    let mut browser = app.at_console(&root).await;
    let page = browser.open(&format!("{path}/edit")).await;
    app.pass(TimeDelta::hours(2));
    let page = browser.submit(&page, "save", &[("client_name.en", "Late")]).await;
    page.assert_shown("/login", &["login-submit"]);
    let page = browser.log_in(&page, &root).await;
    page.assert_shown(&format!("{path}/edit"), &["form-error"]);
    assert_eq!(page.attribute("client-name-en", "value").as_deref(), Some("Late"));
    browser.submit(&page, "save", &[]).await.assert_done(&path, "The settings were saved.");
    // It is there once.
    let page = browser.open(&format!("{path}/edit")).await;
    assert!(!page.has("form-error"), "{page:?}");
}

#[tokio::test]
async fn what_somebody_typed_before_a_sign_in_is_shown_to_nobody_else() {
    let app = TestApp::start().await;
    let (root, other) = (app.administrator().await, app.administrator_called("rita").await);
    let client = app.web_client().await;
    let path = format!("/console/clients/{}", client.id);
    let mut browser = app.at_console(&root).await;
    let page = browser.open(&format!("{path}/edit")).await;
    app.pass(TimeDelta::hours(2));
    let page = browser.submit(&page, "save", &[("client_name.en", "Late")]).await;
    let page = browser.log_in(&page, &other).await;
    page.assert_shown(&format!("{path}/edit"), &["save"]);
    assert!(!page.has("form-error") && !page.answer.body.contains("Late"), "{page:?}");
}

#[tokio::test]
async fn what_somebody_typed_is_kept_for_an_administrator_alone() {
    let app = TestApp::start().await;
    for (person, is_kept) in [(app.alice().await, false), (app.administrator().await, true)] {
        let (browser, csrf) = app.signed_in(&person).await;
        let subject = SubjectId::new(person.sub());
        app.app.postgres.end_sessions_of(&subject, EndReason::Administrator, 10, app.now()).await.unwrap();
        let rule = console::rules().into_iter().find(|rule| rule.method == Method::POST).unwrap();
        let answer = visit(&app, &browser, &rule, &[("csrf", &csrf), ("name", "Late")]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let key = StateKey::new(Kind::Remark, format!("{}:draft", person.sub()));
        assert_eq!(app.app.state.get(&key, app.now()).await.unwrap().is_some(), is_kept);
    }
}

#[tokio::test]
async fn the_first_page_says_what_is_here_and_what_waits() {
    let app = TestApp::start().await;
    app.web_client().await;
    app.web_client().await;
    let mut browser = app.console().await;
    let page = browser.open("/console").await;
    page.assert_shown("/console", &["count-clients", "next-step", "room-clients", "console-sign-out"]);
    let figures = ["clients", "people", "sessions"].map(|what| page.text(&format!("count-{what}")));
    assert_eq!(figures, ["2", "1", "1"]);
    assert_eq!(page.text("open-requests"), "Nobody waits for a decision.");
    assert_eq!(page.attributes("nav [aria-current=page]", "href"), ["/console"]);
    assert_eq!(page.attributes("html", "lang"), ["en"]);
    browser.open("/console/nothing").await.assert_error(
        "/console/nothing",
        404,
        "invalid_request",
        "there is nothing at this path",
    );
}

#[tokio::test]
async fn clients_are_listed_in_pages_and_found_by_name() {
    let app = TestApp::start().await;
    for _ in 0..27 {
        app.web_client().await;
    }
    let mut browser = app.console().await;
    let page = browser.open("/console/clients").await;
    page.assert_shown("/console/clients", &["clients", "page-next"]);
    let first = page.texts("#clients tbody code");
    assert_eq!(first.len(), 25);
    let second = browser.click(&page, "page-next").await;
    let rest = second.texts("#clients tbody code");
    assert!(rest.len() == 2 && rest.iter().all(|id| !first.contains(id)) && !second.has("page-next"), "{second:?}");
    assert_eq!(browser.click(&second, "page-first").await.texts("#clients tbody code"), first);
    let found = browser.submit(&page, "search-submit", &[("search", &rest[0])]).await;
    assert_eq!(found.texts("#clients tbody code"), [rest[0].as_str()]);
    let none = browser.submit(&page, "search-submit", &[("search", "no such")]).await;
    none.assert_shown("/console/clients", &["no-clients"]);
    browser.open("/console/clients?cursor=x").await.assert_refused(400);
}
