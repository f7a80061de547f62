//! `/console/people/{subject}/password` and its like: a password, a link with which they choose one, signing out everywhere.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::path_of;
use crate::admin::console::confirmation::Confirmation;
use crate::admin::console::editor::Editor;
use crate::admin::console::field::{Field, Group, Kind};
use crate::admin::console::frame::Room;
use crate::admin::console::secret::SecretPage;
use crate::admin::console::table::Pages;
use crate::admin::console::time;
use crate::admin::console::visit::Visit;
use crate::admin::path::Path;
use crate::admin::users;
use crate::admin::users::password::{self, SetPassword};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::SubjectId;
use crate::storage::postgres::person_record::PersonRecord;

const PASSWORD: &str = "/console/people/{subject}/password";
const LINK: &str = "/console/people/{subject}/password-link";
const SIGN_OUT: &str = "/console/people/{subject}/sign-out";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let full = AdminArea::Users.full();
    pages.form(PASSWORD, full, get_password, post_password).form(LINK, full, get_link, post_link).form(
        SIGN_OUT,
        full,
        get_sign_out,
        post_sign_out,
    )
}

async fn get_password(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let record = users::find(&app, &subject).await?;
    editor(&record).show(&app, &visit, &json!({ "sign_out": true }), None).await
}

async fn post_password(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let record = users::find(&app, &subject).await?;
    let editor = editor(&record);
    let typed = editor.typed(&visit)?;
    let set = SetPassword {
        password: SecretString::from(visit.typed("password")?.to_owned()),
        is_signing_out: visit.form.has("sign_out"),
    };
    match password::set(&app, &visit.caller, (&subject, &set), visit.now).await {
        Ok(()) => visit.go_on(&app, &path_of(&subject), "The password is set.").await,
        Err(problem) => editor.refuse(&app, &visit, (typed, problem), None).await,
    }
}

fn editor(record: &PersonRecord) -> Editor {
    let hint = "Whoever knows it can sign in as them: a link with which they choose one themselves is better.";
    let out = "Wherever they are signed in now, they have to sign in anew, and tokens that they gave end.";
    Editor {
        room: Room::People,
        title: "Set a password".to_owned(),
        lede: "The password that they had, and links that were made for another, stop working.",
        back: (path_of(&record.subject), record.username.clone()),
        button: "Set the password",
        hidden: Vec::new(),
        groups: vec![Group {
            title: "",
            hint: "",
            fields: vec![
                Field::new("password", "New password", hint, Kind::Secret),
                Field::new("sign_out", "Sign them out everywhere", out, Kind::Switch),
            ],
        }],
    }
}

async fn get_link(State(app): State<App>, visit: Visit, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    let record = users::find(&app, &subject).await?;
    let mut page = ask(&app, &visit, &record).await?;
    page.title = "Make a link for a password?".to_owned();
    page.button = "Make the link";
    page.hidden = vec![("key", Visit::new_key())];
    page.consequences = vec![
        format!(
            "Whoever opens it within {} may choose their password, once.",
            length(app.config.admin.password_ticket)
        ),
        "Links that were made for them before stop working.".to_owned(),
        if record.has_password {
            "Their present password goes on until they choose another.".to_owned()
        } else {
            "They can sign in as soon as they have chosen one.".to_owned()
        },
    ];
    Ok(page.ask(&visit))
}

async fn post_link(State(app): State<App>, visit: Visit, Path(subject): Path<SubjectId>) -> Result<Response, Problem> {
    let record = users::find(&app, &subject).await?;
    let made = password::invite(&app, &visit.caller, (&subject, visit.key(&app)?), visit.now).await?;
    let link: Value = made.read()?;
    tell(&app, &visit, ("The link for their password", &record.username, &link), path_of(&subject)).await
}

/// Tells a link, once.
pub(super) async fn tell(
    app: &App,
    visit: &Visit,
    (title, username, link): (&str, &str, &Value),
    go_on: String,
) -> Result<Response, Problem> {
    let text = |name: &str| link.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let until = text("expires_at").parse::<DateTime<Utc>>().map(time::words).unwrap_or_default();
    let page = SecretPage {
        frame: visit.frame(app, Room::People).await?,
        title: title.to_owned(),
        note: "Pass this link on to them, and to nobody else: whoever opens it first chooses the password. It works once and is \
               shown this once; another can be made at any time.",
        facts: vec![("username", username.to_owned()), ("works_until", until)],
        secret: Some(("link", text("url"))),
        go_on,
    };
    Ok(visit.page(&page))
}

async fn get_sign_out(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let record = users::find(&app, &subject).await?;
    let mut page = ask(&app, &visit, &record).await?;
    page.title = "Sign this person out everywhere?".to_owned();
    page.button = "Sign out everywhere";
    page.is_dangerous = true;
    page.consequences = vec![
        "Their sessions end in every browser, and applications that want to hear of it are told.".to_owned(),
        "Every token that they gave an application ends, also those that work while they are away.".to_owned(),
        "They may sign in again at once, with the same password.".to_owned(),
    ];
    Ok(page.ask(&visit))
}

async fn post_sign_out(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    password::sign_out(&app, &visit.caller, &subject, visit.now).await?;
    visit.go_on(&app, &path_of(&subject), "The person is signed out everywhere.").await
}

/// A question about a person.
pub(super) async fn ask(app: &App, visit: &Visit, record: &PersonRecord) -> Result<Confirmation, Problem> {
    Ok(Confirmation {
        frame: visit.frame(app, Room::People).await?,
        title: String::new(),
        subject: record.username.clone(),
        consequences: Vec::new(),
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "",
        is_dangerous: false,
        back: path_of(&record.subject),
    })
}

/// A length of time in words.
fn length(time: TimeDelta) -> String {
    match (time.num_hours(), time.num_minutes()) {
        (1, _) => "an hour".to_owned(),
        (hours @ 2.., _) => format!("{hours} hours"),
        (_, minutes) => format!("{minutes} minutes"),
    }
}
