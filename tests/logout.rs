//! `/logout` (OpenID Connect RP-Initiated Logout 1.0). The certification never sends a `client_id` here.

use crate::harness::{Authorization, Browser, Page, TestApp, TestClient, TestPerson, Tokens, jwt};

const GOODBYE: &str = "https://web.example/goodbye";

struct SignedIn {
    app: TestApp,
    client: TestClient,
    alice: TestPerson,
    browser: Browser,
    tokens: Tokens,
}

async fn signed_in() -> SignedIn {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    SignedIn { app, client, alice, browser, tokens }
}

impl SignedIn {
    fn logout(&self, parameters: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        format!("/logout?{query}")
    }

    /// Whether `prompt=none` still finds somebody.
    async fn is_signed_in(&mut self) -> bool {
        let request = Authorization::of(&self.client).with("prompt", "none");
        let answer = self.browser.open(&request.path()).await.returned_to(&self.client.redirect_uri);
        match answer.get("error").map(String::as_str) {
            None => true,
            Some("login_required") => {
                assert_eq!(answer["state"], request.value("state"));
                false
            }
            Some(other) => panic!("{other}"),
        }
    }
}

#[track_caller]
fn assert_logged_out_page(page: &Page) {
    assert!(!page.has_left && matches!(page.url.path(), "/logout" | "/logged-out"), "{page:?}");
    assert_eq!(page.answer.status, 200);
    assert!(page.has("logged-out"), "{page:?}");
    page.assert_page_headers();
}

#[tokio::test]
async fn base_a_valid_hint_and_a_registered_uri_redirect_with_state_only() {
    let mut s = signed_in().await;
    let state = format!("{}%&=+", "s".repeat(124));
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE), ("state", &state)]);
    let page = s.browser.open(&path).await;
    assert_eq!(page.returned_to(GOODBYE), [("state".to_owned(), state)].into());
    assert!(!s.is_signed_in().await);
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn asking_with_head_ends_nothing() {
    let mut s = signed_in().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE)]);
    let answer = s.browser.head(&path).await;
    answer.assert_method_not_allowed(&["GET", "POST"]);
    assert_eq!(answer.header("set-cookie"), None);
    assert!(s.is_signed_in().await);
    s.app.assert_family_stands(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn no_state_redirects_to_exactly_the_uri() {
    let mut s = signed_in().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE)]);
    let page = s.browser.open(&path).await;
    assert!(page.has_left);
    assert_eq!(page.url.as_str(), GOODBYE);
    assert!(!s.is_signed_in().await);
}

#[tokio::test]
async fn post_with_a_form_does_the_same() {
    let mut s = signed_in().await;
    // A form of the client's own page: the session cookie stays at home, so the hint says whose session ends.
    let id_token = s.tokens.id().to_owned();
    let form = [("id_token_hint", id_token.as_str()), ("post_logout_redirect_uri", GOODBYE)];
    let page = s.browser.post_from_elsewhere("/logout", &form).await;
    assert_eq!(page.url.as_str(), GOODBYE);
    assert!(!s.is_signed_in().await);
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn an_expired_hint_is_good_enough() {
    let mut s = signed_in().await;
    s.app.pass_seconds(3700);
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE)]);
    assert_eq!(s.browser.open(&path).await.url.as_str(), GOODBYE);
    assert!(!s.is_signed_in().await);
}

#[tokio::test]
async fn bad_post_logout_redirect_uri_is_a_page_never_a_redirect() {
    let mut s = signed_in().await;
    for uri in [
        "https://web.example/goodbye/more",
        "https://web.example/goodbye#x",
        "https://WEB.example/goodbye",
        "https://evil.example/goodbye",
        "https://web.example/callback",
        "javascript:alert(1)",
    ] {
        let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", uri)]);
        let page = s.browser.open(&path).await;
        let description = "the post_logout_redirect_uri is not registered for this client";
        page.assert_error("/logout", 400, "invalid_request", description);
    }
    assert!(s.is_signed_in().await, "nothing ended");
    s.app.assert_family_stands(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn query_added_to_the_post_logout_redirect_uri_is_a_page_never_a_redirect() {
    let mut s = signed_in().await;
    for query in ["?foo=bar", "?", "?state=x"] {
        let uri = format!("{GOODBYE}{query}");
        let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", &uri), ("state", "s")]);
        let page = s.browser.open(&path).await;
        let description = "the post_logout_redirect_uri is not registered for this client";
        page.assert_error("/logout", 400, "invalid_request", description);
    }
    assert!(s.is_signed_in().await, "nothing ended");
}

impl SignedIn {
    /// Asserts that none of these hints ends anything or sends the browser anywhere.
    async fn assert_hints_are_refused(&mut self, hints: &[String]) {
        for hint in hints {
            let path = self.logout(&[("id_token_hint", hint), ("post_logout_redirect_uri", GOODBYE), ("state", "s")]);
            let page = self.browser.open(&path).await;
            let description = "the id_token_hint is not an ID token of this server";
            page.assert_error("/logout", 400, "invalid_request", description);
        }
        assert!(self.is_signed_in().await, "nothing ended");
        self.tokens = self.app.assert_family_stands(&self.client, &self.tokens).await;
    }
}

#[tokio::test]
async fn a_modified_id_token_hint_is_a_page_never_a_redirect() {
    let mut s = signed_in().await;
    let own = jwt::read(s.tokens.id());
    let (_, signature) = s.tokens.id().rsplit_once('.').unwrap();
    let unsigned = jwt::unsigned(&own);
    let hints = [
        format!("{unsigned}{signature}"),
        unsigned,
        jwt::with_claim(s.tokens.id(), "sub", "u.somebody".into()),
        jwt::with_claim(s.tokens.id(), "exp", 4_000_000_000_u64.into()),
    ];
    s.assert_hints_are_refused(&hints).await;
}

#[tokio::test]
async fn a_bad_id_token_hint_is_a_page_never_a_redirect() {
    let mut s = signed_in().await;
    let own = jwt::read(s.tokens.id());
    let our_kid = own.header["kid"].as_str().unwrap();
    let jwks = s.app.get("/jwks.json").send().await.body;
    let hints = [
        jwt::signed_by_a_foreign_rsa_key(&own, Some("theirs")),
        jwt::signed_by_a_foreign_rsa_key(&own, Some(our_kid)),
        jwt::signed_by_a_foreign_rsa_key(&own, None),
        jwt::signed_by_another_key(&own),
        // What the other side knows, taken for a secret: the client's own, and our public keys.
        jwt::authenticated_with(&own, s.client.secret().as_bytes()),
        jwt::authenticated_with(&own, jwks.as_bytes()),
    ];
    s.assert_hints_are_refused(&hints).await;
}

#[tokio::test]
async fn what_is_no_id_token_is_no_hint() {
    let mut s = signed_in().await;
    let hints = ["garbage".to_owned(), "a.b.c".to_owned(), s.tokens.access().to_owned(), s.tokens.refresh().to_owned()];
    s.assert_hints_are_refused(&hints).await;
}

#[tokio::test]
async fn no_hint_and_a_uri_is_a_page_never_a_redirect() {
    let mut s = signed_in().await;
    let path = s.logout(&[("post_logout_redirect_uri", GOODBYE), ("state", "s")]);
    let page = s.browser.open(&path).await;
    let description = "a post_logout_redirect_uri needs an id_token_hint or a client_id";
    page.assert_error("/logout", 400, "invalid_request", description);
    assert!(s.is_signed_in().await);
}

async fn asks_and_then_logs_out(parameters: &[(&str, &str)]) {
    let mut s = signed_in().await;
    let path = s.logout(parameters);
    let question = s.browser.open(&path).await;
    question.assert_shown("/logout", &["logout-confirm", "logout-cancel"]);
    assert!(question.visible_text().contains("Alice Adams"), "{}", question.visible_text());
    assert!(s.is_signed_in().await, "nothing ended yet");
    let page = s.browser.submit(&question, "logout-confirm", &[]).await;
    assert_logged_out_page(&page);
    assert!(!s.is_signed_in().await);
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn no_params_asks_and_then_logs_out() {
    asks_and_then_logs_out(&[]).await;
}

#[tokio::test]
async fn only_state_asks_and_then_logs_out() {
    asks_and_then_logs_out(&[("state", "s")]).await;
}

#[tokio::test]
async fn no_post_logout_redirect_uri_ends_on_our_page() {
    let mut s = signed_in().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id())]);
    let page = s.browser.open(&path).await;
    assert_logged_out_page(&page);
    assert!(!s.is_signed_in().await);
}

#[tokio::test]
async fn no_post_logout_redirect_uri_with_a_state_ends_on_our_page_too() {
    let mut s = signed_in().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("state", "s")]);
    let page = s.browser.open(&path).await;
    assert_logged_out_page(&page);
    assert!(!s.is_signed_in().await);
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn nobody_signed_in_is_told_so_too() {
    let app = TestApp::start().await;
    assert_logged_out_page(&app.browser().open("/logout").await);
}

#[tokio::test]
async fn cancel_keeps_the_session() {
    let mut s = signed_in().await;
    let question = s.browser.open("/logout").await;
    let page = s.browser.submit(&question, "logout-cancel", &[]).await;
    assert_eq!(page.answer.status, 200);
    assert!(!page.has("logged-out"), "{page:?}");
    assert!(s.is_signed_in().await);
    s.app.assert_family_stands(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn the_answer_to_the_question_needs_our_token() {
    let mut s = signed_in().await;
    let question = s.browser.open("/logout").await;
    let stranger = s.app.browser().open("/logout").await;
    assert!(!stranger.has("logout-confirm"));
    let mut other = s.app.browser();
    s.app.tokens_in(&mut other, &s.client, &Authorization::of(&s.client), &s.alice).await;
    let foreign = other.open("/logout").await.form("logout-confirm").value("csrf").to_owned();
    for token in [None, Some("x"), Some(foreign.as_str())] {
        let mut form = question.form("logout-confirm");
        form.remove("csrf");
        if let Some(token) = token {
            form.set("csrf", token);
        }
        let page = s.browser.send_form(&question, form).await;
        let description = "the form did not come from this page, open it again";
        page.assert_error("/logout", 403, "access_denied", description);
    }
    assert!(s.is_signed_in().await);
}

#[tokio::test]
async fn a_client_id_alone_asks_and_may_return() {
    let mut s = signed_in().await;
    let path = s.logout(&[("client_id", &s.client.id), ("post_logout_redirect_uri", GOODBYE), ("state", "x y")]);
    let question = s.browser.open(&path).await;
    question.assert_shown("/logout", &["logout-confirm", "logout-cancel"]);
    assert!(question.visible_text().contains("Photo Album"), "{}", question.visible_text());
    let page = s.browser.submit(&question, "logout-confirm", &[]).await;
    assert_eq!(page.returned_to(GOODBYE), [("state".to_owned(), "x y".to_owned())].into());
    assert!(!s.is_signed_in().await);
}

#[tokio::test]
async fn a_client_id_that_contradicts_the_hint_is_refused() {
    let mut s = signed_in().await;
    let other = s.app.public_client().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("client_id", &other.id)]);
    let page = s.browser.open(&path).await;
    let description = "the client_id is not the one of the id_token_hint";
    page.assert_error("/logout", 400, "invalid_request", description);
    assert!(s.is_signed_in().await);
}

#[tokio::test]
async fn the_hint_of_somebody_else_asks_first() {
    let mut s = signed_in().await;
    let bob = s.app.bob().await;
    let theirs = s.app.tokens(&s.client, &bob, "openid").await;
    let path = s.logout(&[("id_token_hint", theirs.id()), ("post_logout_redirect_uri", GOODBYE)]);
    let question = s.browser.open(&path).await;
    question.assert_shown("/logout", &["logout-confirm", "logout-cancel"]);
    assert!(s.is_signed_in().await);
    s.app.assert_family_stands(&s.client, &theirs).await;
}

#[tokio::test]
async fn a_hint_of_another_session_of_the_same_person_asks_first() {
    let mut s = signed_in().await;
    let elsewhere = s.app.tokens(&s.client, &s.alice, "openid").await;
    let path = s.logout(&[("id_token_hint", elsewhere.id())]);
    let question = s.browser.open(&path).await;
    question.assert_shown("/logout", &["logout-confirm", "logout-cancel"]);
    assert!(s.is_signed_in().await);
    let elsewhere = s.app.assert_family_stands(&s.client, &elsewhere).await;
    // What is asked about is the session of this browser.
    assert_logged_out_page(&s.browser.submit(&question, "logout-confirm", &[]).await);
    assert!(!s.is_signed_in().await);
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
    s.app.assert_family_stands(&s.client, &elsewhere).await;
}

#[tokio::test]
async fn a_leaked_hint_ends_nothing_without_asking() {
    let mut s = signed_in().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE)]);
    let mut thief = s.app.browser();
    let question = thief.open(&path).await;
    question.assert_shown("/logout", &["logout-confirm", "logout-cancel"]);
    assert!(!question.visible_text().contains("Alice"), "nothing is told of the person: {question:?}");
    let page = thief.submit(&question, "logout-cancel", &[]).await;
    assert!(page.has("logged-out"), "nobody is signed in there: {page:?}");
    let posted = thief.post_from_elsewhere("/logout", &[("id_token_hint", s.tokens.id())]).await;
    posted.assert_shown("/logout", &["logout-confirm"]);
    assert!(s.is_signed_in().await);
    s.tokens = s.app.assert_family_stands(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn a_session_whose_browser_was_closed_ends_when_the_person_says_so() {
    let mut s = signed_in().await;
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE)]);
    for name in ["ostiary_session", "ostiary_browser"] {
        s.browser.forget_cookie(name);
    }
    let question = s.browser.open(&path).await;
    let page = s.browser.submit(&question, "logout-confirm", &[]).await;
    assert_eq!(page.url.as_str(), GOODBYE);
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
    // It is over: there is nothing left to ask.
    assert_eq!(s.browser.open(&path).await.url.as_str(), GOODBYE);
}

#[tokio::test]
async fn the_end_is_a_page_of_its_own_that_says_how_things_are() {
    let mut s = signed_in().await;
    assert!(s.browser.open("/logged-out").await.has("stayed-signed-in"));
    let question = s.browser.open("/logout?ui_locales=de").await;
    let kept = s.browser.submit(&question, "logout-cancel", &[]).await;
    assert!(kept.has("stayed-signed-in") && kept.url.as_str().ends_with("/logged-out"), "{kept:?}");
    assert_eq!(kept.attributes("html", "lang"), ["de"]);
    let done = s.browser.submit(&question, "logout-confirm", &[]).await;
    assert_logged_out_page(&done);
    assert!(done.url.as_str().ends_with("/logged-out"), "{done:?}");
    assert_logged_out_page(&s.browser.open("/logged-out").await);
}

#[tokio::test]
async fn the_browser_is_told_to_forget_what_it_kept() {
    let mut s = signed_in().await;
    let question = s.browser.open("/logout").await;
    assert_eq!(question.answer.header("clear-site-data"), None, "nothing has ended yet");
    let path = s.logout(&[("id_token_hint", s.tokens.id()), ("post_logout_redirect_uri", GOODBYE)]);
    let page = s.browser.open(&path).await;
    assert_eq!(page.answer.header("clear-site-data"), Some("\"cache\""), "{page:?}");
}

#[tokio::test]
async fn repeated_parameters_are_a_page() {
    let mut s = signed_in().await;
    let page = s.browser.open("/logout?state=a&state=b").await;
    page.assert_error("/logout", 400, "invalid_request", "repeated parameter");
    assert!(s.is_signed_in().await);
}

#[tokio::test]
async fn malformed_parameters_are_a_page() {
    let app = TestApp::start().await;
    let page = app.browser().open("/logout?state=%zz").await;
    page.assert_error("/logout", 400, "invalid_request", "a parameter is not properly encoded");
}

#[tokio::test]
async fn logging_out_in_one_browser_keeps_the_others() {
    let mut s = signed_in().await;
    let mut other = s.app.browser();
    let others = s.app.tokens_in(&mut other, &s.client, &Authorization::of(&s.client), &s.alice).await;
    let path = s.logout(&[("id_token_hint", s.tokens.id())]);
    s.browser.open(&path).await;
    assert!(!s.is_signed_in().await);
    s.app.assert_family_stands(&s.client, &others).await;
    let request = Authorization::of(&s.client).with("prompt", "none");
    assert!(other.open(&request.path()).await.returned_to(&s.client.redirect_uri).contains_key("code"));
}
