use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::keys::private_key::{PrivateKey, RsaBits};
use crate::keys::signer::Signer;
use crate::model::signing_key::{KeyEntry, KeyPurpose, SignerMode};

const MESSAGE: &str = "head.body";

/// A key, a folder for scripts, and a clock.
struct World {
    folder: TempDir,
    clock: ManualClock,
    config: ExternalKeysConfig,
    jwk: Value,
    kid: String,
    /// The answer that is right for [`MESSAGE`].
    answer: String,
}

fn answer_of(private: &PrivateKey) -> String {
    let signature = Signer::new(SigningAlg::ES256, private).unwrap().sign(MESSAGE.as_bytes()).unwrap();
    json!({ "signature": URL_SAFE_NO_PAD.encode(signature) }).to_string()
}

fn es256() -> PrivateKey {
    PrivateKey::generate(SigningAlg::ES256, RsaBits::default()).unwrap()
}

impl World {
    fn new() -> Self {
        let private = es256();
        let jwk = private.public_jwk().unwrap();
        let programs = vec!["/bin/sh".into(), "/nowhere".into()];
        let config = ExternalKeysConfig { programs, timeout: Duration::from_secs(20), ..Default::default() };
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: ManualClock::starting_at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()),
            config,
            kid: jwk.thumbprint(),
            jwk: serde_json::to_value(jwk).unwrap(),
            answer: answer_of(&private),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn signers(&self) -> ExternalSigners {
        ExternalSigners::new(&self.config, &Clock::manual(&self.clock))
    }

    fn key(&self, mode: SignerMode, command: &[&str]) -> ExternalKey {
        let command = command.iter().map(ToString::to_string).collect();
        ExternalKey { key_ref: "ours".to_owned(), command, mode, jwk: self.jwk.clone() }
    }

    fn entry(&self, key: ExternalKey) -> KeyEntry {
        let now = Clock::manual(&self.clock).now();
        let entry = KeyEntry::prepublished(self.kid.clone(), SigningAlg::ES256, KeyPurpose::Tokens, now);
        KeyEntry { external: Some(key), ..entry }
    }

    fn signer_of(&self, key: ExternalKey) -> Arc<ExternalSigner> {
        let entry = self.entry(key.clone());
        self.signers().find_or_make(&entry, &key).unwrap_or_else(|problem| panic!("{problem}")).0
    }

    /// Runs `script` in the folder; `$ANSWER` in it is the right one.
    fn signer(&self, mode: SignerMode, script: &str) -> Arc<ExternalSigner> {
        let script =
            format!("cd {}; ANSWER='{}'; echo $$ >> started; {script}", self.folder.path().display(), self.answer);
        self.signer_of(self.key(mode, &["/bin/sh", "-c", &script]))
    }

    /// The process of each start.
    fn started(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.path("started")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

async fn sign(signer: &Arc<ExternalSigner>) -> Result<(), String> {
    let told = |error: SigningError| error.to_string();
    let place = signer.reserve().map_err(told)?;
    let (message, signature) = Arc::clone(signer).sign(place, MESSAGE.to_owned()).await.map_err(told)?;
    assert!(message == MESSAGE && signer.verifier.is_valid(MESSAGE.as_bytes(), &signature));
    Ok(())
}

/// Whether a process is gone; one that nobody has looked after yet counts as gone.
fn is_gone(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

async fn until_gone(process: i32) {
    for _ in 0..1000 {
        if is_gone(process) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the process {process} runs on");
}

#[tokio::test]
async fn a_program_is_started_for_each_signature_or_kept() {
    let world = World::new();
    let once = world.signer(SignerMode::Once, "cat > asked; echo \"$ANSWER\"");
    sign(&once).await.unwrap();
    sign(&once).await.unwrap();
    assert_eq!(world.started().len(), 2);
    let asked: Value = serde_json::from_str(&fs::read_to_string(world.path("asked")).unwrap()).unwrap();
    assert_eq!((&asked["signing_input"], &asked["kid"]), (&json!(MESSAGE), &json!(world.kid)));

    let kept = world.signer(SignerMode::Kept, "while read -r line; do echo \"$ANSWER\"; done");
    for _ in 0..3 {
        sign(&kept).await.unwrap();
    }
    let [_, _, process] = world.started()[..] else { panic!("{:?}", world.started()) };
    // One that died meanwhile is replaced, and nobody notices.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGKILL).unwrap();
    until_gone(process).await;
    sign(&kept).await.unwrap();
    assert_eq!(world.started().len(), 4);
    let last = world.started()[3];
    assert!(!is_gone(last));
    drop(kept);
    until_gone(last).await;
}

#[tokio::test]
async fn whatever_a_program_does_wrong_is_told_and_nothing_is_signed() {
    let world = World::new();
    let other = answer_of(&es256());
    let of_length = |length: usize| json!({ "signature": URL_SAFE_NO_PAD.encode(vec![0x30; length]) }).to_string();
    let (short, der) = (of_length(63), of_length(71));
    for (script, told) in [
        ("exit 3", "ended without an answer (exit status: 3)"),
        ("echo no session >&2; exit 3", "it said \"no session\""),
        ("printf 'a\\nb' >&2; exit 3", "it said \"a\\nb\""),
        ("echo \"$ANSWER\"; exit 1", "ended without an answer (exit status: 1)"),
        ("kill -9 $$", "signal: 9"),
        ("true", "did not answer as docs/keys.md says"),
        ("echo garbage", "did not answer as docs/keys.md says"),
        ("echo \"$ANSWER\"; echo \"$ANSWER\"", "did not answer as docs/keys.md says"),
        ("echo '{\"error\":\"the token is not plugged in\"}'", "refused: \"the token is not plugged in\""),
        ("yes", "answered at too great a length"),
        (&format!("echo '{other}'"), "its public key does not verify"),
        (&format!("echo '{short}'"), "answered with 63 bytes instead of the 64"),
        (&format!("echo '{der}'"), "answered with 71 bytes instead of the 64"),
    ] {
        let error = sign(&world.signer(SignerMode::Once, script)).await.unwrap_err();
        assert!(error.contains(told) && error.contains(&world.kid), "{script}: {error}");
    }
    let nowhere = world.signer_of(world.key(SignerMode::Once, &["/nowhere"]));
    assert!(sign(&nowhere).await.unwrap_err().contains("could not be started"));
    // Saying too much on the standard error is no failure, and holds nobody up.
    sign(&world.signer(SignerMode::Once, "head -c 300000 /dev/zero >&2; echo \"$ANSWER\"")).await.unwrap();
}

#[tokio::test]
async fn a_kept_program_that_goes_wrong_is_replaced() {
    let world = World::new();
    for (script, told) in [
        // A second line would answer the next question.
        ("read -r line; printf '%s\\n%s\\n' \"$ANSWER\" \"$ANSWER\"; cat", "did not answer as"),
        ("read -r line; exit 3", "ended without an answer"),
        ("read -r line; printf '%s' \"$ANSWER\"", "ended without an answer"),
        ("read -r line; yes | tr -d '\\n'", "answered at too great a length"),
        ("read -r line; echo '{\"error\":\"locked\"}'; cat", "refused: \"locked\""),
    ] {
        let signer = world.signer(SignerMode::Kept, script);
        let error = sign(&signer).await.unwrap_err();
        assert!(error.contains(told), "{script}: {error}");
        until_gone(*world.started().last().unwrap()).await;
    }
}

#[tokio::test]
async fn one_that_hangs_is_ended_with_all_that_it_started() {
    let mut world = World::new();
    world.config.timeout = Duration::from_millis(500);
    let script = "sleep 600 & echo $! > child; echo waiting >&2; sleep 600";
    for mode in [SignerMode::Once, SignerMode::Kept] {
        let error = sign(&world.signer(mode, script)).await.unwrap_err();
        assert!(error.contains("did not answer in time") && error.contains("waiting"), "{error}");
        until_gone(*world.started().last().unwrap()).await;
        until_gone(fs::read_to_string(world.path("child")).unwrap().trim().parse().unwrap()).await;
    }
}

#[tokio::test]
async fn what_a_program_started_ends_with_it_also_when_all_went_well() {
    let world = World::new();
    let script = "sleep 600 > null 2>&1 < /dev/null & echo $! > child; echo \"$ANSWER\"";
    sign(&world.signer(SignerMode::Once, script)).await.unwrap();
    until_gone(fs::read_to_string(world.path("child")).unwrap().trim().parse().unwrap()).await;
}

#[tokio::test]
async fn an_answer_that_came_too_late_meets_no_other_question() {
    let mut world = World::new();
    world.config.timeout = Duration::from_millis(500);
    // The first process answers late, each later one at once.
    let late = "test $(wc -l < started) = 1 && sleep 1; while read -r line; do echo \"$ANSWER\"; done";
    let signer = world.signer(SignerMode::Kept, late);
    assert!(sign(&signer).await.unwrap_err().contains("did not answer in time"));
    sign(&signer).await.unwrap();
    sign(&signer).await.unwrap();
    assert_eq!(world.started().len(), 2);
}

#[tokio::test]
async fn who_asked_may_go_away() {
    let world = World::new();
    let signer = world.signer(SignerMode::Kept, "while read -r line; do sleep 0.2; echo \"$ANSWER\"; done");
    let gone = tokio::spawn({
        let signer = Arc::clone(&signer);
        async move { sign(&signer).await }
    });
    while world.started().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gone.abort();
    sign(&signer).await.unwrap();
    sign(&signer).await.unwrap();
}

#[tokio::test]
async fn a_program_that_fails_again_and_again_is_left_alone_for_a_while() {
    let mut world = World::new();
    (world.config.failures, world.config.pause) = (3, TimeDelta::seconds(10));
    let signer = world.signer(SignerMode::Once, "test -e works && echo \"$ANSWER\"");
    for _ in 0..3 {
        assert!(sign(&signer).await.unwrap_err().contains("exit status: 1"));
    }
    world.clock.advance(TimeDelta::seconds(9));
    for _ in 0..2 {
        assert!(sign(&signer).await.unwrap_err().contains("not asked for a while"));
    }
    assert_eq!(world.started().len(), 3);
    // One finds out whether it works again; the pause begins anew if not.
    world.clock.advance(TimeDelta::seconds(1));
    assert!(sign(&signer).await.unwrap_err().contains("exit status: 1"));
    assert!(sign(&signer).await.unwrap_err().contains("not asked for a while"));
    fs::write(world.path("works"), "").unwrap();
    world.clock.advance(TimeDelta::seconds(10));
    sign(&signer).await.unwrap();
    sign(&signer).await.unwrap();
    assert_eq!(world.started().len(), 6);
    assert_eq!(signer.with_breaker(|breaker| breaker.counts), breaker::Counts { signed: 2, failed: 4, refused: 3 });
}

#[tokio::test]
async fn only_so_many_may_wait() {
    let mut world = World::new();
    (world.config.processes, world.config.queue) = (1, 1);
    let signer = world.signer(SignerMode::Once, "test $(wc -l < running 2>/dev/null || echo 0) = 0; echo \"$ANSWER\"");
    let places = [signer.reserve(), signer.reserve()].map(|place| place.ok().unwrap());
    assert!(matches!(signer.reserve(), Err(SigningError::Busy)));
    let work = places.map(|place| Arc::clone(&signer).sign(place, MESSAGE.to_owned()));
    for done in futures_util::future::join_all(work).await {
        done.unwrap();
    }
    drop(signer.reserve().unwrap());
}

#[tokio::test]
async fn no_more_processes_run_at_once_than_allowed() {
    let mut world = World::new();
    world.config.processes = 2;
    // Each leaves a mark while it runs, and tells how many there were.
    let script = "touch mark.$$; sleep 0.05; ls mark.* | wc -l >> seen; rm mark.$$; echo \"$ANSWER\"";
    let signer = world.signer(SignerMode::Once, script);
    let all = (0..8).map(|_| sign(&signer));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    let seen = fs::read_to_string(world.path("seen")).unwrap();
    assert!(seen.lines().all(|line| line.trim().parse::<u32>().unwrap() <= 2), "{seen}");
}

#[tokio::test]
async fn only_what_the_settings_name_is_started_and_only_with_what_they_pass_on() {
    let mut world = World::new();
    let key = world.key(SignerMode::Once, &["/usr/bin/env"]);
    let refused = |world: &World, key: &ExternalKey| world.signers().problems([&world.entry(key.clone())]);
    assert!(refused(&world, &key)[0].mend.contains("keys.external.programs"));
    assert!(world.signers().find_or_make(&world.entry(key.clone()), &key).is_err());
    let relative = world.key(SignerMode::Once, &["sh"]);
    assert!(refused(&world, &relative)[0].what.contains("absolute path"));
    assert_eq!(refused(&world, &world.key(SignerMode::Once, &["/bin/sh"])), []);

    // This process has more variables than these, and a terminal's.
    world.config.environment = vec!["CARGO_MANIFEST_DIR".to_owned(), "NOBODY_SET_THIS".to_owned()];
    let signer = world.signer(SignerMode::Once, "env | cut -d = -f 1 | sort > variables; echo \"$ANSWER\"");
    sign(&signer).await.unwrap();
    let variables = fs::read_to_string(world.path("variables")).unwrap();
    // What the shell itself adds.
    let passed: Vec<_> = variables.lines().filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name)).collect();
    assert_eq!(passed, ["CARGO_MANIFEST_DIR", "PATH"]);
}

#[tokio::test]
async fn what_is_stored_of_an_external_key_is_checked() {
    let world = World::new();
    let key = world.key(SignerMode::Once, &["/bin/sh"]);
    let refused = |change: &dyn Fn(&mut KeyEntry, &mut ExternalKey)| {
        let (mut entry, mut key) = (world.entry(key.clone()), key.clone());
        change(&mut entry, &mut key);
        world.signers().find_or_make(&entry, &key).err().unwrap().what
    };
    assert!(refused(&|_, key| key.jwk["d"] = json!("AA")).contains("private key"));
    assert!(refused(&|_, key| key.jwk["crv"] = json!("P-384")).contains("P-256"));
    assert!(refused(&|entry, _| entry.alg = SigningAlg::RS256.into()).contains("RSA"));
    assert!(refused(&|entry, _| entry.kid = "other".to_owned()).contains("another key"));
}

#[test]
fn our_own_answers_are_what_a_server_asks_for() {
    let private = es256();
    let pem = private.to_pem().unwrap();
    let answer = |request: &[u8]| respond(&pem, request);
    let request = exchange::signing_request("k", SigningAlg::ES256, "r", MESSAGE).unwrap();
    let signed = exchange::read_signature(SigningAlg::ES256, answer(&request).to_string().as_bytes()).unwrap();
    let verifier = Signer::new(SigningAlg::ES256, &private).unwrap().verifier(SigningAlg::ES256).unwrap();
    assert!(verifier.is_valid(MESSAGE.as_bytes(), &signed));
    let asked = exchange::jwk_request(SigningAlg::ES256, "r").unwrap();
    let jwk = exchange::read_jwk(answer(&asked).to_string().as_bytes()).unwrap();
    assert_eq!(jwk, serde_json::to_value(private.public_jwk().unwrap()).unwrap());
    for (request, error) in [
        ("x", "cannot be read"),
        (r#"{"version":2,"alg":"ES256","signing_input":"x"}"#, "another version"),
        (r#"{"version":1,"alg":"HS256","signing_input":"x"}"#, "not known"),
        (r#"{"version":1,"alg":"RS256","signing_input":"x"}"#, "cannot be used"),
        (r#"{"version":1,"alg":"ES256"}"#, "nothing is wanted"),
    ] {
        assert!(answer(request.as_bytes())["error"].as_str().unwrap().contains(error), "{request}");
    }
}

#[tokio::test]
async fn without_settings_no_stored_program_is_started() {
    let world = World::new();
    let trace = world.path("trace");
    let script = format!("echo started > {}", trace.display());
    let entry = world.entry(world.key(SignerMode::Once, &["/bin/sh", "-c", &script]));
    let found = ExternalSigners::without_settings(&Clock::manual(&world.clock)).try_out([&entry]).await;
    assert!(found[0].what.contains("was not tried: no settings name the program"), "{found:?}");
    assert!(!trace.exists());
    // The same key leaves its trace where the settings name the program.
    world.signers().try_out([&entry]).await;
    assert!(trace.exists());
}
