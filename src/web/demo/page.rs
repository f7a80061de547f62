//! The application's pages, in the look of the server's own.

use askama::Template;
use serde_json::{Map, Value};

use super::visits::SignedIn;
use crate::http::pages::html;
use crate::http::pages::view::Site;
use crate::protocol::jwt::{UnverifiedJwt, parse_object};

/// The first page: an invitation, or everything there is to know about whoever is signed in.
#[derive(Template)]
#[template(path = "demo.html", config = "src/http/pages/askama.toml")]
struct DemoPage<'a> {
    site: &'a Site,
    visitor: Option<Visitor<'a>>,
}

struct Visitor<'a> {
    name: String,
    claims: Vec<(String, String)>,
    id_token: &'a TokenView,
    access_token: &'a TokenView,
    refresh_token: Option<&'a str>,
    refreshes: u32,
}

/// A token as it was sent and, if it is a JWT, what it says.
#[derive(Clone)]
pub(super) struct TokenView {
    pub(super) raw: String,
    decoded: Option<(String, String)>,
}

/// What went wrong.
#[derive(Template)]
#[template(path = "demo_failed.html", config = "src/http/pages/askama.toml")]
pub(super) struct FailedPage<'a> {
    pub(super) site: &'a Site,
    pub(super) title: &'a str,
    pub(super) explanation: &'a str,
    pub(super) failure: &'a str,
}

/// The first page as HTML.
pub(super) fn home(site: &Site, signed_in: Option<&SignedIn>) -> String {
    let visitor = signed_in.map(|signed_in| Visitor {
        name: name(&signed_in.claims),
        claims: rows("", &signed_in.claims),
        id_token: &signed_in.id_token,
        access_token: &signed_in.access_token,
        refresh_token: signed_in.refresh_token.as_deref(),
        refreshes: signed_in.refreshes,
    });
    html(&DemoPage { site, visitor })
}

impl TokenView {
    pub(super) fn new(raw: String) -> Self {
        let decoded = UnverifiedJwt::parse(&raw).ok().and_then(|jwt| {
            let header = raw.split('.').next().and_then(decode)?;
            Some((pretty(&header)?, pretty(&jwt.claims)?))
        });
        Self { raw, decoded }
    }
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()?;
    parse_object(&bytes)
}

fn pretty(object: &Map<String, Value>) -> Option<String> {
    serde_json::to_string_pretty(object).ok()
}

fn name(claims: &Map<String, Value>) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    text("given_name").or_else(|| text("name")).or_else(|| text("sub")).unwrap_or_default().to_owned()
}

/// Each claim on a line of its own; the members of an object too, by their path.
fn rows(path: &str, claims: &Map<String, Value>) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (name, value) in claims {
        let name = format!("{path}{name}");
        match value {
            Value::Object(members) => rows.extend(rows_of(&name, members)),
            Value::String(text) => rows.push((name, text.clone())),
            other => rows.push((name, other.to_string())),
        }
    }
    rows
}

fn rows_of(name: &str, members: &Map<String, Value>) -> Vec<(String, String)> {
    rows(&format!("{name}."), members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::pages::locale::Locale;

    fn signed_in() -> SignedIn {
        let Value::Object(claims) = json!({
            "sub": "u.x", "given_name": "Ada <b>", "email_verified": true, "address": {"locality": "London"}
        }) else {
            panic!("an object")
        };
        // {"alg":"ES256"} . {"sub":"u.x"} . one byte
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1LngifQ.AA";
        SignedIn {
            id_token: TokenView::new(jwt.into()),
            access_token: TokenView::new("opaque-token".into()),
            refresh_token: Some("refresh-token".into()),
            claims,
            refreshes: 2,
        }
    }

    #[test]
    fn whoever_is_signed_in_sees_their_claims_and_tokens() {
        let page = home(&Site::new(Locale::En, "http://localhost:8000"), Some(&signed_in()));
        assert!(!page.contains("Ada <b>"));
        for shown in ["address.locality", "London", "email_verified", "opaque-token", "refresh-token", "ES256"] {
            assert!(page.contains(shown), "{shown}");
        }
        for id in ["verified", "demo-refresh", "demo-sign-out", "claims", "id-token", "access-token", "refreshed"] {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn nobody_is_invited_to_sign_in() {
        let page = home(&Site::new(Locale::De, "http://localhost:8000"), None);
        assert!(page.contains("id=\"demo-sign-in\"") && page.contains("Beispielanwendung"));
        assert!(!page.contains("demo-sign-out"));
    }

    /// For looking at them, like the test of the same name in `http::pages`.
    #[test]
    fn pages_can_be_looked_at() {
        let Some(folder) = std::env::var_os("OSTIARY_PAGES").map(std::path::PathBuf::from) else {
            return;
        };
        std::fs::create_dir_all(&folder).unwrap();
        for locale in Locale::ALL {
            let site = Site::new(locale, "http://localhost:8000");
            let signed_in = signed_in();
            let (title, explanation) = (site.m.demo.failed_title, site.m.demo.failed);
            let failure = "access_denied: the user refused the request";
            let failed = html(&FailedPage { site: &site, title, explanation, failure });
            for (name, page) in
                [("demo", home(&site, None)), ("demo-in", home(&site, Some(&signed_in))), ("demo-failed", failed)]
            {
                let page = page.replace("\"/assets/", "\"assets/");
                std::fs::write(folder.join(format!("{name}.{}.html", locale.tag())), page).unwrap();
            }
        }
    }
}
