//! What each request may cost the stores: commands of Valkey, statements and commits of Postgres, counted by the
//! stores. A request that begins to cost more has to say so here.

use ostiary::model::client::{AccessTokenFormat, ConsentPolicy, GrantType, SubjectType};
use ostiary::model::id::ResourceUri;
use serde_json::json;

use crate::harness::{Authorization, ClientKey, Cost, MAIL_API, Meter, TestApp, TestClient, TestPerson, Tokens};

/// Commands of Valkey, statements, commits.
type Least = (usize, usize, i64);

/// What was measured, and what differs from what is allowed.
#[derive(Default)]
struct Bill {
    surprises: Vec<String>,
}

impl Bill {
    fn item(&mut self, name: &str, cost: &Cost, expected: Least) {
        if (cost.commands, cost.statements.len(), cost.commits) != expected {
            self.surprises.push(format!("{name} costs {cost:#?} and not {expected:?}"));
        }
    }

    fn assert_as_expected(self) {
        assert!(self.surprises.is_empty(), "{}", self.surprises.join("\n"));
    }
}

const MACHINE: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "mail.read")];

/// As many families as are measured, one for each time.
async fn families(app: &TestApp, client: &TestClient, alice: &TestPerson) -> Vec<Tokens> {
    let mut families = Vec::new();
    for _ in 0..6 {
        families.push(app.tokens(client, alice, "openid offline_access").await);
    }
    families
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_costs_no_store_anything() {
    let mut meter = Meter::start().await;
    let app = meter.server(|_| {}).await;
    let mut bill = Bill::default();
    for path in
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks.json", "/health"]
    {
        let cost = meter.cost(async || assert_eq!(app.get(path).send().await.status, 200)).await;
        bill.item(path, &cost, (0, 0, 0));
    }
    bill.assert_as_expected();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_costs_one_call_for_all_that_must_be_new() {
    let mut meter = Meter::start().await;
    let app = meter.server(|_| {}).await;
    let mut bill = Bill::default();
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let machine = app.machine_client_with(|settings| settings.access_token_format = format).await;
        app.token(&machine, &MACHINE).await.json();
        let cost = meter.cost(async || drop(app.token(&machine, &MACHINE).await.json())).await;
        bill.item("client_credentials with a secret", &cost, (0, 0, 0));
    }
    let signing = app.signing_client(ClientKey::generate("ES256")).await;
    let key = ClientKey::generate("ES256");
    app.token(&signing, &MACHINE).await.json();
    let cost = meter.cost(async || drop(app.token(&signing, &MACHINE).await.json())).await;
    bill.item("client_credentials with an assertion", &cost, (2, 0, 0));
    let cost = meter.cost(async || {
        let proof = key.proof(&app, "POST", "/token", json!({}));
        app.proven_token(&signing, &MACHINE, &proof).await.json();
    });
    // The marks and the store's own age travel together.
    bill.item("client_credentials with an assertion and a proof", &cost.await, (3, 0, 0));
    bill.assert_as_expected();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_tokens_costs_one_commit_for_each_thing_that_lasts() {
    let mut meter = Meter::start().await;
    let app = meter.server(|_| {}).await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut bill = Bill::default();
    let scope = "openid offline_access";
    let asked = || Authorization::of(&client).with("scope", scope);
    let mut browser = app.browser();
    app.code(&mut browser, &asked(), &alice).await;

    let cost = meter.cost(async || drop(app.pushed(&client, &asked()).await)).await;
    bill.item("a pushed request", &cost, (1, 0, 0));

    let mut codes = Vec::new();
    let cost = meter.cost(async || {
        let request = asked();
        let code = browser.open(&request.path()).await.returned_code(&client.redirect_uri);
        codes.push((request, code));
    });
    bill.item("/authorize with a session and a remembered consent", &cost.await, (2, 1, 0));

    let cost = meter.cost(async || {
        let (request, code) = codes.pop().unwrap();
        app.token(&client, &app.redemption(&request, &code)).await.json();
    });
    bill.item("a code", &cost.await, (1, 1, 1));

    let mut strangers = Vec::new();
    let cost = meter.cost(async || {
        let mut browser = app.browser();
        let page = browser.open(&asked().path()).await;
        page.assert_login();
        strangers.push((browser, page));
    });
    bill.item("/authorize of a stranger, up to the sign-in page", &cost.await, (4, 0, 0));
    let cost = meter.cost(async || {
        let (mut browser, page) = strangers.pop().unwrap();
        browser.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
    });
    bill.item("a password, up to the code", &cost.await, (10, 3, 1));
    bill.assert_as_expected();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_life_of_tokens_costs_one_statement_each() {
    let mut meter = Meter::start().await;
    let app = meter.server(|_| {}).await;
    let mut bill = Bill::default();
    let alice = app.alice().await;
    let (jwt, opaque) = (AccessTokenFormat::Jwt, AccessTokenFormat::Opaque);
    for (format, subject_type) in
        [(jwt, SubjectType::Public), (opaque, SubjectType::Public), (jwt, SubjectType::Pairwise)]
    {
        let client = app.web_client_with(|settings| {
            settings.access_token_format = format;
            settings.subject_type = subject_type;
        });
        let client = client.await;
        let mut families = families(&app, &client, &alice).await;
        let last = families.last().unwrap().clone();
        let name = |what: &str| format!("{what}, {format:?}, {subject_type:?}");
        let cost = meter.cost(async || drop(app.userinfo(last.access()).await.json())).await;
        bill.item(&name("userinfo"), &cost, (0, 1, 0));
        let cost = meter.cost(async || drop(app.introspect(&client, last.access()).await.json())).await;
        bill.item(&name("introspection"), &cost, (0, 1, 0));
        let cost = meter.cost(async || drop(app.introspect(&client, last.refresh()).await.json())).await;
        bill.item(&name("introspection of a refresh token"), &cost, (0, 1, 0));
        let mut rotating = last.clone();
        let cost = meter.cost(async || rotating = app.refreshed(&client, rotating.refresh()).await);
        bill.item(&name("a refresh"), &cost.await, (0, 1, 1));
        let cost = meter.cost(async || {
            let family = families.pop().unwrap();
            assert_eq!(app.revoke(&client, family.refresh()).await.status, 200);
        });
        bill.item(&name("revocation"), &cost.await, (0, 1, 1));
    }
    bill.assert_as_expected();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_costs_one_look_at_each_token_and_writes_nothing() {
    let mut meter = Meter::start().await;
    let app = meter.server(|_| {}).await;
    let mut bill = Bill::default();
    let (alice, front) = (app.alice().await, app.web_client().await);
    let tokens = app.tokens(&front, &alice, "openid mail.read").await;
    app.change_client(&front, |client| {
        let settings = &mut client.settings;
        settings.grant_types.extend([GrantType::TokenExchange, GrantType::ClientCredentials]);
        settings.token_exchange.resources = vec![ResourceUri::new(MAIL_API)];
    })
    .await;
    let actor = app.token(&front, &MACHINE).await.json();
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let alone = [
        ("grant_type", GrantType::TokenExchange.as_str()),
        ("subject_token", tokens.access()),
        ("subject_token_type", kind),
    ];
    let actor = [("actor_token", actor["access_token"].as_str().unwrap()), ("actor_token_type", kind)];
    let both = [alone.as_slice(), &actor].concat();
    let token = app.token(&front, &both).await.json()["access_token"].as_str().unwrap().to_owned();
    let cost = meter.cost(async || drop(app.token(&front, &alone).await.json())).await;
    bill.item("an exchange", &cost, (0, 1, 0));
    let cost = meter.cost(async || drop(app.token(&front, &both).await.json())).await;
    bill.item("an exchange with the token of an actor", &cost, (0, 2, 0));
    let cost = meter.cost(async || assert_eq!(app.introspect(&front, &token).await.json()["active"], true)).await;
    bill.item("introspection of an exchanged token", &cost, (0, 1, 0));
    let cost = meter.cost(async || drop(app.userinfo(&token).await.json())).await;
    bill.item("userinfo with one", &cost, (0, 1, 0));
    bill.assert_as_expected();
}
