//! Who is signed in to the application: in this process, by a cookie, and never more than a bounded number of visits.

use std::time::Duration;

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use moka::future::Cache;
use serde_json::{Map, Value};

use super::page::TokenView;
use crate::random;

const COOKIE: &str = "ostiary_demo";

/// Sign-ins that one browser may have begun and not finished: as many tabs.
const MOST_PENDING: usize = 8;

/// A sign-in that was begun.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// A sign-in that was completed.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) id_token: TokenView,
    pub(super) access_token: TokenView,
    pub(super) refresh_token: Option<String>,
    pub(super) claims: Map<String, Value>,
    pub(super) refreshes: u32,
}

/// What is known of one browser.
#[derive(Clone, Default)]
pub(super) struct Visit {
    pending: Vec<Pending>,
    pub(super) signed_in: Option<SignedIn>,
}

/// The browsers of late.
#[derive(Clone)]
pub(super) struct Visits(Cache<String, Visit>);

impl Pending {
    pub(super) fn new() -> Self {
        Self { state: random::token(), nonce: random::token(), verifier: random::token() }
    }
}

impl Visit {
    pub(super) fn of(signed_in: SignedIn) -> Self {
        Self { pending: Vec::new(), signed_in: Some(signed_in) }
    }

    pub(super) fn remember(&mut self, pending: Pending) {
        if self.pending.len() >= MOST_PENDING {
            self.pending.remove(0);
        }
        self.pending.push(pending);
    }

    /// The sign-in that was begun with `state`: each is completed once.
    pub(super) fn take(&mut self, state: &str) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.state == state)?;
        Some(self.pending.remove(at))
    }
}

impl Visits {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(1000).time_to_live(Duration::from_secs(12 * 3600)).build())
    }

    pub(super) async fn find(&self, jar: &CookieJar) -> Option<Visit> {
        self.0.get(jar.get(COOKIE)?.value()).await
    }

    /// Keeps `visit` for the browser, under the identifier it has.
    pub(super) async fn keep(&self, jar: CookieJar, visit: Visit) -> CookieJar {
        match jar.get(COOKIE).map(|cookie| cookie.value().to_owned()) {
            Some(id) if self.0.contains_key(&id) => {
                self.0.insert(id, visit).await;
                jar
            }
            _ => self.renew(jar, visit).await,
        }
    }

    /// Keeps `visit` under a new identifier, so that one that was planted before a sign-in is worth nothing after it.
    pub(super) async fn renew(&self, jar: CookieJar, visit: Visit) -> CookieJar {
        let jar = self.forget(jar).await;
        let id = random::token();
        self.0.insert(id.clone(), visit).await;
        jar.add(Cookie::build((COOKIE, id)).path("/").http_only(true).same_site(SameSite::Lax))
    }

    pub(super) async fn forget(&self, jar: CookieJar) -> CookieJar {
        if let Some(cookie) = jar.get(COOKIE) {
            self.0.invalidate(cookie.value()).await;
        }
        jar.remove(Cookie::build(COOKIE).path("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_completed_once_and_tabs_are_bounded() {
        let mut visit = Visit::default();
        let first = Pending::new();
        visit.remember(first.clone());
        assert!(visit.take(&first.state).is_some());
        assert!(visit.take(&first.state).is_none());
        let tabs: Vec<Pending> = (0..=MOST_PENDING).map(|_| Pending::new()).collect();
        for tab in &tabs {
            visit.remember(tab.clone());
        }
        assert!(visit.take(&tabs[0].state).is_none());
        assert!(visit.take(&tabs[1].state).is_some());
    }

    #[tokio::test]
    async fn a_planted_identifier_is_not_kept() {
        let visits = Visits::new();
        let planted = CookieJar::new().add(Cookie::new(COOKIE, "planted"));
        let jar = visits.keep(planted.clone(), Visit::default()).await;
        assert_ne!(jar.get(COOKIE).unwrap().value(), "planted");
        assert!(visits.find(&planted).await.is_none());
        assert!(visits.find(&jar).await.is_some());
        let renewed = visits.renew(jar.clone(), Visit::default()).await;
        assert!(visits.find(&jar).await.is_none());
        assert!(visits.find(&renewed).await.is_some());
    }
}
