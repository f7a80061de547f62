//! Statements that say more than the query builder can: data-modifying CTEs, `ON CONFLICT ... WHERE`, row locks.
//!
//! diesel's own `sql_query` is never cached, so each execution would prepare it again: a second round trip on every
//! token request. The text of a [`Statement`] is a constant, so it can be cached by its text.

use std::marker::PhantomData;

use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// A statement in plain SQL with its parameters, in the order of `$1`, `$2`, ...
pub(in crate::storage::postgres) struct Statement<'a> {
    sql: &'static str,
    binds: Vec<Box<dyn QueryFragment<Pg> + Send + 'a>>,
}

struct Bind<ST, Value> {
    value: Value,
    sql_type: PhantomData<ST>,
}

impl<'a> Statement<'a> {
    /// A statement without parameters. Only constants: a text built at run time would fill the cache.
    pub(in crate::storage::postgres) fn new(sql: &'static str) -> Self {
        Self { sql, binds: Vec::new() }
    }

    /// Adds the next parameter.
    pub(in crate::storage::postgres) fn bind<ST, Value>(mut self, value: Value) -> Self
    where
        Pg: HasSqlType<ST>,
        ST: Send + 'a,
        Value: ToSql<ST, Pg> + Send + 'a,
    {
        self.binds.push(Box::new(Bind::<ST, Value> { value, sql_type: PhantomData }));
        self
    }

    /// The first row, read to the end of the answer. diesel-async's own returns with the row; Postgres writes that before it commits,
    /// and what ends the server in between may send it all the same: a change would be acknowledged that never was.
    pub(in crate::storage::postgres) async fn get_result<Row>(self, conn: &mut AsyncPgConnection) -> QueryResult<Row>
    where
        Row: QueryableByName<Pg> + Send + 'static,
    {
        let rows: Vec<Row> = RunQueryDsl::load(self, conn).await?;
        rows.into_iter().next().ok_or(Error::NotFound)
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.sql);
        for bind in &self.binds {
            bind.walk_ast(out.reborrow())?;
        }
        Ok(())
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<ST, Value> QueryFragment<Pg> for Bind<ST, Value>
where
    Pg: HasSqlType<ST>,
    Value: ToSql<ST, Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param_value_only(&self.value)
    }
}

/// Without an identifier of its own it is cached by its text and the types of its parameters.
impl QueryId for Statement<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}
