//! People at the console: finding, registering, changing, passwords, signing out, deleting.

use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{Browser, PASSWORD, Page, TestApp, TestPerson};

const OTHER_PASSWORD: &str = "four brown foxes jump";

fn path_of(person: &TestPerson) -> String {
    format!("/console/people/{}", person.sub())
}

async fn can_sign_in(app: &TestApp, username: &str, password: &str) -> bool {
    let mut browser = app.browser();
    let page = browser.open("/login").await;
    let page = browser.submit(&page, "login-submit", &[("username", username), ("password", password)]).await;
    page.url.path() == "/account/consents"
}

async fn ask(browser: &mut Browser, path: &str, link: &str) -> Page {
    let page = browser.open(path).await;
    let question = browser.click(&page, link).await;
    question.assert_shown(question.url.path(), &["consequences", "confirm", "cancel"]);
    question
}

#[tokio::test]
async fn people_are_listed_in_pages_and_found_by_name() {
    let app = TestApp::start().await;
    for number in 0..26 {
        app.person(&format!("person{number:02}"), serde_json::Map::new()).await;
    }
    app.alice().await;
    let mut browser = app.console().await;
    let page = browser.open("/console/people").await;
    page.assert_shown("/console/people", &["people", "page-next", "person-new"]);
    let first = page.texts("#people tbody th");
    assert_eq!((first.len(), first[0].as_str()), (25, "alice"));
    let rest = browser.click(&page, "page-next").await.texts("#people tbody th");
    assert_eq!(rest, ["person24", "person25", "root"]);
    let found = browser.submit(&page, "search-submit", &[("search", "adams")]).await;
    assert_eq!(found.texts("#people tbody th"), ["alice"]);
    assert_eq!(found.attribute("search", "value").as_deref(), Some("adams"));
    let none = browser.submit(&page, "search-submit", &[("search", "no such")]).await;
    none.assert_shown("/console/people", &["none"]);
    browser.open("/console/people?cursor=x").await.assert_refused(400);
}

#[tokio::test]
async fn a_person_is_registered_with_a_password() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let list = browser.open("/console/people").await;
    let form = browser.click(&list, "person-new").await;
    form.assert_shown("/console/new/person", &["username", "password", "is-administrator"]);
    let weak = [("username", "carol"), ("password", "short"), ("claims/email", "nobody")];
    let page = browser.submit(&form, "save", &weak).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert!(page.text("claims-email-notes").contains("alice@example.org"), "{page:?}");
    assert_eq!(page.attribute("username", "value").as_deref(), Some("carol"));
    let page = browser.submit(&page, "save", &[("password", "short"), ("claims/email", "carol@people.example")]).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert!(page.text("password-notes").contains("characters at least"), "{page:?}");
    assert!(!page.answer.body.contains("\"short\""), "a password is not shown again: {page:?}");
    let page = browser.submit(&page, "save", &[("password", OTHER_PASSWORD)]).await;
    assert_eq!(page.text("remark"), "The person is registered, and can sign in.", "{page:?}");
    assert_eq!((page.text("record"), page.text("state")), ("carol".to_owned(), "enabled".to_owned()));
    assert!(page.visible_text().contains("carol@people.example"), "{page:?}");
    assert!(can_sign_in(&app, "carol", OTHER_PASSWORD).await);
    let form = browser.open("/console/new/person").await;
    let taken = browser.submit(&form, "save", &[("username", "CAROL"), ("password", OTHER_PASSWORD)]).await;
    assert_eq!(taken.answer.status, 409, "{taken:?}");
    assert!(taken.has("form-error"), "{taken:?}");
}

#[tokio::test]
async fn an_invitation_is_told_once_and_works() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let form_page = browser.open("/console/new/person").await;
    let mut form = form_page.form("save");
    form.set("username", "dora");
    let told = browser.send_form(&form_page, form.clone()).await;
    told.assert_shown("/console/new/person", &["username", "link", "works_until", "go-on"]);
    let link = told.text("link");
    // A reload is the same form once more: it invites nobody else, and tells the same.
    assert_eq!(browser.send_form(&form_page, form).await.text("link"), link);
    let page = browser.click(&told, "go-on").await;
    assert_eq!((page.text("state"), page.text("person-link")), ("invited".to_owned(), "Make an invitation".to_owned()));
    assert!(!page.answer.body.contains(&link), "{page:?}");
    let opened = app.browser().open(&link).await;
    assert_eq!(opened.answer.status, 200, "{opened:?}");
    // Another link takes the place of this one.
    let path = page.url.path().to_owned();
    let question = ask(&mut browser, &path, "person-link").await;
    assert!(question.visible_text().contains("within 24 hours"), "{question:?}");
    let told = browser.submit(&question, "confirm", &[]).await;
    told.assert_shown(&format!("{path}/password-link"), &["link", "works_until"]);
    assert_ne!(told.text("link"), link);
    assert_ne!(app.browser().open(&link).await.answer.status, 500);
}

#[tokio::test]
async fn what_is_known_of_a_person_is_changed_and_the_rest_stays() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let alice = app.alice().await;
    let (path, api) = (path_of(&alice), format!("/admin/users/{}", alice.sub()));
    let admin = app.admin_of_everything().await;
    admin.patch(&api, &json!({"claims": {"name#de": "Alice Adam", "nickname#de": "Ali"}})).await.document(200);
    let before = admin.get(&api).await.document(200);
    let page = browser.open(&path).await;
    let form_page = browser.click(&page, "person-edit").await;
    form_page.assert_shown(&format!("{path}/edit"), &["claims-name", "claims-address-country", "other-claims"]);
    // Sent as it is, it changes nothing.
    browser.submit(&form_page, "save", &[]).await.assert_done(&path, "What you changed was saved.");
    assert_eq!(admin.get(&api).await.document(200)["claims"], before["claims"]);
    let form_page = browser.open(&format!("{path}/edit")).await;
    let changes = [
        ("username", "alicia"),
        ("claims/email", "alicia@people.example"),
        ("claims/email_verified", ""),
        ("claims/middle_name", ""),
        ("other_claims", "{\"name#de\": \"Alicia Adam\"}"),
    ];
    browser.submit(&form_page, "save", &changes).await.assert_done(&path, "What you changed was saved.");
    let after = admin.get(&api).await.document(200);
    let mut claims = before["claims"].clone();
    claims["email"] = json!("alicia@people.example");
    claims["name#de"] = json!("Alicia Adam");
    for gone in ["email_verified", "middle_name", "nickname#de"] {
        claims.as_object_mut().unwrap().remove(gone);
    }
    assert_eq!((&after["username"], &after["claims"]), (&json!("alicia"), &claims));
    // What is wrong is said beside its field.
    let form_page = browser.open(&format!("{path}/edit")).await;
    for (name, typed, notes) in [
        ("claims/birthdate", "yesterday", "claims-birthdate-notes"),
        ("other_claims", "[1]", "other-claims-notes"),
        ("other_claims", "{\"name\": \"A\"}", "other-claims-notes"),
    ] {
        let page = browser.submit(&form_page, "save", &[(name, typed)]).await;
        assert_eq!(page.answer.status, 422, "{page:?}");
        assert!(page.has(notes) && page.attribute(notes, "id").is_some(), "{page:?}");
        assert_eq!(page.attribute(&notes.replace("-notes", ""), "aria-invalid").as_deref(), Some("true"), "{page:?}");
    }
    // A form of yesterday.
    admin.patch(&api, &json!({"claims": {"nickname": "Theirs"}})).await.document(200);
    let stale = browser.submit(&form_page, "save", &[("claims/nickname", "Mine")]).await;
    assert_eq!(stale.answer.status, 412, "{stale:?}");
    assert!(stale.text("claims-nickname-notes").contains("There is now: Theirs"), "{stale:?}");
    browser.submit(&stale, "save", &[]).await.assert_done(&path, "What you changed was saved.");
    assert_eq!(admin.get(&api).await.document(200)["claims"]["nickname"], "Mine");
}

#[tokio::test]
async fn a_password_is_set_and_sessions_end_if_that_is_wanted() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let alice = app.alice().await;
    let (mut hers, _) = app.signed_in(&alice).await;
    let path = path_of(&alice);
    let page = browser.open(&path).await;
    let form_page = browser.click(&page, "person-password").await;
    let weak = browser.submit(&form_page, "save", &[("password", "alice12345678")]).await;
    assert_eq!(weak.answer.status, 422, "{weak:?}");
    assert!(weak.text("password-notes").contains("username"), "{weak:?}");
    let mut form = form_page.form("save");
    form.set("password", OTHER_PASSWORD);
    form.remove("sign_out");
    browser.send_form(&form_page, form).await.assert_done(&path, "The password is set.");
    hers.open("/account/consents").await.assert_shown("/account/consents", &[]);
    assert!(can_sign_in(&app, "alice", OTHER_PASSWORD).await && !can_sign_in(&app, "alice", PASSWORD).await);
    app.pass_seconds(1);
    browser.submit(&form_page, "save", &[("password", PASSWORD)]).await.assert_done(&path, "The password is set.");
    assert_eq!(hers.open("/account/consents").await.url.path(), "/login");
}

#[tokio::test]
async fn a_person_is_signed_out_disabled_enabled_and_deleted_after_a_question() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let (alice, client) = (app.alice().await, app.web_client().await);
    let path = path_of(&alice);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let page = browser.open(&path).await;
    page.assert_shown(&path, &["person-sessions", "person-tokens", "sessions-end", "tokens-revoke"]);
    let question = ask(&mut browser, &path, "person-sign-out").await;
    browser.submit(&question, "confirm", &[]).await.assert_done(&path, "The person is signed out everywhere.");
    app.assert_family_is_over(&client, &tokens).await;
    browser.open(&path).await.assert_shown(&path, &["person-sessions-none"]);
    let stale = ask(&mut browser, &path, "person-delete").await;
    for (link, state, can) in [("person-disable", "disabled", false), ("person-enable", "enabled", true)] {
        let question = ask(&mut browser, &path, link).await;
        let page = browser.submit(&question, "confirm", &[]).await;
        page.assert_done(&path, &format!("The person is {state}."));
        assert_eq!(page.text("state"), state);
        assert_eq!(can_sign_in(&app, "alice", PASSWORD).await, can);
    }
    browser.submit(&stale, "confirm", &[]).await.assert_refused(412);
    let question = ask(&mut browser, &path, "person-delete").await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/people", "alice is deleted.");
    assert!(!can_sign_in(&app, "alice", PASSWORD).await);
    browser.open(&path).await.assert_refused(404);
    browser.submit(&question, "confirm", &[]).await.assert_refused(404);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let mut browser = app.at_console(&root).await;
    let path = path_of(&root);
    for link in ["person-disable", "person-delete"] {
        let question = ask(&mut browser, &path, link).await;
        let refused = browser.submit(&question, "confirm", &[]).await;
        refused.assert_refused(409);
        assert!(refused.text("refusal-detail").contains("left to administer"), "{refused:?}");
    }
    let form_page = browser.open(&format!("{path}/edit")).await;
    let mut form = form_page.form("save");
    form.remove("is_administrator");
    let refused = browser.send_form(&form_page, form).await;
    assert_eq!(refused.answer.status, 409, "{refused:?}");
    assert!(refused.text("form-error").contains("left to administer"), "{refused:?}");
    // With another one it goes through, and their pages are closed to them at once.
    let alice = app.alice().await;
    let form_page = browser.open(&format!("{}/edit", path_of(&alice))).await;
    let page = browser.submit(&form_page, "save", &[("is_administrator", "true")]).await;
    assert_eq!(page.text("state"), "administrator", "{page:?}");
    let question = ask(&mut browser, &path, "person-disable").await;
    browser.submit(&question, "confirm", &[]).await;
    assert_eq!(browser.open("/console/people").await.url.path(), "/login");
}

#[tokio::test]
async fn a_password_typed_before_a_sign_in_is_asked_for_again_and_no_invitation_takes_its_place() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let mut browser = app.at_console(&root).await;
    let page = browser.open("/console/new/person").await;
    app.pass(TimeDelta::hours(2));
    let typed = [("username", "dora"), ("password", "correct horse battery")];
    let page = browser.submit(&page, "save", &typed).await;
    let page = browser.log_in(&page, &root).await;
    page.assert_shown("/console/new/person", &["form-error"]);
    assert_eq!(page.attribute("username", "value").as_deref(), Some("dora"));
    assert!(page.text("form-error").contains("type the password again"), "{page:?}");
    assert!(!page.answer.body.contains("correct horse"), "{page:?}");
    // Sent without it, the form makes nobody.
    let refused = browser.submit(&page, "save", &[]).await;
    assert_eq!((refused.answer.status, refused.text("password-notes").contains("was not kept")), (422, true));
    let people = browser.open("/console/people?q=dora").await;
    assert!(!people.visible_text().contains("dora"), "{people:?}");
    // With it, it makes who was asked for.
    let page = browser.submit(&page, "save", &[("password", "correct horse battery")]).await;
    assert_eq!(page.text("remark"), "The person is registered, and can sign in.");
    assert!(can_sign_in(&app, "dora", "correct horse battery").await);
}

#[tokio::test]
async fn a_form_that_was_used_already_keeps_what_is_typed_and_says_so() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let form = browser.open("/console/new/person").await;
    browser.submit(&form, "save", &[("username", "dora")]).await.assert_shown("/console/new/person", &["link"]);
    // Back, and sent once more with another name.
    let refused = browser.submit(&form, "save", &[("username", "erik")]).await;
    assert_eq!(refused.answer.status, 422);
    assert!(refused.text("form-error").contains("This form was sent before"), "{refused:?}");
    assert_eq!(refused.attribute("username", "value").as_deref(), Some("erik"));
    let told = browser.submit(&refused, "save", &[]).await;
    told.assert_shown("/console/new/person", &["link"]);
    assert_eq!(told.text("username"), "erik");
}
