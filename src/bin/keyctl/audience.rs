//! Who has the newest key and who does not, as far as anybody knows.

use chrono::{DateTime, Utc};
use ostiary::keys::lifecycle::KeyRing;
use ostiary::model::jwks_fetch::JwksAudience;
use ostiary::model::signing_key::{KeyEntry, KeyState};
use serde_json::{Value, json};

use super::answer::{Answer, instant};
use super::place::Place;

/// Adds to a rehearsal who has not fetched the key set since the newest key was listed.
pub async fn add(answer: &mut Answer, place: &Place, ring: &KeyRing, now: DateTime<Utc>) {
    let (text, json) = match (&place.postgres, newest(ring)) {
        (Some(postgres), Some(key)) => match postgres.find_jwks_audience(now).await {
            Ok(audience) => (told(&audience, key), counted(&audience, key)),
            Err(_) => {
                ("Who fetched the key set cannot be told: the database did not answer.\n".to_owned(), Value::Null)
            }
        },
        (None, _) => (
            "Who fetched the key set cannot be told: only the database knows. Use --config FILE.\n".to_owned(),
            Value::Null,
        ),
        (Some(_), None) => (String::new(), Value::Null),
    };
    answer.text += &text;
    if let Some(members) = answer.json.as_object_mut() {
        members.insert("audience".to_owned(), json);
    }
}

/// The one that waits, which is what matters for the next rotation; else the one that was listed last.
fn newest(ring: &KeyRing) -> Option<&KeyEntry> {
    let of = |state| ring.keys().iter().filter(move |key| key.state == state).max_by_key(|key| key.published_at);
    of(KeyState::Prepublished).or_else(|| of(KeyState::Active))
}

fn counted(audience: &JwksAudience, key: &KeyEntry) -> Value {
    let since = key.published_at;
    let clients = audience.clients.iter().map(|client| {
        let has_fetched = client.fetched_at.is_some_and(|at| at >= since);
        json!({
            "client_id": client.client_id, "last_token_at": client.last_token_at, "fetched_at": client.fetched_at,
            "has_fetched": has_fetched,
        })
    });
    let others = audience.others.iter().map(|other| {
        json!({
            "network": other.network, "agent": other.agent, "fetched_at": other.fetched_at,
            "has_fetched": other.fetched_at >= since,
        })
    });
    let (clients, others): (Vec<_>, Vec<_>) = (clients.collect(), others.collect());
    json!({ "kid": key.kid, "since": since, "clients": clients, "others": others })
}

fn told(audience: &JwksAudience, key: &KeyEntry) -> String {
    let since = key.published_at;
    let verdict = |at: Option<DateTime<Utc>>| match at {
        Some(at) if at >= since => (instant(at), "has it"),
        Some(at) => (instant(at), "NOT SINCE THEN"),
        None => ("never by name".to_owned(), "UNKNOWN"),
    };
    let mut text = format!(
        "\nWho fetched the key set since {} was listed at {}:\n{:<20}  {:<20}  {:<14}  {}\n",
        key.kid,
        instant(since),
        "LAST FETCH",
        "LAST TOKENS",
        "",
        "CLIENT"
    );
    for client in &audience.clients {
        let (at, verdict) = verdict(client.fetched_at);
        let (tokens, id) = (instant(client.last_token_at), client.client_id.as_str().escape_debug());
        text += &format!("{at:<20}  {tokens:<20}  {verdict:<14}  {id}\n");
    }
    for other in &audience.others {
        let (at, verdict) = verdict(Some(other.fetched_at));
        text += &format!("{at:<20}  {:<20}  {verdict:<14}  {} from {}\n", "", other.agent, other.network);
    }
    if audience.clients.is_empty() && audience.others.is_empty() {
        text += "Nobody is known: no client got tokens of a person in 30 days, and nobody fetched the key set.\n";
    }
    text
}
