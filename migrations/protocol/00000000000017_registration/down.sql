UPDATE schema_meta SET version = 13;
DROP TABLE client_registration;
DROP TABLE initial_access_token;
ALTER TABLE client DROP COLUMN registered_through;
