//! `/admin/users`: the people whom this server keeps.
//!
//! - Only a caller that holds every admin scope in full may make, change, sign out or delete an administrator, or give one
//!   a password: an administrator in person, or a machine that could make itself one anyway. For anybody else a new password
//!   of an administrator would be a way to more rights.
//! - The last administrator who may sign in is never deleted, disabled or demoted. The statement of the change sees to it.
//! - A server that does not keep its people itself has none to manage, and answers 404.

// A person as JSON.
pub(in crate::admin) mod document;
// Passwords, invitations, signing out.
pub(in crate::admin) mod password;

pub use self::document::is_username;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use self::document::{NewUser, NewUserInput, RegisteredUser, UserChange, UserDocument, UserInput, changeable};
use self::password::{accept_password, new_link};
use super::caller::Caller;
use super::endpoint::{Doc, Endpoints};
use super::idempotency::{Answer, Created, IdempotencyKey};
use super::json::{Creation, FromObject, MergePatch};
use super::page::{Page, Span};
use super::path::Path;
use super::precondition::{Expected, etag};
use super::query::Query;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType};
use crate::identity::local::people::LocalPeople;
use crate::model::admin_scope::{AdminArea, AdminScopes};
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::id::SubjectId;
use crate::random;
use crate::storage::postgres::password_ticket::TicketPurpose;
use crate::storage::postgres::person_record::{FirstAccess, NewPersonRecord, PersonOutcome, PersonRecord, Reach};

const USERS: &str = "/admin/users";
const USER: &str = "/admin/users/{subject}";
const NEW_USER: &str = r#"{"username": "ada", "claims": {"name": "Ada Example", "email": "ada@example.org"}}"#;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Users.read(), AdminArea::Users.full());
    endpoints
        .get(USERS, read, get_page, Doc::new("List people").query::<ListQuery>().answers::<Page<UserDocument>>())
        .post(
            USERS,
            full,
            post,
            Doc::new("Register or invite a person")
                .body::<NewUserInput>()
                .example(NEW_USER)
                .creates_at_a_place::<RegisteredUser>()
                .refuses(&[409]),
        )
        .get(USER, read, get_one, Doc::new("Show a person").answers::<UserDocument>().tagged())
        .patch(
            USER,
            full,
            patch,
            Doc::new("Change, enable or disable a person")
                .patch::<UserInput>()
                .example(r#"{"claims": {"phone_number": "+49 30 123456"}, "enabled": false}"#)
                .answers::<UserDocument>()
                .tagged()
                .refuses(&[409]),
        )
        .delete(USER, full, delete_one, Doc::new("Delete a person").conditional().refuses(&[409]))
        .with(password::endpoints)
}

/// Which people to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only people whose username, name or email has this text in it.
    search: Option<String>,
}

async fn get_page(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<UserDocument>, Problem> {
    let span = Span::read(query.limit, query.cursor.as_deref())?;
    list(&app, query.search.as_deref(), &span).await
}

async fn get_one(State(app): State<App>, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    shown(find(&app, &subject).await?)
}

async fn post(
    State(app): State<App>,
    caller: Caller,
    Creation { body, key }: Creation<NewUser>,
) -> Result<Created, Problem> {
    create(&app, &caller, (body, key), app.clock.now()).await?.at(&app, USERS, "subject")
}

async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(subject): Path<SubjectId>,
    expected: Expected,
    patch: MergePatch,
) -> Result<Response, Problem> {
    let before = find_at(&app, &subject, expected).await?;
    let patched = patch.apply(changeable(&before));
    let user = UserChange::from_object(patched).map_err(Problem::invalid_body)?;
    shown(change(&app, &caller, (&before, &user), app.clock.now()).await?)
}

async fn delete_one(
    State(app): State<App>,
    caller: Caller,
    Path(subject): Path<SubjectId>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    let before = find_at(&app, &subject, expected).await?;
    delete(&app, &caller, &before, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of people in the order of their usernames; the key of a page is the last username of the one before.
pub(in crate::admin) async fn list(
    app: &App,
    search: Option<&str>,
    span: &Span<String>,
) -> Result<Page<UserDocument>, Problem> {
    people(app)?;
    // No name has a NUL in it, and Postgres would answer one with an error.
    if [search, span.after.as_deref()].into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Problem::invalid_parameter("a parameter has a NUL in it"));
    }
    let read = app.postgres.list_person_records(span.after.as_deref(), search, span.to_read()).await?;
    span.page(read, |record| record.username.clone(), UserDocument::new)
}

/// Somebody, as their rows stand.
pub(in crate::admin) async fn find(app: &App, subject: &SubjectId) -> Result<PersonRecord, Problem> {
    people(app)?;
    if subject.as_str().contains('\0') {
        return Err(Problem::not_found());
    }
    app.postgres.find_person_record(subject).await?.ok_or_else(Problem::not_found)
}

/// Somebody, if they are in the state that a change is for.
pub(in crate::admin) async fn find_at(
    app: &App,
    subject: &SubjectId,
    expected: Expected,
) -> Result<PersonRecord, Problem> {
    let record = find(app, subject).await?;
    expected.check(record.revision)?;
    Ok(record)
}

/// Registers somebody, with a password or with an invitation: the answer is a [`RegisteredUser`].
pub(in crate::admin) async fn create(
    app: &App,
    caller: &Caller,
    (new, key): (NewUser, Option<IdempotencyKey>),
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let people = people(app)?;
    let NewUser { user, password } = new;
    check_reach(caller, user.is_administrator)?;
    let phc = match &password {
        Some(password) => Some(accept_password(people, password, &user.username).await?),
        None => None,
    };
    let subject = SubjectId::new(format!("{}{}", SubjectId::PREFIX, random::id()));
    let (ticket, invitation) = new_link(app, TicketPurpose::Invitation, now);
    let document = UserDocument::unborn(subject.clone(), &user, phc.is_some(), now);
    let registered = RegisteredUser { user: document, invitation: phc.is_none().then_some(invitation) };
    let answer = Answer::new(app, caller, key, &registered, now)?;
    let access = phc.as_ref().map_or(FirstAccess::Ticket(&ticket), |phc| FirstAccess::Password(phc.as_str()));
    let new = NewPersonRecord { subject: &subject, change: user.as_change(), access };
    let event = AuditEvent::new(AuditEventKind::PersonRegistered).to_subject(&subject);
    let outcome = caller.recording(app, event, now).register_person(&new, answer.kept(), now).await?;
    answer.settle(app, outcome)
}

/// Changes somebody who is as `before` says. Disabling signs them out everywhere.
pub(in crate::admin) async fn change(
    app: &App,
    caller: &Caller,
    (before, user): (&PersonRecord, &UserChange),
    now: DateTime<Utc>,
) -> Result<PersonRecord, Problem> {
    // The change is for this revision, so that whoever became an administrator meanwhile is not changed.
    check_reach(caller, before.is_administrator || user.is_administrator)?;
    let event = AuditEvent::new(AuditEventKind::PersonChanged).to_subject(&before.subject);
    made(app, caller.recording(app, event, now).change_person(before, user.as_change(), now).await?)?;
    find(app, &before.subject).await
}

/// Deletes somebody who is as `before` says, and signs them out everywhere.
pub(in crate::admin) async fn delete(
    app: &App,
    caller: &Caller,
    before: &PersonRecord,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    check_reach(caller, before.is_administrator)?;
    let event = AuditEvent::new(AuditEventKind::PersonDeleted).to_subject(&before.subject);
    made(app, caller.recording(app, event, now).delete_person(before, now).await?)
}

/// The people, if they are kept here.
fn people(app: &App) -> Result<&LocalPeople, Problem> {
    let elsewhere =
        || Problem::not_found().with_detail("this server does not keep its people: manage them where they are kept");
    app.people.as_ref().ok_or_else(elsewhere)
}

/// Whom `caller` may touch.
fn reach(caller: &Caller) -> Reach {
    if caller.scopes.cover(&AdminScopes::all()) { Reach::Everybody } else { Reach::NoAdministrators }
}

fn check_reach(caller: &Caller, is_administrator: bool) -> Result<(), Problem> {
    if is_administrator && reach(caller) != Reach::Everybody { Err(out_of_reach()) } else { Ok(()) }
}

fn out_of_reach() -> Problem {
    Problem::new(ProblemType::Forbidden)
        .with_detail("only a caller that holds every admin scope may make or touch an administrator")
}

/// Whether a change was made; who has to hear of sessions that ended with it hears at once.
fn made(app: &App, outcome: PersonOutcome) -> Result<(), Problem> {
    match outcome {
        PersonOutcome::Changed => {
            app.outbox_bell.notify_one();
            Ok(())
        }
        PersonOutcome::Stale => Err(Problem::new(ProblemType::PreconditionFailed)),
        PersonOutcome::Absent => Err(Problem::not_found()),
        PersonOutcome::Taken => Err(Problem::new(ProblemType::AlreadyExists)),
        PersonOutcome::LastAdministrator => Err(Problem::new(ProblemType::Conflict)
            .with_detail("nobody who may sign in would be left to administer the server")),
    }
}

fn shown(record: PersonRecord) -> Result<Response, Problem> {
    Ok((etag(record.revision), Json(UserDocument::new(record))).into_response())
}
