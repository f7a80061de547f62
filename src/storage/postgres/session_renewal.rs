//! Signing in again: the same session with a new proof of who the person is.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::schema::session;
use crate::model::session::Session;
use crate::storage::StoreError;

impl Postgres {
    /// Gives a session that is alive the authentication and the end of `value`. `false`: it is over, or another subject's, or
    /// of another generation, and nothing was changed.
    pub async fn renew_session(&self, value: &Session, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let authentication = &value.authentication;
        let renewed = self
            .run(async |conn| {
                let alive = session::table
                    .find(value.sid.0)
                    .filter(session::subject.eq(value.subject.as_str()))
                    .filter(session::generation.eq(value.generation))
                    .filter(session::ended_at.is_null().and(session::expires_at.gt(now)));
                diesel::update(alive)
                    .set((
                        session::auth_time.eq(authentication.auth_time),
                        session::amr.eq(&authentication.amr),
                        session::acr.eq(&authentication.acr),
                        session::seen_at.eq(now),
                        session::expires_at.eq(value.expires_at),
                    ))
                    .execute(conn)
                    .await
            })
            .await?;
        Ok(renewed > 0)
    }
}
