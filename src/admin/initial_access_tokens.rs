//! `/admin/initial-access-tokens`: tokens with which clients register themselves (RFC 7591 section 3).

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::caller::Caller;
use super::catalog::RESERVED;
use super::endpoint::{Doc, Endpoints};
use super::idempotency::{Answer, Created, IdempotencyKey};
use super::json::{self, Creation, FromObject};
use super::page::{Page, Span};
use super::path::Path;
use super::query::Query;
use crate::app::App;
use crate::flow::registration::hash_initial_access_token;
use crate::http::problem::{Problem, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::registration::RegistrationPolicy;
use crate::random;
use crate::storage::postgres::initial_access_token::InitialAccessToken;

const TOKENS: &str = "/admin/initial-access-tokens";
const TOKEN: &str = "/admin/initial-access-tokens/{token_id}";

const EXAMPLE: &str = r#"{
    "note": "Build servers", "max_uses": 10, "expires_in": 86400, "policy": {"scopes": ["openid"]}
}"#;

/// How long a token lives, if its maker does not say: a week.
const DEFAULT_LIFETIME: u32 = 7 * 24 * 60 * 60;

/// The longest life: a year.
const MAX_LIFETIME: u32 = 365 * 24 * 60 * 60;

/// The longest note, in characters.
const MAX_NOTE: usize = 200;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    endpoints
        .get(
            TOKENS,
            read,
            list,
            Doc::new("List initial access tokens")
                .says("Also those that are over; never the tokens themselves.")
                .query::<ListQuery>()
                .answers::<Page<TokenDocument>>(),
        )
        .post(
            TOKENS,
            full,
            post,
            Doc::new("Make an initial access token")
                .says(
                    "The token is told once. Whoever has it registers clients at the registration endpoint (RFC 7591), as often \
                     as it allows. Its policy stands in place of what the configuration says; no client gets a scope of the \
                     admin API by it.",
                )
                .body::<TokenInput>()
                .example(EXAMPLE)
                .creates::<NewToken>(),
        )
        .delete(TOKEN, full, delete, Doc::new("End an initial access token").says("Clients registered with it stay."))
}

/// Which tokens to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
}

/// An initial access token.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InitialAccessToken")]
pub(in crate::admin) struct TokenDocument {
    /// Its identifier.
    pub(in crate::admin) id: Uuid,
    /// What it is for.
    pub(in crate::admin) note: String,
    /// What its clients may have.
    pub(in crate::admin) policy: RegistrationPolicy,
    /// How many clients were registered with it.
    pub(in crate::admin) uses: i32,
    /// How many may be; absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) max_uses: Option<i32>,
    /// When it ends.
    pub(in crate::admin) expires_at: DateTime<Utc>,
    /// When it was ended before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub(in crate::admin) created_at: DateTime<Utc>,
}

/// An initial access token that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewInitialAccessToken")]
struct NewToken {
    /// What can be told of it.
    #[serde(flatten)]
    document: TokenDocument,
    /// The token, told once.
    initial_access_token: String,
}

/// An initial access token to make.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "InitialAccessTokenInput")]
pub(in crate::admin) struct TokenInput {
    /// What it is for.
    #[schemars(length(max = MAX_NOTE))]
    note: String,
    /// How many clients may be registered with it; absent: any number.
    #[schemars(range(min = 1))]
    max_uses: Option<i32>,
    /// Seconds for which it is good.
    #[schemars(range(min = 1, max = MAX_LIFETIME))]
    expires_in: u32,
    /// What its clients may have.
    policy: RegistrationPolicy,
}

impl Default for TokenInput {
    fn default() -> Self {
        Self {
            note: String::new(),
            max_uses: None,
            expires_in: DEFAULT_LIFETIME,
            policy: RegistrationPolicy::default(),
        }
    }
}

impl FromObject for TokenInput {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        // serde would also fill the members of the policy from an array, by their order.
        if object.get("policy").is_some_and(|policy| !policy.is_object()) {
            return Err(vec![Violation::new("/policy", "it must be an object")]);
        }
        let input: Self = json::read(Value::Object(object))?;
        let mut violations = Vec::new();
        if input.note.chars().count() > MAX_NOTE || input.note.chars().any(char::is_control) {
            violations.push(Violation::new("/note", format!("it may have {MAX_NOTE} characters on one line at most")));
        }
        if input.max_uses.is_some_and(|uses| uses < 1) {
            violations.push(Violation::new("/max_uses", "it must be 1 at least"));
        }
        if !(1..=MAX_LIFETIME).contains(&input.expires_in) {
            violations.push(Violation::new("/expires_in", format!("it must be 1 to {MAX_LIFETIME}")));
        }
        let scopes = input.policy.scopes.iter().flatten().enumerate();
        let reserved = scopes.filter(|(_, name)| name.starts_with(RESERVED));
        violations.extend(reserved.map(|(index, _)| {
            let what = "clients that register themselves never get a scope of the admin API";
            Violation::new(format!("/policy/scopes/{index}"), what)
        }));
        if violations.is_empty() { Ok(input) } else { Err(violations) }
    }
}

impl TokenDocument {
    fn new(token: InitialAccessToken) -> Self {
        Self {
            id: token.id,
            note: token.note,
            policy: token.policy,
            uses: token.uses,
            max_uses: token.max_uses,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            created_at: token.created_at,
        }
    }
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<TokenDocument>, Problem> {
    list_tokens(&app, &query).await
}

/// One page of the tokens.
pub(in crate::admin) async fn list_tokens(app: &App, query: &ListQuery) -> Result<Page<TokenDocument>, Problem> {
    let span = Span::<Uuid>::read(query.limit, query.cursor.as_deref())?;
    let read = app.postgres.list_initial_access_tokens(span.after, span.to_read()).await?;
    span.page(read, |token| token.id, TokenDocument::new)
}

async fn post(
    State(app): State<App>,
    caller: Caller,
    Creation { body, key }: Creation<TokenInput>,
) -> Result<Created, Problem> {
    issue(&app, &caller, (body, key), app.clock.now()).await
}

async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    revoke(&app, &caller, id, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a token. One that was ended before stays so.
pub(in crate::admin) async fn revoke(app: &App, caller: &Caller, id: Uuid, now: DateTime<Utc>) -> Result<(), Problem> {
    let event = AuditEvent::new(AuditEventKind::InitialAccessTokenRevoked).to_object(id);
    let is_revoked = caller.recording(app, event, now).revoke_initial_access_token(id, now).await?;
    if is_revoked || app.postgres.has_initial_access_token(id).await? {
        return Ok(());
    }
    Err(Problem::not_found())
}

/// Makes a token: the answer is a [`NewToken`].
pub(in crate::admin) async fn issue(
    app: &App,
    caller: &Caller,
    (input, key): (TokenInput, Option<IdempotencyKey>),
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let secret = random::token();
    let token = InitialAccessToken {
        id: Uuid::from_bytes(random::bytes()),
        note: input.note,
        policy: input.policy,
        uses: 0,
        max_uses: input.max_uses,
        expires_at: now + TimeDelta::seconds(input.expires_in.into()),
        revoked_at: None,
        created_at: now,
    };
    let document = NewToken { document: TokenDocument::new(token.clone()), initial_access_token: secret };
    let hash = hash_initial_access_token(&document.initial_access_token);
    let answer = Answer::new(app, caller, key, &document, now)?;
    let event = AuditEvent::new(AuditEventKind::InitialAccessTokenIssued).to_object(token.id);
    let outcome = caller.recording(app, event, now).insert_initial_access_token(&token, hash, answer.kept()).await?;
    answer.settle(app, outcome)
}
