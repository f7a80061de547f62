use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Json};
use chrono::TimeDelta;
use http::header::COOKIE;
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::model::id::{Sid, SubjectId};
use crate::model::session::Authentication;
use crate::storage::state::memory::MemoryState;
use crate::storage::state::{Expected, StateKey, StateStore, Tally};

/// A store that can be switched off, and that remembers what it was asked to write.
#[derive(Default)]
struct Flaky {
    memory: MemoryState,
    is_down: AtomicBool,
    written: Mutex<Vec<String>>,
}

impl Flaky {
    fn note(&self, verb: &str, key: &StateKey, value: &[u8]) -> Result<(), StoreError> {
        self.up()?;
        self.written.lock().unwrap().push(format!("{verb} {} {}", key.as_str(), String::from_utf8_lossy(value)));
        Ok(())
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::SeqCst) { Err(StoreError::unavailable("switched off")) } else { Ok(()) }
    }

    fn verbs(&self) -> Vec<String> {
        let written = self.written.lock().unwrap();
        written.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

type Time = DateTime<Utc>;

#[async_trait]
impl StateStore for Flaky {
    async fn put(&self, key: &StateKey, value: &[u8], expires_at: Time, now: Time) -> Result<(), StoreError> {
        self.note("put", key, value)?;
        self.memory.put(key, value, expires_at, now).await
    }
    async fn put_if_absent(&self, key: &StateKey, value: &[u8], until: Time, now: Time) -> Result<bool, StoreError> {
        self.note("put_if_absent", key, value)?;
        self.memory.put_if_absent(key, value, until, now).await
    }
    async fn get(&self, key: &StateKey, now: Time) -> Result<Option<Vec<u8>>, StoreError> {
        self.up()?;
        self.memory.get(key, now).await
    }
    async fn take(&self, key: &StateKey, now: Time) -> Result<Option<Vec<u8>>, StoreError> {
        self.up()?;
        self.memory.take(key, now).await
    }
    async fn replace_if(
        &self,
        key: &StateKey,
        expected: Expected<'_>,
        value: &[u8],
        expires_at: Time,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.note("replace_if", key, value)?;
        self.memory.replace_if(key, expected, value, expires_at, now).await
    }
    async fn delete(&self, key: &StateKey) -> Result<(), StoreError> {
        self.note("delete", key, b"")?;
        self.memory.delete(key).await
    }
    async fn add(&self, key: &StateKey, n: i64, period: i64, until: Time, now: Time) -> Result<Tally, StoreError> {
        self.up()?;
        self.memory.add(key, n, period, until, now).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.up()
    }
}

struct World {
    store: Arc<Flaky>,
    clock: ManualClock,
    sessions: Sessions,
}

impl World {
    fn new(is_secure: bool) -> Self {
        let store = Arc::new(Flaky::default());
        let clock = ManualClock::starting_at(DateTime::from_timestamp_micros(1_800_000_000_000_000).unwrap());
        let state: Arc<dyn StateStore> = store.clone();
        let records = Records::new(state, Clock::manual(&clock));
        Self { store, clock, sessions: Sessions { records: Arc::new(records), is_secure } }
    }

    fn now(&self) -> Time {
        Clock::manual(&self.clock).now()
    }

    fn person(&self, name: &str) -> SignedIn {
        SignedIn {
            sid: Sid(Uuid::from_u128(7)),
            subject: SubjectId::new(name),
            generation: 3,
            authentication: Authentication { auth_time: self.now(), amr: vec!["pwd".into()], acr: "acr".into() },
            expires_at: self.now() + TimeDelta::hours(8),
        }
    }

    /// A request that comes with `cookie`.
    fn request(&self, cookie: Option<&str>) -> BrowserSession {
        let headers = cookie.map(|cookie| (COOKIE, cookie.parse().unwrap())).into_iter().collect();
        self.sessions.open(&headers)
    }

    async fn sign_in(&self, cookie: Option<&str>, name: &str) -> String {
        let session = self.request(cookie);
        session.sign_in(&self.person(name)).await.unwrap();
        sent_cookie(&session)
    }

    async fn who(&self, cookie: &str) -> Option<String> {
        let signed_in = self.request(Some(cookie)).signed_in(self.now()).await.unwrap();
        signed_in.map(|signed_in| signed_in.subject.to_string())
    }
}

fn sent_cookie(session: &BrowserSession) -> String {
    let cookie = session.current().cookie.clone().unwrap();
    cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_sign_in_is_found_again_by_its_cookie_until_it_expires() {
    let world = World::new(true);
    let session = world.request(None);
    assert_eq!(session.signed_in(world.now()).await.unwrap(), None);
    let person = world.person("u.1");
    session.sign_in(&person).await.unwrap();
    assert_eq!(session.signed_in(world.now()).await.unwrap(), Some(person.clone()));

    let cookie = sent_cookie(&session);
    assert!(cookie.starts_with("__Host-ostiary_session="));
    assert_eq!(world.request(Some(&cookie)).signed_in(world.now()).await.unwrap(), Some(person));
    world.clock.advance(TimeDelta::hours(8) - TimeDelta::microseconds(1));
    assert_eq!(world.who(&cookie).await.as_deref(), Some("u.1"));
    world.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(world.who(&cookie).await, None);
}

#[tokio::test]
async fn the_store_never_sees_the_id() {
    let world = World::new(false);
    let cookie = world.sign_in(None, "u.1").await;
    let id = cookie.strip_prefix("ostiary_session=").unwrap();
    let id_number = id.parse::<Id>().unwrap().0.to_string();
    let written = world.store.written.lock().unwrap().join("\n");
    assert!(written.contains("u.1") && !written.contains(id) && !written.contains(&id_number), "{written}");
    assert!(!format!("{:?}", world.request(Some(&cookie))).contains(id));
}

#[tokio::test]
async fn a_sign_in_changes_the_id_and_puts_the_new_record_before_it_deletes_the_old() {
    let world = World::new(true);
    let first = world.sign_in(None, "u.1").await;
    let second = world.sign_in(Some(&first), "u.2").await;
    assert_ne!(first, second);
    assert_eq!(world.who(&second).await.as_deref(), Some("u.2"));
    assert_eq!(world.who(&first).await, None);
    assert_eq!(world.store.verbs(), ["put_if_absent", "put_if_absent", "delete"]);
}

#[tokio::test]
async fn an_id_that_somebody_else_chose_is_not_adopted() {
    let world = World::new(true);
    let planted = format!("__Host-ostiary_session={}", Id(42));
    let cookie = world.sign_in(Some(&planted), "u.1").await;
    assert_ne!(cookie, planted);
    assert_eq!(world.who(&planted).await, None);
}

#[tokio::test]
async fn a_session_that_was_ended_cannot_come_back() {
    let world = World::new(true);
    let cookie = world.sign_in(None, "u.1").await;
    // Another request of the same browser has read the record and writes it again after the sign-out.
    let slow = world.request(Some(&cookie)).session();
    slow.get::<SignedIn>(SIGNED_IN).await.unwrap().unwrap();
    world.request(Some(&cookie)).clear().await.unwrap();
    slow.insert("more", 1).await.unwrap();
    slow.save().await.unwrap();
    assert_eq!(world.who(&cookie).await, None);
}

#[tokio::test]
async fn an_outage_is_never_a_browser_where_nobody_is_signed_in() {
    let world = World::new(true);
    let cookie = world.sign_in(None, "u.1").await;
    world.store.is_down.store(true, Ordering::SeqCst);
    let session = world.request(Some(&cookie));
    for _ in 0..2 {
        assert!(matches!(session.signed_in(world.now()).await, Err(StoreError::Unavailable(_))));
    }
    assert!(matches!(session.sign_in(&world.person("u.2")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(session.clear().await, Err(StoreError::Unavailable(_))));
    assert_eq!(session.current().cookie, None);
    world.store.is_down.store(false, Ordering::SeqCst);
    // Neither the sign-in nor the sign-out happened, also for the request that tried.
    assert_eq!(session.signed_in(world.now()).await.unwrap().unwrap().subject, SubjectId::new("u.1"));
    assert_eq!(world.who(&cookie).await.as_deref(), Some("u.1"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_corrupt() {
    let world = World::new(true);
    let session = world.request(None).session();
    session.insert(SIGNED_IN, "not a sign-in").await.unwrap();
    session.set_expiry(Some(Expiry::AtDateTime(offset(world.now() + TimeDelta::hours(1)).unwrap())));
    session.save().await.unwrap();
    let cookie = format!("__Host-ostiary_session={}", session.id().unwrap());
    let read = world.request(Some(&cookie)).signed_in(world.now()).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn the_layer_sends_the_cookie_only_when_it_changed() {
    let world = World::new(true);
    let person = world.person("u.1");
    let now = world.now();
    let router = Router::new()
        .route(
            "/in",
            get(async move |Extension(session): Extension<BrowserSession>| {
                session.sign_in(&person).await.unwrap();
                StatusCode::SERVICE_UNAVAILABLE
            }),
        )
        .route(
            "/who",
            get(async move |Extension(session): Extension<BrowserSession>| {
                Json(json!(session.signed_in(now).await.unwrap().map(|signed_in| signed_in.subject)))
            }),
        )
        .route("/out", get(async |Extension(session): Extension<BrowserSession>| session.clear().await.unwrap()))
        .layer(from_fn_with_state(world.sessions.clone(), keep as Keep));
    let call = async |path: &str, cookie: &str| {
        let request = Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let cookie = response.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        (cookie, String::from_utf8(body.to_vec()).unwrap())
    };

    assert_eq!(call("/who", "__Host-ostiary_session=malformed").await, (None, "null".into()));
    // What came after the sign-in failed, and still the browser must learn its new id.
    let set = call("/in", "").await.0.unwrap();
    assert!(set.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"), "{set}");
    let cookie = set.split(';').next().unwrap();
    assert_eq!(call("/who", cookie).await, (None, "\"u.1\"".into()));
    let removed = call("/out", cookie).await.0.unwrap();
    assert_eq!(removed, "__Host-ostiary_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
    // The browser that missed it keeps a cookie that opens nothing; taking it away could hit a newer one.
    assert_eq!(call("/who", cookie).await, (None, "null".into()));
}
