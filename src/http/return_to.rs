//! Where a sign-in that no application asked for leads: back to the page that asked for it.
//!
//! The address travels through the sign-in page, so anybody may have written it. Only pages of the console are returned to, and
//! the list of what waits for a person: a link to the sign-in can lead nowhere else, neither to another site nor to a page here that does something when opened.

use url::Url;

use crate::app::App;
use crate::flow::backchannel_authentication;
use crate::protocol::form;

/// The parameter of the sign-in page.
pub const PARAMETER: &str = "return_to";

/// Below it are the pages that are returned to.
const CONSOLE: &str = "/console";

/// The longest address that is returned to.
const LONGEST: usize = 2048;

/// Reads the parameter: a path of this server with its query, if that is a page to return to.
pub fn parse<'a>(app: &App, path: Option<&'a str>) -> Option<&'a str> {
    path.filter(|path| is_returned_to(app.issuer(), &app.url(path), path))
}

/// The address of a sign-in that leads back to `path`, also for who is signed in already and has to prove it again.
pub fn login_url(app: &App, path: &str) -> String {
    app.url(&format!("/login?{}", form::encode([("switch", "1"), (PARAMETER, path)])))
}

fn is_returned_to(issuer: &str, url: &str, path: &str) -> bool {
    let (Ok(root), Ok(url)) = (Url::parse(issuer), Url::parse(url)) else { return false };
    // As a browser reads it, dots in the path resolved.
    let below = url.path().strip_prefix(root.path().trim_end_matches('/')).and_then(|path| path.strip_prefix(CONSOLE));
    let is_console = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // The parser drops line ends and blanks that no header could carry.
    let is_written = path.bytes().all(|byte| byte.is_ascii_graphic());
    let is_of_console = is_console && path.starts_with(CONSOLE) && path.len() <= LONGEST;
    is_of_console && is_written && url.origin() == root.origin() || path == backchannel_authentication::PAGE
}

/// Whether such a page is one of the console's.
pub fn is_console(path: &str) -> bool {
    path.starts_with(CONSOLE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(issuer: &str, path: &str) -> bool {
        is_returned_to(issuer, &format!("{issuer}{path}"), path)
    }

    /// The path as browsers resolve it (URL Standard section 4.4), worked out by hand.
    fn resolved(path: &str) -> String {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = path.replace('\\', "/").replace("%2e", ".").replace("%2E", ".");
        let mut segments: Vec<&str> = Vec::new();
        let mut parts = path.split('/').skip(1).peekable();
        while let Some(part) = parts.next() {
            match part {
                "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other),
            }
            if parts.peek().is_none() && matches!(part, "." | "..") {
                segments.push("");
            }
        }
        format!("/{}", segments.join("/"))
    }

    #[test]
    fn only_pages_of_the_console_are_returned_to() {
        for issuer in ["https://id.example", "https://id.example:8443/tenant"] {
            for good in ["/console", "/console/clients?search=a&cursor=b", "/console/clients/https%3A%2F%2Fa.example"] {
                assert!(judge(issuer, good), "{issuer} {good}");
            }
            assert!(judge(issuer, "/account/requests"), "{issuer}");
            for bad in [
                "",
                "/console\n",
                "/console/\r\nx",
                "/console/a b",
                "/console/\u{7f}",
                "/",
                "/logout",
                "/account/requests/",
                "/account/requests?a=b",
                "/account/requests/../../logout",
                "/consoles",
                "//evil.example/console",
                "https://evil.example/console",
                "@evil.example/console",
                "/console/../logout",
                "/console/%2e%2e/logout",
                "/console/.\t./logout",
                "/console\\..\\logout",
            ] {
                assert!(!judge(issuer, bad), "{issuer} {bad}");
            }
        }
        assert!(!judge("https://id.example", &format!("/console/{}", "x".repeat(LONGEST))));
    }

    /// What a path can be made of that means something to a browser.
    fn any_path() -> impl Strategy<Value = String> {
        let pieces = [
            "/console",
            "/console",
            "console",
            "/",
            "..",
            "/..",
            "/../",
            ".",
            "%2e",
            "%2E",
            "%2f",
            "%",
            "\\",
            "@",
            ":",
            "?",
            "#",
            "//",
            "evil.example",
            "https:",
            "tenant",
            "logout",
            "\t",
            "\r\n",
            " ",
            "\u{0}",
            "ö",
            "a",
            "s",
        ];
        let pieces =
            prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..7).prop_map(|pieces| pieces.concat());
        (any::<bool>(), pieces).prop_map(|(is_begun, rest)| if is_begun { format!("/console{rest}") } else { rest })
    }

    proptest! {
        #[test]
        fn exactly_what_a_browser_takes_for_a_page_of_the_console_is_returned_to(
            issuer in prop::sample::select(vec!["https://id.example", "http://localhost:8000", "https://id.example/tenant"]),
            path in any_path(),
        ) {
            let tenant = Url::parse(issuer).unwrap().path().trim_end_matches('/').to_owned();
            let landing = resolved(&format!("{tenant}{path}"));
            let below = landing.strip_prefix(&format!("{tenant}/console"));
            let is_console = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let is_sendable = path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
            prop_assert_eq!(judge(issuer, &path), path.starts_with("/console") && is_sendable && is_console);
        }

        #[test]
        fn what_is_returned_to_is_read_by_a_browser_as_an_address_of_this_server(path in any_path()) {
            if judge("https://id.example", &path) {
                // In a header, and as a link on whatever page.
                let page = Url::parse("https://elsewhere.example/login").unwrap();
                let url = page.join(&format!("https://id.example{path}")).unwrap();
                prop_assert_eq!(url.origin().ascii_serialization(), "https://id.example");
                prop_assert_eq!((url.username(), url.password()), ("", None));
            }
        }

        #[test]
        fn a_page_of_the_console_is_returned_to_with_its_query(
            segments in prop::collection::vec("[a-z0-9_~-]{1,12}", 0..5),
            query in "[!-~]{0,40}",
        ) {
            let path = format!("{}?{query}", ["/console".to_owned()].into_iter().chain(segments).collect::<Vec<_>>().join("/"));
            prop_assert!(judge("https://id.example", &path), "{}", path);
        }
    }
}
