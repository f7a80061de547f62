//! What happened, recorded in the transaction of what it changed: the one is never there without the other.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::QueryableByName;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, TransactionManager};
use serde_json::Value;

use super::Postgres;
use super::applied_policy::Applied;
use super::client_record::{Change, SecretRotation};
use super::consent::Withdrawal;
use super::installation::Begun;
use super::kept_answer::Creation;
use super::password_ticket::PasswordOutcome;
use super::person_record::PersonOutcome;
use super::pool::Statement;
use super::revocation::CodesAndFamilies;
use super::scope_record::Removal;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::id::{ClientId, SubjectId};
use crate::storage::StoreError;
use crate::storage::postgres::access_request::DecisionOutcome;

/// Which records to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFilter<'a> {
    /// Only events of this kind.
    pub kind: Option<AuditEventKind>,
    /// Only what this client or this person did.
    pub actor: Option<&'a str>,
    /// Only what happened to this client.
    pub client_id: Option<&'a ClientId>,
    /// Only what happened to this subject.
    pub subject: Option<&'a SubjectId>,
}

/// A record as its row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its identifier: a later one was begun later.
    pub id: i64,
    /// What was recorded.
    pub record: AuditRecord,
}

/// What a change came to, as far as records are concerned.
pub(super) trait Effect {
    /// Whether anything was changed.
    fn is_effective(&self) -> bool;
}

type Transactions = <AsyncPgConnection as AsyncConnection>::TransactionManager;

const INSERT: &str = "
    INSERT INTO audit_event
        (event, outcome, actor_kind, actor, client_id, subject, object, detail, ip, request_id, happened_at)
    SELECT event, outcome, actor_kind, actor, client_id, subject, object, detail, ip::inet, request_id, happened_at
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS r
        (event, outcome, actor_kind, actor, client_id, subject, object, detail, ip, request_id, happened_at)";

const LIST: &str = "
    SELECT id, event, actor_kind, actor, client_id, subject, object, detail, host(ip) AS ip, request_id, happened_at
    FROM audit_event
    WHERE ($1 IS NULL OR event = $1) AND ($2 IS NULL OR actor = $2) AND ($3 IS NULL OR client_id = $3)
        AND ($4 IS NULL OR subject = $4) AND ($5 IS NULL OR id < $5)
    ORDER BY id DESC LIMIT $6";

#[derive(QueryableByName)]
struct RecordRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    event: String,
    #[diesel(sql_type = Text)]
    actor_kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    actor: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    client_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    object: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    detail: Option<Value>,
    #[diesel(sql_type = Nullable<Text>)]
    ip: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    request_id: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    happened_at: DateTime<Utc>,
}

impl Postgres {
    /// The same store, whose next change is recorded if it changes anything.
    #[must_use]
    pub fn recording(&self, record: AuditRecord) -> Self {
        self.recording_all(vec![record])
    }

    /// The same for a change that is several events.
    #[must_use]
    pub fn recording_all(&self, records: Vec<AuditRecord>) -> Self {
        let mut store = self.clone();
        store.records = Arc::from(records);
        store
    }

    /// Records what changed nothing in the database, or was committed before.
    pub async fn insert_audit_records(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        self.run(async |conn| insert_in_tx(conn, records).await).await
    }

    /// Up to `limit` records, the newest first, beginning behind `after`.
    pub async fn list_audit_records(
        &self,
        filter: AuditFilter<'_>,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let statement = Statement::new(LIST)
            .bind::<Nullable<Text>, _>(filter.kind.map(AuditEventKind::as_str))
            .bind::<Nullable<Text>, _>(filter.actor)
            .bind::<Nullable<Text>, _>(filter.client_id.map(ClientId::as_str))
            .bind::<Nullable<Text>, _>(filter.subject.map(SubjectId::as_str))
            .bind::<Nullable<BigInt>, _>(after)
            .bind::<BigInt, _>(limit);
        let rows: Vec<RecordRow> = self.run(async |conn| statement.load(conn).await).await?;
        rows.into_iter().map(RecordRow::into_record).collect()
    }

    /// Runs a verb that changes something. With [`Self::recording`] it is a part of the transaction that records it.
    pub(super) async fn change<T, Verb>(&self, verb: Verb) -> Result<T, StoreError>
    where
        T: Effect,
        Verb: AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    {
        if self.records.is_empty() {
            return self.run(verb).await;
        }
        self.run(async |conn| {
            // By hand: `transaction` wants to know that the verb's future is `Send`, which cannot be said of a type parameter.
            // A connection that is left behind with an open transaction is thrown away by the pool.
            Transactions::begin_transaction(conn).await?;
            match recorded_in_tx(conn, verb, &self.records).await {
                Ok(outcome) => Transactions::commit_transaction(conn).await.map(|()| outcome),
                Err(error) => {
                    Transactions::rollback_transaction(conn).await?;
                    Err(error)
                }
            }
        })
        .await
    }
}

async fn recorded_in_tx<T, Verb>(conn: &mut AsyncPgConnection, verb: Verb, records: &[AuditRecord]) -> QueryResult<T>
where
    T: Effect,
    Verb: AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
{
    let outcome = verb(conn).await?;
    if outcome.is_effective() {
        insert_in_tx(conn, records).await?;
    }
    Ok(outcome)
}

/// However many there are, it is one statement.
async fn insert_in_tx(conn: &mut AsyncPgConnection, records: &[AuditRecord]) -> QueryResult<()> {
    let texts = |of: fn(&AuditRecord) -> &'static str| records.iter().map(of).collect::<Vec<_>>();
    let each = |of: fn(&AuditRecord) -> Option<String>| records.iter().map(of).collect::<Vec<_>>();
    let details: Vec<Option<&Value>> = records.iter().map(|record| record.event.detail.as_ref()).collect();
    let times: Vec<DateTime<Utc>> = records.iter().map(|record| record.happened_at).collect();
    let insert = Statement::new(INSERT)
        .bind::<Array<Text>, _>(texts(|record| record.event.kind.as_str()))
        .bind::<Array<Text>, _>(texts(|record| record.event.kind.outcome().as_str()))
        .bind::<Array<Text>, _>(texts(|record| record.actor.kind()))
        .bind::<Array<Nullable<Text>>, _>(each(|record| record.actor.id().map(ToOwned::to_owned)))
        .bind::<Array<Nullable<Text>>, _>(each(|record| record.event.client_id.as_ref().map(ToString::to_string)))
        .bind::<Array<Nullable<Text>>, _>(each(|record| record.event.subject.as_ref().map(ToString::to_string)))
        .bind::<Array<Nullable<Text>>, _>(each(|record| record.event.object.clone()))
        .bind::<Array<Nullable<Jsonb>>, _>(details)
        .bind::<Array<Nullable<Text>>, _>(each(|record| record.origin.ip.map(|ip| ip.to_string())))
        .bind::<Array<Nullable<Text>>, _>(each(|record| record.origin.request_id.clone()))
        .bind::<Array<Timestamptz>, _>(times);
    insert.execute(conn).await?;
    Ok(())
}

impl RecordRow {
    fn into_record(self) -> Result<StoredRecord, StoreError> {
        let kind = AuditEventKind::from_name(&self.event);
        let actor = match (self.actor_kind.as_str(), self.actor) {
            ("client", Some(id)) => Actor::Client(ClientId::new(id)),
            ("person", Some(id)) => Actor::Person(SubjectId::new(id)),
            ("operator", None) => Actor::Operator,
            ("server", None) => Actor::Server,
            ("stranger", None) => Actor::Stranger,
            _ => return Err(StoreError::corrupt("an audit record has no actor")),
        };
        let event = AuditEvent {
            kind: kind.ok_or_else(|| StoreError::corrupt("an audit record is of no known kind"))?,
            client_id: self.client_id.map(ClientId::new),
            subject: self.subject.map(SubjectId::new),
            object: self.object,
            detail: self.detail,
        };
        let ip = self.ip.map(|ip| ip.parse().map_err(StoreError::corrupt)).transpose()?;
        let origin = Origin { ip, request_id: self.request_id };
        Ok(StoredRecord { id: self.id, record: AuditRecord { event, actor, origin, happened_at: self.happened_at } })
    }
}

impl Effect for bool {
    fn is_effective(&self) -> bool {
        *self
    }
}

impl Effect for usize {
    fn is_effective(&self) -> bool {
        *self > 0
    }
}

impl Effect for SecretRotation {
    fn is_effective(&self) -> bool {
        matches!(self, Self::Settled(creation) if creation.is_effective())
    }
}

impl Effect for Creation {
    fn is_effective(&self) -> bool {
        *self == Self::Created
    }
}

impl Effect for Change {
    fn is_effective(&self) -> bool {
        matches!(self, Self::Changed(_))
    }
}

impl Effect for Removal {
    fn is_effective(&self) -> bool {
        *self == Self::Removed
    }
}

impl Effect for PersonOutcome {
    fn is_effective(&self) -> bool {
        *self == Self::Changed
    }
}

/// A ticket is made once for each key; a password is set whenever it is asked for.
impl<Done: Effect> Effect for PasswordOutcome<Done> {
    fn is_effective(&self) -> bool {
        matches!(self, Self::Done(done) if done.is_effective())
    }
}

impl Effect for Withdrawal {
    fn is_effective(&self) -> bool {
        self.is_deleted || self.families > 0 || self.has_ended_codes
    }
}

impl Effect for CodesAndFamilies {
    fn is_effective(&self) -> bool {
        self.has_ended_codes || self.families > 0
    }
}

impl Effect for () {
    fn is_effective(&self) -> bool {
        true
    }
}

impl Effect for DecisionOutcome {
    fn is_effective(&self) -> bool {
        *self == Self::Decided
    }
}

impl Effect for Applied {
    fn is_effective(&self) -> bool {
        *self == Self::Done
    }
}

impl Effect for Begun {
    fn is_effective(&self) -> bool {
        *self == Self::Made
    }
}
