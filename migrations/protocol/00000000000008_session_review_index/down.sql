UPDATE schema_meta SET version = 7;
DROP INDEX CONCURRENTLY IF EXISTS session_review;
