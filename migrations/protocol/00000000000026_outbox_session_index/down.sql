UPDATE schema_meta SET version = 25;
DROP INDEX CONCURRENTLY IF EXISTS outbox_session;
