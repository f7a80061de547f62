//! What a person does in the window, and what they see there.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use serde_json::{Value, json};
use url::Url;

use super::command::Command;
use super::driver::Chromium;
use crate::harness::{PASSWORD, TestPerson};

const PATIENCE: Duration = Duration::from_secs(15);

impl Chromium {
    /// Opens an address; of the server, a path will do.
    pub async fn open(&self, address: &str) {
        let url = Url::parse(&self.issuer).unwrap().join(address).unwrap();
        self.client.goto(url.as_str()).await.unwrap_or_else(|error| panic!("{address} is shown: {error}"));
    }

    pub async fn url(&self) -> Url {
        self.client.current_url().await.expect("an address")
    }

    /// The element, as soon as it is there: a page may still be on its way.
    pub async fn element(&self, id: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Id(id)).await {
            Ok(element) => element,
            Err(error) => panic!("#{id} is on {}: {error}", self.visible_text().await),
        }
    }

    pub async fn has(&self, id: &str) -> bool {
        !self.client.find_all(Locator::Id(id)).await.expect("an answer").is_empty()
    }

    /// Clicks what leads to another page.
    pub async fn click(&self, id: &str) {
        self.leave(&format!("#{id}"), self.click_here(id)).await;
    }

    /// Presses the browser's button to go back.
    pub async fn back(&self) {
        self.leave("back", async { self.client.back().await.expect("the page before") }).await;
    }

    /// Presses the browser's button to load the page again.
    pub async fn reload(&self) {
        self.leave("reload", async { self.client.refresh().await.expect("the page again") }).await;
    }

    /// Does what leads to another page, and waits for that: it may have the path of this one.
    async fn leave(&self, what: &str, deed: impl Future<Output = ()>) {
        // A page that comes back from the browser's memory may have a mark already, but not this one.
        let mark = self.run("return window.mark = Math.random()").await;
        deed.await;
        let begun = Instant::now();
        while !self.is_on_another_page(&mark).await {
            assert!(begun.elapsed() < PATIENCE, "{what} leads somewhere: {}", self.visible_text().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Between two pages there is none to ask.
    async fn is_on_another_page(&self, mark: &Value) -> bool {
        let script = "return window.mark !== arguments[0] && document.readyState === 'complete'";
        matches!(self.client.execute(script, vec![mark.clone()]).await, Ok(Value::Bool(true)))
    }

    /// Clicks what leaves one on the page.
    pub async fn click_here(&self, id: &str) {
        self.element(id).await.click().await.unwrap_or_else(|error| panic!("#{id} can be clicked: {error}"));
    }

    /// Both presses go down before the first has had its effect.
    pub async fn double_click(&self, id: &str) {
        let element = self.element(id).await;
        let press = |mouse: MouseActions| {
            mouse
                .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
                .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT })
        };
        let there = PointerAction::MoveToElement { element, duration: None, x: 0.0, y: 0.0 };
        let mouse = press(press(MouseActions::new("mouse".into()).then(there)));
        self.client.perform_actions(mouse).await.expect("a double click");
    }

    /// Puts `text` in place of what a field holds.
    pub async fn fill_in(&self, id: &str, text: &str) {
        let field = self.element(id).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Types into whatever has the focus.
    pub async fn type_text(&self, text: &str) {
        let keys = text.chars().fold(KeyActions::new("keyboard".into()), |keys, value| {
            keys.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(keys).await.expect("keys are pressed");
    }

    pub async fn press(&self, key: Key) {
        self.type_text(&char::from(key).to_string()).await;
    }

    /// Presses what leads to another page.
    pub async fn press_and_leave(&self, key: Key) {
        self.leave("a key", self.press(key)).await;
    }

    /// Fills in the sign-in page and sends it.
    pub async fn sign_in(&self, person: &TestPerson) {
        self.fill_in("username", &person.username).await;
        self.fill_in("password", PASSWORD).await;
        self.click("login-submit").await;
    }

    /// The id of what has the focus.
    pub async fn focus(&self) -> String {
        self.run("return document.activeElement.id || document.activeElement.tagName")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn visible_text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    pub async fn text(&self, id: &str) -> String {
        self.element(id).await.text().await.expect("a text")
    }

    /// What a field holds.
    pub async fn value(&self, id: &str) -> String {
        self.element(id).await.prop("value").await.expect("a field").unwrap_or_default()
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.run_with(script, Vec::new()).await
    }

    pub async fn run_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script} runs: {error}"))
    }

    /// Waits until the page at that path is shown.
    pub async fn shows(&self, path: &str) {
        let arrived = |url: &Url| url.as_str().starts_with(&self.issuer) && url.path() == path;
        self.waits_for(path, arrived).await;
    }

    /// Waits until the page at that address of somebody else is shown, whatever its query.
    pub async fn leaves_for(&self, address: &str) {
        self.waits_for(address, |url| url.as_str().split(['?', '#']).next() == Some(address)).await;
    }

    async fn waits_for(&self, address: &str, arrived: impl Fn(&Url) -> bool) {
        let begun = Instant::now();
        loop {
            let url = self.url().await;
            let is_loaded = self.run("return document.readyState").await == json!("complete");
            if is_loaded && arrived(&url) {
                return;
            }
            if begun.elapsed() > PATIENCE {
                panic!("{address} is shown, not {url}: {}", self.visible_text().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, name: &str, parameters: Value) -> Value {
        let command = Command::devtools(name, &parameters);
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The warnings and errors of the console since the last time: scripts, policies, and what could not be loaded.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.client.issue_cmd(Command::log()).await.expect("the console");
        let entries = log.as_array().expect("entries").iter();
        let loud = entries.filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        loud.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}
