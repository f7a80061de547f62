-- The sessions that the job has to look at.
CREATE INDEX CONCURRENTLY IF NOT EXISTS session_review ON session (review_at) WHERE ended_at IS NULL;

UPDATE schema_meta SET version = 8;
