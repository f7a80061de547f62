//! Registering somebody.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bool, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::{PersonChange, PersonIdRow};
use crate::model::id::SubjectId;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::kept_answer::{Creation, KeptAnswer, keep_in_tx};
use crate::storage::postgres::password_ticket::{NewTicket, insert_ticket_in_tx};
use crate::storage::postgres::person::username_key;
use crate::storage::postgres::pool::Statement;
use crate::storage::postgres::rollback::Rollback;

/// Somebody to register.
pub struct NewPersonRecord<'a> {
    /// Their subject, which nobody had before.
    pub subject: &'a SubjectId,
    /// What is known of them.
    pub change: PersonChange<'a>,
    /// How they will sign in.
    pub access: FirstAccess<'a>,
}

/// How somebody who was just registered will sign in.
pub enum FirstAccess<'a> {
    /// With this password, by its hash.
    Password(&'a str),
    /// With a password that they choose themselves.
    Ticket(&'a NewTicket),
}

const INSERT: &str = "
    WITH person AS (
        INSERT INTO person (username, username_key, claims, is_administrator, created_at, updated_at)
        VALUES ($2, $3, $4, $5, $7, $7) ON CONFLICT (username_key) DO NOTHING RETURNING id
    ), subject AS (
        INSERT INTO subject (id, backend, backend_ref, status, created_at, updated_at)
        SELECT $1, 'local', id::text, CASE WHEN $6 THEN 'active' ELSE 'disabled' END, $7, $7 FROM person
    )
    SELECT id FROM person";

const INSERT_PASSWORD: &str = "INSERT INTO person_password (person_id, phc, changed_at) VALUES ($1, $2, $3)";

impl Postgres {
    /// Registers somebody, once for each key of `answer`.
    pub async fn register_person(
        &self,
        new: &NewPersonRecord<'_>,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if let Some(before) = keep_in_tx(conn, answer, now).await? {
                    return Ok::<_, Rollback<Creation>>(before);
                }
                let person = insert_in_tx(conn, new, now).await?.ok_or(Rollback::Because(Creation::Taken))?;
                match new.access {
                    FirstAccess::Password(phc) => {
                        let insert = Statement::new(INSERT_PASSWORD).bind::<SqlUuid, _>(person).bind::<Text, _>(phc);
                        insert.bind::<Timestamptz, _>(now).execute(conn).await?;
                    }
                    FirstAccess::Ticket(ticket) => insert_ticket_in_tx(conn, person, ticket, now).await?,
                }
                Ok(Creation::Created)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }
}

async fn insert_in_tx(
    conn: &mut AsyncPgConnection,
    new: &NewPersonRecord<'_>,
    now: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let statement = Statement::new(INSERT)
        .bind::<Text, _>(new.subject.as_str())
        .bind::<Text, _>(new.change.username.trim())
        .bind::<Text, _>(username_key(new.change.username))
        .bind::<Jsonb, _>(Value::Object(new.change.claims.clone()))
        .bind::<Bool, _>(new.change.is_administrator)
        .bind::<Bool, _>(new.change.enabled)
        .bind::<Timestamptz, _>(now);
    Ok(statement.get_result::<PersonIdRow>(conn).await.optional()?.map(|row| row.id))
}
