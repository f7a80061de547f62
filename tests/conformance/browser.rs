//! The suite's scripted browser: does what the entry `browser` of a configuration says, on the real pages.

use serde_json::Value;

use crate::harness::{Browser, Page};

/// The steps for the pages of one module, and where they led.
pub struct Scripted {
    entries: Vec<Value>,
    browser: Browser,
    /// The ids of the elements of which pictures were made.
    pub pictures: Vec<String>,
}

impl Scripted {
    /// A browser without any cookie, with the steps for `module`.
    pub fn new(configuration: &Value, module: &str, browser: Browser) -> Self {
        let own = configuration["override"].get(module).map(|own| &own["browser"]);
        let entries = own.unwrap_or(&configuration["browser"]).as_array().expect("entries").clone();
        Self { entries, browser, pictures: Vec::new() }
    }

    /// Opens an address and does every task of the first entry that is for it.
    pub async fn visit(&mut self, issuer: &str, path: &str) -> Page {
        let url = format!("{issuer}{path}");
        let is_for = |entry: &&mut Value| {
            let is_spent = entry.get("match-limit").is_some_and(|limit| limit == 0);
            !is_spent && matches(text(&entry["match"]), &url)
        };
        let entry = self.entries.iter_mut().find(is_for).unwrap_or_else(|| panic!("steps for {url}"));
        if let Some(limit) = entry.get("match-limit").and_then(Value::as_u64) {
            entry["match-limit"] = (limit - 1).into();
        }
        let tasks = entry["tasks"].as_array().expect("tasks").clone();
        let mut page = self.browser.open(path).await;
        for task in &tasks {
            let is_here = matches(task.get("match").map_or("*", text), page.url.as_str());
            let is_optional = task.get("optional").is_some_and(|optional| optional == true);
            assert!(is_here || is_optional, "{task} is not for {page:?}");
            if is_here {
                page = self.act(page, task["commands"].as_array().expect("commands")).await;
            }
        }
        page
    }

    async fn act(&mut self, mut page: Page, commands: &[Value]) -> Page {
        let mut typed: Vec<(&str, &str)> = Vec::new();
        for command in commands {
            let words: Vec<&str> =
                command.as_array().expect("a command").iter().map(|word| word.as_str().unwrap_or_default()).collect();
            match &words[..] {
                ["text", "id", id, value] => {
                    assert_eq!(page.attribute(id, "name").as_deref(), Some(*id), "#{id} is typed into: {page:?}");
                    typed.push((id, value));
                }
                ["click", "id", id, "optional"] if !page.has(id) => {}
                ["click", "id", id, ..] => page = self.browser.submit(&page, id, &std::mem::take(&mut typed)).await,
                ["wait", "contains", address, _] => {
                    // What the script of a page does by itself.
                    if let Some(next) = page.attribute("continue", "href").filter(|_| !page.has_left) {
                        page = Page { url: next.parse().expect("an address"), has_left: true, ..page };
                    }
                    assert!(page.url.as_str().contains(address), "{address} is reached: {page:?}");
                }
                // A page of the suite's own.
                ["wait", "id", "submission_complete", _] => assert!(page.has_left, "{page:?}"),
                ["wait", "id", id, _] => assert!(page.has(id) && !page.has_left, "#{id} is on {page:?}"),
                ["wait", "id", id, _, ".+", "update-image-placeholder" | "update-image-placeholder-optional"] => {
                    assert!(!page.text(id).is_empty(), "{page:?}");
                    self.pictures.push((*id).to_owned());
                }
                other => panic!("a command that the suite does not know: {other:?}"),
            }
        }
        page
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Whether a pattern, in which `*` is anything, is for the whole of an address.
fn matches(pattern: &str, address: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == address };
    let Some(rest) = address.strip_prefix(before) else { return false };
    (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| matches(after, rest))
}

#[test]
fn a_star_is_anything() {
    for (pattern, address) in [("*", ""), ("a*", "a"), ("a*c", "abbc"), ("*b*", "abc"), ("a", "a")] {
        assert!(matches(pattern, address), "{pattern} {address}");
    }
    for (pattern, address) in [("a", "ab"), ("a*", "b"), ("a*c", "ab"), ("", "a")] {
        assert!(!matches(pattern, address), "{pattern} {address}");
    }
}
