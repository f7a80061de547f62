//! The demo in the database: scopes, one API, three clients, two people. Repeating it changes only what differs.

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::demo::{Demo, DemoPerson};
use super::people::{admin_claims, user_claims};
use crate::app::App;
use crate::config::PasswordsConfig;
use crate::identity::local::passwords::Passwords;
use crate::model::catalog::{Localized, Resource, Scope};
use crate::model::client::{ApplicationType, Client, ClientAuthMethod, ClientSecret, ClientSettings, GrantType};
use crate::model::id::{ClientId, ResourceUri};
use crate::model::lifetimes::ClientLifetimes;
use crate::oauth::paths;
use crate::random;
use crate::storage::postgres::person::{NewPerson, username_key};

/// The audience of the demo's tokens.
pub const API: &str = "https://api.demo.example";
/// What may be done there.
pub const API_SCOPES: [&str; 2] = ["demo:read", "demo:write"];

const IDENTITY_SCOPES: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];
/// The printed token must not be worth stealing for long.
const MACHINE_TOKEN_SECONDS: u32 = 300;

/// Brings the database to what `demo` says.
pub async fn seed(app: &App, demo: &Demo, is_new: bool, passwords: &PasswordsConfig) -> anyhow::Result<()> {
    let now = app.clock.now();
    seed_catalog(app, now).await?;
    for (id, settings, secret) in clients(demo) {
        seed_client(app, id, settings, secret, now).await?;
    }
    let passwords = Passwords::new(passwords)?;
    for (person, claims, is_administrator) in [(&demo.user, user_claims(), false), (&demo.admin, admin_claims(), true)]
    {
        seed_person(app, &passwords, person, claims, is_administrator, is_new, now).await?;
    }
    app.registry.forget();
    Ok(())
}

async fn seed_catalog(app: &App, now: DateTime<Utc>) -> anyhow::Result<()> {
    let known = app.postgres.list_scopes().await?;
    for scope in scopes().into_iter().filter(|scope| !known.contains(scope)) {
        app.postgres.upsert_scope(&scope, now).await?;
    }
    let resource = |uri: &str, name| Resource {
        uri: ResourceUri::new(uri),
        name,
        scopes: API_SCOPES.map(String::from).to_vec(),
        restricted: false,
    };
    let known = app.postgres.list_resources().await?;
    let sample = resource(&app.url(paths::RESOURCE), localized("Sample resource", "Beispiel-Ressource"));
    for resource in [resource(API, localized("Demo API", "Demo-API")), sample] {
        if !known.contains(&resource) {
            app.postgres.upsert_resource(&resource, now).await?;
        }
    }
    Ok(())
}

fn scopes() -> Vec<Scope> {
    let texts = [
        ("demo:read", "Read your demo data", "Ihre Demo-Daten lesen"),
        ("demo:write", "Change your demo data", "Ihre Demo-Daten ändern"),
    ];
    let scope = |(name, en, de)| Scope { name: String::from(name), description: localized(en, de), published: true };
    texts.into_iter().map(scope).collect()
}

fn localized(en: &str, de: &str) -> Localized {
    Localized::from([("en".into(), en.into()), ("de".into(), de.into())])
}

fn clients(demo: &Demo) -> [(&str, ClientSettings, Option<&str>); 3] {
    let clients = &demo.clients;
    let for_people: Vec<_> = IDENTITY_SCOPES.into_iter().chain(API_SCOPES).map(String::from).collect();
    let with_refresh = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    let home = format!("{}/", demo.issuer);
    let browser = ClientSettings {
        client_name: localized("Demo application", "Demo-Anwendung"),
        client_uri: Some(home.clone()),
        redirect_uris: clients.browser.redirect_uris.clone(),
        post_logout_redirect_uris: vec![home],
        grant_types: with_refresh.clone(),
        token_endpoint_auth_method: ClientAuthMethod::None,
        scopes: for_people.clone(),
        ..ClientSettings::default()
    };
    let web = ClientSettings {
        client_name: localized("Demo web server", "Demo-Webserver"),
        // Its address is on this machine, where there is no https.
        application_type: ApplicationType::Native,
        redirect_uris: clients.web.redirect_uris.clone(),
        grant_types: with_refresh,
        scopes: for_people,
        ..ClientSettings::default()
    };
    let machine = ClientSettings {
        client_name: localized("Demo machine", "Demo-Maschine"),
        grant_types: vec![GrantType::ClientCredentials],
        scopes: API_SCOPES.map(String::from).to_vec(),
        serves: vec![ResourceUri::new(API)],
        lifetimes: ClientLifetimes { access_token: Some(MACHINE_TOKEN_SECONDS), ..ClientLifetimes::default() },
        ..ClientSettings::default()
    };
    [
        (&clients.browser.client_id, browser, None),
        (&clients.web.client_id, web, Some(&clients.web.client_secret)),
        (&clients.machine.client_id, machine, Some(&clients.machine.client_secret)),
    ]
}

async fn seed_client(
    app: &App,
    id: &str,
    settings: ClientSettings,
    secret: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let id = ClientId::new(id);
    let found = app.postgres.find_client(&id).await?;
    let mut secrets = Vec::new();
    if let Some(secret) = secret {
        let key_id = app.master_keys.current();
        let mac = app.master_keys.client_secret_mac(key_id, &id, secret).context("the current master key")?;
        let kept = found.iter().flat_map(|client| &client.secrets).find(|kept| kept.mac == mac);
        let fresh = || ClientSecret { id: Uuid::from_bytes(random::bytes()), mac, key_id, expires_at: None };
        secrets.push(kept.cloned().unwrap_or_else(fresh));
    }
    let generation = found.as_ref().map_or(0, |client| client.generation);
    let registered_through = found.as_ref().and_then(|client| client.registered_through);
    let client = Client { id, enabled: true, settings, secrets, generation, registered_through };
    match found {
        Some(found) if found == client => {}
        Some(_) => {
            app.postgres.update_client(&client, now).await?;
        }
        None => app.postgres.insert_client(&client, now).await?,
    }
    Ok(())
}

async fn seed_person(
    app: &App,
    passwords: &Passwords,
    person: &DemoPerson,
    claims: Map<String, Value>,
    is_administrator: bool,
    is_new: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let found = app.postgres.find_credentials(&username_key(&person.username)).await?;
    if found.is_some() && !is_new {
        return Ok(());
    }
    let phc = passwords.hash(&SecretString::from(person.password.clone())).await?;
    match found {
        // demo.json is gone and with it the password.
        Some(found) => {
            app.postgres.update_password(&found.subject, phc.as_str(), now).await?;
        }
        None => {
            let phc = phc.as_str().to_owned();
            let new = NewPerson { username: person.username.clone(), claims, is_administrator, phc };
            if app.postgres.insert_person(&new, now).await?.is_none() {
                bail!("the account {} is disabled\n  mend: `ostiary dev --reset`", person.username);
            }
        }
    }
    Ok(())
}
