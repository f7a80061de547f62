UPDATE schema_meta SET version = 20;
ALTER TABLE installation DROP COLUMN pairwise_salt;
