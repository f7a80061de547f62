//! `/jwks.json` (RFC 7517 section 5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ostiary::jobs::Job;
use ostiary::model::jwks_fetch::JwksAudience;
use serde_json::Value;

use crate::harness::program::{KEYCTL, Workplace};
use crate::harness::{TestApp, TestClient, copied_directory, master_key};

#[tokio::test]
async fn every_key_is_public_named_once_and_strong_enough() {
    let app = TestApp::start().await;
    let answer = app.get("/jwks.json").send().await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=900"));
    let jwks = answer.json();
    assert_eq!(jwks.as_object().unwrap().len(), 1, "nothing but keys");
    let keys = jwks["keys"].as_array().unwrap();
    let mut kids: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len());
    for key in keys {
        let members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(key["use"], "sig", "{key}");
        let expected: &[&str] = match key["kty"].as_str().unwrap() {
            "RSA" => &["alg", "e", "kid", "kty", "n", "use"],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            "OKP" => &["alg", "crv", "kid", "kty", "use", "x"],
            other => panic!("{other}"),
        };
        let mut sorted = members.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "no private part: {key}");
        if key["kty"] == "RSA" {
            let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
            assert!(modulus.len() >= 256 && modulus[0] >= 0x80, "at least 2048 bits: {key}");
        }
    }
}

#[tokio::test]
async fn each_key_names_its_algorithm_and_curve() {
    let app = TestApp::start().await;
    let jwks = app.get("/jwks.json").send().await.json();
    let keys = jwks["keys"].as_array().unwrap();
    let mut found: Vec<_> = keys.iter().map(|key| ["kty", "alg", "crv"].map(|name| key[name].as_str())).collect();
    found.sort_unstable();
    let expected = [
        [Some("EC"), Some("ES256"), Some("P-256")],
        [Some("OKP"), Some("EdDSA"), Some("Ed25519")],
        [Some("RSA"), Some("PS256"), None],
        [Some("RSA"), Some("RS256"), None],
    ];
    assert_eq!(found, expected);
    let length = |key: &Value, name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap().len();
    for key in keys {
        // RFC 7518 section 6.2.1.2, RFC 8037 section 2: the full size of a coordinate.
        for name in ["x", "y"].into_iter().filter(|name| key.get(name).is_some()) {
            assert_eq!(length(key, name), 32, "{key}");
        }
    }
}

#[tokio::test]
async fn there_is_a_key_for_every_advertised_algorithm() {
    let app = TestApp::start().await;
    let metadata: Value = app.get("/.well-known/openid-configuration").send().await.json();
    let jwks = app.get("/jwks.json").send().await.json();
    for list in ["id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"] {
        for alg in metadata[list].as_array().unwrap() {
            assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["alg"] == *alg), "{alg}");
        }
    }
    assert_eq!(metadata["jwks_uri"], format!("{}/jwks.json", app.issuer()));
}

#[tokio::test]
async fn a_copy_that_is_still_good_is_not_sent_again() {
    let app = TestApp::start().await;
    let first = app.get("/jwks.json").send().await;
    let etag = first.header("etag").expect("a tag").to_owned();
    for tag in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let again = app.get("/jwks.json").header("if-none-match", &tag).send().await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{tag}");
    }
}

impl TestApp {
    async fn audience(&self) -> JwksAudience {
        Job::JwksFetches.run_once(&self.app, self.now()).await.unwrap();
        self.app.postgres.find_jwks_audience(self.now()).await.unwrap()
    }

    async fn fetch_keys(&self, query: &str, agent: &str) {
        let answer = self.get(&format!("/jwks.json{query}")).header("user-agent", agent).send().await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("public, max-age=900")));
    }
}

fn name(client: &TestClient) -> String {
    format!("?client_id={}", client.id)
}

#[tokio::test]
async fn who_fetched_the_keys_is_remembered_by_the_last_time() {
    let app = TestApp::start().await;
    let (shop, idle, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    app.tokens(&shop, &alice, "openid").await;
    let began = app.now();
    let client = |audience: &JwksAudience| {
        assert_eq!(audience.clients.len(), 1, "who got no tokens needs no keys: {audience:?}");
        (
            audience.clients[0].client_id.as_str().to_owned(),
            audience.clients[0].last_token_at,
            audience.clients[0].fetched_at,
        )
    };
    assert_eq!(client(&app.audience().await), (shop.id.clone(), began, None));
    app.fetch_keys(&name(&shop), "any/1").await;
    app.fetch_keys(&name(&idle), "any/1").await;
    app.fetch_keys("?client_id=nobody", "any/1").await;
    app.fetch_keys("", "reader/2.1 (linux)").await;
    app.pass_seconds(60);
    app.fetch_keys("", "other").await;
    let audience = app.audience().await;
    assert_eq!(client(&audience).2, Some(began));
    let others: Vec<_> = audience.others.iter().map(|o| (o.network.as_str(), o.agent.as_str(), o.fetched_at)).collect();
    let now = app.now();
    assert_eq!(others, [("127.0.0.0/24", "reader", began), ("127.0.0.0/24", "other", now)]);

    // A later time replaces the earlier one, an earlier one of another instance does not, and a copy that was still good counts.
    let etag = app.get("/jwks.json").send().await.header("etag").unwrap().to_owned();
    let again = app.get(&format!("/jwks.json{}", name(&shop))).header("if-none-match", &etag).send().await;
    assert_eq!(again.status, 304);
    assert_eq!(client(&app.audience().await).2, Some(now));
    let earlier = app.other_process(TimeDelta::seconds(-30)).await;
    earlier.fetch_keys(&name(&shop), "any/1").await;
    assert_eq!(client(&earlier.audience().await).2, Some(now));

    // Nothing is kept for longer than a month.
    app.pass(TimeDelta::days(29));
    assert_eq!(app.audience().await.others.len(), 3);
    app.pass(TimeDelta::days(2));
    Job::Deletion.run_once(&app.app, app.now()).await.unwrap();
    app.pass(TimeDelta::days(-10));
    assert_eq!(app.audience().await, JwksAudience { clients: app.audience().await.clients, others: vec![] });
}

#[tokio::test]
async fn names_that_somebody_makes_up_do_not_hide_that_a_client_fetched() {
    let app = TestApp::start().await;
    let (shop, alice) = (app.web_client().await, app.alice().await);
    app.tokens(&shop, &alice, "openid").await;
    app.fetch_keys(&name(&shop), "any/1").await;
    app.audience().await;
    // Here it is known since then, and by another instance once that has asked.
    let other = app.other_process(TimeDelta::seconds(60)).await;
    other.audience().await;
    for instance in [&app, &other] {
        instance.pass_seconds(60);
        for number in 0..30 {
            instance.fetch_keys(&format!("?client_id=made-up-{number}"), "any/1").await;
        }
        instance.fetch_keys(&name(&shop), "any/1").await;
        let audience = instance.audience().await;
        assert_eq!(audience.clients[0].fetched_at, Some(instance.now()), "{audience:?}");
        assert!(audience.others.is_empty(), "{audience:?}");
    }
}

#[tokio::test]
async fn a_rehearsal_tells_who_has_not_fetched_the_newest_key() {
    let keys = copied_directory();
    let folder = keys.path().to_owned();
    let app = TestApp::with_config(|config| config.keys.directory = folder.clone()).await;
    let workplace = Workplace::new();
    let settings = serde_json::json!({
        "keys": {"directory": folder, "master_key": master_key()}, "database": {"url": app.database_url()},
    });
    workplace.write("settings.yaml", &settings.to_string());
    let keyctl = async |words: &[&str]| {
        let words = [&["--config", "settings.yaml"], words].concat();
        let ended = workplace.run(KEYCTL, &words, &[("ISSUER", app.issuer())]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    let (prompt, late, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    for client in [&prompt, &late] {
        app.tokens(client, &alice, "openid").await;
        app.fetch_keys(&name(client), "any/1").await;
    }
    Job::JwksFetches.run_once(&app.app, app.now()).await.unwrap();
    // Listed by the real clock, which is past the one of the server that stands still.
    let made: Value = serde_json::from_str(&keyctl(&["--json", "prepublish", "--alg", "ES256"]).await).unwrap();
    app.pass_seconds(600);
    app.fetch_keys(&name(&prompt), "any/1").await;
    Job::JwksFetches.run_once(&app.app, app.now()).await.unwrap();
    let told: Value = serde_json::from_str(&keyctl(&["--json", "rehearse"]).await).unwrap();
    assert_eq!(told["audience"]["kid"], made["prepublished"][0]["kid"]);
    let has_fetched = |client: &TestClient| {
        let clients = told["audience"]["clients"].as_array().unwrap();
        clients.iter().find(|told| told["client_id"] == client.id.as_str()).unwrap()["has_fetched"].clone()
    };
    assert_eq!((has_fetched(&prompt), has_fetched(&late)), (Value::Bool(true), Value::Bool(false)), "{told}");
    let text = keyctl(&["rehearse"]).await;
    let line = |client: &TestClient| text.lines().find(|line| line.ends_with(&client.id)).unwrap().to_owned();
    assert!(line(&prompt).contains("has it") && line(&late).contains("NOT SINCE THEN"), "{text}");
}

#[tokio::test]
async fn the_admin_api_and_the_console_tell_who_has_not_fetched_the_newest_key() {
    let keys = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = keys.path().to_owned()).await;
    let (prompt, late, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    for client in [&prompt, &late] {
        app.tokens(client, &alice, "openid").await;
        app.fetch_keys(&name(client), "any/1").await;
    }
    app.fetch_keys("", "reader/2.1").await;
    app.pass_seconds(60);
    let admin = app.admin(&["admin:keys"]).await;
    let made = admin.post("/admin/keys", &serde_json::json!({"keys": [{"alg": "ES256"}]})).await.document(200);
    app.pass_seconds(60);
    app.fetch_keys(&name(&prompt), "any/1").await;
    Job::JwksFetches.run_once(&app.app, app.now()).await.unwrap();

    let reader = app.admin(&["admin:keys:read"]).await;
    let told = reader.get("/admin/key-rehearsal").await.document(200);
    assert_eq!(told["timeline"], reader.get("/admin/keys").await.document(200)["timeline"]);
    let audience = &told["audience"];
    assert_eq!(
        (&audience["kid"], &audience["since"]),
        (&made["keys"][0]["kid"], &made["keys"][0]["published_at"]),
        "{told}"
    );
    let has_fetched = |client: &TestClient| {
        let clients = audience["clients"].as_array().unwrap();
        clients.iter().find(|told| told["client_id"] == client.id.as_str()).unwrap()["has_fetched"].clone()
    };
    assert_eq!((has_fetched(&prompt), has_fetched(&late)), (Value::Bool(true), Value::Bool(false)), "{told}");
    let other = &audience["others"][0];
    assert_eq!((&other["agent"], &other["has_fetched"]), (&"reader".into(), &false.into()), "{told}");

    let page = app.console().await.open("/console/keys").await;
    page.assert_shown("/console/keys", &["audience", "audience-ready", "audience-late"]);
    let ready = page.text("audience-ready");
    assert_eq!(ready, "1 of 2 applications in use fetched it. One program without a name did not.");
    assert_eq!(page.attributes("#audience-late a", "href"), [format!("/console/clients/{}", late.id)]);
}
