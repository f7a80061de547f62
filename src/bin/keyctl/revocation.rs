//! What an emergency breaks.

use chrono::{DateTime, SecondsFormat, Utc};
use ostiary::keys::lifecycle::KeyRing;
use ostiary::model::signing_key::{KeyEntry, KeyState};
use ostiary::storage::postgres::signing_key::Holders;
use serde_json::{Value, json};

use super::place::Place;

/// What ending a key at once means for those who hold what it signed.
pub struct Damage {
    pub lines: Vec<String>,
    pub json: Value,
}

pub async fn damage(place: &Place, ring: &KeyRing, key: &KeyEntry, now: DateTime<Utc>) -> Damage {
    let Some(from) = key.activated_at else {
        let lines = vec!["It never signed, so nothing breaks.".to_owned()];
        return Damage { lines, json: json!({ "signed_from": null, "families": 0, "sessions": 0 }) };
    };
    let to = key.superseded_at.unwrap_or(now);
    // The grace is as long as the longest token lives, and a little longer; there may be some of longer lifetimes before.
    let has_older = place.policy.needed_until.is_some_and(|needed_until| needed_until > now);
    let lifetime = if has_older { now - from } else { place.policy.grace };
    let holders = match &place.postgres {
        Some(postgres) => postgres.count_token_holders(from, to, lifetime, now).await.ok(),
        None => None,
    };
    let mut lines = vec![
        format!("Every {} token that it signed since {} is refused from now on:", key.alg.as_str(), instant(from)),
        "access tokens, ID tokens as hints, and logout tokens on their way. Refresh tokens and sessions go on, and bring \
         new tokens."
            .to_owned(),
        match holders {
            Some(Holders { families, sessions }) => {
                format!("At most {families} grants of {sessions} sessions hold such tokens that were still good.")
            }
            None => "How many are held cannot be told: the database was not asked. Use --config FILE.".to_owned(),
        },
    ];
    if key.state == KeyState::Active {
        lines.push(match ring.waiting(key.alg, key.purpose) {
            Some(next) => format!("{} signs instead, which is listed since {}.", next.kid, instant(next.published_at)),
            None if key.external.is_some() => "It is an external key and nothing waits to take its place: register another one, \
                                               or prepublish one here, then it takes over at once."
                .to_owned(),
            None => "A key made at that moment signs instead: whoever keeps a copy of the key set fails until it is fetched \
                     again, at most for its max-age."
                .to_owned(),
        });
    }
    let json = json!({
        "signed_from": from,
        "signed_to": to,
        "families": holders.map(|holders| holders.families),
        "sessions": holders.map(|holders| holders.sessions),
    });
    Damage { lines, json }
}

fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
