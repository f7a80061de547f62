//! People, made through the store verbs.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use ostiary::model::id::SubjectId;
use ostiary::storage::postgres::Postgres;
use ostiary::storage::postgres::person::NewPerson;
use serde_json::{Map, Value, json};

use super::app::TestApp;

/// Everyone's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// A person with an account.
#[derive(Clone, Debug)]
pub struct TestPerson {
    pub username: String,
    pub subject: SubjectId,
}

impl TestPerson {
    pub fn sub(&self) -> &str {
        self.subject.as_str()
    }

    /// A person in a database that some server uses.
    pub async fn insert(
        postgres: &Postgres,
        (username, claims, is_administrator): (&str, Map<String, Value>, bool),
        now: DateTime<Utc>,
    ) -> Self {
        let new = NewPerson { username: username.to_owned(), claims, is_administrator, phc: PHC.clone() };
        let inserted = postgres.insert_person(&new, now).await.expect("Postgres answers");
        Self { username: username.to_owned(), subject: inserted.expect("a free username") }
    }
}

/// Every standard claim (OpenID Connect Core section 5.1), without those that the server adds.
pub fn every_claim() -> Map<String, Value> {
    let Value::Object(claims) = json!({
        "name": "Alice Adams",
        "given_name": "Alice",
        "family_name": "Adams",
        "middle_name": "Amy",
        "nickname": "Al",
        "profile": "https://people.example/alice",
        "picture": "https://people.example/alice.png",
        "website": "https://alice.example",
        "email": "alice@people.example",
        "email_verified": true,
        "gender": "female",
        "birthdate": "1990-02-28",
        "zoneinfo": "Europe/Berlin",
        "locale": "en-GB",
        "phone_number": "+49 30 123456",
        "phone_number_verified": false,
        "address": {
            "formatted": "1 Main Street\nBerlin",
            "street_address": "1 Main Street",
            "locality": "Berlin",
            "region": "Berlin",
            "postal_code": "10115",
            "country": "DE",
        },
    }) else {
        unreachable!("an object")
    };
    claims
}

impl TestApp {
    /// A person who is called alice and has every claim.
    pub async fn alice(&self) -> TestPerson {
        self.person("alice", every_claim()).await
    }

    /// Another one, of whom less is known.
    pub async fn bob(&self) -> TestPerson {
        let Value::Object(claims) = json!({ "name": "Bob Brown", "email": "bob@people.example" }) else {
            unreachable!("an object")
        };
        self.person("bob", claims).await
    }

    /// An administrator.
    pub async fn administrator(&self) -> TestPerson {
        self.administrator_called("root").await
    }

    pub async fn administrator_called(&self, username: &str) -> TestPerson {
        self.insert_person(username, Map::new(), true).await
    }

    pub async fn person(&self, username: &str, claims: Map<String, Value>) -> TestPerson {
        self.insert_person(username, claims, false).await
    }

    async fn insert_person(&self, username: &str, claims: Map<String, Value>, is_administrator: bool) -> TestPerson {
        TestPerson::insert(&self.app.postgres, (username, claims, is_administrator), self.now()).await
    }
}

/// The hash of [`PASSWORD`] with the parameters of the test configuration.
static PHC: LazyLock<String> = LazyLock::new(|| {
    use argon2::password_hash::PasswordHasher;
    let params = argon2::Params::new(64, 1, 1, None).expect("parameters");
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2.hash_password(PASSWORD.as_bytes()).expect("a hash").to_string()
});
