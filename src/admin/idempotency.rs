//! Repeated creations: whoever sends the same request with the same `Idempotency-Key` again gets the same answer, and
//! nothing is made twice. The answer is kept for a day, sealed, because it may hold a secret.

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::caller::Caller;
use super::path::below;
use super::precondition::etag;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType};
use crate::keys::master_key::Purpose;
use crate::protocol::form::{self, Form};
use crate::storage::StoreError;
use crate::storage::postgres::kept_answer::{Creation, KeptAnswer};

const HEADER: &str = "idempotency-key";

/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// The longest key.
const MAX_LENGTH: usize = 255;

/// The revision of whatever was just made.
const FIRST_REVISION: i64 = 1;

/// The key that a caller sent, and what for.
pub(super) struct IdempotencyKey {
    key: String,
    request_hash: [u8; 32],
}

impl IdempotencyKey {
    /// Reads the header, if it is there.
    pub(super) fn read(app: &App, headers: &HeaderMap, path: &str, body: &[u8]) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let (Some(value), rest) = (values.next(), values.next()) else {
            return Ok(None);
        };
        let key = value.to_str().ok().map(|key| key.trim().trim_matches('"'));
        let is_good =
            |key: &&str| (1..=MAX_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        let key = key.filter(is_good).filter(|_| rest.is_none()).ok_or_else(|| {
            Problem::invalid_parameter("Idempotency-Key must be one text of 1 to 255 visible ASCII characters")
        })?;
        Ok(Some(Self::new(app, key, path, body)))
    }

    /// The key of a form, which its page was made with: sent again, it gets the answer of before.
    pub(super) fn of_form(app: &App, key: &str, path: &str, form: &Form) -> Option<Self> {
        let is_made_by_us = key.len() <= MAX_LENGTH && !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
        let body = Zeroizing::new(form::encode(form.iter()));
        is_made_by_us.then(|| Self::new(app, key, path, body.as_bytes()))
    }

    fn new(app: &App, key: &str, path: &str, body: &[u8]) -> Self {
        // Not a plain hash: a body may hold a password, which whoever reads the row could then guess fast.
        let request = Zeroizing::new([b"kept_answer.request_hash", path.as_bytes(), &[0], body].concat());
        Self { key: key.to_owned(), request_hash: app.master_keys.mac(Purpose::Admin, &request) }
    }
}

/// The answer to a creation: made before the creation, so that it can be kept in the same transaction.
pub(super) struct Answer {
    body: Zeroizing<Vec<u8>>,
    kept: Option<KeptAnswer>,
}

impl Answer {
    /// The answer `document`, kept if the caller sent a key.
    pub(super) fn new(
        app: &App,
        caller: &Caller,
        key: Option<IdempotencyKey>,
        document: &impl Serialize,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let body = Zeroizing::new(serde_json::to_vec(document)?);
        let kept = match key {
            None => None,
            Some(IdempotencyKey { key, request_hash }) => {
                let principal = caller.principal();
                let sealed = app.master_keys.seal(Purpose::Admin, &aad(&principal, &key), &body)?;
                Some(KeptAnswer { principal, key, request_hash, sealed, expires_at: now + KEPT })
            }
        };
        Ok(Self { body, kept })
    }

    /// What the store keeps beside the thing.
    pub(super) fn kept(&self) -> Option<&KeptAnswer> {
        self.kept.as_ref()
    }

    /// What was made, also if it was made before.
    pub(super) fn settle(self, app: &App, outcome: Creation) -> Result<Created, Problem> {
        match outcome {
            Creation::Created => Ok(Created { body: self.body, location: None }),
            Creation::Repeated(sealed) => {
                let kept = self.kept.ok_or_else(|| StoreError::corrupt("an answer was kept without a key"))?;
                let body = app.master_keys.open(Purpose::Admin, &aad(&kept.principal, &kept.key), &sealed);
                let body = body.ok_or_else(|| StoreError::corrupt("a kept answer cannot be opened"))?;
                Ok(Created { body, location: None })
            }
            Creation::Mismatch => Err(Problem::new(ProblemType::IdempotencyKeyReused)),
            Creation::Taken => Err(Problem::new(ProblemType::AlreadyExists)),
        }
    }
}

/// The document that `make` makes, once for each key: for what is made elsewhere than in the store's transaction. What is refused is
/// not kept.
pub(super) async fn made_once<T: Serialize>(
    app: &App,
    caller: &Caller,
    key: Option<IdempotencyKey>,
    now: DateTime<Utc>,
    make: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let Some(IdempotencyKey { key, request_hash }) = key else {
        return Ok(document(serde_json::to_vec(&make.await?)?));
    };
    let (principal, server) = (caller.principal(), app.clone());
    let aad = aad(&principal, &key);
    // On a task of its own: whoever asks may hang up, and it would be made without its answer being kept.
    let task = tokio::spawn(async move {
        let claim = KeptAnswer { principal, key, request_hash, sealed: Vec::new(), expires_at: now + KEPT };
        let work = async {
            let body = Zeroizing::new(serde_json::to_vec(&make.await?)?);
            Ok::<_, Problem>(server.master_keys.seal(Purpose::Admin, &aad, &body)?)
        };
        let sealed = server.postgres.answer_once(&claim, now, work).await??;
        let sealed = sealed.ok_or_else(|| Problem::new(ProblemType::IdempotencyKeyReused))?;
        let body = server.master_keys.open(Purpose::Admin, &aad, &sealed);
        body.ok_or_else(|| StoreError::corrupt("a kept answer cannot be opened").into())
    });
    let body = task.await.unwrap_or_else(|error| Err(Problem::new(ProblemType::Internal).with_source(error)))?;
    Ok(document(body.to_vec()))
}

fn document(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The document of what was made.
pub(super) struct Created {
    body: Zeroizing<Vec<u8>>,
    location: Option<String>,
}

impl Created {
    /// The same with the address of what was made (RFC 9110 section 15.3.2), in the list at `path` under what the document says in
    /// `member`; and with the tag of its first state. What cannot be read there has neither.
    pub(super) fn at(self, app: &App, path: &str, member: &str) -> Result<Self, Problem> {
        let document: Value = self.read()?;
        let id = document.get(member).and_then(Value::as_str);
        Ok(Self { location: id.map(|id| app.url(&below(path, id))), ..self })
    }

    /// What the document says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, "application/json")];
        let response = (StatusCode::CREATED, headers, self.body.to_vec()).into_response();
        match self.location {
            Some(location) => ([(LOCATION, location)], etag(FIRST_REVISION), response).into_response(),
            None => response,
        }
    }
}

fn aad(principal: &str, key: &str) -> Vec<u8> {
    // The key has no blanks, so that no other pair makes the same text.
    format!("kept_answer.sealed {key} {principal}").into_bytes()
}
