//! Asking for a client: what may be asked, and how the secret travels from the approval to the person.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::keys::master_key::{MasterKeys, Purpose, SealError};
use crate::model::client::{ApplicationType, ClientAuthMethod, ClientSettings};
use crate::model::id::{ClientId, SubjectId};
use crate::protocol::client_metadata::{self, Violation};
use crate::random;
use crate::storage::StoreError;

/// The most requests of one person that wait for a decision.
const MOST_OPEN: i64 = 5;

/// The longest that a person may say what they need a client for, in characters.
pub const MAX_REASON: usize = 1000;

/// The kinds of application that a person can ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AskedKind {
    /// It runs on a server, which keeps its secret.
    #[default]
    Server,
    /// It runs in a browser and has no secret.
    Browser,
    /// It is installed on a device and has no secret (RFC 8252).
    Installed,
}

impl AskedKind {
    /// Every kind, as forms list them.
    pub const ALL: [Self; 3] = [Self::Server, Self::Browser, Self::Installed];

    /// The word in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Browser => "browser",
            Self::Installed => "installed",
        }
    }

    /// The kind of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a person asks for.
pub struct Asked<'a> {
    /// What people will know the application by.
    pub name: &'a str,
    /// Where it runs.
    pub kind: AskedKind,
    /// Its redirect URIs.
    pub redirect_uris: Vec<String>,
    /// What it is for.
    pub reason: &'a str,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskOutcome {
    /// It waits for an administrator.
    Asked,
    /// It cannot be asked: where and what.
    Refused(Vec<Violation>),
    /// Too many requests of the person wait already.
    TooMany,
}

/// Credentials, told once.
pub struct Credentials {
    /// The client.
    pub client_id: ClientId,
    /// Its secret; absent for a client that has none.
    pub client_secret: Option<String>,
}

impl Asked<'_> {
    /// What the client would register: the defaults, and nothing beyond. Neither the admin API nor doing without consent is
    /// anything that can be asked for here.
    fn settings(&self) -> ClientSettings {
        let is_public = self.kind != AskedKind::Server;
        ClientSettings {
            client_name: [("en".to_owned(), self.name.trim().to_owned())].into(),
            redirect_uris: self.redirect_uris.clone(),
            application_type: match self.kind {
                AskedKind::Installed => ApplicationType::Native,
                AskedKind::Server | AskedKind::Browser => ApplicationType::Web,
            },
            token_endpoint_auth_method: if is_public {
                ClientAuthMethod::None
            } else {
                ClientAuthMethod::ClientSecretBasic
            },
            ..ClientSettings::default()
        }
    }
}

/// Asks for a client.
pub async fn ask(
    app: &App,
    subject: &SubjectId,
    asked: &Asked<'_>,
    now: DateTime<Utc>,
) -> Result<AskOutcome, StoreError> {
    let settings = asked.settings();
    let mut violations = client_metadata::violations(&settings);
    let reason = asked.reason.trim();
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.contains(is_control) {
        violations.push(("/reason".to_owned(), format!("it must have 1 to {MAX_REASON} characters")));
    }
    if !violations.is_empty() {
        return Ok(AskOutcome::Refused(violations));
    }
    let id = Uuid::from_bytes(random::bytes());
    let is_asked = app.postgres.insert_access_request((id, subject), &settings, reason, MOST_OPEN, now).await?;
    Ok(if is_asked { AskOutcome::Asked } else { AskOutcome::TooMany })
}

/// Hands the credentials of an approved request to the person who asked, once.
pub async fn deliver(
    app: &App,
    id: Uuid,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> Result<Option<Credentials>, StoreError> {
    let Some(delivery) = app.postgres.deliver_access_request(id, subject, now).await? else {
        return Ok(None);
    };
    let client_secret = delivery.sealed_secret.map(|sealed| open_secret(&app.master_keys, id, &sealed)).transpose()?;
    Ok(Some(Credentials { client_id: delivery.client_id, client_secret }))
}

/// The secret as it waits in the row.
pub fn seal_secret(keys: &MasterKeys, id: Uuid, secret: &str) -> Result<Vec<u8>, SealError> {
    keys.seal(Purpose::Admin, &aad(id), secret.as_bytes())
}

fn open_secret(keys: &MasterKeys, id: Uuid, sealed: &[u8]) -> Result<String, StoreError> {
    let plain = keys.open(Purpose::Admin, &aad(id), sealed);
    let plain = plain.ok_or_else(|| StoreError::corrupt("the secret of a request cannot be opened"))?;
    String::from_utf8(plain.to_vec()).map_err(StoreError::corrupt)
}

fn aad(id: Uuid) -> Vec<u8> {
    format!("access_request.sealed_secret {id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::ConsentPolicy;

    #[test]
    fn what_is_asked_for_is_the_default_and_nothing_beyond() {
        for kind in AskedKind::ALL {
            let uris = vec!["https://a.example/callback".to_owned()];
            let settings = Asked { name: " Notes ", kind, redirect_uris: uris, reason: "notes" }.settings();
            assert_eq!(settings.client_name["en"], "Notes");
            assert_eq!(settings.consent, ConsentPolicy::Remembered);
            assert!(settings.resources.is_empty() && settings.scopes == ["openid", "profile", "email"]);
            let is_public = settings.token_endpoint_auth_method == ClientAuthMethod::None;
            assert_eq!(is_public, kind != AskedKind::Server);
            assert_eq!(AskedKind::from_name(kind.as_str()), Some(kind));
        }
    }
}
