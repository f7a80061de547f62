//! Request objects that are encrypted to the server (RFC 9101 sections 6.1 and 6.2), and the life of the keys for that.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Admin, Answer, Authorization, ClientKey, DecryptionKey, TestApp, TestClient, copied_directory, encode, jwe,
};

const REFUSED: &str = "the request object cannot be decrypted";
const ENCS: [&str; 4] = ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"];

/// A server with keys of its own, so that others can be added.
async fn start() -> (TestApp, TempDir) {
    let keys = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = keys.path().to_owned()).await;
    (app, keys)
}

/// Makes a key that requests are encrypted to, and lets it be the one; its `kid`.
async fn add_key(app: &TestApp) -> String {
    let admin = app.admin(&["admin:keys"]).await;
    let made = admin.post("/admin/keys", &json!({"keys": [{"alg": "ECDH-ES", "purpose": "encryption"}]})).await;
    let kid = made.document(200)["keys"][0]["kid"].as_str().unwrap().to_owned();
    activate(&admin, &kid).await;
    kid
}

async fn activate(admin: &Admin<'_>, kid: &str) {
    admin.post(&format!("/admin/keys/{kid}/activate"), &json!({"force": true})).await.document(200);
}

/// The keys that others may encrypt to.
async fn listed(app: &TestApp) -> Vec<Value> {
    let jwks = app.get("/jwks.json").send().await.json();
    jwks["keys"].as_array().unwrap().iter().filter(|key| key["use"] == "enc").cloned().collect()
}

async fn signing_client(app: &TestApp) -> TestClient {
    app.signing_web_client(ClientKey::generate("ES256")).await
}

async fn push(app: &TestApp, client: &TestClient, object: &str) -> Answer {
    app.call_as(client, "/par", &[("request", object)]).await
}

async fn refused(app: &TestApp, client: &TestClient, object: &str) {
    push(app, client, object).await.assert_error(400, "invalid_request_object", REFUSED);
}

/// A request object of `client`, signed and then encrypted to `key`.
fn object(client: &TestClient, key: &Value, enc: &str) -> String {
    let signed = client.request_object(&Authorization::of(client), json!({}));
    jwe::encrypt(key, enc, &json!({"kid": key["kid"], "cty": "JWT"}), &signed)
}

#[tokio::test]
async fn what_is_signed_and_encrypted_is_pushed_and_comes_through_the_browser() {
    let (app, _keys) = start().await;
    let alice = app.alice().await;
    let kid = add_key(&app).await;
    let [key] = listed(&app).await.try_into().unwrap();
    assert_eq!((&key["kid"], &key["alg"], &key["crv"]), (&json!(kid), &json!("ECDH-ES"), &json!("P-256")));
    assert_eq!(key.get("d"), None);
    let client = signing_client(&app).await;
    for enc in ENCS {
        let request = Authorization::of(&client);
        let signed = client.request_object(&request, json!({}));
        let object = jwe::encrypt(&key, enc, &json!({"kid": kid, "cty": "JWT"}), &signed);
        let answer = push(&app, &client, &object).await;
        assert_eq!(answer.status, 201, "{enc} {answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let pushed = request.pushed_as(body["request_uri"].as_str().unwrap());
        let tokens = app.tokens_in(&mut app.browser(), &client, &pushed, &alice).await;
        assert_eq!(tokens.id_claims(&app).await["nonce"], request.value("nonce"));
        let path = format!("/authorize?{}", encode(&[("client_id", client.id.as_str()), ("request", &object)]));
        let mut browser = app.browser();
        let page = browser.open(&path).await;
        let answer = browser.log_in(&page, &alice).await.returned_to(&client.redirect_uri);
        assert_eq!(answer["state"], request.value("state"));
    }
    // Neither kid nor cty has to be there.
    let signed = client.request_object(&Authorization::of(&client), json!({}));
    assert_eq!(push(&app, &client, &jwe::encrypt(&key, "A128GCM", &json!({}), &signed)).await.status, 201);
}

#[tokio::test]
async fn rfc_9101_section_6_1_what_cannot_be_decrypted_is_one_and_the_same_refusal() {
    let (app, _keys) = start().await;
    add_key(&app).await;
    let [key] = listed(&app).await.try_into().unwrap();
    let client = signing_client(&app).await;
    let signed = client.request_object(&Authorization::of(&client), json!({}));
    let with = |members: Value| jwe::encrypt(&key, "A256GCM", &members, &signed);
    for members in [
        json!({"alg": "dir"}),
        json!({"alg": "RSA1_5"}),
        json!({"alg": "RSA-OAEP-256"}),
        json!({"alg": "PBES2-HS256+A128KW", "p2c": 1_000_000_000, "p2s": "AAAA"}),
        json!({"alg": "ECDH-ES+A128KW"}),
        json!({"enc": "A192GCM"}),
        json!({"enc": "A128GCM"}),
        json!({"zip": "DEF"}),
        json!({"crit": ["exp"], "exp": 1}),
        json!({"kid": "unknown"}),
        json!({"cty": "text/plain"}),
        json!({"apu": "another"}),
    ] {
        refused(&app, &client, &with(members.clone())).await;
    }
    let good = object(&client, &key, "A128CBC-HS256");
    let tampered: Vec<String> = (2..5)
        .map(|index| {
            let mut parts: Vec<String> = good.split('.').map(ToOwned::to_owned).collect();
            let first = if parts[index].starts_with('A') { "B" } else { "A" };
            parts[index].replace_range(..1, first);
            parts.join(".")
        })
        .collect();
    for object in tampered {
        refused(&app, &client, &object).await;
    }
    let stranger = DecryptionKey::generate("ECDH-ES").jwk();
    let to_another = jwe::encrypt(&stranger, "A256GCM", &json!({"kid": key["kid"]}), &signed);
    refused(&app, &client, &to_another).await;
    refused(&app, &client, "a.b.c.d.e").await;
    assert_eq!(push(&app, &client, &good).await.status, 201);
}

#[tokio::test]
async fn what_is_inside_must_be_signed_and_is_held_to_every_rule() {
    let (app, _keys) = start().await;
    add_key(&app).await;
    let [key] = listed(&app).await.try_into().unwrap();
    let (client, other) = (signing_client(&app).await, signing_client(&app).await);
    let about = json!({"kid": key["kid"], "cty": "JWT"});
    let request = Authorization::of(&client);
    let signed = client.request_object(&request, json!({}));
    let unsigned = json!({"client_id": client.id, "response_type": "code"}).to_string();
    for (inside, description) in [
        (unsigned, "the request object is malformed or not signed"),
        (jwe::encrypt(&key, "A128GCM", &about, &signed), "the request object is malformed or not signed"),
        (
            other.request_object(&request, json!({"client_id": client.id, "iss": client.id})),
            "no key of the client made the signature of the request object",
        ),
        (client.request_object(&request, json!({"exp": 1})), "the request object has expired"),
        (
            client.request_object(&request, json!({"aud": "https://another.example"})),
            "the aud of the request object is not this server",
        ),
    ] {
        let object = jwe::encrypt(&key, "A128GCM", &about, &inside);
        push(&app, &client, &object).await.assert_error(400, "invalid_request_object", description);
    }
}

#[tokio::test]
async fn a_superseded_key_is_not_listed_and_still_decrypts_until_it_is_retired() {
    let (app, _keys) = start().await;
    let first_kid = add_key(&app).await;
    let [first] = listed(&app).await.try_into().unwrap();
    let client = signing_client(&app).await;
    let admin = app.admin(&["admin:keys"]).await;
    let made = admin.post("/admin/keys", &json!({"keys": [{"alg": "ECDH-ES", "purpose": "encryption"}]})).await;
    let next_kid = made.document(200)["keys"][0]["kid"].as_str().unwrap().to_owned();
    // Whoever sees it listed may use it, although its turn has not come.
    let next = listed(&app).await.into_iter().find(|key| key["kid"] == next_kid.as_str()).unwrap();
    assert_eq!(push(&app, &client, &object(&client, &next, "A256GCM")).await.status, 201);
    activate(&admin, &next_kid).await;
    assert_eq!(listed(&app).await, std::slice::from_ref(&next), "nobody need begin with the one before");
    for key in [&first, &next] {
        assert_eq!(push(&app, &client, &object(&client, key, "A256GCM")).await.status, 201);
    }
    let retire = format!("/admin/keys/{first_kid}/retire");
    admin.post(&retire, &json!({})).await.problem(409, "conflict");
    app.pass(TimeDelta::days(2));
    let admin = app.admin(&["admin:keys"]).await;
    admin.post(&retire, &json!({})).await.document(200);
    refused(&app, &client, &object(&client, &first, "A256GCM")).await;
    assert_eq!(push(&app, &client, &object(&client, &next, "A256GCM")).await.status, 201);
}

#[tokio::test]
async fn without_a_key_for_it_nothing_is_offered_and_no_signing_key_takes_its_place() {
    let (app, _keys) = start().await;
    let names = ["request_object_encryption_alg_values_supported", "request_object_encryption_enc_values_supported"];
    let metadata = async || app.get("/.well-known/openid-configuration").send().await.json();
    let before = metadata().await;
    assert!(names.iter().all(|name| before.get(name).is_none()), "{before}");
    let client = signing_client(&app).await;
    let jwks = app.get("/jwks.json").send().await.json();
    let signing = jwks["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "ES256").unwrap();
    refused(&app, &client, &object(&client, signing, "A256GCM")).await;
    add_key(&app).await;
    let after = metadata().await;
    assert_eq!(names.map(|name| after[name].clone()), [json!(["ECDH-ES"]), json!(ENCS)]);
    refused(&app, &client, &object(&client, signing, "A256GCM")).await;
    // It signs nothing either: a token names none of its keys.
    let machine = app.machine_client().await;
    assert_eq!(app.token(&machine, &[("grant_type", "client_credentials")]).await.status, 200);
}

#[tokio::test]
async fn a_key_is_for_signatures_or_for_encryption() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    for (alg, purpose) in
        [("ECDH-ES", "tokens"), ("ECDH-ES", "logout"), ("ES256", "encryption"), ("RS256", "encryption")]
    {
        let answer = admin.post("/admin/keys", &json!({"keys": [{"alg": alg, "purpose": purpose}]})).await;
        let problem = answer.problem(409, "conflict");
        let expected = format!("keys for {purpose} are not made for {alg}");
        assert!(problem["detail"].as_str().unwrap().starts_with(&expected), "{problem}");
    }
    assert!(listed(&app).await.is_empty());
}

#[tokio::test]
async fn a_client_says_how_it_will_encrypt_its_requests() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let (alg, enc) = ("request_object_encryption_alg", "request_object_encryption_enc");
    let base = json!({"redirect_uris": ["https://app.example/callback"]});
    let with = |members: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body
    };
    let made = admin.post("/admin/clients", &with(json!({alg: "ECDH-ES", enc: "A256GCM"}))).await.document(201);
    assert_eq!((&made[alg], &made[enc]), (&json!("ECDH-ES"), &json!("A256GCM")));
    for (members, pointer) in [
        (json!({enc: "A256GCM"}), enc),
        (json!({alg: "RSA-OAEP-256"}), alg),
        (json!({alg: "RSA1_5"}), alg),
        (json!({alg: "ECDH-ES", enc: "A192GCM"}), enc),
    ] {
        let problem = admin.post("/admin/clients", &with(members.clone())).await.problem(422, "invalid-body");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{pointer}"), "{members} {problem}");
    }
}
