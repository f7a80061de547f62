//! What changes a key directory: first keys, a key that is listed before it signs, a key that begins to sign.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::lock::Lock;
use super::{has_keyset, load_keys, read_keyset_file};
use crate::keys::keyset_file::{FILE_NAME, KeyEntry, KeyState, KeysetFile, REQUIRED_ALGS};
use crate::keys::private_file;
use crate::keys::private_key::{PrivateKey, RsaBits};
use crate::keys::problem::{KeysetError, Problem};
use crate::model::signing_alg::SigningAlg;

/// What a rotation did for one algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The algorithm.
    pub alg: SigningAlg,
    /// The kid of the key that signs now.
    pub activated: String,
    /// The kid of the key that signed before.
    pub superseded: Option<String>,
    /// Whether the new key was listed beforehand. If not, whoever keeps a copy of the key set has to fetch it again first.
    pub was_prepublished: bool,
}

/// Makes the directory if need be and one active key for each required algorithm and each of `algs`.
pub fn generate_initial(
    directory: &Path,
    algs: &[SigningAlg],
    rsa_bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<Vec<KeyEntry>, KeysetError> {
    private_file::create_folder(directory).map_err(|error| KeysetError::one(directory, error.into()))?;
    private_file::check_folder(directory).map_err(|error| KeysetError::one(directory, error.into()))?;
    let _lock = Lock::take(directory)?;
    if has_keyset(directory) {
        return Err(refusal(directory, "has keys already", "prepublish further keys with `ostiary-keyctl generate`"));
    }
    let mut file = KeysetFile::empty();
    for alg in SigningAlg::ALL.into_iter().filter(|alg| REQUIRED_ALGS.contains(alg) || algs.contains(alg)) {
        let entry = generate_key(directory, alg, rsa_bits, now)?;
        let kid = entry.kid.clone();
        file.keys.push(entry);
        file.activate(&kid, now);
    }
    write(directory, &file)?;
    Ok(file.keys)
}

/// Makes a key for each of `algs` that is listed but does not sign yet. No `algs`: one for each algorithm in use that has
/// none waiting.
pub fn prepublish(
    directory: &Path,
    algs: &[SigningAlg],
    rsa_bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<Vec<KeyEntry>, KeysetError> {
    let (_lock, mut file) = begin(directory)?;
    let is_waiting = |alg| file.in_state(alg, KeyState::Prepublished).next().is_some();
    if let Some(alg) = algs.iter().copied().find(|alg| is_waiting(*alg)) {
        let what = format!("has a key for {} already that waits to be activated", alg.as_str());
        return Err(refusal(directory, &what, "activate that one with `ostiary-keyctl rotate`"));
    }
    let wanted: Vec<_> = if algs.is_empty() {
        let is_active = |alg| file.in_state(alg, KeyState::Active).next().is_some();
        SigningAlg::ALL.into_iter().filter(|alg| is_active(*alg) && !is_waiting(*alg)).collect()
    } else {
        SigningAlg::ALL.into_iter().filter(|alg| algs.contains(alg)).collect()
    };
    if wanted.is_empty() {
        let what = "has a key for every algorithm already that waits to be activated";
        return Err(refusal(directory, what, "activate them with `ostiary-keyctl rotate`"));
    }
    let mut made = Vec::new();
    for alg in wanted {
        made.push(generate_key(directory, alg, rsa_bits, now)?);
    }
    file.keys.extend(made.iter().cloned());
    write(directory, &file)?;
    Ok(made)
}

/// Lets a new key sign for each of `algs`, and puts the one that did so into grace. The new key is the oldest prepublished
/// one, or one made now. No `algs`: every algorithm that has an active or prepublished key.
pub fn rotate(
    directory: &Path,
    algs: &[SigningAlg],
    rsa_bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<Vec<Rotation>, KeysetError> {
    let (_lock, mut file) = begin(directory)?;
    let has_key = |alg| {
        let states = [KeyState::Active, KeyState::Prepublished];
        states.into_iter().any(|state| file.in_state(alg, state).next().is_some())
    };
    if let Some(alg) = algs.iter().copied().find(|alg| !has_key(*alg)) {
        let what = format!("has no key for {} to take the place of", alg.as_str());
        let mend = format!("make one with `ostiary-keyctl generate --alg {}` first", alg.as_str());
        return Err(refusal(directory, &what, &mend));
    }
    let is_wanted = |alg: &SigningAlg| if algs.is_empty() { has_key(*alg) } else { algs.contains(alg) };
    let wanted: Vec<_> = SigningAlg::ALL.into_iter().filter(is_wanted).collect();
    let mut rotations = Vec::new();
    for alg in wanted {
        let waiting = file.in_state(alg, KeyState::Prepublished).next().map(|key| key.kid.clone());
        let was_prepublished = waiting.is_some();
        let activated = match waiting {
            Some(kid) => kid,
            None => {
                let entry = generate_key(directory, alg, rsa_bits, now)?;
                let kid = entry.kid.clone();
                file.keys.push(entry);
                kid
            }
        };
        let superseded = file.activate(&activated, now);
        rotations.push(Rotation { alg, activated, superseded, was_prepublished });
    }
    write(directory, &file)?;
    Ok(rotations)
}

/// Locks the directory and reads a state that is whole: a change on top of a fault would hide the fault.
fn begin(directory: &Path) -> Result<(Lock, KeysetFile), KeysetError> {
    read_keyset_file(directory)?;
    let lock = Lock::take(directory)?;
    let (_, file) = read_keyset_file(directory)?;
    load_keys(directory, &file)?;
    Ok((lock, file))
}

fn generate_key(
    directory: &Path,
    alg: SigningAlg,
    rsa_bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<KeyEntry, KeysetError> {
    let failed = || refusal(directory, "was not changed: the key could not be made", "report this as a defect");
    let key = PrivateKey::generate(alg, rsa_bits).ok_or_else(failed)?;
    let kid = key.public_jwk().ok_or_else(failed)?.thumbprint();
    let file = format!("{}-{kid}.pem", alg.as_str().to_ascii_lowercase());
    let pem = key.to_pem().ok_or_else(failed)?;
    private_file::create(&directory.join(&file), pem.as_bytes())
        .map_err(|error| KeysetError::one(directory, error.into()))?;
    Ok(KeyEntry {
        kid,
        alg,
        file,
        state: KeyState::Prepublished,
        created_at: now,
        activated_at: None,
        superseded_at: None,
        retired_at: None,
    })
}

fn write(directory: &Path, file: &KeysetFile) -> Result<(), KeysetError> {
    let mut text = serde_json::to_vec_pretty(file).map_err(|error| {
        let what = format!("was not changed: {FILE_NAME} could not be written as JSON ({error})");
        refusal(directory, &what, "report this as a defect")
    })?;
    text.push(b'\n');
    private_file::replace(&directory.join(FILE_NAME), &text).map_err(|error| KeysetError::one(directory, error.into()))
}

fn refusal(directory: &Path, what: &str, mend: &str) -> KeysetError {
    KeysetError::one(directory, Problem::new(format!("{} {what}", directory.display()), mend))
}
