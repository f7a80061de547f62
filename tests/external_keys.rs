//! Keys whose private half is elsewhere: a program signs with them, and may be slow, crash or lie.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use nix::sys::signal::Signal;
use ostiary::config::Config;
use ostiary::jobs::Job;
use ostiary::keys::external::ExternalSigners;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::program::{Ended, KEYCTL, Workplace};
use crate::harness::{
    Answer, Authorization, Receiver, TestApp, TestClient, Tokens, copied_directory, eventually, jwt, parameters, until,
};
use crate::key_rotation::Pair;
use crate::metrics::{Scraped, collected};

/// What the program does is in the file `conduct`, so that it can change while a server runs. It leaves a line in `started`.
const PROGRAM: &str = r#"
cd "$(dirname "$0")"
echo $$ >> started
case "$(cat conduct)" in
    good) exec "$KEYCTL" sign --file ours.pem ;;
    kept) exec "$KEYCTL" sign --file ours.pem --kept ;;
    slow) sleep 600 ;;
    crashing) exit 7 ;;
    silent) exit 0 ;;
    lying) exec "$KEYCTL" sign --file another.pem ;;
    garbage) echo '<html>' ;;
    short) echo '{"signature":"AAAA"}' ;;
    der) echo '{"signature":"MEUCIQC2L8h7H0RjqOt2mJ8oO0Nq2wQ3aYjv4m0F4o3D1hZk4gIgQ6Jm6oG2Vb0s9f3kqO1w0m3t7c6n8Yx5r4u1z2v3w4E"}' ;;
    flooding) yes ;;
    moody)
        while read -r line; do
            case "$(cat mood)" in
                good) printf '%s\n' "$line" | "$KEYCTL" sign --file ours.pem ;;
                lying) printf '%s\n' "$line" | "$KEYCTL" sign --file another.pem ;;
                slow) sleep 600 ;;
                crashing) exit 7 ;;
                silent) exit 0 ;;
                garbage) echo '<html>' ;;
            esac
        done ;;
    mixed)
        read -r line
        case "$line" in *public_jwk*) file=ours.pem ;; *) file=another.pem ;; esac
        printf '%s\n' "$line" | "$KEYCTL" sign --file "$file" ;;
esac
"#;

/// A folder with keys, one of them external, and the program that signs with it.
struct Place {
    keys: tempfile::TempDir,
    workplace: Workplace,
}

impl Place {
    async fn new() -> Self {
        let place = Self { keys: copied_directory(), workplace: Workplace::new() };
        place.workplace.write("program", &PROGRAM.replace("$KEYCTL", KEYCTL));
        place.behave("good");
        for name in ["ours", "another"] {
            place.make_key(name).await;
        }
        place
    }

    /// A private key in a file, as somebody else would make it.
    async fn make_key(&self, name: &str) {
        let folder = self.workplace.path(name);
        let made = self.workplace.run(KEYCTL, &["generate", "--dir", text(&folder)], &[]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        let mut files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let pem = files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("es256-")).unwrap();
        fs::rename(pem, self.workplace.path(&format!("{name}.pem"))).unwrap();
    }

    fn behave(&self, conduct: &str) {
        self.workplace.write("conduct", conduct);
    }

    fn started(&self) -> usize {
        fs::read_to_string(self.workplace.path("started")).unwrap_or_default().lines().count()
    }

    async fn keyctl(&self, words: &[&str]) -> Ended {
        let options = ["--json", "--dir", text(self.keys.path())];
        self.workplace.run(KEYCTL, &[&options, words].concat(), &[]).await
    }

    async fn done(&self, words: &[&str]) -> Value {
        let ended = self.keyctl(words).await;
        assert_eq!(ended.code, Some(0), "{words:?} {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }

    async fn refused(&self, words: &[&str], why: &str) {
        let ended = self.keyctl(words).await;
        assert!(ended.code == Some(1) && ended.stdout.contains(why), "{why}: {ended:?}");
    }

    async fn register(&self, options: &[&str]) -> Value {
        let program = self.workplace.path("program");
        let words = ["register-external", "--alg", "ES256", "--key-ref", "token:1"];
        self.done(&[&words, options, &["--", "/bin/sh", text(&program)]].concat()).await
    }

    /// Registers the key and lets it sign; its kid.
    async fn sign_externally(&self, options: &[&str]) -> String {
        let kid = self.register(options).await["prepublished"][0]["kid"].as_str().unwrap().to_owned();
        self.done(&["activate", "--force", "--", &kid]).await;
        kid
    }

    async fn server(&self) -> TestApp {
        self.server_with(|_| {}).await
    }

    async fn server_with(&self, change: impl FnOnce(&mut Config)) -> TestApp {
        let keys = self.keys.path().to_owned();
        TestApp::with_config(|config| {
            change(config);
            config.keys.directory = keys;
            config.keys.external.programs = vec![PathBuf::from("/bin/sh")];
            config.keys.external.timeout = Duration::from_secs(2);
            config.keys.external.failures = 100;
            config.keys.rotation.automatic = true;
        })
        .await
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A client both of whose tokens the external key signs.
async fn client(app: &TestApp) -> TestClient {
    app.web_client_with(|settings| settings.id_token_signed_response_alg = SigningAlg::ES256).await
}

fn assert_failed(answer: &Answer) {
    answer.assert_error(500, "server_error", "the server could not complete the request");
}

#[tokio::test]
async fn a_program_signs_everything_that_its_key_is_for() {
    for options in [&[][..], &["--kept"]] {
        let place = Place::new().await;
        place.behave(if options.is_empty() { "good" } else { "kept" });
        let kid = place.sign_externally(options).await;
        let app = place.server().await;
        let (client, alice) = (client(&app).await, app.alice().await);
        let before = place.started();
        let tokens = app.tokens(&client, &alice, "openid profile").await;
        for token in [tokens.access(), tokens.id()] {
            assert_eq!(jwt::verify(&app, token).await.header["kid"], kid.as_str());
        }
        let refreshed = Tokens { body: app.refresh(&client, tokens.refresh()).await.json() };
        assert_eq!(jwt::verify(&app, refreshed.access()).await.header["kid"], kid.as_str());
        app.assert_family_stands(&client, &refreshed).await;
        let processes = place.started() - before;
        assert!(if options.is_empty() { processes >= 6 } else { processes == 1 }, "{processes}");
    }
}

#[tokio::test]
async fn a_program_that_is_slow_crashes_or_lies_uses_no_code_and_no_refresh_token_up() {
    let place = Place::new().await;
    let kid = place.sign_externally(&[]).await;
    let app = place.server().await;
    let (client, alice) = (client(&app).await, app.alice().await);
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = app.redemption(&request, &code);
    let all = ["slow", "crashing", "silent", "lying", "garbage", "short", "der", "flooding"];
    for conduct in all {
        place.behave(conduct);
        assert_failed(&app.token(&client, &form).await);
    }
    place.behave("good");
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    for conduct in all {
        place.behave(conduct);
        assert_failed(&app.refresh(&client, tokens.refresh()).await);
    }
    // Long after the grace of a rotation, had there been one.
    app.pass_seconds(120);
    place.behave("good");
    let refreshed = Tokens { body: app.refresh(&client, tokens.refresh()).await.json() };
    assert_eq!(jwt::verify(&app, refreshed.access()).await.header["kid"], kid.as_str());
    app.assert_family_stands(&client, &refreshed).await;
    // Used up now, and over.
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "the code is not valid");
}

/// How a program that is asked again and again may go wrong, from one question to the next.
const MOODS: [&str; 5] = ["slow", "crashing", "silent", "lying", "garbage"];

#[tokio::test]
async fn a_kept_program_that_goes_wrong_is_replaced_and_uses_nothing_up() {
    let place = Place::new().await;
    place.behave("moody");
    place.workplace.write("mood", "good");
    let kid = place.sign_externally(&["--kept"]).await;
    let app = place.server().await;
    let (client, alice) = (client(&app).await, app.alice().await);
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = app.redemption(&request, &code);
    let before = place.started();
    for mood in MOODS {
        place.workplace.write("mood", mood);
        assert_failed(&app.token(&client, &form).await);
    }
    assert_eq!(place.started() - before, MOODS.len(), "none is asked again");
    place.workplace.write("mood", "good");
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    for mood in MOODS {
        place.workplace.write("mood", mood);
        assert_failed(&app.refresh(&client, tokens.refresh()).await);
    }
    place.workplace.write("mood", "good");
    let refreshed = Tokens { body: app.refresh(&client, tokens.refresh()).await.json() };
    assert_eq!(jwt::verify(&app, refreshed.access()).await.header["kid"], kid.as_str());
    app.assert_family_stands(&client, &refreshed).await;
}

#[tokio::test]
async fn userinfo_and_logout_tokens_are_signed_by_the_program_or_not_at_all() {
    for options in [&[][..], &["--kept"]] {
        let (place, mut receiver) = (Place::new().await, Receiver::start().await);
        place.behave("moody");
        place.workplace.write("mood", "good");
        let kid = place.sign_externally(options).await;
        let exception = receiver.exception();
        let app = place.server_with(|config| config.outbound.allow.push(exception)).await;
        let uri = receiver.url("/backchannel");
        let client = app
            .web_client_with(|settings| {
                settings.id_token_signed_response_alg = SigningAlg::ES256;
                settings.userinfo_signed_response_alg = Some(SigningAlg::ES256);
                settings.backchannel_logout_uri = Some(uri);
            })
            .await;
        let (alice, mut browser) = (app.alice().await, app.browser());
        let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
        let userinfo = async || app.get("/userinfo").bearer(tokens.access()).send().await;
        for mood in MOODS {
            place.workplace.write("mood", mood);
            assert_failed(&userinfo().await);
        }
        place.workplace.write("mood", "good");
        assert_eq!(jwt::verify(&app, &userinfo().await.body).await.header["kid"], kid.as_str());

        // A logout token waits in the outbox until the program works.
        place.workplace.write("mood", MOODS[0]);
        browser.open(&format!("/logout?id_token_hint={}", tokens.id())).await;
        for (attempts, mood) in (1..).zip(MOODS) {
            let failed = app.delivery(|delivery| delivery.attempts == attempts && delivery.last_error.is_some()).await;
            assert!(!failed.is_done, "{mood}: {failed:?}");
            receiver.assert_nothing_more();
            place.workplace.write("mood", MOODS.get(usize::try_from(attempts).unwrap()).unwrap_or(&"good"));
            app.pass_seconds(200);
            app.run_outbox().await;
        }
        let form = parameters(&receiver.next().await.body);
        assert_eq!(jwt::verify(&app, &form["logout_token"]).await.header["kid"], kid.as_str());
        assert!(app.delivery(|delivery| delivery.is_done).await.attempts > 5);
    }
}

#[tokio::test]
async fn parallel_refreshes_get_one_successor_from_an_external_key_too() {
    let place = Place::new().await;
    place.sign_externally(&[]).await;
    let app = place.server().await;
    let (client, alice) = (client(&app).await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let all = (0..4).map(|_| app.refresh(&client, tokens.refresh()));
    let all: Vec<Value> = futures_util::future::join_all(all).await.iter().map(Answer::json).collect();
    assert!(all.iter().all(|answer| answer["refresh_token"] == all[0]["refresh_token"]), "{all:?}");
    for answer in &all {
        let claims = jwt::verify(&app, answer["access_token"].as_str().unwrap()).await.claims;
        assert_eq!(claims["jti"], jwt::read(all[0]["access_token"].as_str().unwrap()).claims["jti"]);
    }
}

#[tokio::test]
async fn a_program_that_keeps_failing_is_left_alone_and_asked_again_later() {
    let place = Place::new().await;
    let kid = place.sign_externally(&[]).await;
    let keys = place.keys.path().to_owned();
    let app = TestApp::with_config(|config| {
        config.keys.directory = keys;
        config.keys.external.programs = vec![PathBuf::from("/bin/sh")];
        (config.keys.external.failures, config.keys.external.pause) = (3, TimeDelta::seconds(20));
        collected(config);
    })
    .await;
    let (client, alice) = (client(&app).await, app.alice().await);
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = app.redemption(&request, &code);
    let (admin, mut console) = (app.admin(&["admin:keys:read"]).await, app.console().await);
    let mut told = async |now: &str| {
        let keys = admin.get("/admin/keys").await.document(200);
        let (ours, others): (Vec<_>, Vec<_>) =
            keys["keys"].as_array().unwrap().iter().cloned().partition(|key| key["kid"] == kid.as_str());
        assert!(others.iter().all(|key| key["signer"].is_null()), "{keys}");
        let page = console.open(&format!("/console/keys/{kid}")).await;
        assert!(page.answer.body.contains(now), "{now}: {page:?}");
        let signer = &ours[0]["signer"];
        let count = |name: &str| signer[name].as_u64().unwrap();
        (signer["breaker"].as_str().unwrap().to_owned(), [count("signed"), count("failed"), count("refused")])
    };
    let (state, [made, ..]) = told("is asked. Since the start").await;
    assert_eq!(state, "closed");
    place.behave("crashing");
    let before = place.started();
    for _ in 0..6 {
        assert_failed(&app.token(&client, &form).await);
    }
    assert_eq!(place.started() - before, 3);
    // It works again, which nobody finds out before its time.
    place.behave("good");
    assert_failed(&app.token(&client, &form).await);
    let (state, [signed, failed, refused]) = told("is not asked for a while").await;
    assert!((state.as_str(), signed, failed) == ("open", made, 3) && refused >= 4, "{refused}");
    let seen = Scraped::of(&app).await;
    assert_eq!(seen.value("ostiary_external_signer_paused", &[("kid", &kid)]), 1.0);
    for (outcome, count) in [("signed", signed), ("failed", failed), ("refused", refused)] {
        let labels = [("kid", kid.as_str()), ("outcome", outcome)];
        assert_eq!(seen.value("ostiary_external_signatures_total", &labels), count as f64, "{outcome}");
    }
    app.pass_seconds(20);
    assert_eq!(told("one request finds out").await.0, "probing");
    app.assert_family_stands(&client, &Tokens { body: app.token(&client, &form).await.json() }).await;
}

#[tokio::test]
async fn only_a_program_that_proves_its_key_is_registered() {
    let place = Place::new().await;
    let program = place.workplace.path("program");
    let words = ["register-external", "--alg", "ES256", "--key-ref", "token:1"];
    let exported = place.done(&["export-public"]).await;
    let refused = async |options: &[&str], why: &str| {
        place.refused(&[&words, options, &["--", "/bin/sh", text(&program)]].concat(), why).await;
    };
    for (conduct, why) in
        [("crashing", "exit status: 7"), ("garbage", "did not answer as"), ("flooding", "too great a length")]
    {
        place.behave(conduct);
        refused(&[], why).await;
    }
    // The public key of one, the signatures of another.
    place.behave("mixed");
    refused(&[], "its public key does not verify").await;
    place.behave("good");
    let known = exported["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "ES256").unwrap();
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": known["x"], "y": known["y"] });
    let file = place.workplace.write("jwk.json", &jwk.to_string());
    refused(&["--jwk", text(&file)], "is there already").await;
    let mut private = jwk.clone();
    private["d"] = json!("AAAA");
    fs::write(&file, private.to_string()).unwrap();
    refused(&["--jwk", text(&file)], "holds a private key").await;
    place.refused(&[&words[..], &["--", "sh"]].concat(), "absolute path").await;
    assert_eq!(place.done(&["export-public"]).await, exported, "nothing was changed");
}

#[tokio::test]
async fn an_external_key_lives_like_the_others_but_is_renewed_by_people() {
    let place = Place::new().await;
    let kid = place.register(&[]).await["prepublished"][0]["kid"].as_str().unwrap().to_owned();
    place.refused(&["activate", "--", &kid], "not listed for long enough").await;
    place.done(&["activate", "--force", "--", &kid]).await;
    let keys = place.done(&["list"]).await;
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid.as_str()).unwrap().clone();
    assert_eq!((&key["state"], &key["external"]["key_ref"]), (&json!("active"), &json!("token:1")));
    assert!(key.get("file").is_none() && key["external"]["jwk"].get("d").is_none(), "{key}");
    let told = place.done(&["rehearse"]).await;
    let steps = told["timeline"].as_array().unwrap();
    let asked: Vec<_> = steps.iter().filter(|step| step["action"] == "register").collect();
    assert!(matches!(asked[..], [step] if step["kid"] == kid.as_str()), "{told}");
    // Its public half goes out in every form.
    let jwk = place.done(&["export-public", &format!("--kid={kid}"), "--format", "jwk"]).await;
    assert_eq!((&jwk["kid"], &jwk["x"]), (&json!(kid), &key["external"]["jwk"]["x"]));
    let pem = place.done(&["export-public", &format!("--kid={kid}"), "--format", "pem"]).await;
    assert!(pem["pem"][0].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
    // A directory does not choose what the account that looks at it runs.
    let started = place.started();
    let warned = place.done(&["validate"]).await;
    let what = warned["warnings"][0]["what"].as_str().unwrap();
    assert!(what.contains("was not tried: no settings name the program"), "{warned}");
    assert_eq!(place.started(), started);
    place.behave("lying");
    // Nobody makes a key here in its place unasked, not even in an emergency.
    place.refused(&["rotate", "--alg", "ES256"], "register-external").await;
    place.refused(&["revoke", "--reason", "lost", "--yes", "--", &kid], "register-external").await;
    place.done(&["rotate"]).await;
    let keys = place.done(&["list"]).await;
    let waiting = |alg| {
        let waits = |key: &&Value| key["alg"] == alg && key["state"] == "prepublished";
        keys["keys"].as_array().unwrap().iter().filter(waits).count()
    };
    assert_eq!((waiting("RS256"), waiting("ES256")), (1, 0));
    let next = place.done(&["prepublish", "--alg", "ES256"]).await["prepublished"][0]["kid"].clone();
    let revoked = place.done(&["revoke", "--reason", "lost", "--yes", "--", &kid]).await;
    assert_eq!(revoked["successor"], next);
    assert_eq!(place.done(&["validate"]).await["valid"], true);
}

#[tokio::test]
async fn a_key_that_gives_no_signature_does_not_take_the_place_of_one_that_does() {
    let place = Place::new().await;
    let first = place.sign_externally(&[]).await;
    // The key in another.pem: so is what the program says of itself when it lies.
    place.behave("lying");
    let next = place.register(&[]).await["prepublished"][0]["kid"].as_str().unwrap().to_owned();
    let app = place.server().await;
    let rotate = async || Job::KeyRotation.run_once(&app.app, app.now()).await;
    let state = async |kid: &str| {
        let admin = app.admin(&["admin:keys"]).await;
        admin.get(&format!("/admin/keys/{kid}")).await.document(200)["state"].clone()
    };
    let (client, alice) = (client(&app).await, app.alice().await);
    place.behave("good");
    // By hand, whoever insists, and by the clock.
    let admin = app.admin(&["admin:keys"]).await;
    let path = format!("/admin/keys/{next}/activate");
    let refused = admin.post(&path, &json!({"force": true})).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("gives no signature"), "{refused}");
    app.pass(TimeDelta::days(91));
    for (conduct, why) in [("good", "does not verify"), ("crashing", "exit status: 7")] {
        place.behave(conduct);
        let told = rotate().await.unwrap_err().to_string();
        assert!(told.contains(&next) && told.contains(why), "{told}");
        // Whoever looks needs a token, which the key before signs.
        place.behave("good");
        assert_eq!((state(&first).await, state(&next).await), (json!("active"), json!("prepublished")));
    }
    place.behave("good");
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert_eq!(jwt::verify(&app, tokens.access()).await.header["kid"], first.as_str());
    place.behave("lying");
    rotate().await.unwrap();
    assert_eq!((state(&first).await, state(&next).await), (json!("grace"), json!("active")));
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert_eq!(jwt::verify(&app, tokens.access()).await.header["kid"], next.as_str());
}

#[tokio::test]
async fn the_command_lets_no_key_sign_that_gives_no_signature() {
    let (place, pair) = (Place::new().await, Pair::new("postgres").await);
    let program = place.workplace.path("program");
    let words = ["register-external", "--alg", "ES256", "--key-ref", "r", "--", "/bin/sh", text(&program)];
    let kid = pair.keyctl(&words, 0).await["prepublished"][0]["kid"].as_str().unwrap().to_owned();
    // Those for RS256 are renewed meanwhile.
    let listed = async || {
        let keys = pair.keyctl(&["list"], 0).await;
        keys["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "ES256").cloned().collect::<Vec<_>>()
    };
    let before = listed().await;
    place.behave("crashing");
    for words in [&["activate", "--force", "--", &kid][..], &["rotate", "--alg", "ES256", "--force"]] {
        let refused = pair.keyctl(words, 1).await;
        let what = refused["problems"][0]["what"].as_str().unwrap();
        assert!(what.contains("the one that signs goes on") && what.contains("exit status: 7"), "{refused}");
        assert_eq!(listed().await, before);
    }
    // The window of this place is eight seconds.
    eventually("its time has come", || async {
        let refused = pair.keyctl_said(&["rotate", "--due"]).await;
        (refused["problems"][0]["what"].as_str()?.contains("exit status: 7")).then_some(())
    })
    .await;
    assert_eq!(listed().await, before);
    place.behave("good");
    let done = pair.keyctl(&["rotate", "--due"], 0).await;
    let is_ours = |step: &Value| step["action"] == "activate" && step["kid"] == kid.as_str();
    assert!(done["done"].as_array().unwrap().iter().any(is_ours), "{done}");
}

#[tokio::test]
async fn a_server_starts_no_program_that_its_settings_do_not_name() {
    let place = Place::new().await;
    let app = place.server().await;
    let mut config = app.app.config.clone();
    config.keys.external.programs.clear();
    place.sign_externally(&[]).await;
    let signers = ExternalSigners::new(&config.keys.external, &app.app.clock);
    let error = ostiary::keys::Keys::open(
        std::sync::Arc::new(ostiary::keys::store::directory::KeyDirectory::new(place.keys.path())),
        signers,
    )
    .await
    .err()
    .unwrap();
    assert!(error.to_string().contains("keys.external.programs"), "{error}");
}

/// Whether a process is gone; one that nobody has looked after yet counts as gone.
fn is_gone(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_program_ends_with_the_server_however_that_ends() {
    let (place, pair) = (Place::new().await, Pair::new("directory").await);
    place.behave("kept");
    let program = place.workplace.path("program");
    let words = ["register-external", "--alg", "ES256", "--key-ref", "r", "--kept", "--", "/bin/sh", text(&program)];
    let kid = pair.keyctl(&words, 0).await["prepublished"][0]["kid"].as_str().unwrap().to_owned();
    pair.keyctl(&["activate", "--force", "--", &kid], 0).await;
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut server = pair.start(pair.ports[0]).await;
        assert_eq!(jwt::read(&pair.token(pair.ports[0]).await).header["kid"], kid.as_str());
        let started = fs::read_to_string(place.workplace.path("started")).unwrap();
        let process = started.lines().last().unwrap();
        assert!(!is_gone(process));
        server.signal(signal);
        server.ended().await;
        until("the program is gone", || is_gone(process)).await;
    }
}
