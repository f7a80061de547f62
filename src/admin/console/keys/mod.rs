//! `/console/keys`: signing keys, where they are in their life, and what happens next.

// What can be done to a key.
mod change;
// The life of keys as a drawing.
mod drawing;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

use self::drawing::Drawing;
use super::frame::{Frame, Room};
use super::link::{Link, Names};
use super::listing::below;
use super::record::{RecordPage, Tool, fact, lines};
use super::table::Pages;
use super::time;
use super::visit::Visit;
use crate::admin::keys;
use crate::admin::keys::document::{KeyDocument, KeysDocument, SignerDocument, StepDocument};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::keys::audience::KeyAudience;
use crate::keys::external::BreakerState;
use crate::model::admin_scope::AdminArea;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyPurpose, KeyState};

const KEYS: &str = "/console/keys";

/// The pages of this folder.
pub(super) fn pages(pages: Pages) -> Pages {
    let read = AdminArea::Keys.read();
    pages.page(KEYS, read, get).page("/console/keys/{kid}", read, get_one).with(change::pages)
}

#[derive(Template)]
#[template(path = "console/keys.html", config = "src/http/pages/askama.toml")]
struct KeysPage {
    frame: Frame,
    kinds: Vec<KindView>,
    audience: Option<AudienceView>,
    /// What keeps this instance from using every key: what is wrong, and its mend.
    problems: Vec<(String, String)>,
}

/// The keys of one algorithm and purpose.
struct KindView {
    id: String,
    title: String,
    steps: Vec<String>,
    drawing: Drawing,
    keys: Vec<KeyView>,
}

/// Who fetched the newest key and who did not.
struct AudienceView {
    kid: String,
    since: String,
    /// The clients that did not, and since when.
    late: Vec<(Link, String)>,
    /// How many clients that people use did.
    ready: usize,
    /// How many others did not.
    late_others: usize,
}

/// A key in the list.
struct KeyView {
    kid: String,
    path: String,
    state: &'static str,
    class: &'static str,
    listed: String,
    signs: String,
    ends: String,
}

async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Problem> {
    let status = keys::status(&app, visit.now).await?;
    let kinds = kinds(&status).into_iter().map(|kind| KindView::new(kind, &status, visit.now)).collect();
    let audience = match keys::rehearsal(&app, visit.now).await?.audience {
        Some(audience) => Some(AudienceView::new(&Names::new(&app, visit.now), audience).await?),
        None => None,
    };
    let problems = status.problems.into_iter().map(|problem| (problem.what, problem.mend)).collect();
    Ok(visit.page(&KeysPage { frame: visit.frame(&app, Room::Keys).await?, kinds, audience, problems }))
}

impl AudienceView {
    async fn new(names: &Names<'_>, audience: KeyAudience) -> Result<Self, Problem> {
        let mut late = Vec::new();
        for client in audience.clients.iter().filter(|client| !client.has_fetched) {
            let last = client.fetched_at.map_or_else(|| "never by its name".to_owned(), time::words);
            late.push((names.client(&client.client_id).await?, format!("fetched last: {last}")));
        }
        Ok(Self {
            kid: short(&audience.kid),
            since: time::words(audience.since),
            ready: audience.clients.len() - late.len(),
            late,
            late_others: audience.others.iter().filter(|other| !other.has_fetched).count(),
        })
    }
}

fn kinds(status: &KeysDocument) -> Vec<(KeyAlg, KeyPurpose)> {
    let mut kinds = Vec::new();
    for key in &status.keys {
        if !kinds.contains(&(key.alg, key.purpose)) {
            kinds.push((key.alg, key.purpose));
        }
    }
    kinds.sort_by_key(|(_, purpose)| *purpose);
    kinds
}

impl KindView {
    fn new((alg, purpose): (KeyAlg, KeyPurpose), status: &KeysDocument, now: DateTime<Utc>) -> Self {
        let keys: Vec<&KeyDocument> =
            status.keys.iter().filter(|key| (key.alg, key.purpose) == (alg, purpose)).collect();
        let steps: Vec<&StepDocument> =
            status.timeline.iter().filter(|step| (step.alg, step.purpose) == (alg, purpose)).collect();
        Self {
            id: format!("{}-{}", alg.as_str(), purpose.as_str()),
            title: format!("{} for {}", alg.as_str(), purpose.as_str()),
            drawing: Drawing::new(&keys, &steps, now),
            steps: steps.iter().map(|step| sentence(step, now)).collect(),
            keys: keys.iter().rev().map(|key| KeyView::new(key, &steps)).collect(),
        }
    }
}

fn sentence(step: &StepDocument, now: DateTime<Utc>) -> String {
    let when = if step.at <= now { "Due now".to_owned() } else { time::words(step.at) };
    format!("{when}: {}.", happening(step))
}

/// What happens in a step.
pub(super) fn happening(step: &StepDocument) -> String {
    let key = step.kid.as_deref().map_or_else(|| "the next key".to_owned(), |kid| format!("the key {}", short(kid)));
    match step.action {
        "publish" => "a new key is made and listed".to_owned(),
        "activate" => format!("{key} begins to sign"),
        "retire" => format!("{key} is retired"),
        "register" => format!("{key} is kept elsewhere: its successor has to be registered by then"),
        other => format!("{other} {key}"),
    }
}

/// As much of an identifier as tells keys apart at a glance.
fn short(kid: &str) -> String {
    if kid.chars().count() > 10 { format!("{}…", kid.chars().take(8).collect::<String>()) } else { kid.to_owned() }
}

fn state_of(key: &KeyDocument) -> (&'static str, &'static str) {
    let is_encrypted_to = key.purpose == KeyPurpose::Encryption;
    match key.state {
        KeyState::Prepublished if is_encrypted_to => ("listed, waits for its turn", "off"),
        KeyState::Active if is_encrypted_to => ("is encrypted to", "good"),
        KeyState::Grace if is_encrypted_to => ("grace: decrypts, is not listed", "off"),
        KeyState::Prepublished => ("listed, does not sign yet", "off"),
        KeyState::Active => ("signs", "good"),
        KeyState::Grace => ("grace: verifies only", "off"),
        KeyState::Retired if key.revoke_reason.is_some() => ("revoked", "bad"),
        KeyState::Retired => ("retired", "off"),
    }
}

fn signer_words(SignerDocument { signed, failed, refused, breaker }: &SignerDocument) -> String {
    let now = match breaker {
        BreakerState::Closed => "is asked",
        BreakerState::Open => "is not asked for a while, because it failed too often",
        BreakerState::Probing => "failed too often; one request finds out whether it works again",
    };
    format!("{now}. Since the start: {signed} signed, {failed} failed, {refused} refused without asking")
}

impl KeyView {
    fn new(key: &KeyDocument, steps: &[&StepDocument]) -> Self {
        let (state, class) = state_of(key);
        let planned =
            steps.iter().find(|step| step.action == "retire" && step.kid.as_deref() == Some(key.kid.as_str()));
        let day = |at: Option<DateTime<Utc>>| at.map_or_else(|| "–".to_owned(), time::day);
        Self {
            kid: key.kid.clone(),
            path: below(KEYS, &key.kid),
            state,
            class,
            listed: time::day(key.published_at),
            signs: day(key.activated_at),
            ends: day(key.retired_at.or(key.retire_at).or(planned.map(|step| step.at))),
        }
    }
}

async fn get_one(State(app): State<App>, visit: Visit, Path(kid): Path<String>) -> Result<Response, Problem> {
    let key = keys::find(&app, &kid)?;
    let path = below(KEYS, &kid);
    let activate = || Tool::new("activate", format!("{path}/activate"), "Let it sign");
    let retire = || Tool::new("retire", format!("{path}/retire"), "Retire").dangerous();
    let tools = match key.state {
        KeyState::Prepublished => vec![activate(), retire()],
        KeyState::Grace => vec![retire()],
        KeyState::Active | KeyState::Retired => Vec::new(),
    };
    let time = |name, at: Option<DateTime<Utc>>| lines(name, at.map(time::words));
    let page = RecordPage {
        frame: visit.frame(&app, Room::Keys).await?,
        title: format!("Key {}", short(&kid)),
        back: (KEYS, "Keys"),
        lede: match key.state {
            KeyState::Active => "The key that signs stays until another one takes its place.".to_owned(),
            KeyState::Prepublished | KeyState::Grace | KeyState::Retired => String::new(),
        },
        badge: state_of(&key),
        tools,
        facts: vec![
            fact("Identifier (kid)", kid),
            fact("Algorithm", key.alg.as_str()),
            fact("Signs", key.purpose.as_str()),
            fact("Private half", if key.external { "kept elsewhere" } else { "kept here" }),
            lines("Its program, asked by this server", key.signer.as_ref().map(signer_words)),
            time("Made", Some(key.created_at)),
            time("Listed", Some(key.published_at)),
            time("Began to sign", key.activated_at),
            time("Another took its place", key.superseded_at),
            time("Can be retired", key.retire_at),
            time("Retired", key.retired_at),
            lines("Why before its time", key.revoke_reason),
        ],
        lists: Vec::new(),
    };
    Ok(visit.page(&page))
}
