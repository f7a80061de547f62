//! What the operator's programs end with, as docs/keys.md and docs/migrations.md list it: pipelines go by nothing else.

use secrecy::ExposeSecret;

use crate::harness::Database;
use crate::harness::program::{KEYCTL, MIGRATE, Workplace};

/// Runs each line and looks at its exit code; what it says of a failure is not on the stream that programs read.
async fn assert_codes(workplace: &Workplace, program: &str, environment: &[(&str, &str)], lines: &[(&str, i32)]) {
    for (line, code) in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = workplace.run(program, &words, environment).await;
        assert_eq!(ended.code, Some(*code), "{line}: {ended:?}");
        let is_failure = matches!(code, 1 | 2) && !line.starts_with("status");
        assert_eq!(ended.stderr.is_empty(), !is_failure || line.contains("--json"), "{line}: {ended:?}");
    }
}

#[tokio::test]
async fn keyctl_tells_by_its_exit_code() {
    let workplace = Workplace::new();
    assert_codes(
        &workplace,
        KEYCTL,
        &[],
        &[
            ("list --dir keys", 1),
            ("list --dir keys --json", 1),
            ("validate --dir keys", 3),
            ("generate --dir keys", 0),
            ("list --dir keys", 0),
            ("validate --dir keys", 0),
            ("rotate --dir keys --due", 4),
            ("rotate --dir keys --alg ES256", 0),
            ("rotate --dir keys --alg ES256", 4),
            ("retire --dir keys nothing", 1),
            ("activate --dir keys nothing --json", 1),
            ("list", 2),
            ("lists --dir keys", 2),
            ("prepublish --dir keys --alg HS256", 2),
            ("revoke --dir keys nothing", 2),
            ("list --config absent.yaml", 1),
        ],
    )
    .await;
    std::fs::write(workplace.path("keys/keyset.json"), "{}").unwrap();
    assert_codes(&workplace, KEYCTL, &[], &[("validate --dir keys", 3), ("list --dir keys", 1)]).await;
}

#[tokio::test]
async fn migrate_tells_by_its_exit_code() {
    let (workplace, database) = (Workplace::new(), Database::create_empty().await);
    let url = database.url().expose_secret().to_owned();
    let environment = [("DATABASE_URL", url.as_str())];
    let lines = [
        ("status", 0),
        ("status --exit-code", 2),
        ("plan", 0),
        ("up", 0),
        ("up", 0),
        ("status --exit-code", 0),
        ("down 1 --yes", 0),
        ("status --exit-code", 2),
        ("down many --yes", 1),
        ("ups", 1),
        ("up --wait soon", 1),
    ];
    for (line, code) in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = workplace.run(MIGRATE, &words, &environment).await;
        assert_eq!(ended.code, Some(code), "{line}: {ended:?}");
    }
    let nowhere = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")];
    for line in [&["up"][..], &["status"], &["status", "--exit-code"]] {
        let ended = workplace.run(MIGRATE, line, &nowhere).await;
        assert_eq!(ended.code, Some(1), "{line:?}: {ended:?}");
        assert!(!ended.stderr.is_empty(), "{line:?}: {ended:?}");
    }
}
