//! Public keys as others want them.

use ostiary::keys::jwk::PublicJwk;
use ostiary::keys::problem::Problem;
use ostiary::keys::public_key::PublicKey;
use ostiary::keys::store::StoredKeys;
use ostiary::model::signing_key::KeyEntry;
use serde_json::json;

use super::answer::Answer;
use super::arguments::PublicFormat;
use super::command::Answered;
use super::place::Place;

/// The public half of a listed key.
struct Public {
    entry: KeyEntry,
    jwk: PublicJwk,
    pem: Option<String>,
}

pub async fn export(place: &Place, kid: Option<&str>, format: PublicFormat) -> Answered {
    let found = place.store.read_keys().await.map_err(|error| error.problems())?;
    let keys = public_keys(found, |entry| kid.is_none_or(|kid| kid == entry.kid))?;
    let refuse = |what: String, mend: &str| vec![Problem::new(what, mend)];
    if keys.is_empty() {
        let what = format!("there is no listed key {}", kid.unwrap_or_default());
        return Err(refuse(what, "take a kid that `ostiary-keyctl list` shows; retired keys are destroyed"));
    }
    if format == PublicFormat::Jwk && keys.len() != 1 {
        return Err(refuse("one JSON Web Key holds one key".to_owned(), "name it with --kid, or use --format jwks"));
    }
    if format == PublicFormat::Pem {
        let pems: Option<Vec<_>> = keys.into_iter().map(|key| key.pem).collect();
        let pems = pems.ok_or_else(no_public_half)?;
        return Ok(Answer::good(pems.concat(), json!({ "pem": pems })));
    }
    let jwks: Vec<_> = keys.iter().map(|key| key.jwk.published(&key.entry.kid, key.entry.alg)).collect();
    let json = match jwks.as_slice() {
        [jwk] if format == PublicFormat::Jwk => json!(jwk),
        jwks => json!({ "keys": jwks }),
    };
    Ok(Answer::good(format!("{json:#}\n"), json))
}

fn public_keys(found: StoredKeys, is_wanted: impl Fn(&KeyEntry) -> bool) -> Result<Vec<Public>, Vec<Problem>> {
    let mut keys = Vec::new();
    for (entry, key) in found.keys.into_iter().filter(|(entry, _)| is_wanted(entry)) {
        let key = key.map_err(|problem| vec![problem])?;
        keys.push(Public { entry, jwk: key.public_jwk().ok_or_else(no_public_half)?, pem: key.public_pem() });
    }
    let listed = found.stored.ring.keys().iter().filter(|entry| entry.is_published() && is_wanted(entry));
    for (entry, external) in listed.filter_map(|entry| Some((entry, entry.external.as_ref()?))) {
        let key = entry.alg.signing().ok_or("is of a key that does not sign");
        let key = key.and_then(|alg| PublicKey::from_jwk(alg, &external.jwk)).map_err(|what| {
            let mend = "run `ostiary-keyctl validate`";
            vec![Problem::new(format!("the key {} has a `jwk` that {what}", entry.kid), mend)]
        })?;
        keys.push(Public { entry: entry.clone(), jwk: key.jwk().clone(), pem: key.pem() });
    }
    Ok(keys)
}

fn no_public_half() -> Vec<Problem> {
    vec![Problem::new("a key has no public half", "report this as a defect")]
}
