//! What is said, for people and for programs.

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use ostiary::keys::change::{Due, Rotation, RotationOutcome};
use ostiary::keys::lifecycle::{Action, Refusal, Step};
use ostiary::keys::problem::Problem;
use ostiary::keys::store::Inspection;
use ostiary::model::signing_key::{KeyEntry, KeyPurpose, KeyState};
use serde_json::{Value, json};

/// What a command says.
pub struct Answer {
    pub text: String,
    pub json: Value,
    pub outcome: Outcome,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Failed,
    FoundProblems,
    NothingDone,
}

impl Outcome {
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::FoundProblems => 3,
            Self::NothingDone => 4,
        })
    }
}

impl Answer {
    pub fn good(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, outcome: Outcome::Good }
    }

    /// Everything was said already.
    pub fn silent() -> Self {
        Self::good("", Value::Null)
    }

    pub fn nothing_done(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, outcome: Outcome::NothingDone }
    }

    pub fn refused(problems: &[Problem]) -> Self {
        let text = format!("That did not work:\n{}", explain(problems));
        Self { text, json: json!({ "problems": problems }), outcome: Outcome::Failed }
    }

    pub fn validated(place: &str, Inspection { problems, warnings }: &Inspection) -> Self {
        let is_good = problems.is_empty();
        let mut text = match problems.len() {
            0 => format!("{} is good.\n", capitalized(place)),
            1 => format!("{} has a problem:\n", capitalized(place)),
            count => format!("{} has {count} problems:\n", capitalized(place)),
        };
        text += &explain(problems);
        if !warnings.is_empty() {
            text += "Worth a look:\n";
            text += &explain(warnings);
        }
        let outcome = if is_good { Outcome::Good } else { Outcome::FoundProblems };
        Self { text, json: json!({ "valid": is_good, "problems": problems, "warnings": warnings }), outcome }
    }

    pub fn prepublished(keys: &[KeyEntry], allowed_at: DateTime<Utc>) -> Self {
        let at = instant(allowed_at);
        let text = if keys.iter().all(|key| key.purpose == KeyPurpose::Encryption) {
            format!("{}Not in use yet. From {at} on, `ostiary-keyctl rotate` puts them to use.\n", table(keys))
        } else {
            format!(
                "{}Listed from now on, but not signing yet. From {at} on, `ostiary-keyctl rotate` lets them sign.\n",
                table(keys)
            )
        };
        Self::good(text, json!({ "prepublished": keys, "activate_from": allowed_at }))
    }

    pub fn rotated(rotations: &[Rotation]) -> Self {
        let mut text = String::new();
        for Rotation { alg, purpose, kid, outcome } in rotations {
            let kind = format!("{} ({})", alg.as_str(), purpose.as_str());
            text += &match outcome {
                RotationOutcome::Published { signs_at } => {
                    format!("{kind}: {kid} was made and is listed; it may sign from {} on\n", instant(*signs_at))
                }
                RotationOutcome::Waiting { signs_at } => {
                    format!("{kind}: {kid} is listed and may sign from {} on\n", instant(*signs_at))
                }
                RotationOutcome::Activated { superseded, was_listed } => {
                    let mut line = format!("{kind}: {kid} signs from now on");
                    if let Some(superseded) = superseded {
                        line += &format!("; what {superseded} signed is still verified");
                    }
                    if !was_listed {
                        line += "; it was not listed for long enough: copies of the key set fail until they are fetched again";
                    }
                    line + "\n"
                }
            };
        }
        let is_waiting = |rotation: &Rotation| matches!(rotation.outcome, RotationOutcome::Waiting { .. });
        let json = json!({ "rotated": rotations });
        if rotations.iter().all(is_waiting) { Self::nothing_done(text, json) } else { Self::good(text, json) }
    }

    pub fn due(Due { done, withheld }: &Due) -> Self {
        let lines = done
            .iter()
            .map(|step| format!("{} {} {} ({})\n", step.action, step.kid, step.alg.as_str(), step.purpose.as_str()));
        let text: String = lines.collect();
        if !withheld.is_empty() {
            let problems: Vec<_> = withheld.iter().map(Refusal::problem).collect();
            let text = format!("{text}That did not work:\n{}", explain(&problems));
            return Self { text, json: json!({ "done": done, "problems": problems }), outcome: Outcome::Failed };
        }
        let json = json!({ "done": done });
        if done.is_empty() { Self::nothing_done("Nothing is due.\n", json) } else { Self::good(text, json) }
    }

    pub fn timeline(steps: &[Step], now: DateTime<Utc>) -> Self {
        let mut text = format!("{:<20}  {:<5}  {:<10}  {}\n", "WHEN", "ALG", "PURPOSE", "WHAT");
        for step in steps {
            let when = if step.is_due(now) { "now".to_owned() } else { instant(step.at) };
            let what = match &step.action {
                Action::Publish => "a new key is made and listed".to_owned(),
                Action::Activate { kid: Some(kid) } => format!("{kid} signs"),
                Action::Activate { kid: None } => "the new key signs".to_owned(),
                Action::Retire { kid } => format!("{kid} is retired and destroyed"),
                Action::Register { kid } => {
                    format!("the successor of {kid} has to be registered: it is an external key")
                }
            };
            text += &format!("{when:<20}  {:<5}  {:<10}  {what}\n", step.alg.as_str(), step.purpose.as_str());
        }
        Self::good(text, json!({ "timeline": steps }))
    }
}

/// A table of keys.
pub fn table(keys: &[KeyEntry]) -> String {
    let head = ("KID", "ALG", "PURPOSE", "STATE", "SINCE");
    let width = keys.iter().map(|key| key.alg.as_str().len()).max().unwrap_or_default().max(5);
    let mut text =
        format!("{:<43}  {:<width$}  {:<10}  {:<12}  {:<20}  {}\n", head.0, head.1, head.2, head.3, head.4, "NOTE");
    for key in keys {
        let since = match key.state {
            KeyState::Prepublished => Some(key.published_at),
            KeyState::Active => key.activated_at,
            KeyState::Grace => key.superseded_at,
            KeyState::Retired => key.retired_at,
        };
        let note = match (key.state, key.retire_at, &key.revoke_reason) {
            (KeyState::Retired, _, Some(reason)) => format!("revoked: {reason}"),
            (KeyState::Grace, Some(at), _) => format!("retires {}", instant(at)),
            _ => match &key.external {
                Some(external) => format!("external: {}", external.key_ref.escape_debug()),
                None => key.file.clone().unwrap_or_default(),
            },
        };
        let (alg, purpose, state) = (key.alg.as_str(), key.purpose.as_str(), key.state.as_str());
        let since = since.map(instant).unwrap_or_default();
        let line = format!("{:<43}  {alg:<width$}  {purpose:<10}  {state:<12}  {since:<20}  {note}", key.kid);
        text += line.trim_end();
        text.push('\n');
    }
    text
}

pub fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn explain(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  - {}\n    mend: {}\n", problem.what, problem.mend)).collect()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
