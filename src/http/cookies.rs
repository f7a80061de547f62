//! Our cookies: how they are named, read and written, and the one that tells browsers apart.
//!
//! All are `HttpOnly`, `SameSite=Lax`, for `/`, and without a domain. Where they are `Secure` their names begin with
//! `__Host-` (RFC 6265bis section 4.1.3.2): then no sibling domain and no plain-http page can plant one.

use std::fmt;

use aws_lc_rs::digest;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::random;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieName {
    /// Who is signed in.
    Session,
    /// Which browser this is.
    Browser,
    /// Who signed in here before.
    Device,
    /// The ticket with which a password is being chosen.
    PasswordTicket,
}

impl CookieName {
    fn as_str(self, is_secure: bool) -> &'static str {
        match (self, is_secure) {
            (Self::Session, true) => "__Host-ostiary_session",
            (Self::Session, false) => "ostiary_session",
            (Self::Browser, true) => "__Host-ostiary_browser",
            (Self::Browser, false) => "ostiary_browser",
            (Self::Device, true) => "__Host-ostiary_device",
            (Self::Device, false) => "ostiary_device",
            (Self::PasswordTicket, true) => "__Host-ostiary_password_ticket",
            (Self::PasswordTicket, false) => "ostiary_password_ticket",
        }
    }

    /// What the browser sent under that name.
    pub fn find(self, headers: &HeaderMap, is_secure: bool) -> Option<&str> {
        // HTTP/2 may split the header (RFC 9113 section 8.2.3).
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| name.trim() == self.as_str(is_secure)).map(|(_, value)| value.trim())
    }

    /// The `Set-Cookie` that gives it a value, for `lifetime` or until the browser is closed. `None`: no header can hold the
    /// value.
    pub fn set(self, value: &str, lifetime: Option<TimeDelta>, is_secure: bool) -> Option<HeaderValue> {
        let mut cookie = self.bare(value, is_secure);
        cookie.set_max_age(lifetime.map(|lifetime| time::Duration::seconds(lifetime.num_seconds())));
        HeaderValue::from_str(&cookie.to_string()).ok()
    }

    /// The `Set-Cookie` that takes it away. It has every attribute, or a browser would not accept it for a `__Host-` name.
    pub fn remove(self, is_secure: bool) -> Option<HeaderValue> {
        self.set("", Some(TimeDelta::zero()), is_secure)
    }

    fn bare(self, value: &str, is_secure: bool) -> Cookie<'_> {
        Cookie::build((self.as_str(is_secure), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(is_secure)
            .build()
    }
}

/// A browser, by 256 random bits in a cookie: attempts and forms are bound to it, signed in or not.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserId(String);

impl BrowserId {
    const LENGTH: usize = 43;

    /// The browser that sent `headers`; a new one, with the `Set-Cookie` to send back, if it has no usable cookie yet.
    pub fn from_headers(headers: &HeaderMap, is_secure: bool) -> (Self, Option<HeaderValue>) {
        if let Some(known) = CookieName::Browser.find(headers, is_secure).filter(|value| Self::is_well_formed(value)) {
            return (Self(known.to_owned()), None);
        }
        let new = Self(random::token());
        let cookie = CookieName::Browser.set(&new.0, None, is_secure);
        (new, cookie)
    }

    fn is_well_formed(value: &str) -> bool {
        value.len() == Self::LENGTH && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }

    /// What is stored of it: the cookie itself would let whoever reads the store be that browser.
    pub fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.0.as_bytes()))
    }
}

impl fmt::Debug for BrowserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserId(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect()
    }

    #[test]
    fn a_secure_cookie_has_what_its_prefix_asks_for() {
        let set = CookieName::Session.set("value", None, true).unwrap();
        assert_eq!(set, "__Host-ostiary_session=value; HttpOnly; SameSite=Lax; Secure; Path=/");
        let remove = CookieName::Session.remove(true).unwrap();
        assert_eq!(remove, "__Host-ostiary_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        let device = CookieName::Device.set("v", Some(TimeDelta::days(1)), false).unwrap();
        assert_eq!(device, "ostiary_device=v; HttpOnly; SameSite=Lax; Path=/; Max-Age=86400");
    }

    #[test]
    fn a_cookie_is_found_in_any_line_and_only_under_its_own_name() {
        let headers = sent(&["theme=dark; ostiary_device=d", "broken; __Host-ostiary_session=s=1 ; x=y"]);
        assert_eq!(CookieName::Session.find(&headers, true), Some("s=1"));
        assert_eq!(CookieName::Session.find(&headers, false), None);
        assert_eq!(CookieName::Device.find(&headers, false), Some("d"));
        assert_eq!(CookieName::Device.find(&headers, true), None);
    }

    #[test]
    fn a_browser_keeps_its_id_and_gets_one_only_if_it_has_none() {
        let (id, cookie) = BrowserId::from_headers(&HeaderMap::new(), false);
        let cookie = cookie.unwrap().to_str().unwrap().to_owned();
        let (again, none) = BrowserId::from_headers(&sent(&[cookie.split(';').next().unwrap()]), false);
        assert_eq!((again.hash(), none), (id.hash(), None));
        assert!(!cookie.contains(&id.hash()));
        assert!(!format!("{id:?}").contains(&id.0));
        for forged in ["", "short", &"a".repeat(44), &format!("{}\"", "a".repeat(42))] {
            let (other, cookie) = BrowserId::from_headers(&sent(&[&format!("ostiary_browser={forged}")]), false);
            assert!(cookie.is_some());
            assert_ne!(other.0, forged);
        }
    }

    proptest! {
        #[test]
        fn what_was_set_is_found_among_anything_else(
            value in "[A-Za-z0-9_=.~-]{0,60}",
            others in prop::collection::vec("[ -:<-~]{0,12}", 0..6),
            place in 0..6_usize,
            is_secure in any::<bool>(),
        ) {
            let set = CookieName::Session.set(&value, None, is_secure).unwrap();
            let ours = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            // No other text becomes a cookie of ours.
            prop_assume!(others.iter().all(|other| !other.contains("ostiary")));
            let mut pairs = others;
            pairs.insert(place.min(pairs.len()), ours);
            let lines: Vec<&str> = pairs.iter().map(String::as_str).collect();
            for headers in [sent(&lines), sent(&[&lines.join("; ")])] {
                prop_assert_eq!(CookieName::Session.find(&headers, is_secure), Some(value.as_str()));
                prop_assert_eq!(CookieName::Session.find(&headers, !is_secure), None);
                prop_assert_eq!(CookieName::Device.find(&headers, is_secure), None);
            }
        }

        #[test]
        fn only_an_id_as_we_make_them_is_kept(
            begun in "[A-Za-z0-9_-]{41,43}",
            last in "[A-Za-z0-9_\"%+/=.-]{0,2}",
            is_secure in any::<bool>(),
        ) {
            let value = format!("{begun}{last}");
            let name = CookieName::Browser.as_str(is_secure);
            let (id, cookie) = BrowserId::from_headers(&sent(&[&format!("{name}={value}")]), is_secure);
            let is_ours = value.len() == 43 && !value.contains(['"', '%', '+', '/', '=', '.']);
            prop_assert_eq!((cookie.is_none(), id.0 == value), (is_ours, is_ours));
        }
    }
}
