//! Rich Authorization Requests (RFC 9396): `authorization_details` wherever a client may send it, and what comes of it.

use http::Method;
use ostiary::model::client::{AccessTokenFormat, ClientSettings, ConsentPolicy, GrantType};
use serde_json::{Value, json};

use crate::harness::{
    Admin, Answer, Authorization, Browser, ClientKey, MAIL_API, PHOTOS_API, TestApp, TestClient, TestPerson, Tokens,
};

const TYPES: &str = "/admin/authorization-details-types";
const NOT_GRANTED: &str = "authorization_details were asked for that were not granted";
const TAKEN: &str = "the client may not have the authorization_details any more";

fn payment_type() -> Value {
    json!({
        "type": "payment_initiation",
        "schema": {
            "type": "object",
            "additionalProperties": false,
            "required": ["amount", "creditorName"],
            "properties": {
                "amount": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["value", "currency"],
                    "properties": {"value": {"type": "string", "maxLength": 20}, "currency": {"enum": ["EUR", "USD"]}},
                },
                "creditorName": {"type": "string", "maxLength": 300},
                "locations": {"type": "array", "items": {"type": "string", "format": "uri"}},
            },
        },
        "name": {"en": "Payment", "de": "Zahlung"},
        "sentence": {"en": "Pay {amount.value} {amount.currency} to {creditorName}"},
    })
}

/// A type without a sentence that means something at one API.
fn album_type() -> Value {
    json!({
        "type": "urn:example:album",
        "schema": {
            "type": "object",
            "additionalProperties": false,
            "properties": {"album": {"type": "string"}, "actions": {"type": "array", "items": {"enum": ["read", "write"]}}},
        },
        "name": {"en": "An album"},
        "resources": [PHOTOS_API],
    })
}

fn payment(value: &str) -> Value {
    let amount = json!({"value": value, "currency": "EUR"});
    json!({"type": "payment_initiation", "amount": amount, "creditorName": "Merchant A"})
}

fn album() -> Value {
    json!({"type": "urn:example:album", "album": "Summer", "actions": ["read", "write"]})
}

async fn register(admin: &Admin<'_>) {
    for known in [payment_type(), album_type()] {
        admin.post(TYPES, &known).await.document(201);
    }
}

/// A server that knows both types.
async fn start() -> TestApp {
    let app = TestApp::start().await;
    register(&app.admin(&["admin:clients"]).await).await;
    app
}

fn may_ask(settings: &mut ClientSettings) {
    settings.authorization_details_types = vec!["payment_initiation".into(), "urn:example:album".into()];
}

fn asks_for(client: &TestClient, details: &Value) -> Authorization {
    Authorization::of(client).with("authorization_details", &details.to_string())
}

async fn redeem(
    app: &TestApp,
    client: &TestClient,
    request: &Authorization,
    code: &str,
    more: &[(&str, &str)],
) -> Answer {
    app.token(client, &[&app.redemption(request, code), more].concat()).await
}

async fn refresh(app: &TestApp, client: &TestClient, token: &str, more: &[(&str, &str)]) -> Answer {
    app.token(client, &[&[("grant_type", "refresh_token"), ("refresh_token", token)], more].concat()).await
}

async fn consent_page(
    app: &TestApp,
    client: &TestClient,
    details: &Value,
) -> (Browser, crate::harness::Page, TestPerson) {
    let (mut browser, alice) = (app.browser(), app.alice().await);
    let page = browser.open(&asks_for(client, details).path()).await;
    let page = browser.log_in(&page, &alice).await;
    page.assert_consent();
    (browser, page, alice)
}

#[tokio::test]
async fn section_5_what_is_malformed_unknown_or_not_for_the_client_is_invalid_authorization_details() {
    let app = start().await;
    let (able, other) = (app.web_client_with(may_ask).await, app.web_client().await);
    let machine = app.machine_client_with(may_ask).await;
    let mut more = payment("1");
    more["debtor"] = "me".into();
    let mut without = payment("1");
    without.as_object_mut().unwrap().remove("amount");
    let mut wrong = payment("1");
    wrong["amount"]["currency"] = "GBP".into();
    let repeated = r#"[{"type":"payment_initiation","type":"payment_initiation"}]"#.to_owned();
    let demands = "one of the authorization_details is not what its type demands";
    let malformed = "authorization_details must be a JSON array of objects without repeated members";
    let cases = [
        (&able, json!([more]).to_string(), demands),
        (&able, json!([without]).to_string(), demands),
        (&able, json!([payment("1"), wrong]).to_string(), demands),
        (
            &able,
            json!([{"type": "unheard_of"}]).to_string(),
            "the type of one of the authorization_details is not known",
        ),
        (&able, "{}".to_owned(), malformed),
        (&able, "[1]".to_owned(), malformed),
        (&able, "nonsense".to_owned(), malformed),
        (&able, repeated, malformed),
        (&able, "[]".to_owned(), "authorization_details must have 1 to 16 objects"),
        (&able, "[{}]".to_owned(), "each of the authorization_details must have a type"),
        (&able, "[".repeat(9000), "authorization_details may have at most 8192 bytes"),
        (
            &other,
            json!([payment("1")]).to_string(),
            "the client may not use the type of one of the authorization_details",
        ),
    ];
    for (client, details, description) in cases {
        let request = Authorization::of(client).with("authorization_details", &details);
        let pushed = app.call_as(client, "/par", &request.clone().without("client_id").parameters()).await;
        pushed.assert_error(400, "invalid_authorization_details", description);
        if details.len() < 8000 {
            let page = app.browser().open(&request.path()).await;
            let told = page.returned_error(&client.redirect_uri);
            assert_eq!(told["error"], "invalid_authorization_details", "{description}");
        }
        if client.id == able.id {
            let form = [("grant_type", "client_credentials"), ("authorization_details", details.as_str())];
            app.token(&machine, &form).await.assert_error(400, "invalid_authorization_details", description);
        }
    }
}

#[tokio::test]
async fn sections_7_and_9_what_was_granted_is_in_the_response_the_token_and_the_introspection() {
    let app = start().await;
    let alice = app.alice().await;
    let details = json!([payment("123.50"), album()]);
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| {
            may_ask(settings);
            settings.access_token_format = format;
        });
        let client = client.await;
        let tokens = app.tokens_in(&mut app.browser(), &client, &asks_for(&client, &details), &alice).await;
        assert_eq!(tokens.body["authorization_details"], details);
        if format == AccessTokenFormat::Jwt {
            assert_eq!(tokens.access_claims(&app).await["authorization_details"], details);
        }
        assert_eq!(app.introspect(&client, tokens.access()).await.json()["authorization_details"], details);
        assert_eq!(app.introspect(&client, tokens.refresh()).await.json()["authorization_details"], details);
        let again = app.refreshed(&client, tokens.refresh()).await;
        assert_eq!(again.body["authorization_details"], details);
    }
}

#[tokio::test]
async fn a_request_with_authorization_details_alone_has_no_scope_and_no_id_token() {
    let app = start().await;
    let (client, alice) = (app.web_client_with(may_ask).await, app.alice().await);
    let details = json!([payment("1")]);
    let request = asks_for(&client, &details).without("scope");
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!((tokens.body.get("scope"), tokens.body.get("id_token")), (None, None));
    assert_eq!(tokens.body["authorization_details"], details);
    let again = app.refreshed(&client, tokens.refresh()).await;
    assert_eq!(again.access_claims(&app).await["authorization_details"], details);
    let nothing = app.browser().open(&Authorization::of(&client).without("scope").path()).await;
    assert_eq!(nothing.returned_error(&client.redirect_uri)["error"], "invalid_scope");
}

#[tokio::test]
async fn section_11_the_person_reads_each_in_words_and_cannot_be_deceived_by_a_value() {
    let app = start().await;
    let client = app.web_client_with(|settings| {
        may_ask(settings);
        settings.consent = ConsentPolicy::Remembered;
    });
    let client = client.await;
    let mut tricky = payment("9.99");
    tricky["creditorName"] = "<b>Eve</b>\u{202e}".into();
    let mut long = payment("7.77");
    long["creditorName"] = "x".repeat(250).into();
    let (_, page, _) = consent_page(&app, &client, &json!([payment("123.50"), album(), tricky, long])).await;
    let text = page.visible_text();
    for said in [
        "Pay 123.50 EUR to Merchant A",
        "An album",
        "Summer",
        "read, write",
        "Pay 9.99 EUR to <b>Eve</b>\u{fffd}",
        "amount.value",
        "7.77",
        "You are asked each time.",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(text.contains(&"x".repeat(250)) && !text.contains("Pay 7.77"), "what does not fit is listed in full");
}

#[tokio::test]
async fn consent_is_asked_each_time_but_for_the_operators_own_applications() {
    let app = start().await;
    let client = app.web_client_with(|settings| {
        may_ask(settings);
        settings.consent = ConsentPolicy::Remembered;
    });
    let client = client.await;
    let (mut browser, page, _) = consent_page(&app, &client, &json!([payment("1")])).await;
    browser.submit(&page, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    browser.open(&asks_for(&client, &json!([payment("1")])).path()).await.assert_consent();
    // What was allowed beside it was allowed with that limit alone, and is not remembered without it.
    let without = Authorization::of(&client);
    let told = browser.open(&without.clone().with("prompt", "none").path()).await;
    assert_eq!(told.returned_error(&client.redirect_uri)["error"], "consent_required");
    browser.open(&without.path()).await.assert_consent();
    let silent = asks_for(&client, &json!([payment("1")])).with("prompt", "none");
    let told = browser.open(&silent.path()).await;
    assert_eq!(told.returned_error(&client.redirect_uri)["error"], "consent_required");
    let own = app.web_client_with(may_ask).await;
    let silent = asks_for(&own, &json!([payment("1")])).with("prompt", "none");
    browser.open(&silent.path()).await.returned_code(&own.redirect_uri);
}

#[tokio::test]
async fn sections_3_and_4_it_comes_in_a_pushed_request_and_as_json_in_a_request_object() {
    let app = start().await;
    let alice = app.alice().await;
    let key = ClientKey::generate("ES256");
    let client = app.signing_web_client_with(key, may_ask).await;
    let details = json!([payment("1")]);
    let pushed = app.pushed(&client, &asks_for(&client, &details)).await;
    let code = app.browser().authorize(&pushed, &alice).await.returned_code(&client.redirect_uri);
    assert_eq!(redeem(&app, &client, &pushed, &code, &[]).await.json()["authorization_details"], details);
    let request = Authorization::of(&client);
    for inside in [details.clone(), details.to_string().into()] {
        let object = client.request_object(&request, json!({"authorization_details": inside}));
        let answer = app.call_as(&client, "/par", &[("request", object.as_str())]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let pushed = request.pushed_as(body["request_uri"].as_str().unwrap());
        let code = app.browser().authorize(&pushed, &alice).await.returned_code(&client.redirect_uri);
        assert_eq!(redeem(&app, &client, &request, &code, &[]).await.json()["authorization_details"], details);
    }
}

#[tokio::test]
async fn section_6_1_a_part_may_be_asked_for_at_the_token_endpoint_and_nothing_else() {
    let app = start().await;
    let (client, alice) = (app.web_client_with(may_ask).await, app.alice().await);
    let request = asks_for(&client, &json!([payment("1"), album()]));
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let mut unlimited = album();
    unlimited.as_object_mut().unwrap().remove("actions");
    for more in [json!([payment("2")]), json!([unlimited])] {
        let form = [("authorization_details", more.to_string())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        redeem(&app, &client, &request, &code, &form).await.assert_error(
            400,
            "invalid_authorization_details",
            NOT_GRANTED,
        );
    }
    let only = json!([album()]).to_string();
    let only = [("authorization_details", only.as_str())];
    let first = Tokens { body: redeem(&app, &client, &request, &code, &only).await.json() };
    assert_eq!(first.body["authorization_details"], json!([album()]));

    let mut token = first.refresh().to_owned();
    for more in [json!([payment("2")]), json!([unlimited])] {
        let more = more.to_string();
        let answer = refresh(&app, &client, &token, &[("authorization_details", &more)]).await;
        answer.assert_error(400, "invalid_authorization_details", NOT_GRANTED);
    }
    let part = json!([payment("1")]).to_string();
    let second = Tokens { body: refresh(&app, &client, &token, &[("authorization_details", &part)]).await.json() };
    assert_eq!(second.access_claims(&app).await["authorization_details"], json!([payment("1")]));
    token = second.refresh().to_owned();
    let all = app.refreshed(&client, &token).await;
    assert_eq!(all.body["authorization_details"], json!([payment("1"), album()]), "the family keeps what was granted");
}

#[tokio::test]
async fn a_type_that_is_taken_from_the_client_ends_with_its_next_token() {
    let app = start().await;
    let (client, alice) = (app.web_client_with(may_ask).await, app.alice().await);
    let both = asks_for(&client, &json!([payment("1"), album()]));
    let both = app.tokens_in(&mut app.browser(), &client, &both, &alice).await;
    let alone = asks_for(&client, &json!([payment("1")])).without("scope");
    let alone = app.tokens_in(&mut app.browser(), &client, &alone, &alice).await;
    let limited = asks_for(&client, &json!([payment("1")]));
    let limited = app.tokens_in(&mut app.browser(), &client, &limited, &alice).await;
    let change = |types: &'static [&'static str]| {
        app.change_client(&client, move |client| {
            client.settings.authorization_details_types = types.iter().map(|&name| name.to_owned()).collect();
        })
    };
    change(&["urn:example:album"]).await;
    let left = app.refreshed(&client, both.refresh()).await;
    assert_eq!(left.body["authorization_details"], json!([album()]));
    let asked = json!([payment("1")]).to_string();
    let answer = refresh(&app, &client, left.refresh(), &[("authorization_details", &asked)]).await;
    answer.assert_error(400, "invalid_authorization_details", TAKEN);
    refresh(&app, &client, alone.refresh(), &[]).await.assert_error(400, "invalid_authorization_details", TAKEN);
    // The scopes were granted with that limit: without it they would be more than what was granted.
    refresh(&app, &client, limited.refresh(), &[]).await.assert_error(400, "invalid_authorization_details", TAKEN);
    // Nothing was used up.
    change(&["payment_initiation"]).await;
    assert_eq!(app.refreshed(&client, limited.refresh()).await.body["authorization_details"], json!([payment("1")]));
    assert_eq!(app.refreshed(&client, alone.refresh()).await.body["authorization_details"], json!([payment("1")]));
    assert_eq!(app.refreshed(&client, left.refresh()).await.body["authorization_details"], json!([payment("1")]));
}

#[tokio::test]
async fn section_2_2_a_token_for_a_resource_has_what_means_something_there() {
    let app = start().await;
    let (client, alice) = (app.web_client_with(may_ask).await, app.alice().await);
    let mut at_mail = payment("2");
    at_mail["locations"] = json!([MAIL_API]);
    let request = asks_for(&client, &json!([payment("1"), album(), at_mail]))
        .with("scope", "openid photos.read mail.read")
        .with("resource", PHOTOS_API)
        .and("resource", MAIL_API);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.body["authorization_details"], json!([payment("1"), album(), at_mail]));
    // Section 9.2: each API is told its own.
    for (api, told) in [(MAIL_API, json!([payment("1"), at_mail])), (PHOTOS_API, json!([payment("1"), album()]))] {
        let server = app.resource_server(api).await;
        assert_eq!(app.introspect(&server, tokens.access()).await.json()["authorization_details"], told);
    }
    let mail = refresh(&app, &client, tokens.refresh(), &[("resource", MAIL_API)]).await;
    assert_eq!(mail.json()["authorization_details"], json!([payment("1"), at_mail]));
}

#[tokio::test]
async fn a_client_that_acts_for_itself_gets_what_it_asks_for_and_no_scope_besides() {
    let app = start().await;
    let client = app.machine_client_with(may_ask).await;
    let details = json!([album()]).to_string();
    let form = [("grant_type", "client_credentials"), ("authorization_details", details.as_str())];
    let body = app.token(&client, &form).await.json();
    assert_eq!((&body["authorization_details"], body.get("scope")), (&json!([album()]), None));
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(app.introspect(&client, token).await.json()["authorization_details"], json!([album()]));
    let with_scope = [&form[..], &[("scope", "mail.read")]].concat();
    assert_eq!(app.token(&client, &with_scope).await.json()["scope"], "mail.read");
    let elsewhere = [&form[..], &[("resource", MAIL_API)]].concat();
    let description = "none of the authorization_details means anything at the resource";
    app.token(&client, &elsewhere).await.assert_error(400, "invalid_authorization_details", description);
}

#[tokio::test]
async fn a_device_asks_for_them_too() {
    let app = start().await;
    let client = app.web_client_with(|settings| {
        may_ask(settings);
        settings.grant_types = vec![GrantType::DeviceCode, GrantType::RefreshToken];
        settings.redirect_uris.clear();
        settings.post_logout_redirect_uris.clear();
    });
    let client = client.await;
    let unknown = json!([{"type": "unheard_of"}]).to_string();
    let refused = app.call_as(&client, "/device_authorization", &[("authorization_details", &unknown)]).await;
    let description = "the type of one of the authorization_details is not known";
    refused.assert_error(400, "invalid_authorization_details", description);
    let details = json!([payment("5"), album()]);
    let begun = app.call_as(&client, "/device_authorization", &[("authorization_details", &details.to_string())]).await;
    let begun = begun.json();
    let (mut browser, alice) = (app.browser(), app.alice().await);
    let page = browser.open("/device").await;
    let page = browser.submit(&page, "device-submit", &[("user_code", begun["user_code"].as_str().unwrap())]).await;
    let page = browser.log_in(&page, &alice).await;
    page.assert_consent();
    assert!(page.visible_text().contains("Pay 5 EUR to Merchant A"));
    browser.submit(&page, "consent-allow", &[]).await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = [("grant_type", grant), ("device_code", begun["device_code"].as_str().unwrap())];
    let more = json!([payment("6")]).to_string();
    let widened = app.token(&client, &[&form[..], &[("authorization_details", &more)]].concat()).await;
    widened.assert_error(400, "invalid_authorization_details", NOT_GRANTED);
    assert_eq!(app.token(&client, &form).await.json()["authorization_details"], details);
}

#[tokio::test]
async fn section_10_the_metadata_names_the_types_but_not_those_of_restricted_resources() {
    let app = start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let mut hidden = album_type();
    hidden["type"] = "hidden".into();
    hidden["resources"] = json!([crate::harness::ADMIN_API]);
    admin.post(TYPES, &hidden).await.document(201);
    let published = app.get("/.well-known/oauth-authorization-server").send().await.json();
    let expected = json!(["payment_initiation", "urn:example:album"]);
    assert_eq!(published["authorization_details_types_supported"], expected);
    let of = |uri: &'static str| {
        let query = crate::harness::encode(&[("resource", uri)]);
        let call = app.get(&format!("/.well-known/oauth-protected-resource?{query}"));
        async move { call.send().await.json()["authorization_details_types_supported"].clone() }
    };
    assert_eq!((of(PHOTOS_API).await, of(MAIL_API).await), (json!(["urn:example:album"]), Value::Null));
}

#[tokio::test]
async fn types_are_registered_changed_and_taken_away_for_good() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let path = &format!("{TYPES}/payment_initiation");
    let answer = admin.post(TYPES, &payment_type()).await;
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let made = answer.document(201);
    assert_eq!((&made["schema"], &made["resources"]), (&payment_type()["schema"], &json!([])));
    admin.post(TYPES, &payment_type()).await.problem(409, "already-exists");
    assert_eq!(admin.get(path).await.document(200), made);
    assert_eq!(admin.get(TYPES).await.document(200)["items"], json!([made]));
    let changed = admin.patch(path, &json!({"sentence": {"en": null}, "resources": [PHOTOS_API]})).await.document(200);
    assert_eq!((&changed["sentence"], &changed["resources"]), (&json!({}), &json!([PHOTOS_API])));
    let stale = admin.call(Method::DELETE, path).header("if-match", "\"1\"").send().await;
    stale.problem(412, "precondition-failed");
    assert_eq!(admin.patch(path, &json!({"type": "other"})).await.invalid_members(), ["/type"]);

    let encoded: String = PHOTOS_API.bytes().map(|byte| format!("%{byte:02X}")).collect();
    admin.delete(&format!("/admin/resources/{encoded}")).await.problem(409, "conflict");
    let client = json!({"client_id": "pays", "redirect_uris": ["https://a.example/"], "authorization_details_types": ["payment_initiation"]});
    admin.post("/admin/clients", &client).await.document(201);
    admin.delete(path).await.problem(409, "conflict");
    assert_eq!(admin.delete("/admin/clients/pays").await.status, 204);
    assert_eq!(admin.delete(path).await.status, 204);
    admin.get(path).await.problem(404, "not-found");
    admin.post(TYPES, &payment_type()).await.problem(409, "already-exists");
    assert_eq!(admin.post("/admin/clients", &client).await.invalid_members(), ["/authorization_details_types/0"]);
}

#[tokio::test]
async fn a_schema_or_a_sentence_that_is_not_understood_is_refused_at_its_place() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut known = payment_type();
        change(&mut known);
        admin.post(TYPES, &known).await.invalid_members()
    };
    assert_eq!(refused(&|known| known["type"] = "two words".into()).await, ["/type"]);
    assert_eq!(refused(&|known| known["schema"]["$ref"] = "https://a.example/schema".into()).await, ["/schema/$ref"]);
    let open = |known: &mut Value| known["schema"]["additionalProperties"] = true.into();
    assert_eq!(refused(&open).await, ["/schema/additionalProperties"]);
    let pattern = |known: &mut Value| known["schema"]["properties"]["creditorName"]["pattern"] = "^A".into();
    assert_eq!(refused(&pattern).await, ["/schema/properties/creditorName/pattern"]);
    assert_eq!(refused(&|known| known["sentence"]["en"] = "Pay {amount}".into()).await, ["/sentence/en"]);
    assert_eq!(refused(&|known| known["sentence"]["en"] = "Pay {".into()).await, ["/sentence/en"]);
    assert_eq!(refused(&|known| known["name"] = json!({})).await, ["/name"]);
    assert_eq!(refused(&|known| known["resources"] = json!(["https://unknown.example/"])).await, ["/resources/0"]);
}
