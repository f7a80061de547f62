//! A form to make or change something: shown for what is there, and shown again with what was typed when it is refused.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value};

use super::draft::{self, Kept};
use super::field::view::{self, GroupView};
use super::field::{self, Group};
use super::frame::{Frame, Room};
use super::visit::Visit;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};

/// A form.
pub(super) struct Editor {
    /// Where it belongs.
    pub(super) room: Room,
    /// What it is for.
    pub(super) title: String,
    /// What is to be known first.
    pub(super) lede: &'static str,
    /// Where to go instead, and what that is called.
    pub(super) back: (String, String),
    /// What the button says.
    pub(super) button: &'static str,
    /// What it carries besides.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// What can be typed.
    pub(super) groups: Vec<Group>,
}

/// The page.
#[derive(Template)]
#[template(path = "console/editor.html", config = "src/http/pages/askama.toml")]
struct EditorPage<'a> {
    frame: Frame,
    editor: &'a Editor,
    action: &'a str,
    revision: Option<String>,
    hidden: Vec<(&'static str, String)>,
    groups: Vec<GroupView>,
    refusal: Option<Refusal>,
}

/// What the form carries while a password that was typed is missing from it.
const LACKS_SECRET: &str = "lacks_secret";

/// Why nothing was saved.
struct Refusal {
    title: &'static str,
    sentences: Vec<String>,
}

impl Editor {
    /// Shows the form, filled with what `document` says, or with what was typed before a sign-in.
    pub(super) async fn show(
        &self,
        app: &App,
        visit: &Visit,
        document: &Value,
        revision: Option<i64>,
    ) -> Result<Response, Problem> {
        let revision = revision.map(|revision| revision.to_string());
        let mut hidden = self.hidden.clone();
        let (document, revision, refusal) = match draft::take(app, visit).await? {
            None => (document.clone(), revision, None),
            Some(Kept { form, lacks_secret }) => {
                let typed = Value::Object(field::read(&self.groups, &form)?);
                let said = "Nothing was saved yet. Below is what you typed: send it again.".to_owned();
                let mut sentences = vec![said];
                if lacks_secret {
                    sentences.push("Passwords are not kept: type the password again before you do.".to_owned());
                    hidden.push((LACKS_SECRET, "true".to_owned()));
                }
                let refusal = Refusal { title: "You had to sign in first", sentences };
                (typed, form.one("revision")?.map(str::to_owned), Some(refusal))
            }
        };
        let page = EditorPage {
            frame: visit.frame(app, self.room).await?,
            editor: self,
            action: &visit.here,
            revision,
            hidden,
            groups: view::views(&self.groups, &document, None, &[]),
            refusal,
        };
        Ok(visit.page(&page))
    }

    /// What was typed, as a merge patch.
    pub(super) fn typed(&self, visit: &Visit) -> Result<Map<String, Value>, Problem> {
        field::read(&self.groups, &visit.form)
    }

    /// Refuses a form that lost its password to a sign-in and was sent without typing it again: it asked for something else than
    /// a form without one does. The form that is shown then may be sent without one.
    pub(super) fn check_secret(&self, visit: &Visit) -> Result<(), Problem> {
        if !visit.form.has(LACKS_SECRET) {
            return Ok(());
        }
        let said = "the password that you typed was not kept: type it again, or send the form once more without one";
        let missing = field::missing_secrets(&self.groups, &visit.form);
        let violations: Vec<_> = missing.map(|pointer| Violation::new(pointer, said)).collect();
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid_body(violations)) }
    }

    /// Shows the form again with what was typed, and says why it was refused. If it was changed meanwhile, `now` is what is
    /// there, and sending the form again is for that. What no other typing would mend stays a problem.
    pub(super) async fn refuse(
        &self,
        app: &App,
        visit: &Visit,
        (typed, problem): (Map<String, Value>, Problem),
        now: Option<(Value, i64)>,
    ) -> Result<Response, Problem> {
        let Some(refusal) = self.refusal(&problem) else { return Err(problem) };
        let now = now.filter(|_| problem.kind() == ProblemType::PreconditionFailed);
        let revision = match &now {
            Some((_, revision)) => Some(revision.to_string()),
            None => visit.form.one("revision")?.map(str::to_owned),
        };
        let document = now.as_ref().map(|(document, _)| document);
        let page = EditorPage {
            frame: visit.frame(app, self.room).await?,
            editor: self,
            action: &visit.here,
            revision,
            hidden: self.hidden_after(&problem),
            groups: view::views(&self.groups, &Value::Object(typed), document, problem.errors()),
            refusal: Some(refusal),
        };
        let status = StatusCode::from_u16(problem.kind().status()).unwrap_or(StatusCode::BAD_REQUEST);
        Ok(visit.page_with(status, &page))
    }

    /// What the next form carries: one that was used already gets a key of its own.
    fn hidden_after(&self, problem: &Problem) -> Vec<(&'static str, String)> {
        let mut hidden = self.hidden.clone();
        if problem.kind() == ProblemType::IdempotencyKeyReused {
            for (_, value) in hidden.iter_mut().filter(|(name, _)| *name == "key") {
                *value = Visit::new_key();
            }
        }
        hidden
    }

    fn refusal(&self, problem: &Problem) -> Option<Refusal> {
        let detail = || problem.detail().map(view::capitalized);
        let (title, sentences) = match problem.kind() {
            ProblemType::InvalidBody => ("Nothing was saved yet", self.sentences(problem.errors())),
            ProblemType::PreconditionFailed => (
                "It was changed meanwhile",
                vec![
                    "Somebody else changed it since you opened this page, so nothing was saved. Below is what you typed; where \
                     something else stands there by now, that is said. Send the form again to save what you see."
                        .to_owned(),
                ],
            ),
            ProblemType::AlreadyExists => (
                "This identifier is taken",
                vec![detail().unwrap_or_else(|| "It belongs to something else, or did once: none is given twice.".to_owned())],
            ),
            ProblemType::IdempotencyKeyReused => (
                "This form was sent before",
                vec![
                    "What you sent the first time was done, and nothing was done now. Below is what you typed: send it to make \
                     another one."
                        .to_owned(),
                ],
            ),
            ProblemType::Conflict => ("This cannot be saved", detail().into_iter().collect()),
            ProblemType::Forbidden => ("You may not do this", detail().into_iter().collect()),
            _ => return None,
        };
        Some(Refusal { title, sentences })
    }

    fn sentences(&self, errors: &[Violation]) -> Vec<String> {
        let strays = view::stray(&self.groups, errors);
        let count = errors.len() - strays.len();
        let beside = match count {
            0 => None,
            1 => Some("One thing is wrong, see below.".to_owned()),
            count => Some(format!("{count} things are wrong, see below.")),
        };
        beside.into_iter().chain(strays).collect()
    }
}
