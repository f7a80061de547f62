//! The external keys in use: what outlives a change of the key set, so that a kept process goes on and failures are not
//! forgotten.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::failure::ExternalFailure;
use super::program::Program;
use super::{ExternalSigner, SignerStatus, exchange};
use crate::clock::Clock;
use crate::config::ExternalKeysConfig;
use crate::keys::lifecycle::{Insistence, Refusal};
use crate::keys::problem::Problem;
use crate::keys::public_key::PublicKey;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{ExternalKey, KeyEntry};

/// The signers of a process, by key.
#[derive(Clone)]
pub struct ExternalSigners {
    shared: Arc<Shared>,
}

struct Shared {
    config: ExternalKeysConfig,
    /// `None`: nobody said which programs may be started. Then only the one that an operator types is, never a stored one.
    programs: Option<Vec<PathBuf>>,
    clock: Clock,
    by_kid: Mutex<HashMap<String, Arc<ExternalSigner>>>,
}

impl ExternalSigners {
    /// As the settings say.
    pub fn new(config: &ExternalKeysConfig, clock: &Clock) -> Self {
        Self::with(config.clone(), Some(config.programs.clone()), clock)
    }

    /// With the defaults, where there are no settings: a key can be registered with the program that its operator names, and
    /// no program that a key store names is started.
    pub fn without_settings(clock: &Clock) -> Self {
        Self::with(ExternalKeysConfig::default(), None, clock)
    }

    fn with(config: ExternalKeysConfig, programs: Option<Vec<PathBuf>>, clock: &Clock) -> Self {
        let by_kid = Mutex::default();
        Self { shared: Arc::new(Shared { config, programs, clock: clock.clone(), by_kid }) }
    }

    /// What keeps the keys from being used here, although nothing is wrong with them: programs that may not be started.
    pub fn problems<'a>(&self, keys: impl IntoIterator<Item = &'a KeyEntry>) -> Vec<Problem> {
        let external = keys.into_iter().filter(|key| key.is_published()).filter_map(|key| key.external.as_ref());
        external.filter_map(|key| self.check_program(key).err()).collect()
    }

    /// Tries each external key that signs or will, and tells which cannot. Asks every program once. Without settings it asks
    /// none: whoever may write the key store would choose what the account that looks at it runs.
    pub async fn try_out<'a>(&self, keys: impl IntoIterator<Item = &'a KeyEntry>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for entry in keys.into_iter().filter(|key| key.is_for_signing()) {
            let Some(Ok((signer, _))) = entry.external.as_ref().map(|key| self.find_or_make(entry, key)) else {
                continue;
            };
            if self.shared.programs.is_none() {
                problems.push(Problem::of_key(
                    &entry.kid,
                    "was not tried: no settings name the program",
                    "run the command with `--config FILE`, where keys.external.programs names it",
                ));
                continue;
            }
            if let Err(error) = signer.prove().await {
                problems.push(Problem::of_key(
                    &entry.kid,
                    &format!("gives no signature here: {error}"),
                    "run its program by hand with a request as in docs/keys.md; a server says the same in its log",
                ));
            }
        }
        problems
    }

    /// Lets an external key show that it signs, before it takes the place of another: one that does not would end all signing.
    /// A key of ours has nothing to show. Without settings no program is started; whoever insists takes the key untried.
    pub(in crate::keys) async fn check_signs(&self, entry: &KeyEntry, insistence: Insistence) -> Result<(), Refusal> {
        let Some(key) = &entry.external else { return Ok(()) };
        let kid = entry.kid.clone();
        if self.shared.programs.is_none() {
            return match insistence {
                Insistence::Force => Ok(()),
                Insistence::Never => Err(Refusal::Untried { kid }),
            };
        }
        let proved = match self.find_or_make(entry, key) {
            Ok((signer, _)) => signer.prove().await.map_err(|error| error.to_string()),
            Err(problem) => Err(problem.what),
        };
        proved.map_err(|why| Refusal::GivesNoSignature { kid, why })
    }

    /// The signer of a key, the one that there is if there is one.
    pub(in crate::keys) fn find_or_make(
        &self,
        entry: &KeyEntry,
        key: &ExternalKey,
    ) -> Result<(Arc<ExternalSigner>, PublicKey), Problem> {
        let public = public_half(entry, key)?;
        self.check_program(key)?;
        let mut by_kid = self.shared.by_kid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = by_kid.get(&entry.kid).filter(|signer| signer.is_of(key)) {
            return Ok((Arc::clone(signer), public));
        }
        let verifier = public.verifier().ok_or_else(|| {
            let mend = "end the key with `ostiary-keyctl revoke`";
            Problem::of_key(&entry.kid, "is one that the cryptographic library refuses", mend)
        })?;
        let Shared { config, clock, .. } = &*self.shared;
        let signer = Arc::new(ExternalSigner::new((&entry.kid, signing_alg(entry)?), key, verifier, config, clock));
        by_kid.insert(entry.kid.clone(), Arc::clone(&signer));
        Ok((signer, public))
    }

    /// How the program of a key does; `None`: the key is ours, or its program may not be started here.
    pub(in crate::keys) fn find_status(&self, kid: &str) -> Option<SignerStatus> {
        let by_kid = self.shared.by_kid.lock().unwrap_or_else(PoisonError::into_inner);
        by_kid.get(kid).map(|signer| signer.status())
    }

    /// Forgets all but these; their processes end once nobody signs with them any more.
    pub(in crate::keys) fn keep_only(&self, keys: &[KeyEntry]) {
        let mut by_kid = self.shared.by_kid.lock().unwrap_or_else(PoisonError::into_inner);
        by_kid.retain(|kid, _| keys.iter().any(|key| key.kid == *kid && key.is_published()));
    }

    /// Asks the program of a key for its public half.
    pub(in crate::keys) async fn ask_for_jwk(
        &self,
        alg: SigningAlg,
        key: &ExternalKey,
    ) -> Result<Value, ExternalFailure> {
        let request = exchange::jwk_request(alg, &key.key_ref).unwrap_or_default();
        let answer = Program::new(key, &self.shared.config).ask(&request, exchange::read_jwk).await;
        answer.map_err(|(reason, said)| ExternalFailure { kid: key.key_ref.clone(), reason, said })
    }

    /// Whether the program of a key may be started.
    pub(in crate::keys) fn check_program(&self, key: &ExternalKey) -> Result<(), Problem> {
        let program = Path::new(key.command.first().map_or("", String::as_str));
        if !program.is_absolute() {
            return Err(Problem::new(
                format!("the program of the key {:?} is not named by its absolute path", key.key_ref),
                "name it like /usr/local/bin/sign-with-hsm",
            ));
        }
        match &self.shared.programs {
            Some(allowed) if !allowed.iter().any(|allowed| allowed == program) => Err(Problem::new(
                format!(
                    "the program {} of the key {:?} may not be started: the settings do not name it",
                    program.display(),
                    key.key_ref
                ),
                "add it to keys.external.programs of every instance, or end the key with `ostiary-keyctl revoke`",
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn signing_alg(entry: &KeyEntry) -> Result<SigningAlg, Problem> {
    entry.alg.signing().ok_or_else(|| {
        let mend = "end the key with `ostiary-keyctl revoke`";
        Problem::of_key(&entry.kid, "is elsewhere, and a program signs but does not decrypt", mend)
    })
}

/// The public half of an external key, if what is stored of it is good by itself.
pub(in crate::keys) fn public_half(entry: &KeyEntry, key: &ExternalKey) -> Result<PublicKey, Problem> {
    let mend = "put the right `jwk` back from your copy, or end the key with `ostiary-keyctl revoke`";
    let public = PublicKey::from_jwk(signing_alg(entry)?, &key.jwk)
        .map_err(|what| Problem::of_key(&entry.kid, &format!("has a `jwk` that {what}"), mend))?;
    // The kid is the thumbprint: a key that was exchanged for another is noticed here.
    if public.jwk().thumbprint() == entry.kid {
        Ok(public)
    } else {
        Err(Problem::of_key(&entry.kid, "does not belong to its `jwk`: that is another key", mend))
    }
}
