-- Lists of the admin API: the families and consents of a client, and the sessions by age. Neither rotation nor a session's use
-- changes any of these columns, so both stay heap-only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS token_family_client_id ON token_family (client_id, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_client_id ON consent (client_id, subject);
CREATE INDEX CONCURRENTLY IF NOT EXISTS session_created_at ON session (created_at, sid);

UPDATE schema_meta SET version = 9;
