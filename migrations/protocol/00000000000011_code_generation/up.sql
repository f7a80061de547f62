-- Codes that wait to be redeemed end when this is raised: they carry the number that they were made under. Families are not
-- touched by it, so that one client's tokens can be revoked without the others'. A code of the program before carries none, and
-- is not compared.
ALTER TABLE subject ADD COLUMN code_generation bigint NOT NULL DEFAULT 0;

UPDATE schema_meta SET version = 11;
