-- The records of a seal, and those that have none yet.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_event_seal ON audit_event (seal, id);

UPDATE schema_meta SET version = 25;
