//! `/admin/clients`: a client's life by REST.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, basic};

fn photo_album() -> Value {
    json!({
        "client_id": "photo-album",
        "client_name": {"en": "Photo Album"},
        "redirect_uris": ["https://album.example/callback"],
        "scopes": ["openid", "photos.read"],
    })
}

#[tokio::test]
async fn a_client_is_registered_and_can_authenticate() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let machine = json!({"grant_types": ["client_credentials"], "scopes": ["photos.read"]});
    let answer = admin.post("/admin/clients", &machine).await;
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let made = answer.document(201);
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let form = [("grant_type", "client_credentials")];
    let token = app.post("/token").header("authorization", &basic(id, secret)).form(&form).send().await.json();
    assert_eq!(token["scope"], "photos.read");
    // What is shown afterwards is the same but for the secret.
    let shown = admin.get(&format!("/admin/clients/{id}")).await.document(200);
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(shown, expected);
    assert!(!shown.to_string().contains(secret));
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let mut client = photo_album();
    client["token_endpoint_auth_method"] = "none".into();
    let made = admin.post("/admin/clients", &client).await.document(201);
    assert_eq!((made.get("client_secret"), &made["secrets"]), (None, &json!([])));
    let answer = admin.post("/admin/clients/photo-album/secrets", &json!({})).await;
    answer.problem(409, "conflict");
}

#[tokio::test]
async fn an_identifier_is_never_given_twice() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.post("/admin/clients", &photo_album()).await.document(201);
    admin.post("/admin/clients", &photo_album()).await.problem(409, "already-exists");
    assert_eq!(admin.delete("/admin/clients/photo-album").await.status, 204);
    admin.get("/admin/clients/photo-album").await.problem(404, "not-found");
    admin.post("/admin/clients", &photo_album()).await.problem(409, "already-exists");
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_client_is_said_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let strange = json!({
        "client_id": "u.someone", "enabled": "yes", "redirect_uris": ["http://album.example/"],
        "scopes": ["openid"], "logo_uri": "data:,x",
    });
    let pointers = admin.post("/admin/clients", &strange).await.invalid_members();
    assert_eq!(pointers, ["/client_id", "/enabled", "/logo_uri", "/redirect_uris/0"]);
    let unknown = json!({"redirect_uri": "https://album.example/"});
    assert_eq!(admin.post("/admin/clients", &unknown).await.invalid_members(), ["/redirect_uri"]);
    let mut unregistered = photo_album();
    unregistered["scopes"] = json!(["openid", "nothing"]);
    unregistered["resources"] = json!(["https://nothing.example/"]);
    assert_eq!(admin.post("/admin/clients", &unregistered).await.invalid_members(), ["/resources/0", "/scopes/1"]);
    assert_eq!(admin.get("/admin/clients?search=someone").await.document(200)["items"], json!([]));
}

#[tokio::test]
async fn bodies_that_are_no_documents_are_refused() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let post = |media: &'static str, body: String| admin.call(Method::POST, "/admin/clients").body(media, &body).send();
    post("application/json", "{".into()).await.problem(400, "invalid-json");
    post("application/json", r#"{"enabled": true, "enabled": false}"#.into()).await.problem(400, "invalid-json");
    assert_eq!(post("application/json", "[]".into()).await.invalid_members(), [""]);
    post("text/plain", "{}".into()).await.problem(415, "unsupported-media-type");
    post("application/json", format!(r#"{{"a": "{}"}}"#, "x".repeat(70_000))).await.problem(413, "body-too-large");
    let packed = admin.call(Method::POST, "/admin/clients").header("content-encoding", "gzip");
    packed.body("application/json", "{}").send().await.problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn parameters_in_the_query_that_an_endpoint_does_not_know_are_refused() {
    let app = TestApp::start().await;
    let admin = app.admin_of_everything().await;
    admin.post("/admin/clients", &photo_album()).await.document(201);
    for path in ["/admin/clients/photo-album?fields=x", "/admin/clients?fields=x", "/admin/keys?x"] {
        admin.get(path).await.problem(400, "invalid-parameter");
    }
    assert_eq!(admin.delete("/admin/clients/photo-album?force=true").await.status, 400);
    admin.get("/admin/clients/photo-album?").await.document(200);
}

#[tokio::test]
async fn what_was_made_is_where_the_answer_says_in_the_state_that_it_names() {
    let app = TestApp::start().await;
    let admin = app.admin_of_everything().await;
    let client = json!({"client_id": "https://a.example/b", "redirect_uris": ["https://a.example/"]});
    let user = json!({"username": "carol", "password": "correct horse battery"});
    let resource = json!({"uri": "https://n.example/api", "name": {"en": "Notes"}, "scopes": []});
    let scope = json!({"name": "notes.read", "description": {"en": "Read notes"}});
    let made = [("clients", client), ("users", user), ("resources", resource), ("scopes", scope)];
    for (list, document) in made {
        let answer = admin.post(&format!("/admin/{list}"), &document).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let location = answer.header("location").unwrap().strip_prefix(app.issuer()).unwrap().to_owned();
        let there = admin.get(&location).await;
        assert_eq!(there.status, 200, "{location}");
        assert_eq!(there.header("etag"), answer.header("etag"), "{list}");
        assert!(there.header("etag").is_some(), "{list}");
    }
    // What has no address of its own has no state to name either.
    let token = admin.post("/admin/initial-access-tokens", &json!({})).await;
    assert_eq!((token.status, token.header("etag"), token.header("location")), (201, None, None));
}

#[tokio::test]
async fn a_change_is_for_the_state_that_was_read() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.post("/admin/clients", &photo_album()).await.document(201);
    let patch = |etag: Option<&'static str>, body: Value| {
        let call = admin.call(Method::PATCH, "/admin/clients/photo-album");
        let call = match etag {
            Some(etag) => call.header("if-match", etag),
            None => call,
        };
        call.body("application/merge-patch+json", &body.to_string()).send()
    };
    patch(None, json!({"enabled": false})).await.problem(428, "precondition-required");
    let answer = patch(Some("\"1\""), json!({"enabled": false, "client_uri": "https://album.example/"})).await;
    assert_eq!(answer.header("etag"), Some("\"2\""));
    let changed = answer.document(200);
    assert_eq!((&changed["enabled"], &changed["client_uri"]), (&json!(false), &json!("https://album.example/")));
    assert_eq!(changed["scopes"], json!(["openid", "photos.read"]));
    patch(Some("\"1\""), json!({"enabled": true})).await.problem(412, "precondition-failed");
    // RFC 7396: null takes away.
    let changed = patch(Some("\"2\""), json!({"client_uri": null, "enabled": true})).await.document(200);
    assert_eq!((&changed["enabled"], &changed["client_uri"]), (&json!(true), &Value::Null));
    assert_eq!(patch(Some("*"), json!({"client_id": "other"})).await.invalid_members(), ["/client_id"]);
    assert_eq!(patch(Some("*"), json!({"redirect_uris": []})).await.invalid_members(), ["/redirect_uris"]);
    patch(Some("7"), json!({})).await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn a_disabled_client_can_do_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let client = app.machine_client().await;
    let form = [("grant_type", "client_credentials")];
    app.token(&client, &form).await.json();
    admin.patch(&format!("/admin/clients/{}", client.id), &json!({"enabled": false})).await.document(200);
    assert_eq!(app.token(&client, &form).await.status, 401);
    admin.patch(&format!("/admin/clients/{}", client.id), &json!({"enabled": true})).await.document(200);
    app.token(&client, &form).await.json();
}

#[tokio::test]
async fn two_secrets_live_side_by_side_until_the_old_one_ends() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let made = admin
        .post(
            "/admin/clients",
            &json!({"client_id": "m", "grant_types": ["client_credentials"], "scopes": ["photos.read"]}),
        )
        .await
        .document(201);
    let first = made["client_secret"].as_str().unwrap().to_owned();
    let rotate =
        async |seconds: u32| admin.post("/admin/clients/m/secrets", &json!({"overlap_seconds": seconds})).await;
    let second = rotate(60).await.document(201);
    let (second, second_id) =
        (second["client_secret"].as_str().unwrap().to_owned(), second["id"].as_str().unwrap().to_owned());
    let works = async |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        app.post("/token").header("authorization", &basic("m", secret)).form(&form).send().await.status == 200
    };
    assert!(works(&first).await && works(&second).await);
    app.pass_seconds(60);
    assert!(!works(&first).await && works(&second).await);
    // Never three: the oldest of those that live goes.
    app.pass_seconds(1);
    let third = rotate(60).await.document(201)["client_secret"].as_str().unwrap().to_owned();
    app.pass_seconds(1);
    let fourth = rotate(60).await.document(201)["client_secret"].as_str().unwrap().to_owned();
    assert!(!works(&second).await && works(&third).await && works(&fourth).await);
    let gone = admin.delete(&format!("/admin/clients/m/secrets/{second_id}")).await;
    gone.problem(404, "not-found");
    let secrets = admin.get("/admin/clients/m").await.document(200)["secrets"].clone();
    assert_eq!(secrets.as_array().unwrap().len(), 2);
    let third_id = secrets[0]["id"].as_str().unwrap();
    assert_eq!(admin.delete(&format!("/admin/clients/m/secrets/{third_id}")).await.status, 204);
    assert!(!works(&third).await && works(&fourth).await);
}

#[tokio::test]
async fn the_same_request_with_the_same_key_makes_one_client() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let post = |key: &'static str, body: Value| {
        admin.call(Method::POST, "/admin/clients").header("idempotency-key", key).json(&body).send()
    };
    let machine = json!({"grant_types": ["client_credentials"], "scopes": ["photos.read"]});
    let answers = futures_util::future::join_all((0..8).map(|_| post("once", machine.clone()))).await;
    let first = answers[0].document(201);
    assert!(answers.iter().all(|answer| answer.document(201) == first), "{answers:?}");
    post("once", photo_album()).await.problem(422, "idempotency-key-reused");
    // Another caller's keys are its own.
    let other = app.admin(&["admin:clients"]).await;
    let call = other.call(Method::POST, "/admin/clients").header("idempotency-key", "once").json(&machine);
    assert_ne!(call.send().await.document(201)["client_id"], first["client_id"]);
    // A refusal is not kept: mended, the request goes through.
    post("twice", json!({"redirect_uris": ["nowhere"]})).await.problem(422, "invalid-body");
    post("twice", photo_album()).await.document(201);
    // After a day the key is free again.
    app.pass_seconds(24 * 60 * 60 + 1);
    let admin = app.admin(&["admin:clients"]).await;
    let call = admin.call(Method::POST, "/admin/clients").header("idempotency-key", "twice");
    call.json(&json!({"grant_types": ["client_credentials"], "scopes": []})).send().await.document(201);
    let call = admin.call(Method::POST, "/admin/clients").header("idempotency-key", "with a blank").json(&machine);
    call.send().await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn a_list_comes_in_pages_and_can_be_searched() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    for n in 0..5 {
        let body = json!({
            "client_id": format!("shop-{n}"), "client_name": {"en": format!("100% Shop {n}")},
            "redirect_uris": ["https://shop.example/callback"],
        });
        admin.post("/admin/clients", &body).await.document(201);
    }
    let mut seen = Vec::new();
    let mut path = "/admin/clients?search=shop-&limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = admin.get(&path).await.document(200);
        pages += 1;
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["client_id"].as_str().unwrap().to_owned()));
        let Some(next) = page.get("next") else { break };
        path = format!("/admin/clients?search=shop-&limit=2&cursor={}", next.as_str().unwrap());
    }
    assert_eq!((pages, seen), (3, (0..5).map(|n| format!("shop-{n}")).collect()));
    let found = admin.get("/admin/clients?search=100%25%20SHOP%203").await.document(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get("/admin/clients?search=%25%25").await.document(200)["items"], json!([]));
    for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "no=1", "limit=1&limit=2", "search=%00"] {
        admin.get(&format!("/admin/clients?{query}")).await.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn nobody_gives_or_takes_admin_scopes_that_they_do_not_hold() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let with = |scopes: Value| {
        json!({
            "grant_types": ["client_credentials"], "resources": [app.admin_resource()], "scopes": scopes,
        })
    };
    admin.post("/admin/clients", &with(json!(["admin:users"]))).await.problem(403, "forbidden");
    let own = admin.post("/admin/clients", &with(json!(["admin:clients:read"]))).await.document(201);
    let own = format!("/admin/clients/{}", own["client_id"].as_str().unwrap());
    admin.patch(&own, &json!({"scopes": ["admin:clients", "admin:keys"]})).await.problem(403, "forbidden");
    // One that exceeds the caller cannot be touched, nor given a secret that the caller would know.
    let exceeding = app.admin_client(&["admin:users"]).await;
    let path = format!("/admin/clients/{}", exceeding.id);
    admin.patch(&path, &json!({"enabled": false})).await.problem(403, "forbidden");
    admin.patch(&path, &json!({"scopes": []})).await.problem(403, "forbidden");
    admin.delete(&path).await.problem(403, "forbidden");
    admin.post(&format!("{path}/secrets"), &json!({})).await.problem(403, "forbidden");
    let both = app.admin(&["admin:clients", "admin:users"]).await;
    both.patch(&path, &json!({"enabled": false})).await.document(200);
}

/// Of two who saw the same and change it, one is told to look again. At two instances, and for everything that is changed so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_at_once_one_wins() {
    let app = TestApp::start().await;
    let (admin, other) = (app.admin_of_everything().await, app.second_instance().await);
    admin.post("/admin/clients", &photo_album()).await.document(201);
    admin.post("/admin/scopes", &json!({"name": "race", "description": {"en": "-"}})).await.document(201);
    let resource = json!({"uri": "https://race.example/", "name": {"en": "-"}, "scopes": []});
    admin.post("/admin/resources", &resource).await.document(201);
    let alice = app.alice().await;
    let text = |text: &str| json!({"en": text});
    type Change = fn(Value, &str) -> Value;
    let things: [(String, &str, Change); 4] = [
        ("/admin/clients/photo-album".to_owned(), "client_name", |name, _| json!({"client_name": name})),
        ("/admin/scopes/race".to_owned(), "description", |name, _| json!({"description": name})),
        ("/admin/resources/https%3A%2F%2Frace.example%2F".to_owned(), "name", |name, _| json!({"name": name})),
        (format!("/admin/users/{}", alice.sub()), "username", |_, plain| json!({"username": plain})),
    ];
    for (path, member, change) in things {
        for round in 0..5 {
            let seen = admin.get(&path).await.header("etag").unwrap().to_owned();
            let patch = async |server: &TestApp, who: &str| {
                let name = format!("{who}-{round}");
                let call = server.request(Method::PATCH, &path).bearer(&admin.token).header("if-match", &seen);
                let body = change(text(&name), &name);
                (call.body("application/merge-patch+json", &body.to_string()).send().await, body[member].clone())
            };
            let (one, two) = tokio::join!(patch(&app, "one"), patch(&other, "two"));
            let ((won, named), (lost, _)) = if one.0.status == 200 { (one, two) } else { (two, one) };
            assert_eq!(won.document(200)[member], named);
            lost.problem(412, "precondition-failed");
            let after = admin.get(&path).await;
            assert_eq!((&after.json()[member], after.header("etag")), (&named, won.header("etag")), "{path}");
        }
    }
}
