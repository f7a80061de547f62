UPDATE schema_meta SET version = 29;
DROP INDEX CONCURRENTLY IF EXISTS audit_event_seal;
