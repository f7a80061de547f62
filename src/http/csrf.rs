//! Forms come from our own pages: a token bound to the browser, and what the browser says of where a request began.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::ORIGIN;
use url::Url;

use super::cookies::BrowserId;
use crate::app::App;
use crate::keys::master_key::{MasterKeys, Purpose};

/// The token for forms shown to `browser`.
pub fn token(app: &App, browser: &BrowserId) -> String {
    mac(&app.master_keys, browser)
}

/// Whether a form that holds `presented` was shown to `browser`. Compared in constant time.
pub fn verify(app: &App, browser: &BrowserId, presented: Option<&str>) -> bool {
    is_token(&app.master_keys, browser, presented)
}

/// Whether the browser says that the request began on a page of another site. A second line of defence behind the token:
/// headers that are missing say nothing.
pub fn is_foreign(app: &App, headers: &HeaderMap) -> bool {
    let server = &app.config.server;
    let own = [Some(server.issuer.as_str()), server.frontend_base_url.as_deref()];
    !began_at(headers, own.into_iter().flatten())
}

/// The same, where pages of a frontend of the operator's own have no business either.
pub fn is_from_elsewhere(app: &App, headers: &HeaderMap) -> bool {
    !began_at(headers, [app.issuer()].into_iter())
}

fn mac(keys: &MasterKeys, browser: &BrowserId) -> String {
    URL_SAFE_NO_PAD.encode(keys.mac(Purpose::Csrf, browser.hash().as_bytes()))
}

fn is_token(keys: &MasterKeys, browser: &BrowserId, presented: Option<&str>) -> bool {
    let presented = presented.and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
    presented.is_some_and(|presented| keys.verify_mac(Purpose::Csrf, browser.hash().as_bytes(), &presented))
}

fn began_at<'a>(headers: &HeaderMap, mut own: impl Iterator<Item = &'a str>) -> bool {
    // Under `Referrer-Policy: no-referrer` browsers write `null` for our own forms too (Fetch section 3.2), which leaves it
    // to the other header.
    match headers.get(ORIGIN).map(|origin| origin.to_str()) {
        Some(Ok(origin)) if origin != "null" => own.any(|url| is_origin_of(origin, url)),
        Some(Err(_)) => false,
        Some(Ok(_)) | None => match headers.get("sec-fetch-site") {
            None => true,
            Some(site) => site == "same-origin" || site == "none",
        },
    }
}

fn is_origin_of(origin: &str, url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.origin().ascii_serialization() == origin)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::COOKIE;
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use crate::http::cookies::CookieName;

    fn keys(byte: u8) -> MasterKeys {
        MasterKeys::from_text(&SecretString::from(format!("1:{}", URL_SAFE_NO_PAD.encode([byte; 32])))).unwrap()
    }

    fn browser() -> BrowserId {
        BrowserId::from_headers(&HeaderMap::new(), true).0
    }

    #[test]
    fn a_token_is_good_for_its_browser_only() {
        let (keys, mine, other) = (keys(1), browser(), browser());
        let token = mac(&keys, &mine);
        assert!(is_token(&keys, &mine, Some(&token)));
        assert!(!is_token(&keys, &other, Some(&token)));
        assert!(!is_token(&self::keys(2), &mine, Some(&token)));
        let short = &token[..token.len() - 2];
        for wrong in [None, Some(""), Some("AAAA"), Some("not base64url!"), Some(short), Some(mine.hash().as_str())] {
            assert!(!is_token(&keys, &mine, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn what_the_browser_says_of_the_origin_decides() {
        let own = ["https://id.example:8443/tenant", "https://login.example"];
        let judge = |origin: Option<&str>, site: Option<&str>| {
            let mut headers = HeaderMap::new();
            origin.map(|value| headers.insert(ORIGIN, value.parse().unwrap()));
            site.map(|value| headers.insert("sec-fetch-site", value.parse().unwrap()));
            began_at(&headers, own.into_iter())
        };
        assert!(judge(Some("https://id.example:8443"), Some("same-origin")));
        assert!(judge(Some("https://login.example"), Some("same-site")));
        assert!(judge(Some("null"), Some("same-origin")));
        assert!(judge(None, Some("none")));
        assert!(judge(None, None));
        assert!(!judge(Some("https://id.example"), None));
        assert!(!judge(Some("https://evil.example"), Some("same-origin")));
        assert!(!judge(Some("https://login.example.evil.example"), None));
        assert!(!judge(Some("null"), Some("cross-site")));
        assert!(!judge(None, Some("same-site")));
        assert!(!judge(None, Some("cross-site")));
    }

    fn browser_with(id: &str) -> BrowserId {
        let headers = [(COOKIE, CookieName::Browser.set(id, None, true).unwrap())].into_iter().collect();
        BrowserId::from_headers(&headers, true).0
    }

    proptest! {
        #[test]
        fn no_other_text_than_the_token_counts(
            ids in prop::collection::hash_set("[A-Za-z0-9_-]{43}", 2),
            at in any::<prop::sample::Index>(),
            put in "[A-Za-z0-9_=+/ -]{0,2}",
            length in 0..3_usize,
            around in ("[ \\n=A]?", "[ \\n=A]?"),
            other in any::<String>(),
        ) {
            let keys = keys(1);
            let browsers: Vec<BrowserId> = ids.iter().map(|id| browser_with(id)).collect();
            let token = mac(&keys, &browsers[0]);
            prop_assert!(is_token(&keys, &browsers[0], Some(&token)));
            prop_assert!(!is_token(&keys, &browsers[1], Some(&token)));
            let mut changed = token.clone();
            let from = at.index(token.len());
            changed.replace_range(from..(from + length).min(token.len()), &put);
            for presented in [changed, format!("{}{token}{}", around.0, around.1), other] {
                prop_assert_eq!(is_token(&keys, &browsers[0], Some(&presented)), presented == token, "{}", presented);
            }
        }

        #[test]
        fn an_origin_is_ours_only_byte_for_byte(
            origin in prop_oneof![
                "(https://|http://|HTTPS://|//)?(id\\.example|login\\.example|ID\\.example|evil\\.example)(:8443|:443)?(/|/tenant|\\.evil\\.example|@evil\\.example| )?",
                "[ -~]{0,24}",
            ],
            site in prop::option::of("same-origin|same-site|cross-site|none|[ -~]{0,12}"),
        ) {
            let own = ["https://id.example:8443/tenant", "https://login.example"];
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, origin.parse().unwrap());
            site.map(|site| headers.insert("sec-fetch-site", site.parse().unwrap()));
            prop_assume!(origin != "null");
            let is_own = ["https://id.example:8443", "https://login.example"].contains(&origin.as_str());
            prop_assert_eq!(began_at(&headers, own.into_iter()), is_own);
        }

        #[test]
        fn without_an_origin_only_a_page_of_the_same_one_or_nobody_may_have_begun(
            origin in prop::option::of(Just("null")),
            site in prop_oneof!["same-origin|none|same-site|Same-Origin|same-origin, none", "[ -~]{0,12}"],
        ) {
            let mut headers = HeaderMap::new();
            origin.map(|origin| headers.insert(ORIGIN, HeaderValue::from_static(origin)));
            headers.insert("sec-fetch-site", site.parse().unwrap());
            let expected = ["same-origin", "none"].contains(&site.as_str());
            prop_assert_eq!(began_at(&headers, ["https://id.example"].into_iter()), expected);
        }

        #[test]
        fn an_origin_that_is_no_text_is_foreign(before in "[ -~]{0,8}", byte in 0x80..=0xff_u8) {
            let bytes = [before.as_bytes(), &[byte]].concat();
            let headers = [(ORIGIN, HeaderValue::from_bytes(&bytes).unwrap())].into_iter().collect();
            prop_assert!(!began_at(&headers, ["https://id.example"].into_iter()));
        }
    }
}
