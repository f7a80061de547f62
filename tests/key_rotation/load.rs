//! Work for a rotation to be seen under: several who ask for tokens, refresh, show and introspect them all the while, each with a copy
//! of the key set that is as old as it may be.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Pair, STALE, TOKEN_LIFETIME};
use crate::harness::{Authorization, Browser, Tokens, encode, http_client, jwt};

/// Between two requests of one who works.
const PAUSE: Duration = Duration::from_millis(40);

/// The two instances as those see them who work: one at a time is asked, the other only if the first was killed.
pub struct Instances {
    ports: [u16; 2],
    next: AtomicUsize,
    /// The port of the one that was killed; 0: none yet.
    killed: AtomicU16,
    /// Requests that went to the killed instance and were sent again.
    failed_over: AtomicUsize,
    stop: AtomicBool,
}

impl Instances {
    pub fn new(ports: [u16; 2]) -> Arc<Self> {
        Arc::new(Self {
            ports,
            next: AtomicUsize::new(0),
            killed: AtomicU16::new(0),
            failed_over: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        })
    }

    /// Said before it is done: from now on it may break off.
    pub fn will_kill(&self, port: u16) {
        self.killed.store(port, Ordering::SeqCst);
    }

    pub fn failed_over(&self) -> usize {
        self.failed_over.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Sends to one of them, in turn. Whatever fails but the connection to the one that was killed is a failure of the test.
    async fn send(
        &self,
        build: impl Fn(String) -> reqwest::RequestBuilder,
    ) -> (u16, reqwest::header::HeaderMap, String) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        for attempt in 0..2 {
            let port = self.ports[(turn + attempt) % 2];
            match exchange(build(format!("http://127.0.0.1:{port}"))).await {
                Ok(answer) => return answer,
                Err(error) => {
                    assert_eq!(self.killed.load(Ordering::SeqCst), port, "a request failed: {error:?}");
                    self.failed_over.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        panic!("the instance that lives does not answer");
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> reqwest::Result<(u16, reqwest::header::HeaderMap, String)> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok((status, headers, answer.text().await?))
}

/// A client of the two instances.
#[derive(Clone, Debug)]
pub struct Registered {
    pub id: String,
    pub authorization: String,
}

/// What somebody does again and again.
#[derive(Clone, Debug)]
pub enum Work {
    /// Asks for a token for itself.
    Machine(Registered),
    /// Asks for a token for itself and has it introspected.
    Introspection(Registered),
    /// Refreshes, and shows the access token at the userinfo endpoint.
    Person(Registered, String),
}

/// One who verifies, and asks for the key set no sooner than they must.
struct Verifier {
    jwks: Value,
    fetched: Instant,
}

/// Somebody at work.
pub struct Worker {
    instances: Arc<Instances>,
    http: reqwest::Client,
    verifier: Option<Verifier>,
    /// What was issued and is not over, oldest first.
    valid: VecDeque<(Instant, String)>,
    signed: Signed,
}

/// How many tokens each key signed: by algorithm and key.
pub type Signed = Arc<Mutex<BTreeMap<(String, String), u32>>>;

impl Worker {
    pub fn new(instances: &Arc<Instances>, signed: &Signed) -> Self {
        Self {
            instances: instances.clone(),
            http: http_client(),
            verifier: None,
            valid: VecDeque::new(),
            signed: signed.clone(),
        }
    }

    /// Works until it is told to stop, and says how many answers it got.
    pub async fn work(mut self, work: Work) -> usize {
        let (mut work, mut answers) = (work, 0);
        while !self.instances.stop.load(Ordering::SeqCst) {
            answers += self.turn(&mut work).await;
            self.verify_what_is_valid().await;
            tokio::time::sleep(PAUSE).await;
        }
        answers
    }

    async fn turn(&mut self, work: &mut Work) -> usize {
        match work {
            Work::Machine(client) => {
                let token = self.machine_token(client).await;
                self.issued(token).await;
                1
            }
            Work::Introspection(client) => {
                let token = self.machine_token(client).await;
                let told = self.post("/introspect", client, &[("token", &token)]).await;
                assert_eq!(told["active"], true, "{told}");
                self.issued(token).await;
                2
            }
            Work::Person(client, refresh_token) => {
                let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
                let tokens = Tokens { body: self.post("/token", client, &form).await };
                let access = tokens.access().to_owned();
                let (status, _, body) =
                    self.instances.send(|base| self.http.get(format!("{base}/userinfo")).bearer_auth(&access)).await;
                assert_eq!(status, 200, "{body}");
                *refresh_token = tokens.refresh().to_owned();
                self.issued(tokens.id().to_owned()).await;
                self.issued(access).await;
                2
            }
        }
    }

    async fn machine_token(&self, client: &Registered) -> String {
        let answer = self.post("/token", client, &[("grant_type", "client_credentials")]).await;
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    async fn post(&self, path: &str, client: &Registered, form: &[(&str, &str)]) -> Value {
        let body = encode(form);
        let build = |base: String| {
            let request = self.http.post(format!("{base}{path}")).header("authorization", &client.authorization);
            request.header("content-type", "application/x-www-form-urlencoded").body(body.clone())
        };
        let (status, _, body) = self.instances.send(build).await;
        assert_eq!(status, 200, "{path} for {}: {body}", client.id);
        serde_json::from_str(&body).expect("JSON")
    }

    /// A token was just signed: whoever has the oldest copy that is allowed believes it.
    async fn issued(&mut self, token: String) {
        let issued_at = Instant::now();
        let jwt = jwt::verify_with(self.jwks().await, &token);
        let of = |name: &str| jwt.header[name].as_str().expect("a text").to_owned();
        *self.signed.lock().expect("nobody failed").entry((of("alg"), of("kid"))).or_default() += 1;
        self.valid.push_back((issued_at, token));
    }

    /// Tokens are believed until the last second.
    async fn verify_what_is_valid(&mut self) {
        while self.valid.front().is_some_and(|(issued_at, _)| issued_at.elapsed() >= TOKEN_LIFETIME) {
            self.valid.pop_front();
        }
        if let Some((_, token)) = self.valid.front().cloned() {
            jwt::verify_with(self.jwks().await, &token);
        }
    }

    /// The copy of the key set, fetched anew only when it may not be used any more.
    async fn jwks(&mut self) -> &Value {
        let is_stale = self.verifier.as_ref().is_none_or(|verifier| verifier.fetched.elapsed() >= STALE);
        if is_stale {
            let (status, headers, body) = self.instances.send(|base| self.http.get(format!("{base}/jwks.json"))).await;
            assert_eq!(status, 200, "{body}");
            assert_eq!(headers["cache-control"], format!("public, max-age={}", STALE.as_secs()).as_str());
            let jwks = serde_json::from_str(&body).expect("the keys are JSON");
            self.verifier = Some(Verifier { jwks, fetched: Instant::now() });
        }
        &self.verifier.as_ref().expect("a copy").jwks
    }
}

impl Pair {
    /// A person signs in at the instance of that port, and says what their client is given.
    pub async fn sign_in(&self, client: &Registered, port: u16) -> Tokens {
        let issuer = format!("http://127.0.0.1:{}", self.ports[0]);
        let base = format!("http://127.0.0.1:{port}");
        let request =
            Authorization::by(&client.id, "https://web.example/callback").with("scope", "openid offline_access");
        let mut browser = Browser::new(&issuer, &base);
        let page = browser.authorize(&request, &self.person).await;
        let code = page.returned_code("https://web.example/callback");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", request.value("redirect_uri")),
            ("code_verifier", &request.verifier),
        ];
        let answer = http_client()
            .post(format!("{base}/token"))
            .header("authorization", &client.authorization)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encode(&form))
            .send()
            .await
            .expect("the server answers");
        Tokens { body: serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON") }
    }
}
