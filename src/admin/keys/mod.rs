//! `/admin/keys`: signing keys, where they are in their life, and what happens next.
//!
//! The conditions of the life cycle hold here as for `ostiary-keyctl`: a key does not sign before every copy of the key set
//! has it, and is not retired while something that it signed may be valid. `force` passes over them, for emergencies.

// Keys as JSON.
pub(in crate::admin) mod document;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use self::document::{
    Emphasis, KeyDocument, KeysDocument, Prepublication, Prepublished, ProblemDocument, RehearsalDocument, StepDocument,
};
use super::caller::Caller;
use super::endpoint::{Doc, Endpoints};
use super::idempotency::made_once;
use super::json::{Creation, Json};
use super::path::Path;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType};
use crate::keys::audience::find_audience;
use crate::keys::change::ChangeError;
use crate::keys::lifecycle::{Insistence, Refusal, RotationPolicy};
use crate::keys::open;
use crate::keys::store::{Author, KeyStoreError};
use crate::model::admin_scope::AdminArea;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose};

const KEYS: &str = "/admin/keys";
const REHEARSAL: &str = "/admin/key-rehearsal";
const KEY: &str = "/admin/keys/{kid}";
const ACTIVATE: &str = "/admin/keys/{kid}/activate";
const RETIRE: &str = "/admin/keys/{kid}/retire";

/// How a caller of the API insists.
const INSIST: &str = r#"send {"force": true}"#;

/// So many of those who fetch the key set without a name are told.
const MOST_UNNAMED: usize = 100;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Keys.read(), AdminArea::Keys.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            KEYS,
            read,
            get,
            doc("Show the keys and what happens next", "Every key, retired ones too, and the timeline to the end of the next rotation.")
                .answers::<KeysDocument>(),
        )
        .post(
            KEYS,
            full,
            post,
            doc("Prepublish keys", "Each is listed at once and signs after the prepublish window. Without a choice: one for each kind in use that has none waiting.")
                .body::<Prepublication>()
                .example(r#"{"keys": [{"alg": "ES256", "purpose": "tokens"}]}"#)
                .answers::<Prepublished>()
                .repeatable()
                .refuses(&[409]),
        )
        .get(
            REHEARSAL,
            read,
            get_rehearsal,
            doc("Tell what the next rotation does and who is not ready", "The timeline, and who fetched the key set since the newest key was listed. Whoever did not would refuse what that key signs. Nobody proves the name of a client here: take it for a hint. Of those without a name, the 100 are told that wait longest.")
                .answers::<RehearsalDocument>(),
        )
        .get(KEY, read, get_one, doc("Show a key", "Its state and its times.").answers::<KeyDocument>())
        .post(
            ACTIVATE,
            full,
            post_activate,
            doc("Let a prepublished key sign", "The one that signed goes into its grace. Refused while copies of the key set may lack the key.")
                .body::<Emphasis>()
                .example("{}")
                .answers::<KeyDocument>()
                .refuses(&[409]),
        )
        .post(
            RETIRE,
            full,
            post_retire,
            doc("Retire a key", "It is not listed any more, and its private half is destroyed. Refused while something that it signed may be valid.")
                .body::<Emphasis>()
                .example("{}")
                .answers::<KeyDocument>()
                .refuses(&[409]),
        )
}

async fn get(State(app): State<App>) -> Result<Response, Problem> {
    Ok(JsonAnswer(status(&app, app.clock.now()).await?).into_response())
}

async fn get_rehearsal(State(app): State<App>) -> Result<Response, Problem> {
    Ok(JsonAnswer(rehearsal(&app, app.clock.now()).await?).into_response())
}

async fn get_one(State(app): State<App>, Path(kid): Path<String>) -> Result<Response, Problem> {
    shown(&app, &kid)
}

async fn post(
    State(app): State<App>,
    caller: Caller,
    Creation { body: wanted, key }: Creation<Prepublication>,
) -> Result<Response, Problem> {
    let kinds: Vec<_> = wanted.keys.iter().map(|kind| (kind.alg, kind.purpose)).collect();
    let (server, who, now) = (app.clone(), caller.clone(), app.clock.now());
    let make = async move { Ok(Prepublished { keys: prepublish(&server, &who, &kinds, now).await? }) };
    made_once(&app, &caller, key, now, make).await
}

async fn post_activate(
    State(app): State<App>,
    caller: Caller,
    Path(kid): Path<String>,
    Json(emphasis): Json<Emphasis>,
) -> Result<Response, Problem> {
    activate(&app, &caller, &kid, (emphasis.insistence(), INSIST), app.clock.now()).await?;
    shown(&app, &kid)
}

async fn post_retire(
    State(app): State<App>,
    caller: Caller,
    Path(kid): Path<String>,
    Json(emphasis): Json<Emphasis>,
) -> Result<Response, Problem> {
    retire(&app, &caller, &kid, (emphasis.insistence(), INSIST), app.clock.now()).await?;
    shown(&app, &kid)
}

/// Makes keys that are listed and do not sign yet. Without a choice: one for each kind in use that has none waiting.
pub(in crate::admin) async fn prepublish(
    app: &App,
    caller: &Caller,
    kinds: &[(KeyAlg, KeyPurpose)],
    now: DateTime<Utc>,
) -> Result<Vec<KeyDocument>, Problem> {
    let (keys, kinds, author) = (app.keys.clone(), kinds.to_vec(), author(caller, now));
    let made = seen_through(INSIST, async move { keys.prepublish(&kinds, &author).await }).await?;
    Ok(made.iter().map(|key| KeyDocument::new(key, None)).collect())
}

/// Lets a prepublished key sign. A refusal says in which words the caller could have insisted.
pub(in crate::admin) async fn activate(
    app: &App,
    caller: &Caller,
    kid: &str,
    (insistence, insist): (Insistence, &'static str),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let (keys, kid, policy, author) = (app.keys.clone(), kid.to_owned(), policy(app).await?, author(caller, now));
    seen_through(insist, async move { keys.activate(&kid, &policy, insistence, &author).await }).await?;
    Ok(())
}

/// Retires a key. A refusal says in which words the caller could have insisted.
pub(in crate::admin) async fn retire(
    app: &App,
    caller: &Caller,
    kid: &str,
    (insistence, insist): (Insistence, &'static str),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let (keys, kid, author) = (app.keys.clone(), kid.to_owned(), author(caller, now));
    seen_through(insist, async move { keys.retire(&kid, insistence, &author).await }).await
}

/// A key, as far as this instance knows.
pub(in crate::admin) fn find(app: &App, kid: &str) -> Result<KeyDocument, Problem> {
    let keyset = app.keys.current();
    keyset.ring().find(kid).map(|key| document_of(app, key)).ok_or_else(Problem::not_found)
}

fn document_of(app: &App, key: &KeyEntry) -> KeyDocument {
    KeyDocument::new(key, app.keys.find_signer(&key.kid))
}

/// The keys and what happens next, as far as this instance knows.
pub(in crate::admin) async fn status(app: &App, now: DateTime<Utc>) -> Result<KeysDocument, Problem> {
    let status = app.keys.status(&policy(app).await?, now);
    Ok(KeysDocument {
        keys: status.keys.iter().map(|key| document_of(app, key)).collect(),
        timeline: status.timeline.into_iter().map(StepDocument::new).collect(),
        problems: app.keys.trouble().iter().map(ProblemDocument::new).collect(),
    })
}

/// What the next rotation does, and who did not fetch the newest key yet.
pub(in crate::admin) async fn rehearsal(app: &App, now: DateTime<Utc>) -> Result<RehearsalDocument, Problem> {
    let timeline = status(app, now).await?.timeline;
    let keyset = app.keys.current();
    let mut audience = find_audience(&app.postgres, keyset.ring(), now).await?;
    if let Some(audience) = &mut audience {
        audience.others.truncate(MOST_UNNAMED);
    }
    Ok(RehearsalDocument { timeline, audience })
}

fn shown(app: &App, kid: &str) -> Result<Response, Problem> {
    Ok(JsonAnswer(find(app, kid)?).into_response())
}

/// The windows of the life cycle.
pub(in crate::admin) async fn policy(app: &App) -> Result<RotationPolicy, Problem> {
    Ok(open::policy(&app.config.keys, &app.config.tokens, &app.postgres).await?)
}

/// Changes keys, also if whoever asked hangs up meanwhile: half of it may be done.
async fn seen_through<T: Send + 'static>(
    insist: &'static str,
    change: impl Future<Output = Result<T, ChangeError>> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::spawn(change).await.map_err(|error| Problem::new(ProblemType::Internal).with_source(error))?;
    done.map_err(|error| refused(error, insist))
}

fn author(caller: &Caller, now: DateTime<Utc>) -> Author {
    Author { actor: caller.actor.clone(), origin: caller.origin.clone(), now }
}

/// What the life cycle does not allow is told to the caller, what the store cannot do to the operator.
fn refused(error: ChangeError, insist: &str) -> Problem {
    match error {
        ChangeError::Refused(Refusal::UnknownKey { .. }) => Problem::not_found(),
        // What a program says of itself is for the log: nobody knows what it prints.
        ChangeError::Refused(refusal @ Refusal::GivesNoSignature { .. }) => {
            let detail = "the program of the key gives no signature that its public half verifies, so the key that signs \
                          goes on; the log says more";
            Problem::new(ProblemType::Conflict).with_detail(detail).with_source(refusal)
        }
        ChangeError::Refused(refusal) => {
            Problem::new(ProblemType::Conflict).with_detail(refusal.problem_with(insist).to_string())
        }
        ChangeError::Store(error @ KeyStoreError::Conflict) => {
            Problem::new(ProblemType::Conflict).with_detail(error.to_string())
        }
        ChangeError::Store(error @ KeyStoreError::Unavailable(_)) => {
            Problem::new(ProblemType::Unavailable).with_source(error)
        }
        ChangeError::Store(error) => Problem::new(ProblemType::Internal).with_source(error),
    }
}
