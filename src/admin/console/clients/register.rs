//! `/console/new/client`: a new client. First what it is, which settles how it authenticates and what it may do; then the
//! little that nobody else can know. Everything else has its default, and can be changed afterwards.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{CLIENTS, path_of, settings};
use crate::admin::clients;
use crate::admin::clients::document::NewClient;
use crate::admin::console::editor::Editor;
use crate::admin::console::field::{Choice, Field, Group, Kind};
use crate::admin::console::frame::{Frame, Room};
use crate::admin::console::secret::SecretPage;
use crate::admin::console::table::Pages;
use crate::admin::console::visit::Visit;
use crate::admin::json::{FromObject, MergePatch};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::ClientId;
use crate::storage::registry::Catalog;

/// Not below the list, where it would be the address of a client of that name.
const NEW: &str = "/console/new/client";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.form(NEW, AdminArea::Clients.full(), get, post)
}

/// What a client can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preset {
    Web,
    Browser,
    Native,
    Machine,
}

#[derive(Template)]
#[template(path = "console/presets.html", config = "src/http/pages/askama.toml")]
struct PresetsPage {
    frame: Frame,
    presets: [Preset; 4],
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let Some(preset) = Preset::find(visit.asked("preset")?.unwrap_or_default()) else {
        let frame = visit.frame(&app, Room::Clients).await?;
        return Ok(visit.page(&PresetsPage { frame, presets: Preset::ALL }));
    };
    let editor = preset.editor(app.registry.catalog(visit.now).await?.as_ref(), Visit::new_key());
    editor.show(&app, &visit, &Value::Object(preset.settings()), None).await
}

async fn post(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let preset = Preset::find(visit.typed("preset")?);
    let preset = preset.ok_or_else(|| Problem::invalid_parameter("the form does not say what the client is"))?;
    let editor = preset.editor(app.registry.catalog(visit.now).await?.as_ref(), visit.typed("key")?.to_owned());
    let typed = editor.typed(&visit)?;
    // Over nothing, so that what was left empty is absent and has its default.
    let object = MergePatch::new(typed.clone()).apply(preset.settings());
    let registered = match NewClient::from_object(object).map_err(Problem::invalid_body) {
        Ok(client) => clients::register(&app, &visit.caller, (client, visit.key(&app)?), visit.now).await,
        Err(problem) => Err(problem),
    };
    let registered: Value = match registered {
        Ok(created) => created.read()?,
        Err(problem) => return editor.refuse(&app, &visit, (typed, problem), None).await,
    };
    let text = |name: &str| registered.get(name).and_then(Value::as_str).map(str::to_owned);
    let client_id = text("client_id").unwrap_or_default();
    let secret = text("client_secret").map(|secret| ("client_secret", secret));
    let page = SecretPage {
        frame: visit.frame(&app, Room::Clients).await?,
        title: "The client is registered".to_owned(),
        note: match secret {
            Some(_) => {
                "The secret is shown this once. Put both where the application finds them; a lost secret cannot be looked up, only replaced."
            }
            None => "It has no secret: it proves itself by PKCE and by its redirect URIs.",
        },
        go_on: path_of(&ClientId::new(client_id.as_str())),
        facts: vec![("client_id", client_id), ("issuer", app.issuer().to_owned())],
        secret,
    };
    Ok(visit.page(&page))
}

impl Preset {
    const ALL: [Self; 4] = [Self::Web, Self::Browser, Self::Native, Self::Machine];

    fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Browser => "browser",
            Self::Native => "native",
            Self::Machine => "machine",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Web => "Web application",
            Self::Browser => "Browser app",
            Self::Native => "Native app",
            Self::Machine => "Machine",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Web => "Runs on a server, which keeps its secret. People sign in with it.",
            Self::Browser => "Runs in the browser alone and keeps no secret. People sign in with it.",
            Self::Native => "Is installed on a phone or a computer and keeps no secret. People sign in with it.",
            Self::Machine => "A program that acts for itself, without people.",
        }
    }

    fn signs_people_in(self) -> bool {
        self != Self::Machine
    }

    /// What follows from what it is.
    fn settings(self) -> Map<String, Value> {
        let people = json!(["authorization_code", "refresh_token"]);
        let (kind, method, grants, scopes) = match self {
            Self::Web => ("web", "client_secret_basic", people, json!(["openid", "profile", "email"])),
            Self::Browser => ("web", "none", people, json!(["openid", "profile", "email"])),
            Self::Native => ("native", "none", people, json!(["openid", "profile", "email"])),
            Self::Machine => ("web", "client_secret_basic", json!(["client_credentials"]), json!([])),
        };
        let settings = json!({
            "application_type": kind, "token_endpoint_auth_method": method, "grant_types": grants, "scopes": scopes,
        });
        if let Value::Object(settings) = settings { settings } else { Map::new() }
    }

    fn editor(self, catalog: &Catalog, key: String) -> Editor {
        let mut fields =
            vec![Field::new("client_name", "Name", "What people see, in the languages of the pages.", Kind::Texts)];
        if self.signs_people_in() {
            fields.push(settings::redirect_uris());
        }
        fields.push(settings::scopes(catalog));
        if !self.signs_people_in() {
            let resources = catalog.resources.iter().map(Choice::resource).collect();
            let hint = "None: every resource that is not restricted.";
            fields.push(Field::new("resources", "Resources", hint, Kind::Several(resources)));
        }
        let hint = "Letters, digits and -._~ or an https address. Left empty, one is made up. It stays for good.";
        fields.push(Field::new("client_id", "Identifier", hint, Kind::Line));
        Editor {
            room: Room::Clients,
            title: format!("New client: {}", self.title()),
            lede: "Everything else can be changed afterwards.",
            back: (CLIENTS.to_owned(), "Clients".to_owned()),
            button: "Register",
            hidden: vec![("preset", self.word().to_owned()), ("key", key)],
            groups: vec![Group { title: "", hint: "", fields }],
        }
    }
}
