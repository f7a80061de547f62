//! What each command answers: as text, as JSON, and as an exit code.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Error;
use ostiary::config::ConfigErrors;
use ostiary::storage::postgres::migrate::{
    Loss, MigrateError, Migration, Plan, PlannedEffect, SCHEMA_VERSION, SchemaStanding, Status,
};
use serde_json::{Value, json};

const PENDING: u8 = 2;

/// What a command found out or did.
pub struct Answer {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// What is wrong, with its mend; empty if nothing is.
    pub problem: String,
    /// The exit code.
    pub code: u8,
}

impl Answer {
    fn good(text: String, json: Value) -> Self {
        Self { text, json, problem: String::new(), code: 0 }
    }

    fn bad(what: &str, mend: &str, (key, value): (&str, Value)) -> Self {
        let json = json!({ key: value, "problems": [{ "what": what, "mend": mend }] });
        Self { text: String::new(), json, problem: format!("{what}\n      mend: {mend}"), code: 1 }
    }

    /// A command that did not get to its end.
    pub fn failed(error: &Error, done: &[(&'static str, Duration)]) -> Self {
        if let Some(ConfigErrors(found)) = error.downcast_ref() {
            let problems =
                found.iter().map(|one| json!({ "what": format!("{}: {}", one.key, one.problem), "mend": one.mend }));
            let json = json!({ "problems": problems.collect::<Vec<_>>() });
            return Self { text: String::new(), json, problem: error.to_string(), code: 1 };
        }
        let mend = error.downcast_ref().map_or("run it again", MigrateError::mend);
        Self::bad(&format!("{error:#}"), mend, ("done", durations(done)))
    }
}

/// What `up` did.
pub fn up(status: &Status, done: &[(&'static str, Duration)]) -> Answer {
    let mut text = String::new();
    for (name, _) in done {
        text += &format!("applied {name}\n");
    }
    text += &sentence(status);
    Answer::good(text, json!({ "applied": durations(done), "schema": standing(status) }))
}

/// How the schema stands.
pub fn status(status: &Status, has_exit_code: bool) -> Answer {
    let mut text = String::new();
    for name in &status.applied {
        text += &format!("applied {name}\n");
    }
    for version in &status.unknown {
        text += &format!("applied {version}, by a later version\n");
    }
    for Migration { name, .. } in &status.pending {
        text += &format!("pending {name}\n");
    }
    if let Some(holder) = &status.holder {
        text += &format!("another migration is at work ({holder})\n");
    }
    text += &sentence(status);
    let json = json!({
        "applied": status.applied,
        "unknown": status.unknown,
        "pending": status.pending.iter().map(|migration| migration.name).collect::<Vec<_>>(),
        "at_work": status.holder,
        "schema": standing(status),
    });
    let code = match status.standing {
        _ if !has_exit_code => 0,
        SchemaStanding::TooNew { .. } => 1,
        _ if !status.pending.is_empty() => PENDING,
        _ => 0,
    };
    Answer { code, ..Answer::good(text, json) }
}

/// What `up` would do.
pub fn plan(plan: &Plan, is_names_only: bool) -> Answer {
    let mut text = String::new();
    for migration in &plan.pending {
        if is_names_only {
            text += &format!("{}\n", migration.name);
            continue;
        }
        let how = if migration.run_in_transaction { "all or nothing" } else { "each statement for itself" };
        let contract = if migration.contract { ", takes away what earlier versions use" } else { "" };
        text += &format!("-- {}: {how}{contract}\n", migration.name);
        for statement in &migration.statements {
            match &statement.effects {
                None => text += "\n-- locks: not known\n",
                Some(effects) if effects.is_empty() => text += "\n-- locks: none\n",
                Some(effects) => {
                    text.push('\n');
                    effects.iter().for_each(|effect| text += &comment(effect));
                }
            }
            text += &format!("{};\n", statement.sql);
        }
        text.push('\n');
    }
    if plan.pending.is_empty() && !is_names_only {
        text += "-- nothing is pending\n";
    }
    let names: Vec<_> = plan.pending.iter().map(|migration| migration.name).collect();
    Answer::good(text, if is_names_only { json!({ "pending": names }) } else { json!(plan) })
}

fn comment(effect: &PlannedEffect) -> String {
    let mut text = format!("-- {} on {}", effect.lock.as_str(), effect.table);
    let extent = match effect {
        PlannedEffect { is_new: true, .. } => ", which is new".to_owned(),
        PlannedEffect { rewrites: true, .. } => format!(", blocks {} while it writes every row", effect.blocks),
        PlannedEffect { scans: true, .. } => format!(", blocks {} while it reads every row", effect.blocks),
        _ => format!(", blocks {}", effect.blocks),
    };
    text.push_str(&extent);
    text.push('\n');
    text
}

/// What `down` took back.
pub fn down(status: &Status, done: &[(&'static str, Duration)], lost: &[Loss]) -> Answer {
    let mut text = String::new();
    for (name, _) in done {
        text += &format!("took back {name}\n");
    }
    if done.is_empty() {
        text += "there is no migration to take back\n";
    }
    if !lost.is_empty() {
        text += &format!("gone:\n{}", losses(lost));
    }
    let lost: Vec<_> = lost.iter().map(loss).collect();
    Answer::good(text, json!({ "taken_back": durations(done), "lost": lost, "schema": standing(status) }))
}

/// `down` that nobody agreed to.
pub fn unconfirmed(lost: &[Loss]) -> Answer {
    let error = MigrateError::Unconfirmed;
    let would_be_lost = lost.iter().map(loss).collect();
    Answer::bad(&format!("{error}:\n{}", losses(lost).trim_end()), error.mend(), ("would_be_lost", would_be_lost))
}

/// What goes, one line each.
pub fn losses(losses: &[Loss]) -> String {
    let mut text = String::new();
    for Loss { what, rows, .. } in losses {
        let rows = match rows {
            1 => "1 row".to_owned(),
            1001.. => "more than 1000 rows".to_owned(),
            rows => format!("{rows} rows"),
        };
        writeln!(text, "  {what}: {rows}").ok();
    }
    text
}

fn loss(Loss { migration, what, rows }: &Loss) -> Value {
    json!({ "migration": migration, "what": what, "rows": rows })
}

fn durations(done: &[(&'static str, Duration)]) -> Value {
    let done = done.iter().map(|(name, duration)| {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        json!({ "name": name, "duration_ms": millis })
    });
    done.collect()
}

fn sentence(status: &Status) -> String {
    match status.standing {
        SchemaStanding::Ready => format!("the schema is up to date (version {SCHEMA_VERSION})\n"),
        SchemaStanding::Newer { found } => format!(
            "the schema is newer than this program (version {found}, it knows {SCHEMA_VERSION}) and still serves it; \
             there is nothing to do\n"
        ),
        SchemaStanding::TooNew { found, compatible_from } => format!(
            "the schema is newer than this program (version {found}, it knows {SCHEMA_VERSION}) and no longer serves \
             it: version {compatible_from} is needed. Use the version of the program that migrated it\n"
        ),
        SchemaStanding::NeedsMigration { .. } => "run `ostiary-migrate up` to apply what is pending\n".to_owned(),
    }
}

fn standing(status: &Status) -> Value {
    let (word, found, compatible_from) = match status.standing {
        SchemaStanding::Ready => ("ready", Some(SCHEMA_VERSION), None),
        SchemaStanding::Newer { found } => ("newer", Some(found), None),
        SchemaStanding::TooNew { found, compatible_from } => ("too_new", Some(found), Some(compatible_from)),
        SchemaStanding::NeedsMigration { found } => ("needs_migration", found, None),
    };
    json!({ "standing": word, "version": found, "known_version": SCHEMA_VERSION, "compatible_from": compatible_from })
}
