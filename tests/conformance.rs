//! `scripts/conformance`: what it makes at a server, what it writes, and how it drives a suite. The real one cannot be asked here,
//! so that what was generated is used instead: its browser's steps on the real pages, its clients and keys in whole journeys.

mod browser;
mod journeys;
mod suite;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ostiary::config::{ClientCertificateHeader, Config, RegistrationMode};
use serde_json::{Value, json};

use crate::harness::program::{Ended, Workplace};
use crate::harness::{Admin, Authority, TestApp, TlsPeer, free_port};
use suite::{ARCHIVE, Ending, Suite, TOKEN, ending};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/conformance");

const ADMIN_SCOPES: [&str; 2] = ["admin:clients", "admin:users"];

/// Variables by name.
type Environment<'a> = &'a [(&'a str, &'a str)];

/// A server that is ready for every plan, a suite, and a folder.
struct Setup {
    app: TestApp,
    suite: Suite,
    workplace: Workplace,
    token: String,
    _authority: Authority,
}

async fn setup() -> Setup {
    setup_with(|_| {}).await
}

async fn setup_with(change: impl FnOnce(&mut Config)) -> Setup {
    let authority = Authority::new();
    let app = TestApp::with_config(|config| {
        config.oidc.sample_resource = true;
        config.registration.mode = RegistrationMode::InitialAccessToken;
        config.registration.pkce_required = false;
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.mtls.client_ca_file = Some(authority.file());
        change(config);
    })
    .await;
    let token = app.admin(&ADMIN_SCOPES).await.token;
    Setup { app, suite: Suite::start().await, workplace: Workplace::new(), token, _authority: authority }
}

impl Setup {
    /// Runs the script for some plans as somebody who has every token.
    async fn run(&self, plans: &[&str], more: &[&str]) -> Ended {
        let (suite, issuer) = (self.suite.url(), self.app.issuer().to_owned());
        let given = ["--suite", &suite, "--issuer", &issuer, "--output", "out", "--poll", "0.01"];
        self.start(
            &[plans, &given, more].concat(),
            &[("OSTIARY_ADMIN_TOKEN", &self.token), ("CONFORMANCE_TOKEN", TOKEN)],
        )
        .await
    }

    async fn start(&self, arguments: &[&str], environment: Environment<'_>) -> Ended {
        self.workplace.run(SCRIPT, arguments, environment).await
    }

    /// Everything for these plans, without asking the suite.
    async fn prepared(&self, plans: &[&str]) {
        let ended = self.run(plans, &["--steps", "prepare,config"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // Certificates are good from the time of this machine on, which is a little ahead of the server's.
        self.app.pass_seconds(60);
    }

    fn configuration(&self, name: &str) -> Value {
        read(&self.workplace.path(&format!("out/configurations/{name}.json")))
    }

    fn configurations(&self) -> Vec<(String, Value)> {
        let folder = fs::read_dir(self.workplace.path("out/configurations")).expect("configurations");
        let files = folder.map(|file| file.expect("a file").path());
        files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path))).collect()
    }

    fn admin(&self) -> Admin<'_> {
        self.app.admin_with(&self.token)
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).expect("JSON")
}

/// Every file and folder below one.
fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(everything_below(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn every_plan_is_prepared_written_run_and_archived() {
    let setup = setup().await;
    let ended = setup.run(&["all"], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut configurations = setup.configurations();
    configurations.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(
        configurations.len(),
        35,
        "7 of OpenID Connect, 8 of the Security Profile, 16 of Message Signing, 4 without a person"
    );
    // What the suite was told is what was written, and each choice of variants is another one.
    let plans = setup.suite.plans();
    let mut told: Vec<Value> = plans.iter().map(|plan| plan.configuration.clone()).collect();
    let of = |configuration: &Value| configuration["description"].as_str().unwrap().to_owned();
    told.sort_by_key(of);
    let mut written: Vec<Value> = configurations.iter().map(|(_, configuration)| configuration.clone()).collect();
    written.sort_by_key(of);
    assert_eq!(told, written);
    let chosen: BTreeSet<_> = plans.iter().map(|plan| format!("{} {}", plan.name, plan.variant)).collect();
    assert_eq!(chosen.len(), 35);
    // Each module of each plan ran once, with its own variant.
    assert_eq!(setup.suite.runs().len(), 70);
    assert!(setup.suite.runs().iter().all(|(_, variant)| *variant == json!({"a": "b"})));
    assert_eq!(setup.suite.started(), 70, "those that wait for somebody to start them are started");
    for path in everything_below(&setup.workplace.path("out")) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, expected, "{}", path.display());
    }
    let results = fs::read_dir(setup.workplace.path("out/results")).unwrap().next().unwrap().unwrap().path();
    for (name, _) in &configurations {
        assert_eq!(fs::read(results.join(format!("{name}.zip"))).unwrap(), ARCHIVE, "{name}");
        let result = read(&results.join(format!("{name}.json")));
        assert_eq!(
            (result["modules"][1]["module"].as_str(), result["modules"][1]["result"].as_str()),
            (Some("second-module"), Some("PASSED"))
        );
    }
    // Nothing that somebody could use is on the screen.
    let prepared = read(&setup.workplace.path("out/prepared.json"));
    for secret in
        [&prepared["person"]["password"], &prepared["initial_access_token"], &json!(setup.token), &json!(TOKEN)]
    {
        assert!(!format!("{ended:?}").contains(secret.as_str().unwrap()), "{secret}");
    }
    setup.app.pass_seconds(60);
    for (name, configuration) in &configurations {
        assert_clients(&setup, name, configuration).await;
    }
}

/// The clients that a configuration names are there, and are what its variants say.
async fn assert_clients(setup: &Setup, name: &str, configuration: &Value) {
    if matches!(name, "oidcc-basic-dynamic" | "oidcc-3rdparty-init-login") {
        let token = configuration["client2"]["initial_access_token"].as_str().unwrap();
        let wanted = json!({"redirect_uris": ["https://suite.example/callback"]});
        let answer = setup.app.post("/register").bearer(token).json(&wanted).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        return;
    }
    let suite = format!("{}/test/a/ostiary", setup.suite.url());
    for role in ["client", "client2"] {
        let given = &configuration[role];
        let path = format!("/admin/clients/{}", given["client_id"].as_str().unwrap());
        let client = setup.admin().get(&path).await.document(200);
        let Some(profile) = name.strip_prefix("fapi2-") else {
            assert_eq!(
                (&client["token_endpoint_auth_method"], &client["profile"]),
                (&json!("client_secret_basic"), &json!("oidc"))
            );
            assert_eq!(
                (&client["redirect_uris"], &client["pkce_required"]),
                (&json!([format!("{suite}/callback")]), &json!(false))
            );
            assert!(given["client_secret"].is_string());
            continue;
        };
        let is_signed = profile.starts_with("ms-");
        assert_eq!(client["profile"], if is_signed { "fapi2-message-signing" } else { "fapi2-security" }, "{name}");
        assert_eq!(client["require_signed_request_object"], is_signed, "{name}");
        let (by_key, has_dpop) = (profile.contains("private-key-jwt"), profile.contains("-dpop"));
        let method = if by_key { "private_key_jwt" } else { "self_signed_tls_client_auth" };
        assert_eq!(client["token_endpoint_auth_method"], method, "{name}");
        assert_eq!(
            (&client["dpop_bound_access_tokens"], &client["tls_client_certificate_bound_access_tokens"]),
            (&json!(has_dpop), &json!(!has_dpop)),
            "{name}"
        );
        let returns_to = match (profile.starts_with("cc-"), role) {
            (true, _) => json!([]),
            (false, "client") => json!([format!("{suite}/callback")]),
            (false, _) => json!([format!("{suite}/callback?dummy1=lorem&dummy2=ipsum")]),
        };
        assert_eq!(client["redirect_uris"], returns_to, "{name}");
        // Of every key the public half is registered, and nothing else.
        let registered = client["jwks"]["keys"].as_array().unwrap();
        assert!(
            registered
                .iter()
                .all(|key| ["d", "p", "q", "dp", "dq", "qi"].iter().all(|member| key.get(member).is_none()))
        );
        let own = &given["jwks"]["keys"][0];
        assert_eq!((&own["alg"], &own["kid"]), (&json!("PS256"), &registered[0]["kid"]));
        assert!(own["d"].is_string());
        assert_eq!(given["scope"].as_str().unwrap().contains("openid"), name.contains("-openid"), "{name}");
        let shows = &configuration[role.replace("client", "mtls")];
        assert_eq!(shows.is_object(), !(by_key && has_dpop), "{name}");
        if shows.is_object() {
            let base64 = journeys::pem_body(&shows["cert"]);
            assert_eq!(registered[1]["x5c"], json!([base64]), "{name}");
        }
        assert_eq!(configuration["resource"]["resourceUrl"], format!("{}/resource", setup.app.issuer()));
    }
}

#[tokio::test]
async fn the_person_has_every_claim_of_every_scope() {
    let setup = setup().await;
    setup.prepared(&["oidcc-basic-static"]).await;
    let claims = journeys::basic_client(&setup).await;
    for name in [
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
        "preferred_username",
        "email",
        "email_verified",
        "phone_number",
        "phone_number_verified",
    ] {
        assert!(claims.get(name).is_some_and(|claim| !claim.is_null()), "{name} in {claims}");
    }
    for name in ["formatted", "street_address", "locality", "region", "postal_code", "country"] {
        assert!(claims["address"][name].is_string(), "{name} in {claims}");
    }
}

#[tokio::test]
async fn a_second_preparation_keeps_what_is_there_and_makes_keys_and_secrets_anew() {
    let setup = setup().await;
    let plans = ["oidcc-basic-static", "oidcc-basic-dynamic", "fapi2-sp-mtls-dpop-openid"];
    setup.prepared(&plans).await;
    let admin = setup.admin();
    let clients =
        || async { setup.admin().get("/admin/clients?search=ostiary-&limit=200").await.document(200)["items"].clone() };
    let (before, first) = (setup.configurations(), clients().await);
    setup.prepared(&plans).await;
    let second = clients().await;
    let ids =
        |clients: &Value| clients.as_array().unwrap().iter().map(|one| one["client_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(second.as_array().unwrap().len(), 5);
    for client in second.as_array().unwrap() {
        let method = client["token_endpoint_auth_method"].as_str().unwrap();
        let alive =
            client["secrets"].as_array().unwrap().iter().filter(|secret| secret.get("expires_at").is_none()).count();
        assert_eq!(alive, usize::from(method.starts_with("client_secret_")), "{client}");
    }
    for (name, old) in before {
        let new = setup.configuration(&name);
        for (member, own) in [
            ("client_secret", "oidcc-basic-static"),
            ("jwks", "fapi2-sp-mtls-dpop-openid"),
            ("initial_access_token", "oidcc-basic-dynamic"),
        ] {
            assert_eq!(old["client"][member] != new["client"][member], own == name, "{member} of {name}");
        }
        assert_eq!(old["mtls2"]["cert"] != new["mtls2"]["cert"], name.contains("mtls"));
    }
    let people = admin.get("/admin/users?search=ostiary-person").await.document(200);
    assert_eq!(people["items"].as_array().unwrap().len(), 1);
    let tokens = admin.get("/admin/initial-access-tokens").await.document(200);
    let alive = tokens["items"].as_array().unwrap().iter().filter(|token| token.get("revoked_at").is_none()).count();
    assert_eq!(alive, 1, "{tokens}");
    journeys::basic_client(&setup).await;
}

fn failure() -> Value {
    json!([{"src": "CheckIdToken", "result": "FAILURE", "msg": "The signature is wrong"}])
}

#[tokio::test]
async fn it_ends_with_what_the_suite_found() {
    let setup = setup().await;
    setup.prepared(&["oidcc-config"]).await;
    let skipped = "oidcc-idtoken-unsigned";
    let warning = json!([{"src": "CheckClaims", "result": "WARNING", "msg": "A claim is missing"}]);
    let cases: [(&[&'static str], Ending, i32, &[&str]); 10] = [
        (&["module"], ending("PASSED", json!([])), 0, &["PASSED"]),
        (&["module"], ending("REVIEW", json!([{"src": "Picture", "result": "REVIEW"}])), 0, &["REVIEW"]),
        (&["module"], ending("WARNING", warning.clone()), 1, &["! module", "WARNING: CheckClaims: A claim is missing"]),
        // Whatever the module makes of it.
        (&["module"], ending("PASSED", warning), 1, &["! module"]),
        (&["module"], ending("FAILED", failure()), 1, &["FAILURE: CheckIdToken: The signature is wrong"]),
        (&["module"], ending("SKIPPED", json!([])), 1, &["! module", "SKIPPED"]),
        (&[skipped], ending("SKIPPED", json!([])), 0, &["ID tokens are always signed"]),
        (&["module"], ending("UNKNOWN", json!([])), 1, &["UNKNOWN"]),
        (&["module"], Ending { status: "INTERRUPTED", ..ending("UNKNOWN", json!([])) }, 1, &["INTERRUPTED"]),
        (&[], ending("PASSED", json!([])), 1, &["Not as certification wants it: oidcc-config"]),
    ];
    for (modules, ending, code, said) in cases {
        setup.suite.has_modules(modules);
        for module in modules {
            setup.suite.ends(module, ending.clone());
        }
        let ended = setup.run(&["oidcc-config"], &["--steps", "run"]).await;
        assert_eq!(ended.code, Some(code), "{} {ended:?}", ending.result);
        for text in said {
            assert!(ended.stdout.contains(text), "{text} in {ended:?}");
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_with_one_keeps_none_of_the_others_from_running() {
    let setup = setup().await;
    setup.prepared(&["oidcc-config", "oidcc-rp-initiated-logout"]).await;
    setup.suite.refuses_plan("oidcc-config-certification-test-plan");
    setup.suite.has_modules(&["taken-module", "slow-module", "last-module"]);
    setup.suite.ends("slow-module", Ending { status: "WAITING", ..ending("UNKNOWN", json!([])) });
    let more = ["--steps", "run", "--time-limit", "0.2"];
    let ended = setup.run(&["oidcc-config", "oidcc-rp-initiated-logout"], &more).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("No plan with name"), "{ended:?}");
    for text in [
        "NOT_RUN",
        "the alias is in use",
        "TIMEOUT",
        "waits for somebody to open https://op.example/authorize",
        "  last-module",
    ] {
        assert!(ended.stdout.contains(text), "{text} in {ended:?}");
    }
    assert!(ended.stdout.contains("wants it: oidcc-config oidcc-rp-initiated-logout"), "{ended:?}");
    assert_eq!(setup.suite.cancelled(), ["slow-module"]);
}

#[tokio::test]
async fn a_suite_that_is_away_or_does_not_let_us_in_changes_nothing_at_the_server() {
    let setup = setup().await;
    let issuer = setup.app.issuer().to_owned();
    let (away, here) = (format!("http://127.0.0.1:{}", free_port()), setup.suite.url());
    let admin = ("OSTIARY_ADMIN_TOKEN", setup.token.as_str());
    let cases: [(&str, Environment<'_>, &str); 3] = [
        (&away, &[admin, ("CONFORMANCE_TOKEN", TOKEN)], "cannot be reached"),
        (&here, &[admin, ("CONFORMANCE_TOKEN", "another")], "does not let us in"),
        (&here, &[admin], "put a token of its page"),
    ];
    for (suite, environment, said) in cases {
        let ended = setup.start(&["all", "--suite", suite, "--issuer", &issuer], environment).await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains(said) && !ended.stderr.contains("Traceback"), "{ended:?}");
    }
    let clients = setup.admin().get("/admin/clients?search=ostiary-").await.document(200);
    assert_eq!(clients["items"], json!([]));
    assert!(!setup.workplace.path(".ostiary").exists());
    // Nor is anything run for somebody whom the server does not know.
    let before = setup.suite.plans().len();
    let wrong = [("OSTIARY_ADMIN_TOKEN", "wrong"), ("CONFORMANCE_TOKEN", TOKEN)];
    let ended = setup.start(&["oidcc-config", "--suite", &here, "--issuer", &issuer, "--output", "out"], &wrong).await;
    assert_eq!((ended.code, setup.suite.plans().len()), (Some(3), before), "{ended:?}");
    assert!(ended.stderr.contains("is refused: HTTP 401"), "{ended:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_knows_is_taken_only_if_that_is_said() {
    let setup = setup().await;
    let peer = TlsPeer::start();
    peer.answer(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec());
    let (suite, issuer) = (peer.url(""), setup.app.issuer().to_owned());
    let arguments = ["oidcc-config", "--suite", &suite, "--issuer", &issuer];
    for (more, said) in [(&[][..], "CERTIFICATE_VERIFY_FAILED"), (&["--insecure-suite"], "does not let us in")] {
        let ended = setup.start(&[&arguments, more].concat(), &[]).await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains(said), "{said} in {ended:?}");
    }
    // Somebody else lives there.
    peer.serve("text/html", b"<title>Welcome</title>");
    let ended = setup.start(&[&arguments[..], &["--insecure-suite"]].concat(), &[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is no suite"), "{ended:?}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let setup = setup().await;
    let empty = setup.workplace.write("empty.json", "[{}]");
    let empty = empty.to_str().unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["--skips", empty], "is no list of modules with reasons"),
        (&["--issuer-ca", empty], "has no certificates to believe"),
        (&["--issuer-ca", "missing.pem"], "has no certificates to believe"),
        (&["--credentials", "missing.json"], "missing.json cannot be read"),
    ];
    for (more, said) in cases {
        let (suite, issuer) = (setup.suite.url(), setup.app.issuer().to_owned());
        let arguments = ["oidcc-config", "--suite", &suite, "--issuer", &issuer, "--output", "out"];
        let ended = setup.start(&[&arguments, more].concat(), &[("CONFORMANCE_TOKEN", TOKEN)]).await;
        assert_eq!(ended.code, Some(2), "{more:?} {ended:?}");
        assert!(ended.stderr.contains(said) && !ended.stderr.contains("Traceback"), "{said} in {ended:?}");
    }
    assert!(setup.suite.plans().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_told_everything_that_it_lacks_and_left_alone() {
    let setup = setup_with(|config| {
        config.oidc.sample_resource = false;
        config.registration.mode = RegistrationMode::Off;
        config.mtls.client_ca_file = None;
    })
    .await;
    let ended = setup.run(&["all"], &[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for mend in ["registration.mode: initial_access_token", "oidc.sample_resource: true", "mtls.client_ca_file"] {
        assert!(ended.stderr.contains(mend), "{mend} in {ended:?}");
    }
    let clients = setup.admin().get("/admin/clients?search=ostiary-").await.document(200);
    assert_eq!((&clients["items"], setup.suite.plans().len()), (&json!([]), 0));
    // Those that need none of it go on.
    assert_eq!(setup.run(&["oidcc-config"], &[]).await.code, Some(0));
}

#[tokio::test]
async fn clients_that_register_themselves_have_to_get_by_without_pkce() {
    let setup = setup_with(|config| config.registration.pkce_required = true).await;
    let ended = setup.run(&["oidcc-basic-dynamic"], &[]).await;
    assert_eq!((ended.code, setup.suite.plans().len()), (Some(2), 0), "{ended:?}");
    assert!(ended.stderr.contains("registration.pkce_required: false"), "{ended:?}");
    let clients = setup.admin().get("/admin/clients?limit=200").await.document(200);
    let is_its_own = |client: &Value| client.get("registered_through").is_some();
    assert!(!clients["items"].as_array().unwrap().iter().any(is_its_own), "the one that was tried is gone: {clients}");
    // No other plan minds.
    assert_eq!(setup.run(&["oidcc-3rdparty-init-login"], &[]).await.code, Some(0));
}

#[tokio::test]
async fn what_was_asked_wrongly_is_said_and_nothing_is_run() {
    let setup = setup().await;
    let suite = setup.suite.url();
    let cases: [(&[&str], &str); 6] = [
        (&["all"], "give --suite URL"),
        (&["everything", "--suite", &suite], "there is no plan everything"),
        (&["all", "--suite", &suite, "--steps", "pray"], "there is no such step as pray"),
        (&["all", "--suite", &suite, "--alias", "a/b"], "an alias is made of"),
        (&["all", "--suite", &suite, "--steps", "config"], "run the step prepare first"),
        (&["all", "--suite", &suite, "--steps", "prepare"], "give --issuer URL"),
    ];
    for (arguments, said) in cases {
        let ended = setup.start(arguments, &[]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(said), "{said} in {ended:?}");
    }
    assert_eq!(setup.suite.requests(), 0);
    let listed = setup.start(&["list"], &[]).await;
    assert_eq!((listed.code, listed.stdout.lines().count()), (Some(0), 70), "{listed:?}");
}

#[tokio::test]
async fn a_machine_that_may_is_let_in_by_its_secret_from_the_environment_or_a_file() {
    let setup = setup().await;
    let machine = setup.app.admin_client(&ADMIN_SCOPES).await;
    let (suite, issuer) = (setup.suite.url(), setup.app.issuer().to_owned());
    let arguments = ["oidcc-config", "--suite", &suite, "--issuer", &issuer, "--output", "out", "--steps", "prepare"];
    let known = [("OSTIARY_CLIENT_ID", machine.id.as_str()), ("OSTIARY_CLIENT_SECRET", machine.secret())];
    assert_eq!(setup.start(&arguments, &known).await.code, Some(0));
    let document = json!({"client": {"client_id": machine.id, "client_secret": machine.secret()}});
    setup.workplace.write("first.json", &document.to_string());
    let with_file = [&arguments[..], &["--credentials", "first.json"]].concat();
    assert_eq!(setup.start(&with_file, &[]).await.code, Some(0));
    let wrong = [("OSTIARY_CLIENT_ID", machine.id.as_str()), ("OSTIARY_CLIENT_SECRET", "wrong")];
    let ended = setup.start(&arguments, &wrong).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("gives no access token"), "{ended:?}");
}
