//! `keyset.json`: which keys there are and what each is for now. It holds no secret; each private key lies beside it in a
//! PEM file of its own.
//!
//! Version 1 knew neither purposes nor the time of retirement. It is read as if every key were for tokens, had been listed
//! when it was made, and had to stay for two days after it signed: longer than any token of that version lived. The next
//! change writes version 2.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys::lifecycle::KeyRing;
use crate::keys::problem::Problem;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};

/// The name of the file in the key directory.
pub const FILE_NAME: &str = "keyset.json";

/// The version of the format that this program writes.
const VERSION: u64 = 2;

const GRACE_OF_VERSION_1: TimeDelta = TimeDelta::days(2);

const MEND: &str = "put the file back from your copy, or correct it by hand: `ostiary-keyctl validate` checks it";

/// The whole file; keys are read one by one, so that a fault names its key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    version: u64,
    keys: Vec<Value>,
}

#[derive(Serialize)]
struct File<'a> {
    version: u64,
    keys: &'a [KeyEntry],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryOfVersion1 {
    kid: String,
    alg: SigningAlg,
    file: String,
    state: KeyState,
    created_at: DateTime<Utc>,
    #[serde(default)]
    activated_at: Option<DateTime<Utc>>,
    #[serde(default)]
    superseded_at: Option<DateTime<Utc>>,
    #[serde(default)]
    retired_at: Option<DateTime<Utc>>,
}

/// What the file says, or everything that is wrong with its form.
pub(super) fn parse(text: &str) -> Result<KeyRing, Vec<Problem>> {
    let unreadable = |error| vec![Problem::new(format!("{FILE_NAME} cannot be read ({error})"), MEND)];
    let value: Value = serde_json::from_str(text).map_err(unreadable)?;
    // Before the rest is looked at: another version may have other members.
    if let Some(version) = value.get("version").filter(|version| !matches!(version.as_u64(), Some(1 | VERSION))) {
        return Err(vec![Problem::new(
            format!("{FILE_NAME} has version {version}, this program reads versions 1 and {VERSION}"),
            "use the program that wrote it, or a newer one",
        )]);
    }
    let Envelope { version, keys } = serde_json::from_value(value).map_err(unreadable)?;
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (index, key) in keys.into_iter().enumerate() {
        match parse_key(version, index, key) {
            Ok(entry) => entries.push(entry),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(KeyRing::new(entries)) } else { Err(problems) }
}

/// The text of the file.
pub(super) fn write(ring: &KeyRing) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(&File { version: VERSION, keys: ring.keys() })?;
    text.push(b'\n');
    Ok(text)
}

fn parse_key(version: u64, index: usize, value: Value) -> Result<KeyEntry, Problem> {
    let name = match value.get("kid").and_then(Value::as_str) {
        Some(kid) => format!("the key {kid}"),
        None => format!("the key at place {}", index + 1),
    };
    let parsed = if version == 1 {
        serde_json::from_value::<EntryOfVersion1>(value).map(EntryOfVersion1::into_entry)
    } else {
        serde_json::from_value::<KeyEntry>(value)
    };
    let entry =
        parsed.map_err(|error| Problem::new(format!("{name} in {FILE_NAME} cannot be read ({error})"), MEND))?;
    if entry.external.is_some() && entry.file.is_some() {
        return Err(Problem::new(
            format!("{name} has both a `file` and an `external`: it can be in one place only"),
            "take `file` away if a program signs with the key, else `external`",
        ));
    }
    if entry.external.is_none() && !entry.file.as_deref().is_some_and(is_plain_name) {
        return Err(Problem::new(
            format!("{name} has no `file`, or one that is not the plain name of a file in the key directory"),
            "move the PEM file into the key directory and write only its name in keyset.json",
        ));
    }
    Ok(entry)
}

/// Whether a file of that name can only be one in the key directory itself, and not the list.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != FILE_NAME && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

impl EntryOfVersion1 {
    fn into_entry(self) -> KeyEntry {
        KeyEntry {
            kid: self.kid,
            alg: self.alg.into(),
            purpose: KeyPurpose::Tokens,
            state: self.state,
            file: Some(self.file),
            external: None,
            created_at: self.created_at,
            published_at: self.created_at,
            activated_at: self.activated_at,
            superseded_at: self.superseded_at,
            retire_at: self.superseded_at.map(|ended| ended + GRACE_OF_VERSION_1),
            retired_at: self.retired_at,
            revoke_reason: None,
        }
    }
}

#[cfg(test)]
mod tests;
