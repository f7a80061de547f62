//! Clients at the console: registering, changing, secrets, deleting.

use ostiary::model::client::ClientAuthMethod;
use serde_json::json;

use crate::harness::{Browser, ClientKey, Page, TestApp, basic};

/// The page of a client that was just registered.
async fn register(browser: &mut Browser, preset: &str, typed: &[(&str, &str)]) -> Page {
    let page = browser.open("/console/new/client").await;
    let page = browser.click(&page, &format!("preset-{preset}")).await;
    page.assert_shown("/console/new/client", &["save", "client-id"]);
    browser.submit(&page, "save", typed).await
}

async fn works(app: &TestApp, id: &str, secret: &str) -> bool {
    let form = [("grant_type", "client_credentials")];
    app.post("/token").header("authorization", &basic(id, secret)).form(&form).send().await.status == 200
}

const MACHINE: [(&str, &str); 3] =
    [("client_id", "invoices"), ("client_name.en", "Invoices"), ("scopes", "photos.read")];

#[tokio::test]
async fn a_machine_is_registered_and_its_secret_is_told_once() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let form_page = browser.open("/console/new/client?preset=machine").await;
    let mut form = form_page.form("save");
    for (name, value) in MACHINE {
        form.set(name, value);
    }
    let told = browser.send_form(&form_page, form.clone()).await;
    told.assert_shown("/console/new/client", &["client_id", "client_secret"]);
    let secret = told.text("client_secret");
    assert!(works(&app, "invoices", &secret).await);
    // A reload is the same form once more: it makes nothing, and tells the same.
    assert_eq!(browser.send_form(&form_page, form).await.text("client_secret"), secret);
    let page = browser.click(&told, "go-on").await;
    page.assert_shown("/console/clients/invoices", &["client-edit", "secret-list"]);
    assert_eq!(page.text("client-name"), "Invoices");
    for path in ["/console/clients/invoices", "/console/clients/invoices/edit", "/console/clients/invoices/secrets"] {
        assert!(!browser.open(path).await.answer.body.contains(&secret), "{path}");
    }
}

#[tokio::test]
async fn each_preset_makes_what_it_says() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let admin = app.admin(&["admin:clients:read"]).await;
    for (preset, method, kind, has_secret) in [
        ("web", "client_secret_basic", "web", true),
        ("browser", "none", "web", false),
        ("native", "none", "native", false),
    ] {
        let uri = if preset == "native" { "com.example.album:/callback" } else { "https://album.example/callback" };
        let page = register(&mut browser, preset, &[("client_id", preset), ("redirect_uris", uri)]).await;
        assert_eq!(page.has("client_secret"), has_secret, "{page:?}");
        let made = admin.get(&format!("/admin/clients/{preset}")).await.document(200);
        assert_eq!((&made["token_endpoint_auth_method"], &made["application_type"]), (&json!(method), &json!(kind)));
        assert_eq!(made["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(made["redirect_uris"], json!([uri]));
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let typed = [
        ("client_id", "two words"),
        ("client_name.de", "Fotoalbum"),
        ("redirect_uris", "https://album.example/callback\r\nhttp://album.example/"),
    ];
    let page = register(&mut browser, "web", &typed).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert_eq!(page.text("form-error"), "Nothing was saved yet 3 things are wrong, see below.");
    assert!(page.text("redirect-uris-notes").starts_with("Line 2: "), "{page:?}");
    assert_eq!(page.text("redirect-uris"), "https://album.example/callback http://album.example/");
    assert_eq!(page.attribute("redirect-uris", "aria-invalid").as_deref(), Some("true"));
    assert_eq!(page.attribute("client-id", "value").as_deref(), Some("two words"));
    assert_eq!(page.attribute("client-name-de", "value").as_deref(), Some("Fotoalbum"));
    // Mended, it goes through.
    let mended =
        [("client_id", "album"), ("client_name.en", "Album"), ("redirect_uris", "https://album.example/callback")];
    let page = browser.submit(&page, "save", &mended).await;
    page.assert_shown("/console/new/client", &["client_secret"]);
    // And no identifier is given twice.
    let again = register(&mut browser, "web", &mended).await;
    assert_eq!(again.answer.status, 409, "{again:?}");
    assert_eq!(again.attribute("client-id", "value").as_deref(), Some("album"));
}

#[tokio::test]
async fn settings_are_changed_and_what_was_not_touched_stays() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let client = app.web_client().await;
    let path = format!("/console/clients/{}", client.id);
    let before = app.admin(&["admin:clients"]).await.get(&format!("/admin/clients/{}", client.id)).await.document(200);
    let page = browser.open(&path).await;
    let page = browser.click(&page, "client-edit").await;
    page.assert_shown(&format!("{path}/edit"), &["save", "client-name-en", "lifetimes-access-token"]);
    // Sent as it is, it changes nothing.
    browser.submit(&page, "save", &[]).await.assert_done(&path, "The settings were saved.");
    let admin = app.admin(&["admin:clients"]).await;
    let mut same = admin.get(&format!("/admin/clients/{}", client.id)).await.document(200);
    same["updated_at"] = before["updated_at"].clone();
    assert_eq!(same, before);
    let page = browser.open(&format!("{path}/edit")).await;
    let mut form = page.form("save");
    form.set("client_name.en", "Album of Photos");
    form.set("post_logout_redirect_uris", "");
    form.set("lifetimes/access_token", "120");
    form.set("consent", "always");
    form.remove("pkce_required");
    form.tick("scopes", "admin.write");
    browser.send_form(&page, form).await.assert_done(&path, "The settings were saved.");
    let after = admin.get(&format!("/admin/clients/{}", client.id)).await.document(200);
    assert_eq!(after["client_name"], json!({"en": "Album of Photos"}));
    assert_eq!((&after["post_logout_redirect_uris"], &after["pkce_required"]), (&json!([]), &json!(false)));
    assert_eq!((&after["lifetimes"], &after["consent"]), (&json!({"access_token": 120}), &json!("always")));
    assert!(after["scopes"].as_array().unwrap().contains(&json!("admin.write")), "{after}");
    // A number that is none.
    let page = browser.open(&format!("{path}/edit")).await;
    let page = browser.submit(&page, "save", &[("lifetimes/id_token", "a day")]).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert!(page.text("lifetimes-id-token-notes").contains("whole number"), "{page:?}");
    assert_eq!(page.attribute("lifetimes-id-token", "value").as_deref(), Some("a day"));
}

#[tokio::test]
async fn the_certificate_of_a_client_is_shown_and_a_change_keeps_it() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let client = app
        .machine_client_with(|settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
            settings.tls_client_auth_san_dns = Some("shop.example".into());
            settings.tls_client_certificate_bound_access_tokens = true;
        })
        .await;
    let path = format!("/console/clients/{}", client.id);
    let page = browser.open(&path).await;
    for shown in ["tls_client_auth", "shop.example (DNS name)", "its certificate"] {
        assert!(page.answer.body.contains(shown), "{shown}: {page:?}");
    }
    let page = browser.click(&page, "client-edit").await;
    browser.submit(&page, "save", &[]).await.assert_done(&path, "The settings were saved.");
    assert!(browser.open(&path).await.answer.body.contains("shop.example (DNS name)"));
    // It has one name, whichever.
    let page = browser.open(&format!("{path}/edit")).await;
    let page = browser.submit(&page, "save", &[("tls_client_auth_subject_dn", "CN=shop")]).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert!(page.answer.body.contains("ne name of the certificate may be registered"), "{page:?}");
}

#[tokio::test]
async fn a_client_with_keys_of_its_own_is_registered_and_its_keys_are_shown() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let (first, second) = (ClientKey::generate("PS256"), ClientKey::generate("ES256"));
    let client = app.machine_client().await;
    let path = format!("/console/clients/{}", client.id);
    let page = browser.open(&format!("{path}/edit")).await;
    let mut form = page.form("save");
    form.set("token_endpoint_auth_method", "private_key_jwt");
    form.set("jwks", "no JSON");
    let page = browser.send_form(&page, form).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert!(page.text("jwks-notes").contains("must be a JWK Set") && page.text("jwks") == "no JSON", "{page:?}");
    let mut form = page.form("save");
    form.set("jwks", &first.jwks().to_string());
    form.set("token_endpoint_auth_signing_alg", "PS256");
    browser.send_form(&page, form).await.assert_done(&path, "The settings were saved.");
    let page = browser.open(&path).await;
    assert!(page.visible_text().contains(&format!("{} (PS256)", first.kid)), "{page:?}");
    assert!(page.visible_text().contains("It proves that it has its own key"), "{page:?}");
    let signing = client.authenticating_with(first);
    assert_eq!(app.token(&signing, &[("grant_type", "client_credentials")]).await.status, 200);
    // What is shown can be sent as it is; and another set takes its place whole.
    let page = browser.open(&format!("{path}/edit")).await;
    browser.submit(&page, "save", &[]).await.assert_done(&path, "The settings were saved.");
    assert_eq!(app.token(&signing, &[("grant_type", "client_credentials")]).await.status, 200);
    let page = browser.open(&format!("{path}/edit")).await;
    let typed = [("jwks", second.jwks().to_string()), ("token_endpoint_auth_signing_alg", String::new())];
    let typed: Vec<_> = typed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.submit(&page, "save", &typed).await.assert_done(&path, "The settings were saved.");
    assert!(!browser.open(&path).await.visible_text().contains("(PS256)"));
    // Its rules can be tightened here too, and say what is missing.
    let page = browser.open(&format!("{path}/edit")).await;
    let page = browser.submit(&page, "save", &[("profile", "fapi2-security")]).await;
    assert_eq!(page.answer.status, 422, "{page:?}");
    assert!(page.visible_text().contains("needs access tokens that are bound"), "{page:?}");
}

#[tokio::test]
async fn a_form_of_yesterday_overwrites_nothing_and_says_what_is_there_now() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let client = app.web_client().await;
    let (path, api) = (format!("/console/clients/{}", client.id), format!("/admin/clients/{}", client.id));
    let page = browser.open(&format!("{path}/edit")).await;
    let question = browser.open(&format!("{path}/delete")).await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.patch(&api, &json!({"client_name": {"en": "Theirs"}, "default_max_age": 60})).await.document(200);
    let stale = browser.submit(&page, "save", &[("client_name.en", "Mine")]).await;
    assert_eq!(stale.answer.status, 412, "{stale:?}");
    assert!(stale.text("form-error").contains("Somebody else changed it"), "{stale:?}");
    assert_eq!(stale.attribute("client-name-en", "value").as_deref(), Some("Mine"));
    assert!(stale.text("client-name-notes").contains("There is now: Theirs (en)"), "{stale:?}");
    assert!(stale.text("default-max-age-notes").contains("There is now: 60"), "{stale:?}");
    assert!(!stale.has("tos-uri-notes"), "{stale:?}");
    browser.submit(&question, "confirm", &[]).await.assert_refused(412);
    let now = admin.get(&api).await.document(200);
    assert_eq!(now["client_name"], json!({"en": "Theirs"}));
    // Whoever saw it and sends the form again means it.
    browser.submit(&stale, "save", &[]).await.assert_done(&path, "The settings were saved.");
    assert_eq!(admin.get(&api).await.document(200)["client_name"], json!({"en": "Mine"}));
}

#[tokio::test]
async fn a_client_is_disabled_enabled_and_deleted_after_a_question() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let client = app.machine_client().await;
    let path = format!("/console/clients/{}", client.id);
    let secret = client.secret.clone().unwrap();
    for (link, state, is_working) in [("client-disable", "disabled", false), ("client-enable", "enabled", true)] {
        let page = browser.open(&path).await;
        let question = browser.click(&page, link).await;
        question.assert_shown(&format!("{path}/standing"), &["consequences", "confirm", "cancel"]);
        let page = browser.submit(&question, "confirm", &[]).await;
        page.assert_done(&path, &format!("The client is {state}."));
        assert_eq!(page.text("client-state"), state);
        assert_eq!(works(&app, &client.id, &secret).await, is_working);
    }
    // A remark is made once.
    assert!(!browser.open(&path).await.has("remark"));
    let page = browser.open(&path).await;
    let question = browser.click(&page, "client-delete").await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/clients", &format!("The client {} is deleted.", client.id));
    assert!(!works(&app, &client.id, &secret).await);
    browser.open(&path).await.assert_refused(404);
    browser.submit(&question, "confirm", &[]).await.assert_refused(404);
    // What administers this server is named as such.
    let administering = app.admin_client(&["admin:users"]).await;
    let question = browser.open(&format!("/console/clients/{}/delete", administering.id)).await;
    assert!(question.visible_text().contains("rights at the admin API"), "{question:?}");
}

#[tokio::test]
async fn two_secrets_go_on_side_by_side_and_one_is_deleted() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let client = app.machine_client().await;
    let path = format!("/console/clients/{}", client.id);
    let first = client.secret.clone().unwrap();
    let page = browser.open(&path).await;
    let question = browser.click(&page, "secret-new").await;
    question.assert_shown(&format!("{path}/secrets"), &["overlap-seconds", "confirm"]);
    app.pass_seconds(1);
    let told = browser.submit(&question, "confirm", &[("overlap_seconds", "3600")]).await;
    told.assert_shown(&format!("{path}/secrets"), &["client_secret"]);
    let second = told.text("client_secret");
    assert!(works(&app, &client.id, &first).await && works(&app, &client.id, &second).await);
    // A reload tells the same; another page of before makes nothing.
    let reloaded = browser.submit(&question, "confirm", &[("overlap_seconds", "3600")]).await;
    assert_eq!(reloaded.text("client_secret"), second);
    let stale = browser.submit(&question, "confirm", &[("overlap_seconds", "0"), ("key", "another")]).await;
    stale.assert_refused(412);
    browser.submit(&question, "confirm", &[("overlap_seconds", "x")]).await.assert_refused(400);
    browser.submit(&question, "confirm", &[("overlap_seconds", "99999999")]).await.assert_refused(422);
    let page = browser.click(&told, "go-on").await;
    let deletions = page.attributes("#secret-list a", "href");
    assert_eq!(deletions.len(), 2, "{page:?}");
    let question = browser.open(&deletions[0]).await;
    browser.submit(&question, "confirm", &[]).await.assert_done(&path, "The secret is deleted.");
    assert!(!works(&app, &client.id, &first).await && works(&app, &client.id, &second).await);
    let last = browser.open(&deletions[1]).await;
    assert!(last.visible_text().contains("the only one that works"), "{last:?}");
    browser.open(&deletions[0]).await.assert_refused(404);
    // A public client has none.
    let public = app.public_client().await;
    assert!(!browser.open(&format!("/console/clients/{}", public.id)).await.has("secret-new"));
    let question = browser.open(&format!("/console/clients/{}/secrets", public.id)).await;
    browser.submit(&question, "confirm", &[("overlap_seconds", "0")]).await.assert_refused(409);
}

#[tokio::test]
async fn a_client_with_many_scopes_is_changed_at_the_console() {
    const MANY: usize = 300;
    let app = TestApp::start().await;
    let admin = app.admin_of_everything().await;
    let names: Vec<String> = (0..MANY).map(|number| format!("album.{number:03}")).collect();
    for name in &names {
        admin.post("/admin/scopes", &json!({"name": name, "description": {"en": name}})).await.document(201);
    }
    let client = app.web_client().await;
    let mut browser = app.console().await;
    let path = format!("/console/clients/{}", client.id);
    let page = browser.open(&format!("{path}/edit")).await;
    let mut form = page.form("save");
    for name in &names {
        form.tick("scopes", name);
    }
    browser.send_form(&page, form).await.assert_done(&path, "The settings were saved.");
    let after = admin.get(&format!("/admin/clients/{}", client.id)).await.document(200);
    let scopes = after["scopes"].as_array().unwrap();
    assert!(names.iter().all(|name| scopes.contains(&json!(name))), "{after}");
    // Sent as it is, all of them stay.
    let page = browser.open(&format!("{path}/edit")).await;
    browser.submit(&page, "save", &[]).await.assert_done(&path, "The settings were saved.");
    assert_eq!(admin.get(&format!("/admin/clients/{}", client.id)).await.document(200)["scopes"], after["scopes"]);
}
