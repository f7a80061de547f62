UPDATE schema_meta SET version = 6;
ALTER TABLE session DROP COLUMN review_at;
