//! `ostiary bootstrap`: the first administrator and the first machine client, made once.
//!
//! The secrets go to a terminal or into a file that only its owner may read, and nowhere else: not through a pipe that may end
//! in a log. They are written before the database commits, under a name of their own beside the file, so that no crash can leave
//! an account whose password nobody knows; the file gets its name afterwards. So of two that run at once with one file, one makes
//! the file and the other one leaves it alone.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::admin;
use crate::admin::users::is_username;
use crate::app::App;
use crate::identity::local::passwords::Passwords;
use crate::keys::private_file::{self, FileError};
use crate::model::admin_scope::{AdminArea, AdminScope};
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::client::{Client, ClientSecret, ClientSettings, GrantType};
use crate::model::id::{ClientId, ResourceUri, SubjectId};
use crate::random;
use crate::storage::StoreError;
use crate::storage::postgres::installation::Begun;
use crate::storage::postgres::person::NewPerson;

/// What the first ones are called, and where their secrets go.
#[derive(Debug, Args)]
pub struct FirstAdministrator {
    /// The name that the administrator signs in with
    #[arg(long, default_value = "admin")]
    username: String,
    /// The identifier of the machine client
    #[arg(long, default_value = "operator")]
    client_id: String,
    /// The file that the secrets are written to, readable by its owner alone; without it they are shown on the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

struct Secrets {
    password: SecretString,
    client_secret: SecretString,
}

/// Makes both, or says when that was done.
pub async fn begin(app: &App, options: &FirstAdministrator) -> anyhow::Result<()> {
    if let Some(at) = app.postgres.find_bootstrapped_at().await? {
        println!("{}", nothing_to_do(at));
        return Ok(());
    }
    options.check()?;
    let secrets = Secrets { password: random::token().into(), client_secret: random::token().into() };
    let passwords = Passwords::new(&app.config.passwords)?;
    let phc = passwords.hash(&secrets.password).await?;
    let person = NewPerson {
        username: options.username.clone(),
        claims: Map::new(),
        is_administrator: true,
        phc: phc.as_str().to_owned(),
    };
    let client = machine(app, options, &secrets)?;
    let draft = options.output.as_deref().map(Draft::of);
    if let Some(draft) = &draft {
        if draft.file.exists() {
            // Whoever ran at the same time may have made it a moment ago.
            return match app.postgres.find_bootstrapped_at().await? {
                Some(at) => {
                    println!("{}", nothing_to_do(at));
                    Ok(())
                }
                None => Err(FileError::Exists(draft.file.to_owned()).into()),
            };
        }
        private_file::create(&draft.path, format!("{:#}\n", options.document(app, &secrets)).as_bytes())?;
    }
    let now = app.clock.now();
    let record = AuditRecord {
        event: AuditEvent::new(AuditEventKind::AdministrationBegun).to_client(&client.id).to_object(&person.username),
        actor: Actor::Operator,
        origin: Origin::default(),
        happened_at: now,
    };
    let begun = app.postgres.recording(record).begin_administration(&person, &client, now).await;
    options.conclude(app, &secrets, draft.as_ref(), begun)
}

fn nothing_to_do(at: DateTime<Utc>) -> String {
    format!("nothing to do: it was done at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Where the secrets are until it is known that they are good for something.
struct Draft<'a> {
    file: &'a Path,
    path: PathBuf,
}

impl<'a> Draft<'a> {
    fn of(file: &'a Path) -> Self {
        let mut path = file.as_os_str().to_owned();
        path.push(format!(".{}", random::id()));
        Self { file, path: path.into() }
    }

    fn keep(&self) -> anyhow::Result<()> {
        // A link, and no renaming: that would put it in the place of another file.
        fs::hard_link(&self.path, self.file).with_context(|| {
            format!("{} cannot be made; the secrets are in {}", self.file.display(), self.path.display())
        })?;
        Ok(fs::remove_file(&self.path)?)
    }
}

impl FirstAdministrator {
    fn check(&self) -> anyhow::Result<()> {
        if !is_username(&self.username) {
            bail!("--username is empty, very long or has control characters\n  mend: name the administrator");
        }
        let is_plain = self.client_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        if self.client_id.is_empty() || !is_plain || self.client_id.starts_with(SubjectId::PREFIX) {
            bail!(
                "--client-id must be letters, digits and -._~, and not begin with {}\n  mend: choose another one",
                SubjectId::PREFIX
            );
        }
        if self.output.is_none() && !io::stdout().is_terminal() {
            bail!(
                "the secrets would go to something that is not a terminal, where they may end in a log\n  mend: add \
                 `--output FILE`, which is made readable by its owner alone"
            );
        }
        Ok(())
    }

    fn conclude(
        &self,
        app: &App,
        secrets: &Secrets,
        draft: Option<&Draft<'_>>,
        begun: Result<Begun, StoreError>,
    ) -> anyhow::Result<()> {
        let forget = || draft.map_or(Ok(()), |draft| fs::remove_file(&draft.path));
        match begun {
            Ok(Begun::Made) => {
                draft.map_or(Ok(()), Draft::keep)?;
                self.tell(app, secrets)
            }
            Ok(Begun::Before(at)) => {
                forget()?;
                println!("{}", nothing_to_do(at));
                Ok(())
            }
            Ok(Begun::UsernameTaken) => {
                forget()?;
                bail!("there is an account {} already\n  mend: choose another name with --username", self.username)
            }
            Ok(Begun::ClientTaken) => {
                forget()?;
                bail!(
                    "there is or was a client {} already\n  mend: choose another one with --client-id",
                    self.client_id
                )
            }
            // Whether it was committed is unknown: what is in the file may be the only way in.
            Err(error @ StoreError::Unavailable(_)) => {
                let kept = draft.map(|draft| format!(" The secrets are in {}.", draft.path.display()));
                Err(error).with_context(|| {
                    format!(
                        "the database did not answer, so it is not known whether the administrator was made.{} Run it \
                         again: if it says that it was done, they are the right ones",
                        kept.unwrap_or_default()
                    )
                })
            }
            Err(error) => {
                forget()?;
                Err(error.into())
            }
        }
    }

    fn document(&self, app: &App, secrets: &Secrets) -> Value {
        json!({
            "issuer": app.issuer(),
            "administrator": {"username": self.username, "password": secrets.password.expose_secret()},
            "client": {"client_id": self.client_id, "client_secret": secrets.client_secret.expose_secret()},
            "resource": app.url(admin::PATH),
            "scopes": AdminArea::ALL.map(|area| area.full().name()),
        })
    }

    fn tell(&self, app: &App, secrets: &Secrets) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if let Some(file) = &self.output {
            let made = format!("made the administrator {} and the client {}", self.username, self.client_id);
            writeln!(out, "{made}; their secrets are in {}", file.display())?;
            return Ok(());
        }
        let (username, client_id) = (&self.username, &self.client_id);
        let (password, secret) = (secrets.password.expose_secret(), secrets.client_secret.expose_secret());
        let (token, resource) = (app.url("/token"), app.url(admin::PATH));
        writeln!(
            out,
            "These are shown once. Keep them in a safe place.\n\n  administrator  {username}\n  password       {password}\n\n  \
             client_id      {client_id}\n  client_secret  {secret}\n\nA token for the admin API:\n\n  curl -u {client_id} \
             {token} -d grant_type=client_credentials -d resource={resource}\n\n(curl asks for the password: it is the \
             client_secret.)"
        )?;
        Ok(())
    }
}

fn machine(app: &App, options: &FirstAdministrator, secrets: &Secrets) -> anyhow::Result<Client> {
    let id = ClientId::new(&options.client_id);
    let key_id = app.master_keys.current();
    let mac = app.master_keys.client_secret_mac(key_id, &id, secrets.client_secret.expose_secret());
    let mac = mac.context("the current master key is missing")?;
    let settings = ClientSettings {
        client_name: [("en".to_owned(), "Operator".to_owned())].into(),
        grant_types: vec![GrantType::ClientCredentials],
        scopes: AdminArea::ALL.into_iter().map(AdminArea::full).map(AdminScope::name).collect(),
        resources: vec![ResourceUri::new(app.url(admin::PATH))],
        ..ClientSettings::default()
    };
    let secret = ClientSecret { id: Uuid::from_bytes(random::bytes()), mac, key_id, expires_at: None };
    Ok(Client { id, enabled: true, settings, secrets: vec![secret], generation: 0, registered_through: None })
}
