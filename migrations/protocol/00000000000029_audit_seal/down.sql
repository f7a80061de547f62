UPDATE schema_meta SET version = 23;
ALTER TABLE audit_event DROP COLUMN seal;
DROP TABLE audit_seal;
