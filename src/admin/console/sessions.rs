//! `/console/sessions`: who is signed in, and signing them out.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::confirmation::Confirmation;
use super::frame::Room;
use super::link::{Link, Names, find_subject};
use super::listing::{self, Listing};
use super::record::{RecordPage, ShortList, Tool, fact};
use super::sheet::{Cell, Filter, SheetPage};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::path::Path;
use crate::admin::sessions::{
    ListQuery, LogoutNoticeDocument, NoticeState, SessionDetails, SessionDocument, end_session, end_sessions_of,
    find_session, list_sessions,
};
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::id::{Sid, SubjectId};
use crate::protocol::form;

const SESSIONS: &str = "/console/sessions";
const ALL: &str = "all";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    let (read, full) = (AdminArea::Sessions.read(), AdminArea::Sessions.full());
    pages
        .page(SESSIONS, read, get)
        .page("/console/sessions/{sid}", read, get_one)
        .form("/console/sessions/{sid}/end", full, get_end, post_end)
        .form("/console/people/{subject}/sessions", full, get_end_all, post_end_all)
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let (person, state) = (visit.asked("person")?, visit.asked("state")?);
    let (subject, none) = find_subject(&app, person, "There is no such session.").await?;
    let query = ListQuery {
        limit: Some(listing::LIMIT),
        cursor: visit.asked("cursor")?.map(str::to_owned),
        subject,
        alive: Some(state != Some(ALL)),
    };
    let page = list_sessions(&app, &query, visit.now).await?;
    let mut names = Names::new(&app, visit.now);
    let mut rows = Vec::new();
    for session in &page.items {
        rows.push(row(&mut names, session).await?);
    }
    let states = vec![("", "Alive"), (ALL, "All, also those that ended")];
    let page = SheetPage {
        frame: visit.frame(&app, Room::Sessions).await?,
        title: "Sessions",
        lede: "Each is a browser in which somebody signed in. Those that ended are kept for a day.",
        new: None,
        path: SESSIONS,
        filters: vec![
            Filter::text("person", "Username or identifier", person),
            Filter::choice("state", "State", state, states),
        ],
        id: "sessions",
        caption: "Sessions, the newest first",
        columns: vec![("Began", false), ("Person", false), ("Last used", true), ("State", false)],
        rows,
        none,
        listing: Listing::new(&visit, &["person", "state"], page.next.as_deref())?,
    };
    Ok(visit.page(&page))
}

async fn row(names: &mut Names<'_>, session: &SessionDocument) -> Result<Vec<Cell>, Problem> {
    Ok(vec![
        Cell::of(link(session)),
        Cell::of(names.person(&session.subject).await?),
        Cell::text(time::words(session.seen_at)).wide(),
        Cell::badge(state_of(session)),
    ])
}

async fn get_one(State(app): State<App>, visit: Visit, Path(sid): Path<Sid>) -> Result<Response, Problem> {
    let SessionDetails { session, clients, logout_notices } = find_session(&app, sid, visit.now).await?;
    let mut names = Names::new(&app, visit.now);
    let mut items = Vec::new();
    for client in clients {
        let count =
            if client.families == 1 { "one sign-in".to_owned() } else { format!("{} sign-ins", client.families) };
        items.push((
            names.client(&client.client_id).await?,
            format!("{count}, the last on {}", time::words(client.last_at)),
        ));
    }
    let all = format!("/console/tokens?{}", form::encode([("session", sid.to_string().as_str())]));
    let all = (!items.is_empty()).then_some(all);
    let clients = ShortList {
        id: "session-clients",
        title: "Applications that used it",
        items,
        none: "None yet.",
        all,
        tools: Vec::new(),
    };
    let mut told = Vec::new();
    for notice in logout_notices {
        told.push((names.client(&notice.client_id).await?, words_of(&notice)));
    }
    let told = (!told.is_empty()).then(|| ShortList {
        id: "session-notices",
        title: "What applications were told of its end",
        items: told,
        none: "",
        all: None,
        tools: Vec::new(),
    });
    let tools = if session.alive {
        vec![Tool::new("session-end", format!("{}/end", path_of(sid)), "End the session").dangerous()]
    } else {
        Vec::new()
    };
    let mut facts = vec![
        ("Person", vec![names.person(&session.subject).await?]),
        fact("Identifier", sid.to_string()),
        fact("Began", time::words(session.created_at)),
        fact("Signed in", format!("{}, by {}", time::words(session.auth_time), session.amr.join(" "))),
        fact("Authentication context", session.acr.as_str()),
        fact("Last used", time::words(session.seen_at)),
        fact("Ends by itself", time::words(session.expires_at)),
    ];
    let reason = session.end_reason.as_deref().map_or_else(String::new, |reason| format!(" ({reason})"));
    facts.extend(session.ended_at.map(|at| fact("Ended", format!("{}{reason}", time::words(at)))));
    let page = RecordPage {
        frame: visit.frame(&app, Room::Sessions).await?,
        title: "A session".to_owned(),
        back: (SESSIONS, "Sessions"),
        lede: String::new(),
        badge: state_of(&session),
        tools,
        facts,
        lists: [clients].into_iter().chain(told).collect(),
    };
    Ok(visit.page(&page))
}

fn words_of(notice: &LogoutNoticeDocument) -> String {
    let LogoutNoticeDocument { state, attempts, next_attempt_at, settled_at, last_error, .. } = notice;
    let tried = if *attempts == 1 { "one attempt".to_owned() } else { format!("{attempts} attempts") };
    let at = |time: &Option<DateTime<Utc>>| time.map(time::words).unwrap_or_default();
    let mut words = match state {
        NoticeState::Delivered => format!("delivered on {}", at(settled_at)),
        NoticeState::GivenUp => format!("given up on {}, after {tried}", at(settled_at)),
        NoticeState::Waiting if *attempts == 0 => "not called yet".to_owned(),
        NoticeState::Waiting => format!("waiting after {tried}, next on {}", at(next_attempt_at)),
    };
    if let (Some(error), false) = (last_error, *state == NoticeState::Delivered) {
        words += &format!(": {error}");
    }
    words
}

async fn get_end(State(app): State<App>, visit: Visit, Path(sid): Path<Sid>) -> Result<Response, Problem> {
    let SessionDetails { session, clients, .. } = find_session(&app, sid, visit.now).await?;
    let person = Names::new(&app, visit.now).person(&session.subject).await?;
    let told = match clients.len() {
        0 => "No application used it.".to_owned(),
        1 => "One application used it. It is told, if it wants to hear of it.".to_owned(),
        count => format!("{count} applications used it. Those that want to hear of it are told."),
    };
    let mut page = question(&app, &visit, format!("Session of {}", person.text), path_of(sid)).await?;
    page.title = "End this session?".to_owned();
    page.button = "End the session";
    page.consequences.splice(0..0, ["In that browser they have to sign in again.".to_owned(), told]);
    Ok(page.ask(&visit))
}

async fn post_end(State(app): State<App>, visit: Visit, Path(sid): Path<Sid>) -> Result<Response, Problem> {
    end_session(&app, &visit.caller, sid, visit.now).await?;
    visit.go_on(&app, &path_of(sid), "The session has ended.").await
}

async fn get_end_all(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let person = Names::new(&app, visit.now).person(&subject).await?;
    let back = person.path.unwrap_or_else(|| list_of(&subject));
    let mut page = question(&app, &visit, person.text, back).await?;
    page.title = "End every session of this person?".to_owned();
    page.button = "End every session";
    let all = [
        "In every browser they have to sign in again.",
        "The applications that they used are told, if they want to hear of it.",
    ];
    page.consequences.splice(0..0, all.map(str::to_owned));
    Ok(page.ask(&visit))
}

async fn post_end_all(
    State(app): State<App>,
    visit: Visit,
    Path(subject): Path<SubjectId>,
) -> Result<Response, Problem> {
    let ended = end_sessions_of(&app, &visit.caller, &subject, visit.now).await?.ended;
    let person = Names::new(&app, visit.now).person(&subject).await?;
    let said = match ended {
        0 => "There was no session to end.".to_owned(),
        1 => "One session has ended.".to_owned(),
        count => format!("{count} sessions have ended."),
    };
    visit.go_on(&app, &person.path.unwrap_or_else(|| SESSIONS.to_owned()), said).await
}

/// A question about sessions.
async fn question(app: &App, visit: &Visit, subject: String, back: String) -> Result<Confirmation, Problem> {
    let goes_on = "Tokens that an application may use while the person is away (offline_access) go on: revoke them if \
                   they shall end too.";
    Ok(Confirmation {
        frame: visit.frame(app, Room::Sessions).await?,
        title: String::new(),
        subject,
        consequences: vec![goes_on.to_owned()],
        groups: Vec::new(),
        action: visit.path.clone(),
        hidden: Vec::new(),
        button: "",
        is_dangerous: true,
        back,
    })
}

/// The first few sessions of somebody that are alive.
pub(super) async fn of_person(app: &App, visit: &Visit, subject: &SubjectId, few: u16) -> Result<ShortList, Problem> {
    let query = ListQuery { limit: Some(few), cursor: None, subject: Some(subject.clone()), alive: Some(true) };
    let page = list_sessions(app, &query, visit.now).await?;
    let words = |session: &SessionDocument| format!("last used on {}", time::words(session.seen_at));
    Ok(ShortList {
        id: "person-sessions",
        title: "Sessions",
        items: page.items.iter().map(|session| (link(session), words(session))).collect(),
        none: "They are not signed in anywhere.",
        all: Some(format!("{}&state={ALL}", list_of(subject))),
        tools: Vec::new(),
    })
}

/// The page of a session, named by when it began.
fn link(session: &SessionDocument) -> Link {
    Link::to(path_of(session.sid), time::words(session.created_at))
}

fn path_of(sid: Sid) -> String {
    format!("{SESSIONS}/{sid}")
}

fn list_of(subject: &SubjectId) -> String {
    format!("{SESSIONS}?{}", form::encode([("person", subject.as_str())]))
}

fn state_of(session: &SessionDocument) -> (&'static str, &'static str) {
    if session.alive { ("alive", "good") } else { ("ended", "off") }
}
