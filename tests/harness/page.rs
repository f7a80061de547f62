//! What a browser shows: the page, its forms and links, or where the browser left for.

use std::collections::BTreeMap;
use std::fmt;

use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::answer::{Answer, OUTAGE, assert_description, parameters};

/// The end of a navigation.
pub struct Page {
    /// Where it ended; another origin if the browser left.
    pub url: Url,
    /// The last answer of the server.
    pub answer: Answer,
    /// Whether `url` is somebody else's, which was not called.
    pub has_left: bool,
}

/// What a failed assertion needs to show, not every byte.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.answer.status, self.url, self.answer.headers, self.visible_text())
    }
}

/// A form, filled in.
#[derive(Clone, Debug)]
pub struct Form {
    pub method: String,
    pub action: Url,
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// Sets a field, as a person types, or an attacker.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// Ticks one more of several boxes.
    pub fn tick(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(field, _)| field != name);
    }

    pub fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("the form has the field {name}"))
    }
}

impl Page {
    fn html(&self) -> Html {
        Html::parse_document(&self.answer.body)
    }

    /// Whether there is an element with that id.
    pub fn has(&self, id: &str) -> bool {
        self.html().select(&by_id(id)).next().is_some()
    }

    /// The text of an element.
    #[track_caller]
    pub fn text(&self, id: &str) -> String {
        let html = self.html();
        let element = html.select(&by_id(id)).next().unwrap_or_else(|| panic!("no #{id} in {self:?}"));
        element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// An attribute of an element.
    pub fn attribute(&self, id: &str, name: &str) -> Option<String> {
        self.html().select(&by_id(id)).next()?.attr(name).map(ToOwned::to_owned)
    }

    /// An attribute of every element that matches.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let selector = Selector::parse(css).expect("a selector");
        self.html().select(&selector).filter_map(|element| element.attr(name).map(ToOwned::to_owned)).collect()
    }

    /// The text of every element that matches.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let selector = Selector::parse(css).expect("a selector");
        let html = self.html();
        html.select(&selector).map(|element| element.text().collect::<String>().trim().to_owned()).collect()
    }

    /// The whole visible text.
    pub fn visible_text(&self) -> String {
        self.text_of("body")
    }

    fn text_of(&self, css: &str) -> String {
        let selector = Selector::parse(css).expect("a selector");
        let html = self.html();
        let words = html.select(&selector).flat_map(|element| element.text()).flat_map(str::split_whitespace);
        words.collect::<Vec<_>>().join(" ")
    }

    /// The form that the button with that id submits, with what it holds.
    #[track_caller]
    pub fn form(&self, button: &str) -> Form {
        self.form_of(&format!("#{button}"))
    }

    /// The form that the only button which matches submits, with what it holds.
    #[track_caller]
    pub fn form_of(&self, css: &str) -> Form {
        let html = self.html();
        let selector = Selector::parse(css).expect("a selector");
        let buttons: Vec<ElementRef<'_>> = html.select(&selector).collect();
        let [button] = buttons[..] else { panic!("one {css} in {self:?}") };
        let form = button.ancestors().filter_map(ElementRef::wrap).find(|element| element.value().name() == "form");
        let form = form.expect("the button is in a form");
        let action = form.attr("action").unwrap_or_default();
        let fields = Selector::parse("input[name], textarea[name], select[name]").expect("a selector");
        let own = [button].into_iter().filter(|button| button.attr("name").is_some());
        let fields = form
            .select(&fields)
            .chain(own)
            .filter_map(|field| Some((field.attr("name").unwrap_or_default().to_owned(), held_by(field)?)));
        Form {
            method: form.attr("method").unwrap_or("get").to_ascii_lowercase(),
            action: self.url.join(action).expect("an action"),
            fields: fields.collect(),
        }
    }

    /// Asserts that this is the sign-in page.
    #[track_caller]
    pub fn assert_login(&self) {
        self.assert_shown("/login", &["username", "password", "login-submit", "login-cancel"]);
    }

    /// Asserts that this is the sign-in page after something was wrong with what was typed.
    #[track_caller]
    pub fn assert_login_again(&self) {
        self.assert_shown("/login", &["username", "password", "login-submit", "login-cancel", "login-error"]);
        assert!(!self.text("login-error").is_empty(), "{self:?}");
    }

    /// Asserts that this is the consent page.
    #[track_caller]
    pub fn assert_consent(&self) {
        self.assert_shown("/consent", &["consent-allow", "consent-deny"]);
    }

    /// Asserts that this is the choice of an account.
    #[track_caller]
    pub fn assert_select_account(&self) {
        self.assert_shown("/select-account", &["account-continue", "account-another"]);
    }

    #[track_caller]
    pub fn assert_shown(&self, path: &str, ids: &[&str]) {
        assert!(!self.has_left && self.url.path() == path, "{path} is shown: {self:?}");
        assert_eq!(self.answer.status, 200, "{self:?}");
        for id in ids {
            assert!(self.has(id), "#{id} is on {self:?}");
        }
        self.assert_page_headers();
    }

    /// Asserts that an error is shown in place, and that nothing was sent to the client.
    #[track_caller]
    pub fn assert_error(&self, path: &str, status: u16, code: &str, description: &str) {
        assert!(!self.has_left && self.url.path() == path, "an error is shown at {path}: {self:?}");
        assert_eq!(self.answer.header("location"), None, "{self:?}");
        assert!(self.has("error-page"), "{self:?}");
        assert_eq!(self.text("error-code"), code, "{self:?}");
        assert_eq!(self.text("error-description"), description, "{self:?}");
        assert_eq!(self.answer.status, status, "{self:?}");
        assert_description(description);
        self.assert_page_headers();
    }

    /// Asserts that a page asks to come back later, because a store is down.
    #[track_caller]
    pub fn assert_unavailable(&self, path: &str) {
        self.assert_error(path, 503, "temporarily_unavailable", OUTAGE);
        assert_eq!(self.answer.header("retry-after"), Some("5"), "{self:?}");
    }

    /// What every page says of itself.
    #[track_caller]
    pub fn assert_page_headers(&self) {
        let answer = &self.answer;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{self:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{self:?}");
        answer.assert_not_stored();
        let csp = self.policy();
        assert_eq!(csp.get("frame-ancestors").map(String::as_str), Some("'none'"), "{self:?}");
        assert_eq!(csp.get("base-uri").map(String::as_str), Some("'none'"), "{self:?}");
        let scripts = csp.get("script-src").or(csp.get("default-src")).expect("a rule for scripts");
        assert!(matches!(scripts.as_str(), "'none'" | "'self'"), "no inline script: {self:?}");
        assert!(!self.answer.body.contains(" style=") && !self.answer.body.contains("<style"), "{self:?}");
    }

    /// Where the page leads by itself: its `meta` element and its button must agree.
    pub fn goes_on_to(&self) -> Option<Url> {
        let refresh = self.attributes("meta[http-equiv=refresh]", "content").pop()?;
        let address = refresh.strip_prefix("0;url=").expect("at once");
        assert_eq!(self.attribute("continue", "href").as_deref(), Some(address), "{self:?}");
        Some(Url::parse(address).expect("an address"))
    }

    /// Whether the last answer of the server sent the browser away: a redirect, or in answer to a form a page.
    fn is_sent_away(&self) -> bool {
        matches!(self.answer.status, 302 | 303) || self.goes_on_to().is_some()
    }

    /// The Content-Security-Policy by directive.
    pub fn policy(&self) -> BTreeMap<String, String> {
        let policy = self.answer.header("content-security-policy").unwrap_or_default();
        let directives = policy.split(';').map(str::trim).filter(|directive| !directive.is_empty());
        directives.map(|d| d.split_once(' ').unwrap_or((d, ""))).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    /// Whether a form of this page may lead to `url`, redirects included, as Chromium judges it.
    pub fn form_may_lead_to(&self, url: &Url) -> bool {
        let Some(sources) = self.policy().get("form-action").cloned() else {
            return true;
        };
        sources.split(' ').any(|source| match source {
            "'self'" => url.origin() == self.url.origin(),
            source if source.ends_with(':') => source.trim_end_matches(':') == url.scheme(),
            source => Url::parse(source).is_ok_and(|source| source.origin() == url.origin()),
        })
    }

    /// The exact parameters with which the browser left for `redirect_uri`, in the query.
    #[track_caller]
    pub fn returned_to(&self, redirect_uri: &str) -> BTreeMap<String, String> {
        assert!(self.has_left, "the browser left: {self:?}");
        assert!(self.is_sent_away(), "{self:?}");
        assert_eq!(self.url.fragment(), None, "{self:?}");
        // `#_=_` and the like are kept from the client's own page by the empty fragment of nobody: none is sent.
        let (address, query) = self.url.as_str().split_once('?').expect("an answer in the query");
        assert_eq!(address, redirect_uri, "{self:?}");
        self.answer.assert_not_stored();
        parameters(query)
    }

    /// The code with which the browser left for `redirect_uri`: a success, and nothing else.
    #[track_caller]
    pub fn returned_code(&self, redirect_uri: &str) -> String {
        let mut answer = self.returned_to(redirect_uri);
        let code = answer.remove("code").unwrap_or_else(|| panic!("a code in {answer:?}"));
        answer.remove("state");
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["iss"], "{answer:?} goes with a code");
        assert!(code.len() * 6 >= 128, "{code}");
        code
    }

    /// The parameters of an error answer, its description checked and taken out.
    #[track_caller]
    pub fn returned_error(&self, redirect_uri: &str) -> BTreeMap<String, String> {
        let mut answer = self.returned_to(redirect_uri);
        assert_description(&answer.remove("error_description").expect("a description"));
        answer
    }
}

/// What a field sends, as it stands; nothing if it is not ticked.
fn held_by(field: ElementRef<'_>) -> Option<String> {
    let value = || field.attr("value").unwrap_or_default().to_owned();
    match (field.value().name(), field.attr("type")) {
        ("textarea", _) => Some(field.text().collect::<String>().trim_start_matches('\n').to_owned()),
        ("select", _) => {
            let options = Selector::parse("option").expect("a selector");
            let mut options = field.select(&options).collect::<Vec<_>>();
            options.sort_by_key(|option| option.attr("selected").is_none());
            options.first().map(|option| option.attr("value").unwrap_or_default().to_owned())
        }
        (_, Some("checkbox" | "radio")) => field.attr("checked").map(|_| value()),
        _ => Some(value()),
    }
}

fn by_id(id: &str) -> Selector {
    Selector::parse(&format!("#{id}")).expect("a selector")
}
