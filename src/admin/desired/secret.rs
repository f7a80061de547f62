//! Secrets of the clients of a document: made up, or held by a file.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::diff::Step;
use super::document::DesiredClient;
use super::{GeneratedSecret, Key};
use crate::admin::clients::secret_of;
use crate::app::App;
use crate::http::problem::Violation;
use crate::keys::private_file;
use crate::model::client::Client;
use crate::random;
use crate::storage::StoreError;
use crate::storage::postgres::applied_policy::PolicyChanges;

/// How long a secret that its file no longer holds goes on.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// The shortest secret that a file may hold: the one that we make has 43 characters.
const SHORTEST_SECRET: usize = 32;

/// Where the secret of a client comes from.
pub(super) enum Secret {
    /// It has none.
    None,
    /// It is made up when the client is.
    Generated,
    /// A file holds it.
    Given(SecretString),
}

impl Secret {
    /// The secret of a client of the document. `folder` is where relative paths begin.
    pub(super) fn read(client: &DesiredClient, folder: &Path) -> Result<Self, Violation> {
        let has_secret = client.settings.token_endpoint_auth_method.has_secret();
        let Some(file) = &client.secret_file else {
            return Ok(if has_secret { Self::Generated } else { Self::None });
        };
        let at = |what: String| Violation::new(format!("{}/client_secret_file", Key::client(&client.id)), what);
        let text = private_file::read(&folder.join(file)).map_err(|error| at(error.to_string()))?;
        let secret = text.trim();
        if secret.len() < SHORTEST_SECRET || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(at(format!("the secret must be {SHORTEST_SECRET} visible ASCII characters or more")));
        }
        Ok(Self::Given(SecretString::from(secret.to_owned())))
    }

    /// Adds a client that is made or changed.
    pub(super) fn add_changed(
        &self,
        app: &App,
        client: &DesiredClient,
        step: &Step,
        changes: &mut PolicyChanges,
        generated: &mut Vec<GeneratedSecret>,
    ) -> Result<(), StoreError> {
        let DesiredClient { id, enabled, settings, .. } = client;
        if !matches!(step, Step::Create { .. }) {
            changes.changed_clients.push((id.clone(), *enabled, settings.clone()));
            return Ok(());
        }
        let secret = match self {
            Self::None => None,
            Self::Given(secret) => Some(secret.clone()),
            Self::Generated => {
                let secret = SecretString::from(random::token());
                generated.push(GeneratedSecret { client_id: id.clone(), secret: secret.clone() });
                Some(secret)
            }
        };
        let kept = secret.map(|secret| secret_of(&app.master_keys, id, secret.expose_secret()));
        let secrets = kept.transpose().map_err(|_| no_key())?.into_iter().collect();
        let (id, settings) = (id.clone(), settings.clone());
        changes.new_clients.push(Client {
            id,
            enabled: *enabled,
            settings,
            secrets,
            generation: 0,
            registered_through: None,
        });
        Ok(())
    }

    /// Gives a client that is there the secret of its file, unless that is one of its secrets already.
    pub(super) async fn add_rotated(
        &self,
        app: &App,
        client: &DesiredClient,
        changes: &mut PolicyChanges,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let Self::Given(secret) = self else { return Ok(false) };
        let stored = app.postgres.find_client(&client.id).await?;
        let is_live = stored.iter().flat_map(|client| &client.secrets).any(|kept| {
            let mac = app.master_keys.client_secret_mac(kept.key_id, &client.id, secret.expose_secret());
            mac == Some(kept.mac) && kept.expires_at.is_none()
        });
        if is_live {
            return Ok(false);
        }
        let kept = secret_of(&app.master_keys, &client.id, secret.expose_secret()).map_err(|_| no_key())?;
        changes.new_secrets.push((client.id.clone(), kept, now + OVERLAP));
        Ok(true)
    }
}

fn no_key() -> StoreError {
    StoreError::corrupt("the current master key is missing")
}
