UPDATE schema_meta SET version = 8;
DROP INDEX CONCURRENTLY IF EXISTS session_created_at;
DROP INDEX CONCURRENTLY IF EXISTS consent_client_id;
DROP INDEX CONCURRENTLY IF EXISTS token_family_client_id;
