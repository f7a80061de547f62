//! `ostiary dev`, as a newcomer runs it: in a folder of its own, ended in every way, started again.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};

use crate::harness::program::{OSTIARY, Program, Workplace};
use crate::harness::{
    Authorization, Browser, Page, basic, encode, eventually, every_claim, free_port, http_client, jwt, until,
};

/// A folder of `ostiary dev`, whose cluster may lie elsewhere and goes with it.
struct Dev {
    workplace: Workplace,
    port: u16,
}

impl Dev {
    fn new() -> Self {
        Self { workplace: Workplace::new(), port: free_port() }
    }

    fn issuer(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    fn start(&self, more: &[&str]) -> Program {
        let port = self.port.to_string();
        let mut arguments = vec!["dev", "--port", &port];
        arguments.extend(more);
        self.workplace.start(OSTIARY, &arguments, &[])
    }

    /// Starts and waits until everything is printed.
    async fn started(&self, more: &[&str]) -> (Program, Value) {
        let mut server = self.start(more);
        server.says("starts over.").await;
        let demo = self.demo();
        let printed = server.stdout();
        for said in texts(&demo) {
            assert!(printed.contains(said), "{said} of demo.json is printed: {printed}");
        }
        (server, demo)
    }

    fn demo(&self) -> Value {
        let path = self.workplace.path(".ostiary/dev/demo.json");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// What introspection says of a token, asked by the machine client of `demo`.
    async fn introspect(&self, demo: &Value, token: &str) -> Value {
        let machine = &demo["clients"]["machine"];
        let authorization = basic(string(&machine["client_id"]), string(&machine["client_secret"]));
        let request = http_client().post(format!("{}/introspect", self.issuer()));
        let request = request.header("authorization", authorization);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("token={token}")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Where the cluster lies, if one was made.
    fn places(&self) -> Option<(PathBuf, PathBuf)> {
        let record = fs::read(self.workplace.path(".ostiary/dev/cluster.json")).ok()?;
        let record: Value = serde_json::from_slice(&record).ok()?;
        Some((string(&record["data"]).into(), string(&record["socket_folder"]).into()))
    }

    /// Kills the server process of the cluster, as an out-of-memory killer does.
    fn kill_postgres(&self) {
        let (data, _) = self.places().expect("a cluster");
        let lock_file = fs::read_to_string(data.join("postmaster.pid")).expect("the cluster runs");
        let process = lock_file.lines().next().and_then(|line| line.parse().ok()).expect("its number");
        kill(Pid::from_raw(process), Signal::SIGKILL).expect("it is killed");
    }

    /// Whether any process works in the data folder: that is where every process of Postgres is, and where initdb has its.
    fn has_processes(&self) -> bool {
        let Some((data, _)) = self.places() else { return false };
        let mut processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let works_there = |process: fs::DirEntry| {
            // Its name may have changed since: data.unfinished-1 becomes data.
            let place = fs::read_link(process.path().join("cwd")).unwrap_or_default();
            place.parent().is_some_and(|parent| Some(parent) == data.parent())
        };
        processes.any(works_there)
    }

    async fn leaves_no_process(&self) {
        until("no process is left behind", || !self.has_processes()).await;
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let Some((data, sockets)) = self.places() else { return };
        let start = Instant::now();
        while self.has_processes() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        // As root they lie outside of this test's folder.
        data.parent().map(fs::remove_dir_all);
        fs::remove_dir_all(sockets).ok();
    }
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

/// Every text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// The shape of a value: its names, and what kind of thing each holds.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{}", shape(value))).collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(" ")),
        Value::String(_) => "text".to_owned(),
        other => format!("{other}"),
    }
}

/// The commands that are printed, as somebody copies them.
fn commands(printed: &str) -> Vec<String> {
    let joined = printed.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|line| line.starts_with("curl ")).map(ToOwned::to_owned).collect()
}

/// The JSON that a command answers with.
fn answer_to(command: &str) -> Value {
    let output = Command::new("sh").args(["-c", command]).env("no_proxy", "*").output().expect("a shell");
    assert!(output.status.success(), "{command}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command}: {error} {output:?}"))
}

/// Posts a form to the token endpoint as the client of `demo` with that name.
async fn token(demo: &Value, name: &str, form: &[(&str, &str)]) -> Value {
    let client = &demo["clients"][name];
    let request = http_client().post(format!("{}/token", string(&demo["issuer"])));
    let request =
        request.header("authorization", basic(string(&client["client_id"]), string(&client["client_secret"])));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(encode(form));
    let answer = request.send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Somebody whom the demo made signs in at the page shown.
async fn log_in(browser: &mut Browser, page: &Page, person: &Value) -> Page {
    let typed = [("username", string(&person["username"])), ("password", string(&person["password"]))];
    browser.submit(page, "login-submit", &typed).await
}

#[tokio::test]
async fn everything_that_is_printed_works() {
    let dev = Dev::new();
    let (server, demo) = dev.started(&[]).await;
    let (printed, issuer) = (server.stdout(), dev.issuer());
    let lines: Vec<&str> = printed.lines().map(str::trim).collect();
    for line in [
        format!("Open       {issuer}/   a small application: sign in, look at the tokens, sign out"),
        format!("{issuer}/console   clients, people, keys: for the administrator"),
        format!("Sign in    alice with the password {}", string(&demo["user"]["password"])),
        format!("or         admin with the password {}  (administrator)", string(&demo["admin"]["password"])),
    ] {
        assert!(lines.contains(&line.as_str()), "{line:?} is in {printed}");
    }
    let took = lines.iter().find_map(|line| line.strip_prefix("Ready after ")?.split_once(" s. Stop with Ctrl-C."));
    let took: f64 = took.expect("how long it took").0.parse().expect("seconds");
    assert!(took > 0.0, "{printed}");

    let token = string(&demo["access_token"]);
    let [next, introspect] = &commands(&printed)[..] else { panic!("two commands: {printed}") };
    let next = answer_to(next);
    assert_eq!(shape(&next), "{access_token:text expires_in:300 scope:text token_type:text}");
    assert_eq!((&next["scope"], &next["token_type"]), (&json!("demo:read"), &json!("Bearer")));
    assert_ne!(next["access_token"], demo["access_token"]);
    let said = answer_to(introspect);
    assert_eq!(said, dev.introspect(&demo, token).await);
    for said in [said, dev.introspect(&demo, string(&next["access_token"])).await] {
        assert_eq!((&said["active"], &said["iss"]), (&json!(true), &json!(issuer)), "{said}");
        assert_eq!((&said["client_id"], &said["aud"]), (&json!("demo-machine"), &json!("https://api.demo.example")));
    }

    let mut browser = Browser::new(&issuer, &issuer);
    let home = browser.open("/").await;
    let page = browser.submit(&home, "demo-sign-in", &[]).await;
    let consent = log_in(&mut browser, &page, &demo["user"]).await;
    browser.submit(&consent, "consent-allow", &[]).await.assert_shown("/", &["verified"]);
    let mut browser = Browser::new(&issuer, &issuer);
    let page = browser.open("/console").await;
    log_in(&mut browser, &page, &demo["admin"]).await.assert_shown("/console", &[]);
}

#[tokio::test]
async fn the_application_of_a_newcomer_gets_every_claim_and_goes_on_without_the_person() {
    let dev = Dev::new();
    let (_server, demo) = dev.started(&[]).await;
    let issuer = dev.issuer();
    let web = &demo["clients"]["web"];
    let callback = string(&web["redirect_uris"][0]);
    let request = Authorization::by(string(&web["client_id"]), callback)
        .with("scope", "openid profile email address phone offline_access");
    let mut browser = Browser::new(&issuer, &issuer);
    let page = browser.open(&request.path()).await;
    let consent = log_in(&mut browser, &page, &demo["user"]).await;
    let code = browser.submit(&consent, "consent-allow", &[]).await.returned_code(callback);
    let redemption = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", callback),
        ("code_verifier", &request.verifier),
    ];
    let tokens = token(&demo, "web", &redemption).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", string(&tokens["refresh_token"]))];
    let refreshed = token(&demo, "web", &refresh).await;
    let userinfo = http_client().get(format!("{issuer}/userinfo"));
    let userinfo = userinfo.header("authorization", format!("Bearer {}", string(&refreshed["access_token"])));
    let claims: Value = serde_json::from_str(&userinfo.send().await.unwrap().text().await.unwrap()).unwrap();
    let told: BTreeSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    // OpenID Connect Core section 5.1, each of them.
    let registered = every_claim();
    let ours = ["sub", "preferred_username", "updated_at"];
    assert_eq!(told, registered.keys().map(String::as_str).chain(ours).collect());
    assert_eq!(jwt::read(string(&refreshed["id_token"])).claims["sub"], claims["sub"]);

    // What was printed is what a resource server gets to see: for its audience alone, for five minutes, without power here.
    let printed = jwt::read(string(&demo["access_token"]));
    assert_eq!(printed.header["typ"], "at+jwt");
    assert_eq!(printed.claims["aud"], "https://api.demo.example");
    assert_eq!(printed.claims["scope"], "demo:read");
    let seconds = |name: &str| printed.claims[name].as_i64().unwrap();
    assert_eq!(seconds("exp") - seconds("iat"), 300);
}

#[tokio::test]
async fn its_postgres_is_nobody_elses() {
    let dev = Dev::new();
    let (_server, _) = dev.started(&[]).await;
    let (data, sockets) = dev.places().expect("a cluster");
    for folder in [&data, &sockets] {
        let mode = folder.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", folder.display());
    }
    let socket = sockets.join(".s.PGSQL.5432");
    assert!(socket.as_os_str().len() < 107, "{}", socket.display());
    assert!(socket.exists(), "it listens at {}", socket.display());
    let lock_file = fs::read_to_string(data.join("postmaster.pid")).expect("the cluster runs");
    let lines: Vec<&str> = lock_file.lines().collect();
    // Line 6 is the address that it listens on.
    assert_eq!(lines.get(5).map(|line| line.trim()), Some(""), "no port is open: {lock_file}");
    let process = format!("/proc/{}", lines[0]);
    let owner = fs::metadata(&process).map(|process| process.uid());
    assert!(owner.is_ok_and(|uid| uid != 0) || !cfg!(target_os = "linux"), "Postgres never runs as root");
}

#[tokio::test]
async fn the_demo_starts_keeps_its_data_recovers_and_starts_over() {
    let dev = Dev::new();
    dev.workplace.write(".env", "FOO=1\n");
    let (mut server, first) = dev.started(&[]).await;
    until("unread settings are pointed out", || server.stdout().contains(".env is not read")).await;
    assert_eq!(
        shape(&first),
        "{access_token:text admin:{password:text username:text} clients:{browser:{client_id:text redirect_uris:[text]} \
         machine:{client_id:text client_secret:text} web:{client_id:text client_secret:text redirect_uris:[text]}} \
         issuer:text user:{password:text username:text}}"
    );
    let clients = &first["clients"];
    for (pointer, expected) in [
        ("/issuer", json!(dev.issuer())),
        ("/user/username", json!("alice")),
        ("/admin/username", json!("admin")),
        ("/clients/browser/client_id", json!("demo-browser")),
        ("/clients/browser/redirect_uris", json!([format!("{}/demo/callback", dev.issuer())])),
        ("/clients/web/client_id", json!("demo-web")),
        ("/clients/web/redirect_uris", json!(["http://127.0.0.1:8765/callback"])),
        ("/clients/machine/client_id", json!("demo-machine")),
    ] {
        assert_eq!(first.pointer(pointer), Some(&expected), "{pointer}");
    }
    let secrets = [&first["user"]["password"], &first["admin"]["password"]];
    let secrets = secrets.into_iter().chain([&clients["web"]["client_secret"], &clients["machine"]["client_secret"]]);
    let secrets: BTreeSet<&str> = secrets.map(string).filter(|secret| secret.len() >= 22).collect();
    assert_eq!(secrets.len(), 4, "each has a secret of its own");
    let token = string(&first["access_token"]);
    let said = dev.introspect(&first, token).await;
    assert_eq!((&said["active"], &said["iss"]), (&Value::Bool(true), &first["issuer"]), "{said}");
    assert_eq!(http_client().get(format!("{}/", dev.issuer())).send().await.unwrap().status(), 200);
    // Two in one folder would share a cluster.
    let other = free_port().to_string();
    let second = dev.workplace.run(OSTIARY, &["dev", "--port", &other], &[]).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("already running in this folder"), "{second:?}");
    // Nor does a server for real people use it.
    let url = format!("postgres:///postgres?host={}&user=ostiary", dev.places().unwrap().1.display());
    let serve = dev.workplace.run(OSTIARY, &[], &[("DATABASE_URL", &url)]).await;
    assert_eq!(serve.code, Some(1), "{serve:?}");
    assert!(serve.stderr.contains("database.url: the database is a dev one"), "{serve:?}");
    assert!(serve.stderr.contains("keys.master_key_file"), "everything at once: {serve:?}");
    assert!(dev.has_processes() || !cfg!(target_os = "linux"), "the cluster is found by this test");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code, Some(0));
    assert!(!dev.has_processes(), "Postgres ended before");

    let (mut server, again) = dev.started(&[]).await;
    for kept in ["/user", "/admin", "/clients"] {
        assert_eq!(again.pointer(kept), first.pointer(kept), "{kept}");
    }
    assert_eq!(dev.introspect(&again, token).await["active"], true, "the same keys and clients");
    server.signal(Signal::SIGKILL);
    assert_eq!(server.ended().await.signal, Some(9));
    dev.leaves_no_process().await;

    let (mut server, recovered) = dev.started(&[]).await;
    assert_eq!(recovered["user"], first["user"]);
    assert_eq!(dev.introspect(&recovered, string(&recovered["access_token"])).await["active"], true);
    server.signal(Signal::SIGINT);
    assert_eq!(server.ended().await.code, Some(0));
    dev.leaves_no_process().await;

    let (mut server, fresh) = dev.started(&["--reset"]).await;
    assert_ne!(fresh["user"]["password"], first["user"]["password"]);
    assert_ne!(fresh["clients"]["web"]["client_secret"], first["clients"]["web"]["client_secret"]);
    assert_eq!(dev.introspect(&fresh, token).await["active"], false, "other keys");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code, Some(0));
    dev.leaves_no_process().await;
}

#[tokio::test]
async fn a_postgres_that_is_killed_is_started_again() {
    let dev = Dev::new();
    let (mut server, demo) = dev.started(&[]).await;
    let token = string(&demo["access_token"]);
    for times in 1..=2 {
        dev.kill_postgres();
        until("it is said", || {
            assert!(!server.has_ended(), "{}", server.stderr());
            server.stderr().matches("Postgres runs again").count() == times
        })
        .await;
        assert_eq!(server.stderr().matches("Postgres ended (signal: 9").count(), times, "{}", server.stderr());
        eventually("it serves again", || async {
            let ready = http_client().get(format!("{}/ready", dev.issuer())).send().await.ok()?;
            (ready.status() == 200).then_some(())
        })
        .await;
        assert_eq!(dev.introspect(&demo, token).await["active"], true, "the same data");
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code, Some(0));
    dev.leaves_no_process().await;
}

#[tokio::test]
async fn a_postgres_that_cannot_be_started_again_ends_the_server_with_the_reason() {
    let dev = Dev::new();
    let (mut server, _) = dev.started(&[]).await;
    let (data, _) = dev.places().unwrap();
    dev.kill_postgres();
    fs::remove_file(data.join("global/pg_control")).unwrap();
    let ended = server.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for said in ["Postgres ended and cannot be started again", "ostiary dev --reset", "pg_control"] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    dev.leaves_no_process().await;
}

#[tokio::test]
async fn a_killed_start_leaves_nothing_that_hinders_the_next() {
    let dev = Dev::new();
    let mut server = dev.start(&[]);
    // In the middle of making the cluster.
    until("the cluster is being made", || {
        assert!(!server.has_ended(), "{}", server.stderr());
        let place = dev.places().and_then(|(data, _)| data.parent()?.read_dir().ok());
        place.into_iter().flatten().flatten().any(|entry| entry.path().is_dir())
    })
    .await;
    server.signal(Signal::SIGKILL);
    server.ended().await;
    dev.leaves_no_process().await;
    let (mut server, demo) = dev.started(&[]).await;
    assert_eq!(dev.introspect(&demo, string(&demo["access_token"])).await["active"], true);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code, Some(0));
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let dev = Dev::new();
    let _taken = TcpListener::bind(("127.0.0.1", dev.port)).unwrap();
    let ended = dev.start(&[]).ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let problem = format!("port {} is taken by another program", dev.port);
    assert!(ended.stderr.contains(&problem) && ended.stderr.contains("ostiary dev --port"), "{ended:?}");
}

#[tokio::test]
async fn a_folder_without_postgres_is_explained() {
    let dev = Dev::new();
    let port = dev.port.to_string();
    let environment = [("OSTIARY_POSTGRES_BIN", "/nowhere/bin")];
    let ended = dev.workplace.run(OSTIARY, &["dev", "--port", &port], &environment).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let problem = "OSTIARY_POSTGRES_BIN is /nowhere/bin, where no Postgres server";
    assert!(ended.stderr.contains(problem) && ended.stderr.contains("or unset it"), "{ended:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_explained() {
    let dev = Dev::new();
    dev.workplace.write(".ostiary", "in the way");
    let ended = dev.start(&[]).ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("in a folder that this account may write to"), "{ended:?}");
    if geteuid().is_root() {
        let dev = Dev::new();
        let folder = dev.workplace.path(".ostiary/dev");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(1), None).unwrap();
        let ended = dev.start(&[]).ended().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("belongs to another account (user id 1)"), "{ended:?}");
    }
}

#[tokio::test]
async fn the_stores_of_a_real_installation_are_refused() {
    let dev = Dev::new();
    let secret = "hunter2-hunter2";
    let url = format!("postgres://ostiary:{secret}@localhost/ostiary");
    for name in ["DATABASE_URL", "DATABASE_URL_FILE", "VALKEY_URL", "VALKEY_URL_FILE"] {
        let ended = dev.workplace.run(OSTIARY, &["dev"], &[(name, &url)]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&format!("{name} is set")) && ended.stderr.contains("unset"), "{ended:?}");
        assert!(!ended.stderr.contains(secret), "{ended:?}");
    }
    assert!(!dev.workplace.path(".ostiary").exists(), "nothing was begun");
}
