//! The description of the admin API: whether it is one, and whether the API does what it says.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use ostiary::admin::rules;
use ostiary::model::admin_scope::AdminScope;
use ostiary::model::client::ConsentPolicy;
use scraper::{Html, Selector};
use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::{TestApp, copied_directory};

/// How long a tool may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// A tool that `scripts/test` installed; that it is missing is a failure, because then nothing was looked at.
fn tool(name: &str) -> PathBuf {
    let folder = std::env::var_os("OSTIARY_API_TOOLS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/api"));
    let path = folder.join("bin").join(name);
    assert!(path.exists(), "{} is missing: scripts/test installs it", path.display());
    path
}

/// Runs a tool in a folder of its own, where it may leave what it likes.
async fn run(name: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().expect("a folder");
    let mut command = Command::new(tool(name));
    command.args(arguments).current_dir(folder.path()).kill_on_drop(true);
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    output.unwrap_or_else(|_| panic!("{name} takes longer than {PATIENCE:?}")).expect("the tool runs")
}

#[track_caller]
fn assert_success(output: &Output) {
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
}

#[tokio::test]
async fn an_independent_validator_finds_nothing_wrong_with_the_description() {
    let app = TestApp::start().await;
    let description = app.get("/admin/openapi.json").send().await;
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, &description.body).expect("it is written");
    let path = file.to_str().expect("a path");
    assert_success(&run("openapi-spec-validator", &["--schema", "3.1", path]).await);
    // It does find what is wrong.
    std::fs::write(&file, description.body.replacen("\"summary\"", "\"sumary\"", 1)).expect("it is written");
    assert!(!run("openapi-spec-validator", &["--schema", "3.1", path]).await.status.success());
}

#[tokio::test]
async fn the_api_does_what_its_description_says() {
    let keys = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = keys.path().to_owned()).await;
    // Something to list and to show.
    let alice = app.alice().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    app.tokens(&client, &alice, "openid profile").await;
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    let admin = app.admin(&every.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = root.join("tests/schemathesis.toml");
    let url = format!("{}/admin/openapi.json", app.base);
    let authorization = format!("Authorization: Bearer {}", admin.token);
    // Every check is made unless the settings say otherwise; `--checks all` would pass over what they say.
    let arguments = [
        "--config-file",
        settings.to_str().expect("a path"),
        "--no-color",
        "run",
        &url,
        "--header",
        &authorization,
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--continue-on-failure",
        // About the making of examples, not about the API: addresses in a path are mostly thrown away.
        "--suppress-health-check",
        "filter_too_much",
    ];
    assert_success(&run("schemathesis", &arguments).await);
}

#[tokio::test]
async fn the_reference_shows_every_endpoint_and_loads_nothing() {
    let app = TestApp::start().await;
    let answer = app.get("/admin/docs").send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'none'"), "{policy}");
    let page = Html::parse_document(&answer.body);
    let select = |what: &str| Selector::parse(what).expect("a selector");
    let shown: Vec<String> = page
        .select(&select("h3.endpoint"))
        .map(|heading| heading.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for rule in rules() {
        let endpoint = format!("{} {}", rule.method, rule.path);
        assert!(shown.contains(&endpoint), "{endpoint} is not in {shown:?}");
    }
    assert_eq!(page.select(&select("script, style, iframe, [style], [onclick]")).count(), 0);
    // Every link within the page leads somewhere, and every other one stays here.
    for link in page.select(&select("[href], [src]")) {
        let target = link.attr("href").or(link.attr("src")).expect("an address");
        match target.strip_prefix('#') {
            Some(id) => assert_eq!(page.select(&select(&format!("[id=\"{id}\"]"))).count(), 1, "{target}"),
            None => assert!(target.starts_with('/') && !target.starts_with("//"), "{target}"),
        }
    }
}
