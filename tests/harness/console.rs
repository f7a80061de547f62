//! Administrators at the console.

use super::app::TestApp;
use super::browser::Browser;
use super::page::Page;
use super::person::TestPerson;

impl TestApp {
    /// A browser in which an administrator looks at the console.
    pub async fn console(&self) -> Browser {
        let root = self.administrator().await;
        self.at_console(&root).await
    }

    /// A browser in which this administrator looks at the console.
    pub async fn at_console(&self, person: &TestPerson) -> Browser {
        let mut browser = self.browser();
        let page = browser.open("/console").await;
        browser.log_in(&page, person).await.assert_shown("/console", &["room-overview"]);
        browser
    }
}

impl Page {
    /// Asserts that a form went through: the page at `path` says so.
    #[track_caller]
    pub fn assert_done(&self, path: &str, said: &str) {
        self.assert_shown(path, &["remark"]);
        assert_eq!(self.text("remark"), said, "{self:?}");
    }

    /// Asserts that the console refuses something with that status.
    #[track_caller]
    pub fn assert_refused(&self, status: u16) {
        assert_eq!(self.answer.status, status, "{self:?}");
        assert!(self.has("refused") || self.has("closed"), "{self:?}");
        assert!(self.text("refusal-code").starts_with(&status.to_string()), "{self:?}");
        self.assert_page_headers();
    }
}
