//! The pages people see: sign-in, consent, their account. What a real browser makes of them is tested elsewhere.

use ostiary::model::catalog::Scope;
use ostiary::model::client::{ClientSettings, ConsentPolicy};

use crate::harness::{Authorization, Browser, MAIL_API, PASSWORD, PHOTOS_API, Page, TestApp, TestClient};

const FORGED: &str = "the form did not come from this page, open it again";
const FOREIGN: &str = "the sign-in is unknown in this browser, start again at the application";

async fn login_page(app: &TestApp, client: &TestClient) -> (Browser, Page, Authorization) {
    let request = Authorization::of(client);
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    page.assert_login();
    (browser, page, request)
}

fn asking(settings: &mut ClientSettings) {
    settings.consent = ConsentPolicy::Remembered;
}

#[tokio::test]
async fn the_login_page_says_who_asks_and_links_policy_and_terms() {
    let app = TestApp::start().await;
    let client = app
        .web_client_with(|settings| {
            settings.policy_uri = Some("https://web.example/privacy".into());
            settings.tos_uri = Some("https://web.example/terms".into());
            settings.logo_uri = Some("https://web.example/logo.png".into());
        })
        .await;
    let (_, page, _) = login_page(&app, &client).await;
    assert!(page.visible_text().contains("Photo Album"), "{}", page.visible_text());
    assert_eq!(page.attribute("client-policy", "href").as_deref(), Some("https://web.example/privacy"));
    assert_eq!(page.attribute("client-tos", "href").as_deref(), Some("https://web.example/terms"));
    let logo = page.attribute("client-logo", "src").expect("a logo");
    assert!(logo.starts_with("/client-logo?"), "served by us, not by the client: {logo}");
    assert_eq!(page.attributes("script", "src"), Vec::<String>::new(), "no script at all");
    for address in page.attributes("link[rel=stylesheet], link[rel=icon]", "href") {
        assert!(address.starts_with("/assets/"), "nothing of third parties: {address}");
        let asset = app.get(&address).send().await;
        assert_eq!((asset.status, asset.header("cache-control")), (200, Some("public, max-age=31536000, immutable")));
    }
}

#[tokio::test]
async fn the_login_form_works_for_people_and_password_managers() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let (_, page, _) = login_page(&app, &client).await;
    assert_eq!(page.attribute("username", "autocomplete").as_deref(), Some("username"));
    assert_eq!(page.attribute("password", "autocomplete").as_deref(), Some("current-password"));
    assert_eq!(page.attribute("password", "type").as_deref(), Some("password"));
    assert_eq!(page.attributes("label", "for"), ["username", "password"]);
    assert_eq!(page.attributes("html", "lang"), ["en"]);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_answered_the_same() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, page, _) = login_page(&app, &client).await;
    let wrong = browser.submit(&page, "login-submit", &[("username", "alice"), ("password", "wrong")]).await;
    let unknown = browser.submit(&page, "login-submit", &[("username", "nobody"), ("password", PASSWORD)]).await;
    for (page, username) in [(&wrong, "alice"), (&unknown, "nobody")] {
        page.assert_login_again();
        assert!(!page.text("login-error").is_empty());
        assert_eq!(page.attribute("username", "value").as_deref(), Some(username));
        assert_eq!(page.attribute("password", "value"), None, "a password is never sent back");
    }
    assert_eq!(wrong.text("login-error"), unknown.text("login-error"));
    // The page still works.
    browser.log_in(&wrong, &alice).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn a_password_hash_that_cannot_be_read_is_answered_like_a_wrong_password() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    app.app.postgres.update_password(&alice.subject, "$2b$12$abcdefghijklmnopqrstuv", app.now()).await.unwrap();
    let (mut browser, page, _) = login_page(&app, &client).await;
    let unreadable = browser.log_in(&page, &alice).await;
    unreadable.assert_login_again();
    let unknown = browser.submit(&page, "login-submit", &[("username", "nobody"), ("password", PASSWORD)]).await;
    assert_eq!(unreadable.text("login-error"), unknown.text("login-error"));
}

#[tokio::test]
async fn an_empty_username_or_password_is_answered_with_the_page() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    app.alice().await;
    let (mut browser, page, _) = login_page(&app, &client).await;
    for (username, password) in [("", ""), ("alice", ""), ("", PASSWORD)] {
        let again = browser.submit(&page, "login-submit", &[("username", username), ("password", password)]).await;
        again.assert_login_again();
        assert!(!again.text("login-error").is_empty());
    }
}

#[tokio::test]
async fn what_was_wrong_is_said_once_and_in_no_address() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    app.alice().await;
    let wrong = [("username", "alice"), ("password", "wrong")];
    for path in [Authorization::of(&client).path(), "/login".to_owned()] {
        let mut browser = app.browser();
        let page = browser.open(&path).await;
        let again = browser.submit(&page, "login-submit", &wrong).await;
        again.assert_shown("/login", &["login-submit"]);
        assert!(again.text("login-error").contains("not right"), "{again:?}");
        assert_eq!(again.url, page.url, "nothing of it is in the address");
        let mut other = app.browser();
        let foreign = other.open(again.url.as_str()).await;
        assert!(!foreign.visible_text().contains("not right"), "{foreign:?}");
        let later = browser.open(again.url.as_str()).await;
        later.assert_shown("/login", &["login-submit"]);
        assert_eq!(later.text("login-error"), "");
    }
}

#[tokio::test]
async fn a_wrong_password_for_another_account_does_not_go_on_with_the_one_that_is_signed_in() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let (mut browser, page, _) = login_page(&app, &client).await;
    let consent = browser.log_in(&page, &alice).await;
    let login = browser.click(&consent, "consent-switch").await;
    let again = browser.submit(&login, "login-submit", &[("username", "bob"), ("password", "wrong")]).await;
    again.assert_login_again();
    assert_eq!(again.attribute("username", "value").as_deref(), Some("bob"));
    let account = browser.open("/login?switch=1").await;
    let again = browser.submit(&account, "login-submit", &[("username", "bob"), ("password", "x")]).await;
    assert!(again.text("login-error").contains("not right"), "{again:?}");
}

#[tokio::test]
async fn usernames_are_compared_without_case_and_surrounding_space() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    app.alice().await;
    for username in ["ALICE", " alice "] {
        let (mut browser, page, _) = login_page(&app, &client).await;
        let page = browser.submit(&page, "login-submit", &[("username", username), ("password", PASSWORD)]).await;
        page.returned_code(&client.redirect_uri);
    }
}

#[tokio::test]
async fn a_disabled_account_cannot_sign_in() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    app.app.postgres.disable_subject(&alice.subject, app.now()).await.unwrap();
    let (mut browser, page, _) = login_page(&app, &client).await;
    browser.log_in(&page, &alice).await.assert_login_again();
}

#[tokio::test]
async fn cancel_at_sign_in_is_access_denied() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let (mut browser, page, request) = login_page(&app, &client).await;
    let page = browser.submit(&page, "login-cancel", &[]).await;
    let answer = page.returned_error(&client.redirect_uri);
    let expected = [("error", "access_denied"), ("iss", app.issuer()), ("state", request.value("state"))];
    assert_eq!(answer, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn denying_consent_is_access_denied_and_asked_again_next_time() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let (mut browser, page, request) = login_page(&app, &client).await;
    let consent = browser.log_in(&page, &alice).await;
    consent.assert_consent();
    let page = browser.submit(&consent, "consent-deny", &[]).await;
    let answer = page.returned_error(&client.redirect_uri);
    let expected = [("error", "access_denied"), ("iss", app.issuer()), ("state", request.value("state"))];
    assert_eq!(answer, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    browser.open(&Authorization::of(&client).path()).await.assert_consent();
}

#[tokio::test]
async fn the_consent_page_says_what_for_whom_where_and_how_long() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let request = Authorization::of(&client)
        .with("scope", "openid profile photos.read offline_access")
        .with("resource", PHOTOS_API);
    let mut browser = app.browser();
    let login = browser.open(&request.path()).await;
    let page = browser.log_in(&login, &alice).await;
    page.assert_consent();
    let text = page.visible_text();
    for words in ["Photo Album", "Alice Adams", "See your profile", "See your photos", "Photos", "web.example"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains("photos.read"), "sentences, not identifiers: {text}");
}

#[tokio::test]
async fn what_is_only_known_in_english_says_so_on_a_german_page() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let description =
        [("en".to_owned(), "See your photos".to_owned()), ("de".to_owned(), "Ihre Fotos sehen".to_owned())];
    let translated = Scope { name: "photos.read".into(), description: description.into(), published: true };
    app.app.postgres.upsert_scope(&translated, app.now()).await.unwrap();
    app.app.registry.poll(app.now()).await.unwrap();
    let request = Authorization::of(&client).with("scope", "openid photos.read mail.read").with("resource", MAIL_API);
    for (language, marked) in [("de", &["Read your mail", "Mail"][..]), ("en", &[])] {
        let mut browser = app.browser();
        browser.speak(language);
        let login = browser.open(&request.path()).await;
        let consent = browser.log_in(&login, &alice).await;
        consent.assert_consent();
        assert_eq!(consent.texts("main [lang]"), marked, "{language}");
    }
}

#[tokio::test]
async fn a_consent_can_be_withdrawn_with_everything_that_came_of_it() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let tokens = app.tokens_in(&mut browser, &client, &request, &alice).await;
    let account = browser.open("/account/consents").await;
    assert_eq!(account.answer.status, 200);
    account.assert_page_headers();
    assert!(account.visible_text().contains("Photo Album"), "{}", account.visible_text());
    let form = account.form_of("form[action=\"/account/consents\"] button");
    let after = browser.send_form(&account, form).await;
    assert!(after.has("no-consents"), "{after:?}");
    app.assert_family_is_over(&client, &tokens).await;
    browser.open(&Authorization::of(&client).path()).await.assert_consent();
}

#[tokio::test]
async fn the_account_page_is_for_whoever_used_the_session_lately() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    for _ in 0..3 {
        // Looking at it is a use.
        app.pass(chrono::TimeDelta::minutes(119));
        let account = browser.open("/account/consents").await;
        assert_eq!(account.url.path(), "/account/consents", "{account:?}");
    }
    app.pass(chrono::TimeDelta::minutes(120));
    let login = browser.open("/account/consents").await;
    assert_eq!(login.url.path(), "/login");
    assert!(!login.visible_text().contains("Alice Adams"), "{login:?}");
}

#[tokio::test]
async fn forms_without_or_with_a_foreign_csrf_token_do_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let (_, foreign, _) = login_page(&app, &client).await;
    let foreign = foreign.form("login-submit").value("csrf").to_owned();
    let (mut browser, login, _) = login_page(&app, &client).await;
    assert_ne!(login.form("login-submit").value("csrf"), foreign, "bound to the browser");
    for token in [None, Some("x"), Some(foreign.as_str())] {
        let mut form = login.form("login-submit");
        form.set("username", "alice");
        form.set("password", PASSWORD);
        form.remove("csrf");
        token.into_iter().for_each(|token| form.set("csrf", token));
        let page = browser.send_form(&login, form).await;
        page.assert_error("/login", 403, "access_denied", FORGED);
    }
    let consent = browser.log_in(&login, &alice).await;
    for token in [None, Some("x"), Some(foreign.as_str())] {
        let mut form = consent.form("consent-allow");
        form.remove("csrf");
        token.into_iter().for_each(|token| form.set("csrf", token));
        let page = browser.send_form(&consent, form).await;
        page.assert_error("/consent", 403, "access_denied", FORGED);
    }
    // Nothing was allowed meanwhile.
    browser.open(&Authorization::of(&client).path()).await.assert_consent();
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let (mut browser, login, _) = login_page(&app, &client).await;
    let consent = browser.log_in(&login, &alice).await;
    let form = consent.form("consent-allow");
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = browser.post_from_elsewhere("/consent", &fields).await;
    page.assert_error("/consent", 403, "access_denied", FORGED);
}

#[tokio::test]
async fn an_attempt_belongs_to_its_browser() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (_, page, _) = login_page(&app, &client).await;
    let mut thief = app.browser();
    for path in [page.url.path(), "/consent", "/select-account", "/authorize/resume"] {
        let address = format!("{path}?{}", page.url.query().unwrap());
        thief.open(&address).await.assert_error(path, 400, "invalid_request", FOREIGN);
    }
    // With a form of the thief's own and the victim's attempt.
    let own = thief.open(&Authorization::of(&client).path()).await;
    let mut form = own.form("login-submit");
    form.set("interaction", page.form("login-submit").value("interaction"));
    form.set("username", &alice.username);
    form.set("password", PASSWORD);
    let page = thief.send_form(&own, form).await;
    page.assert_error("/login", 400, "invalid_request", FOREIGN);
}

#[tokio::test]
async fn an_unknown_attempt_is_explained() {
    let app = TestApp::start().await;
    for id in ["x", "", &"a".repeat(43), "..%2F..%2Fetc"] {
        for path in ["/consent", "/select-account", "/authorize/resume"] {
            let page = app.browser().open(&format!("{path}?interaction={id}")).await;
            page.assert_error(path, 400, "invalid_request", FOREIGN);
        }
    }
}

#[tokio::test]
async fn an_expired_login_page_begins_anew_and_says_so() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, page, request) = login_page(&app, &client).await;
    app.pass(chrono::TimeDelta::minutes(31));
    let again = browser.log_in(&page, &alice).await;
    again.assert_login();
    assert!(!again.text("login-notice").is_empty());
    assert_eq!(again.attribute("username", "value").as_deref(), Some("alice"), "what was typed is kept");
    let answer = browser.log_in(&again, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["state"], request.value("state"));
    // Opening the old address again does the same.
    let (mut browser, page, _) = login_page(&app, &client).await;
    app.pass(chrono::TimeDelta::minutes(31));
    let again = browser.open(page.url.as_str()).await;
    again.assert_login();
    assert!(!again.text("login-notice").is_empty());
}

#[tokio::test]
async fn cookies_are_http_only_lax_and_for_this_host() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    for name in ["ostiary_session", "ostiary_browser"] {
        let cookie = browser.cookie(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(cookie.attributes, ["httponly", "path=/", "samesite=lax"], "{name}: of this session, no domain");
        assert!(cookie.value.len() >= 22);
    }
}

#[tokio::test]
async fn over_https_cookies_are_secure_and_bound_to_the_host() {
    let app = TestApp::with_config(|config| config.server.cookie_secure = Some(true)).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    for name in ["__Host-ostiary_session", "__Host-ostiary_browser"] {
        let cookie = browser.cookie(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(cookie.attributes, ["httponly", "path=/", "samesite=lax", "secure"], "{name}");
    }
}

#[tokio::test]
async fn the_session_id_is_new_at_every_sign_in_and_the_old_one_is_dead() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    let first = browser.cookie("ostiary_session").unwrap().value.clone();
    let login = browser.open(&Authorization::of(&client).with("prompt", "login").path()).await;
    browser.log_in(&login, &alice).await.returned_code(&client.redirect_uri);
    let second = browser.cookie("ostiary_session").unwrap().value.clone();
    assert_ne!(first, second);
    let mut thief = app.browser();
    thief.set_cookie("ostiary_session", &first);
    thief.open(&Authorization::of(&client).path()).await.assert_login();
}

#[tokio::test]
async fn a_planted_session_id_is_not_taken_over() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let planted = "QUFBQUFBQUFBQUFBQUFBQQ";
    let mut victim = app.browser();
    victim.set_cookie("ostiary_session", planted);
    victim.authorize(&Authorization::of(&client), &alice).await;
    assert_ne!(victim.cookie("ostiary_session").unwrap().value, planted);
    let mut attacker = app.browser();
    attacker.set_cookie("ostiary_session", planted);
    attacker.open(&Authorization::of(&client).path()).await.assert_login();
}

#[tokio::test]
async fn malformed_expired_and_foreign_cookies_are_like_none() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut signed_in = app.browser();
    signed_in.authorize(&Authorization::of(&client), &alice).await;
    let other_server = TestApp::start().await;
    let session = signed_in.cookie("ostiary_session").unwrap().value.clone();
    for value in ["x", "", "../../etc", "%00", &"A".repeat(5000)] {
        let mut browser = app.browser();
        browser.set_cookie("ostiary_session", value);
        browser.set_cookie("ostiary_browser", value);
        let login = browser.open(&Authorization::of(&client).path()).await;
        browser.log_in(&login, &alice).await.returned_code(&client.redirect_uri);
    }
    let mut elsewhere = other_server.browser();
    elsewhere.set_cookie("ostiary_session", &session);
    let foreign_client = other_server.web_client().await;
    elsewhere.open(&Authorization::of(&foreign_client).path()).await.assert_login();
    app.pass(chrono::TimeDelta::hours(13));
    signed_in.open(&Authorization::of(&client).path()).await.assert_login();
}

#[tokio::test]
async fn ui_locales_and_accept_language_choose_the_language() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let mut german = app.browser();
    german.speak("de-AT, en;q=0.5");
    let page = german.open(&Authorization::of(&client).path()).await;
    assert_eq!(page.attributes("html", "lang"), ["de"]);
    let english = german.open(&Authorization::of(&client).with("ui_locales", "en-GB").path()).await;
    assert_eq!(english.attributes("html", "lang"), ["en"]);
    let page = app.browser().open(&Authorization::of(&client).with("ui_locales", "se de").path()).await;
    assert_eq!(page.attributes("html", "lang"), ["de"]);
    // Also of the page that the answer leaves with, whether it goes on by itself or is a form.
    let alice = app.alice().await;
    for mode in ["query", "form_post"] {
        let request = Authorization::of(&client).with("ui_locales", "de").with("response_mode", mode);
        let mut browser = app.browser();
        let login = browser.open(&request.path()).await;
        let leaving = browser.log_in(&login, &alice).await;
        assert_eq!(leaving.attributes("html", "lang"), ["de"], "{mode}: {leaving:?}");
    }
}

#[tokio::test]
async fn display_says_what_room_there_is_for_the_pages_of_an_attempt() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    for (display, expected) in [
        (None, "page"),
        (Some("page"), "page"),
        (Some("wap"), "page"),
        (Some("popup"), "popup"),
        (Some("touch"), "touch"),
    ] {
        let request = Authorization::of(&client).with("prompt", "login consent");
        let request = display.map_or(request.clone(), |display| request.with("display", display));
        let mut browser = app.browser();
        let login = browser.open(&request.path()).await;
        let consent = browser.log_in(&login, &alice).await;
        consent.assert_consent();
        for page in [login, consent] {
            assert_eq!(page.attributes("html", "data-display"), [expected], "{display:?}");
        }
    }
}

#[tokio::test]
async fn names_and_hints_are_shown_as_text() {
    let app = TestApp::start().await;
    let client = app
        .web_client_with(|settings| {
            settings.client_name = [("en".to_owned(), "<img src=x onerror=alert(1)>".to_owned())].into();
        })
        .await;
    let (_, page, _) = login_page(&app, &client).await;
    assert!(page.visible_text().contains("<img src=x onerror=alert(1)>"), "{}", page.visible_text());
    assert_eq!(page.attributes("img[src=x]", "src"), Vec::<String>::new());
}

#[tokio::test]
async fn guessing_is_slowed_and_the_victim_is_not_locked_out() {
    let app = TestApp::with_config(|config| {
        config.throttle.per_account_and_network = 3;
        config.throttle.per_device = 3;
    })
    .await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    // A browser in which alice signed in before.
    let mut known = app.browser();
    known.authorize(&Authorization::of(&client), &alice).await;
    let (mut attacker, page, _) = login_page(&app, &client).await;
    let guess = [("username", "alice"), ("password", "wrong")];
    for _ in 0..3 {
        attacker.submit(&page, "login-submit", &guess).await.assert_login_again();
    }
    let refused = attacker.submit(&page, "login-submit", &guess).await;
    assert_eq!(refused.answer.status, 429, "{refused:?}");
    assert!(refused.answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    // The right password is not tried either: nothing can be learnt.
    let right = attacker.submit(&page, "login-submit", &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(right.answer.status, 429);
    // Her own browser, from the same network, still gets in.
    let login = known.open(&Authorization::of(&client).with("prompt", "login").path()).await;
    known.log_in(&login, &alice).await.returned_code(&client.redirect_uri);
    // And the attacker's network may try again later.
    app.pass(chrono::TimeDelta::minutes(31));
    let page = attacker.open(&Authorization::of(&client).path()).await;
    attacker.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn an_error_page_has_a_support_id_that_is_the_request_id() {
    let app = TestApp::start().await;
    let page = app.browser().open("/authorize?client_id=nobody").await;
    page.assert_error("/authorize", 400, "invalid_client", "the client is unknown or disabled");
    assert_eq!(Some(page.text("support-id").as_str()), page.answer.header("x-request-id"));
}

#[tokio::test]
async fn a_request_id_from_outside_is_not_believed() {
    let app = TestApp::start().await;
    let answer = app.get("/health").header("x-request-id", "forged").send().await;
    assert!(answer.header("x-request-id").is_some_and(|id| id != "forged" && id.len() >= 16));
}
