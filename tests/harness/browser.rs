//! A browser without scripts: it keeps cookies, follows redirects within the server, fills in and sends forms.

use http::Method;
use url::Url;

use super::answer::Answer;
use super::app::{encode, http_client};
use super::page::{Form, Page};

const MOST_REDIRECTS: usize = 10;

/// One person's browser.
#[derive(Clone)]
pub struct Browser {
    issuer: Url,
    base: String,
    http: reqwest::Client,
    cookies: Vec<Cookie>,
    language: Option<String>,
    forwarded: Vec<(&'static str, String)>,
}

/// A cookie and how it was set.
#[derive(Clone, Debug)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    /// The attributes as they were sent, lower-cased and sorted.
    pub attributes: Vec<String>,
    path: String,
}

impl Browser {
    pub fn new(issuer: &str, base: &str) -> Self {
        let issuer = Url::parse(issuer).expect("the issuer is a URL");
        let (base, http) = (base.to_owned(), http_client());
        Self { issuer, base, http, cookies: Vec::new(), language: None, forwarded: Vec::new() }
    }

    /// Sends everything to another instance from now on, as a load balancer may.
    pub fn use_instance(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    /// Sends this `Accept-Language` from now on.
    pub fn speak(&mut self, language: &str) {
        self.language = Some(language.to_owned());
    }

    /// Sends this header of proxies from now on, as a proxy or a liar does.
    pub fn claim(&mut self, header: &'static str, value: &str) {
        self.forwarded.retain(|(name, _)| *name != header);
        self.forwarded.push((header, value.to_owned()));
    }

    pub fn cookie(&self, name: &str) -> Option<&Cookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
        let (name, value) = (name.to_owned(), value.to_owned());
        self.cookies.push(Cookie { name, value, attributes: Vec::new(), path: "/".to_owned() });
    }

    /// What the `Cookie` header of a request to this server says.
    pub fn cookie_header(&self) -> String {
        let cookies: Vec<_> = self.cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        cookies.join("; ")
    }

    /// What closing the browser, or its owner, does.
    pub fn forget_cookie(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    /// Opens an address (of this server: a path will do) and follows its redirects.
    pub async fn open(&mut self, address: &str) -> Page {
        let url = self.issuer.join(address).expect("an address");
        let answer = self.send(Method::GET, &url, None, "none", true).await;
        self.follow(url, answer, None).await
    }

    /// Asks what is there, as software does that looks at a link before the person does.
    pub async fn head(&mut self, address: &str) -> Answer {
        let url = self.issuer.join(address).expect("an address");
        self.send(Method::HEAD, &url, None, "none", true).await
    }

    /// Follows a link.
    pub async fn click(&mut self, page: &Page, link: &str) -> Page {
        let href = page.attribute(link, "href").unwrap_or_else(|| panic!("#{link} is a link in {page:?}"));
        let url = page.url.join(&href).expect("an address");
        self.open(url.as_str()).await
    }

    /// Fills in the form around a button and presses it.
    pub async fn submit(&mut self, page: &Page, button: &str, typed: &[(&str, &str)]) -> Page {
        let mut form = page.form(button);
        for (name, value) in typed {
            form.set(name, value);
        }
        self.send_form(page, form).await
    }

    /// Sends a form of `page`, after whatever was done to it.
    pub async fn send_form(&mut self, page: &Page, form: Form) -> Page {
        let body = encode(&pairs(&form));
        let (url, answer) = if form.method == "post" {
            let answer = self.send(Method::POST, &form.action, Some(&body), "same-origin", true).await;
            (form.action, answer)
        } else {
            let mut url = form.action;
            url.set_query(Some(&body));
            (url.clone(), self.send(Method::GET, &url, None, "same-origin", true).await)
        };
        self.follow(url, answer, Some(page)).await
    }

    /// A form that another site's page sends here: `SameSite=Lax` cookies stay at home.
    pub async fn post_from_elsewhere(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let url = self.issuer.join(path).expect("an address");
        let answer = self.send(Method::POST, &url, Some(&encode(fields)), "cross-site", false).await;
        self.follow(url, answer, None).await
    }

    /// What a script of a page at `origin`, another origin of the same site, gets when it calls with credentials. Whether the
    /// browser lets the script read the answer is for [`Answer`] to say.
    pub async fn fetch(&mut self, origin: &str, method: Method, path: &str, body: Option<(&str, &str)>) -> Answer {
        let url = self.issuer.join(path).expect("an address");
        let mut request = self.request(method, &url, true).header("sec-fetch-site", "same-site");
        request = request.header("sec-fetch-mode", "cors").header("origin", origin);
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body.to_owned());
        }
        let answer = Answer::read(request.send().await.expect("the server answers")).await;
        self.keep_cookies(&answer);
        answer
    }

    async fn follow(&mut self, mut url: Url, mut answer: Answer, mut from: Option<&Page>) -> Page {
        for _ in 0..MOST_REDIRECTS {
            if !matches!(answer.status, 302 | 303 | 307) {
                let page = Page { url, answer, has_left: false };
                let Some(next) = page.goes_on_to() else { return page };
                page.assert_page_headers();
                if next.origin() != self.issuer.origin() {
                    return Page { url: next, has_left: true, ..page };
                }
                // The demo application lives here. What a page does by itself is no part of the form before.
                answer = self.send(Method::GET, &next, None, "same-origin", true).await;
                (url, from) = (next, None);
                continue;
            }
            let next = url.join(answer.header("location").expect("a Location")).expect("an address");
            if let Some(page) = from {
                assert!(page.form_may_lead_to(&next), "form-action lets {next} through: {page:?}");
            }
            if next.origin() != self.issuer.origin() {
                return Page { url: next, answer, has_left: true };
            }
            assert_ne!(answer.status, 307, "a form is not sent twice");
            answer = self.send(Method::GET, &next, None, "same-origin", true).await;
            url = next;
        }
        panic!("redirects without end, the last to {url}");
    }

    async fn send(&mut self, method: Method, url: &Url, form: Option<&str>, site: &str, cookies: bool) -> Answer {
        let mut request = self.request(method, url, cookies).header("sec-fetch-site", site);
        request = request.header("sec-fetch-mode", "navigate").header("accept", "text/html,*/*;q=0.8");
        if let Some(form) = form {
            let origin =
                if site == "cross-site" { "https://elsewhere.example".to_owned() } else { origin(&self.issuer) };
            request = request.header("content-type", "application/x-www-form-urlencoded").header("origin", origin);
            request = request.body(form.to_owned());
        }
        let answer = Answer::read(request.send().await.expect("the server answers")).await;
        self.keep_cookies(&answer);
        answer
    }

    /// What every request carries.
    fn request(&self, method: Method, url: &Url, cookies: bool) -> reqwest::RequestBuilder {
        assert_eq!(url.origin(), self.issuer.origin(), "a page of this server");
        let target = format!("{}{}", self.base, &url[url::Position::BeforePath..url::Position::AfterQuery]);
        let mut request = self.http.request(method, target);
        if let Some(language) = &self.language {
            request = request.header("accept-language", language);
        }
        for (name, value) in &self.forwarded {
            request = request.header(*name, value);
        }
        let cookies = self.cookies.iter().filter(|cookie| cookies && url.path().starts_with(&cookie.path));
        let cookies: Vec<_> = cookies.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        request
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie") {
            let mut parts = cookie.to_str().expect("a readable cookie").split(';').map(str::trim);
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
            let mut attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
            attributes.sort_unstable();
            self.forget_cookie(name);
            let is_over = attributes.iter().any(|a| a == "max-age=0" || a.starts_with("expires=thu, 01 jan 1970"));
            if !is_over {
                let path = attributes.iter().find_map(|a| a.strip_prefix("path=")).unwrap_or("/").to_owned();
                self.cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), attributes, path });
            }
        }
    }
}

fn pairs(form: &Form) -> Vec<(&str, &str)> {
    form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
