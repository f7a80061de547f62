use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A path at which nothing is yet: the directory is made by the command, with the mode that it chooses.
struct Place {
    _parent: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let parent = tempfile::tempdir().unwrap();
    Place { path: parent.path().join("keys"), _parent: parent }
}

fn keyctl(directory: &Place, words: &[&str]) -> Answer {
    let directory = directory.path.to_str().unwrap();
    let words = [&["ostiary-keyctl"], words, &["--dir", directory]].concat();
    run(&Arguments::parse_from(words), now()).unwrap_or_else(|problems| refused(&problems))
}

fn states(answer: &Answer) -> Vec<(String, String)> {
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    answer.json["keys"].as_array().unwrap().iter().map(|key| (text(key, "alg"), text(key, "state"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(alg, state)| ((*alg).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn from_an_empty_directory_to_a_rotated_key() {
    let directory = place();
    let answer = keyctl(&directory, &["list"]);
    assert!(!answer.is_good && answer.text.contains("ostiary-keyctl generate --dir"), "{}", answer.text);

    let answer = keyctl(&directory, &["generate", "--alg", "EdDSA"]);
    assert!(answer.is_good && answer.text.contains("sign from now on"), "{}", answer.text);
    let answer = keyctl(&directory, &["list"]);
    assert_eq!(states(&answer), pairs(&[("RS256", "active"), ("ES256", "active"), ("EdDSA", "active")]));
    assert!(answer.text.contains("2027-01-15T08:00:00Z"), "{}", answer.text);

    let answer = keyctl(&directory, &["generate", "--alg", "ES256"]);
    assert!(answer.text.contains("not signing yet"), "{}", answer.text);
    let answer = keyctl(&directory, &["rotate", "--alg", "ES256"]);
    assert_eq!(answer.json["rotated"][0]["was_prepublished"], true);
    assert!(!answer.text.contains("just now"), "{}", answer.text);
    let answer = keyctl(&directory, &["rotate", "--alg", "EdDSA"]);
    assert!(answer.text.contains("just now"), "{}", answer.text);
    assert_eq!(
        states(&keyctl(&directory, &["list"])),
        pairs(&[("RS256", "active"), ("ES256", "grace"), ("EdDSA", "grace"), ("ES256", "active"), ("EdDSA", "active")]),
    );
    let answer = keyctl(&directory, &["validate"]);
    assert!(answer.is_good);
    assert_eq!(answer.json, json!({ "valid": true, "problems": [], "warnings": [] }));
}

#[test]
fn no_command_prints_any_of_a_private_key() {
    let directory = place();
    let mut printed = String::new();
    for words in [&["generate"][..], &["generate"], &["rotate"], &["list"], &["validate"]] {
        let answer = keyctl(&directory, words);
        printed += &answer.text;
        printed += &answer.json.to_string();
    }
    // A damaged key and one that is listed for another algorithm are explained without being shown.
    let pems: Vec<_> = fs::read_dir(&directory.path)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pem"))
        .map(|entry| entry.path())
        .collect();
    let texts: Vec<_> = pems.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for (path, text) in pems.iter().zip(texts.iter().cycle().skip(1)) {
        fs::write(path, &text[..text.len() - 40]).unwrap();
    }
    let answer = keyctl(&directory, &["validate"]);
    assert!(!answer.is_good);
    printed += &answer.text;
    printed += &answer.json.to_string();
    assert!(!printed.contains("PRIVATE KEY"));
    for line in texts.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("-----")) {
        assert!(!printed.contains(line));
    }
}

#[test]
fn problems_are_explained_with_their_mend() {
    let directory = place();
    keyctl(&directory, &["generate"]);
    let keyset = directory.path.join("keyset.json");
    fs::set_permissions(&keyset, fs::Permissions::from_mode(0o666)).unwrap();
    for command in ["validate", "list", "generate", "rotate"] {
        let answer = keyctl(&directory, &[command]);
        assert!(!answer.is_good);
        assert!(answer.text.contains(&format!("mend: run `chmod 0600 {}`", keyset.display())), "{}", answer.text);
        assert_eq!(answer.json["problems"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_master_key_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    let words = ["ostiary-keyctl", "master-key", "--file", file.to_str().unwrap()];
    let answer = run(&Arguments::parse_from(words), now()).unwrap();
    let encoded = fs::read_to_string(&file).unwrap().lines().last().unwrap().to_owned();
    assert!(encoded.starts_with("1:") && !answer.text.contains(&encoded[2..]));
    let problems = run(&Arguments::parse_from(words), now()).err().unwrap();
    assert!(problems[0].what.contains("exists already"));
}

#[test]
fn unknown_algorithms_and_sizes_are_refused_by_name() {
    for (words, expected) in [(["generate", "--alg", "HS256"], "PS256"), (["rotate", "--bits", "1024"], "3072")] {
        let words = ["ostiary-keyctl"].iter().chain(&words).copied();
        let refused = Arguments::try_parse_from(words).err().unwrap().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}
