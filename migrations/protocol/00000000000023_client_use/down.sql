UPDATE schema_meta SET version = 22;
ALTER TABLE client_registration DROP COLUMN client_revision;
DROP TABLE client_use;
