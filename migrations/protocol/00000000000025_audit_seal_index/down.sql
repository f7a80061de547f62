UPDATE schema_meta SET version = 24;
DROP INDEX CONCURRENTLY IF EXISTS audit_event_seal;
