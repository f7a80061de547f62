//! Choosing a password: with a ticket, or by proving the one before.
//!
//! Each attempt is reserved at the [`super::throttle`] before any work is done for it, like a sign-in: a ticket is too long
//! to be guessed, but the hashing that it leads to costs the same.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::device::Device;
use super::throttle::{self, Admission, Network, Reserved};
use crate::app::App;
use crate::identity::backend::PasswordOutcome as Proof;
use crate::identity::local::password_policy::PasswordFlaw;
use crate::identity::local::passwords::Phc;
use crate::identity::local::people::{LocalPeople, NewPassword};
use crate::model::id::SubjectId;
use crate::random;
use crate::storage::StoreError;
use crate::storage::postgres::password_ticket::{PasswordOutcome, TicketHolder};
use crate::storage::postgres::person::username_key;

/// The page on which a password is chosen.
pub const PAGE: &str = "/account/password";

/// A ticket, as its holder has it. Has no `Debug`: it is a secret.
pub struct Ticket(String);

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The password is stored, and everything that the person had has ended.
    Done,
    /// The password may not be chosen.
    Refused(PasswordFlaw),
    /// The ticket does not work, or does no longer.
    Over,
    /// The password before is another one.
    Unproven,
    /// Too many failures: not before that time has passed.
    Throttled(Duration),
    /// Too many passwords are being hashed: again in a moment.
    Busy,
}

/// Where an attempt comes from.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The client's network, see `http::client_ip`.
    pub network: &'a Network,
    /// The device cookie, as it was sent.
    pub device: Option<&'a str>,
}

impl Ticket {
    const LENGTH: usize = 43;

    /// A new one.
    pub fn new() -> Self {
        Self(random::token())
    }

    /// What somebody presents, if it can be a ticket at all.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ticket = text.len() == Self::LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        is_ticket.then(|| Self(text.to_owned()))
    }

    /// The text, for the link and for the cookie.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the store knows of it.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        hash
    }

    /// The address that an administrator passes on.
    pub fn link(&self, app: &App) -> String {
        app.url(&format!("{PAGE}?ticket={}", self.0))
    }
}

impl Default for Ticket {
    fn default() -> Self {
        Self::new()
    }
}

/// Chooses a password with a ticket, which is used up only when the password is stored.
pub async fn choose_with_ticket(
    app: &App,
    people: &LocalPeople,
    (ticket, password): (&Ticket, &SecretString),
    origin: Origin<'_>,
    now: DateTime<Utc>,
) -> Result<Chosen, StoreError> {
    let hash = ticket.hash();
    let account = format!("ticket {}", URL_SAFE_NO_PAD.encode(hash));
    let reserved = match reserve(app, &account, origin, now).await? {
        Ok(reserved) => reserved,
        Err(wait) => return Ok(Chosen::Throttled(wait)),
    };
    let chosen = match app.postgres.find_ticket_holder(&hash, now).await? {
        Some(holder) => redeem(app, people, (&holder, &hash), password, now).await?,
        None => Chosen::Over,
    };
    finish(app, reserved, chosen, now).await
}

async fn redeem(
    app: &App,
    people: &LocalPeople,
    (holder, hash): (&TicketHolder, &[u8; 32]),
    password: &SecretString,
    now: DateTime<Utc>,
) -> Result<Chosen, StoreError> {
    let phc = match accept(people, password, &holder.username).await? {
        Ok(phc) => phc,
        Err(chosen) => return Ok(chosen),
    };
    match app.postgres.redeem_password_ticket(&holder.subject, hash, phc.as_str(), now).await? {
        PasswordOutcome::Done(()) => {
            app.outbox_bell.notify_one();
            Ok(Chosen::Done)
        }
        PasswordOutcome::Absent | PasswordOutcome::Disabled | PasswordOutcome::OutOfReach => Ok(Chosen::Over),
    }
}

/// Changes the password of the person with that subject and username, who proves the one before.
pub async fn change(
    app: &App,
    people: &LocalPeople,
    (subject, username): (&SubjectId, &str),
    (before, password): (&SecretString, &SecretString),
    origin: Origin<'_>,
    now: DateTime<Utc>,
) -> Result<Chosen, StoreError> {
    let reserved = match reserve(app, &username_key(username), origin, now).await? {
        Ok(reserved) => reserved,
        Err(wait) => return Ok(Chosen::Throttled(wait)),
    };
    let chosen = match app.identity.verify_password(username, before, now).await? {
        Proof::Verified(person) if person.subject == *subject => match accept(people, password, username).await? {
            Ok(phc) => {
                let generation = person.generation;
                let is_changed = app.postgres.change_own_password(subject, generation, phc.as_str(), now).await?;
                app.outbox_bell.notify_one();
                if is_changed { Chosen::Done } else { Chosen::Unproven }
            }
            Err(chosen) => chosen,
        },
        Proof::Verified(_) | Proof::Refused(_) => Chosen::Unproven,
        Proof::Busy => Chosen::Busy,
    };
    finish(app, reserved, chosen, now).await
}

async fn accept(
    people: &LocalPeople,
    password: &SecretString,
    username: &str,
) -> Result<Result<Phc, Chosen>, StoreError> {
    Ok(match people.accept_password(password, username).await? {
        NewPassword::Accepted(phc) => Ok(phc),
        NewPassword::Refused(flaw) => Err(Chosen::Refused(flaw)),
        NewPassword::Busy => Err(Chosen::Busy),
    })
}

async fn reserve(
    app: &App,
    account: &str,
    origin: Origin<'_>,
    now: DateTime<Utc>,
) -> Result<Result<Reserved, Duration>, StoreError> {
    let device = Device::from_cookie(&app.master_keys, origin.device);
    let who = throttle::Attempt { network: origin.network, account, device: device.known_at(account, now) };
    Ok(match throttle::reserve(app.state.as_ref(), &app.config.throttle, who, now).await? {
        Admission::Admitted(reserved) => Ok(reserved),
        Admission::Wait(wait) => Err(wait),
    })
}

/// Only what a guess could have been stays counted.
async fn finish(app: &App, reserved: Reserved, chosen: Chosen, now: DateTime<Utc>) -> Result<Chosen, StoreError> {
    match chosen {
        Chosen::Over | Chosen::Unproven => reserved.count_failure(app.state.as_ref(), now).await?,
        Chosen::Done | Chosen::Refused(_) | Chosen::Throttled(_) | Chosen::Busy => {
            reserved.refund(app.state.as_ref(), now).await?;
        }
    }
    Ok(chosen)
}
