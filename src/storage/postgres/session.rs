//! Sign-ins, their ends, and who has to hear of them.
//!
//! A session ends in two statements of one transaction: first its row, then the outbox rows for the clients found in
//! `token_family`. An exchange that races touches the session row too, so either it comes first and its family is seen by
//! the second statement, or it waits and finds the session ended. One statement for both would look for families with a
//! snapshot from before the wait.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Postgres;
use super::consent::Consent;
use super::pool::Statement;
use super::schema::session;
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::model::session::{Authentication, EndReason, Session};
use crate::storage::StoreError;

/// How a session stands towards a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The session.
    pub session: Session,
    /// Whether the row is alive, its subject active and of the same generation.
    pub is_alive: bool,
    /// The number under which the subject's codes are made now; a later one ends them.
    pub code_generation: i64,
    /// What the person allowed the client before.
    pub consent: Option<Consent>,
}

#[derive(Queryable, QueryableByName, Insertable)]
#[diesel(table_name = session, check_for_backend(Pg))]
struct SessionRow {
    sid: Uuid,
    subject: String,
    generation: i64,
    auth_time: DateTime<Utc>,
    amr: Vec<String>,
    acr: String,
    seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(embed)]
    session: SessionRow,
    #[diesel(sql_type = Bool)]
    is_alive: bool,
    #[diesel(sql_type = BigInt)]
    code_generation: i64,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    consent_scopes: Option<Vec<String>>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    consent_resources: Option<Vec<String>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    consent_granted_at: Option<DateTime<Utc>>,
}

const FIND_STANDING: &str = "
    SELECT s.sid, s.subject, s.generation, s.auth_time, s.amr, s.acr, s.seen_at, s.expires_at, s.ended_at,
        s.ended_at IS NULL AND s.expires_at > $3 AND u.status = 'active' AND u.generation = s.generation AS is_alive,
        u.code_generation,
        c.scopes AS consent_scopes, c.resources AS consent_resources, c.granted_at AS consent_granted_at
    FROM session s
    JOIN subject u ON u.id = s.subject
    LEFT JOIN consent c ON c.subject = s.subject AND c.client_id = $2 AND (c.expires_at IS NULL OR c.expires_at > $3)
    WHERE s.sid = $1";

const ANNOUNCE: &str = "
    INSERT INTO outbox (kind, payload, due_at, created_at)
    SELECT 'backchannel_logout',
        jsonb_build_object('client_id', f.client_id, 'sid', s.sid, 'subject', s.subject), $2, $2
    FROM session s
    JOIN (SELECT DISTINCT sid, client_id FROM token_family WHERE sid = ANY ($1)) f ON f.sid = s.sid
    JOIN client c ON c.client_id = f.client_id
    WHERE c.enabled AND c.settings ->> 'backchannel_logout_uri' <> ''";

impl Postgres {
    /// Begins a session.
    pub async fn insert_session(&self, value: &Session, now: DateTime<Utc>) -> Result<(), StoreError> {
        let row = SessionRow::from(value);
        self.run(async |conn| {
            diesel::insert_into(session::table).values((row, session::created_at.eq(now))).execute(conn).await
        })
        .await?;
        Ok(())
    }

    /// Everything that an authorization request has to know of the session it came in.
    pub async fn find_standing(
        &self,
        sid: Sid,
        client_id: &ClientId,
        now: DateTime<Utc>,
    ) -> Result<Option<Standing>, StoreError> {
        let statement = Statement::new(FIND_STANDING)
            .bind::<SqlUuid, _>(sid.0)
            .bind::<Text, _>(client_id.as_str())
            .bind::<Timestamptz, _>(now);
        let row = self.run(async |conn| statement.get_result::<StandingRow>(conn).await.optional()).await?;
        Ok(row.map(StandingRow::into_standing))
    }

    /// Ends a session and leaves word for the clients that used it. `false`: it was over before, or never there.
    pub async fn end_session(&self, sid: Sid, reason: EndReason, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let ended = self
            .change(async |conn| conn.transaction(async |conn| end_in_tx(conn, &[sid.0], reason, now).await).await)
            .await?;
        Ok(ended > 0)
    }
}

/// Ends those of the sessions that are open, and writes the outbox rows for them; says how many.
pub(super) async fn end_in_tx(
    conn: &mut AsyncPgConnection,
    sids: &[Uuid],
    reason: EndReason,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let open = session::table.filter(session::sid.eq_any(sids)).filter(session::ended_at.is_null());
    let ended: Vec<Uuid> = diesel::update(open)
        .set((session::ended_at.eq(now), session::end_reason.eq(reason.as_str())))
        .returning(session::sid)
        .get_results(conn)
        .await?;
    if !ended.is_empty() {
        let announce = Statement::new(ANNOUNCE).bind::<Array<SqlUuid>, _>(&ended).bind::<Timestamptz, _>(now);
        announce.execute(conn).await?;
    }
    Ok(ended.len())
}

impl From<&Session> for SessionRow {
    fn from(value: &Session) -> Self {
        Self {
            sid: value.sid.0,
            subject: value.subject.as_str().to_owned(),
            generation: value.generation,
            auth_time: value.authentication.auth_time,
            amr: value.authentication.amr.clone(),
            acr: value.authentication.acr.clone(),
            seen_at: value.seen_at,
            expires_at: value.expires_at,
            ended_at: None,
        }
    }
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            sid: Sid(row.sid),
            subject: SubjectId::new(row.subject),
            generation: row.generation,
            authentication: Authentication { auth_time: row.auth_time, amr: row.amr, acr: row.acr },
            seen_at: row.seen_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
        }
    }
}

impl StandingRow {
    fn into_standing(self) -> Standing {
        let consent = match (self.consent_scopes, self.consent_resources, self.consent_granted_at) {
            (Some(scopes), Some(resources), Some(granted_at)) => Some(Consent::new(scopes, resources, granted_at)),
            _ => None,
        };
        let (is_alive, code_generation) = (self.is_alive, self.code_generation);
        Standing { session: self.session.into(), is_alive, code_generation, consent }
    }
}
