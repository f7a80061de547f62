//! A Chromium of a test's own, and the driver through which it is steered. Both are gone when the test is, even if it panics.

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::harness::TestApp;

/// More of them at once starve each other, and then time out.
static PERMITS: Semaphore = Semaphore::const_new(2);

const MISSING: &str = "the browser tests need chromium and chromedriver: scripts/test installs them";

const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--no-first-run",
    "--window-size=1280,900",
];

/// One person's Chromium, with one window.
pub struct Chromium {
    /// What steers it.
    pub client: Client,
    /// Where paths lead.
    pub issuer: String,
    process: Processes,
}

/// In the order in which they have to go.
struct Processes {
    browser: Option<Pid>,
    driver: Child,
    profile: TempDir,
    _permit: SemaphorePermit<'static>,
}

impl Chromium {
    /// An English one without any cookie.
    pub async fn start(app: &TestApp) -> Self {
        let permit = PERMITS.acquire().await.expect("it is never closed");
        let (chromedriver, chromium) = PROGRAMS.as_ref().expect(MISSING);
        let profile = tempfile::Builder::new().prefix("ostiary-chromium-").tempdir().expect("a folder");
        let log = profile.path().join("driver.log");
        let driver = Process::new(chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let mut process = Processes { browser: None, driver, profile, _permit: permit };
        let port = port(&log).await;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(chromium, process.profile.path()));
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.expect("Chromium starts");
        let pid = client.capabilities().and_then(|capabilities| capabilities["goog:processID"].as_i64());
        process.browser = Some(Pid::from_raw(i32::try_from(pid.expect("its process")).expect("a process id")));
        Self { client, issuer: app.issuer().to_owned(), process }
    }

    /// Ends it, after which nothing may have been complained about in its console.
    pub async fn close(self) {
        self.close_after(&[]).await;
    }

    /// Ends it, after which nothing but `expected` may have been complained about in its console.
    pub async fn close_after(self, expected: &[&str]) {
        let complaints = self.complaints().await;
        let surprises: Vec<_> =
            complaints.iter().filter(|said| !expected.iter().any(|expected| said.contains(expected))).collect();
        assert!(surprises.is_empty(), "the console says {surprises:#?}");
        for expected in expected {
            assert!(complaints.iter().any(|said| said.contains(expected)), "{expected} is in {complaints:#?}");
        }
        self.client.close().await.expect("Chromium ends");
        drop(self.process);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if let Some(browser) = self.browser {
            kill(browser, Signal::SIGKILL).ok();
        }
        self.driver.kill().ok();
        self.driver.wait().ok();
        // What the browser had started ends by itself, a moment later, and may write its folder anew until then.
        let mut times_gone = 0;
        for _ in 0..40 {
            std::fs::remove_dir_all(self.profile.path()).ok();
            times_gone = if self.profile.path().exists() { 0 } else { times_gone + 1 };
            if times_gone > 4 {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}

static PROGRAMS: LazyLock<Option<(PathBuf, PathBuf)>> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |names: &[&str]| {
        let all = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
        all.into_iter().find(|program| program.is_file())
    };
    Some((find(&["chromedriver"])?, find(&["chromium", "chromium-browser", "google-chrome"])?))
});

/// The driver takes a free port and says which.
async fn port(log: &Path) -> u16 {
    for _ in 0..200 {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let port = said.lines().find_map(|line| line.split_once("successfully on port ")?.1.strip_suffix('.'));
        if let Some(port) = port {
            return port.parse().expect("a port");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("chromedriver starts: {:?}", std::fs::read_to_string(log));
}

fn capabilities(chromium: &Path, profile: &Path) -> fantoccini::wd::Capabilities {
    let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.join("profile").display()));
    if geteuid().is_root() {
        arguments.push("--no-sandbox".to_owned());
    }
    let Value::Object(capabilities) = json!({
        "browserName": "chrome",
        "timeouts": { "pageLoad": 20_000, "script": 10_000, "implicit": 0 },
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": chromium,
            "args": arguments,
            "prefs": { "intl.accept_languages": "en", "credentials_enable_service": false },
        },
    }) else {
        unreachable!("an object")
    };
    capabilities
}
