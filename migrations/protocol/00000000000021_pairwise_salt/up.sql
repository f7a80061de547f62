-- The salt of pairwise identifiers (OpenID Connect Core section 8.1), sealed with the master key: made once, and the same for
-- good, because every pairwise subject follows from it.
ALTER TABLE installation ADD COLUMN pairwise_salt bytea;

UPDATE schema_meta SET version = 21;
