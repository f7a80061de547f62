//! `/account/password`: choosing a password with a link, or by proving the one before.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Admin, Browser, PASSWORD, Page, TestApp, TestPerson};

const NEW: &str = "four brown foxes jump";
const FORGED: &str = "the form did not come from this page, open it again";

/// The path and query of a link.
fn local(link: &Value) -> String {
    let url = url::Url::parse(link["url"].as_str().expect("a link")).expect("an address");
    format!("{}?{}", url.path(), url.query().expect("a ticket"))
}

async fn ticket_for(admin: &Admin<'_>, person: &TestPerson) -> String {
    local(&admin.post(&format!("/admin/users/{}/password-ticket", person.sub()), &json!({})).await.document(201))
}

async fn choose(browser: &mut Browser, page: &Page, password: &str) -> Page {
    browser.submit(page, "password-submit", &[("password", password), ("repeat", password)]).await
}

async fn can_sign_in(app: &TestApp, username: &str, password: &str) -> bool {
    let mut browser = app.browser();
    let page = browser.open("/login").await;
    let page = browser.submit(&page, "login-submit", &[("username", username), ("password", password)]).await;
    page.url.path() == "/account/consents"
}

#[track_caller]
fn assert_over(page: &Page) {
    assert!(page.has("password-over") && !page.has("password-submit"), "{page:?}");
    assert_eq!(page.answer.status, 400);
    page.assert_page_headers();
}

#[tokio::test]
async fn who_is_invited_chooses_a_password_and_signs_in() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let made = admin.post("/admin/users", &json!({"username": "carol"})).await.document(201);
    let invitation = &made["invitation"];
    assert_eq!((&made["has_password"], &invitation["purpose"]), (&json!(false), &json!("invitation")));
    let expires_at: DateTime<Utc> = serde_json::from_value(invitation["expires_at"].clone()).unwrap();
    assert_eq!(expires_at, app.now() + TimeDelta::hours(24));
    assert!(!can_sign_in(&app, "carol", NEW).await);
    let mut browser = app.browser();
    let page = browser.open(&local(invitation)).await;
    page.assert_shown("/account/password", &["password", "repeat", "password-submit"]);
    assert_eq!(page.url.query(), None, "the ticket is out of the address");
    assert!(page.visible_text().contains("carol"), "{page:?}");
    assert_eq!(page.attribute("password", "autocomplete").as_deref(), Some("new-password"));
    let cookie = browser.cookie("ostiary_password_ticket").expect("a cookie");
    assert_eq!(cookie.attributes, ["httponly", "max-age=3600", "path=/", "samesite=lax"]);
    let page = choose(&mut browser, &page, NEW).await;
    page.assert_shown("/account/password", &["password-done"]);
    assert!(browser.cookie("ostiary_password_ticket").is_none());
    let page = browser.click(&page, "password-go-on").await;
    let page = browser.submit(&page, "login-submit", &[("username", "carol"), ("password", NEW)]).await;
    page.assert_shown("/account/consents", &["room-password"]);
    assert_over(&app.browser().open(&local(invitation)).await);
    let subject = made["subject"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/admin/users/{subject}")).await.document(200)["has_password"], true);
}

#[tokio::test]
async fn what_cannot_be_a_password_uses_no_link_up() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let link = ticket_for(&admin, &alice).await;
    let mut browser = app.browser();
    let mut page = browser.open(&link).await;
    for (password, repeat, said) in [
        ("", "", "fill in every field"),
        (NEW, "another one entirely", "two different ways"),
        ("short", "short", "10 characters or more"),
        ("Password2026", "Password2026", "tried first"),
        ("alice-1234567", "alice-1234567", "like your username"),
        (&"x y ".repeat(300), &"x y ".repeat(300), "too long"),
    ] {
        page = browser.submit(&page, "password-submit", &[("password", password), ("repeat", repeat)]).await;
        page.assert_shown("/account/password", &["password-submit"]);
        assert!(page.text("password-error").contains(said), "{said}: {page:?}");
        assert!(!page.answer.body.contains("another one entirely"), "nothing that was typed comes back");
    }
    assert!(can_sign_in(&app, "alice", PASSWORD).await);
    let page = choose(&mut browser, &page, NEW).await;
    page.assert_shown("/account/password", &["password-done"]);
    assert!(can_sign_in(&app, "alice", NEW).await && !can_sign_in(&app, "alice", PASSWORD).await);
}

#[tokio::test]
async fn a_new_password_signs_out_everywhere_and_ends_the_links() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let first = ticket_for(&admin, &alice).await;
    let second = ticket_for(&admin, &alice).await;
    assert_over(&app.browser().open(&first).await);
    let mut browser = app.browser();
    let page = browser.open(&second).await;
    // Another link that is opened meanwhile does not change whose password is chosen.
    let bob = app.bob().await;
    let other = ticket_for(&admin, &bob).await;
    browser.open(&other).await;
    choose(&mut browser, &page, NEW).await.assert_shown("/account/password", &["password-done"]);
    app.assert_family_is_over(&client, &tokens).await;
    assert!(can_sign_in(&app, "alice", NEW).await && can_sign_in(&app, "bob", PASSWORD).await);
    // Used, and once more.
    assert_over(&choose(&mut browser, &page, "yet another long one").await);
    assert!(can_sign_in(&app, "alice", NEW).await);
    // A password that an administrator sets ends a link too.
    let third = ticket_for(&admin, &alice).await;
    admin.put(&format!("/admin/users/{}/password", alice.sub()), &json!({"password": PASSWORD})).await;
    assert_over(&app.browser().open(&third).await);
}

#[tokio::test]
async fn a_link_works_for_a_while_and_for_people_who_may_sign_in() {
    let app = TestApp::with_config(|config| config.admin.password_ticket = TimeDelta::minutes(5)).await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let link = ticket_for(&admin, &alice).await;
    let mut browser = app.browser();
    app.pass_seconds(299);
    let page = browser.open(&link).await;
    page.assert_shown("/account/password", &["password-submit"]);
    app.pass_seconds(1);
    assert_over(&choose(&mut browser, &page, NEW).await);
    assert_over(&app.browser().open(&link).await);
    let path = format!("/admin/users/{}", alice.sub());
    let link = ticket_for(&admin, &alice).await;
    let page = browser.open(&link).await;
    admin.patch(&path, &json!({"enabled": false})).await.document(200);
    assert_over(&choose(&mut browser, &page, NEW).await);
    admin.post(&format!("{path}/password-ticket"), &json!({})).await.problem(409, "conflict");
    admin.post("/admin/users/nobody/password-ticket", &json!({})).await.problem(404, "not-found");
    for made_up in ["x", &"A".repeat(43), &"A".repeat(44)] {
        assert_over(&app.browser().open(&format!("/account/password?ticket={made_up}")).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_used_twice_at_once_is_used_once() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let admin = app.admin(&["admin:users"]).await;
    for round in 0..5 {
        let person = app.person(&format!("person{round}"), serde_json::Map::new()).await;
        let link = ticket_for(&admin, &person).await;
        let (mut here, mut there) = (app.browser(), app.browser());
        there.use_instance(&other.base);
        let (first, second) = (here.open(&link).await, there.open(&link).await);
        let passwords = ["the first of the two", "the second of the two"];
        let (first, second) =
            tokio::join!(choose(&mut here, &first, passwords[0]), choose(&mut there, &second, passwords[1]));
        let won = [&first, &second].map(|page| page.has("password-done"));
        assert!(won[0] != won[1], "{first:?} {second:?}");
        assert_over(if won[0] { &second } else { &first });
        for (password, is_theirs) in passwords.into_iter().zip(won) {
            assert_eq!(can_sign_in(&app, &person.username, password).await, is_theirs);
        }
    }
}

#[tokio::test]
async fn a_person_changes_their_own_password_and_stays_signed_in_here_alone() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let page = app.browser().open("/account/password").await;
    assert_eq!(page.url.path(), "/login", "who is not signed in signs in first");
    let (mut browser, _) = app.signed_in(&alice).await;
    let page = browser.open("/account/password").await;
    page.assert_shown("/account/password", &["current", "password", "repeat", "password-submit"]);
    let change = [("password", NEW), ("repeat", NEW)];
    let wrong = browser.submit(&page, "password-submit", &[change[0], change[1], ("current", "wrong")]).await;
    wrong.assert_shown("/account/password", &["current", "password-submit"]);
    assert!(wrong.text("password-error").contains("until now is not right"), "{wrong:?}");
    app.assert_family_stands(&client, &tokens).await;
    let done = browser.submit(&page, "password-submit", &[change[0], change[1], ("current", PASSWORD)]).await;
    done.assert_shown("/account/password", &["password-done"]);
    app.assert_access_token_is_over(&client, tokens.access()).await;
    let page = browser.click(&done, "password-go-on").await;
    page.assert_shown("/account/consents", &["no-consents"]);
    assert!(can_sign_in(&app, "alice", NEW).await && !can_sign_in(&app, "alice", PASSWORD).await);
}

#[tokio::test]
async fn guessing_the_password_before_is_throttled_like_a_sign_in() {
    let app = TestApp::with_config(|config| config.throttle.per_device = 3).await;
    let alice = app.alice().await;
    let (mut browser, _) = app.signed_in(&alice).await;
    let page = browser.open("/account/password").await;
    let mut guess = async |current: &str| {
        browser.submit(&page, "password-submit", &[("password", NEW), ("repeat", NEW), ("current", current)]).await
    };
    for _ in 0..3 {
        assert!(guess("wrong").await.text("password-error").contains("until now is not right"));
    }
    let refused = guess(PASSWORD).await;
    assert_eq!(refused.answer.status, 429);
    assert!(refused.answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_refused_form_is_answered_with_a_redirect_and_what_was_wrong_is_said_once() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let (mut browser, _) = app.signed_in(&alice).await;
    let by_link = browser.open(&ticket_for(&admin, &bob).await).await;
    let mut changing = browser.clone();
    changing.forget_cookie("ostiary_password_ticket");
    let by_hand = changing.open("/account/password").await;
    for (mut browser, page) in [(browser, by_link), (changing, by_hand)] {
        let mut form = page.form("password-submit");
        for (name, value) in [("password", "short"), ("repeat", "short"), ("current", PASSWORD)] {
            form.set(name, value);
        }
        let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = app.post("/account/password").header("cookie", &browser.cookie_header());
        let answer = call.header("sec-fetch-site", "same-origin").form(&fields).send().await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let address = format!("{}/account/password", app.issuer());
        assert_eq!(answer.header("location"), Some(address.as_str()), "nothing is in the address");
        let said = |page: &Page| page.visible_text().contains("10 characters or more");
        let again = browser.open(&address).await;
        assert!(said(&again) && again.has("password-error"), "{again:?}");
        let later = browser.open(&address).await;
        assert!(!later.has("password-error") || later.text("password-error").is_empty(), "{later:?}");
    }
}

#[tokio::test]
async fn a_refused_form_comes_back_to_the_page_of_its_own_link() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let mut browser = app.browser();
    let hers = browser.open(&ticket_for(&admin, &alice).await).await;
    let his = browser.open(&ticket_for(&admin, &bob).await).await;
    let again = choose(&mut browser, &hers, "short").await;
    assert!(again.visible_text().contains("alice") && !again.visible_text().contains("bob"), "{again:?}");
    assert!(again.text("password-error").contains("10 characters or more"), "{again:?}");
    choose(&mut browser, &again, NEW).await.assert_shown("/account/password", &["password-done"]);
    choose(&mut browser, &his, NEW).await.assert_shown("/account/password", &["password-done"]);
    assert!(can_sign_in(&app, "alice", NEW).await && can_sign_in(&app, "bob", NEW).await);
}

#[tokio::test]
async fn made_up_tickets_are_throttled() {
    let app = TestApp::with_config(|config| config.throttle.per_network = 3).await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let link = ticket_for(&admin, &alice).await;
    let mut browser = app.browser();
    let page = browser.open(&link).await;
    for guess in 0..3 {
        let mut form = page.form("password-submit");
        form.set("ticket", &format!("{guess}{}", "A".repeat(42)));
        form.set("password", NEW);
        form.set("repeat", NEW);
        assert_over(&browser.send_form(&page, form).await);
    }
    assert_eq!(choose(&mut browser, &page, NEW).await.answer.status, 429);
    app.pass(TimeDelta::hours(1));
    choose(&mut browser, &page, NEW).await.assert_shown("/account/password", &["password-done"]);
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_no_password() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let (mut browser, _) = app.signed_in(&alice).await;
    let fields = [("current", PASSWORD), ("password", NEW), ("repeat", NEW)];
    let page = browser.post_from_elsewhere("/account/password", &fields).await;
    page.assert_error("/account/password", 403, "access_denied", FORGED);
    let page = browser.open(&ticket_for(&admin, &alice).await).await;
    let mut form = page.form("password-submit");
    form.set("csrf", "AAAA");
    form.set("password", NEW);
    form.set("repeat", NEW);
    let page = browser.send_form(&page, form).await;
    page.assert_error("/account/password", 403, "access_denied", FORGED);
    assert!(can_sign_in(&app, "alice", PASSWORD).await);
}
