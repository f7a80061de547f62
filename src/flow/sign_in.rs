//! Signing in with a username and a password.
//!
//! 1. The attempt is reserved at the [`super::throttle`], before any work is done for it.
//! 2. The people backend checks the password.
//! 3. The session row is written; whoever signs in again in the same browser keeps their session, with a new `auth_time`.
//! 4. Only then is the attempt refunded and the browser remembered.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::device::Device;
use super::logout;
use super::throttle::{self, Admission, Network};
use crate::app::App;
use crate::identity::backend::{PasswordOutcome, VerifiedPerson};
use crate::identity::local::password_policy;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::id::{Sid, SubjectId};
use crate::model::session::{Authentication, AuthenticationMethod, EndReason, Session, SignedIn};
use crate::random;
use crate::storage::StoreError;
use crate::storage::postgres::person::username_key;

/// Nobody is called by more bytes than an address of electronic mail can have (RFC 5321 section 4.5.3.1).
const LONGEST_USERNAME: usize = 320;

/// The context class when none that is configured is reached.
const ACR: &str = "urn:ostiary:acr:pwd";

/// What somebody typed, and where. Has no `Debug`: it holds a cookie.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The name, as typed.
    pub username: &'a str,
    /// The password.
    pub password: &'a SecretString,
    /// The client's network.
    pub network: &'a Network,
    /// The device cookie, as it was sent.
    pub device: Option<&'a str>,
    /// Where it comes from, for the record.
    pub origin: &'a Origin,
    /// Who is signed in in this browser.
    pub present: Option<&'a SignedIn>,
}

/// What became of it.
#[derive(Debug)]
pub enum SignIn {
    /// They are signed in.
    Done(Box<Done>),
    /// Unknown user, wrong password or disabled account.
    Refused,
    /// Too many failures: not before that time has passed.
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Too many passwords are being checked: again in a moment.
    Busy,
}

/// A sign-in that succeeded.
pub struct Done {
    /// What the browser's session is to hold.
    pub signed_in: SignedIn,
    /// The device cookie's new value, to be kept for [`device::LIFETIME`](super::device::LIFETIME).
    pub device_cookie: Option<String>,
}

/// Without the cookie.
impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").field("signed_in", &self.signed_in).finish_non_exhaustive()
    }
}

/// Signs somebody in.
pub async fn sign_in(app: &App, attempt: Attempt<'_>, now: DateTime<Utc>) -> Result<SignIn, StoreError> {
    if !is_plausible(&attempt) {
        return Ok(SignIn::Refused);
    }
    let account = username_key(attempt.username);
    let device = Device::from_cookie(&app.master_keys, attempt.device);
    let state = app.state.as_ref();
    let who = throttle::Attempt { network: attempt.network, account: &account, device: device.known_at(&account, now) };
    let reserved = match throttle::reserve(state, &app.config.throttle, who, now).await? {
        Admission::Admitted(reserved) => reserved,
        Admission::Wait(retry_after) => return Ok(SignIn::Throttled { retry_after }),
    };
    let begun = match app.identity.verify_password(attempt.username, attempt.password, now).await {
        Ok(PasswordOutcome::Verified(person)) => begin_session(app, &person, attempt.present, now).await,
        Ok(PasswordOutcome::Refused(subject)) => {
            reserved.count_failure(state, now).await?;
            note_failure(app, subject, attempt.origin, now);
            return Ok(SignIn::Refused);
        }
        Ok(PasswordOutcome::Busy) => {
            reserved.refund(state, now).await?;
            return Ok(SignIn::Busy);
        }
        Err(error) => Err(error),
    };
    reserved.refund(state, now).await?;
    let device_cookie = device.signed_in_to(&account, now).to_cookie(&app.master_keys);
    let signed_in = begun?;
    let event = AuditEvent::new(AuditEventKind::SignedIn).to_subject(&signed_in.subject).to_object(signed_in.sid);
    let actor = Actor::Person(signed_in.subject.clone());
    app.audit.note(AuditRecord { event, actor, origin: attempt.origin.clone(), happened_at: now });
    Ok(SignIn::Done(Box::new(Done { signed_in, device_cookie })))
}

/// What was typed as a name is not recorded: it may have been a password.
fn note_failure(app: &App, subject: Option<SubjectId>, origin: &Origin, now: DateTime<Utc>) {
    let event = AuditEvent { subject, ..AuditEvent::new(AuditEventKind::SignInFailed) };
    app.audit.note(AuditRecord { event, actor: Actor::Stranger, origin: origin.clone(), happened_at: now });
}

/// Whether it can be anyone's name and password. What cannot is refused like a wrong one and costs nothing.
fn is_plausible(attempt: &Attempt<'_>) -> bool {
    let password = attempt.password.expose_secret();
    let name = attempt.username.trim();
    (1..=LONGEST_USERNAME).contains(&name.len())
        && (1..=password_policy::MAX_LENGTH).contains(&password.len())
        && !name.contains('\0')
        && !password.contains('\0')
}

async fn begin_session(
    app: &App,
    person: &VerifiedPerson,
    present: Option<&SignedIn>,
    now: DateTime<Utc>,
) -> Result<SignedIn, StoreError> {
    let amr = vec![AuthenticationMethod::Pwd.as_str().to_owned()];
    let acr = app.config.oidc.reached_by(&amr).next().unwrap_or(ACR).to_owned();
    let mut session = Session {
        sid: new_sid(),
        subject: person.subject.clone(),
        generation: person.generation,
        authentication: Authentication { auth_time: now, amr, acr },
        seen_at: now,
        expires_at: now + app.config.sessions.lifetime,
        ended_at: None,
    };
    let same = present.filter(|present| present.subject == person.subject && present.generation == person.generation);
    if let Some(same) = same {
        // The clients that know this session go on knowing it: logging out must reach them.
        session.sid = same.sid;
        if app.postgres.renew_session(&session, now).await? {
            return Ok(SignedIn::from(&session));
        }
        session.sid = new_sid();
    }
    app.postgres.insert_session(&session, now).await?;
    if let Some(replaced) = present {
        logout::end_session(app, replaced.sid, EndReason::Replaced, now).await?;
    }
    Ok(SignedIn::from(&session))
}

fn new_sid() -> Sid {
    Sid(uuid::Builder::from_random_bytes(random::bytes()).into_uuid())
}

#[cfg(test)]
pub(crate) mod tests;
