//! `/admin/clients`: registered clients.
//!
//! Nobody gives a client admin scopes that they do not hold, nor touches a client that holds such: otherwise a new secret
//! would be a way to more rights.

// A client as JSON.
pub(in crate::admin) mod document;
// Secrets, two of which may live side by side.
pub(in crate::admin) mod secrets;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use self::document::{ClientDocument, ClientInput, NewClient, Registered, admin_scopes, changeable, unregistered};
use super::PATH;
use super::caller::Caller;
use super::endpoint::{Doc, Endpoints};
use super::idempotency::{Answer, Created, IdempotencyKey};
use super::json::{Creation, FromObject, MergePatch};
use super::page::{Page, Span};
use super::path::Path;
use super::precondition::{Expected, changed, etag};
use super::query::Query;
use crate::app::App;
use crate::flow::sector;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::keys::master_key::MasterKeys;
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::client::{Client, ClientSecret, ClientSettings};
use crate::model::id::{ClientId, ResourceUri};
use crate::protocol::client_metadata::profile_violations;
use crate::random;
use crate::storage::postgres::client_record::ClientRecord;

const CLIENTS: &str = "/admin/clients";
const CLIENT: &str = "/admin/clients/{client_id}";

const EXAMPLE: &str = r#"{
    "client_name": {"en": "Photo Album", "de": "Fotoalbum"},
    "redirect_uris": ["https://album.example/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scopes": ["openid", "profile"]
}"#;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    endpoints
        .get(
            CLIENTS,
            read,
            get_page,
            Doc::new("List clients")
                .says("By identifier.")
                .query::<ListQuery>()
                .answers::<Page<ClientDocument>>(),
        )
        .post(
            CLIENTS,
            full,
            post,
            Doc::new("Register a client")
                .says(
                    "The secret is told once. A caller gives a client only admin scopes that it holds itself. Identifiers are \
                     never given again.",
                )
                .body::<ClientInput>()
                .example(EXAMPLE)
                .creates_at_a_place::<Registered>()
                .refuses(&[409]),
        )
        .get(CLIENT, read, get_one, Doc::new("Show a client").answers::<ClientDocument>().tagged())
        .patch(
            CLIENT,
            full,
            patch,
            Doc::new("Change a client")
                .says("Only by a caller that holds the admin scopes that the client has, before and after.")
                .patch::<ClientInput>()
                .example(r#"{"enabled": false}"#)
                .answers::<ClientDocument>()
                .tagged()
                .refuses(&[409]),
        )
        .delete(
            CLIENT,
            full,
            delete_one,
            Doc::new("Take a client away for good").says("Its tokens end with it.").conditional(),
        )
        .with(secrets::endpoints)
}

/// Which clients to list.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
    /// Only clients whose identifier or name has this text in it.
    pub(in crate::admin) search: Option<String>,
}

async fn get_page(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<ClientDocument>, Problem> {
    list(&app, &query).await
}

async fn get_one(State(app): State<App>, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    shown(find(&app, &id).await?)
}

async fn post(
    State(app): State<App>,
    caller: Caller,
    Creation { body, key }: Creation<NewClient>,
) -> Result<Created, Problem> {
    register(&app, &caller, (body, key), app.clock.now()).await?.at(&app, CLIENTS, "client_id")
}

async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ClientId>,
    expected: Expected,
    patch: MergePatch,
) -> Result<Response, Problem> {
    shown(change(&app, &caller, &id, (expected, patch), app.clock.now()).await?)
}

async fn delete_one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ClientId>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    delete(&app, &caller, &id, expected, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One page of the clients.
pub(in crate::admin) async fn list(app: &App, query: &ListQuery) -> Result<Page<ClientDocument>, Problem> {
    let span = Span::<ClientId>::read(query.limit, query.cursor.as_deref())?;
    let read = app.postgres.list_client_records(span.after.as_ref(), query.search.as_deref(), span.to_read()).await?;
    span.page(read, |record| record.id.clone(), ClientDocument::new)
}

/// A client, as its rows stand.
pub(in crate::admin) async fn find(app: &App, id: &ClientId) -> Result<ClientRecord, Problem> {
    app.postgres.find_client_record(id).await?.ok_or_else(Problem::not_found)
}

/// Registers a client: the answer is a [`Registered`].
pub(in crate::admin) async fn register(
    app: &App,
    caller: &Caller,
    (client, key): (NewClient, Option<IdempotencyKey>),
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let NewClient { client_id, enabled, settings } = client;
    check(app, caller, &settings, now).await?;
    check_sector(app, &settings, None).await?;
    let id = client_id.unwrap_or_else(|| ClientId::new(random::id()));
    let has_secret = settings.token_endpoint_auth_method.has_secret();
    let secret = if has_secret { Some(new_secret(&app.master_keys, &id)?) } else { None };
    let (client_secret, secret) = secret.unzip();
    let secret_id = secret.as_ref().map(|secret| secret.id);
    let client = ClientDocument::unborn(id.clone(), (enabled, settings.clone()), secret_id, now);
    let answer = Answer::new(app, caller, key, &Registered { client, client_secret }, now)?;
    let client = Client {
        id,
        enabled,
        settings,
        secrets: secret.into_iter().collect(),
        generation: 0,
        registered_through: None,
    };
    let event = AuditEvent::new(AuditEventKind::ClientRegistered).to_client(&client.id);
    let outcome = caller.recording(app, event, now).register_client(&client, answer.kept(), now).await?;
    app.registry.forget();
    answer.settle(app, outcome)
}

/// Changes a client.
pub(in crate::admin) async fn change(
    app: &App,
    caller: &Caller,
    id: &ClientId,
    (expected, patch): (Expected, MergePatch),
    now: DateTime<Utc>,
) -> Result<ClientRecord, Problem> {
    let record = find(app, id).await?;
    let revision = expected.check(record.revision)?;
    check_covers(app, caller, &record.settings)?;
    let patched = patch.apply(changeable(&record)?);
    if patched.contains_key("client_id") {
        return Err(Problem::invalid_body(vec![Violation::new("/client_id", "an identifier cannot be changed")]));
    }
    let NewClient { enabled, settings, .. } = NewClient::from_object(patched).map_err(Problem::invalid_body)?;
    check(app, caller, &settings, now).await?;
    check_sector(app, &settings, Some(&record.settings)).await?;
    let event = AuditEvent::new(AuditEventKind::ClientChanged).to_client(id);
    let outcome = caller.recording(app, event, now).change_client(id, (enabled, &settings), revision, now).await?;
    app.registry.forget();
    changed(outcome)?;
    find(app, id).await
}

/// Takes a client away for good.
pub(in crate::admin) async fn delete(
    app: &App,
    caller: &Caller,
    id: &ClientId,
    expected: Expected,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let record = find(app, id).await?;
    let revision = expected.check(record.revision)?;
    check_covers(app, caller, &record.settings)?;
    let event = AuditEvent::new(AuditEventKind::ClientDeleted).to_client(id);
    let outcome = caller.recording(app, event, now).delete_client(id, revision, now).await?;
    app.registry.forget();
    changed(outcome)
}

/// A fresh secret and what is kept of it.
pub(in crate::admin) fn new_secret(keys: &MasterKeys, id: &ClientId) -> Result<(String, ClientSecret), Problem> {
    let secret = random::token();
    let kept = secret_of(keys, id, &secret)?;
    Ok((secret, kept))
}

/// What is kept of a secret.
pub(super) fn secret_of(keys: &MasterKeys, id: &ClientId, secret: &str) -> Result<ClientSecret, Problem> {
    let key_id = keys.current();
    let mac = keys.client_secret_mac(key_id, id, secret).ok_or_else(|| Problem::new(ProblemType::Internal))?;
    Ok(ClientSecret { id: Uuid::from_bytes(random::bytes()), mac, key_id, expires_at: None })
}

fn shown(record: ClientRecord) -> Result<Response, Problem> {
    Ok((etag(record.revision), Json(ClientDocument::new(record))).into_response())
}

/// Refuses settings that name what is not registered, or that the caller may not give.
pub(in crate::admin) async fn check(
    app: &App,
    caller: &Caller,
    settings: &ClientSettings,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let unregistered = unregistered(settings, app.registry.catalog(now).await?.as_ref());
    if !unregistered.is_empty() {
        return Err(Problem::invalid_body(unregistered));
    }
    let broken = below_the_floor(app, settings);
    if !broken.is_empty() {
        return Err(Problem::invalid_body(broken));
    }
    check_covers(app, caller, settings)
}

/// Refuses a `sector_identifier_uri` that does not list the redirect URIs of the client, which had `before`.
pub(in crate::admin) async fn check_sector(
    app: &App,
    settings: &ClientSettings,
    before: Option<&ClientSettings>,
) -> Result<(), Problem> {
    match sector::violation(app, settings, before).await {
        Some((pointer, what)) => Err(Problem::invalid_body(vec![Violation::new(pointer, what)])),
        None => Ok(()),
    }
}

/// What breaks the profile that everybody is held to. A registration was held to its own one when it was read.
pub(in crate::admin) fn below_the_floor(app: &App, settings: &ClientSettings) -> Vec<Violation> {
    let floor = app.config.oidc.profile;
    if settings.profile >= floor {
        return Vec::new();
    }
    let broken = profile_violations(settings, floor).into_iter();
    broken.map(|(pointer, what)| Violation::new(pointer, what)).collect()
}

fn check_covers(app: &App, caller: &Caller, settings: &ClientSettings) -> Result<(), Problem> {
    caller.check_covers(&admin_scopes(settings, &ResourceUri::new(app.url(PATH))))
}
