//! `/admin/users/{subject}/password` and its like: setting a password, inviting to choose one, signing out everywhere.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::document::PasswordLink;
use super::{find, out_of_reach, people, reach};
use crate::admin::caller::Caller;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::idempotency::{Answer, Created, IdempotencyKey};
use crate::admin::json::{self, Creation, FromObject, Json};
use crate::admin::path::Path;
use crate::app::App;
use crate::flow::password::Ticket;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::identity::local::password_policy::{MAX_LENGTH, PasswordFlaw};
use crate::identity::local::passwords::Phc;
use crate::identity::local::people::{LocalPeople, NewPassword};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::id::SubjectId;
use crate::storage::postgres::password_ticket::{NewTicket, PasswordOutcome, TicketPurpose};

const PASSWORD: &str = "/admin/users/{subject}/password";
const TICKET: &str = "/admin/users/{subject}/password-ticket";
const SIGN_OUT: &str = "/admin/users/{subject}/sign-out";

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let full = AdminArea::Users.full();
    endpoints
        .put(
            PASSWORD,
            full,
            put,
            Doc::new("Give a person a password")
                .body::<PasswordInput>()
                .example(r#"{"password": "five words that nobody guesses"}"#),
        )
        .post(
            TICKET,
            full,
            post_ticket,
            Doc::new("Make a link with which a person chooses their password; links before stop working")
                .body::<TicketInput>()
                .example("{}")
                .creates::<PasswordLink>()
                .refuses(&[409]),
        )
        .post(SIGN_OUT, full, post_sign_out, Doc::new("Sign a person out everywhere"))
}

/// A password to set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordInput {
    /// The password.
    password: String,
    /// Whether the person is signed out everywhere; absent: yes.
    sign_out: Option<bool>,
}

/// A password to set.
pub(in crate::admin) struct SetPassword {
    /// The password.
    pub(in crate::admin) password: SecretString,
    /// Whether the person is signed out everywhere.
    pub(in crate::admin) is_signing_out: bool,
}

/// A link to make: there is nothing to say of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TicketInput {}

impl FromObject for SetPassword {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let input: PasswordInput = json::read(Value::Object(object))?;
        Ok(Self { password: input.password.into(), is_signing_out: input.sign_out.unwrap_or(true) })
    }
}

impl FromObject for TicketInput {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        json::read(Value::Object(object))
    }
}

async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(subject): Path<SubjectId>,
    Json(input): Json<SetPassword>,
) -> Result<StatusCode, Problem> {
    set(&app, &caller, (&subject, &input), app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn post_ticket(
    State(app): State<App>,
    caller: Caller,
    Path(subject): Path<SubjectId>,
    Creation { body: TicketInput {}, key }: Creation<TicketInput>,
) -> Result<Created, Problem> {
    invite(&app, &caller, (&subject, key), app.clock.now()).await
}

async fn post_sign_out(
    State(app): State<App>,
    caller: Caller,
    Path(subject): Path<SubjectId>,
) -> Result<StatusCode, Problem> {
    sign_out(&app, &caller, &subject, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives somebody a password. Links that were made before stop working.
pub(in crate::admin) async fn set(
    app: &App,
    caller: &Caller,
    (subject, input): (&SubjectId, &SetPassword),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let record = find(app, subject).await?;
    let phc = accept_password(people(app)?, &input.password, &record.username).await?;
    let how = (reach(caller), input.is_signing_out);
    let store = caller.recording(app, AuditEvent::new(AuditEventKind::PasswordSet).to_subject(subject), now);
    done(app, store.set_password(subject, phc.as_str(), how, now).await?)
}

/// Makes a link with which somebody chooses their password, an invitation if they have none: the answer is a
/// [`PasswordLink`].
pub(in crate::admin) async fn invite(
    app: &App,
    caller: &Caller,
    (subject, key): (&SubjectId, Option<IdempotencyKey>),
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let record = find(app, subject).await?;
    let purpose = if record.has_password { TicketPurpose::Reset } else { TicketPurpose::Invitation };
    let (ticket, link) = new_link(app, purpose, now);
    let answer = Answer::new(app, caller, key, &link, now)?;
    let store = caller.recording(app, AuditEvent::new(AuditEventKind::PasswordLinkIssued).to_subject(subject), now);
    let outcome = store.issue_password_ticket(subject, &ticket, reach(caller), answer.kept(), now).await?;
    answer.settle(app, done(app, outcome)?)
}

/// Ends everything that somebody has: sessions, grants, tokens.
pub(in crate::admin) async fn sign_out(
    app: &App,
    caller: &Caller,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    find(app, subject).await?;
    let store = caller.recording(app, AuditEvent::new(AuditEventKind::PersonSignedOut).to_subject(subject), now);
    done(app, store.sign_out_person(subject, reach(caller), now).await?)
}

/// A fresh ticket as the store keeps it, and as it is passed on.
pub(super) fn new_link(app: &App, purpose: TicketPurpose, now: DateTime<Utc>) -> (NewTicket, PasswordLink) {
    let (ticket, expires_at) = (Ticket::new(), now + app.config.admin.password_ticket);
    let link = PasswordLink { url: ticket.link(app), purpose, expires_at };
    (NewTicket { hash: ticket.hash(), purpose, expires_at }, link)
}

/// Judges and hashes a password that somebody of that name is to have.
pub(super) async fn accept_password(
    people: &LocalPeople,
    password: &SecretString,
    username: &str,
) -> Result<Phc, Problem> {
    let flaw = match people.accept_password(password, username).await? {
        NewPassword::Accepted(phc) => return Ok(phc),
        NewPassword::Busy => {
            let detail = "too many passwords are being hashed, try again shortly";
            return Err(Problem::new(ProblemType::Unavailable).with_detail(detail));
        }
        NewPassword::Refused(flaw) => flaw,
    };
    let what = match flaw {
        PasswordFlaw::TooShort(least) => format!("it must have {least} characters at least"),
        PasswordFlaw::TooLong => format!("it may have {MAX_LENGTH} bytes at most, and no NUL among them"),
        PasswordFlaw::Common => "it is among those that are tried first".to_owned(),
        PasswordFlaw::LikeUsername => "it is little more than the username".to_owned(),
    };
    Err(Problem::invalid_body(vec![Violation::new("/password", what)]))
}

/// What was done; who has to hear of sessions that ended with it hears at once.
fn done<Done>(app: &App, outcome: PasswordOutcome<Done>) -> Result<Done, Problem> {
    match outcome {
        PasswordOutcome::Done(done) => {
            app.outbox_bell.notify_one();
            Ok(done)
        }
        PasswordOutcome::Absent => Err(Problem::not_found()),
        PasswordOutcome::Disabled => Err(Problem::new(ProblemType::Conflict).with_detail("the person is disabled")),
        PasswordOutcome::OutOfReach => Err(out_of_reach()),
    }
}
