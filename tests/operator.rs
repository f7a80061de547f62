//! What an operator runs beside the server: `ostiary bootstrap`, `ostiary plan`, `ostiary apply`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;
use http::Method;
use ostiary::model::client::ClientAuthMethod;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::program::{Ended, OSTIARY, Workplace};
use crate::harness::{ClientKey, TestApp, basic, key_directory, master_key};

/// A server, and a folder in which its programs are run.
struct Operator {
    app: TestApp,
    workplace: Workplace,
}

impl Operator {
    async fn new() -> Self {
        let (app, workplace) = (TestApp::start().await, Workplace::new());
        let keys = key_directory().to_str().unwrap();
        let settings = json!({
            "keys": {"directory": keys, "master_key": master_key()}, "database": {"url": app.database_url()},
        });
        workplace.write("settings.yaml", &settings.to_string());
        Self { app, workplace }
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let (command, options) = arguments.split_first().unwrap();
        let all: Vec<&str> =
            [*command, "--config", "settings.yaml"].into_iter().chain(options.iter().copied()).collect();
        self.workplace.run(OSTIARY, &all, &[("ISSUER", self.app.issuer())]).await
    }

    async fn succeeds(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // Another process changed it: what is remembered here for up to a second is old.
        self.app.app.registry.poll(self.app.now()).await.unwrap();
        ended
    }

    async fn refused(&self, arguments: &[&str], words: &str) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        ended
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.workplace.path(name)).unwrap()).unwrap()
    }

    async fn machine_token(&self, id: &str, secret: &str, more: &[(&str, &str)]) -> Option<String> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(more);
        let answer = self.app.post("/token").header("authorization", &basic(id, secret)).form(&form).send().await;
        (answer.status == 200).then(|| answer.json()["access_token"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn bootstrap_makes_an_administrator_and_a_client_that_work() {
    let operator = Operator::new().await;
    let ended = operator.succeeds(&["bootstrap", "--output", "first.json"]).await;
    let mode = fs::metadata(operator.workplace.path("first.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = operator.read("first.json");
    let text = |pointer: &str| first.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (password, secret) = (text("/administrator/password"), text("/client/client_secret"));
    assert!(!ended.stdout.contains(&password) && !ended.stderr.contains(&password), "{ended:?}");
    assert!(!ended.stdout.contains(&secret) && !ended.stderr.contains(&secret), "{ended:?}");
    let resource = text("/resource");
    let token = operator.machine_token(&text("/client/client_id"), &secret, &[("resource", &resource)]).await.unwrap();
    operator.app.get("/admin/clients").bearer(&token).send().await.document(200);
    // The administrator can sign in, and then use the API from the browser.
    let mut browser = operator.app.browser();
    let page = browser.open("/login").await;
    let typed = [("username", "admin"), ("password", password.as_str())];
    browser.submit(&page, "login-submit", &typed).await;
    operator.app.fetch(&browser, Method::GET, "/admin/clients").send().await.document(200);
}

#[tokio::test]
async fn bootstrap_happens_once_even_when_two_run_at_once() {
    let operator = Operator::new().await;
    let files = ["a.json", "b.json", "c.json"];
    let run = async |file| operator.run(&["bootstrap", "--output", file]).await;
    let ended = futures_util::future::join_all(files.map(run)).await;
    assert!(ended.iter().all(|ended| ended.code == Some(0)), "{ended:?}");
    let made = ended.iter().filter(|ended| ended.stdout.starts_with("made the administrator")).count();
    assert_eq!(made, 1, "{ended:?}");
    // Only the one that made them leaves a file: what stands in it works.
    let left: Vec<_> = files.into_iter().filter(|file| operator.workplace.path(file).exists()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let again = operator.succeeds(&["bootstrap", "--output", "again.json"]).await;
    assert!(again.stdout.starts_with("nothing to do: it was done at "), "{again:?}");
    assert!(!operator.workplace.path("again.json").exists());
}

#[tokio::test]
async fn two_replicas_that_bootstrap_with_the_same_line_both_end_well() {
    let operator = Operator::new().await;
    let run = async |_| operator.run(&["bootstrap", "--output", "same.json"]).await;
    let ended = futures_util::future::join_all([1, 2, 3].map(run)).await;
    assert!(ended.iter().all(|ended| ended.code == Some(0)), "{ended:?}");
    let made = ended.iter().filter(|ended| ended.stdout.starts_with("made the administrator")).count();
    assert_eq!(made, 1, "{ended:?}");
    let secret = operator.read("same.json").pointer("/client/client_secret").unwrap().as_str().unwrap().to_owned();
    let resource = operator.app.admin_resource();
    assert!(operator.machine_token("operator", &secret, &[("resource", &resource)]).await.is_some());
    let folder = operator.workplace.path("same.json").parent().unwrap().to_owned();
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("same.json")).count(), 1, "no draft is left");
}

#[tokio::test]
async fn bootstrap_shows_secrets_to_a_terminal_only() {
    let operator = Operator::new().await;
    operator.refused(&["bootstrap"], "add `--output FILE`").await;
    operator.workplace.write("there.json", "{}");
    operator.refused(&["bootstrap", "--output", "there.json"], "exists already").await;
    operator.refused(&["bootstrap", "--output", "x.json", "--client-id", "u.x"], "--client-id").await;
    operator.refused(&["bootstrap", "--output", "x.json", "--username", "a\tb"], "--username").await;
    operator.app.person("admin", serde_json::Map::new()).await;
    operator.refused(&["bootstrap", "--output", "x.json"], "choose another name with --username").await;
    assert!(!operator.workplace.path("x.json").exists(), "nothing was made, so nothing is kept");
    operator.succeeds(&["bootstrap", "--output", "x.json", "--username", "root"]).await;
}

const DOCUMENT: &str = "
policies:
  ours: {consent: first_party, lifetimes: {access_token: 300}}
scopes:
  - {name: notes.read, description: {en: Read your notes, de: Ihre Notizen lesen}}
resources:
  - {uri: 'https://notes.example/', name: {en: Notes}, scopes: [notes.read]}
clients:
  - {client_id: notes, policy: ours, redirect_uris: ['https://notes.example/callback'], scopes: [openid, notes.read]}
  - {client_id: notes-job, grant_types: [client_credentials], scopes: [notes.read], client_secret_file: job.secret}
";

impl Operator {
    fn write_secret(&self, secret: &str) {
        let path = self.workplace.write("job.secret", secret);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[tokio::test]
async fn apply_brings_about_what_the_document_says_and_then_changes_nothing() {
    let operator = Operator::new().await;
    let (first, second) = ("a".repeat(40), "b".repeat(40));
    operator.write_secret(&first);
    operator.workplace.write("policy.yaml", DOCUMENT);
    let plan = operator.run(&["plan", "policy.yaml", "--exit-code"]).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    // With what each is given, beyond what every new one has.
    let lines = [
        "+ scopes/notes.read",
        "+ resources/https://notes.example/",
        "    scopes: [\"notes.read\"]",
        "+ clients/notes",
        "    consent: \"first_party\"",
        "    lifetimes.access_token: 300",
        "    redirect_uris: [\"https://notes.example/callback\"]",
        "    scopes: [\"openid\",\"notes.read\"]",
        "+ clients/notes-job",
    ];
    assert!(lines.iter().all(|line| plan.stdout.lines().any(|said| said == *line)), "{plan:?}");
    assert!(operator.machine_token("notes-job", &first, &[]).await.is_none(), "a plan changes nothing");
    operator.refused(&["apply", "policy.yaml"], "--secrets FILE").await;
    operator.succeeds(&["apply", "policy.yaml", "--secrets", "made.json"]).await;
    let mode = fs::metadata(operator.workplace.path("made.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let made = operator.read("made.json");
    assert_eq!(made["clients"][0]["client_id"], "notes");
    assert!(operator.machine_token("notes-job", &first, &[("resource", "https://notes.example/")]).await.is_some());
    let again = operator.succeeds(&["apply", "policy.yaml"]).await;
    assert!(again.stdout.contains("nothing to change"), "{again:?}");
    let plan = operator.succeeds(&["plan", "policy.yaml", "--exit-code"]).await;
    assert!(plan.stdout.starts_with("everything is as the document says"), "{plan:?}");
    // What no document names is left alone, and told.
    assert!(plan.stdout.contains("  scopes/photos.read\n"), "{plan:?}");
    // Another secret in the file: both work for a while.
    operator.write_secret(&second);
    let applied = operator.succeeds(&["apply", "policy.yaml"]).await;
    assert!(applied.stdout.contains("secret: the one of its file") && !applied.stdout.contains(&second), "{applied:?}");
    for secret in [&first, &second] {
        assert!(operator.machine_token("notes-job", secret, &[]).await.is_some());
    }
    let again = operator.succeeds(&["apply", "policy.yaml"]).await;
    assert!(again.stdout.contains("nothing to change"), "{again:?}");
}

#[tokio::test]
async fn what_somebody_else_changed_is_told_as_drift_and_mended() {
    let operator = Operator::new().await;
    operator.write_secret(&"a".repeat(40));
    operator.workplace.write("policy.yaml", DOCUMENT);
    operator.succeeds(&["apply", "policy.yaml", "--secrets", "made.json"]).await;
    let admin = operator.app.admin(&["admin:clients"]).await;
    admin.patch("/admin/clients/notes", &json!({"consent": "always"})).await.document(200);
    let changed = DOCUMENT.replace("access_token: 300", "access_token: 200");
    operator.workplace.write("policy.yaml", &changed);
    let plan = operator.run(&["plan", "policy.yaml"]).await;
    let said = |line: &str| plan.stdout.lines().any(|said| said.trim() == line);
    assert!(
        said(r#"consent: "always" -> "first_party"   (drift: changed by somebody else since the last apply)"#),
        "{plan:?}"
    );
    assert!(said("lifetimes.access_token: 300 -> 200"), "{plan:?}");
    operator.succeeds(&["apply", "policy.yaml"]).await;
    let client = admin.get("/admin/clients/notes").await.document(200);
    assert_eq!((&client["consent"], &client["lifetimes"]), (&json!("first_party"), &json!({"access_token": 200})));
}

#[tokio::test]
async fn what_somebody_else_took_away_is_drift_and_so_is_another_secret() {
    let operator = Operator::new().await;
    let secret = "a".repeat(40);
    operator.write_secret(&secret);
    operator.workplace.write("policy.yaml", DOCUMENT);
    operator.succeeds(&["apply", "policy.yaml", "--secrets", "made.json"]).await;
    let admin = operator.app.admin(&["admin:clients"]).await;
    let extra = admin.post("/admin/clients/notes-job/secrets", &json!({"overlap_seconds": 3600})).await.document(201);
    let extra = extra["client_secret"].as_str().unwrap();
    let plan = operator.run(&["plan", "policy.yaml", "--exit-code"]).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.stdout.contains("~ clients/notes-job\n    secret: the one of its file"), "{plan:?}");
    operator.succeeds(&["apply", "policy.yaml"]).await;
    operator.app.pass(TimeDelta::hours(25));
    assert!(operator.machine_token("notes-job", &secret, &[]).await.is_some());
    assert!(operator.machine_token("notes-job", extra, &[]).await.is_none());
    let admin = operator.app.admin(&["admin:clients"]).await;
    assert_eq!(admin.delete("/admin/clients/notes").await.status, 204);
    // The plan promises nothing that cannot be done.
    operator.refused(&["plan", "policy.yaml", "--exit-code"], "clients/notes: there was one before").await;
    let told: Value = serde_json::from_str(&operator.run(&["plan", "policy.yaml", "--json"]).await.stdout).unwrap();
    assert_eq!(told["problems"][0]["pointer"], "clients/notes");
    operator.refused(&["apply", "policy.yaml", "--secrets", "again.json"], "identifiers are not used again").await;
    assert!(!operator.workplace.path("again.json").exists(), "nothing is made up for what cannot be");
}

#[tokio::test]
async fn what_leaves_the_document_is_taken_away_only_when_that_is_said() {
    let operator = Operator::new().await;
    let secret = "a".repeat(40);
    operator.write_secret(&secret);
    operator.workplace.write("policy.yaml", DOCUMENT);
    operator.succeeds(&["apply", "policy.yaml", "--secrets", "made.json"]).await;
    let shorter: String = DOCUMENT.lines().filter(|line| !line.contains("notes-job")).collect::<Vec<_>>().join("\n");
    operator.workplace.write("policy.yaml", &shorter);
    let refused = operator.refused(&["apply", "policy.yaml"], "add --delete").await;
    assert!(refused.stdout.contains("- clients/notes-job"), "{refused:?}");
    assert!(operator.machine_token("notes-job", &secret, &[]).await.is_some());
    operator.succeeds(&["apply", "policy.yaml", "--delete"]).await;
    assert!(operator.machine_token("notes-job", &secret, &[]).await.is_none());
    operator.workplace.write("policy.yaml", DOCUMENT);
    operator.refused(&["apply", "policy.yaml"], "identifiers are not used again").await;
}

#[tokio::test]
async fn a_scope_or_resource_stays_while_others_name_it_and_never_comes_back() {
    let operator = Operator::new().await;
    operator.write_secret(&"a".repeat(40));
    operator.workplace.write("policy.yaml", DOCUMENT);
    operator.succeeds(&["apply", "policy.yaml", "--secrets", "made.json"]).await;
    let admin = operator.app.admin(&["admin:clients"]).await;
    let theirs = json!({"client_id": "theirs", "token_endpoint_auth_method": "none", "scopes": ["openid", "notes.read"],
        "redirect_uris": ["https://theirs.example/"], "resources": ["https://notes.example/"]});
    admin.post("/admin/clients", &theirs).await.document(201);
    operator.workplace.write("policy.yaml", "clients: []\n");
    let named = "resources/https://notes.example/ cannot be taken away";
    operator.refused(&["apply", "policy.yaml", "--delete"], named).await;
    admin.get("/admin/clients/notes").await.document(200);
    admin.patch("/admin/clients/theirs", &json!({"resources": []})).await.document(200);
    operator.refused(&["apply", "policy.yaml", "--delete"], "scopes/notes.read cannot be taken away").await;
    admin.patch("/admin/clients/theirs", &json!({"scopes": ["openid"]})).await.document(200);
    operator.succeeds(&["apply", "policy.yaml", "--delete"]).await;
    assert_eq!(admin.get("/admin/scopes/notes.read").await.status, 404);
    let again = "scopes:\n  - {name: notes.read, description: {en: Again}}\n";
    operator.workplace.write("policy.yaml", again);
    operator.refused(&["apply", "policy.yaml"], "scopes/notes.read: there was one before").await;
    let again = "resources:\n  - {uri: 'https://notes.example/', name: {en: Again}, scopes: []}\n";
    operator.workplace.write("policy.yaml", again);
    operator.refused(&["apply", "policy.yaml"], "resources/https://notes.example/: there was one before").await;
}

#[tokio::test]
async fn a_type_of_authorization_details_is_made_changed_and_taken_away_like_the_rest() {
    let operator = Operator::new().await;
    let document = "
        resources: [{uri: 'https://bank.example/', name: {en: Bank}}]
        authorization_details_types:
          - type: payment
            schema: {type: object, additionalProperties: false, properties: {amount: {type: string}}}
            name: {en: Payment}
            sentence: {en: 'Pay {amount}'}
            resources: ['https://bank.example/']
        clients:
          - {client_id: shop, redirect_uris: ['https://shop.example/'], authorization_details_types: [payment],
             token_endpoint_auth_method: none}
    ";
    operator.workplace.write("policy.yaml", &document.replace("{amount}", "{sum}"));
    operator.refused(&["apply", "policy.yaml"], "/authorization_details_types/0/sentence/en").await;
    operator.workplace.write("policy.yaml", &document.replace("[payment]", "[payments]"));
    operator.refused(&["apply", "policy.yaml"], "clients/shop/authorization_details_types/0").await;
    operator.workplace.write("policy.yaml", document);
    operator.succeeds(&["apply", "policy.yaml"]).await;
    let admin = operator.app.admin(&["admin:clients"]).await;
    let path = "/admin/authorization-details-types/payment";
    assert_eq!(admin.get(path).await.document(200)["sentence"], json!({"en": "Pay {amount}"}));
    operator.workplace.write("policy.yaml", &document.replace("Pay {amount}", "Send {amount}"));
    operator.succeeds(&["apply", "policy.yaml"]).await;
    assert_eq!(admin.get(path).await.document(200)["sentence"], json!({"en": "Send {amount}"}));
    operator.workplace.write("policy.yaml", "clients: []\n");
    operator.succeeds(&["apply", "policy.yaml", "--delete"]).await;
    admin.get(path).await.problem(404, "not-found");
    operator.workplace.write("policy.yaml", document);
    operator.refused(&["apply", "policy.yaml"], "there was ").await;
}

#[tokio::test]
async fn a_document_that_is_wrong_changes_nothing() {
    let operator = Operator::new().await;
    let wrong = "
        scopes: [{name: notes.read, description: {en: Read}}]
        clients:
          - {client_id: notes, redirect_uris: ['https://notes.example/'], scopes: [openid, nothing], colour: red}
    ";
    operator.workplace.write("policy.yaml", wrong);
    operator.refused(&["apply", "policy.yaml", "--secrets", "made.json"], "/clients/0/colour").await;
    operator.workplace.write("policy.yaml", &wrong.replace(", colour: red", ""));
    operator.refused(&["apply", "policy.yaml", "--secrets", "made.json"], "clients/notes/scopes/1").await;
    operator.refused(&["apply", "nowhere.yaml"], "nowhere.yaml cannot be read").await;
    for (command, file, pointer) in [
        ("plan", "policy.yaml", "clients/notes/scopes/1"),
        ("apply", "policy.yaml", "clients/notes/scopes/1"),
        ("plan", "no.yaml", ""),
    ] {
        let ended = operator.refused(&[command, file, "--json"], "").await;
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(told["problems"][0]["pointer"], pointer, "{ended:?}");
    }
    assert!(!operator.workplace.path("made.json").exists());
    let admin = operator.app.admin(&["admin:clients:read"]).await;
    admin.get("/admin/clients/notes").await.problem(404, "not-found");
}

#[tokio::test]
async fn the_clients_that_a_stricter_profile_would_shut_out_are_named_with_their_switches() {
    let operator = Operator::new().await;
    let check = async |arguments: &[&str]| {
        let all = [&["config", "check", "--config", "settings.yaml"], arguments].concat();
        operator.workplace.run(OSTIARY, &all, &[("ISSUER", operator.app.issuer())]).await
    };
    let ended = check(&["--clients", "--profile", "fapi2-security"]).await;
    assert_eq!((ended.code, ended.stdout.lines().last()), (Some(0), Some("all of 0 clients keep to fapi2-security")));
    let loose = operator.app.web_client_with(|settings| settings.pkce_required = false).await;
    let strict = ClientKey::generate("PS256");
    let strict = operator
        .app
        .signing_web_client_with(strict, |settings| {
            settings.id_token_signed_response_alg = SigningAlg::PS256;
            settings.authorization_signed_response_alg = SigningAlg::PS256;
            settings.dpop_bound_access_tokens = true;
        })
        .await;
    let ended = check(&["--clients"]).await;
    assert_eq!((ended.code, ended.stdout.lines().last()), (Some(0), Some("all of 2 clients keep to oauth2")));
    let ended = check(&["--clients", "--profile", "fapi2-security"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("1 of 2 clients break a profile") && !ended.stdout.contains(&strict.id), "{ended:?}");
    for switch in [
        "token_endpoint_auth_method: fapi2-security needs a client that signs or shows a certificate",
        "dpop_bound_access_tokens: fapi2-security needs access tokens that are bound to a key or a certificate",
        "pkce_required: fapi2-security needs PKCE",
        "id_token_signed_response_alg: fapi2-security allows PS256, ES256 and EdDSA",
    ] {
        let line = format!("client \"{}\": {switch}", loose.id);
        assert!(ended.stdout.lines().any(|said| said == line), "{line}: {ended:?}");
    }
    // Who shows a certificate has no key, and can sign no request.
    let silent = operator.app.web_client_with(|settings| {
        settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
        settings.tls_client_auth_san_dns = Some("client.example".into());
        settings.tls_client_certificate_bound_access_tokens = true;
        settings.id_token_signed_response_alg = SigningAlg::PS256;
        settings.authorization_signed_response_alg = SigningAlg::PS256;
    });
    let silent = silent.await;
    let ended = check(&["--clients", "--profile", "fapi2-security"]).await;
    assert!(!ended.stdout.contains(&silent.id), "{ended:?}");
    let ended = check(&["--clients", "--profile", "fapi2-message-signing"]).await;
    let what = "jwks: fapi2-message-signing needs signed requests, and without jwks or jwks_uri nobody can sign";
    let line = format!("client \"{}\": {what}", silent.id);
    assert!(ended.code == Some(1) && ended.stdout.lines().any(|said| said == line), "{line}: {ended:?}");
    let ended = check(&["--profile", "fapi"]).await;
    assert!(ended.code == Some(2) && ended.stderr.contains("fapi2-message-signing"), "{ended:?}");
}

#[tokio::test]
async fn a_setting_that_breaks_a_profile_is_named() {
    let operator = Operator::new().await;
    let settings = fs::read_to_string(operator.workplace.path("settings.yaml")).unwrap();
    let mut settings: Value = serde_json::from_str(&settings).unwrap();
    settings["pushed_requests"] = json!({"lifetime": "10m"});
    operator.workplace.write("settings.yaml", &settings.to_string());
    for (profile, code) in [("oidc", Some(0)), ("fapi2-security", Some(1))] {
        let arguments = ["config", "check", "--config", "settings.yaml", "--profile", profile];
        let ended = operator.workplace.run(OSTIARY, &arguments, &[("ISSUER", operator.app.issuer())]).await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(
            ended.stdout.contains("pushed_requests.lifetime: fapi2-security needs"),
            code == Some(1),
            "{ended:?}"
        );
    }
}
