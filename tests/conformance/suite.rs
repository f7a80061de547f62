//! A suite that tests nothing: it answers like the real one, says what a test wants to hear, and keeps what it was told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::parameters;

/// What it takes for an API token.
pub const TOKEN: &str = "token-of-the-suite";

/// What stands for the archive of a plan.
pub const ARCHIVE: &[u8] = b"PK: everything of a plan";

/// A plan that was created.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub variant: Value,
    pub configuration: Value,
}

/// What a module ends with, and what its log says.
#[derive(Clone)]
pub struct Ending {
    pub status: &'static str,
    pub result: &'static str,
    pub log: Value,
}

/// A running suite.
pub struct Suite {
    port: u16,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// The modules of every plan.
    modules: Vec<&'static str>,
    endings: HashMap<&'static str, Ending>,
    refused_plans: Vec<&'static str>,
    plans: Vec<Plan>,
    /// The plan, the module and the variant of each that ran.
    runs: Vec<(usize, String, Value)>,
    started: Vec<usize>,
    cancelled: Vec<usize>,
    polls: HashMap<usize, usize>,
    requests: usize,
}

impl Suite {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let kept = Arc::new(Mutex::new(Kept { modules: vec!["first-module", "second-module"], ..Kept::default() }));
        let router = Router::new().fallback(answer).with_state(kept.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(async move {
                    let builder = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        Self { port, kept }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What every plan has from now on.
    pub fn has_modules(&self, modules: &[&'static str]) {
        self.kept().modules = modules.to_vec();
    }

    /// How a module ends from now on; those that nothing is said of pass.
    pub fn ends(&self, module: &'static str, ending: Ending) {
        self.kept().endings.insert(module, ending);
    }

    /// A plan that it does not know.
    pub fn refuses_plan(&self, name: &'static str) {
        self.kept().refused_plans.push(name);
    }

    pub fn plans(&self) -> Vec<Plan> {
        self.kept().plans.clone()
    }

    /// The modules that ran, each with its variant.
    pub fn runs(&self) -> Vec<(String, Value)> {
        self.kept().runs.iter().map(|(_, module, variant)| (module.clone(), variant.clone())).collect()
    }

    /// How many of those that wait to be started were started.
    pub fn started(&self) -> usize {
        self.kept().started.len()
    }

    /// The modules that were ended before they were over.
    pub fn cancelled(&self) -> Vec<String> {
        let kept = self.kept();
        kept.cancelled.iter().map(|id| kept.runs[*id].1.clone()).collect()
    }

    pub fn requests(&self) -> usize {
        self.kept().requests
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("a lock")
    }
}

/// A module that ends with that result, and with these entries in its log.
pub fn ending(result: &'static str, log: Value) -> Ending {
    Ending { status: "FINISHED", result, log }
}

async fn answer(State(kept): State<Arc<Mutex<Kept>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let mut kept = kept.lock().expect("a lock");
    kept.requests += 1;
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "no such token"}))).into_response();
    }
    let query = parameters(parts.uri.query().unwrap_or_default());
    let path: Vec<&str> = parts.uri.path().trim_start_matches('/').split('/').collect();
    match (&parts.method, &path[..]) {
        (&Method::GET, ["api", "plan"]) => Json(json!({"data": []})).into_response(),
        (&Method::POST, ["api", "plan"]) => kept.create_plan(&query, &body),
        (&Method::POST, ["api", "runner"]) => kept.create_test(&query, &body),
        (&Method::POST, ["api", "runner", id]) => {
            kept.started.push(id.parse().expect("a number"));
            Json(json!({})).into_response()
        }
        (&Method::DELETE, ["api", "runner", id]) => {
            kept.cancelled.push(id.parse().expect("a number"));
            Json(json!({})).into_response()
        }
        (&Method::GET, ["api", "runner", "browser", _]) => {
            Json(json!({"urls": ["https://op.example/authorize?x=y"], "visited": []})).into_response()
        }
        (&Method::GET, ["api", "info", id]) => Json(kept.info(id.parse().expect("a number"))).into_response(),
        (&Method::GET, ["api", "log", id]) => Json(kept.ending(id.parse().expect("a number")).log).into_response(),
        (&Method::GET, ["api", "plan", "exporthtml", _]) => {
            ([(CONTENT_TYPE, "application/zip")], ARCHIVE).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Kept {
    fn create_plan(&mut self, query: &BTreeMap<String, String>, body: &[u8]) -> Response {
        let name = query["planName"].clone();
        if self.refused_plans.contains(&name.as_str()) {
            let error = json!({"error": format!("No plan with name: {name}")});
            return (StatusCode::NOT_FOUND, Json(error)).into_response();
        }
        let configuration = serde_json::from_slice(body).expect("a configuration");
        self.plans.push(Plan { name: name.clone(), variant: variant(query), configuration });
        let modules: Vec<_> =
            self.modules.iter().map(|module| json!({"testModule": module, "variant": {"a": "b"}})).collect();
        let made = json!({"name": name, "id": (self.plans.len() - 1).to_string(), "modules": modules});
        (StatusCode::CREATED, Json(made)).into_response()
    }

    fn create_test(&mut self, query: &BTreeMap<String, String>, body: &[u8]) -> Response {
        // A configuration is the plan's.
        if !body.is_empty() {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let plan: usize = query["plan"].parse().expect("a number");
        if query["test"] == "taken-module" {
            let error = json!({"error": "the alias is in use"});
            return (StatusCode::CONFLICT, Json(error)).into_response();
        }
        self.runs.push((plan, query["test"].clone(), variant(query)));
        let id = (self.runs.len() - 1).to_string();
        (StatusCode::CREATED, Json(json!({"name": query["test"], "id": id, "url": "https://suite.example/test"})))
            .into_response()
    }

    /// It takes three questions until a module is over.
    fn info(&mut self, id: usize) -> Value {
        let polls = self.polls.entry(id).or_default();
        *polls += 1;
        let polls = *polls;
        match polls {
            1 => json!({"status": "CONFIGURED", "result": null}),
            2 => json!({"status": "WAITING", "result": null}),
            _ => {
                let ending = self.ending(id);
                json!({"status": ending.status, "result": ending.result})
            }
        }
    }

    fn ending(&self, id: usize) -> Ending {
        let ending = self.endings.get(self.runs[id].1.as_str()).cloned();
        ending.unwrap_or_else(ending_of_most)
    }
}

fn ending_of_most() -> Ending {
    ending("PASSED", json!([{"src": "CheckSomething", "result": "SUCCESS", "msg": "Good"}, {"src": "-START-BLOCK-"}]))
}

fn variant(query: &BTreeMap<String, String>) -> Value {
    query.get("variant").map_or(Value::Null, |variant| serde_json::from_str(variant).expect("a variant"))
}
