//! A client's own server: where logout tokens and browsers arrive.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use http_body_util::BodyExt;
use ostiary::config::{OutboundException, OutboundPurpose};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Listens on a free port and keeps what arrives.
pub struct Receiver {
    port: u16,
    arrived: mpsc::UnboundedReceiver<Received>,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Default)]
struct Answers {
    statuses: VecDeque<u16>,
    redirects: HashMap<String, String>,
    /// Each with its media type.
    documents: HashMap<String, (&'static str, String)>,
}

/// A request that arrived.
#[derive(Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub authorization: Option<String>,
    pub body: String,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (sender, arrived) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(Answers::default()));
        let router = Router::new().fallback(receive).with_state((sender, answers.clone()));
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { port, arrived, answers }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What the next requests are answered; 200 afterwards.
    pub fn answer_with(&self, statuses: &[u16]) {
        self.answers.lock().expect("a lock").statuses.extend(statuses);
    }

    /// Sends whoever comes to `path` on to `location`, by GET.
    pub fn redirect(&self, path: &str, location: &str) {
        self.answers.lock().expect("a lock").redirects.insert(path.to_owned(), location.to_owned());
    }

    /// What is at `path` from now on, a JSON document.
    pub fn serve(&self, path: &str, document: &serde_json::Value) {
        self.serve_text(path, &document.to_string());
    }

    /// The same with any text.
    pub fn serve_text(&self, path: &str, text: &str) {
        self.serve_as("application/json", path, text);
    }

    /// The same with a page.
    pub fn serve_page(&self, path: &str, html: &str) {
        self.serve_as("text/html; charset=utf-8", path, html);
    }

    fn serve_as(&self, media_type: &'static str, path: &str, text: &str) {
        let document = (media_type, text.to_owned());
        self.answers.lock().expect("a lock").documents.insert(path.to_owned(), document);
    }

    /// Lets a server deliver logout tokens here.
    pub fn exception(&self) -> OutboundException {
        self.exception_for(OutboundPurpose::BackchannelLogout)
    }

    /// Lets a server call this address.
    pub fn exception_for(&self, purpose: OutboundPurpose) -> OutboundException {
        OutboundException {
            purpose,
            host: "127.0.0.1".to_owned(),
            port: self.port,
            network: "127.0.0.0/8".parse().expect("a network"),
            allow_http: true,
        }
    }

    /// The next request; it must come.
    pub async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(Duration::from_secs(20), self.arrived.recv()).await;
        next.expect("a request arrives").expect("the receiver runs")
    }

    /// Asserts that nothing more has arrived.
    pub fn assert_nothing_more(&mut self) {
        if let Ok(received) = self.arrived.try_recv() {
            panic!("{received:?} arrived too");
        }
    }
}

type Shared = (mpsc::UnboundedSender<Received>, Arc<Mutex<Answers>>);

async fn receive(State((sender, answers)): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let received = Received {
        authorization: authorization.map(ToOwned::to_owned),
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        content_type: content_type.to_owned(),
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    };
    let path = parts.uri.path();
    let (status, location, document) = {
        let mut answers = answers.lock().expect("a lock");
        let status = answers.statuses.pop_front().unwrap_or(200);
        (status, answers.redirects.get(path).cloned(), answers.documents.get(path).cloned())
    };
    sender.send(received).ok();
    let status = StatusCode::from_u16(status).expect("a status");
    match (location, document) {
        (Some(location), _) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        (None, Some((media_type, text))) => (status, [(CONTENT_TYPE, media_type)], text).into_response(),
        (None, None) => status.into_response(),
    }
}

async fn axum_serve(listener: TcpListener, router: Router) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::service::TowerToHyperService;
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            builder.serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}
