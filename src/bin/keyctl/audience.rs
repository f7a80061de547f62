//! Who has the newest key and who does not, as far as anybody knows.

use chrono::{DateTime, Utc};
use ostiary::keys::audience::{KeyAudience, find_audience};
use ostiary::keys::lifecycle::KeyRing;
use serde_json::{Value, json};

use super::answer::{Answer, instant};
use super::place::Place;

/// Adds to a rehearsal who has not fetched the key set since the newest key was listed.
pub async fn add(answer: &mut Answer, place: &Place, ring: &KeyRing, now: DateTime<Utc>) {
    let (text, json) = match &place.postgres {
        Some(postgres) => match find_audience(postgres, ring, now).await {
            Ok(Some(audience)) => (told(&audience), json!(audience)),
            Ok(None) => (String::new(), Value::Null),
            Err(_) => {
                ("Who fetched the key set cannot be told: the database did not answer.\n".to_owned(), Value::Null)
            }
        },
        None => (
            "Who fetched the key set cannot be told: only the database knows. Use --config FILE.\n".to_owned(),
            Value::Null,
        ),
    };
    answer.text += &text;
    if let Some(members) = answer.json.as_object_mut() {
        members.insert("audience".to_owned(), json);
    }
}

fn told(audience: &KeyAudience) -> String {
    let verdict = |at: Option<DateTime<Utc>>, has_fetched| match at {
        Some(at) if has_fetched => (instant(at), "has it"),
        Some(at) => (instant(at), "NOT SINCE THEN"),
        None => ("never by name".to_owned(), "UNKNOWN"),
    };
    let mut text = format!(
        "\nWho fetched the key set since {} was listed at {}:\n{:<20}  {:<20}  {:<14}  {}\n",
        audience.kid,
        instant(audience.since),
        "LAST FETCH",
        "LAST TOKENS",
        "",
        "CLIENT"
    );
    for client in &audience.clients {
        let (at, verdict) = verdict(client.fetched_at, client.has_fetched);
        let (tokens, id) = (instant(client.last_token_at), client.client_id.as_str().escape_debug());
        text += &format!("{at:<20}  {tokens:<20}  {verdict:<14}  {id}\n");
    }
    for other in &audience.others {
        let (at, verdict) = verdict(Some(other.fetched_at), other.has_fetched);
        text += &format!("{at:<20}  {:<20}  {verdict:<14}  {} from {}\n", "", other.agent, other.network);
    }
    if audience.clients.is_empty() && audience.others.is_empty() {
        text += "Nobody is known: no client got tokens of a person in 30 days, and nobody fetched the key set.\n";
    }
    text
}
