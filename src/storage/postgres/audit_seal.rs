//! Seals over audit records: each covers the records that were committed since the seal before, and that seal.
//!
//! Records are written without looking at one another, so that no request waits for another one. A job seals what is committed,
//! whatever the order of its numbers: a transaction that took long is in a later seal.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::prelude::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::Postgres;
use super::pool::Statement;
use crate::storage::StoreError;

/// The advisory lock of whoever seals.
const SEALER: i64 = 0x6f73_7461_5365_616c;

/// A record, every column of it, as the texts that Postgres writes: what is covered must not depend on what this version knows.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct SealableRecord {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// What happened.
    #[diesel(sql_type = Text)]
    pub event: String,
    /// Whether it came to pass.
    #[diesel(sql_type = Text)]
    pub outcome: String,
    /// What kind of actor did it.
    #[diesel(sql_type = Text)]
    pub actor_kind: String,
    /// Which one.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor: Option<String>,
    /// To which client.
    #[diesel(sql_type = Nullable<Text>)]
    pub client_id: Option<String>,
    /// To whom.
    #[diesel(sql_type = Nullable<Text>)]
    pub subject: Option<String>,
    /// To what else.
    #[diesel(sql_type = Nullable<Text>)]
    pub object: Option<String>,
    /// From where.
    #[diesel(sql_type = Nullable<Text>)]
    pub ip: Option<String>,
    /// In which request.
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    /// What else is to be said.
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
    /// When, in microseconds since 1970.
    #[diesel(sql_type = BigInt)]
    pub happened_at: i64,
}

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The first is 1.
    pub number: i64,
    /// How many records it covers.
    pub records: i32,
    /// SHA-256 over the seal before and the records.
    pub digest: Vec<u8>,
    /// Which master key made the MAC.
    pub key_id: u8,
    /// The MAC of the digest.
    pub mac: Vec<u8>,
    /// When it was made.
    pub sealed_at: DateTime<Utc>,
    /// When its records were deleted because their time was over.
    pub emptied: Option<Emptied>,
}

/// Proof that the records of a seal were deleted by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emptied {
    /// When.
    pub at: DateTime<Utc>,
    /// Which master key made the MAC.
    pub key_id: u8,
    /// The MAC of the digest and the time.
    pub mac: Vec<u8>,
}

/// What is not sealed, and what says that it is and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Unsealed {
    /// Records that wait for their seal.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Records of seals that are not there, or that have none any more.
    #[diesel(sql_type = BigInt)]
    pub stray: i64,
}

/// A record and the seal that covers it, if one does already.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ExportedRecord {
    /// The record.
    #[diesel(embed)]
    pub record: SealableRecord,
    /// The number of the seal.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub seal: Option<i64>,
}

macro_rules! record_columns {
    () => {
        "id, event, outcome, actor_kind, actor, client_id, subject, object, host(ip) AS ip, request_id, detail::text AS detail,
         (extract(epoch FROM happened_at) * 1000000)::bigint AS happened_at"
    };
}

macro_rules! seal_columns {
    () => {
        "number, records, digest, key_id, mac, sealed_at, emptied_at, emptied_key_id, emptied_mac"
    };
}

const IS_ANY_WAITING: &str = "SELECT EXISTS (SELECT 1 FROM audit_event WHERE seal IS NULL) AS is_so";

const LEAD: &str = "SELECT pg_try_advisory_xact_lock($1) AS is_so";

const FIND_LAST: &str = concat!("SELECT ", seal_columns!(), " FROM audit_seal ORDER BY number DESC LIMIT 1");

const FIND_WAITING: &str =
    concat!("SELECT ", record_columns!(), " FROM audit_event WHERE seal IS NULL ORDER BY id LIMIT $1");

const INSERT: &str = "
    WITH seal AS (
        INSERT INTO audit_seal (number, records, digest, key_id, mac, sealed_at) VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING number
    )
    UPDATE audit_event SET seal = seal.number FROM seal WHERE id = ANY ($7)";

const LIST: &str = concat!("SELECT ", seal_columns!(), " FROM audit_seal WHERE number > $1 ORDER BY number LIMIT $2");

const LIST_RECORDS: &str = concat!("SELECT ", record_columns!(), " FROM audit_event WHERE seal = $1 ORDER BY id");

const EXPORT: &str = concat!(
    "SELECT ",
    record_columns!(),
    ", seal FROM audit_event
     WHERE id > $1 AND ($2 IS NULL OR happened_at >= $2) AND ($3 IS NULL OR happened_at < $3) ORDER BY id LIMIT $4"
);

const NEWEST: &str = concat!("SELECT ", record_columns!(), ", seal FROM audit_event ORDER BY id DESC LIMIT $1");

const COUNT_UNSEALED: &str = "
    SELECT count(*) FILTER (WHERE e.seal IS NULL) AS waiting, count(*) FILTER (WHERE e.seal IS NOT NULL) AS stray
    FROM audit_event e
    WHERE e.seal IS NULL
        OR NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.number = e.seal AND s.emptied_at IS NULL)";

const FIND_DUE: &str = concat!(
    "SELECT ",
    seal_columns!(),
    " FROM audit_seal WHERE emptied_at IS NULL ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED"
);

const EMPTY: &str = "
    WITH emptied AS (
        UPDATE audit_seal SET emptied_at = $2, emptied_key_id = $3, emptied_mac = $4 WHERE number = $1
    )
    DELETE FROM audit_event WHERE seal = $1";

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    is_so: bool,
}

#[derive(QueryableByName)]
struct SealRow {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Integer)]
    records: i32,
    #[diesel(sql_type = Binary)]
    digest: Vec<u8>,
    #[diesel(sql_type = SmallInt)]
    key_id: i16,
    #[diesel(sql_type = Binary)]
    mac: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    sealed_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    emptied_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    emptied_key_id: Option<i16>,
    #[diesel(sql_type = Nullable<Binary>)]
    emptied_mac: Option<Vec<u8>>,
}

impl Postgres {
    /// Seals up to `limit` records that have none, with what `seal` makes of the seal before and of them. The seal and the
    /// records; `None`: there are none, or another instance is at it.
    pub async fn seal_audit_records(
        &self,
        limit: i64,
        seal: impl Fn(Option<&Seal>, &[SealableRecord]) -> Seal + Send + Sync,
    ) -> Result<Option<(Seal, Vec<SealableRecord>)>, StoreError> {
        self.run(async |conn| {
            // Mostly there is nothing to do, and then nobody needs to lead.
            if !Statement::new(IS_ANY_WAITING).get_result::<Answer>(conn).await?.is_so {
                return Ok(None);
            }
            conn.transaction(async |conn| {
                if !Statement::new(LEAD).bind::<BigInt, _>(SEALER).get_result::<Answer>(conn).await?.is_so {
                    return Ok(None);
                }
                let last: Option<SealRow> = Statement::new(FIND_LAST).get_result(conn).await.optional()?;
                let waiting = Statement::new(FIND_WAITING).bind::<BigInt, _>(limit);
                let records: Vec<SealableRecord> = RunQueryDsl::load(waiting, conn).await?;
                if records.is_empty() {
                    return Ok(None);
                }
                let last = last.map(Seal::from);
                let made = seal(last.as_ref(), &records);
                let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
                let insert = Statement::new(INSERT)
                    .bind::<BigInt, _>(made.number)
                    .bind::<Integer, _>(made.records)
                    .bind::<Binary, _>(&made.digest)
                    .bind::<SmallInt, _>(i16::from(made.key_id))
                    .bind::<Binary, _>(&made.mac)
                    .bind::<Timestamptz, _>(made.sealed_at)
                    .bind::<Array<BigInt>, _>(&ids);
                insert.execute(conn).await?;
                Ok(Some((made, records)))
            })
            .await
        })
        .await
    }

    /// Up to `limit` seals behind the one of number `after`, in their order.
    pub async fn list_audit_seals(&self, after: i64, limit: i64) -> Result<Vec<Seal>, StoreError> {
        let statement = Statement::new(LIST).bind::<BigInt, _>(after).bind::<BigInt, _>(limit);
        let rows: Vec<SealRow> = self.run(async |conn| RunQueryDsl::load(statement, conn).await).await?;
        Ok(rows.into_iter().map(Seal::from).collect())
    }

    /// The records of a seal, in the order in which it covers them.
    pub async fn list_sealed_records(&self, number: i64) -> Result<Vec<SealableRecord>, StoreError> {
        let statement = Statement::new(LIST_RECORDS).bind::<BigInt, _>(number);
        self.run(async |conn| RunQueryDsl::load(statement, conn).await).await
    }

    /// Up to `limit` records behind the one of number `after`, in the order of their numbers, that happened in a span of time.
    pub async fn export_audit_records(
        &self,
        after: i64,
        (from, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
        limit: i64,
    ) -> Result<Vec<ExportedRecord>, StoreError> {
        let statement = Statement::new(EXPORT)
            .bind::<BigInt, _>(after)
            .bind::<Nullable<Timestamptz>, _>(from)
            .bind::<Nullable<Timestamptz>, _>(until)
            .bind::<BigInt, _>(limit);
        self.run(async |conn| RunQueryDsl::load(statement, conn).await).await
    }

    /// Up to `limit` records, the newest first.
    pub async fn list_newest_audit_records(&self, limit: i64) -> Result<Vec<ExportedRecord>, StoreError> {
        let statement = Statement::new(NEWEST).bind::<BigInt, _>(limit);
        self.run(async |conn| RunQueryDsl::load(statement, conn).await).await
    }

    /// The records that no seal covers.
    pub async fn count_unsealed_records(&self) -> Result<Unsealed, StoreError> {
        self.run(async |conn| Statement::new(COUNT_UNSEALED).get_result(conn).await).await
    }

    /// Deletes the records of the oldest seal that has them, if it was made before `until`; `false`: none was. `prove` makes
    /// the proof that it was the server.
    pub async fn empty_audit_seal(
        &self,
        until: DateTime<Utc>,
        prove: impl Fn(&Seal) -> Emptied + Send + Sync,
    ) -> Result<bool, StoreError> {
        self.run(async |conn| {
            conn.transaction(async |conn| {
                let due: Option<SealRow> = Statement::new(FIND_DUE).get_result(conn).await.optional()?;
                let Some(seal) = due.map(Seal::from).filter(|seal| seal.sealed_at <= until) else { return Ok(false) };
                let Emptied { at, key_id, mac } = prove(&seal);
                let empty = Statement::new(EMPTY)
                    .bind::<BigInt, _>(seal.number)
                    .bind::<Timestamptz, _>(at)
                    .bind::<SmallInt, _>(i16::from(key_id))
                    .bind::<Binary, _>(mac);
                empty.execute(conn).await?;
                Ok(true)
            })
            .await
        })
        .await
    }
}

impl From<SealRow> for Seal {
    fn from(row: SealRow) -> Self {
        // No master key has the number 0: a row that somebody wrote is found when its MAC is looked at.
        let key_id = |id: i16| u8::try_from(id).unwrap_or_default();
        let emptied = row.emptied_at.zip(row.emptied_key_id).zip(row.emptied_mac);
        Self {
            number: row.number,
            records: row.records,
            digest: row.digest,
            key_id: key_id(row.key_id),
            mac: row.mac,
            sealed_at: row.sealed_at,
            emptied: emptied.map(|((at, id), mac)| Emptied { at, key_id: key_id(id), mac }),
        }
    }
}
