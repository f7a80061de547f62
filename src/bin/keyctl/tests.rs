use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use chrono::TimeDelta;
use ostiary::clock::ManualClock;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A path at which nothing is yet: the directory is made by the command, with the mode that it chooses.
struct Place {
    _parent: TempDir,
    path: PathBuf,
    clock: ManualClock,
}

fn place() -> Place {
    let parent = tempfile::tempdir().unwrap();
    let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Place { path: parent.path().join("keys"), _parent: parent, clock: ManualClock::starting_at(start) }
}

async fn keyctl(place: &Place, words: &[&str]) -> Answer {
    let directory = place.path.to_str().unwrap();
    let words = [&["ostiary-keyctl"], words, &["--dir", directory]].concat();
    let answer = command::run(&Arguments::parse_from(words), &Clock::manual(&place.clock)).await;
    answer.unwrap_or_else(|problems| Answer::refused(&problems))
}

#[track_caller]
fn assert_good(answer: &Answer) {
    assert_eq!(answer.outcome, Outcome::Good, "{}", answer.text);
}

async fn states(place: &Place) -> Vec<String> {
    let answer = keyctl(place, &["list"]).await;
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = answer.json["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| format!("{} {}", text(key, "alg"), text(key, "state"))).collect()
}

fn kid(answer: &Answer, list: &str) -> String {
    answer.json[list][0]["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn from_an_empty_directory_to_a_rotated_key() {
    let place = place();
    let answer = keyctl(&place, &["list"]).await;
    assert!(
        answer.outcome == Outcome::Failed && answer.text.contains("ostiary-keyctl generate --dir"),
        "{}",
        answer.text
    );

    let answer = keyctl(&place, &["generate", "--alg", "EdDSA"]).await;
    assert_good(&answer);
    assert!(
        answer.text.contains("sign from now on") && answer.text.contains("2027-01-15T08:00:00Z"),
        "{}",
        answer.text
    );
    assert_eq!(states(&place).await, ["RS256 active", "ES256 active", "EdDSA active"]);

    let published = keyctl(&place, &["rotate", "--alg", "ES256"]).await;
    assert_good(&published);
    assert_eq!(published.json["rotated"][0]["outcome"], "published");
    assert_eq!(published.json["rotated"][0]["signs_at"], "2027-01-16T08:00:00Z");
    let waiting = keyctl(&place, &["rotate", "--alg", "ES256"]).await;
    assert_eq!((waiting.outcome, &waiting.json["rotated"][0]["outcome"]), (Outcome::NothingDone, &json!("waiting")));

    place.clock.advance(TimeDelta::days(1));
    let rotated = keyctl(&place, &["rotate", "--alg", "ES256"]).await;
    assert_good(&rotated);
    assert_eq!(rotated.json["rotated"][0]["was_listed"], true);
    let forced = keyctl(&place, &["rotate", "--alg", "EdDSA", "--force"]).await;
    assert!(forced.text.contains("not listed for long enough"), "{}", forced.text);
    assert_eq!(states(&place).await, ["RS256 active", "ES256 grace", "EdDSA grace", "ES256 active", "EdDSA active"]);
    let answer = keyctl(&place, &["validate"]).await;
    assert_good(&answer);
    assert_eq!(answer.json, json!({ "valid": true, "problems": [], "warnings": [] }));
}

#[tokio::test]
async fn each_step_by_itself() {
    let place = place();
    keyctl(&place, &["generate"]).await;
    let made = kid(&keyctl(&place, &["prepublish", "--alg", "ES256", "--purpose", "logout"]).await, "prepublished");
    let early = keyctl(&place, &["activate", &made]).await;
    assert!(
        early.outcome == Outcome::Failed && early.text.contains("wait until 2027-01-16T08:00:00Z"),
        "{}",
        early.text
    );
    assert_good(&keyctl(&place, &["activate", &made, "--force"]).await);
    let refused = keyctl(&place, &["retire", &made]).await;
    assert!(refused.text.contains("signs") && refused.text.contains("rotate"), "{}", refused.text);

    let told = keyctl(&place, &["revoke", &made, "--reason", "laptop lost"]).await;
    assert_eq!(told.outcome, Outcome::NothingDone);
    assert!(told.text.contains("Every ES256 token") && told.text.contains("--yes"), "{}", told.text);
    let done = keyctl(&place, &["revoke", &made, "--reason", "laptop lost", "--yes"]).await;
    assert_good(&done);
    assert!(done.json["successor"].is_string(), "{}", done.json);
    assert!(keyctl(&place, &["list"]).await.text.contains("revoked: laptop lost"));
    let again = keyctl(&place, &["revoke", &made, "--reason", "laptop lost"]).await;
    assert_eq!(again.outcome, Outcome::Failed, "nothing is told of what it would break, since it breaks nothing");
    assert!(again.text.contains("is retired"), "{}", again.text);
    assert_good(&keyctl(&place, &["validate"]).await);
}

#[tokio::test]
async fn the_next_rotation_is_told_and_a_scheduler_can_do_it() {
    let place = place();
    keyctl(&place, &["generate"]).await;
    let told = keyctl(&place, &["rehearse"]).await;
    let actions: Vec<_> = told.json["timeline"].as_array().unwrap().iter().map(|step| step["action"].clone()).collect();
    assert_eq!(actions, ["publish", "publish", "activate", "activate", "retire", "retire"]);
    assert_eq!(told.json["timeline"][0]["at"], "2027-04-14T08:00:00Z");
    assert_eq!(keyctl(&place, &["rotate", "--due"]).await.outcome, Outcome::NothingDone);
    place.clock.advance(TimeDelta::days(89));
    let done = keyctl(&place, &["rotate", "--due"]).await;
    assert_eq!(done.json["done"].as_array().unwrap().len(), 2);
    assert!(keyctl(&place, &["rehearse"]).await.text.contains(&kid(&done, "done")));
}

#[tokio::test]
async fn public_keys_go_out_and_private_keys_come_in() {
    let place = place();
    keyctl(&place, &["generate"]).await;
    let jwks = keyctl(&place, &["export-public"]).await.json;
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keyctl(&place, &["export-public", "--format", "jwk"]).await.outcome, Outcome::Failed);
    let kid = jwks["keys"][1]["kid"].as_str().unwrap();
    let jwk = keyctl(&place, &["export-public", "--kid", kid, "--format", "jwk"]).await;
    assert_eq!(jwk.json, jwks["keys"][1]);
    let pem = keyctl(&place, &["export-public", "--kid", kid, "--format", "pem"]).await.text;
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");

    // A key of another installation.
    let other = self::place();
    keyctl(&other, &["generate"]).await;
    let theirs = keyctl(&other, &["export-public"]).await.json["keys"][1]["kid"].as_str().unwrap().to_owned();
    let file = other.path.join(format!("es256-{theirs}.pem"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = keyctl(&place, &["import", "--alg", "ES256", "--file", file.to_str().unwrap()]).await;
    assert!(exposed.outcome == Outcome::Failed && exposed.text.contains("chmod 0600"), "{}", exposed.text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let answer = keyctl(&place, &["import", "--alg", "ES256", "--file", file.to_str().unwrap()]).await;
    assert_eq!(kid_of_first(&answer), theirs);
    let wrong = keyctl(&place, &["import", "--alg", "RS256", "--file", file.to_str().unwrap()]).await;
    assert!(wrong.outcome == Outcome::Failed && wrong.text.contains("of the kind"), "{}", wrong.text);
    let rewrap = keyctl(&place, &["rewrap"]).await;
    assert!(rewrap.outcome == Outcome::Failed && rewrap.text.contains("--config"), "{}", rewrap.text);
}

fn kid_of_first(answer: &Answer) -> String {
    kid(answer, "prepublished")
}

#[tokio::test]
async fn no_command_prints_any_of_a_private_key() {
    let place = place();
    let mut printed = String::new();
    for words in
        [&["generate"][..], &["generate"], &["rotate", "--force"], &["list"], &["validate"], &["export-public"]]
    {
        let answer = keyctl(&place, words).await;
        printed += &answer.text;
        printed += &answer.json.to_string();
    }
    // A damaged key and one that is listed for another algorithm are explained without being shown.
    let pems: Vec<_> = fs::read_dir(&place.path)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pem"))
        .map(|entry| entry.path())
        .collect();
    let texts: Vec<_> = pems.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for (path, text) in pems.iter().zip(texts.iter().cycle().skip(1)) {
        fs::write(path, &text[..text.len() - 40]).unwrap();
    }
    let answer = keyctl(&place, &["validate"]).await;
    assert_eq!(answer.outcome, Outcome::FoundProblems);
    printed += &answer.text;
    printed += &answer.json.to_string();
    assert!(!printed.contains("PRIVATE KEY"));
    for line in texts.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("-----")) {
        assert!(!printed.contains(line));
    }
}

#[tokio::test]
async fn problems_are_explained_with_their_mend() {
    let place = place();
    keyctl(&place, &["generate"]).await;
    let keyset = place.path.join("keyset.json");
    fs::set_permissions(&keyset, fs::Permissions::from_mode(0o666)).unwrap();
    for (command, outcome) in [
        ("validate", Outcome::FoundProblems),
        ("list", Outcome::Failed),
        ("generate", Outcome::Failed),
        ("rotate", Outcome::Failed),
    ] {
        let answer = keyctl(&place, &[command]).await;
        assert_eq!(answer.outcome, outcome, "{command}");
        assert!(answer.text.contains(&format!("mend: run `chmod 0600 {}`", keyset.display())), "{}", answer.text);
        assert_eq!(answer.json["problems"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_master_key_is_made_once_and_a_kek_is_added_to() {
    let place = place();
    let folder = tempfile::tempdir().unwrap();
    for name in ["master-key", "kek"] {
        let file = folder.path().join(name);
        let words = [name, "--file", file.to_str().unwrap()];
        let answer = keyctl(&place, &words).await;
        let encoded = fs::read_to_string(&file).unwrap().lines().last().unwrap().to_owned();
        assert!(encoded.starts_with("1:") && !answer.text.contains(&encoded[2..]));
        assert!(keyctl(&place, &words).await.text.contains("exists already"));
    }
    let file = folder.path().join("kek");
    let added = keyctl(&place, &["kek", "--file", file.to_str().unwrap(), "--add"]).await;
    assert_eq!(added.json["id"], 2);
}

#[test]
fn unknown_algorithms_sizes_and_purposes_are_refused_by_name() {
    for (words, expected) in [
        (&["generate", "--alg", "HS256"][..], "PS256"),
        (&["rotate", "--bits", "1024"], "3072"),
        (&["prepublish", "--alg", "ES256", "--purpose", "fun"], "assertions"),
        (&["prepublish", "--purpose", "logout"], "--alg"),
        (&["rotate", "--due", "--force"], "cannot be used with"),
    ] {
        let words = ["ostiary-keyctl"].iter().chain(words).copied();
        let refused = Arguments::try_parse_from(words).err().unwrap().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_kid_may_begin_with_a_hyphen() {
    for words in [
        &["activate", "-MSFY0z", "--force"][..],
        &["retire", "--force", "-MSFY0z"],
        &["revoke", "-MSFY0z", "--reason", "stolen"],
        &["revoke", "--reason", "stolen", "--yes", "-MSFY0z"],
        &["export-public", "--kid", "-MSFY0z", "--format", "pem"],
        // Where it looks like a flag of ours.
        &["retire", "--force", "--", "-hSFY0z"],
    ] {
        let words = ["ostiary-keyctl", "--dir", "x"].iter().chain(words).copied();
        let command = Arguments::try_parse_from(words).unwrap_or_else(|refused| panic!("{refused}")).command;
        let kid = match command {
            arguments::Command::Activate(key) | arguments::Command::Retire(key) => key.kid,
            arguments::Command::Revoke { kid, .. } | arguments::Command::ExportPublic { kid: Some(kid), .. } => kid,
            _ => panic!("another command"),
        };
        assert!(kid.ends_with("SFY0z"), "{kid}");
    }
}
