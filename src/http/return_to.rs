//! Where a sign-in that no application asked for leads: back to the page that asked for it.
//!
//! The address travels through the sign-in page, so anybody may have written it. Only pages of the console are returned to:
//! a link to the sign-in can lead nowhere else, neither to another site nor to a page here that does something when opened.

use url::Url;

use crate::app::App;
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
    is_console && is_written && url.origin() == root.origin() && path.starts_with(CONSOLE) && path.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_console_are_returned_to() {
        let judge = |issuer: &str, path: &str| is_returned_to(issuer, &format!("{issuer}{path}"), path);
        for issuer in ["https://id.example", "https://id.example:8443/tenant"] {
            for good in ["/console", "/console/clients?search=a&cursor=b", "/console/clients/https%3A%2F%2Fa.example"] {
                assert!(judge(issuer, good), "{issuer} {good}");
            }
            for bad in [
                "",
                "/console\n",
                "/console/\r\nx",
                "/console/a b",
                "/console/\u{7f}",
                "/",
                "/logout",
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
}
