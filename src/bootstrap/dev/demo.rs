//! `demo.json`: what a script needs in order to use the demo. Only its owner may read it.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::folder::write_private;
use crate::random;

/// The demo's people and clients, with the secrets that were made for them. Has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Demo {
    /// The issuer.
    pub issuer: String,
    /// A token of the machine client, got when the server started.
    pub access_token: String,
    /// Somebody with every standard claim.
    pub user: DemoPerson,
    /// Somebody who administers the server.
    pub admin: DemoPerson,
    /// The clients.
    pub clients: DemoClients,
}

/// Somebody who can sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoPerson {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The clients.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoClients {
    /// Public: the demo application at `/`.
    pub browser: DemoBrowserClient,
    /// Confidential, with refresh tokens that outlive the session.
    pub web: DemoWebClient,
    /// Acts for itself.
    pub machine: DemoMachineClient,
}

/// A public client.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoBrowserClient {
    /// Its identifier.
    pub client_id: String,
    /// Where responses may go.
    pub redirect_uris: Vec<String>,
}

/// A confidential client that people sign in to.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoWebClient {
    /// Its identifier.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where responses may go.
    pub redirect_uris: Vec<String>,
}

/// A confidential client without people.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoMachineClient {
    /// Its identifier.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

impl Demo {
    /// The demo of an earlier run with its secrets, or a new one; whether it is new. What depends on the issuer is as of now.
    pub fn open(path: &Path, issuer: &str) -> anyhow::Result<(Self, bool)> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let kept: Self = serde_json::from_slice(&bytes).with_context(|| {
                    format!("{} is not ours\n  mend: remove it; new passwords will be made", path.display())
                })?;
                let fresh = Self::new(issuer);
                let browser = fresh.clients.browser;
                Ok((Self { issuer: fresh.issuer, clients: DemoClients { browser, ..kept.clients }, ..kept }, false))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((Self::new(issuer), true)),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            access_token: String::new(),
            user: DemoPerson { username: "alice".into(), password: random::id() },
            admin: DemoPerson { username: "admin".into(), password: random::id() },
            clients: DemoClients {
                browser: DemoBrowserClient {
                    client_id: "demo-browser".into(),
                    redirect_uris: vec![format!("{issuer}/demo/callback")],
                },
                web: DemoWebClient {
                    client_id: "demo-web".into(),
                    client_secret: random::token(),
                    redirect_uris: vec!["http://127.0.0.1:8765/callback".into()],
                },
                machine: DemoMachineClient { client_id: "demo-machine".into(), client_secret: random::token() },
            },
        }
    }

    /// Writes it where only its owner can read it.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        write_private(path, &serde_json::to_vec_pretty(self)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_kept_and_addresses_follow_the_port() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("demo.json");
        let (first, is_new) = Demo::open(&path, "http://localhost:8000").unwrap();
        assert!(is_new);
        first.save(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let (second, is_new) = Demo::open(&path, "http://localhost:8001").unwrap();
        assert!(!is_new);
        assert_eq!(second.user.password, first.user.password);
        assert_eq!(second.clients.web.client_secret, first.clients.web.client_secret);
        assert_eq!(second.clients.browser.redirect_uris, ["http://localhost:8001/demo/callback"]);
        assert_eq!(second.issuer, "http://localhost:8001");
    }
}
