//! What can be done to a key: making one, letting it sign, retiring it. The conditions of the life cycle hold; whoever passes
//! over them was told what breaks.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::{KEYS, short};
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::editor::Editor;
use crate::admin::console::field::{Choice, Field, Group, Kind, view};
use crate::admin::console::frame::Room;
use crate::admin::console::listing::below;
use crate::admin::console::table::Pages;
use crate::admin::console::time;
use crate::admin::console::visit::Visit;
use crate::admin::keys;
use crate::admin::keys::document::KeyDocument;
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::keys::lifecycle::Insistence;
use crate::model::admin_scope::AdminArea;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::KeyPurpose;

/// How it is said here that something is to be done all the same.
const INSIST: &str = "tick the box of the question";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let full = AdminArea::Keys.full();
    pages
        .form("/console/new/key", full, get_new, post_new)
        .form("/console/keys/{kid}/activate", full, get_activate, post_activate)
        .form("/console/keys/{kid}/retire", full, get_retire, post_retire)
}

fn editor() -> Editor {
    let algs = KeyAlg::ALL.map(|alg| Choice::new(alg.as_str(), alg.as_str())).into();
    let purpose = |purpose: KeyPurpose| {
        Choice::new(
            purpose.as_str(),
            match purpose {
                KeyPurpose::Tokens => "Tokens",
                KeyPurpose::Logout => "Logout tokens alone",
                KeyPurpose::Assertions => "What this server says to others",
                KeyPurpose::Encryption => "Nothing: requests are encrypted to it (ECDH-ES)",
            },
        )
    };
    let hint = "A purpose without a key of its own uses the one for tokens.";
    let fields = vec![
        Field::new("alg", "Algorithm", "", Kind::Choice(algs)),
        Field::new("purpose", "What it signs", hint, Kind::Choice(KeyPurpose::ALL.map(purpose).into())),
    ];
    Editor {
        room: Room::Keys,
        title: "Prepublish a key".to_owned(),
        lede: "It is made and listed at once, so that everybody can fetch it, and signs when its time comes.",
        back: (KEYS.to_owned(), "Keys".to_owned()),
        button: "Make and list it",
        hidden: Vec::new(),
        groups: vec![Group { title: "", hint: "", fields }],
    }
}

async fn get_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    editor().show(&app, &visit, &json!({"alg": "ES256"}), None).await
}

async fn post_new(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let (editor, alg, purpose) = (editor(), visit.typed("alg")?, visit.typed("purpose")?);
    let typed = editor.typed(&visit)?;
    let alg = KeyAlg::ALL.into_iter().find(|known| known.as_str() == alg);
    let purpose = KeyPurpose::ALL.into_iter().find(|known| known.as_str() == purpose);
    let kind = alg.zip(purpose).ok_or_else(|| Problem::invalid_parameter("there is no such kind of key"))?;
    match keys::prepublish(&app, &visit.caller, &[kind], visit.now).await {
        Ok(made) => {
            let kid = made.first().map(|key| key.kid.as_str()).unwrap_or_default();
            visit.go_on(&app, &below(KEYS, kid), "The key is made and listed.").await
        }
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

async fn get_activate(State(app): State<App>, visit: Visit, Path(kid): Path<String>) -> Result<Response, Problem> {
    let key = keys::find(&app, &kid)?;
    let allowed_at = key.published_at + keys::policy(&app).await?.prepublish;
    let mut page = ask(&app, &visit, &kid).await?;
    page.title = "Let this key sign?".to_owned();
    page.button = "Let it sign";
    page.consequences = vec![
        effect_of(&key),
        "The key that was used so far goes into its grace: what was made with it still counts until that is over."
            .to_owned(),
    ];
    if visit.now < allowed_at {
        page.is_dangerous = true;
        page.consequences.push(format!(
            "It was not listed for long enough: until {} there may be copies of the key set that lack it, and whoever uses \
             one takes its tokens for forged.",
            time::words(allowed_at)
        ));
        page.groups = view::views(&insisting(), &Value::Null, None, &[]);
    }
    Ok(page.ask(&visit))
}

fn effect_of(key: &KeyDocument) -> String {
    let (alg, purpose) = (key.alg.as_str(), key.purpose.as_str());
    match key.purpose {
        KeyPurpose::Encryption => "From now on it is the one that clients encrypt their requests to.".to_owned(),
        KeyPurpose::Tokens | KeyPurpose::Logout | KeyPurpose::Assertions => {
            format!("From now on everything for {alg} ({purpose}) is signed with it.")
        }
    }
}

async fn post_activate(State(app): State<App>, visit: Visit, Path(kid): Path<String>) -> Result<Response, Problem> {
    keys::activate(&app, &visit.caller, &kid, (insistence(&visit), INSIST), visit.now).await?;
    visit.go_on(&app, &below(KEYS, &kid), "The key signs.").await
}

async fn get_retire(State(app): State<App>, visit: Visit, Path(kid): Path<String>) -> Result<Response, Problem> {
    let key = keys::find(&app, &kid)?;
    let mut page = ask(&app, &visit, &kid).await?;
    page.title = "Retire this key?".to_owned();
    page.button = "Retire it for good";
    page.is_dangerous = true;
    page.consequences =
        vec!["It is not listed any more, and its private half is destroyed. This cannot be undone.".to_owned()];
    match key.retire_at {
        Some(retire_at) if visit.now < retire_at => {
            page.consequences.push(format!(
                "Until {} something that it signed may be valid: whoever holds that is refused from now on.",
                time::words(retire_at)
            ));
            page.groups = view::views(&insisting(), &Value::Null, None, &[]);
        }
        Some(_) => page.consequences.push("Nothing that it signed is valid any more.".to_owned()),
        None => page.consequences.push("It never signed anything.".to_owned()),
    }
    Ok(page.ask(&visit))
}

async fn post_retire(State(app): State<App>, visit: Visit, Path(kid): Path<String>) -> Result<Response, Problem> {
    keys::retire(&app, &visit.caller, &kid, (insistence(&visit), INSIST), visit.now).await?;
    visit.go_on(&app, &below(KEYS, &kid), "The key is retired.").await
}

/// For emergencies.
fn insisting() -> Vec<Group> {
    let label = "Do it now all the same, and let that fail";
    vec![Group { title: "", hint: "", fields: vec![Field::new("force", label, "", Kind::Switch)] }]
}

fn insistence(visit: &Visit) -> Insistence {
    if visit.form.has("force") { Insistence::Force } else { Insistence::Never }
}

async fn ask(app: &App, visit: &Visit, kid: &str) -> Result<Confirmation, Problem> {
    Ok(Confirmation {
        frame: visit.frame(app, Room::Keys).await?,
        title: String::new(),
        subject: format!("Key {}", short(kid)),
        consequences: Vec::new(),
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "",
        is_dangerous: false,
        back: below(KEYS, kid),
    })
}
